"""Telemetry of generative models: spans, deltas, and counters that are told as they stand."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING, Any

import pytest

from agent.agents import Agent, agent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TRACES, METRICS = "/v1/otlp/v1/traces", "/v1/otlp/v1/metrics"


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Agent]:
    with agent(tmp_path) as made:
        made.hear("reading")
        yield made


def attributes(**said: str | int) -> list[dict[str, Any]]:
    return [
        {
            "key": name.replace("__", "."),
            "value": {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value},
        }
        for name, value in said.items()
    ]


def span(span_id: str, **said: str | int) -> dict[str, Any]:
    now_ns = time.time_ns()
    return {
        "resourceSpans": [{"resource": {}, "scopeSpans": [{"spans": [{
            "traceId": "5b8efff798038103d269b633813fc60c", "spanId": span_id, "name": "chat",
            "startTimeUnixNano": str(now_ns - 10**9), "endTimeUnixNano": str(now_ns),
            "attributes": attributes(**said),
        }]}]}]
    }  # fmt: skip


NEW = {
    "gen_ai__provider__name": "openai", "gen_ai__response__model": "gpt-4o",
    "gen_ai__operation__name": "chat", "gen_ai__usage__input_tokens": 100,
    "gen_ai__usage__output_tokens": 20, "gen_ai__usage__cache_read__input_tokens": 40,
    "gen_ai__input__messages": "the canary sings",
}  # fmt: skip
OLD = {
    "gen_ai__system": "openai", "gen_ai__request__model": "gpt-4o",
    "gen_ai__usage__prompt_tokens": 10, "gen_ai__usage__completion_tokens": 2,
}  # fmt: skip


def counter(total: int, start_ns: int, *, gauge: bool = False) -> dict[str, Any]:
    point = {
        "attributes": attributes(
            gen_ai__provider__name="openai", gen_ai__response__model="gpt-4o",
            gen_ai__token__modality="text",
        ),
        "startTimeUnixNano": str(start_ns), "timeUnixNano": str(time.time_ns()),
        "asInt": str(total),
    }  # fmt: skip
    data = {"dataPoints": [point]}
    metric: dict[str, Any] = {"name": "gen_ai.client.inference.usage.input_tokens"}
    if gauge:
        metric["gauge"] = data
    else:
        metric["sum"] = {**data, "isMonotonic": True, "aggregationTemporality": 2}
    return {"resourceMetrics": [{"resource": {}, "scopeMetrics": [{"metrics": [metric]}]}]}


def quantities(node: Agent) -> dict[str, str]:
    return {row["meter"]: row["quantity"] for row in node.ask("GET", "/v1/usage")[1]["usage"]}


def test_spans_of_new_and_old_names_are_usage_and_told_again_no_more(node: Agent) -> None:
    for body in (span("aaaaaaaaaaaaaaaa", **NEW), span("bbbbbbbbbbbbbbbb", **OLD)):
        for _ in range(2):
            assert node.ask("POST", TRACES, body) == (200, {})
    assert quantities(node) == {"input": "70", "cached_input": "40", "output": "22"}


def test_of_a_counter_what_it_grew_by_counts_over_restarts_of_both_sides(tmp_path: Path) -> None:
    start_ns = time.time_ns() - 10**10
    with agent(tmp_path) as first:
        first.hear("reading")
        for total in (100, 150):
            assert first.ask("POST", METRICS, counter(total, start_ns)) == (200, {})
        assert quantities(first) == {"input": "150"}
        first.kill()
    with agent(tmp_path) as second:
        second.hear("reading")
        for total in (150, 170):
            assert second.ask("POST", METRICS, counter(total, start_ns)) == (200, {})
        assert quantities(second) == {"input": "170"}
        again_ns = time.time_ns()  # the program was started anew and counts from nothing
        assert second.ask("POST", METRICS, counter(30, again_ns)) == (200, {})
        assert quantities(second) == {"input": "200"}
        second.stop()


def delta(name: str, tokens: int, at_ns: int) -> dict[str, Any]:
    """Tokens of the ten seconds until an instant."""
    body = counter(tokens, at_ns - 10**10)
    (metric,) = body["resourceMetrics"][0]["scopeMetrics"][0]["metrics"]
    metric["name"] = f"gen_ai.client.inference.usage.{name}_tokens"
    metric["sum"]["aggregationTemporality"] = 1
    metric["sum"]["dataPoints"][0]["timeUnixNano"] = str(at_ns)
    return body


def counters(start_ns: int, **totals: int) -> dict[str, Any]:
    """Counters as an SDK tells them: each began at its first use, some microseconds apart."""
    whole = counter(0, start_ns)
    at_ns = time.time_ns()
    made = []
    for number, (name, total) in enumerate(totals.items()):
        (metric,) = counter(total, start_ns + number * 17_000)["resourceMetrics"][0][
            "scopeMetrics"
        ][0]["metrics"]
        metric["name"] = f"gen_ai.client.inference.usage.{name.replace('__', '.')}_tokens"
        metric["sum"]["dataPoints"][0]["timeUnixNano"] = str(at_ns)
        made.append(metric)
    whole["resourceMetrics"][0]["scopeMetrics"][0]["metrics"] = made
    return whole


def test_n01_cached_tokens_of_a_counter_with_a_start_of_its_own_are_no_plain_input(
    tmp_path: Path,
) -> None:
    start_ns = time.time_ns() - 10**10
    first = counters(start_ns, input=1000, output=100, cache_read__input=800)
    second = counters(start_ns, input=2000, output=200, cache_read__input=1600)
    with agent(tmp_path) as node:
        node.hear("reading")
        for body in (first, second, first, second):
            assert node.ask("POST", METRICS, body) == (200, {})
        node.kill()
    with agent(tmp_path) as node:
        node.hear("reading")
        for body in (second, first):
            assert node.ask("POST", METRICS, body) == (200, {})
        assert quantities(node) == {"input": "400", "cached_input": "1600", "output": "200"}


def test_n01_cached_tokens_that_come_apart_from_their_total_are_refused_and_never_counted_twice(
    node: Agent,
) -> None:
    start_ns = time.time_ns() - 10**10
    assert node.ask("POST", METRICS, counters(start_ns, input=1000)) == (200, {})
    alone = counters(start_ns, cache_read__input=800)
    said = node.ask("POST", METRICS, alone)[1]["partialSuccess"]
    assert (said["rejectedDataPoints"], "a part of input_tokens" in said["errorMessage"]) == (
        1,
        True,
    )
    both = counters(start_ns, input=1200, cache_read__input=900)
    said = node.ask("POST", METRICS, both)[1]["partialSuccess"]
    assert "700 tokens from or for a cache" in said["errorMessage"]
    assert quantities(node) == {"input": "1000", "cached_input": "200"}
    more = counters(start_ns, input=5000, cache_read__input=4000)
    assert node.ask("POST", METRICS, more) == (200, {})
    assert quantities(node) == {"input": "1000", "cached_input": "4000"}


def test_an_export_that_a_collector_cuts_into_two_is_counted_whole(node: Agent) -> None:
    at_ns = time.time_ns()
    for _ in range(2):
        for name, tokens in (("input", 100), ("output", 20)):
            assert node.ask("POST", METRICS, delta(name, tokens, at_ns)) == (200, {})
    assert quantities(node) == {"input": "100", "output": "20"}


def test_another_count_of_the_same_seconds_is_a_conflict_that_shows_both(node: Agent) -> None:
    at_ns = time.time_ns()
    assert node.ask("POST", METRICS, delta("input", 100, at_ns)) == (200, {})
    status, answer = node.ask("POST", METRICS, delta("input", 90, at_ns))
    assert (status, answer["partialSuccess"]["rejectedDataPoints"]) == (200, 1)
    said = answer["partialSuccess"]["errorMessage"]
    assert "input 100 is stored, input 90 is given" in said
    assert quantities(node) == {"input": "100"}


def test_n23_gauges_are_refused_with_a_reason(node: Agent) -> None:
    status, answer = node.ask("POST", METRICS, counter(5, 1, gauge=True))
    assert status == 200
    assert answer["partialSuccess"]["rejectedDataPoints"] == 1
    assert "gauge" in answer["partialSuccess"]["errorMessage"]
    assert quantities(node) == {}


def test_a_body_that_is_no_telemetry_is_refused(node: Agent) -> None:
    for body in ([], {"resourceSpans": 1}, "x"):
        assert node.ask("POST", TRACES, body)[0] == 422


def answer_of(response_id: str, **usage: Any) -> dict[str, Any]:
    tokens = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
    details = {"prompt_tokens_details": {"cached_tokens": 40}}
    return {
        "id": response_id, "object": "chat.completion", "created": int(time.time()) - 9,
        "model": "gpt-4o", "usage": {**tokens, **details, **usage},
    }  # fmt: skip


def log_of(response_id: str, **changed: Any) -> dict[str, Any]:
    return {
        "id": response_id, "call_type": "acompletion", "custom_llm_provider": "openai",
        "startTime": time.time() - 11, "model": "gpt-4o", "prompt_tokens": 100,
        "completion_tokens": 20, "total_tokens": 120, "response_cost": 0.1, **changed,
    }  # fmt: skip


LONG = "chatcmpl-0123456789abcdef"


@pytest.mark.parametrize("order", list(itertools.permutations(("answer", "log", "span"))))
def test_one_answer_counts_once_whoever_tells_it_first(node: Agent, order: tuple[str, ...]) -> None:
    telling = span("aaaaaaaaaaaaaaa7", **NEW, gen_ai__response__id=LONG)
    bodies = {"answer": answer_of(LONG), "log": log_of(LONG)}
    found = []
    for _ in range(2):
        for teller in order:
            if teller == "span":
                assert node.ask("POST", TRACES, telling) == (200, {})
            else:
                found.append(node.ask("POST", "/v1/usage", bodies[teller])[1]["status"])
    assert found.count("stored") == (order[0] != "span")
    assert found.count("duplicate") == 4 - found.count("stored")
    rows = node.ask("GET", "/v1/usage")[1]["usage"]
    assert sum(int(row["quantity"]) for row in rows) == 120


def test_parent_and_child_in_two_requests_count_once_if_both_tell_the_response(node: Agent) -> None:
    inner, outer = (
        span(f"aaaaaaaaaaaaaaa{number}", **NEW, gen_ai__response__id=LONG) for number in range(2)
    )
    (child,) = inner["resourceSpans"][0]["scopeSpans"][0]["spans"]
    child["parentSpanId"] = "aaaaaaaaaaaaaaa1"
    for body in (inner, outer, inner):
        assert node.ask("POST", TRACES, body) == (200, {})
    assert quantities(node) == {"input": "60", "cached_input": "40", "output": "20"}


def test_another_quantity_of_an_answer_is_a_conflict_that_shows_both(node: Agent) -> None:
    node.ask("POST", "/v1/usage", answer_of(LONG))
    status, found = node.ask("POST", "/v1/usage", log_of(LONG, prompt_tokens=101))
    assert (status, found["stored"]["quantities"]["input"]) == (409, "60")
    assert found["given"]["quantities"]["input"] == "101"
    more = {**NEW, "gen_ai__usage__output_tokens": 21, "gen_ai__response__id": LONG}
    partial = node.ask("POST", TRACES, span("aaaaaaaaaaaaaaa8", **more))[1]["partialSuccess"]
    assert partial["rejectedSpans"] == 1
    assert "output 20" in partial["errorMessage"]
    assert "output 21" in partial["errorMessage"]


def test_ids_that_servers_reuse_do_not_join_spans(node: Agent) -> None:
    for number in range(2):
        telling = span(f"aaaaaaaaaaaaaaa{number}", **NEW, gen_ai__response__id="chatcmpl-12")
        assert node.ask("POST", TRACES, telling) == (200, {})
    rows = node.ask("GET", "/v1/usage")[1]["usage"]
    assert sum(int(row["quantity"]) for row in rows) == 240
