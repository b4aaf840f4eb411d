"""What a site states by single values: presets, losses, owned GPUs, embodied carbon."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meter.config import Banded, Electricity, Embodied, GpuTime, Instrument, Owned
from meter.errors import FactorError
from meter.factors import factors_of
from meter.factors.books import YEARLY
from meter.factors.bundled import lifetime
from meter.factors.live import in_force
from meter.factors.own import hourly_cost_of, uplift_of
from meter.factors.presets import preset, presets
from meter.model import FactorKind, Method
from tests.factors import sheets
from tests.ledger.facts import START_US, band, config, site

SITE_KINDS = {FactorKind.PUE, FactorKind.WUE, FactorKind.TND_UPLIFT}
NANO = Decimal("1E-9")


def row(kind, **changes):
    (found,) = (f for f in factors_of(config(**changes), site(), START_US) if f.kind is kind)
    return found


def bands(least, most, places=4):
    numbers = st.decimals(least, most, places=places)
    return st.lists(numbers, min_size=3, max_size=3).map(
        lambda parts: Banded(sorted(parts)[1], min(parts), max(parts))
    )


def test_a_preset_is_an_assumption_with_its_own_source():
    pue = row(FactorKind.PUE, pue=preset("pue", "hyperscale"))
    assert pue.method is Method.ASSUMED
    assert pue.low < pue.value < pue.high
    assert pue.source != "configuration"
    assert pue.source_date
    assert pue.licence
    assert pue.detail.startswith("preset hyperscale, an assumption")


def test_an_own_value_is_sourced_from_the_configuration():
    wue = row(FactorKind.WUE, wue=band("0.3"))
    assert (wue.value, wue.unit, wue.method) == (Decimal("0.3"), "L/kWh", Method.SOURCED)
    assert (wue.source, wue.detail, wue.item) == ("configuration", None, None)


def test_every_row_of_a_configuration_has_source_date_and_licence():
    when = {"source_date": "2026-01"}
    stated = {
        "pue": band("1.2"), "wue": band("0.3"), "tnd_loss": band("0.05"),
        "site_source_date": "2025",
        "electricity": Electricity("EUR", band("0.25"), **when),
        "gpu_time": GpuTime("EUR", band("2"), **when),
        "embodied": Embodied(band("164"), band("480"), **when),
        "instruments": (Instrument("residual", 1, band("450"), Decimal(1), **when),),
    }  # fmt: skip
    rows = [f for f in factors_of(config(**stated), site(), START_US) if f.rank != YEARLY]
    own = [f for f in rows if f.book == "configuration"]
    assert len(own) == 8
    assert {f.licence for f in own} == {"own data"}
    of_site = {f.source_date for f in own if f.kind in SITE_KINDS}
    assert of_site == {"2025"}
    assert {f.source_date for f in own if f.kind not in SITE_KINDS} == {"2026-01"}


def test_a_date_that_is_not_given_is_not_stated_and_a_withdrawal_needs_none():
    stated, withdrawn = row(FactorKind.PUE, pue=band("1.2")), row(FactorKind.PUE)
    assert (stated.source_date, stated.licence) == ("not stated", "own data")
    assert (withdrawn.source_date, withdrawn.licence) == (None, None)
    dated = row(FactorKind.PUE, pue=preset("pue", "hyperscale"), site_source_date="2025")
    assert dated.source_date == preset("pue", "hyperscale").origin.source_date


def test_an_unknown_preset_is_refused_with_the_nearest_names():
    with pytest.raises(FactorError, match=r"no preset 'hyperscail': .*hyperscale"):
        preset("pue", "hyperscail")
    with pytest.raises(FactorError, match="one of aws-us-east-1, us-mean"):
        preset("wue", "0,4 l")
    assert preset("pue", " Uptime_2023 ").value == Decimal("1.58")


def test_each_kind_has_presets():
    assert all(presets(kind) for kind in ("pue", "wue", "tnd_loss"))


def test_a_loss_of_a_tenth_is_an_uplift_of_a_ninth():
    uplift = row(FactorKind.TND_UPLIFT, tnd_loss=band("0.1", "0.05", "0.2"))
    assert uplift.value == Decimal("0.111111111")
    assert (uplift.low, uplift.high) == (Decimal("0.052631579"), Decimal("0.25"))
    assert uplift.detail.startswith("loss of 0.1 (0.05 to 0.2) of what is fed into the grid")
    assert row(FactorKind.TND_UPLIFT, tnd_loss=preset("tnd_loss", "uk")).method is Method.ASSUMED


@given(bands("0", "0.4999"))
def test_what_is_fed_in_without_the_loss_is_what_arrives(loss):
    uplift = uplift_of(loss)
    assert uplift.low <= uplift.value <= uplift.high
    for share, factor in zip(
        (loss.value, loss.low, loss.high), (uplift.value, uplift.low, uplift.high), strict=True
    ):
        assert abs((1 + factor) * (1 - share) - 1) <= NANO


def test_an_owned_gpu_costs_its_price_over_its_hours_of_use():
    owned = Owned(band("35064"), band("4"), band("0.5"))
    rate = row(FactorKind.GPU_HOUR_RATE, gpu_time=GpuTime("EUR", None, "invoice 7", owned))
    assert (rate.value, rate.low, rate.high) == (Decimal(2),) * 3
    assert (rate.unit, rate.currency, rate.source) == ("EUR/h", "EUR", "invoice 7")
    assert rate.method is Method.MODELLED
    assert rate.detail == "owned: 35064 EUR over 4 years of 8766 h, in use for 0.5 of them"


@given(bands("1", "1000000"), bands("0.5", "30"), bands("0.01", "1"), st.data())
def test_every_owned_gpu_inside_the_bands_costs_a_rate_inside_the_bounds(price, life, use, data):
    rate = hourly_cost_of(Owned(price, life, use))
    assert rate.low <= rate.value <= rate.high
    inside = [data.draw(st.decimals(b.low, b.high, places=4)) for b in (price, life, use)]
    cost = inside[0] / (inside[1] * 8766 * inside[2])
    assert rate.low - NANO <= cost <= rate.high + NANO


def test_own_embodied_carbon_is_spread_over_the_life():
    embodied = Embodied(band("350.64"), None, band("4", "2", "5"), "sheet")
    rows = factors_of(config(embodied=embodied), site(), START_US)
    board, server = (
        next(f for f in rows if f.kind is kind)
        for kind in (FactorKind.EMBODIED_BOARD, FactorKind.EMBODIED_SERVER)
    )
    assert (board.value, board.low, board.high) == (Decimal(10), Decimal(8), Decimal(20))
    assert (board.scope, board.item, board.rank, board.source) == ("lab", None, 400, "sheet")
    assert board.detail == "350.64 kg over 4 (2 to 5) years of 8766 h"
    assert server.value is None


def test_without_an_own_life_the_usual_one_holds():
    board = row(FactorKind.EMBODIED_BOARD, embodied=Embodied(band("164"), band("100")))
    life = lifetime()
    assert board.value == (164_000 / (life.value * 8766)).quantize(NANO)
    assert board.low < board.value < board.high


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"pue": band("5.5")}, "absurd: the most is 5"),
        ({"wue": band("-1")}, "below 0"),
        ({"wue": band("60")}, "absurd"),
        ({"tnd_loss": band("0.6")}, "absurd"),
        ({"embodied": Embodied(band("9000000"), None)}, "absurd"),
    ],
)
def test_a_value_that_its_kind_cannot_have_is_refused(changes, said):
    with pytest.raises(FactorError, match=said):
        factors_of(config(**changes), site(), START_US)


@pytest.mark.parametrize("later_us", [-1, 1])
def test_an_imported_value_of_a_site_goes_before_the_configured_one_in_either_order(later_us):
    configured = row(FactorKind.PUE, pue=band("1.5"))
    imported = sheets.factor(kind="pue", value="1.2", unit="", scope="lab")
    imported = replace(imported, id="x", recorded_us=configured.recorded_us + later_us)
    assert configured.scope == imported.scope
    for rows in ([configured, imported], [imported, configured]):
        assert in_force(rows, site(), START_US)[FactorKind.PUE].value == Decimal("1.2")
