"""What rows of Fireworks' metrics tell beside quantities, and what is wrong with them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from meter.hosted_facts import Meter, Training, Usage
from tests.hosted.bills.test_bills import SHAPES, faults, read

HEAD = (
    "start_time,end_time,usage_type,accelerator_type,accelerator_seconds,base_model_name,"
    "parameter_count,prompt_tokens,completion_tokens"
)
AT = "2026-11-02 10:00:00 UTC,2026-11-02 10:00:00 UTC"


def row(
    kind="SFT_TRAINING_USAGE", parameters="8000000000", prompt="6000000", seconds="",
    model="example",
) -> str:  # fmt: skip
    return f"{AT},{kind},,{seconds},{model},{parameters},{prompt},0"


def told(*rows: str) -> list[Usage]:
    return list(read("\n".join([HEAD, *rows]), "fireworks").usages)


@pytest.mark.parametrize(
    ("kind", "training"),
    [
        ("SFT_TRAINING_USAGE", Training.SFT), ("SUPERVISED_FINE_TUNING", Training.SFT),
        ("DPO_TRAINING_USAGE", Training.DPO), ("RFT_TRAINING_USAGE", Training.RFT),
        ("REINFORCEMENT_FINE_TUNING", Training.RFT), ("TRAINING_USAGE", None),
        ("SWIFT_TRAINING_USAGE", None), ("TEXT_COMPLETION_INFERENCE_USAGE", None),
    ],
)  # fmt: skip
def test_the_sort_of_training_is_read_from_the_word(kind: str, training: Training | None) -> None:
    (usage,) = told(row(kind))
    assert usage.training is training


@pytest.mark.parametrize(
    ("parameters", "billions"),
    [
        ("8000000000", Decimal(8)), ("8030261248", Decimal("8.030261")),
        ("1026408232448", Decimal("1026.408232")), ("0", None), ("", None),
    ],
)  # fmt: skip
def test_parameters_are_billions_of_every_row(parameters: str, billions: Decimal | None) -> None:
    for kind in ("SFT_TRAINING_USAGE", "TEXT_COMPLETION_INFERENCE_USAGE"):
        (usage,) = told(row(kind, parameters))
        assert usage.parameters_b == billions


def test_without_a_count_the_model_s_name_tells_its_size_as_of_jobs() -> None:
    (usage,) = told(row(parameters="", model="accounts/fireworks/models/llama-v3p1-70b"))
    assert usage.parameters_b == 70


@pytest.mark.parametrize("bad", ["8B", "-1", "NaN", "1e30"])
def test_a_count_of_parameters_that_is_none_is_a_fault(bad: str) -> None:
    content = "\n".join([HEAD, row(parameters=bad)])
    (fault,) = faults(content, provider="fireworks")
    assert fault.startswith("bill:2:parameter_count: ")


def test_each_row_that_used_nothing_is_told_and_each_other_fault_too() -> None:
    nothing, good, bad = row(prompt="0"), row(), row(prompt="-1")
    rows = f"{HEAD}\n{nothing}\n{good}\n{nothing}\n{bad}\n{nothing}"
    found = faults(rows, provider="fireworks")
    assert [one.split(":")[1] for one in found] == ["2", "4", "5", "6"]
    assert ["neither GPU time nor tokens" in one for one in found] == [True, True, False, True]


def test_gpu_time_of_reinforcement_is_its() -> None:
    (usage,) = told(row("RFT_TRAINING_USAGE", seconds="60"))
    assert (usage.quantities[0].meter, usage.training) == (Meter.GPU_SECOND, Training.RFT)


def test_the_shape_tells_both() -> None:
    *_, trained = read((SHAPES / "fireworks.csv").read_bytes(), "fireworks").usages
    assert (trained.training, trained.parameters_b) == (Training.SFT, 8)
