"""Charges are stored once, corrected by the newest word, and compared with usage by SQL."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meter.billing import Asked, bill_document_of, take_charges
from meter.errors import UsageError
from meter.hosted_facts import Charge, Meter
from meter.ledger import Ledger
from meter.ledger.audit import check_batches
from meter.ledger.ledger import Pace
from meter.ledger.reader import Reader
from meter.ledger.texts import load
from meter.model import LedgerBatch, Outcome
from meter.reconciliation import DAY_US
from tests.ledger.facts import HOUR_US, START_US
from tests.ledger.test_usage import event, price, session, some

DAY = START_US - START_US % DAY_US


def charge(charge_id="1", amount="1", **changes) -> Charge:
    values = {
        "source": "s", "id": charge_id, "provider": "openai", "start_us": DAY,
        "end_us": DAY + DAY_US, "amount": Decimal(amount), "currency": "USD",
        "line_item": "gpt-4o, input", "project": "p",
    }  # fmt: skip
    return Charge(**{**values, **changes})


def commit(made, *charges: Charge) -> tuple[Outcome, ...] | None:
    (outcomes,) = made.commit([LedgerBatch(charges=charges)])
    return outcomes


def amounts(made, **params) -> dict[str, Decimal]:
    rows = Reader(made.con).rows("report/billed", project=None, **params)
    return {row["line_item"]: row["amount"] for row in rows}


def shown(made, project=None, days=1, **changes) -> dict:
    asked = Asked(DAY, DAY + days * DAY_US, project, **changes)
    return bill_document_of(Reader(made.con), asked)


LAWS = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
told = st.lists(
    st.lists(
        st.builds(
            charge,
            st.sampled_from("abc"),
            st.sampled_from(["1", "2", "-3.5"]),
            source=st.sampled_from(["s", "t"]),
        ),
        max_size=4,
    ),
    max_size=5,
)


@LAWS
@given(told, st.booleans())
def test_the_newest_word_on_each_charge_holds_however_commits_join_them(batches, joined) -> None:
    made = session()
    groups = [batches] if joined else [[batch] for batch in batches]
    newest: dict[tuple[str, str], Charge] = {}
    for group in groups:
        outcomes = made.commit([LedgerBatch(charges=tuple(batch)) for batch in group])
        for batch, found in zip(group, outcomes, strict=True):
            expected = []
            for one in batch:
                before = newest.get((one.source, one.id))
                newest[one.source, one.id] = one
                expected.append(
                    Outcome.STORED if before is None else
                    Outcome.DUPLICATE if before == one else Outcome.CORRECTED
                )  # fmt: skip
            assert (found or ()) == tuple(expected)
    total = sum((one.amount for one in newest.values()), Decimal())
    assert sum(amounts(made).values(), Decimal()) == total
    for group in groups:  # told again, the last word is no news
        for batch in group[-1:]:
            made.commit([LedgerBatch(charges=tuple(batch))])
    made.con.close()


def test_told_again_is_a_duplicate_and_another_amount_a_correction() -> None:
    made = session()
    assert commit(made, charge()) == (Outcome.STORED,)
    assert commit(made, charge(amount="1.0"), charge("2")) == (Outcome.DUPLICATE, Outcome.STORED)
    before = Reader(made.con).newest_us()
    assert commit(made, charge(amount="3")) == (Outcome.CORRECTED,)
    assert amounts(made) == {"gpt-4o, input": 4}
    assert amounts(made, as_of=before) == {"gpt-4o, input": 2}


def test_there_and_back_in_one_commit_writes_nothing() -> None:
    made = session()
    commit(made, charge())
    assert commit(made, charge(amount="2"), charge()) == (Outcome.CORRECTED, Outcome.CORRECTED)
    ((count,),) = made.con.execute("SELECT count(*) FROM charge").fetchall()
    assert count == 1


def test_usage_and_charges_of_one_batch_are_told_in_their_order() -> None:
    made = session()
    batch = LedgerBatch(usages=(event(), event()), charges=(charge(),))
    assert made.commit([LedgerBatch(), batch]) == [
        None, (Outcome.STORED, Outcome.DUPLICATE, Outcome.STORED),
    ]  # fmt: skip


def test_charges_are_in_the_audit_chain() -> None:
    made = session()
    commit(made, charge(), charge("2", flags=("credit",)))
    page = check_batches(Reader(made.con), -1)
    assert page is not None
    assert (page.findings, page.row_count) == ((), 2)
    made.con.execute("UPDATE charge SET amount = 9 WHERE charge_id = '2'")
    page = check_batches(Reader(made.con), -1)
    assert page is not None
    assert "charge" in page.findings[0].text


def test_a_ledger_takes_charges_durably(tmp_path) -> None:
    with Ledger.open(tmp_path / "l.duckdb", pace=Pace(commit_s=0.0)) as ledger:
        assert take_charges(ledger, [charge(), charge("2")]) == (Outcome.STORED,) * 2
        assert take_charges(ledger, []) == ()
    with Ledger.open(tmp_path / "l.duckdb", pace=Pace(commit_s=0.0)) as ledger:
        assert take_charges(ledger, [charge(), charge("2", "5")]) == (
            Outcome.DUPLICATE, Outcome.CORRECTED,
        )  # fmt: skip


# -- beside usage -------------------------------------------------------------------------------


PRICES = (price("2.5"),)


def used(*events, prices=PRICES):
    made = session()
    made.commit([LedgerBatch(prices=tuple(prices)), LedgerBatch(usages=events)])
    return made


def test_a_bill_that_is_right_is_exact() -> None:
    made = used(event(project="p", quantities=some(Meter.INPUT, "400000")))
    commit(made, charge())
    (row,) = shown(made)["rows"]
    assert (row["billed"], row["computed"], row["difference"]) == ("1", "1", "0")
    assert (row["reason"], row["line"]) == ("exact", "gpt-4o, input")
    assert shown(made, "other")["rows"] == []
    assert shown(made, "p")["rows"] == [row]


def test_usage_without_a_price_is_named_and_a_later_price_explains_it() -> None:
    made = used(event(project="p", quantities=some(Meter.INPUT, "400000")), prices=())
    commit(made, charge())
    before = Reader(made.con).newest_us()
    found = shown(made)
    assert [row["says"] for row in found["rows"]] == ["no price of gpt-4o, input"]
    assert [(one["model"], one["quantity"]) for one in found["unpriced"]] == [("gpt-4o", "400000")]
    made.commit([LedgerBatch(prices=(price("2.5"),))])
    assert [row["reason"] for row in shown(made)["rows"]] == ["exact"]
    assert [row["reason"] for row in shown(made, as_of_us=before)["rows"]] == ["unpriced"]


def test_n20_the_day_beside_the_span_is_looked_at() -> None:
    late = event(project="p", at_us=DAY - HOUR_US, quantities=some(Meter.INPUT, "400000"))
    made = used(late)
    commit(made, charge())
    (row,) = shown(made)["rows"]
    assert row["reason"] == "neighbouring_day"


def test_a_charge_that_reaches_out_of_the_span_has_all_of_its_usage() -> None:
    events = [
        event(str(day), project="p", at_us=DAY + day * DAY_US,
              quantities=some(Meter.INPUT, "400000"))
        for day in range(-9, 10)
    ]  # fmt: skip
    made = used(*events)
    commit(made, charge(amount="19", start_us=DAY - 9 * DAY_US, end_us=DAY + 10 * DAY_US))
    assert [(row["reason"], row["computed"]) for row in shown(made)["rows"]] == [("exact", "19")]


def test_a_project_that_is_not_told_is_the_default_one() -> None:
    made = used(event(quantities=some(Meter.INPUT, "400000")))
    commit(made, charge(project=None))
    assert [row["project"] for row in shown(made, "default")["rows"]] == ["default"]


@pytest.mark.parametrize("hourly", ["0.009", "1.7", "100", "99999"])
def test_an_hours_price_is_taken_whatever_it_is(hourly) -> None:
    hour = event(project="p", quantities=some(Meter.TRAIN_HOUR, "2.25"))
    made = used(hour, prices=(price(hourly, meter="train_hour", per=1),))
    (row,) = shown(made)["rows"]
    assert Decimal(row["computed"]) == Decimal(hourly) * Decimal("2.25")


def test_hosting_that_served_nothing_is_found_and_priced() -> None:
    hours = [
        event(f"h{day}", model="tuned", at_us=DAY + day * DAY_US,
              quantities=some(Meter.HOST_HOUR, "24"))
        for day in range(3)
    ]  # fmt: skip
    asked = event("q", model="tuned", at_us=DAY + DAY_US + 5 * HOUR_US)
    trained = event("t", model="tuned", quantities=some(Meter.TRAIN_TOKEN, "9"))
    host = price("1.7", model="tuned", meter="host_hour", per=1)
    made = used(*hours, asked, trained, prices=(host,))
    (idle,) = shown(made, days=3)["idle"]
    assert (idle["days"], idle["hours"], idle["amount"], idle["per_hour"]) == (
        2, "48", "81.6", "1.7",
    )  # fmt: skip
    assert (idle["model"], idle["from"]) == ("tuned", shown(made, days=3)["from"])
    elsewhere = hours[0]._replace(id="x", provider="azure", source="azure")
    made.commit([LedgerBatch(usages=(elsewhere,))])
    assert [one["amount"] for one in shown(made, days=3)["idle"]] == ["81.6", None]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"from": "x"}, "no date"), ({"to": "x"}, "no date"),
        ({"from": "2026-01-02", "to": "2026-01-01"}, "not before"),
        ({"from": "2016-01-01", "to": "2026-01-01"}, "days are asked for"),
        ({"as_of": "x"}, "as_of"),
    ],
)  # fmt: skip
def test_a_wrong_question_is_refused(asked, said) -> None:
    with pytest.raises(UsageError, match=said):
        Asked.of_query(asked, START_US)


def test_days_that_nobody_names_are_the_last_month_with_today() -> None:
    found = Asked.of_query({}, DAY + HOUR_US)
    assert (found.from_us, found.to_us) == (DAY - 30 * DAY_US, DAY + DAY_US)
    assert Asked.of_query({"from": "2026-01-01"}, DAY).from_us % DAY_US == 0


def test_of_the_charges_only_those_told_again_are_looked_up() -> None:
    made = session()
    commit(made, charge("1"), charge("2"), charge("1", source="t"))
    asked = {"sources": ["s", "s"], "ids": ["1", "none"]}
    found = made.con.execute(load("recovery/charges").sql, asked).fetchall()
    assert [row[:2] for row in found] == [("s", "1")]
    made.close()
