"""Ids from outside: joined while their run lives, another attempt once it has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.agents import agent, boot_ns, until
from meter import limits
from meter.agent.desk import _attempt_of
from meter.agent.runs import LiveRun, attempt_id
from meter.ledger.recovery import Attempt
from meter.model import Run, RunStatus

if TYPE_CHECKING:
    from pathlib import Path

    from agent.agents import Agent

SLURM = {"origin": "SLURM_JOB_ID"}


def links(document: dict) -> list[tuple[str, str]]:
    return [(link["source"], link["id"]) for link in document["run"].get("links", ())]


def known(node: Agent) -> set[str]:
    return {run["run_id"] for run in node.ask("GET", "/v1/runs")[1]["runs"]}


def test_a_requeued_job_is_another_attempt_found_by_its_id(tmp_path: Path) -> None:
    with agent(tmp_path) as node:
        node.hear("reading")
        assert node.begin("123", **SLURM)["id"] == "123"
        assert links(node.end("123")) == []
        assert node.begin("123", **SLURM)["id"] == "123.2"
        assert node.begin("123", **SLURM)["id"] == "123.2"  # another rank of it
        assert links(node.end("123.2")) == [("slurm", "123")]
        assert node.ask("GET", "/v1/runs/slurm:123")[1]["run"]["id"] == "123.2"
        assert node.ask("GET", "/v1/runs/123")[1]["run"]["id"] == "123"
        node.stop()
    with agent(tmp_path) as later:  # which has never seen these runs itself
        later.hear("reading")
        assert later.begin("123", **SLURM)["id"] == "123.3"
        later.end("123.3")
        assert known(later) == {"123", "123.2", "123.3"}
        later.stop()


def test_an_attempt_goes_on_after_a_restart_by_either_id(tmp_path: Path) -> None:
    with agent(tmp_path) as first:
        first.hear("reading")
        first.begin("a1", origin="METER_RUN_ID")
        first.end("a1")
        assert first.begin("a1", origin="METER_RUN_ID")["id"] == "a1.2"
        first.kill()
    with agent(tmp_path) as second:
        second.hear("reading")
        # its launcher never heard the answer, and its job marks by the id that it was given
        assert second.begin("a1", origin="METER_RUN_ID", resume=True)["id"] == "a1.2"
        assert second.ask("POST", "/v1/runs/a1/marks", {"step": 1})[1]["run"] == "a1.2"
        document = second.end("a1.2")
        assert links(document) == [("custom", "a1")]
        assert document["run"]["status"] == "completed"
        second.stop()


@pytest.mark.parametrize("status", ["completed", "failed", "abandoned"])
def test_an_id_of_its_own_is_used_once_whether_or_not_the_agent_has_started_anew(
    tmp_path: Path, status: str
) -> None:
    with agent(tmp_path) as first:
        first.hear("reading")
        first.begin("mine")
        first.end("mine", status=status)
        before = first.begin("mine", expected=409)
        first.stop()
    with agent(tmp_path) as second:
        second.hear("reading")
        assert second.begin("mine", expected=409) == before
        assert second.begin("mine", expected=409, check=True) == before
        assert before["detail"] == "the run mine has ended: give another METER_RUN_ID"
        assert second.ask("GET", "/v1/runs/mine")[1]["run"]["status"] == status
        assert second.begin("mine", origin="METER_RUN_ID")["id"] == "mine.2"  # a job from outside
        second.end("mine.2")
        assert known(second) == {"mine", "mine.2"}
        second.stop()


@pytest.mark.parametrize("origin", ["SLURM_JOB_ID", "generated"])
def test_an_end_whose_answer_got_lost_with_the_agent_is_told_again(
    tmp_path: Path, origin: str
) -> None:
    began = {"started_ns": boot_ns(), "origin": origin}
    with agent(tmp_path) as first:
        first.hear("reading")
        first.begin("50", **began)
        told = first.end("50")
        first.kill()
    with agent(tmp_path) as second:
        second.hear("reading")
        assert second.begin("50", resume=True, **began)["id"] == "50"
        again = second.end("50", status="failed", exit_code=1)
        assert known(second) == {"50"}
        second.stop()
    assert again["run"] == told["run"]
    assert again["energy"] == told["energy"]


def test_a_job_that_comes_after_the_end_is_another_attempt_though_it_resumes(
    tmp_path: Path,
) -> None:
    with agent(tmp_path) as first:
        first.hear("reading")
        first.begin("50", **SLURM)
        told = first.end("50")
        assert first.begin("50", resume=True, **SLURM)["id"] == "50.2"
        first.end("50.2")
        first.stop()
    with agent(tmp_path) as second:
        second.hear("reading")
        # its launcher asked an agent that died before it could answer
        assert second.begin("50", resume=True, **SLURM)["id"] == "50.3"
        second.end("50.3")
        now = second.ask("GET", "/v1/runs/50")[1]
        second.stop()
    assert now["run"] == told["run"]
    assert now["energy"] == told["energy"]


def test_an_id_in_another_project_is_metered_apart_and_not_refused(tmp_path: Path) -> None:
    with agent(tmp_path) as node:
        node.hear("reading")
        assert node.begin("7", **SLURM)["id"] == "7"
        assert node.begin("7", project="other", **SLURM)["id"] == "7.2"
        assert node.begin("7", project="other", **SLURM)["id"] == "7.2"
        assert node.begin("7", **SLURM)["id"] == "7"
        node.end("7.2")
        node.end("7")
        node.stop()


def test_an_id_that_a_client_chose_itself_is_still_a_conflict(tmp_path: Path) -> None:
    with agent(tmp_path) as node:
        node.hear("reading")
        node.begin("mine")
        node.end("mine")
        assert "mine has ended" in node.begin("mine", expected=409)["detail"]
        node.stop()


def test_links_are_told_at_registration_late_and_after_the_end(tmp_path: Path) -> None:
    with agent(tmp_path) as node:
        node.hear("reading")
        node.begin("r1", links=[{"source": "slurm", "id": "9"}])
        path = "/v1/runs/r1/links"
        answer = {"run": "r1", "source": "wandb", "id": "w 1"}
        for _ in range(2):  # told twice, kept once
            assert node.ask("POST", path, {"source": "wandb", "id": "w 1"}) == (201, answer)
        assert links(node.end("r1")) == [("slurm", "9"), ("wandb", "w 1")]
        for _ in range(2):
            assert node.ask("POST", path, {"source": "mlflow", "id": "m1"})[0] == 201
        document = node.ask("GET", "/v1/runs/m1")[1]
        assert links(document) == [("slurm", "9"), ("wandb", "w 1"), ("mlflow", "m1")]
        assert document["run"]["id"] == "r1"
        node.stop()


def test_what_is_told_after_the_last_attempt_ended_is_the_last_ones(tmp_path: Path) -> None:
    link = {"source": "wandb", "id": "w2"}
    with agent(tmp_path) as node:
        node.hear("reading")
        for run_id in ("8", "8.2"):
            assert node.begin("8", **SLURM)["id"] == run_id
            node.end(run_id)
        assert node.ask("POST", "/v1/runs/8/links", link)[1]["run"] == "8.2"
        assert "8.2 has ended" in node.ask("POST", "/v1/runs/8/marks", {"step": 1})[1]["detail"]
        assert ("wandb", "w2") in links(node.ask("GET", "/v1/runs/8.2")[1])
        assert links(node.ask("GET", "/v1/runs/8")[1]) == []
        node.stop()


attempts = {
    name: Attempt("SLURM_JOB_ID", RunStatus.COMPLETED, ended_us)
    for name, ended_us in {"8": 100, "8.2": 200, "8.3": 300}.items()
}


@pytest.mark.parametrize(
    ("began_us", "meant"),
    [(50, "8"), (100, "8"), (101, "8.2"), (201, "8.3"), (301, "8.3"), (None, "8.3")],
)
def test_a_process_means_the_attempt_that_ended_after_it_began(began_us, meant) -> None:
    assert _attempt_of(attempts, "8", began_us) == meant


def test_of_attempts_one_that_lives_is_no_ended_one_and_a_chosen_id_has_none() -> None:
    lives = {**attempts, "8.4": Attempt("SLURM_JOB_ID", RunStatus.RUNNING, None)}
    assert _attempt_of(lives, "8", 400) == "8.3"
    own = {name: one._replace(origin="generated") for name, one in attempts.items()}
    assert _attempt_of(own, "8", None) == "8"
    assert _attempt_of({}, "8", None) == "8"


def test_a_launcher_with_another_clock_is_told_of_and_its_run_begins_now(tmp_path: Path) -> None:
    hour_ns = 3_600 * 10**9
    with agent(tmp_path) as node:
        node.hear("reading")
        node.begin("skewed", started_ns=boot_ns() + hour_ns, started_us=1)
        node.begin("right")
        until(lambda: node.ask("GET", "/v1/runs/right")[1]["energy"]["it"]["value"], "energy")
        end_ns = boot_ns()
        skewed, right = (node.end(name, ended_ns=end_ns) for name in ("skewed", "right"))
        node.stop()
    told = {
        name: {n["code"] for n in doc["notices"]}
        for name, doc in (("skewed", skewed), ("right", right))
    }
    assert "clock_skew" in told["skewed"] - told["right"]
    assert skewed["run"]["started_at"] <= right["run"]["started_at"]
    assert skewed["run"]["duration_s"] >= right["run"]["duration_s"] > 0
    assert skewed["energy"]["it"]["value"] >= right["energy"]["it"]["value"] > 0


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/runs/nobody/links", {"source": "wandb", "id": "x"}, 404),
        ("/v1/runs/r1/links", {"source": "elsewhere", "id": "x"}, 422),
        ("/v1/runs/r1/links", {"source": "wandb", "id": ""}, 422),
        ("/v1/runs/r1/links", {"source": "wandb", "id": "a\nb"}, 422),
        ("/v1/runs/r1/links", {"source": "wandb", "id": "x" * 257}, 422),
    ],
)
def test_a_wrong_link_is_refused(node: Agent, path: str, body: dict, status: int) -> None:
    assert node.ask("POST", path, body)[0] == status
    assert "links" not in node.ask("GET", "/v1/runs/r1")[1]["run"]


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory):
    with agent(tmp_path_factory.mktemp("node")) as running:
        running.hear("reading")
        running.begin("r1")
        until(lambda: running.ask("GET", "/v1/runs/r1")[0] == 200, "the run is stored")
        yield running


@given(
    st.text("abc.:_-7", min_size=1, max_size=limits.RUN_ID_CHARS),
    st.integers(min_value=0, max_value=5),
)
def test_attempts_never_share_an_id_and_know_whose_they_are(run_id: str, count: int) -> None:
    taken = {run_id}
    for _ in range(count):
        fresh = attempt_id(run_id, taken)
        assert fresh not in taken
        limits.check_run_id("it", fresh)
        run = Run(fresh, "n", "p", 0, 0, "node", "site", origin="SLURM_JOB_ID")
        assert LiveRun(run).is_attempt_at(run_id) or len(run_id) > limits.RUN_ID_CHARS - 2
        taken.add(fresh)
