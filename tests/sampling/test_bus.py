"""Whether a GPU may be there, by what the kernel shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from meter.sampling.bus import has_board

if TYPE_CHECKING:
    from pathlib import Path


def bus(folder: Path, *devices: tuple[str, str]) -> Path:
    for number, (vendor, class_) in enumerate(devices):
        place = folder / "bus" / f"0000:00:0{number}.0"
        place.mkdir(parents=True)
        (place / "vendor").write_text(f"{vendor}\n")
        (place / "class").write_text(f"{class_}\n")
    return folder / "bus"


@pytest.mark.parametrize(
    ("devices", "there"),
    [
        ([], False),
        ([("0x8086", "0x030000")], False),
        ([("0x10de", "0x040300")], False),
        ([("0x8086", "0x060000"), ("0x10de", "0x030200")], True),
        ([("0x10de", "0x030000")], True),
    ],
)
def test_a_board_is_one_of_nvidias_that_draws_or_computes(
    tmp_path: Path, devices: list[tuple[str, str]], *, there: bool
) -> None:
    assert has_board(bus(tmp_path, *devices), tmp_path / "none") == there


def test_a_driver_that_is_loaded_is_enough(tmp_path: Path) -> None:
    assert has_board(tmp_path / "none", tmp_path)
    (tmp_path / "0000:00:00.0").mkdir()  # a device that says nothing of itself
    assert not has_board(tmp_path, tmp_path / "none")
