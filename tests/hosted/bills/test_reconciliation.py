"""Billed beside computed: every amount in one row, and each difference with its reason."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meter.bill_document import document, totals
from meter.hosted.bills.line_items import billed_as, metered
from meter.idle import Hosting, idle_of
from meter.reconciliation import DAY_US, Billed, Computed, Names, Reason, agreement, reconciled

NAMES = Names(metered, billed_as)
D = Decimal
DAY = 20_000 * DAY_US


def billed(amount="1", day=0, line="m, input", days=1, **changes) -> Billed:
    start = DAY + day * DAY_US
    values = Billed(start, start + days * DAY_US, "openai", "p", line, None, "USD", D(amount))
    return values._replace(**changes)


def computed(amount: str | None = "1", day=0, meter="input", **changes) -> Computed:
    money = (None, None) if amount is None else ("USD", D(amount))
    return Computed(DAY + day * DAY_US, "openai", "p", "m", meter, *money)._replace(**changes)


def reasons(bills, uses) -> list[Reason]:
    return [row.reason for row in reconciled(bills, uses, NAMES).rows]


# -- laws ---------------------------------------------------------------------------------------

amounts = st.decimals(-100, 100, places=9)
projects, currencies = st.sampled_from(["p", "q"]), st.sampled_from(["USD", "EUR"])
bills = st.lists(
    st.builds(
        lambda day, days, hours, **more: billed(day=day, days=days)._replace(
            start_us=DAY + day * DAY_US + hours * 3_600_000_000, **more
        ),
        st.integers(0, 8), st.integers(1, 4), st.integers(0, 23),
        amount=amounts, project=projects, currency=currencies,
        provider=st.sampled_from(["openai", "acme"]),
        line_item=st.sampled_from(["m, input", "n, output", "evals | m", "input", "train_token"]),
        model=st.sampled_from([None, "m"]),
    ),
    max_size=12,
)  # fmt: skip
uses = st.lists(
    st.builds(
        lambda day, money, **more: computed(day=day)._replace(
            currency=money and money[0], amount=money and money[1], **more
        ),
        st.integers(0, 9), st.none() | st.tuples(currencies, amounts.map(abs)),
        project=projects, provider=st.sampled_from(["openai", "acme"]),
        model=st.sampled_from(["m", "n", "ft:m:org::1"]),
        meter=st.sampled_from(["input", "output", "train_token"]),
    ),
    max_size=12,
)  # fmt: skip


@given(bills, uses)
def test_differences_add_up_to_billed_minus_computed_to_the_digit(bills, uses) -> None:
    found = reconciled(bills, uses, NAMES)
    expected: dict[str, list[Decimal]] = defaultdict(lambda: [D(0), D(0)])
    for one in bills:
        expected[one.currency][0] += one.amount
    for use in uses:
        if use.currency is not None:
            expected[use.currency][1] += use.amount
    told = {one["currency"]: one for one in totals(found.rows)}
    assert set(told) == set(expected)
    for currency, (bill, used) in expected.items():
        assert D(told[currency]["billed"]) == bill
        assert D(told[currency]["computed"]) == used
        assert D(told[currency]["difference"]) == bill - used
        of_it = [row.difference for row in found.rows if row.currency == currency]
        assert sum(of_it, D(0)) == bill - used


@given(bills, uses)
def test_a_line_has_each_day_once(bills, uses) -> None:
    days = [
        (row.line, row.currency, day)
        for row in reconciled(bills, uses, NAMES).rows
        for day in range(row.start_us, row.end_us, DAY_US)
    ]
    assert len(days) == len(set(days))


@given(bills, uses, st.randoms())
def test_the_order_of_what_is_told_changes_nothing(bills, uses, random) -> None:
    before = reconciled(bills, uses, NAMES).rows
    turned_bills, turned_uses = list(bills), list(uses)
    random.shuffle(turned_bills)
    random.shuffle(turned_uses)
    assert reconciled(turned_bills, turned_uses, NAMES).rows == before


@given(bills, uses)
def test_what_agrees_is_never_called_unexplained_and_never_the_reverse(bills, uses) -> None:
    for row in reconciled(bills, uses, NAMES).rows:
        agrees = agreement(row.billed or D(0), row.computed or D(0))
        if row.reason in {Reason.EXACT, Reason.ROUNDING, Reason.WITHIN}:
            assert row.reason is agrees
        elif row.billed is not None and row.computed is not None:
            assert agrees is None


# -- reasons ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bill", "used", "reason"),
    [
        ("1", "1", "exact"), ("1.00", "1.004", "rounding"), ("1.001", "1.0049", "within"),
        ("100", "100.5", "within"), ("100", "100.51", "differs"), ("0.000004", "0.004", "differs"),
        ("0.01", "0.014", "rounding"), ("0", "0.001", "differs"), ("-1", "1", "differs"),
    ],
)  # fmt: skip
def test_how_near_is_the_same(bill, used, reason) -> None:
    assert reasons([billed(bill)], [computed(used)]) == [reason]


def test_n20_a_job_across_midnight_is_billed_on_one_day_and_computed_on_the_other() -> None:
    assert reasons([billed("5", day=1)], [computed("5", day=0)]) == ["neighbouring_day"] * 2
    bill = [billed("3", day=0), billed("7", day=1)]
    assert reasons(bill, [computed("6"), computed("4", day=1)]) == ["neighbouring_day"] * 2
    apart = reasons([billed("5", day=2)], [computed("5", day=0)])
    assert apart == ["nothing_billed", "nothing_computed"]


def test_n20_also_where_the_line_item_is_not_known() -> None:
    bill, use = [billed("5", day=1, line="training of m")], [computed("5", meter="train_token")]
    assert reasons(bill, use) == ["neighbouring_day"] * 2


def test_a_day_is_in_one_pair_of_neighbours_only() -> None:
    bill = [billed("5", day=1), billed("5", day=2)]
    found = reasons(bill, [computed("5", day=0)])
    assert found == ["neighbouring_day", "neighbouring_day", "nothing_computed"]


def test_a_line_item_of_no_known_meter_is_compared_by_the_day() -> None:
    bill = [billed("5", line="training of m"), billed("1")]
    use = [computed("5", meter="train_token"), computed("1")]
    assert sorted(reasons(bill, use)) == ["exact", "whole_day", "whole_day"]
    use = [computed("6", meter="train_token"), computed("1")]
    assert sorted(reasons(bill, use)) == ["exact", "line_item_unknown", "nothing_billed"]
    assert reasons(bill[:1], []) == ["nothing_computed"]


def test_usage_without_a_price_names_the_price() -> None:
    (row,) = reconciled([billed()], [computed(None)], NAMES).rows
    assert (row.reason, row.missing) == (Reason.UNPRICED, ("m, input",))
    both = [computed("0.5"), computed(None)]
    (row,) = reconciled([billed()], both, NAMES).rows
    assert row.reason is Reason.UNPRICED
    more_than_billed = [computed("1.5"), computed(None)]
    assert reasons([billed()], more_than_billed) == ["differs"]


def test_other_usage_without_a_price_does_not_explain_a_line_that_nobody_knows() -> None:
    bill = [billed("9.99", line="mystery thing"), billed("2")]
    found = reconciled(bill, [computed(None)], NAMES).rows
    assert [(row.line.text(), row.reason) for row in found] == [
        ("m, input", Reason.UNPRICED),
        ("mystery thing", Reason.LINE_ITEM_UNKNOWN),
    ]
    assert found[1].missing == ("m, input",)
    (total,) = totals(found)
    assert (total["difference"], total["unexplained"]) == ("11.99", "9.99")
    told = document(reconciled(bill, [computed(None)], NAMES), [], (DAY, DAY + DAY_US), 0)
    (says,) = [row["says"] for row in told["rows"] if not row["explained"]]
    assert says.endswith("; no price of m, input, which may be it")
    assert sorted(reasons(bill, [computed("2"), computed("9.99", meter="output")])) == [
        "exact",
        "whole_day",
        "whole_day",
    ]


def test_usage_that_nobody_counted_asks_for_no_price() -> None:
    unknown = computed(None, meter="unknown")
    found = reconciled([billed()], [computed("0.5"), unknown], NAMES)
    assert [(row.reason, row.missing) for row in found.rows] == [(Reason.UNCOUNTED, ("m",))]
    assert (found.unpriced, len(found.uncounted)) == ((), 1)
    both = reconciled([billed()], [computed(None), unknown], NAMES)
    assert [row.missing for row in both.rows] == [("m, input",)]
    other = computed(None, meter="unknown", model="other")
    assert reasons([billed()], [computed("0.5"), other]) == ["differs"]
    assert reasons([billed()], [computed("2"), unknown]) == ["differs"]
    assert reasons([billed(line="training")], [unknown]) == ["line_item_unknown"]


def test_currencies_are_never_added() -> None:
    found = reconciled([billed()], [computed(currency="EUR")], NAMES)
    assert [row.reason for row in found.rows] == ["other_currency"] * 2
    assert [one["difference"] for one in totals(found.rows)] == ["-1", "1"]


def test_one_side_alone_is_said() -> None:
    assert reasons([billed()], []) == ["nothing_computed"]
    assert reasons([], [computed()]) == ["nothing_billed"]


def test_a_charge_of_several_days_is_compared_with_all_of_them() -> None:
    bill = [billed("9", days=3), billed("1", day=2, days=2)]
    use = [computed("2", day=day) for day in range(5)]
    found = reconciled(bill, use, NAMES).rows
    assert [(row.billed, row.computed) for row in found] == [(10, 8), (None, 2)]
    assert found[0].end_us - found[0].start_us == 4 * DAY_US


def test_hours_of_a_day_are_the_day() -> None:
    hours = [
        billed("0.5", start_us=DAY + n * 3_600_000_000, end_us=DAY + (n + 1) * 3_600_000_000)
        for n in (3, 23)
    ]
    assert reasons(hours, [computed()]) == ["exact"]


def test_a_meter_that_is_billed_for_all_models_is_compared_so() -> None:
    bill = [billed("3", line="input", provider="acme")]
    use = [computed("1", provider="acme"), computed("2", provider="acme", model="n")]
    assert reasons(bill, use) == ["exact"]
    assert reasons(bill, [computed("3", provider="acme", project="q")]) == [
        "nothing_computed", "nothing_billed",
    ]  # fmt: skip


def test_charges_of_one_line_may_name_the_model_or_not() -> None:
    bill = [billed(line="input"), billed(line="input", model="m")]
    assert reasons(bill, [computed("2")]) == ["exact"]


def test_n10_usage_of_a_fine_tune_meets_the_bills_name() -> None:
    bill = [billed("1", line="ft-m, input")]
    assert reasons(bill, [computed(model="ft:m:org:suffix:1")]) == ["exact"]


def test_a_credit_is_a_line_of_its_own_and_counted() -> None:
    found = reconciled([billed("-0.5", line="credit", credits=1)], [], NAMES).rows
    assert [(row.difference, row.credits) for row in found] == [(D("-0.5"), 1)]
    assert [row.reason for row in found] == ["credit"]


def test_the_document_has_the_days_that_were_asked_for() -> None:
    found = reconciled([billed(day=0), billed(day=5), billed(day=3, days=4)], [], NAMES)
    told = document(found, [], (DAY + 6 * DAY_US, DAY + 9 * DAY_US), 0)
    assert [(row["from"], row["to"]) for row in told["rows"]] == [("2024-10-07", "2024-10-11")]
    assert told["totals"][0]["billed"] == "2"


# -- idle hosting -------------------------------------------------------------------------------


def hosting(day=0, hours="24", before=None, after=None, **changes) -> Hosting:
    at = DAY + day * DAY_US
    served = [None if one is None else DAY + one * DAY_US for one in (before, after)]
    made = Hosting(at, "azure", "p", "tuned", D(hours), 1, "USD", D(hours) * D("1.7"), *served)
    return made._replace(**changes)


def test_a_model_that_served_nothing_is_idle_with_its_hours_and_money() -> None:
    busy = hosting(day=1, before=1, after=1)
    (found,) = idle_of([hosting(), busy, hosting(day=2, before=1)])
    assert (found.days, found.hours, found.amount) == (2, 48, D("81.6"))
    assert found.each_hour() == D("1.7")


def test_hosting_without_a_price_is_idle_too() -> None:
    (found,) = idle_of([hosting(currency=None, amount=None)])
    assert (found.amount, found.each_hour(), found.hours) == (None, None, 24)


@pytest.mark.parametrize(
    ("hours", "before", "after", "idle"),
    [
        ("24", -1, 1, True), ("24", 0, 0, False), ("25", -2, None, False), ("25", -3, None, True),
        ("720", None, 30, False), ("720", None, 31, True), ("720", None, None, True),
    ],
)  # fmt: skip
def test_a_long_event_is_idle_only_if_no_day_in_reach_served(hours, before, after, idle) -> None:
    assert hosting(hours=hours, before=before, after=after).idle() is idle


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from("ab"), st.booleans()), max_size=20))
def test_idle_hours_and_money_are_those_of_the_idle_events(events) -> None:
    hostings = [
        hosting(day, model=model, served_before_us=DAY + day * DAY_US if busy else None)
        for day, model, busy in events
    ]
    found = idle_of(hostings)
    assert sum(one.hours for one in found) == 24 * sum(not busy for *_, busy in events)
    assert sum(one.amount for one in found) == sum(one.amount for one in hostings if one.idle())
