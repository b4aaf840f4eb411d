"""OpenAI's costs over HTTP on loopback: pages, errors, keys that are never told."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meter.errors import ProviderError, ProviderRefusedError, UsageError
from meter.hosted.access import access_of
from meter.hosted.bills import openai_usage
from meter.hosted.bills.importing import bill_of
from meter.hosted.bills.wanted import Wanted
from meter.hosted.costs import COSTS, PROVIDER, USAGE, synced
from meter.instants import parse_us

KEY = "sk-admin-CANARY0123456789"
NOW_US = parse_us("2026-11-26T12:00Z")
DAY_S = 86_400
TODAY_S = NOW_US // 1_000_000 // DAY_S * DAY_S


def bucket(days_ago: int, *amounts: str, line="gpt-4o, input") -> dict:
    start = TODAY_S - days_ago * DAY_S
    return {
        "object": "bucket", "start_time": start, "end_time": start + DAY_S,
        "results": [
            {
                "object": "organization.costs.result", "line_item": line, "project_id": "proj_1",
                "amount": {"value": amount, "currency": "usd"},
            }
            for amount in amounts
        ],
    }  # fmt: skip


class Costs:
    """The API: pages by their cursor; ``faults`` are answered to requests of those numbers."""

    def __init__(self, *pages: list[dict], path: str = "costs") -> None:
        self.path = path
        self.pages = pages
        self.faults: dict[int, tuple[int, bytes]] = {}
        self.asked: list[list[tuple[str, str]]] = []
        self.keys: set[str | None] = set()
        self.cursors = [f"page_{n}" for n in range(1, len(pages))]
        self.waits: list[float] = []

    def answer(self, query: list[tuple[str, str]]) -> tuple[int, bytes]:
        number = len(self.asked)
        self.asked.append(query)
        if number in self.faults:
            return self.faults[number]
        cursor = dict(query).get("page")
        index = 0 if cursor is None else self.cursors.index(cursor) + 1
        more = index + 1 < len(self.pages)
        page = {
            "object": "page", "data": self.pages[index], "has_more": more,
            "next_page": self.cursors[index] if more else None,
        }  # fmt: skip
        return 200, json.dumps(page).encode()

    def sync(self, url: str, since: str | None = None, *, report=COSTS, **changes):
        access = access_of(PROVIDER, {"OPENAI_ADMIN_KEY": KEY}, base_url=url)
        since_us = None if since is None else parse_us(since)
        wanted = Wanted("openai", **changes)
        return synced(report, access, since_us, wanted, lambda: NOW_US, self.waits.append)


@contextmanager
def served(costs: Costs):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            costs.keys.add(self.headers.get("Authorization"))
            found = (404, b"{}")
            if parts.path == f"/v1/organization/{costs.path}":
                found = costs.answer(parse_qsl(parts.query))
            self.send_response(found[0])
            self.send_header("Content-Length", str(len(found[1])))
            self.end_headers()
            self.wfile.write(found[1])

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/v1"
        finally:
            server.shutdown()
            thread.join()


def test_all_pages_are_one_bill_and_the_question_groups() -> None:
    costs = Costs([bucket(2, "1.5"), bucket(1, "2")], [bucket(0, "0.25")])
    with served(costs) as url:
        bill = costs.sync(url, projects={"proj_1": "chat"})
    assert [one.amount for one in bill.charges] == [Decimal("1.5"), 2, Decimal("0.25")]
    assert [one.flags for one in bill.charges] == [(), (), ("not_over",)]
    assert {one.project for one in bill.charges} == {"chat"}
    assert costs.keys == {f"Bearer {KEY}"}
    assert [value for name, value in costs.asked[0] if name == "group_by"] == [
        "line_item", "project_id",
    ]  # fmt: skip
    first = dict(costs.asked[0])
    assert (first["start_time"], first["bucket_width"]) == (str(TODAY_S - 31 * DAY_S), "1d")
    assert dict(costs.asked[1])["page"] == "page_1"


def test_a_day_that_two_pages_tell_is_one_charge() -> None:
    costs = Costs([bucket(1, "1")], [bucket(1, "2")])
    with served(costs) as url:
        (charge,) = costs.sync(url, since="2026-11-20T17:00Z").charges
    assert charge.amount == 3
    assert dict(costs.asked[0])["start_time"] == str(parse_us("2026-11-20") // 1_000_000)


def test_a_file_of_the_same_pages_is_the_same_bill() -> None:
    costs = Costs([bucket(2, "1.5"), bucket(1, "2")])
    page = {"object": "page", "data": costs.pages[0], "has_more": False, "next_page": None}
    with served(costs) as url:
        synced_bill = costs.sync(url)
    assert bill_of(json.dumps(page).encode(), Wanted("openai"), NOW_US) == synced_bill


def test_a_file_whose_last_page_has_more_after_it_says_so() -> None:
    first = {"object": "page", "data": [bucket(2, "1.5")], "has_more": True, "next_page": "p2"}
    last = {"object": "page", "data": [bucket(1, "2")], "has_more": False, "next_page": None}
    for told, missing in ((first, True), ([first, last], False), ([last, first], True)):
        bill = bill_of(json.dumps(told).encode(), Wanted("openai"), NOW_US)
        assert bill.charges
        assert any("has_more" in notice for notice in bill.notices) == missing


def test_an_organisation_without_costs_has_no_charges() -> None:
    costs = Costs([bucket(1)])
    with served(costs) as url:
        assert costs.sync(url).charges == ()


def test_a_busy_server_is_asked_again() -> None:
    costs = Costs([bucket(1, "1")])
    costs.faults = {0: (429, b"{}"), 1: (500, b"no json")}
    with served(costs) as url:
        assert len(costs.sync(url).charges) == 1
    assert costs.waits == [1.0, 2.0]


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_without_the_right_is_told_what_it_needs(status) -> None:
    costs = Costs([])
    costs.faults = {0: (status, b'{"error":{"code":"insufficient_permissions"}}')}
    with served(costs) as url, pytest.raises(ProviderRefusedError) as caught:
        costs.sync(url)
    assert "OPENAI_ADMIN_KEY" in str(caught.value)
    assert "admin key" in str(caught.value)
    assert "CANARY" not in str(caught.value)


def test_without_a_key_nothing_is_asked() -> None:
    with pytest.raises(UsageError, match="OPENAI_ADMIN_KEY is not set"):
        access_of(PROVIDER, {"OPENAI_API_KEY": KEY})


@pytest.mark.parametrize(
    "body",
    [
        b'{"object":"page","data":[{"object":"bucket"}]}',
        b'{"object":"page","data":[{"object":"bucket","start_time":1,"end_time":2,"results":[]}]}',
        json.dumps({"object": "page", "data": [bucket(1, "x")]}).encode(),
        json.dumps({"object": "list", "data": [bucket(1, "1")]}).encode(),
        json.dumps({"object": "page", "data": [bucket(1, "1")], "has_more": True}).encode(),
    ],
)
def test_a_changed_shape_is_a_clear_error_and_no_charge(body) -> None:
    costs = Costs([])
    costs.faults = {0: (200, body)}
    with served(costs) as url, pytest.raises(ProviderError, match="not as documented"):
        costs.sync(url)


def test_a_page_that_leads_to_itself_ends() -> None:
    costs = Costs([bucket(1, "1")])
    again = {"object": "page", "data": [], "has_more": True, "next_page": "same"}
    costs.faults = dict.fromkeys(range(9), (200, json.dumps(again).encode()))
    with served(costs) as url, pytest.raises(ProviderError, match="same page"):
        costs.sync(url)
    assert len(costs.asked) == 2


# -- usage --------------------------------------------------------------------------------------


def used(days_ago: int, *results: dict) -> dict:
    start = TODAY_S - days_ago * DAY_S
    told = {"object": "organization.usage.completions.result", "project_id": "proj_1",
            "model": "gpt-4o-2024-08-06", "batch": False, "service_tier": "default",
            "user_id": "CANARY", "num_model_requests": 3}  # fmt: skip
    return {
        "object": "bucket", "start_time": start, "end_time": start + DAY_S,
        "results": [{**told, **result} for result in results],
    }  # fmt: skip


TOKENS = {
    "input_tokens": 1_000, "input_cached_tokens": 400, "input_cache_write_tokens": 100,
    "input_audio_tokens": 50, "output_tokens": 200, "output_audio_tokens": 20,
}  # fmt: skip


def amounts(usages) -> dict[str, int]:
    return {one.id.rpartition(":")[2]: int(one.quantities[0].amount) for one in usages}


def test_usage_of_days_that_are_over_is_disjoint_meters_of_each_model_and_tier() -> None:
    usage = Costs(
        [used(2, TOKENS), used(1, {**TOKENS, "batch": True})], [used(0, TOKENS)],
        path="usage/completions",
    )  # fmt: skip
    with served(usage) as url:
        bill = usage.sync(url, report=USAGE, projects={"proj_1": "chat"})
    assert bill.charges == ()
    assert "count twice" in bill.notices[0]
    assert {one.service_tier for one in bill.usages} == {"default", "batch"}
    assert {one.project for one in bill.usages} == {"chat"}
    assert "CANARY" not in repr(bill)
    for tier in ("default", "batch"):
        assert amounts(one for one in bill.usages if one.service_tier == tier) == {
            "input": 450, "cached_input": 400, "cache_write": 100, "input_audio": 50,
            "output": 180, "output_audio": 20,
        }  # fmt: skip
    asked = usage.asked[0]
    assert sorted(value for name, value in asked if name == "group_by") == [
        "batch", "model", "project_id", "service_tier",
    ]  # fmt: skip
    assert int(dict(asked)["limit"]) <= 31


def test_usage_told_again_or_in_parts_is_the_same_events() -> None:
    half = {name: count // 2 for name, count in TOKENS.items()}
    whole = Costs([used(1, TOKENS)], path="usage/completions")
    parts = Costs([used(1, half, half)], path="usage/completions")
    with served(whole) as one, served(parts) as other:
        assert whole.sync(one, report=USAGE) == parts.sync(other, report=USAGE)
        synced_bill = whole.sync(one, report=USAGE)
    page = {"object": "page", "data": whole.pages[0], "has_more": False, "next_page": None}
    assert bill_of(json.dumps(page).encode(), Wanted("openai"), NOW_US) == synced_bill


@given(
    st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 10**9),
    st.integers(0, 10**9),
)  # fmt: skip
def test_no_token_of_the_provider_is_lost_or_counted_twice(plain, cached, written, heard, said):
    told = {
        "input_tokens": plain + cached + written, "input_cached_tokens": cached,
        "input_cache_write_tokens": written, "input_audio_tokens": heard, "output_tokens": said,
    }  # fmt: skip
    page = {"object": "page", "data": [used(1, told)], "has_more": False}
    counts = amounts(openai_usage.sheet(page, Wanted("openai"), NOW_US).usages)
    output = counts.pop("output", 0) + counts.pop("output_audio", 0)
    assert (sum(counts.values()), output) == (plain + cached + written, said)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"model": None}, "group_by"), ({"input_tokens": -1}, "input_tokens"),
        ({"input_tokens": 3, "input_cached_tokens": 5}, "input_tokens"),
        ({"output_tokens": 2**63}, "output_tokens"), ({"batch": "yes"}, "batch"),
    ],
)  # fmt: skip
def test_usage_that_is_not_as_documented_is_refused_whole(wrong, said) -> None:
    usage = Costs([used(2, TOKENS), used(1, {**TOKENS, **wrong})], path="usage/completions")
    with served(usage) as url, pytest.raises(ProviderError, match=said):
        usage.sync(url, report=USAGE)
