"""One meter per node, however many ranks and launchers there are; the truth is counted once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.agents import agent, boot_ns, until
from meter.agent.runs import Outcome
from meter.model import RunStatus
from standin.scenario import H100, Gpu, Scenario, Square
from standin.truth import energy_mj

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.agents import Agent

METER = (sys.executable, "-m", "meter")
RANKS = str(Path(__file__).with_name("ranks.py"))
WORK = "import time; time.sleep(2)"
TICK_S, MOST_W = 0.1, 700
LATE_S = 1.0  # how late a busy machine may look


class Node:
    """Two GPUs behind NVML, and a user's variables."""

    def __init__(self, folder: Path) -> None:
        gpus = [Gpu(power=Square(100, MOST_W, period_s=p), sensor=H100) for p in (0.9, 1.03)]
        self.scenario = Scenario(gpus=gpus)
        self.scenario.write(folder)
        self.folder = folder
        self.variables = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(sys.path),
            "METER_HOME": str(folder),
            "METER_SOCKET": str(folder / "agent.sock"),
            "METER_LEASE_DIR": str(folder / "leases"),
            "METER_LISTEN": "127.0.0.1:0",
            **self.scenario.environment(folder),
        }

    def run(self, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            words,
            env={**self.variables, **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=180,
            check=True,
        )

    def meter(self, *words: str) -> Any:
        return json.loads(self.run(*METER, *words, "--json").stdout)

    def runs(self) -> list[str]:
        """Ids in the ledger, once the agent has let go of it."""
        return [run["run_id"] for run in self.meter("runs")["runs"]]

    def truth_j(self, run: dict[str, Any]) -> float:
        start, end = (_boot_ns(run[name]) for name in ("started_at", "ended_at"))
        anchor_ns = self.scenario.anchor_ns
        return sum(energy_mj(g, start, end, anchor_ns=anchor_ns) for g in self.scenario.gpus) / 1e3


def _boot_ns(text: str) -> int:
    offset = time.time_ns() - time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    return round(datetime.fromisoformat(text).timestamp() * 1e6) * 1_000 - offset


@pytest.fixture
def node(tmp_path: Path, require_tool: Any) -> Iterator[Node]:
    require_tool("cc")
    return Node(tmp_path)


def used_j(running: Agent, run: str) -> float:
    """What live counters have of a run."""
    of_run = "meter_run_energy_joules_total{"
    shown = running.page().items()
    return sum(v for name, v in shown if name.startswith(of_run) and f'run="{run}"' in name)


def assert_counted_once(node: Node, document: dict[str, Any]) -> None:
    """The energy is that of both GPUs over the run, once; never a multiple of it."""
    board = document["energy"]["by_component"]["gpu"]
    truth_j = node.truth_j(document["run"])
    assert board["low"] <= truth_j <= board["high"]
    unseen_s = (1 - document["coverage"]) * document["run"]["duration_s"]
    slack_j = 2 * MOST_W * (2 * TICK_S + unseen_s) + 0.05 * truth_j
    assert board["value"] == pytest.approx(truth_j, abs=slack_j)


def test_torchrun_under_the_meter_is_one_run_of_the_node(node: Node) -> None:
    ranks = (sys.executable, RANKS, "3", "none")
    node.run(*METER, "run", "--", *ranks, sys.executable, "-c", WORK)
    (run_id,) = node.runs()
    assert_counted_once(node, node.meter("show", run_id))


def test_ranks_that_each_start_the_meter_are_one_run_by_torchruns_id(node: Node) -> None:
    each = (*METER, "run", "--quiet", "--", sys.executable, "-c", WORK)
    with agent(node.folder, **node.variables, METER_SIMULATE="") as running:
        running.hear("reading")
        node.run(sys.executable, RANKS, "3", "tune-7", *each)
        (listed,) = running.ask("GET", "/v1/runs")[1]["runs"]
        document = running.ask("GET", "/v1/runs/tune-7")[1]
        running.stop()
    assert listed["run_id"] == "tune-7"
    assert document["run"]["status"] == "completed"
    assert_counted_once(node, document)


def test_a_rank_that_fails_makes_the_run_fail(node: Node) -> None:
    script = "import os, sys; sys.exit(int(os.environ['RANK']) == 1)"
    each = (*METER, "run", "--quiet", "--", sys.executable, "-c", script)
    with agent(node.folder, **node.variables, METER_SIMULATE="") as running:
        running.hear("reading")
        with pytest.raises(subprocess.CalledProcessError):
            node.run(sys.executable, RANKS, "2", "tune-8", *each)
        found = running.ask("GET", "/v1/runs")[1]["runs"]
        assert {run["status"] for run in found} >= {"failed"}
        assert {run["run_id"] for run in found} <= {"tune-8", "tune-8.2"}
        running.stop()


def test_a_rank_that_failed_is_known_after_a_restart_with_its_code(node: Node) -> None:
    go = node.folder / "go"
    wait = f"import pathlib, time\nwhile not pathlib.Path({str(go)!r}).exists(): time.sleep(0.1)"
    variables = {**node.variables, "TORCHELASTIC_RUN_ID": "tune-9"}

    def rank(job: str) -> subprocess.Popen[bytes]:
        words = (*METER, "run", "--quiet", "--", sys.executable, "-c", job)
        return subprocess.Popen(words, env=variables, stdin=subprocess.DEVNULL)

    with agent(node.folder, **node.variables, METER_SIMULATE="") as running:
        running.hear("reading")
        slow = rank(wait)
        until(lambda: running.ask("GET", "/v1/runs/tune-9")[0] == 200, "the first rank")
        assert rank("raise SystemExit(3)").wait(60) == 3
        running.kill()
    go.touch()
    assert slow.wait(120) == 0  # with an agent of its own
    run = node.meter("show", "tune-9")["run"]
    assert (run["status"], run["exit_code"]) == ("failed", 3)


@given(st.lists(st.sampled_from([0, 0, 1, 3, -9, None]), min_size=1, max_size=5))
def test_the_first_that_fails_gives_a_run_its_status_and_code(codes: list[int | None]) -> None:
    worst = None
    for code in codes:
        status = RunStatus.COMPLETED if code == 0 else RunStatus.FAILED
        status = RunStatus.ABANDONED if code is None else status
        worst = Outcome(status, code).after(worst)
    assert worst is not None
    assert worst.exit_code == next((code for code in codes if code != 0), 0)
    assert (worst.status is RunStatus.COMPLETED) == (worst.exit_code == 0)


def boards(answer: dict[str, Any]) -> set[str]:
    return {device["id"] for device in answer["devices"] if device["component"] == "gpu"}


def test_a_launcher_that_joins_brings_its_gpu_from_its_own_start_on(node: Node) -> None:
    variables = {**node.variables, "METER_SIMULATE": ""}
    with agent(node.folder, **variables) as first:
        first.hear("reading")
        until(lambda: first.ask("GET", "/healthz")[0] == 200, "it is fresh")
        began = boot_ns()
        one = boards(first.begin("j", started_ns=began, gpus="0"))
        until(lambda: boot_ns() - began > 3e9, "three seconds on one GPU")
        joined = boot_ns()
        both = boards(first.begin("j", started_ns=joined, gpus="1"))
        until(lambda: boot_ns() - joined > 1e9, "a second on both")
        first.kill()
    with agent(node.folder, **variables) as second:
        second.hear("reading")
        until(lambda: boot_ns() - joined > 2e9, "a second on both again")
        end = boot_ns()
        document = second.end("j", ended_ns=end)
        second.stop()
    found = {device["id"]: device["energy"] for device in document["energy"]["devices"]}
    ids = [*one, *(both - one)]
    for gpu, device, start in zip(node.scenario.gpus, ids, (began, joined), strict=True):
        truth_j = energy_mj(gpu, start, end, anchor_ns=node.scenario.anchor_ns) / 1e3
        energy = found[device]
        assert energy["low"] <= truth_j <= energy["high"]
        assert energy["value"] == pytest.approx(truth_j, rel=0.05, abs=4 * TICK_S * MOST_W)


def test_several_runs_at_once_share_the_node_and_add_up_to_it(node: Node) -> None:
    with agent(node.folder, **node.variables, METER_SIMULATE="") as running:
        running.hear("reading")
        until(lambda: running.ask("GET", "/healthz")[0] == 200, "it is fresh")
        began = boot_ns()
        running.begin("a", started_ns=began)
        running.begin("b", started_ns=began, gpus="0")
        until(lambda: used_j(running, "a") > 500, "some energy")
        end = boot_ns()
        documents = [running.end(run, ended_ns=end) for run in ("a", "b")]
        running.stop()
    anchor_ns = node.scenario.anchor_ns
    truth_j = sum(energy_mj(g, began, end, anchor_ns=anchor_ns) for g in node.scenario.gpus) / 1e3
    boards = [document["energy"]["by_component"]["gpu"] for document in documents]
    assert sum(b["low"] for b in boards) <= truth_j <= sum(b["high"] for b in boards)
    both = sum(b["value"] for b in boards)
    assert both == pytest.approx(truth_j, rel=0.05, abs=4 * TICK_S * MOST_W)
    assert {d["id"] for d in documents[1]["energy"]["devices"]} < {
        d["id"] for d in documents[0]["energy"]["devices"]
    }


def test_a_run_on_two_nodes_is_a_part_in_each_ledger(tmp_path: Path) -> None:
    """Each node's agent has its own part; the sum of both is the run."""
    parts = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        with agent(folder) as running:
            running.hear("reading")
            running.begin("42", origin="SLURM_JOB_ID")
            until(lambda running=running: used_j(running, "42") > 1, "some energy")
            parts.append(running.end("42"))
            running.stop()
    assert [part["run"]["id"] for part in parts] == ["42", "42"]
    assert all(part["energy"]["it"]["value"] > 0 for part in parts)
    assert all("links" not in part["run"] for part in parts)  # no attempt at the other's
