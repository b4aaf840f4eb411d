"""What the ledger learns it dates itself, and repetition is no news."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from meter.errors import LedgerError
from meter.ledger.learning import factors_since, learn
from meter.model import Factor, FactorKind, LedgerBatch, Method, Price


def intensity(value: str | None, hour: int = 0, **changes) -> Factor:
    amount = None if value is None else Decimal(value)
    row = Factor(
        id="", kind=FactorKind.GRID_INTENSITY, scope="FRA", value=amount, low=amount, high=amount,
        unit="g/kWh", source="a feed", method=Method.SOURCED, recorded_us=0, rank=300,
        valid_from_us=hour * 3_600_000_000, valid_to_us=(hour + 1) * 3_600_000_000, book="import",
    )  # fmt: skip
    return replace(row, **changes)


def price(value: str, **changes) -> Price:
    amount = Decimal(value)
    row = Price(
        id="", provider="p", model="m", meter="input", per=1_000_000, currency="USD",
        value=amount, low=amount, high=amount, source="a list", recorded_us=0, rank=200,
    )  # fmt: skip
    return replace(row, **changes)


def test_each_correction_is_a_new_row_and_a_repetition_none(open_ledger):
    ledger = open_ledger()
    first = learn(ledger, [intensity("50"), intensity("60", 1)]).factors
    assert {row.value for row in first} == {Decimal(50), Decimal(60)}
    assert learn(ledger, [intensity("60", 1), intensity("50")]).factors == ()
    second = learn(ledger, [intensity("51"), intensity("60", 1)]).factors
    back = learn(ledger, [intensity("50")]).factors
    assert [row.value for row in (*second, *back)] == [Decimal(51), Decimal(50)]
    with ledger.reader() as reader:
        kept = factors_since(reader, 0)
        newest_us = reader.newest_us()
    assert len(kept) == len({row.id for row in kept}) == 4
    instants = [row.recorded_us for row in kept]
    assert instants == sorted(instants)
    assert instants[-1] == newest_us == back[0].recorded_us


def test_a_fact_is_never_recorded_before_the_newest_commit(open_ledger):
    times = iter([5_000_000_000, 4_000_000_000, 3_000_000_000])  # a clock that is set back
    ledger = open_ledger(now_us=lambda: next(times))
    ledger.write(LedgerBatch(), urgent=True).result(10)
    with ledger.reader() as reader:
        before_us = reader.newest_us()
    (row,) = learn(ledger, [intensity("50")]).factors
    assert row.recorded_us > before_us


def test_a_price_is_learned_once_and_corrected_by_another_row(open_ledger):
    ledger = open_ledger()
    (first,) = learn(ledger, prices=[price("2.5")]).prices
    assert first.id.startswith("price:p:m:")
    assert learn(ledger, prices=[price("2.5")]).prices == ()
    (second,) = learn(ledger, prices=[price("3")]).prices
    assert second.recorded_us > first.recorded_us


def test_what_cannot_be_written_is_not_half_written(open_ledger):
    ledger = open_ledger()
    wrong = intensity("1", 1, low=Decimal(2))  # the table's own check refuses it
    with pytest.raises(LedgerError):
        learn(ledger, [intensity("50"), wrong])
    with ledger.reader() as reader:
        assert factors_since(reader, 0) == []
    assert len(learn(ledger, [intensity("50")]).factors) == 1
