"""A configuration's factors: tariffs by local hour, withdrawals, refusals."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meter.config import Electricity, GpuTime, Window
from meter.errors import FactorError
from meter.factors import Rates, factors_of, site_of
from meter.factors.live import in_force
from meter.ledger.expansion import KnownFactors, statements_to_write
from meter.model import FactorKind
from meter.windows import LocalWindows, Span
from tests.ledger.facts import HOUR_US, START_US, band, config, priced, site

EVERY_DAY = (0, 1, 2, 3, 4, 5, 6)
NIGHT = Window(EVERY_DAY, 22 * 60, 6 * 60, band("0.10"))
WEEKEND = Window((5, 6), 6 * 60, 22 * 60, band("0.15"))


def us(year, month, day, hour=0, minute=0):
    return int(datetime(year, month, day, hour, minute, tzinfo=UTC).timestamp()) * 1_000_000


def known(factors):
    found = KnownFactors()
    found.add(factors)
    return found


def price_at(configured, hour_us):
    rows = factors_of(configured, site("FRA"), START_US)
    found = in_force(rows, site("FRA"), hour_us).get(FactorKind.ELECTRICITY_PRICE)
    return found.value if found else None


def test_a_time_of_use_tariff_follows_the_local_clock():
    tariff = priced(windows=(NIGHT, WEEKEND))
    assert price_at(tariff, us(2026, 3, 3, 20)) == Decimal("0.25")  # Tuesday 21:00 in Paris
    assert price_at(tariff, us(2026, 3, 3, 21)) == Decimal("0.10")  # 22:00
    assert price_at(tariff, us(2026, 7, 7, 20)) == Decimal("0.10")  # 22:00 in summer
    assert price_at(tariff, us(2026, 3, 7, 12)) == Decimal("0.15")  # Saturday
    assert price_at(tariff, us(2026, 3, 9, 4)) == Decimal("0.10")  # Monday 05:00


@pytest.mark.parametrize(("day", "hours"), [((2026, 3, 29), 23), ((2026, 10, 25), 25)])
def test_a_day_of_clock_change_has_twenty_three_or_twenty_five_tariff_hours(day, hours):
    start = datetime(*day, tzinfo=ZoneInfo("Europe/Paris"))
    first = int(start.timestamp()) * 1_000_000
    local = LocalWindows("Europe/Paris", (Span.of_hours((start.weekday(),), 0, 24),))
    covered = [h for h in range(-3, 30) if local.covers(first + h * HOUR_US)]
    assert covered == list(range(hours))


spans_of_a_week = st.tuples(
    st.sets(st.integers(0, 6), min_size=1), st.integers(0, 95), st.integers(1, 96)
).filter(lambda span: span[1] != span[2] % 96)


@given(st.integers(0, 4 * 24 * 365), st.lists(spans_of_a_week, max_size=4))
def test_every_quarter_hour_has_exactly_one_price_row(number, spans):
    quarter_us = us(2026, 1, 1) + number * HOUR_US // 4
    windows = tuple(
        Window(tuple(sorted(days)), 15 * s, 15 * e, band("0.1")) for days, s, e in spans
    )
    rows = factors_of(priced(windows=windows), site("FRA"), START_US)
    tariff = [row for row in rows if row.kind is FactorKind.ELECTRICITY_PRICE]
    holding = [
        row for row in tariff
        if row.windows is None or LocalWindows.of_json(row.windows).covers(quarter_us)
    ]  # fmt: skip
    assert len(holding) == 1


def test_windows_survive_their_text_form():
    summer = ((4, 1), (9, 30))
    local = LocalWindows(
        "Europe/Paris", (Span((0, 1), 1_335, 360, summer),), (Span.of_hours((3,), 1, 2),)
    )
    assert LocalWindows.of_json(local.json()) == local


def test_windows_in_a_zone_of_half_hours_change_on_the_half_hour_of_utc():
    tariff = config(electricity=Electricity("INR", band("8"), (NIGHT,), "Asia/Kolkata"))
    assert price_at(tariff, us(2026, 3, 3, 16, 15)) == Decimal(8)  # 21:45 in Kolkata
    assert price_at(tariff, us(2026, 3, 3, 16, 30)) == Decimal("0.10")  # 22:00


def test_a_season_holds_on_the_days_its_windows_begin_on():
    summer = Window(EVERY_DAY, 22 * 60, 6 * 60, band("0.05"), ((4, 1), (9, 30)))
    winter = Window(EVERY_DAY, 22 * 60, 6 * 60, band("0.20"), ((10, 1), (3, 31)))
    tariff = priced(windows=(summer, winter))
    assert price_at(tariff, us(2026, 3, 31, 21)) == Decimal("0.20")  # 23:00, the last night
    assert price_at(tariff, us(2026, 4, 1, 3)) == Decimal("0.20")  # of the same night
    assert price_at(tariff, us(2026, 4, 1, 20)) == Decimal("0.05")
    assert price_at(tariff, us(2026, 9, 30, 22)) == Decimal("0.05")
    assert price_at(tariff, us(2026, 12, 31, 23)) == Decimal("0.20")
    assert price_at(tariff, us(2026, 7, 1, 12)) == Decimal("0.25")


def test_what_is_not_set_is_withdrawn_by_a_row_without_value():
    rows = factors_of(config(), site(), START_US)
    nothing = {row.kind for row in rows if row.value is None}
    assert nothing == {
        FactorKind.ELECTRICITY_PRICE, FactorKind.PUE, FactorKind.WUE, FactorKind.TND_UPLIFT,
        FactorKind.GPU_HOUR_RATE, FactorKind.EMBODIED_BOARD, FactorKind.EMBODIED_SERVER,
    }  # fmt: skip
    rates = Rates.at(rows, site(), START_US)
    assert [rate.kind for rate in rates.energy] == ["electricity"]
    assert rates.energy[0].carbon
    assert not rates.gpu_time


def test_a_new_flat_tariff_leaves_nothing_of_the_old_windows():
    rows = factors_of(priced(windows=(NIGHT, WEEKEND)), site("FRA"), START_US)
    flat = config(electricity=Electricity("EUR", band("0.30")))
    rows += factors_of(flat, site("FRA"), START_US + 1)
    for number in range(24 * 7):
        found = in_force(rows, site("FRA"), us(2026, 3, 2) + number * HOUR_US)
        assert found[FactorKind.ELECTRICITY_PRICE].value == Decimal("0.30")


def test_the_same_configuration_again_is_no_news_and_a_change_is():
    first = factors_of(priced(windows=(NIGHT,)), site("FRA"), START_US)
    again = factors_of(priced(windows=(NIGHT,)), site("FRA"), START_US + 5)
    assert statements_to_write(known(first), again) == []
    changed = factors_of(priced(), site("FRA"), START_US + 9)
    news = statements_to_write(known(first), changed)
    assert Counter(row.kind for row in news) == {FactorKind.ELECTRICITY_PRICE: 1}
    back = factors_of(priced(windows=(NIGHT,)), site("FRA"), START_US + 20)
    assert len(statements_to_write(known([*first, *news]), back)) == 2


def test_values_in_force_do_not_depend_on_the_order_of_arrival():
    old = factors_of(priced(), site("FRA"), START_US)
    new = factors_of(config(zone="FRA"), site("FRA"), START_US + 9)
    forth = [*statements_to_write(known([]), old)]
    forth += statements_to_write(known(forth), new)
    back = [*statements_to_write(known([]), new)]
    back += statements_to_write(known(back), old)
    values = [
        {kind: row.value for kind, row in in_force(rows, site("FRA"), START_US).items()}
        for rows in (forth, back)
    ]
    assert values[0] == values[1] == {FactorKind.GRID_INTENSITY: Decimal("56.039")}


def test_own_intensity_goes_before_the_years_mean_and_its_withdrawal_brings_that_back():
    rows = factors_of(priced(), site("FRA"), START_US)
    mean = next(row for row in rows if row.scope == "FRA")
    own = replace(mean, id="own", scope="lab", rank=400, value=Decimal(10), low=Decimal(10),
                  high=Decimal(10))  # fmt: skip
    gone = replace(own, id="gone", recorded_us=START_US + 1, value=None, low=None, high=None)
    assert in_force([*rows, own], site("FRA"), START_US)[FactorKind.GRID_INTENSITY] == own
    assert in_force([*rows, own, gone], site("FRA"), START_US)[FactorKind.GRID_INTENSITY] == mean


def test_a_site_gets_its_zone_by_code():
    assert site_of(config(zone="france")).zone == "FRA"
    assert site_of(config()).zone is None
    with pytest.raises(FactorError, match="did you mean"):
        site_of(config(zone="Frence"))


def test_a_pue_below_one_and_an_absurd_price_are_refused():
    with pytest.raises(FactorError, match="below 1"):
        factors_of(config(pue=band("0.9")), site(), START_US)
    with pytest.raises(FactorError, match="beyond 100 EUR/kWh"):
        factors_of(config(electricity=Electricity("EUR", band("20000"))), site(), START_US)
    with pytest.raises(FactorError, match="beyond 1,000 USD/h"):
        factors_of(config(gpu_time=GpuTime("USD", band("50000"))), site(), START_US)
    assert factors_of(config(electricity=Electricity("JPY", band("20000"))), site(), START_US)


def test_live_amounts_are_in_whole_units():
    rates = Rates.at(factors_of(priced(), site("FRA"), START_US), site("FRA"), START_US)
    amounts = {(a.carbon, a.kind): a for a in rates.of_energy(3_600_000_000)}  # 1 kWh
    assert amounts[False, "electricity"].value.quantize(Decimal("1E-9")) == Decimal("0.25")
    assert amounts[False, "electricity"].unit == "EUR"
    assert amounts[False, "electricity_overhead"].value.quantize(Decimal("1E-9")) == Decimal("0.05")
    assert amounts[True, "electricity"].value.quantize(Decimal("1E-6")) == Decimal("56.039")
    (hour,) = rates.of_gpu_time(HOUR_US)
    assert (hour.unit, hour.value.quantize(Decimal("1E-9"))) == ("USD", Decimal(2))
    assert len(rates.factors) == 4
