"""A node's agent that was killed comes back while a private one stands in for it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from agent.agents import PATIENCE_S, Agent, agent, until
from dashboards.servers import free_port
from meter.agent.boot import AlreadyRunningError, heir_waits, lock
from meter.agent.handover import _ANSWER_S, Heir
from meter.launch.client import NoAgentError
from meter.launch.link import RESPAWNS
from meter.launch.spawn import ALREADY_RUNNING
from standin.scenario import H100, Constant, Gpu, Scenario

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WAITS = "while [ ! -e go ]; do sleep 0.05; done"
POWER_W = 400
TICK_S = 0.1


def told(node: Agent) -> dict[str, Any]:
    """What the agent that listens says of itself; nothing while none does."""
    try:
        return node.ask("GET", "/v1/status")[1]
    except NoAgentError:
        return {}


def stand_in(node: Agent) -> dict[str, Any]:
    """The same once it is a private one that has the run."""
    found = told(node)
    return found if found.get("runs") and found["agent"]["private"] else {}


def used_j(node: Agent) -> float:
    return sum(v for n, v in node.page().items() if n.startswith("meter_run_energy_joules_total"))


@pytest.fixture
def variables(tmp_path: Path, require_tool: Any) -> dict[str, str]:
    require_tool("cc")
    scenario = Scenario(gpus=[Gpu(power=Constant(POWER_W), sensor=H100)])
    scenario.write(tmp_path)
    address = f"127.0.0.1:{free_port()}"
    return {**scenario.environment(tmp_path), "METER_SIMULATE": "", "METER_LISTEN": address}


@pytest.fixture
def job(tmp_path: Path, variables: dict[str, str]) -> Iterator[tuple[Agent, Any]]:
    """A node's agent that is killed under a job, whose launcher goes on; and that launcher."""
    with agent(tmp_path, **variables) as first:
        first.hear("reading")
        command = [sys.executable, "-m", "meter", "run", "--gpus", "0", "--", "sh", "-c", WAITS]
        with subprocess.Popen(
            command, env=first.environment, cwd=tmp_path, stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True,
        ) as launcher:  # fmt: skip
            try:
                until(lambda: used_j(first), "some energy")
                first.kill()
                yield first, launcher
            finally:
                (tmp_path / "go").touch()
                launcher.communicate(timeout=PATIENCE_S)


def test_it_takes_over_from_the_private_one_and_nothing_is_lost_or_counted_twice(
    tmp_path: Path, variables: dict[str, str], job: tuple[Agent, Any]
) -> None:
    first, launcher = job
    other = until(lambda: stand_in(first), "an agent of the launcher's own")
    assert other["agent"]["listens"] == [variables["METER_LISTEN"]]
    before = until(lambda: used_j(first), "energy there")
    with agent(tmp_path, **variables) as second:
        second.hear("reading")
        assert second.process.poll() is None, second.log.read_text()
        found = until(lambda: told(second).get("runs") and told(second), "the run")
        assert not found["agent"]["private"]
        assert found["agent"]["listens"] == [variables["METER_LISTEN"]]
        until(lambda: used_j(second) > before, "more energy")
        [run] = [run["id"] for run in found["runs"]]
        (tmp_path / "go").touch()
        _, said = launcher.communicate(timeout=PATIENCE_S)
        assert launcher.returncode == 0
        assert "kWh" in said
        assert second.process.poll() is None
        assert [one["run_id"] for one in second.ask("GET", "/v1/runs")[1]["runs"]] == [run]
        document = second.ask("GET", f"/v1/runs/{run}")[1]
        truth = POWER_W * document["run"]["duration_s"]
        slack = 0.002 * truth + 2 * POWER_W * TICK_S
        assert document["energy"]["by_component"]["gpu"]["value"] == pytest.approx(truth, abs=slack)
        assert document["run"]["status"] == "completed"
        second.stop()


def test_restarts_of_the_nodes_agent_do_not_add_up_to_a_run_that_is_given_up(
    tmp_path: Path, variables: dict[str, str], job: tuple[Agent, Any]
) -> None:
    """Each makes an agent of the launcher's own, which dies young because it is asked to end."""
    first, launcher = job
    for _ in range(RESPAWNS):
        until(lambda: stand_in(first), "an agent of the launcher's own")
        with agent(tmp_path, **variables) as node:
            node.hear("reading")
            until(lambda: told(first).get("runs") and not stand_in(first), "the run")
            node.kill()
    until(lambda: stand_in(first), "an agent of the launcher's own")
    (tmp_path / "go").touch()
    _, said = launcher.communicate(timeout=PATIENCE_S)
    assert launcher.returncode == 0
    assert "kWh" in said
    assert "no summary" not in said


def test_an_agent_with_another_ledger_does_not_take_over(
    tmp_path: Path, variables: dict[str, str], job: tuple[Agent, Any]
) -> None:
    """The run's first part would be in a ledger that it does not know."""
    first, launcher = job
    until(lambda: stand_in(first), "an agent of the launcher's own")
    elsewhere = {**variables, "METER_HOME": str(tmp_path / "elsewhere")}
    with agent(tmp_path, **elsewhere) as second:
        assert second.process.wait(PATIENCE_S) == ALREADY_RUNNING
    assert stand_in(first)
    (tmp_path / "go").touch()
    launcher.communicate(timeout=PATIENCE_S)
    assert launcher.returncode == 0


def test_it_waits_for_a_private_one_that_does_not_answer_yet(tmp_path: Path) -> None:
    with agent(tmp_path, "--private") as first:
        until(lambda: told(first), "an answer")  # then importing is not what takes the time
        first.process.send_signal(signal.SIGSTOP)
        with agent(tmp_path) as second:
            time.sleep(_ANSWER_S + 1.0)
            assert second.process.poll() is None, second.log.read_text()
            first.process.send_signal(signal.SIGCONT)
            second.hear("reading")
            assert first.process.wait(PATIENCE_S) == 0
            assert not until(lambda: told(second), "an answer")["agent"]["private"]
            second.stop()


def test_a_private_one_leaves_the_place_to_the_nodes_agent_that_waits(tmp_path: Path) -> None:
    """Of several launchers each starts an agent when theirs is gone: it was there before."""
    place, heir = str(tmp_path / "agent.sock"), Heir(str(tmp_path))
    held = lock(place)
    assert not heir.is_kept(place)
    os.close(held)
    with pytest.raises(AlreadyRunningError):
        lock(place, lambda _: True, home=str(tmp_path))
    os.close(lock(place, lambda _: True, home=str(tmp_path / "elsewhere")))
    heir.arrive()
    os.close(lock(place, lambda _: True, home=str(tmp_path)))


def test_the_nodes_agent_that_is_restarted_under_two_launchers_has_both_runs_to_their_ends(
    tmp_path: Path, variables: dict[str, str]
) -> None:
    with agent(tmp_path, **variables) as first:
        first.hear("reading")
        launchers = [launched(first, tmp_path, f"k{number}") for number in range(2)]
        try:
            until(lambda: len(told(first)["runs"]) == 2, "both runs")
            first.stop()
            until(lambda: len(stand_in(first).get("runs", [])) == 2, "both runs in another")
            with agent(tmp_path, **variables) as second:
                until(lambda: heir_waits(second.socket, str(tmp_path)), "the one that waits")
                (tmp_path / "go").touch()
                ended_s = time.time()
                said = [launcher.communicate(timeout=PATIENCE_S)[1] for launcher in launchers]
                assert second.process.poll() is None, second.log.read_text()
                assert not until(lambda: told(second), "an answer")["agent"]["private"]
                second.stop()
        finally:
            (tmp_path / "go").touch()
            for launcher in launchers:
                launcher.communicate(timeout=PATIENCE_S)
    assert [launcher.returncode for launcher in launchers] == [7, 7]
    assert all("kWh" in one for one in said), said
    for number in range(2):
        run = json.loads((tmp_path / f"k{number}.json").read_text())["run"]
        assert (run["status"], run["exit_code"]) == ("failed", 7)
        assert datetime.fromisoformat(run["ended_at"]).timestamp() == pytest.approx(
            ended_s, abs=1.5
        )
    assert not list(tmp_path.glob("*.end"))


def launched(node: Agent, folder: Path, name: str) -> subprocess.Popen[str]:
    """A run that ends with 7 once it may."""
    command = [sys.executable, "-m", "meter", "run", "--name", name]
    command += ["--summary-json", f"{name}.json", "--", "sh", "-c", f"{WAITS}; exit 7"]
    return subprocess.Popen(
        command, env=node.environment, cwd=folder, stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
