"""OTLP's GenAI spans and metrics, in their old and new names."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meter.errors import UsageError
from meter.hosted import otlp
from tests.hosted.recorded import CANARY, MARCH_US, NAMES, NOW_US, meters, recorded

TRACE = "5b8efff798038103d269b633813fc60c"


def spans_of(raw: dict[str, Any]) -> list[dict[str, Any]]:
    spans: list[dict[str, Any]] = raw["resourceSpans"][0]["scopeSpans"][0]["spans"]
    return spans


def metrics_of(raw: dict[str, Any]) -> list[dict[str, Any]]:
    metrics: list[dict[str, Any]] = raw["resourceMetrics"][0]["scopeMetrics"][0]["metrics"]
    return metrics


def points_of(metric: dict[str, Any]) -> list[dict[str, Any]]:
    points: list[dict[str, Any]] = metric["sum"]["dataPoints"]
    return points


def test_spans_of_new_and_old_names_are_usage() -> None:
    new, old, unknown = otlp.each_span(recorded("otlp_spans"), NOW_US).usages
    assert (new.source, new.id) == ("otlp", f"{TRACE}:aaaaaaaaaaaaaaa1")
    assert (new.provider, new.model, new.at_us) == ("bedrock", "claude-haiku-4-5", MARCH_US)
    assert new.project == "tuning"
    assert dict(new.told)["response_id"] == "msg_X"
    assert (old.provider, old.model) == ("openai", "gpt-3.5-turbo")
    assert meters(old) == {"input": 100, "output": 40}
    assert meters(unknown) == {"unknown": None}
    assert unknown.flags == ("usage_unknown",)


def test_an_agents_own_span_does_not_count_the_calls_below_it_again() -> None:
    ids = {usage.id for usage in otlp.each_span(recorded("otlp_spans"), NOW_US).usages}
    assert f"{TRACE}:aaaaaaaaaaaaaaa0" not in ids


def test_of_two_instrumentations_of_one_call_the_inner_one_counts() -> None:
    raw = recorded("otlp_spans")
    outer = spans_of(raw)[1]
    inner = {**outer, "spanId": "aaaaaaaaaaaaaaa9", "parentSpanId": outer["spanId"]}
    spans_of(raw)[:] = [outer, inner]
    assert [one.id for one in otlp.each_span(raw, NOW_US).usages] == [f"{TRACE}:aaaaaaaaaaaaaaa9"]


def test_counts_of_the_outer_one_are_kept_where_the_inner_has_none() -> None:
    raw = recorded("otlp_spans")
    outer, silent = spans_of(raw)[1], spans_of(raw)[3]
    spans_of(raw)[:] = [outer, {**silent, "parentSpanId": outer["spanId"]}]
    (usage,) = otlp.each_span(raw, NOW_US).usages
    assert usage.id == f"{TRACE}:{outer['spanId']}"


def test_prose_in_an_attribute_that_is_kept_is_left_out() -> None:
    raw = recorded("otlp_spans")
    for one in spans_of(raw)[1]["attributes"]:
        if one["key"] in {"gen_ai.operation.name", "gen_ai.response.id"}:
            one["value"] = {"stringValue": f"{CANARY} what a user wrote"}
    assert CANARY not in repr(otlp.each_span(raw, NOW_US).usages)


def test_a_failed_call_without_counts_used_nothing() -> None:
    raw = recorded("otlp_spans")
    span = spans_of(raw)[3]
    span["status"] = {"code": 2}
    spans_of(raw)[:] = [span]
    assert otlp.each_span(raw, NOW_US).usages == ()


def test_a_span_that_cannot_be_read_is_refused_alone() -> None:
    raw = recorded("otlp_spans")
    del spans_of(raw)[1]["traceId"]
    spans_of(raw)[2]["startTimeUnixNano"] = "1000000000"
    found = otlp.each_span(raw, NOW_US)
    assert len(found.usages) == 1
    assert ["traceId" in one.reason or "2015" in one.reason for one in found.refused] == [True] * 2


@pytest.mark.parametrize("body", [None, [], {}, {"resourceSpans": 5}, b"\n\x0a", "text"])
def test_what_is_no_request_is_refused(body: object) -> None:
    with pytest.raises(UsageError, match="OTLP/HTTP in JSON"):
        otlp.each_span(body, NOW_US)
    with pytest.raises(UsageError, match="OTLP/HTTP in JSON"):
        otlp.metrics(body, NOW_US)


def test_n05_a_subset_without_its_total_beside_it_adds_nothing() -> None:
    raw = recorded("otlp_metrics_new_delta")
    metrics_of(raw)[:] = metrics_of(raw)[2:3]
    (usage,) = otlp.metrics(raw, NOW_US).usages
    assert meters(usage) == {"input": 0}
    assert usage.flags == ("contradiction",)
    assert dict(usage.told) == {"cached_tokens": "1024"}


def test_new_counters_of_a_span_of_time_are_disjoint_usage() -> None:
    found = otlp.metrics(recorded("otlp_metrics_new_delta"), NOW_US)
    (usage,) = found.usages
    assert meters(usage) == {"input": 464, "cached_input": 1024, "cache_write": 512, "output": 300}
    assert usage.at_us == MARCH_US + 60_000_000
    assert found.series == ()


def test_n05_the_old_histogram_and_reasoning_are_not_counted_beside_the_new_counters() -> None:
    found = otlp.metrics(recorded("otlp_metrics_new_delta"), NOW_US)
    assert {one.name for one in found.refused} == {
        "gen_ai.client.token.usage",
        "gen_ai.client.inference.usage.reasoning.output_tokens",
    }


def test_the_old_histogram_alone_is_usage() -> None:
    (usage,) = otlp.metrics(recorded("otlp_metrics_old_delta"), NOW_US).usages
    assert meters(usage) == {"input": 2000, "output": 300}


def test_a_request_that_comes_twice_has_the_same_ids_and_another_time_has_others() -> None:
    raw = recorded("otlp_metrics_new_delta")
    first = otlp.metrics(raw, NOW_US)
    assert otlp.metrics(raw, NOW_US) == first
    for metric in metrics_of(raw)[:5]:
        for point in points_of(metric):
            point["timeUnixNano"] = str(int(point["timeUnixNano"]) + 60 * 10**9)
    metrics_of(raw)[:] = metrics_of(raw)[:5]
    assert otlp.metrics(raw, NOW_US).usages[0].id != first.usages[0].id


def test_cumulative_counters_are_series_of_which_differences_are_usage() -> None:
    raw = recorded("otlp_metrics_new_cumulative")
    (first,) = otlp.metrics(raw, NOW_US).series
    for metric in metrics_of(raw):
        for point in points_of(metric):
            point["asInt"] = str(2 * int(point["asInt"]))
            point["timeUnixNano"] = str(int(point["timeUnixNano"]) + 60 * 10**9)
    found = otlp.metrics(raw, NOW_US)
    (later,) = found.series
    assert found.usages == ()
    assert (later.key, later.starts) == (first.key, first.starts)
    assert set(first.starts.values()) == {MARCH_US}
    assert meters(later.usage) == {name: 2 * (n or 0) for name, n in meters(first.usage).items()}


def test_series_of_two_processes_are_two() -> None:
    raw, other = (recorded("otlp_metrics_new_cumulative") for _ in range(2))
    for one in other["resourceMetrics"][0]["resource"]["attributes"]:
        if one["key"] == "service.instance.id":
            one["value"] = {"stringValue": "i-2"}
    raw["resourceMetrics"] += other["resourceMetrics"]
    assert len({series.key for series in otlp.metrics(raw, NOW_US).series}) == 2


def test_n01_counters_of_which_each_has_its_own_start_are_one_usage() -> None:
    raw = recorded("otlp_metrics_new_cumulative")
    (equal,) = otlp.metrics(raw, NOW_US).series
    for number, metric in enumerate(metrics_of(raw)):
        for point in points_of(metric):  # as SDKs do: microseconds apart, the time too in some
            point["startTimeUnixNano"] = str(int(point["startTimeUnixNano"]) + number * 7_000)
            point["timeUnixNano"] = str(int(point["timeUnixNano"]) + number * 3_000)
    (apart,) = otlp.metrics(raw, NOW_US).series
    assert apart.key == equal.key
    assert apart.usage == equal.usage
    assert len(set(apart.starts.values())) > 1
    assert len(apart.events(apart.usage.quantities)) > 1
    assert len(equal.events(equal.usage.quantities)) == 1


def test_two_exports_in_one_request_are_two_whether_or_not_their_times_are_equal() -> None:
    raw = recorded("otlp_metrics_new_delta")
    for number, metric in enumerate(metrics_of(raw)[:5]):
        (point,) = points_of(metric)
        later = {
            **point,
            "startTimeUnixNano": point["timeUnixNano"],
            "timeUnixNano": str(int(point["timeUnixNano"]) + 200_000_000 + number * 3_000),
        }
        points_of(metric).append(later)
    first, second = otlp.metrics(raw, NOW_US).usages
    assert meters(first) == meters(second)
    assert second.at_us - first.at_us == 200_000


def test_n01_a_counter_of_a_part_without_its_total_is_refused() -> None:
    raw = recorded("otlp_metrics_new_cumulative")
    metrics_of(raw)[:] = [one for one in metrics_of(raw) if "usage.input" not in one["name"]]
    found = otlp.metrics(raw, NOW_US)
    assert sum("a part of input_tokens" in one.reason for one in found.refused) == 2
    assert [meters(series.usage) for series in found.series] == [{"output": 300}]


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [("isMonotonic", False, "can fall"), ("aggregationTemporality", 0, "in all or since")],
)
def test_n23_what_is_no_counter_is_not_summed(field: str, value: object, why: str) -> None:
    raw = recorded("otlp_metrics_new_delta")
    metric = metrics_of(raw)[1]
    metric["sum"][field] = value
    metrics_of(raw)[:] = [metric]
    found = otlp.metrics(raw, NOW_US)
    assert (found.usages, found.series) == ((), ())
    assert why in found.refused[0].reason


@pytest.mark.parametrize("value", ["-5", "x", None, str(2**63)])
def test_a_point_that_is_no_count_is_refused_alone(value: object) -> None:
    raw = recorded("otlp_metrics_new_delta")
    points_of(metrics_of(raw)[0])[0]["asInt"] = value
    found = otlp.metrics(raw, NOW_US)
    assert found.usages == ()
    assert "gen_ai.client.inference.usage.input_tokens" in str(found.refused)


JUNK: st.SearchStrategy[object] = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=4) | st.just([]) | st.just({})
)


@given(st.sampled_from([name for name in NAMES if name.startswith("otlp")]), st.data())
def test_whatever_stands_in_a_request_it_is_read_or_refused(name: str, data: st.DataObject) -> None:
    raw = recorded(name)
    at: Any = raw
    while True:
        key = data.draw(st.sampled_from(sorted(at) if isinstance(at, dict) else range(len(at))))
        if not (isinstance(at[key], dict | list) and at[key] and data.draw(st.integers(0, 9))):
            break
        at = at[key]
    at[key] = data.draw(JUNK)
    entry = otlp.each_span if "spans" in name else otlp.metrics
    try:
        found = entry(raw, NOW_US)
    except UsageError as refused:
        assert refused.remedy
    else:
        assert all(one.reason for one in found.refused)


def test_audio_is_apart() -> None:
    raw = recorded("otlp_metrics_new_delta")
    metric = metrics_of(raw)[0]
    points_of(metric)[0]["attributes"].append(
        {"key": "gen_ai.token.modality", "value": {"stringValue": "audio"}}
    )
    metrics_of(raw)[:] = [metric]
    (usage,) = otlp.metrics(raw, NOW_US).usages
    assert meters(usage) == {"input_audio": 2000}
