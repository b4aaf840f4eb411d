"""DCGM's job map: files of GPUs and instances, and garbage in them."""

from __future__ import annotations

import os
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meter.agent.job_map import MOST_BYTES, JobMap, holds_of, jobs_of
from meter.agent.runs import LiveRun, Wanted
from meter.agent.wishes import selection_of
from meter.model import Component, Device, Method, MigInstance, Run, RunLink

if TYPE_CHECKING:
    from pathlib import Path

SLICES = tuple(MigInstance(f"MIG-{n}", n, 0, n, 7) for n in (1, 2))
GPUS = (
    Device("GPU-0", Component.GPU, "H100", Method.MEASURED, index=0),
    Device("GPU-1", Component.GPU, "H100", Method.MEASURED, index=1),
    Device("GPU-2", Component.GPU, "H100", Method.MEASURED, index=2, instances=SLICES),
    Device("cpu-0", Component.CPU, "CPU", Method.MODELLED),
)
PLAIN = (*GPUS[:2], GPUS[3])


def live(job: str = "42", origin: str = "SLURM_JOB_ID", **wanted: str) -> LiveRun:
    return LiveRun(Run(job, "n", "p", 0, 0, "node", "site", origin=origin), Wanted(**wanted))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "0").write_text("41\n")
    (tmp_path / "1").write_text("41\n42\n")
    (tmp_path / "2.2").write_text("42\n")
    (tmp_path / "README").write_text("42")
    return tmp_path


def gpus(run: LiveRun, folder: Path | None) -> dict[str, Fraction]:
    found = selection_of(run, GPUS, None if folder is None else JobMap(folder))
    return {device: share for device, share in found.holds if device != "cpu-0"}


def test_a_job_holds_the_gpus_and_instances_whose_files_list_it(folder: Path) -> None:
    assert gpus(live(), folder) == {"GPU-1": 1, "GPU-2": Fraction(2, 7)}
    assert gpus(live("41"), folder) == {"GPU-0": 1, "GPU-1": 1}


def test_a_task_of_an_array_is_found_by_its_number(folder: Path) -> None:
    task = live("40_2")
    task.links.add(RunLink("40_2", "slurm", "42"))
    assert gpus(task, folder) == {"GPU-1": 1, "GPU-2": Fraction(2, 7)}


def test_a_run_of_another_origin_and_a_job_that_is_nowhere_are_not_mapped(folder: Path) -> None:
    assert set(gpus(live(origin="METER_RUN_ID"), folder)) == {"GPU-0", "GPU-1", "GPU-2"}
    assert set(gpus(live("7"), folder)) == {"GPU-0", "GPU-1", "GPU-2"}
    assert set(gpus(live(), None)) == {"GPU-0", "GPU-1", "GPU-2"}


def test_the_map_goes_before_numbers_that_count_inside_the_job_and_says_so(folder: Path) -> None:
    found = selection_of(live(visible="0,1"), GPUS, JobMap(folder))
    assert dict(found.holds) == {"GPU-1": 1, "GPU-2": Fraction(2, 7), "cpu-0": 1}
    assert [notice.code for notice in found.notices] == ["job_map_followed"]


def test_names_of_gpus_and_a_wish_go_before_the_map(folder: Path) -> None:
    assert gpus(live(visible="GPU-0"), folder) == {"GPU-0": 1}
    assert gpus(live(gpus="0"), folder) == {"GPU-0": 1}


def test_garbage_is_a_notice_and_the_rest_counts(folder: Path) -> None:
    (folder / "1").write_bytes(b"\xff\x00 job\n42\n" + b"x" * 200)
    (folder / "9").write_text("42")
    (folder / "2.5").write_text("42")
    os.mkfifo(folder / "0.1")
    found = selection_of(live(), GPUS, JobMap(folder))
    assert dict(found.holds)["GPU-1"] == 1
    (notice,) = found.notices
    assert notice.code == "job_map_unread"
    assert "0.1 is no file" in notice.text
    assert "no job id" in notice.text


def test_a_link_is_not_followed_and_no_line_is_quoted(folder: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("root:*:20228\n42\n")
    (folder / "2").symlink_to(secret)
    (folder / "0").write_text("41\nalice:*:20228\n")
    found = selection_of(live(), GPUS, JobMap(folder))
    assert dict(found.holds)["GPU-2"] == Fraction(2, 7)  # by the file 2.2 alone
    (notice,) = found.notices
    assert "2 is no file" in notice.text
    assert "0: line 2 is no job id" in notice.text
    assert "20228" not in notice.text


def test_what_is_no_file_is_told_and_waited_for_by_nobody(folder: Path) -> None:
    os.mkfifo(folder / "0.1")
    (folder / "0.2").mkdir()
    found = selection_of(live(), GPUS, JobMap(folder))
    (notice,) = found.notices
    assert "0.1 is no file" in notice.text
    assert "0.2 is no file" in notice.text


def test_a_file_without_end_is_read_in_part(folder: Path) -> None:
    (folder / "1").write_text("42\n" + "1234567\n" * MOST_BYTES)
    found = selection_of(live(), GPUS, JobMap(folder))
    assert dict(found.holds)["GPU-1"] == 1
    assert "longer than" in found.notices[0].text


def test_a_folder_that_is_not_there_is_a_notice(tmp_path: Path) -> None:
    found = selection_of(live(), GPUS, JobMap(tmp_path / "none"))
    assert len(found.holds) == 4
    assert [notice.code for notice in found.notices] == ["job_map_unread"]


def test_a_job_that_the_map_does_not_know_on_gpus_that_it_gives_to_others_is_told_so(
    folder: Path,
) -> None:
    found = selection_of(live("7", visible="0", container="0"), PLAIN, JobMap(folder))
    assert dict(found.holds) == {"GPU-0": 1, "cpu-0": 1}
    assert [notice.code for notice in found.notices] == ["job_map_unlisted"]
    (folder / "0").write_text("")
    found = selection_of(live("7", visible="0", container="0"), PLAIN, JobMap(folder))
    assert found.notices == ()


def test_numbers_of_a_slurm_job_are_followed_by_what_slurm_gave_it_and_doubted_without() -> None:
    found = selection_of(live(visible="0", container="1"), PLAIN, None)
    assert dict(found.holds) == {"GPU-1": 1, "cpu-0": 1}
    found = selection_of(live(visible="0"), PLAIN, None)
    assert [notice.code for notice in found.notices] == ["ambiguous_devices"]
    found = selection_of(live(visible="0", origin="METER_RUN_ID"), PLAIN, None)
    assert found.notices == ()


@given(st.text(max_size=300))
def test_whatever_a_file_holds_is_jobs_or_a_fault(text: str) -> None:
    faults: list[str] = []
    found = jobs_of("0", text, faults)
    words = {line.strip() for line in text.split("\n")} - {""}
    assert found <= words
    assert bool(faults) == (found != words)


@given(st.lists(st.from_regex(r"\d{1,4}(\.\d{1,4})?", fullmatch=True), max_size=6))
def test_no_map_holds_more_than_a_device(names: list[str]) -> None:
    assert all(0 < share <= 1 for _, share in holds_of(names, GPUS, []))
