"""Rows of a sheet become factors, or each fault is told with its line and column."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meter.factors.factor_rows import factors_of_rows
from meter.factors.rows import ROWS, Row, RowsError
from meter.factors.units import QUANTITIES
from meter.model import FactorKind, Method
from meter.windows import LocalWindows
from tests.factors.sheets import FACTOR, KNOWN, factor, factors, faults, reasons, table

HOUR_US = 3_600_000_000


def test_a_row_becomes_a_factor_with_defaults_that_say_nothing_new():
    found = factor()
    assert (found.value, found.low, found.high) == (56, 56, 56)
    assert (found.book, found.rank, found.method) == ("import", 200, Method.SOURCED)
    assert (found.id, found.recorded_us) == ("", 0)  # the ledger's to give
    assert found.scope == factor(scope="france").scope == factor(scope="fr").scope == "FRA"


@pytest.mark.parametrize(
    ("value", "unit", "kept"),
    [
        ("56.039", "g/kWh", "56.039"),
        ("56.039", "kg/MWh", "56.039"),
        ("0.056039", "kg/kWh", "56.039"),
        ("0.056039", "t/MWh", "56.039"),
        ("900", "lbs/MWh", "408.233133"),
        ("900", "lb/MWh", "408.233133"),
        ("0", "g/kWh", "0"),
        ("5.6e1", "g/kWh", "56"),
    ],
)
def test_units_are_converted_exactly(value, unit, kept):
    assert factor(value=value, unit=unit).value == Decimal(kept)


@given(st.decimals("5", "1000", places=3), st.sampled_from(["g/kWh", "kg/MWh", "lbs/MWh"]))
def test_a_unit_scales_value_and_bounds_alike(value, unit):
    low, high = value / 2, value * 2
    found = factor(value=f"{value:f}", low=f"{low:f}", high=f"{high:f}", unit=unit, basis="direct")
    scale = QUANTITIES[FactorKind.GRID_INTENSITY].units[unit]
    for kept, written in ((found.value, value), (found.low, low), (found.high, high)):
        assert abs(kept - written * scale) <= Decimal("5E-10")
    assert found.low <= found.value <= found.high


@pytest.mark.parametrize(
    ("changes", "column", "says"),
    [
        ({"value": "56", "unit": "kg/kWh"}, "value", "56 kg/kWh, that is 56000 g/kWh, is above"),
        ({"value": "0.056"}, "value", "looks like kg/kWh, which is 56 g/kWh"),
        ({"value": "-3"}, "value", "is below 0"),
        ({"value": "NaN"}, "value", "no number"),
        ({"value": "inf"}, "value", "no number"),
        ({"value": "1e999"}, "value", "no number"),
        ({"value": "5,6"}, "value", "comma"),
        ({"value": ""}, "value", "is missing"),
        ({"low": "57"}, "low", "above the value"),
        ({"high": "55"}, "high", "below the value"),
        ({"high": "3001"}, "high", "is above 3,000"),
        ({"unit": "gram"}, "unit", "no unit of it: give g/kWh"),
        ({"unit": ""}, "unit", "is missing"),
        ({"scope": "Frnce"}, "scope", "did you mean FRA"),
        ({"scope": "labb"}, "scope", "no site known here (lab)"),
        ({"kind": "grid_intesity"}, "kind", "did you mean grid_intensity"),
        ({"currency": "EUR"}, "currency", "no money"),
        ({"source": ""}, "source", "is missing"),
        ({"source_date": ""}, "source_date", "is missing"),
        ({"source_date": "03/2025"}, "source_date", "is no date"),
        ({"source_date": "2027"}, "source_date", "still to come"),
        ({"licence": ""}, "licence", "is missing"),
        ({"valid_from": "01.03.2025"}, "valid_from", "is no date"),
        ({"valid_from": "2025-03-01T00:07Z"}, "valid_from", "not on a quarter hour"),
        ({"valid_from": "2025-03-01", "valid_to": "2025-03-01"}, "valid_to", "after valid_from"),
        ({"basis": "average, marginal"}, "basis", "not both"),
        ({"basis": "mean"}, "basis", "is no basis"),
        ({"method": "guessed"}, "method", "none that is known"),
        ({"rank": "0"}, "rank", "no whole number"),
        ({"rank": "1.5"}, "rank", "no whole number"),
        ({"share": "0.5"}, "share", "contractual instruments"),
        ({"vlaue": "1"}, "vlaue", "did you mean value?"),
        ({"book": "bundled"}, "book", "not imported"),
        ({"windows": "x"}, "windows", "are of tariffs"),
        ({"source": "x" * 301}, "source", "the limit is 300"),
        ({"detail": "a\x07b"}, "detail", "cannot be printed"),
        ({"recorded_at": "2020-01-01"}, "recorded_at", "before the ledger's newest entry"),
        ({"recorded_at": "2030-01-01"}, "recorded_at", "still to come"),
    ],
)
def test_what_is_wrong_is_told_with_its_column(changes, column, says):
    assert says in reasons(**changes)[column]


@pytest.mark.parametrize(
    ("changes", "column", "says"),
    [
        ({"kind": "pue", "value": "0.9", "unit": ""}, "value", "0.9 is below 1"),
        ({"kind": "pue", "value": "1.2", "unit": "", "basis": "direct"}, "basis", "intensities"),
        ({"kind": "electricity_price", "unit": "/kWh"}, "currency", "is missing"),
        ({"kind": "electricity_price", "unit": "EUR/kWh", "currency": "USD"}, "unit", "not in USD"),
        (
            {"kind": "electricity_price", "unit": "/kWh", "currency": "eur"},
            "currency",
            "no currency",
        ),
        ({"kind": "market_intensity", "share": "1.5"}, "share", "above 0 and at most 1"),
        ({"kind": "market_intensity", "scope": "lab"}, "kind", "quality criteria"),
        ({"kind": "market_intensity", "scope": "lab", "rank": "210"}, "scope", "is no zone"),
        ({"kind": "market_intensity", "scope": "world", "rank": "210"}, "scope", "is no zone"),
        ({"kind": "market_intensity", "scope": "aws:us-east-1"}, "scope", "is no zone"),
        ({"kind": "market_intensity", "item": "ppa 1"}, "item", "[[market.instruments]]"),
        ({"kind": "market_intensity", "value": "0"}, "value", "above 0"),
        ({"kind": "market_intensity", "value": "0.6005", "basis": "direct"}, "value", "kg/kWh"),
        ({"basis": "direct", "value": "0.12"}, "value", "looks like kg/kWh, which is 120 g"),
        ({"basis": "direct", "low": "0.12"}, "low", "looks like kg/kWh, which is 120 g"),
        ({"value": "0", "high": "0.4"}, "high", "looks like kg/kWh, which is 400 g"),
        ({"kind": "gpu_hour_rate", "unit": "USD"}, "unit", "give USD/h"),
        (
            {"kind": "electricity_price", "unit": "EUR/kWh", "value": "250"},
            "value",
            "250 EUR/kWh is beyond 100 EUR/kWh: is it for an MWh, EUR/MWh?",
        ),
        (
            {"kind": "electricity_price", "unit": "EUR/kWh", "value": "0.2", "high": "200"},
            "high",
            "EUR/MWh?",
        ),
        (
            {"kind": "electricity_price", "unit": "JPY/kWh", "value": "200000"},
            "value",
            "check the unit",
        ),
        ({"kind": "gpu_hour_rate", "unit": "EUR/h", "value": "99000"}, "value", "beyond 1,000"),
        ({"scope": "asw:us-east-1"}, "scope", "write aws: before"),
        ({"scope": "word:word"}, "scope", "write aws:, azure:, gcp:, oci:, past:, hosted: before"),
        ({"kind": "market_intensity", "rank": "440"}, "kind", "[[market.instruments]]"),
        ({"kind": "fx_rate", "unit": "", "currency": "EUR", "item": "USD"}, "scope", "be world"),
        (
            {"kind": "fx_rate", "unit": "", "currency": "EUR", "item": "EUR", "scope": "world"},
            "item",
            "another currency",
        ),
    ],
)
def test_each_kind_has_its_own_rules(changes, column, says):
    assert says in reasons(**changes)[column]


def test_money_takes_its_currency_from_the_unit_or_the_column():
    by_unit = factor(kind="electricity_price", value="210", unit="EUR/MWh", scope="lab")
    by_column = factor(
        kind="electricity_price", value="0.21", unit="/kWh", currency="EUR", scope="lab"
    )
    assert by_unit == by_column
    assert (by_unit.currency, by_unit.unit, by_unit.value) == ("EUR", "EUR/kWh", Decimal("0.21"))
    rate = factor(kind="fx_rate", value="0.92", unit="", scope="world", item="USD", currency="EUR")
    assert (rate.item, rate.currency, rate.unit) == ("USD", "EUR", "EUR/USD")


def test_ranks_follow_what_kind_of_evidence_a_row_is():
    hour = {"valid_from": "2026-03-01T09:00Z", "valid_to": "2026-03-01T10:00Z"}
    assert factor(**hour).rank == 300
    assert factor(scope="world").rank == 100
    assert factor(scope="lab").rank == 410
    assert factor(scope="past:sft-1").rank == 410
    assert factor(scope="aws:us-east-1").rank == 200
    assert factor(kind="market_intensity").rank == 210
    assert factor(kind="market_intensity").share == 1
    assert factor(rank="77").rank == 77


def test_a_withdrawal_has_no_value_and_is_meant():
    found = factor(value="withdrawn")
    assert (found.value, found.low, found.high, found.unit) == (None, None, None, "g/kWh")
    assert "no bounds" in reasons(value="withdrawn", low="1")["low"]


def test_a_row_may_say_when_it_was_learned_after_all_that_the_ledger_knows():
    assert factor(recorded_at="2026-09-01").recorded_us == 1_788_220_800_000_000


def test_two_rows_about_the_same_thing_are_refused_with_both_lines():
    content = table(FACTOR, {**FACTOR, "scope": "DEU"}, {**FACTOR, "value": "57"})
    (fault,) = faults(content)
    assert (fault.line, fault.reason) == (
        4, "is about the same as line 2, and holds at the same time: keep one",
    )  # fmt: skip


def test_rows_that_hold_at_the_same_time_are_refused_unless_ranks_part_them():
    year = {**FACTOR, "valid_from": "2025-01-01", "valid_to": "2026-01-01"}
    month = {**FACTOR, "valid_from": "2025-03-01", "valid_to": "2025-04-01"}
    (fault,) = faults(table(year, month))
    assert fault.line == 3
    assert "holds at the same time as line 2" in fault.reason
    assert len(factors(table(year, {**month, "rank": "201"}))) == 2
    after = {**FACTOR, "valid_from": "2026-01-01"}
    assert len(factors(table(after, year))) == 2


def test_every_fault_of_every_row_is_told_and_none_is_taken():
    content = table(
        {**FACTOR, "value": "x", "licence": ""}, FACTOR, {**FACTOR, "scope": "nowhere at all"}
    )
    found = faults(content)
    assert [(fault.line, fault.column) for fault in found] == [
        (2, "value"), (2, "licence"), (4, "scope"),
    ]  # fmt: skip
    with pytest.raises(RowsError) as error:
        factors(content)
    told = error.value.told("f.csv")
    assert told[0].startswith("f.csv:2:value: ")
    assert len(told) == 3


def test_of_many_faults_the_first_are_told_and_the_others_counted():
    content = table(*({**FACTOR, "value": "x"} for _ in range(50)))
    with pytest.raises(RowsError) as error:
        factors(content)
    told = error.value.told("f.csv")
    assert len(told) == 21
    assert told[-1] == "f.csv: and 30 more"


def test_too_many_rows_are_refused_before_any_is_read():
    with pytest.raises(RowsError, match="too many"):
        factors_of_rows([Row({})] * (ROWS + 1), KNOWN)


TARIFF = """
defaults:
  kind: electricity_price
  scope: lab
  unit: EUR/kWh
  source: contract 4711
  source_date: 2026-01
  licence: own data
factors:
  - value: 0.31
    windows: {timezone: Europe/Paris, days: mon-fri, from: "07:00", to: "22:00"}
  - value: 0.19
    windows:
      timezone: Europe/Paris
      not_in:
        - {days: [mon-fri], from: "07:00", to: "22:00"}
"""


def test_time_of_use_rows_hold_in_the_local_times_that_they_name():
    day, night = factors(TARIFF)
    at_noon_us, at_night_us = 1_772_445_600_000_000, 1_772_492_400_000_000  # Mon 2026-03-02 UTC
    for row, hours in ((day, (True, False)), (night, (False, True))):
        windows = LocalWindows.of_json(row.windows)
        assert (windows.covers(at_noon_us), windows.covers(at_night_us)) == hours
    assert replace(day, windows=None, value=None, low=None, high=None) == replace(
        night, windows=None, value=None, low=None, high=None
    )


DEFAULTS = TARIFF.partition("factors:")[0]


@pytest.mark.parametrize(
    ("windows", "says"),
    [
        ("{timezone: Mars/Base, from: '07:00'}", "no time zone"),
        ("{timezone: UTC, from: '07:10'}", "quarter hours"),
        ("{timezone: UTC, from: '25:00'}", "time of day"),
        ("{timezone: UTC, days: someday}", "no days"),
        ("{timezone: UTC, season: 02-30/03-01}", "no season"),
        ("{timezone: UTC, form: '07:00'}", "no part of windows"),
        ("{timezone: UTC, in: [], from: '07:00'}", "either in and not_in or one span"),
        ("'every night'", "are no windows"),
    ],
)
def test_windows_that_are_none_are_told(windows, says):
    text = f"{DEFAULTS}factors:\n  - {{value: 1, windows: {windows}}}\n"
    (fault,) = faults(text)
    assert fault.column == "windows"
    assert says in fault.reason


def test_windows_that_share_a_time_are_refused():
    rows = [
        f"  - {{value: 1, windows: {{timezone: UTC, from: '{start}', to: '{end}'}}}}\n"
        for start, end in (("07:00", "12:00"), ("11:00", "13:00"))
    ]
    text = f"{DEFAULTS}factors:\n{''.join(rows)}"
    (fault,) = faults(text)
    assert "holds at the same time" in fault.reason


def test_a_year_of_hours_is_taken():
    start_us = KNOWN.now_us // HOUR_US * HOUR_US - 8_760 * HOUR_US
    rows = [
        Row({
            **FACTOR, "value": str(20 + hour % 50),
            "valid_from": _iso(start_us + hour * HOUR_US),
            "valid_to": _iso(start_us + (hour + 1) * HOUR_US),
        })
        for hour in range(8_760)
    ]  # fmt: skip
    assert {one.rank for one in factors_of_rows(rows, KNOWN)} == {300}


def _iso(at_us: int) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at_us // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%MZ")


DAY = "days: mon-fri, from: '07:00', to: '22:00'"
PARIS = "timezone: Europe/Paris"


@pytest.mark.parametrize(
    ("one", "other", "at"),
    [
        (f"{PARIS}, {DAY}", f"timezone: Asia/Tokyo, {DAY}", "2026-01-01T06:00"),
        (
            f"{PARIS}, {DAY}",
            f"{PARIS}, not_in: [{{days: mon-fri, from: '12:00', to: '22:00'}}]",
            "2026-01-01T06:00",
        ),
        (
            f"{PARIS}, season: 04-01/09-30",
            f"{PARIS}, season: 09-30/03-31, days: sun",
            "2029-09-29T22:00",
        ),
        (
            "timezone: UTC, from: '01:00', to: '02:00', season: 03-01/04-30",
            f"{PARIS}, from: '03:00', to: '03:15', days: sun",
            "2026-03-29T01:00",
        ),
    ],
)
def test_windows_that_share_a_quarter_hour_of_some_year_are_refused(one, other, at):
    text = f"{DEFAULTS}  valid_from: 2026-01-01\nfactors:\n" + "".join(
        f"  - {{value: 1, windows: {{{windows}}}}}\n" for windows in (one, other)
    )
    (fault,) = faults(text)
    assert fault.line == 12
    assert f"the same time as line 11, such as at {at}" in fault.reason


def test_windows_that_share_no_time_are_taken_in_two_time_zones():
    text = (
        f"{DEFAULTS}factors:\n"
        "  - {value: 1, windows: {timezone: UTC, from: '07:00', to: '12:00'}}\n"
        "  - {value: 2, windows: {timezone: Asia/Tokyo, from: '21:00', to: '16:00'}}\n"
    )
    assert len(factors(text)) == 2


@pytest.mark.parametrize(
    ("kind", "unit", "value"),
    [
        ("electricity_price", "EUR/MWh", "250"),
        ("electricity_price", "JPY/kWh", "250"),
        ("electricity_price", "HUF/kWh", "130"),
        ("electricity_price", "EUR/kWh", "-0.5"),
        ("gpu_hour_rate", "INR/h", "1500"),
    ],
)
def test_ordinary_money_is_taken_in_each_currency(kind, unit, value):
    assert factor(kind=kind, unit=unit, value=value, scope="lab").value is not None
