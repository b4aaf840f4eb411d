"""Laws of imports: repetition and order change nothing, corrections add, faults leave nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meter.cli.book_files import as_csv
from meter.factors.factor_rows import COLUMNS
from meter.factors.imports import Wanted, factor_sheet, price_sheet
from meter.factors.rows import RowsError
from meter.intake import rows_of_json, take_factors, take_prices
from meter.ledger import Ledger, books
from meter.ledger.books import Asked
from meter.ledger.expansion import holds
from meter.ledger.ledger import Pace
from tests.factors.sheets import FACTOR, PRICE, table

SITES = ["lab"]
EXPORTED = [*(name for name in COLUMNS if name != "recorded_at"), "id"]

rows_of_factors = st.lists(
    st.fixed_dictionaries({
        "scope": st.sampled_from(["FRA", "DEU", "lab", "world", "aws:us-test-1"]),
        "value": st.integers(3, 900).map(str),
        "unit": st.sampled_from(["g/kWh", "kg/MWh", "lbs/MWh"]),
        "valid_from": st.sampled_from(["", "2026-03-01"]),
    }),
    min_size=1,
    max_size=6,
    unique_by=lambda row: row["scope"],
)  # fmt: skip


def in_memory() -> Ledger:
    return Ledger.open(Path(":memory:"), pace=Pace(commit_s=0.0))


def take(ledger: Ledger, rows: list[dict[str, str]]) -> int:
    """How many were news."""
    sheet = factor_sheet(table(*({**FACTOR, **row} for row in rows)), Wanted())
    return len(take_factors(ledger, sheet.rows, SITES).factors)


def listed(ledger: Ledger, **asked) -> list[dict]:
    with ledger.reader() as reader:
        return books.factors(reader, Asked(**asked))


def said(rows: list[dict]) -> set[str]:
    """Rows without what the ledger gave them."""
    given = {"id", "recorded_at"}
    return {repr({k: v for k, v in row.items() if k not in given}) for row in rows}


@settings(max_examples=20, deadline=None)
@given(rows_of_factors)
def test_importing_again_is_no_news(rows):
    with in_memory() as ledger:
        assert take(ledger, rows) == len(rows)
        before = listed(ledger, everything=True)
        assert take(ledger, rows) == 0
        assert take(ledger, rows[::-1]) == 0
        assert listed(ledger, everything=True) == before


@settings(max_examples=20, deadline=None)
@given(rows_of_factors, st.integers(0, 6))
def test_one_file_or_several_in_any_order_say_the_same(rows, cut):
    with in_memory() as whole, in_memory() as parts:
        take(whole, rows)
        for part in (rows[cut:], rows[:cut], rows[cut:]):
            if part:
                take(parts, part)
        assert said(listed(whole)) == said(listed(parts))


@settings(max_examples=20, deadline=None)
@given(rows_of_factors)
def test_what_is_listed_can_be_imported_and_is_no_news(rows):
    with in_memory() as ledger:
        take(ledger, rows)
        found = listed(ledger)
        sheet = factor_sheet(as_csv(EXPORTED, found).encode(), Wanted())
        assert take_factors(ledger, sheet.rows, SITES).factors == ()
        assert take_factors(ledger, rows_of_json(found), SITES).factors == ()
    with in_memory() as other:
        take_factors(other, sheet.rows, SITES)
        assert said(listed(other)) == said(found)


@settings(max_examples=20, deadline=None)
@given(rows_of_factors, st.integers(0, 5))
def test_one_fault_and_nothing_is_written(rows, place):
    with in_memory() as ledger:
        take(ledger, [{"scope": "ESP", "value": "9"}])
        before = listed(ledger, everything=True)
        wrong = [*rows]
        wrong.insert(place, {"scope": "nowhere", "value": "-1"})
        with pytest.raises(RowsError):
            take(ledger, wrong)
        assert listed(ledger, everything=True) == before


def test_a_correction_is_a_row_more_and_the_old_one_is_told():
    with in_memory() as ledger:
        take(ledger, [{"scope": "FRA", "value": "56"}])
        (first,) = listed(ledger)
        take(ledger, [{"scope": "FRA", "value": "52"}])
        take(ledger, [{"scope": "FRA", "value": "withdrawn"}])
        states = [(row["value"], row["status"]) for row in listed(ledger, everything=True)]
        assert states == [(None, "withdrawn"), (52.0, "superseded"), (56.0, "superseded")]
        assert listed(ledger) == []
        with ledger.reader() as reader:
            (then,) = books.factors(reader, Asked(as_of_us=_us(first["recorded_at"])))
            history = books.history(reader, first["id"].rpartition(":")[2])
        assert (then["value"], then["status"]) == (56.0, "standing")
        assert [row["meant"] for row in history] == [False, False, True]


def test_a_row_may_tell_when_it_was_learned_after_all_else():
    with Ledger.open(
        Path(":memory:"), pace=Pace(commit_s=0.0), now_us=lambda: 1_780_000_000_000_000
    ) as ledger:
        take(ledger, [{"scope": "DEU", "value": "356"}])
        take(ledger, [{"scope": "FRA", "value": "56", "recorded_at": "2026-06-01T00:00Z"}])
        (row,) = listed(ledger, scope="FRA")
        assert (row["recorded_at"], row["id"][:19]) == (
            "2026-06-01T00:00:00.000000Z", "grid_intensity:FRA:",
        )  # fmt: skip
        with pytest.raises(RowsError, match="before the ledger's newest entry"):
            take(ledger, [{"scope": "FRA", "value": "57", "recorded_at": "2026-05-31"}])


def test_prices_are_taken_corrected_and_listed():
    with in_memory() as ledger:
        rows = price_sheet(table(PRICE, {**PRICE, "meter": "output", "value": "10"}), Wanted()).rows
        assert len(take_prices(ledger, rows).prices) == 2
        assert take_prices(ledger, rows).prices == ()
        dearer = price_sheet(table({**PRICE, "value": "3"}), Wanted()).rows
        assert len(take_prices(ledger, dearer).prices) == 1
        with ledger.reader() as reader:
            standing = books.prices(reader, Asked(provider="p"))
            everything = books.prices(reader, Asked(everything=True))
        assert [(row["meter"], row["value"]) for row in standing] == [
            ("input", "3"), ("output", "10"),
        ]  # fmt: skip
        assert [row["status"] for row in everything] == ["standing", "superseded", "standing"]


def _us(text: str) -> int:
    from meter.instants import parse_us

    return parse_us(text)


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.integers(2016, 2026), min_size=1, max_size=6, unique=True), st.randoms(), st.data()
)
def test_of_yearly_figures_the_newest_year_holds_whatever_came_first(years, random, data):
    files = [[year] for year in years]
    if len(files) > 1 and data.draw(st.booleans()):
        files = [files[0] + files[1], *files[2:], files[1]]
    random.shuffle(files)
    with in_memory() as ledger:
        for file in files:
            rows = "".join(f"Germany,{year},{year - 1900},AIB,own\n" for year in file)
            content = f"zone,year,g_per_kwh,source,licence\n{rows}"
            take_factors(ledger, factor_sheet(content.encode(), Wanted()).rows, SITES)
        with ledger.reader() as reader:
            found = books.standing(reader, Asked(book="import"))
    for year in range(2016, 2028):
        at_us = _us(f"{year}-05-01T00:00:00Z")
        held = [one for one in found if holds(one, None, at_us)]
        expected = max((known for known in years if known <= year), default=None)
        newest = max(held, key=lambda one: one.recorded_us, default=None)
        assert (newest and newest.value) == (expected and expected - 1900)


def test_an_end_with_the_next_needs_a_beginning():
    with in_memory() as ledger, pytest.raises(RowsError, match="valid_from: is missing"):
        take(ledger, [{"scope": "FRA", "value": "56", "valid_to": "next"}])
