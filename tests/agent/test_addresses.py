"""Jobs that mark under the id that they were given, when several runs go by it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Self

from agent.agents import Agent, agent, until

if TYPE_CHECKING:
    from pathlib import Path

METER = (sys.executable, "-m", "meter", "run", "--quiet")
STEPS = """
import time, meter
for step in range(4):
    meter.mark(step=step, phase="train")
    time.sleep(0.3)
assert meter.marks.flush(30), meter.marks.dropped()
"""
SLURM = {"origin": "SLURM_JOB_ID"}


class Jobs:
    """Jobs of a batch system on one node."""

    def __init__(self, node: Agent, folder: Path) -> None:
        self.folder = folder
        left_out = {"METER_SIMULATE"}
        self.variables = {k: v for k, v in node.environment.items() if k not in left_out}

    def start(self, name: str, job: str, *words: str, **variables: str) -> subprocess.Popen[bytes]:
        told = str(self.folder / f"{name}.json")
        return subprocess.Popen(
            [*METER, "--summary-json", told, *words, "--", sys.executable, "-c", job],
            env={**self.variables, **variables},
            stdin=subprocess.DEVNULL,
        )

    def document(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / f"{name}.json").read_text())
        return found


def spans(document: dict[str, Any]) -> int:
    return (document.get("steps") or {}).get("spans", 0)


def codes(document: dict[str, Any]) -> set[str]:
    return {notice["code"] for notice in document["notices"]}


def test_each_attempt_of_a_requeued_job_has_its_own_steps(tmp_path: Path) -> None:
    with agent(tmp_path) as node:
        node.hear("reading")
        jobs = Jobs(node, tmp_path)
        for name in ("first", "second"):
            assert jobs.start(name, STEPS, SLURM_JOB_ID="77").wait(120) == 0
        first, second = jobs.document("first"), jobs.document("second")
        node.stop()
    assert (first["run"]["id"], second["run"]["id"]) == ("77", "77.2")
    assert [spans(first), spans(second)] == [3, 3]
    assert "marks_dropped" not in codes(first) | codes(second)


def test_marks_reach_the_project_whose_job_made_them(tmp_path: Path) -> None:
    wait = "import time; time.sleep(600)"
    with agent(tmp_path) as node:
        node.hear("reading")
        jobs = Jobs(node, tmp_path)
        other = jobs.start("a", wait, "--project", "a", SLURM_JOB_ID="78")
        until(lambda: node.ask("GET", "/v1/runs/78")[0] == 200, "the other project's run")
        assert jobs.start("b", STEPS, "--project", "b", SLURM_JOB_ID="78").wait(120) == 0
        other.terminate()
        other.wait(60)
        found = {name: jobs.document(name) for name in ("a", "b")}
        node.stop()
    assert {name: doc["run"]["id"] for name, doc in found.items()} == {"a": "78", "b": "78.2"}
    assert {name: spans(doc) for name, doc in found.items()} == {"a": 0, "b": 3}


def test_a_job_may_mark_before_its_attempt_is_registered(tmp_path: Path) -> None:
    with agent(tmp_path) as node:
        node.hear("reading")
        node.begin("5", **SLURM)
        node.end("5")
        with Asker(node, "5") as asker:
            assert asker() == 404  # to be asked again: it began after the end of the first
            node.begin("5", **SLURM)
            assert asker() == 202
        node.end("5.2")
        assert node.page()['meter_run_steps_total{run="5.2"}'] == 1
        node.stop()
    with agent(tmp_path) as later:  # which knows of both by the ledger only
        later.hear("reading")
        with Asker(later, "5.2") as asker:
            assert asker() == 404
        later.stop()


def test_a_run_of_an_id_that_comes_once_has_ended_for_everybody(tmp_path: Path) -> None:
    with agent(tmp_path) as node:
        node.hear("reading")
        node.begin("mine")
        node.end("mine")
        with Asker(node, "mine") as asker:
            assert asker() == 409
        node.stop()
    with agent(tmp_path) as later:
        later.hear("reading")
        with Asker(later, "mine") as asker:
            assert asker() == 409
        assert until(lambda: dropped(later, "mine"), "the notice")
        later.stop()


def test_what_a_straggler_marks_is_told_to_its_own_run(tmp_path: Path) -> None:
    batch = {"source": "old", "first": 0, "marks": [{"step": 1}]}
    with agent(tmp_path) as node:
        node.hear("reading")
        node.begin("6", **SLURM)
        assert node.ask("POST", "/v1/runs/6/marks", batch)[0] == 202
        node.end("6")
        launcher = subprocess.Popen(["sleep", "600"])  # we are no process of it
        node.begin("6", launcher_pid=launcher.pid, **SLURM)
        late = {**batch, "first": 1, "marks": [{"step": 2}, {"step": 3}]}
        assert node.ask("POST", "/v1/runs/6/marks", late)[0] == 409
        new = {**batch, "source": "new"}
        assert node.ask("POST", "/v1/runs/6/marks", new)[1]["run"] == "6.2"
        told = until(lambda: dropped(node, "6"), "the notice")
        assert told.startswith("2 marks of the run were dropped (2 ended)")
        assert "marks_dropped" not in codes(node.end("6.2"))
        launcher.kill()
        launcher.wait()
        node.stop()


def dropped(node: Agent, run_id: str) -> str:
    notices = node.ask("GET", f"/v1/runs/{run_id}")[1]["notices"]
    return next((n["text"] for n in notices if n["code"] == "marks_dropped"), "")


class Asker:
    """A process that begins now and posts a mark whenever it is called."""

    JOB = (
        "import sys; from meter.launch.client import request\n"
        "for _ in sys.stdin:\n"
        "    body = {'source': 's', 'first': 0, 'marks': [{'step': 1}]}\n"
        "    print(request(sys.argv[1], 'POST', sys.argv[2], body, 60.0)[0], flush=True)\n"
    )

    def __init__(self, node: Agent, run_id: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", self.JOB, node.socket, f"/v1/runs/{run_id}/marks"],
            env=node.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __call__(self) -> int:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write("mark\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def __exit__(self, *_: object) -> None:
        self.process.communicate("")
