"""The facts that come with meter: complete, in range, found by the names of devices."""

from __future__ import annotations

from decimal import Decimal

import pytest

from meter.factors.books import WORLD, YEARLY
from meter.factors.bundled import embodied_for, gpu_fact, hardware_factors
from meter.factors.sheets import EMBODIED, GPUS, PRESETS, sheet
from meter.factors.units import QUANTITIES
from meter.model import FactorKind, Method

EVERY_SHEET = [fact for name in (EMBODIED, GPUS, PRESETS) for fact in sheet(name)]


def test_every_fact_has_bounds_source_date_and_licence():
    for fact in EVERY_SHEET:
        assert fact.low <= fact.value <= fact.high, fact
        assert fact.source, fact
        assert fact.source_date[:2] == "20", fact
        assert fact.licence, fact
        assert fact.method is not Method.MEASURED, fact


def test_no_fact_is_told_twice():
    keys = [(fact.kind, fact.item) for fact in EVERY_SHEET]
    assert len(keys) == len(set(keys))


def test_presets_are_called_assumptions():
    assert {fact.method for fact in sheet(PRESETS)} == {Method.ASSUMED}


def test_every_row_is_in_the_unit_and_range_of_its_kind():
    for row in hardware_factors(0):
        quantity = QUANTITIES[row.kind]
        assert row.unit == quantity.unit
        assert quantity.least <= row.low <= row.value <= row.high <= quantity.most
        assert (row.book, row.scope) == ("bundled", "world")
        assert row.rank == (YEARLY if row.item else WORLD)


def test_an_h100_has_its_boards_figure_and_an_assumed_share_of_a_server():
    board, server = embodied_for("NVIDIA H100 80GB HBM3", 7)
    assert (board.kind, board.item) == (FactorKind.EMBODIED_BOARD, "H100")
    assert board.value == Decimal("4.677161761")  # 164 kg over 4 years
    assert board.low == Decimal("3.118107841")  # 6 years
    assert board.high == Decimal("6.236215682")  # 3 years
    assert "164 kg over 4 (3 to 6) years" in board.detail
    assert (server.kind, server.item) == (FactorKind.EMBODIED_SERVER, None)
    assert round(board.value + server.value, 1) == Decimal("25.0")
    assert (board.method, server.method) == (Method.MODELLED, Method.ASSUMED)
    assert (board.recorded_us, server.recorded_us) == (7, 7)


def test_a_board_without_a_figure_has_the_range_of_the_others_assumed():
    board, _ = embodied_for("NVIDIA GeForce RTX 3060", 0)
    assert (board.item, board.method) == (None, Method.ASSUMED)
    known = [row for name in ("A100", "B200") for row in embodied_for(name, 0)[:1]]
    assert board.low == known[0].low
    assert board.high == known[1].high


@pytest.mark.parametrize(
    ("name", "watts", "teraflops"),
    [
        ("NVIDIA A100-SXM4-80GB", 400, 312),
        ("NVIDIA A100 80GB PCIe", 300, 312),
        ("NVIDIA A10", 150, 125),
        ("NVIDIA A10G", 300, 70),
        ("NVIDIA H100 80GB HBM3 (simulated)", 700, Decimal("989.5")),
        ("NVIDIA H100 PCIe", 350, Decimal("756.5")),
        ("h200 nvl", 600, Decimal("835.5")),
        ("NVIDIA GB200", 1200, 2500),
        ("NVIDIA L40S", 350, Decimal("362.05")),
        ("Tesla V100-SXM2-32GB", 300, 125),
        ("AMD Instinct MI300X OAM", 750, Decimal("1307.4")),
    ],
)
def test_a_device_is_found_by_its_name(name, watts, teraflops):
    power = gpu_fact(FactorKind.GPU_POWER, name, 0)
    compute = gpu_fact(FactorKind.GPU_COMPUTE, name, 0)
    assert (power.value, compute.value) == (watts, teraflops)


@pytest.mark.parametrize(
    "name",
    ["NVIDIA RTX A4000", "NVIDIA GeForce RTX 4090 Laptop GPU", "NVIDIA A1000", "NVIDIA T400", ""],
)
def test_nothing_is_told_of_a_device_that_is_only_named_alike(name):
    assert gpu_fact(FactorKind.GPU_POWER, name, 0) is None


def test_a_board_that_comes_in_several_kinds_has_their_bounds():
    power = gpu_fact(FactorKind.GPU_POWER, "H100", 0)
    assert (power.low, power.value, power.high) == (350, 700, 700)
