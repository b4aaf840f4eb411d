"""The Slurm scripts, run as slurmd runs them: no PATH, nothing but Slurm's own variables."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

SLURM = Path(__file__).resolve().parents[2] / "deploy" / "slurm"
SCRIPTS = sorted(SLURM.glob("*.sh"))


def run(script: str, **variables: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([SLURM / script], env=variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr  # another code would drain the node
    return done


def mapped(folder: Path) -> dict[str, list[str]]:
    return {path.name: path.read_text().splitlines() for path in folder.iterdir()}


@pytest.fixture
def job_map(tmp_path: Path) -> Path:
    return tmp_path / "map"


def prolog(job_map: Path, job: str, **variables: str) -> str:
    where = {"DCGM_HPC_JOB_MAPPING_DIR": str(job_map), "SLURM_JOB_ID": job}
    return run("prolog.sh", **where, **variables).stderr


def epilog(job_map: Path, job: str) -> str:
    where = {"DCGM_HPC_JOB_MAPPING_DIR": str(job_map), "SLURM_JOB_ID": job}
    return run("epilog.sh", **where).stderr


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_shellcheck_finds_nothing_in_the_scripts(script: Path, require_tool) -> None:
    done = subprocess.run(
        [require_tool("shellcheck"), "--enable=all", "--exclude=SC2310,SC2312", script],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_the_scripts_can_be_executed_as_they_are(script: Path) -> None:
    assert os.access(script, os.X_OK)


def test_the_prolog_writes_the_job_under_each_of_its_gpus(job_map: Path) -> None:
    assert prolog(job_map, "4711", SLURM_JOB_GPUS="0,2") == ""
    assert mapped(job_map) == {"0": ["4711"], "2": ["4711"]}


def test_the_nodes_own_gpu_numbers_go_before_those_that_cuda_sees(job_map: Path) -> None:
    prolog(job_map, "4711", SLURM_JOB_GPUS="6,7", CUDA_VISIBLE_DEVICES="0,1")
    assert mapped(job_map) == {"6": ["4711"], "7": ["4711"]}


def test_where_slurm_tells_only_of_cuda_devices_these_are_used(job_map: Path) -> None:
    prolog(job_map, "4711", CUDA_VISIBLE_DEVICES="3")
    assert mapped(job_map) == {"3": ["4711"]}


def test_a_mig_instance_is_a_file_of_its_own(job_map: Path) -> None:
    prolog(job_map, "4711", SLURM_JOB_GPUS="0.2")
    assert mapped(job_map) == {"0.2": ["4711"]}


def test_a_job_without_gpus_leaves_no_map(job_map: Path) -> None:
    prolog(job_map, "4711")
    assert not job_map.exists()


def test_jobs_that_share_a_gpu_stand_below_each_other_and_leave_one_by_one(job_map: Path) -> None:
    prolog(job_map, "47", SLURM_JOB_GPUS="0,1")
    prolog(job_map, "4711", SLURM_JOB_GPUS="0")
    prolog(job_map, "4711", SLURM_JOB_GPUS="0")  # requeued: still once
    assert mapped(job_map) == {"0": ["47", "4711"], "1": ["47"]}
    epilog(job_map, "47")
    assert mapped(job_map) == {"0": ["4711"]}
    epilog(job_map, "4711")
    assert mapped(job_map) == {}


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_the_agent_can_read_the_map_whatever_slurmds_umask_is(job_map: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        prolog(job_map, "4711", SLURM_JOB_GPUS="0")
        prolog(job_map, "47", SLURM_JOB_GPUS="0")
        epilog(job_map, "47")
    finally:
        os.umask(before)
    assert stat.S_IMODE(job_map.stat().st_mode) == 0o755
    assert [stat.S_IMODE(file.stat().st_mode) for file in job_map.iterdir()] == [0o644]
    assert mapped(job_map) == {"0": ["4711"]}


@pytest.mark.parametrize("job", ["", "../../etc", "4711\n12", "$(id)"])
def test_a_job_id_that_is_no_number_is_said_and_nothing_is_written(job_map: Path, job: str) -> None:
    assert "no number" in prolog(job_map, job, SLURM_JOB_GPUS="0")
    assert "no number" in epilog(job_map, job)
    assert not job_map.exists()


def test_a_gpu_that_is_no_index_is_said_and_the_others_are_written(job_map: Path) -> None:
    gpus = "GPU-8932f937,../x,*,1,.,2.,1.2.3"
    said = prolog(job_map, "4711", SLURM_JOB_GPUS=gpus)
    assert said.count("is no index") == 6
    assert mapped(job_map) == {"1": ["4711"]}


def test_a_place_that_cannot_be_a_folder_stops_no_job(tmp_path: Path) -> None:
    place = tmp_path / "map"
    place.write_text("a file")
    assert "not mapped" in prolog(place, "4711", SLURM_JOB_GPUS="0")
    assert epilog(place, "4711") == ""


def test_prologs_that_run_at_once_lose_nothing(job_map: Path) -> None:
    jobs = [str(1000 + number) for number in range(12)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda job: prolog(job_map, job, SLURM_JOB_GPUS="0,1"), jobs))
        assert {gpu: sorted(found) for gpu, found in mapped(job_map).items()} == {
            "0": jobs, "1": jobs,
        }  # fmt: skip
        list(pool.map(lambda job: epilog(job_map, job), jobs[1:]))
    assert mapped(job_map) == {"0": jobs[:1], "1": jobs[:1]}


@given(
    steps=st.lists(
        st.tuples(st.integers(1, 4), st.booleans(), st.sets(st.integers(0, 2), min_size=1)),
        max_size=6,
    )
)
def test_the_map_always_says_which_jobs_have_begun_and_not_ended(
    steps: list[tuple[int, bool, set[int]]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    job_map = tmp_path_factory.mktemp("law") / "map"
    job_map.mkdir()
    expected: dict[str, list[str]] = {}
    for job, begins, gpus in steps:
        if begins:
            prolog(job_map, str(job), SLURM_JOB_GPUS=",".join(map(str, sorted(gpus))))
            for gpu in gpus:
                jobs = expected.setdefault(str(gpu), [])
                jobs += [] if str(job) in jobs else [str(job)]
        else:
            epilog(job_map, str(job))
            left = {gpu: [j for j in jobs if j != str(job)] for gpu, jobs in expected.items()}
            expected = {gpu: jobs for gpu, jobs in left.items() if jobs}
        assert mapped(job_map) == expected


def task_prolog(**variables: str) -> list[str]:
    return run("task_prolog.sh", **variables).stdout.splitlines()


def test_a_task_is_told_of_the_nodes_agent_and_of_its_account(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        told = task_prolog(METER_SOCKET=path, SLURM_JOB_ACCOUNT="vision")
        assert told == [f"export METER_SOCKET={path}", "export METER_PROJECT=vision"]
        assert task_prolog(METER_SOCKET=path, METER_PROJECT="own", SLURM_JOB_ACCOUNT="vision") == [
            f"export METER_SOCKET={path}"
        ]


def test_a_task_on_a_node_without_an_agent_is_told_nothing(tmp_path: Path) -> None:
    assert task_prolog(METER_SOCKET=str(tmp_path / "none"), SLURM_JOB_ACCOUNT="vision") == []
