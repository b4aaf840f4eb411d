"""Contractual instruments: those that count, those that do not, and those that are gone."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from meter.config import Instrument
from meter.factors import factors_of
from meter.ledger.expansion import KnownFactors, statements_to_write
from meter.model import FactorKind
from tests.ledger.facts import START_US, band, config, site

MARKET = {FactorKind.MARKET_INTENSITY, FactorKind.MARKET_EXCLUDED}
WIND = Instrument("certificate", 1, band("0"), Decimal("0.6"), source="cancellation 4711")
SOLAR = Instrument("certificate", 2, band("12", "10", "20"), Decimal("0.4"))
MIX = Instrument("residual", 1, band("450"), Decimal(1))


class Ledger:
    """What a ledger keeps of configurations, one after the other."""

    def __init__(self):
        self.rows = []

    def learn(self, *instruments):
        """The rows that are news."""
        known = KnownFactors()
        known.add(self.rows)
        at_us = START_US + len(self.rows)
        given = factors_of(config(instruments=instruments), site(), at_us, self.rows)
        news = statements_to_write(known, given)
        self.rows += news
        return [row for row in news if row.kind in MARKET]

    def standing(self):
        """The newest statement of each instrument that is not withdrawn."""
        newest = {(row.kind, row.item): row for row in self.rows if row.kind in MARKET}
        return {key: row.value for key, row in newest.items() if row.value is not None}


def counted(instrument):
    return (FactorKind.MARKET_INTENSITY, instrument.name)


def test_instruments_are_rows_of_the_site_in_the_order_of_their_ranks():
    ledger = Ledger()
    rows = ledger.learn(WIND, SOLAR, MIX)
    assert [(r.item, r.rank, r.share, r.value) for r in rows] == [
        ("certificate 1", 440, Decimal("0.6"), 0),
        ("certificate 2", 440, Decimal("0.4"), 12),
        ("residual 1", 210, 1, 450),
    ]
    assert {(r.scope, r.unit, r.book) for r in rows} == {("lab", "g/kWh", "configuration")}
    assert rows[0].source == "cancellation 4711"
    assert len({row.id for row in rows}) == 3


def test_an_instrument_that_fails_a_criterion_is_told_and_not_counted():
    (row,) = Ledger().learn(replace(WIND, lacking=("retired is false", "vintage is not stated")))
    assert row.kind is FactorKind.MARKET_EXCLUDED
    assert row.detail == "does not count: retired is false, vintage is not stated"


def test_an_instrument_that_is_taken_out_is_withdrawn_and_comes_back():
    ledger = Ledger()
    ledger.learn(WIND, SOLAR)
    assert ledger.learn(WIND, SOLAR) == []
    (gone,) = ledger.learn(WIND)
    assert (gone.item, gone.value, gone.rank) == ("certificate 2", None, 440)
    assert ledger.learn(WIND) == []
    assert ledger.standing() == {counted(WIND): 0}
    assert [row.item for row in ledger.learn(WIND, SOLAR)] == ["certificate 2"]
    assert ledger.standing() == {counted(WIND): 0, counted(SOLAR): 12}


def test_an_instrument_that_begins_to_fail_does_not_count_any_more():
    ledger = Ledger()
    ledger.learn(WIND)
    ledger.learn(replace(WIND, lacking=("unique is false",)))
    assert ledger.standing() == {(FactorKind.MARKET_EXCLUDED, "certificate 1"): 0}
    ledger.learn(WIND)
    assert ledger.standing() == {counted(WIND): 0}


def test_a_new_validity_replaces_the_old_one():
    ledger = Ledger()
    ledger.learn(WIND)
    (row,) = ledger.learn(replace(WIND, valid_from_us=START_US, valid_to_us=START_US * 2))
    assert (row.valid_from_us, row.valid_to_us) == (START_US, START_US * 2)
    assert ledger.standing() == {counted(WIND): 0}


def test_instruments_of_others_stay():
    ledger = Ledger()
    (row,) = ledger.learn(WIND)
    imported = replace(row, id="i", book="import", item="their certificate")
    elsewhere = replace(row, id="e", scope="attic", item="certificate 7")
    ledger.rows += [imported, elsewhere]
    assert [gone.item for gone in ledger.learn()] == ["certificate 1"]


@given(st.lists(st.sets(st.sampled_from([WIND, SOLAR, MIX])), max_size=6))
def test_after_any_changes_what_stands_is_what_is_configured(configurations):
    ledger = Ledger()
    for chosen in configurations:
        ledger.learn(*chosen)
    last = configurations[-1] if configurations else set()
    assert ledger.standing() == {counted(each): each.g_per_kwh.value for each in last}
