"""Other GPUs: which model is meant, and how far the scaling is trusted."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest

from meter.errors import UsageError
from meter.identified import identified
from meter.model import Factor, FactorKind, Method
from meter.whatif.gpus import Catalogue, replacement, replacements


def row(kind: FactorKind, item: str, value: int, low: int | None = None, at_us: int = 1) -> Factor:
    unit = "W" if kind is FactorKind.GPU_POWER else "TFLOPS"
    amount = Decimal(value)
    return identified(
        Factor(
            "", kind, "world", amount, Decimal(low or value), amount, unit, "a datasheet",
            Method.SOURCED, at_us, 200, item=item, book="bundled",
        )
    )  # fmt: skip


ROWS = (
    row(FactorKind.GPU_COMPUTE, "A100", 312),
    row(FactorKind.GPU_POWER, "A100", 400, 250),
    row(FactorKind.GPU_POWER, "A100-SXM4", 400),
    row(FactorKind.GPU_COMPUTE, "H100", 989),
    row(FactorKind.GPU_POWER, "H100", 700),
    row(FactorKind.GPU_COMPUTE, "H100 PCIe", 756),
    row(FactorKind.GPU_POWER, "H100 PCIe", 350),
    row(FactorKind.GPU_POWER, "GeForce RTX 4090", 450),
    row(FactorKind.GPU_COMPUTE, "GeForce RTX 4090", 165),
    row(FactorKind.GPU_POWER, "L4", 72),
)
BOOK = Catalogue(ROWS)


@pytest.mark.parametrize(
    ("name", "compute", "power"),
    [
        ("NVIDIA A100-SXM4-80GB (simulated)", 312, 400),
        ("NVIDIA H100 PCIe", 756, 350),
        ("NVIDIA H100 80GB HBM3", 989, 700),
    ],
)
def test_the_longest_part_of_a_name_decides(name, compute, power):
    found = BOOK.of_device(name)
    assert (found.compute.value, found.power.value) == (compute, power)


@pytest.mark.parametrize("text", ["h100", "H100", "NVIDIA H100 80GB HBM3"])
def test_a_model_is_meant_by_any_case_and_by_a_full_name(text):
    assert BOOK.named(text).name == "H100"


def test_a_part_of_one_name_only_is_enough():
    assert BOOK.named("4090").name == "GeForce RTX 4090"


def test_an_unknown_model_is_answered_with_the_nearest():
    with pytest.raises(UsageError, match=r"no GPU 'H10' .* did you mean H100 or H100 PCIe"):
        BOOK.named("H10")
    with pytest.raises(UsageError, match=r"give one of A100, A100-SXM4, GeForce"):
        BOOK.named("xyzzy")


def test_half_known_is_not_known():
    with pytest.raises(UsageError, match="not in the books: import a gpu_compute and a gpu_power"):
        BOOK.of_device("NVIDIA L4")


def test_a_newer_row_stands():
    newer = Catalogue([*ROWS, row(FactorKind.GPU_POWER, "H100", 650, at_us=2)])
    assert newer.named("H100").power.value == 650


def test_time_goes_with_compute_and_energy_with_both():
    found = replacement(BOOK.of_device("A100-SXM4"), BOOK.named("H100"))
    assert found.time.value == Fraction(312, 989)
    assert found.energy.value == Fraction(312, 989) * Fraction(700, 400)


def test_the_bounds_hold_a_job_that_is_no_faster_and_one_that_needs_the_same_energy():
    found = replacement(BOOK.of_device("A100-SXM4"), BOOK.named("H100"))
    assert found.time.low <= Fraction(312, 989)
    assert found.time.high == 1
    assert found.energy.low <= found.energy.value < 1 < found.energy.high
    assert found.energy.high == Fraction(700, 400)
    slower = replacement(BOOK.named("H100"), BOOK.of_device("A100-SXM4"))
    assert slower.time.low == 1
    assert slower.time.high == Fraction(989, 312)
    assert slower.energy.low == Fraction(400, 700)


def test_the_same_model_changes_nothing():
    found = replacement(BOOK.named("A100"), BOOK.named("A100"))
    assert {found.time.low, found.time.high, found.energy.low, found.energy.high} == {1}


def test_a_run_without_a_gpu_has_none_to_replace():
    devices = {"cpu-0": {"component": "cpu", "name": "EPYC"}}
    with pytest.raises(UsageError, match="the run used no GPU: leave --gpu out"):
        replacements(devices, "H100", BOOK)
