"""Marks from the socket to the document: told once, in any order, wrong, late, over a restart."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from agent.agents import Agent, agent, boot_ns, metered_before, until
from meter.agent.marking import MOST_DROPPED, Marks
from meter.agent.requests import MARKS as MOST
from meter.agent.requests import MOST_NUMBER
from meter.ledger import open_reader

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MARKS = "/v1/runs/r1/marks"


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Agent]:
    """An agent with a run whose energy is known already."""
    with agent(tmp_path) as running:
        running.hear("reading")
        running.begin("r1")
        name = 'meter_run_energy_joules_total{component="gpu",method="measured",run="r1"}'
        until(lambda: running.page().get(name, 0) > 0, "energy of the run")
        yield running


def batch(*marks: dict[str, Any], first: int = 0, **more: Any) -> dict[str, Any]:
    return {"source": "job-1", "first": first, "marks": list(marks), **more}


def steps(document: dict[str, Any]) -> tuple[int, int, int]:
    found = document["steps"]
    return found["first"], found["last"], found["spans"]


def test_a_batch_that_is_sent_again_is_stored_once(node: Agent) -> None:
    now = boot_ns()
    made = batch(*({"step": n, "at_ns": now + n} for n in range(3)))
    assert node.ask("POST", MARKS, made)[1] == {"run": "r1", "noted": 3, "known": 0, "invalid": []}
    made["marks"].append({"step": 3, "at_ns": now + 3})
    assert node.ask("POST", MARKS, made)[1]["noted"] == 1
    assert steps(node.end("r1")) == (0, 3, 3)


def test_wrong_marks_are_told_and_keep_no_other_out(node: Agent) -> None:
    marks = [{"step": 1}, {"step": -1}, {"stp": 1}, "x", {"epoch": float("nan")}, {"step": 2}]
    status, answer = node.ask("POST", MARKS, batch(*marks))
    assert (status, answer["noted"]) == (202, 2)
    assert [wrong["place"] for wrong in answer["invalid"]] == [1, 2, 3, 4]
    assert answer["invalid"][1]["reason"] == "a field that is not known"
    assert node.ask("POST", MARKS, batch(*marks))[1]["noted"] == 0
    dropped = 'meter_samples_dropped_total{reason="mark"}'
    until(lambda: node.page().get(dropped) == 4, "the dropped marks on the page")
    document = node.end("r1")
    assert steps(document) == (1, 2, 1)
    (notice,) = [n for n in document["notices"] if n["code"] == "marks_dropped"]
    assert notice["text"].startswith("4 marks of the run were dropped (4 invalid)")


def test_a_step_or_tokens_that_no_training_can_have_are_refused(node: Agent) -> None:
    marks = [
        {"step": 1},
        {"step": 2**63 - 1},
        {"tokens": 10**17},
        {"step": 10**12 + 1},
        {"step": 2},
    ]
    answer = node.ask("POST", MARKS, batch(*marks))[1]
    assert [wrong["place"] for wrong in answer["invalid"]] == [1, 2, 3]
    document = node.end("r1")
    assert (document["steps"]["count"], document["steps"]["trainings"]) == (1, 1)


def test_a_number_that_the_ledger_cannot_hold_is_refused_and_costs_no_other_run(
    node: Agent,
) -> None:
    node.begin("good", gpus="0")
    for first in (2**63 - 1, MOST_NUMBER - MOST + 1, 2**63, -1):
        status, _ = node.ask("POST", MARKS, batch({"step": 2}, {"step": 3}, first=first))
        assert status == 422, first
    assert node.ask("POST", MARKS, batch({"step": 4}, first=MOST_NUMBER - MOST))[0] == 202
    good = node.end("good")
    assert good["run"]["status"] == "completed"
    assert good["energy"]["by_component"]["gpu"]["value"] > 0
    assert node.page()['meter_samples_dropped_total{reason="ledger"}'] == 0
    node.end("r1")
    node.stop()
    with open_reader(node.home / "ledger.duckdb") as reader:
        found = reader._con.execute("SELECT number FROM mark").fetchall()
    assert found == [(MOST_NUMBER - MOST,)]


def test_a_list_and_a_single_mark_are_taken_as_they_are(node: Agent) -> None:
    assert node.ask("POST", MARKS, {"step": 1})[0] == 202
    assert node.ask("POST", MARKS, [{"step": 2}, {"step": 3}])[1]["noted"] == 2
    assert steps(node.end("r1")) == (1, 3, 2)


def test_thirds_are_kept_to_as_many_places_as_fit(node: Agent) -> None:
    told = {"step": 1, "epoch": 1 / 3, "fraction": 1 / 3}
    assert node.ask("POST", MARKS, told)[0] == 202
    for wrong in ({"epoch": 1_000_000}, {"fraction": 1.000_000_001}, {"epoch": -1e-9}):
        assert node.ask("POST", MARKS, wrong)[0] == 422
    until(lambda: node.page().get('meter_run_done_ratio{run="r1"}', 0) > 0, "how far it is")
    assert node.page()['meter_run_done_ratio{run="r1"}'] == pytest.approx(1 / 3, abs=1e-9)


def test_marks_out_of_order_are_put_in_order(node: Agent) -> None:
    now = boot_ns()
    late = [{"step": n, "at_ns": now - (5 - n) * 10_000_000} for n in (5, 2, 4, 1, 3)]
    assert node.ask("POST", MARKS, batch(*late))[0] == 202
    assert steps(node.end("r1")) == (1, 5, 4)


def test_runs_that_do_not_live_are_told_apart(node: Agent) -> None:
    assert node.ask("POST", "/v1/runs/nobody/marks", {"step": 1})[0] == 404
    node.end("r1")
    status, problem = node.ask("POST", MARKS, {"step": 1})
    assert (status, "has ended" in problem["detail"]) == (409, True)


def test_a_run_that_ended_before_the_agent_began_is_told_to_have_ended(tmp_path: Path) -> None:
    metered_before(tmp_path)
    with agent(tmp_path) as second:
        second.hear("listening")
        assert until(lambda: second.ask("POST", MARKS, {"step": 1}), "an answer")[0] == 409


def test_a_mark_that_comes_while_the_run_is_settled_is_kept(tmp_path: Path) -> None:
    with agent(tmp_path) as node:
        node.hear("reading")
        node.begin("r1")
        node.ask("POST", MARKS, {"step": 1})
        with ThreadPoolExecutor(1) as pool:
            ended_ns = boot_ns()
            ending = pool.submit(node.end, "r1", ended_ns=ended_ns)
            until(lambda: _is_ending(node), "the run's end")
            status, _ = node.ask("POST", MARKS, {"step": 2, "at_ns": ended_ns - 1})
            ending.result()
        found = node.ask("GET", "/v1/runs/r1")[1]
        assert status == 409 or steps(found) == (1, 2, 1)  # 409: it was settled meanwhile


def _is_ending(node: Agent) -> bool:
    runs = node.ask("GET", "/v1/status")[1]["runs"]
    return not runs or runs[0]["ending"]


def test_marks_go_on_over_a_restart_and_none_is_stored_twice(tmp_path: Path) -> None:
    phase = 'meter_run_phase_energy_joules_total{phase="train",run="r1"}'
    with agent(tmp_path) as first:
        first.hear("reading")
        first.begin("r1")
        first.ask("POST", MARKS, batch({"step": 0, "phase": "train"}, {"step": 1}))
        until(lambda: first.page().get(phase, 0) > 0, "energy of the phase")
        shown = first.page()[phase]
        first.kill()
    with agent(tmp_path) as second:
        second.hear("reading")
        again = batch({"step": 0, "phase": "train"}, {"step": 1}, {"step": 2})
        answer = until(lambda: second.ask("POST", MARKS, again), "an answer")[1]
        assert (answer["noted"], answer["known"]) == (1, 2)
        until(lambda: second.page().get(phase, 0) > shown, "the phase to go on")
        document = second.end("r1")
        assert steps(document) == (0, 2, 2)
        phases = {row["phase"]: row["energy"]["value"] for row in document["phases"]}
        assert sum(phases.values()) == pytest.approx(document["energy"]["it"]["value"], abs=0.01)


def test_counters_of_phases_agree_with_the_document(node: Agent) -> None:
    node.ask("POST", MARKS, {"phase": "train", "step": 5})
    time.sleep(0.5)  # a stretch of train
    node.ask("POST", MARKS, {"phase": "eval"})
    document = node.end("r1")
    told = {row["phase"]: row["energy"]["value"] for row in document["phases"]}
    page = node.page()
    for name, joules in told.items():
        key = f'meter_run_phase_energy_joules_total{{phase="{name}",run="r1"}}'
        assert page[key] == pytest.approx(joules, rel=0.02, abs=1), name
    assert page['meter_run_steps_total{run="r1"}'] == 5


JOB = (
    "import os, sys, meter\n"
    "assert os.getpid() < 10\n"
    "with meter.phase('train'):\n"
    "    for step in range(4): meter.mark(step=step)\n"
)


def test_a_job_in_another_pid_namespace_needs_the_socket_and_the_run_only(
    node: Agent, require_tool: Any
) -> None:
    require_tool("unshare")
    unshare = ["unshare", "--user", "--map-root-user", "--pid", "--fork"]
    if subprocess.run([*unshare, "true"], capture_output=True).returncode:
        pytest.skip("no PID namespace can be made here")
    keep = ("PATH", "PYTHONPATH", "METER_SOCKET")
    environment = {name: node.environment[name] for name in keep} | {"METER_RUN_ID": "r1"}
    done = subprocess.run([*unshare, sys.executable, "-c", JOB], env=environment)
    assert done.returncode == 0
    document = node.end("r1")
    assert steps(document) == (0, 3, 3)
    assert {row["phase"] for row in document["phases"]} == {"train", "(none)"}


FOLDS = (
    "import time, meter\n"
    "for fold in range(3):\n"
    "    for step in range(5 + (fold == 2)):\n"
    "        time.sleep(0.02)\n"
    "        meter.mark(step=step, epoch=step / 4, tokens=100 * step)\n"
)


def test_folds_of_a_process_are_added_up_and_those_of_another_are_the_same(node: Agent) -> None:
    job = [sys.executable, "-c", FOLDS]
    environment = {**node.environment, "METER_RUN_ID": "r1"}
    ranks = [subprocess.Popen(job, env=environment) for _ in range(2)]
    assert [rank.wait() for rank in ranks] == [0, 0]
    document = node.end("r1")
    steps = document["steps"]
    assert (steps["count"], steps["trainings"], steps["last"]) == (13, 3, 5)
    per = document["per"]
    assert per["token"]["value"] == pytest.approx(per["step"]["value"] / 100, rel=0.01)
    told = [(row["training"], row["to"]) for row in document["epochs"]]
    assert told == [(1, 1.0), (2, 1.0), (3, 1.0), (3, 1.25)]
    (notice,) = [one for one in document["notices"] if one["code"] == "steps_went_back"]
    assert "2 times in one process: 3 trainings are added up" in notice["text"]


def test_many_marks_a_second_are_all_stored(node: Agent) -> None:
    count, size = 20_000, 1_000
    started = boot_ns()
    for first in range(0, count, size):
        part = ({"step": n, "at_ns": started + n} for n in range(first, first + size))
        assert node.ask("POST", MARKS, batch(*part, first=first))[1]["noted"] == size
    assert steps(node.end("r1")) == (0, count - 1, count - 1)


def test_the_openapi_document_tells_all_three_forms(node: Agent) -> None:
    spec = node.ask("GET", "/openapi.json")[1]
    body = spec["paths"]["/v1/runs/{run_id}/marks"]["post"]["requestBody"]
    forms = body["content"]["application/json"]["schema"]
    assert len(forms.get("anyOf") or forms["oneOf"]) == 3
    assert {"NewMark", "NewMarks"} <= spec["components"]["schemas"].keys()
    assert spec["components"]["schemas"]["NewMark"]["properties"]["step"]


def test_a_source_that_says_it_dropped_more_than_can_be_is_believed_up_to_a_bound() -> None:
    marks = Marks()
    source = marks.source("odd")
    for _ in range(3):
        marks.hear(source, {"full": 2**63 - 1})
    marks.hear(source, {"full": 7})
    assert marks.dropped == {"full": MOST_DROPPED}
