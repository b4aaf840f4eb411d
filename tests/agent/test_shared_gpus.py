"""Three jobs on shared GPUs and a MIG board, one killed: a real agent against exact truth."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from agent.agents import PATIENCE_S, Agent, agent, until
from meter.errors import MeterError
from meter.ledger import open_reader
from meter.ledger.reports import run_document
from standin.scenario import H100, Constant, Gpu, MigInstance, Process, Scenario, Square
from standin.truth import energy_mj

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TICK_MJ = 700_000 // 10
"""Most that one counter tick can hide at an end of the time metered."""
STEPS, STEP_S = 40, 0.5
MIG = {"a": ("MIG-aaaaaaaa", 3), "b": ("MIG-bbbbbbbb", 4)}
"""Instance and slices of each run on the MIG board."""


class Job:
    """`meter run` with a process that has the GPUs; its PID is where the stand-in looks for it."""

    def __init__(self, folder: Path, name: str, gpus: str, environment: dict[str, str]) -> None:
        self.pid_file = folder / f"{name}.pid"
        script = f"echo $$ > '{self.pid_file}.new'; mv '{self.pid_file}.new' '{self.pid_file}'"
        words = ["run", "--quiet", "--gpus", gpus, "--", "sh", "-c", f"{script}; exec sleep 600"]
        self.launcher = subprocess.Popen(
            [sys.executable, "-m", "meter", *words],
            env={**environment, "METER_RUN_ID": name},
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.pid = int(until(self._pid, f"{name} runs"))

    def _pid(self) -> str:
        return self.pid_file.read_text().strip() if self.pid_file.exists() else ""

    def end(self) -> None:
        """End the job, and with it the launcher."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)
        self.launcher.wait(PATIENCE_S)


@dataclass(frozen=True)
class Node:
    """GPU 0 is everybody's, GPU 1 of b and c, GPU 2 a MIG board of a and b."""

    folder: Path
    scenario: Scenario
    agent: Agent

    def joules(self, gpu: int) -> float:
        """What a GPU has used since the agent's start."""
        name = f'meter_gpu_energy_joules_total{{gpu="{gpu}"'
        return sum(value for n, value in self.agent.page().items() if n.startswith(name))

    def of_run(self, run_id: str) -> float:
        """The live counter of a run; a document would close the open minute."""
        page = self.agent.page().items()
        found = [(n, j) for n, j in page if n.startswith("meter_run_energy_joules_total{")]
        return sum(joules for name, joules in found if f'run="{run_id}"' in name)

    def reach(self, joules: float) -> None:
        """Wait until the first GPU has used so much more than now."""
        aim = self.joules(0) + joules
        until(lambda: self.joules(0) >= aim, f"{joules} J more")

    def codes(self, run_id: str) -> set[str]:
        _, document = self.agent.ask("GET", f"/v1/runs/{run_id}")
        return {notice["code"] for notice in document["notices"]}


def rows(folder: Path) -> list[dict[str, Any]]:
    with duckdb.connect(str(folder / "ledger.duckdb"), read_only=True) as con:
        found = con.execute(
            "SELECT interval.*, nvml_index AS gpu FROM interval"
            " JOIN device ON device.id = device_id WHERE component = 'gpu'"
        )
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


@pytest.fixture
def pair(tmp_path: Path, require_tool: Any) -> Iterator[tuple[Node, dict[str, Job]]]:
    """A GPU that two jobs share: a hardly uses it, b nearly all the time."""
    require_tool("cc")
    processes = [
        Process(pid=f"file:{tmp_path / name}.pid", sm_percent=sm)
        for name, sm in (("a", 5), ("b", 90))
    ]
    gpu = Gpu(power=Constant(500), sensor=H100, processes=processes)
    scenario = Scenario(gpus=[gpu])
    scenario.write(tmp_path)
    variables = {**scenario.environment(tmp_path), "METER_SIMULATE": "", "METER_HOST": "0"}
    with ExitStack() as stack:
        running = stack.enter_context(agent(tmp_path, **variables))
        running.hear("reading")
        until(lambda: running.ask("GET", "/healthz")[0] == 200, "healthy")
        jobs = {}
        for name in "ab":
            jobs[name] = Job(tmp_path, name, "0", running.environment)
            stack.callback(jobs[name].end)
        yield Node(tmp_path, scenario, running), jobs


@pytest.fixture
def node(tmp_path: Path, require_tool: Any) -> Iterator[Node]:
    require_tool("cc")
    pids = {name: f"file:{tmp_path / name}.pid" for name in "abc"}
    gpus = [
        Gpu(
            power=Square(300, 500, period_s=0.9),
            sensor=H100,
            processes=[
                Process(pid=pids[name], sm_percent=sm)
                for name, sm in (("a", 60), ("b", 20), ("c", 20))
            ],
        ),
        Gpu(
            power=Constant(400),
            sensor=H100,
            processes=[Process(pid=pids["b"], sm_percent=75), Process(pid=pids["c"])],
        ),
        Gpu(
            power=Constant(350),
            sensor=H100,
            mig=True,
            instances=[
                MigInstance(uuid=uuid, gpu_instance=slices, slices=slices)
                for uuid, slices in MIG.values()
            ],
        ),
    ]
    scenario = Scenario(gpus=gpus)
    scenario.write(tmp_path)
    variables = {**scenario.environment(tmp_path), "METER_SIMULATE": "", "METER_HOST": "0"}
    with agent(tmp_path, **variables) as running:
        running.hear("reading")
        until(lambda: running.ask("GET", "/healthz")[0] == 200, "healthy")
        yield Node(tmp_path, scenario, running)


def test_three_jobs_on_shared_gpus_and_one_killed_add_up_to_the_truth(node: Node) -> None:
    with ExitStack() as stack:
        jobs = {}
        for name, gpus in (("a", f"0,{MIG['a'][0]}"), ("b", f"0,1,{MIG['b'][0]}"), ("c", "0,1")):
            jobs[name] = Job(node.folder, name, gpus, node.agent.environment)
            stack.callback(jobs[name].end)
        node.reach(5_600)
        jobs["c"].launcher.kill()  # its process stays on the GPUs, and is nobody's now
        until(lambda: "run_abandoned" in node.codes("c"), "c is given up")
        node.reach(2_000)
        jobs["a"].end()
        jobs["b"].end()
        codes = {name: node.codes(name) for name in "abc"}
    node.agent.stop()
    assert {"shared_by_use", "mig_share"} <= codes["a"] & codes["b"]
    assert "shared_by_use" in codes["c"]
    found = rows(node.folder)
    check_truth(node, found)
    check_shares(found)


def test_an_agent_that_was_killed_splits_the_open_minute_as_it_had(
    pair: tuple[Node, dict[str, Job]],
) -> None:
    node, jobs = pair
    until(lambda: node.of_run("b") > 3 * node.of_run("a"), "the looks tell")
    known_j = node.of_run("b")
    node.agent.kill()  # the launchers start another
    until(lambda: node.agent.ask("GET", "/v1/runs/a")[0] == 200, "another")
    for job in jobs.values():
        job.end()
    used = {name: energy_j(node, name) for name in "ab"}
    assert used["b"] >= known_j  # what was shown is in the report
    assert used["b"] > 3 * used["a"]


def test_a_mark_on_a_shared_gpu_waits_for_the_look_that_splits_its_time(
    pair: tuple[Node, dict[str, Job]],
) -> None:
    node, jobs = pair
    for step in range(STEPS):
        assert node.agent.ask("POST", "/v1/runs/a/marks", {"step": step})[0] == 202
        time.sleep(STEP_S)
    for job in jobs.values():
        job.end()
    node.agent.stop()
    with duckdb.connect(str(node.folder / "ledger.duckdb"), read_only=True) as con:
        told = con.execute("SELECT energy_mj, marked_at FROM mark ORDER BY marked_at").fetchall()
    assert len(told) == STEPS
    powers = [
        (after - before) / 1_000 / (at - was).total_seconds()
        for (before, was), (after, at) in pairwise(told)
    ]
    expected_w = 430 * 5 / 95 + 70 / 2  # its part above idle, and half of idle
    assert median(powers) == pytest.approx(expected_w, rel=0.1)
    assert min(powers) > 0.5 * expected_w


def energy_j(node: Node, name: str) -> float:
    """What the report of a run says, once it has ended."""

    def ended() -> dict[str, Any] | None:
        with suppress(MeterError), open_reader(node.folder / "ledger.duckdb") as reader:
            document = run_document(reader, name)
            return document if document["run"]["status"] != "running" else None
        return None

    return float(until(ended, f"{name} has ended")["energy"]["it"]["value"])


def check_truth(node: Node, found: list[dict[str, Any]]) -> None:
    """Every mJ has an owner, and together they are what the GPUs truly drew."""
    shown_ns = time.time_ns() - time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    for index, gpu in enumerate(node.scenario.gpus):
        own = [row for row in found if row["gpu"] == index]
        ends = min(row["start_at"] for row in own), max(row["end_at"] for row in own)
        start, end = (
            int(at.replace(tzinfo=UTC).timestamp() * 1e6) * 1_000 - shown_ns for at in ends
        )
        truth = energy_mj(gpu, start, end, anchor_ns=node.scenario.anchor_ns)
        energy = sum(row["energy_mj"] for row in own)
        assert energy == pytest.approx(truth, rel=0.001, abs=2 * TICK_MJ)


def check_shares(found: list[dict[str, Any]]) -> None:
    shared: Counter[tuple[int, str]] = Counter()
    until_at = max(row["end_at"] for row in found if row["run_id"] == "a")
    for row in found:
        if row["method"] == "modelled" and row["end_at"] <= until_at:
            shared[row["gpu"], row["run_id"] or row["kind"]] += row["energy_mj"]
    whole = sum(energy for (gpu, _), energy in shared.items() if gpu == 0)
    active, idle = 330 / 400, 70 / 400  # of the power, the limit's tenth being idle
    assert 0.6 * active + idle / 4 <= shared[0, "a"] / whole + 0.03
    assert shared[0, "a"] / whole <= 0.6 * active + idle / 2 + 0.03
    assert 0.2 * active + idle / 4 <= shared[0, "b"] / whole + 0.03
    assert shared[0, "unattributed"] > 0  # what the killed launcher left behind
    assert shared[1, "b"] > 5 * shared[1, "c"]  # c has a context there and does nothing
    assert shared[2, "a"] * 4 == pytest.approx(shared[2, "b"] * 3, rel=0.25)
