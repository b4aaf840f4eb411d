"""A run on several nodes as the sum of its documents: laws, and what cannot be summed."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meter.errors import UsageError
from meter.several_nodes import Given, summed
from meter_exporters.html_report import fingerprint
from tests.run_schema import run_schema
from tests.several_nodes import grams, joules, of_node

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ENDS = ("value", "low", "high")


def total(*documents: Mapping[str, Any]) -> dict[str, Any]:
    return dict(summed([Given(f"{n}.json", each) for n, each in enumerate(documents)]))


def checked(*documents: Mapping[str, Any]) -> dict[str, Any]:
    """The same, held against the schema, which takes a while."""
    found = total(*documents)
    run_schema().validate(found)
    return found


def codes(document: Mapping[str, Any]) -> list[str]:
    return [notice["code"] for notice in document["notices"]]


def in_one_currency(rate: str) -> dict[str, Any]:
    amount = {"value": "1.50", "low": "1.00", "high": "2.00", "unit": "EUR", "method": "sourced"}
    return {"currency": "EUR", "amount": amount, "rates": [rate]}


@st.composite
def runs(draw: st.DrawFn, least: int = 1) -> list[dict[str, Any]]:
    """Documents of as many nodes, each with or without what a node may lack."""
    made = []
    for number in range(draw(st.integers(least, 5))):
        size = draw(st.integers(0, 10**12))
        one = of_node(f"n{number}", size=size)
        if draw(st.booleans()):
            one["energy"]["facility"] = None
        for name in ("market", "tnd", "embodied"):
            one["carbon"][name] = draw(st.sampled_from([None, grams(size // 2)]))
        one["cost"] = one["cost"][: draw(st.integers(0, 2))]
        one["coverage"] = draw(st.floats(0, 1))
        one["run"]["tags"] = draw(st.dictionaries(st.sampled_from("ab"), st.sampled_from("xy")))
        second = draw(st.integers(0, 59))
        one["run"]["started_at"] = f"2026-11-02T09:14:{second:02}.000000Z"
        one["run"]["status"] = draw(st.sampled_from(["completed", "failed", "running"]))
        one["run"]["ended_at"] = (
            None if one["run"]["status"] == "running" else "2026-11-02T09:34:07.400000Z"
        )
        one["equivalents"] = draw(st.sampled_from([[], one["equivalents"]]))
        for factor in one["factors"]:
            factor["recorded_at"] = f"2026-11-01T00:00:{draw(st.integers(0, 59)):02}.000000Z"
        if draw(st.booleans()):
            one["cost_in"] = in_one_currency(one["factors"][0]["id"])
        made.append(one)
    return made


@given(runs(least=2))
def test_a_fact_that_several_ledgers_hold_stands_once_and_all_ids_are_of_rows_there(
    documents: list[dict[str, Any]],
) -> None:
    found = total(*documents)
    assert [row["kind"] for row in found["factors"]] == ["grid_intensity", "household_energy"]
    for row in found["factors"]:
        same = [f for one in documents for f in one["factors"] if f["kind"] == row["kind"]]
        assert row["recorded_at"] == min(factor["recorded_at"] for factor in same)
    assert len(found["equivalents"]) == any(one["equivalents"] for one in documents)
    named = [one["factor"] for one in found["equivalents"]]
    for told in (found, *found["parts"]):
        named += (told.get("cost_in") or {}).get("rates", [])
    assert set(named) <= {row["id"] for row in found["factors"]}


def test_a_price_that_two_ledgers_hold_stands_once() -> None:
    price = {"id": "price:b", "value": "3", "recorded_at": "2026-11-02T00:00:00.000000Z"}
    earlier = {**price, "id": "price:a", "recorded_at": "2026-11-01T00:00:00.000000Z"}
    other = {**price, "id": "price:c", "value": "4"}
    found = total(of_node("a", prices=[price]), of_node("b", prices=[other, earlier]))
    assert found["prices"] == [earlier, other]


def test_what_is_estimated_of_requests_names_factors_of_the_sum() -> None:
    rows = [{"provider": "o", "model": "m", "factors": [f"grid-FRA-2023:{n}", "x"]} for n in "ba"]
    first, second = of_node("b", inference=rows[:1]), of_node("a", inference=rows[1:])
    second["factors"][0]["recorded_at"] = "2026-11-01T00:00:00.000000Z"
    found = total(first, second)
    assert [row["factors"] for row in found["inference"]] == [["grid-FRA-2023:a", "x"]] * 2


@settings(max_examples=20)
@given(runs())
def test_a_sum_is_a_run_document(documents: list[dict[str, Any]]) -> None:
    assert checked(*documents)["schema"] == "meter.run/1"


@given(runs(), st.data())
def test_the_order_of_documents_changes_nothing(
    documents: list[dict[str, Any]], data: st.DataObject
) -> None:
    assert total(*data.draw(st.permutations(documents))) == total(*documents)


@given(runs(least=3), st.data())
def test_a_sum_may_be_summed_again(documents: list[dict[str, Any]], data: st.DataObject) -> None:
    cut = data.draw(st.integers(1, len(documents) - 1))
    first, rest = documents[:cut], documents[cut:]
    assert total(total(*first), total(*rest)) == total(*documents)


@given(runs())
def test_a_single_document_is_as_it_was(documents: list[dict[str, Any]]) -> None:
    assert total(documents[0]) == documents[0]


def added(quantities: Sequence[Mapping[str, Any]], end: str) -> Decimal:
    return sum((Decimal(str(one[end])) for one in quantities), Decimal(0))


@given(runs(least=2), st.sampled_from(ENDS))
def test_totals_are_those_of_the_parts(documents: list[dict[str, Any]], end: str) -> None:
    found = total(*documents)
    energies = [each["energy"] for each in documents]
    assert Decimal(str(found["energy"]["it"][end])) == added([e["it"] for e in energies], end)
    for component, energy in found["energy"]["by_component"].items():
        parts = [e["by_component"][component] for e in energies]
        assert Decimal(str(energy[end])) == added(parts, end)
    locations = [each["carbon"]["location"] for each in documents]
    assert Decimal(str(found["carbon"]["location"][end])) == added(locations, end)
    for kind in ("electricity", "gpu_time"):
        paid = [c["amount"] for each in documents for c in each["cost"] if c["kind"] == kind]
        [amount] = [c["amount"] for c in found["cost"] if c["kind"] == kind] or [
            dict.fromkeys(ENDS, 0)
        ]
        assert Decimal(amount[end]) == added(paid, end)
    devices = sum(Decimal(str(d["energy"][end])) for d in found["energy"]["devices"])
    assert devices == added([d["energy"] for e in energies for d in e["devices"]], end)


@given(runs(least=2))
def test_a_part_is_never_taken_for_the_whole(documents: list[dict[str, Any]]) -> None:
    """What a node with energy lacks has no sum, or a notice says that it is a part."""
    found = total(*documents)
    for of in (lambda d: d["energy"]["facility"], lambda d: d["carbon"]["market"]):
        lacks = [of(each) is None for each in documents]
        assert (of(found) is None) == any(lacks)
    told = [each["carbon"]["tnd"] is not None for each in documents]
    assert (found["carbon"]["tnd"] is not None) == any(told)
    said = [n["text"] for n in found["notices"] if n["code"] == "nodes_lack"]
    assert any("grid losses" in text for text in said) == (any(told) and not all(told))


def test_the_method_is_the_weakest_and_the_coverage_weighed_by_devices_and_time() -> None:
    first, second = of_node("a"), of_node("b", coverage=0.5)
    first["run"]["duration_s"], second["run"]["duration_s"] = 30.0, 10.0
    first["coverage"] = 1.0
    second["energy"]["devices"].append({**second["energy"]["devices"][1], "id": "ram"})
    first["energy"]["it"] = joules(3_000, "measured")
    second["energy"]["it"] = joules(1_000, "sourced")
    second["energy"]["measured_share"] = 0.25
    found = total(first, second)
    assert found["energy"]["it"]["method"] == "sourced"
    assert found["energy"]["by_component"]["gpu"]["method"] == "measured"
    assert found["coverage"] == pytest.approx((2 * 30 * 1.0 + 3 * 10 * 0.5) / (2 * 30 + 3 * 10))
    assert found["energy"]["measured_share"] == pytest.approx((3 * 0.75 + 1 * 0.25) / 4)


def test_the_run_is_from_the_first_start_to_the_last_end() -> None:
    first, second = of_node("a"), of_node("b")
    second["run"] |= {
        "started_at": "2026-11-02T09:14:02.000000Z", "ended_at": "2026-11-02T09:34:00.000000Z",
        "duration_s": 1198.0, "name": "sft-b", "tags": {"base": "b", "rank": "1"},
    }  # fmt: skip
    run = total(first, second)["run"]
    assert (run["started_at"], run["ended_at"]) == (
        "2026-11-02T09:14:02.000000Z",
        "2026-11-02T09:34:07.400000Z",
    )
    assert run["duration_s"] == pytest.approx(1205.4)
    assert run["nodes"] == ["a", "b"]
    assert run["name"] == "sft-b"  # where it began
    assert run["tags"] == {"base": "b", "rank": "1"}


def test_a_run_has_failed_as_its_first_part_that_did() -> None:
    good, bad, worse = of_node("a"), of_node("b"), of_node("c")
    bad["run"] |= {"status": "failed", "exit_code": 3, "ended_at": "2026-11-02T09:30:00.000000Z"}
    worse["run"] |= {"status": "failed", "exit_code": 9, "ended_at": "2026-11-02T09:31:00.000000Z"}
    run = total(good, worse, bad)["run"]
    assert (run["status"], run["exit_code"]) == ("failed", 3)
    bad["run"] |= {"status": "running", "exit_code": None, "ended_at": None}
    found = checked(good, worse, bad)
    assert (found["run"]["status"], found["run"]["exit_code"]) == ("running", None)
    assert found["run"]["ended_at"] is None
    assert "nodes_running" in codes(found)


def test_what_each_node_said_is_kept_with_its_name_and_its_devices_with_theirs() -> None:
    found = total(of_node("a"), of_node("b"))
    assert [d["id"] for d in found["energy"]["devices"]] == [
        "GPU-a", "GPU-b", "a/cpu-0", "b/cpu-0",
    ]  # fmt: skip
    kept = [n for n in found["notices"] if n["code"] == "counter_gap"]
    assert [(n["text"], n["device"]) for n in kept] == [
        ("Node a: a has a word", "a/cpu-0"),
        ("Node b: b has a word", "b/cpu-0"),
    ]


def test_a_part_names_its_document_by_the_hash_that_its_own_report_shows() -> None:
    first, second = of_node("a"), of_node("b")
    parts = total(first, second)["parts"]
    assert [part["sha256"] for part in parts] == [fingerprint(first), fingerprint(second)]


def test_energy_of_steps_is_the_marking_nodes_alone_and_in_no_sum() -> None:
    marked = of_node("a", per={"step": joules(5, "measured")})
    found = checked(marked, of_node("b"))
    assert found["per"] == {}
    assert found["parts"][0]["per"] == marked["per"]
    [notice] = [n for n in found["notices"] if n["code"] == "nodes_marks"]
    assert "node a:" in notice["text"]
    assert notice["severity"] == "warning"


def test_a_budget_is_compared_with_the_sum() -> None:
    budget = {"unit": "USD", "amount": "0.01", "used": "0.00", "ratio": 0.0, "stop": False}
    found = checked(*(of_node(n, size=10**6, budgets=[budget]) for n in "ab"))
    assert [(b["used"], b["ratio"]) for b in found["budgets"]] == [("0.042", pytest.approx(4.2))]
    assert "nodes_budgets" in codes(found)


def test_money_in_one_currency_is_summed_where_all_nodes_have_it() -> None:
    told = [in_one_currency(rate) for rate in ("r1", "r2")]
    both = [of_node(n, cost_in=one) for n, one in zip("ab", told, strict=True)]
    found = checked(*both)["cost_in"]
    assert found == {
        "currency": "EUR", "rates": ["r1", "r2"],
        "amount": {**told[0]["amount"], "value": "3.00", "low": "2.00", "high": "4.00"},
    }  # fmt: skip
    assert "cost_in" not in total(both[0], of_node("b"))
    assert "cost_in" not in total(both[0], of_node("b", cost_in=None))


def test_money_in_one_currency_that_has_no_sum_is_said() -> None:
    other = in_one_currency("r")
    other |= {"currency": "USD", "amount": {**other["amount"], "unit": "USD"}}
    for second, said in ((None, "is not told by node b"), (other, "is told in EUR and USD")):
        found = checked(of_node("a", cost_in=in_one_currency("r")), of_node("b", cost_in=second))
        assert "cost_in" not in found
        [notice] = [n for n in found["notices"] if n["code"] == "nodes_lack"]
        assert f"All money in one currency {said}" in notice["text"]
    idle = of_node("b", cost=[])
    assert total(of_node("a", cost_in=other), idle)["cost_in"] == other


USED = {"provider": "o", "model": "m", "meter": "input_token", "quantity": 5}
ESTIMATED = {
    "provider": "o", "model": "m", "tier": "output_tokens", "method": "modelled", "low_j": 1.0,
    "high_j": 2.0, "reason": "r", "inputs": {}, "factors": [],
}  # fmt: skip


@pytest.mark.parametrize("told", [{"usage": [USED]}, {"inference": [ESTIMATED]}])
def test_usage_that_several_nodes_tell_is_added_up_and_said_priced_or_not(
    told: dict[str, Any],
) -> None:
    found = checked(of_node("a", **told), of_node("b", **told))
    assert "nodes_usage" in codes(found)
    again = total(found, of_node("c"))
    assert "nodes_usage" in codes(again)
    assert [again[name] for name in told] == [rows * 2 for rows in told.values()]
    assert "nodes_usage" not in codes(total(of_node("a", **told), of_node("b")))


@pytest.mark.parametrize(
    ("begun", "said"),
    [
        ("2019-11-02T09:14:07.000000Z", "For 2556 d 23 h before node a began, at 2026-11-02"),
        ("2026-11-02T10:40:00.000000Z", "For 1 h 05 min before node b began, at 2026-11-02"),
        ("2026-11-02T10:20:00.000000Z", None),
        ("2026-11-02T09:20:00.000000Z", None),
    ],
)
def test_parts_with_a_long_time_between_them_are_said(begun: str, said: str | None) -> None:
    late = of_node("b")
    late["run"] |= {"started_at": begun, "duration_s": 60.0, "ended_at": None}
    found = total(of_node("a"), late, of_node("c"))
    told = [n["text"] for n in found["notices"] if n["code"] == "nodes_apart"]
    assert len(told) == (said is not None)
    assert all(text.startswith(said or "") for text in told)


def test_a_comparison_is_of_the_sum() -> None:
    first, second = of_node("a", size=36 * 10**8), of_node("b", size=72 * 10**8)
    [days] = total(first, second)["equivalents"]
    assert days["value"] == pytest.approx((2 + 4) / 9.7)  # facility energy of 1 and 2 kWh, twice


def test_a_node_that_used_nothing_takes_no_sum_away() -> None:
    idle = of_node("b")
    idle["energy"]["it"] = idle["energy"]["by_component"]["gpu"] = joules(0, "assumed")
    idle["energy"]["facility"] = idle["carbon"]["location"] = None
    idle["cost"] = []
    busy = of_node("a")
    found = total(busy, idle)
    assert found["energy"]["facility"] == busy["energy"]["facility"]
    assert found["energy"]["it"]["method"] == "assumed"
    assert "nodes_lack" not in codes(found)


def hosted() -> dict[str, Any]:
    return of_node("b", hosted={"provider": "openai"})


def other(**changes: Any) -> dict[str, Any]:
    made = of_node("b")
    made["run"] |= changes
    return made


def same_gpu() -> dict[str, Any]:
    made = of_node("b")
    made["energy"]["devices"][0]["id"] = "GPU-a"
    return made


@pytest.mark.parametrize(
    ("second", "said"),
    [
        (other(id="another"), "1.json of another: give documents of one run"),
        (other(project="lab"), "a run of the project support-chat, 1.json of lab"),
        (of_node("a"), "the node a stands in 0.json and in 1.json"),
        (same_gpu(), "the device GPU-a stands in 0.json and in 1.json"),
        (hosted(), "1.json is of a job at a provider"),
    ],
    ids=["run", "project", "node", "device", "hosted"],
)
def test_what_cannot_be_one_run_on_nodes_of_its_own_is_refused(
    second: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        summed([Given("0.json", of_node("a")), Given("1.json", second)])


def test_a_node_that_is_in_a_sum_already_is_not_added_once_more() -> None:
    both = total(of_node("a"), of_node("b"))
    with pytest.raises(UsageError, match="the node b stands"):
        summed([Given("sum.json", both), Given("b.json", of_node("b"))])
