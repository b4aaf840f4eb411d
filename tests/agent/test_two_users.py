"""Users without a node's agent: each one's own meters the GPUs of its runs, and no others."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from agent.agents import until
from agent.test_metering import GPUS, POWER_MW, World, used_mj
from agent.test_metering import S as SECOND
from meter.agent.leases import Leases
from meter.model import Kind
from standin.scenario import H100, Constant, Gpu, Scenario

if TYPE_CHECKING:
    from pathlib import Path

REAL = tuple(replace(gpu, simulated=False) for gpu in GPUS)
POWERS_W = (300, 500)
TICK_S = 0.1


def alone(folder: Path) -> World:
    return World(folder, private=True, gpus=REAL)


def free(folder: Path, number: int) -> bool:
    """Whether somebody else could have a GPU."""
    other = Leases(folder, 2)
    granted = other.take(REAL[number].id).granted
    other.release_all()
    return granted


def test_a_gpu_is_leased_while_a_run_holds_it_and_only_held_time_is_booked(tmp_path: Path) -> None:
    world = alone(tmp_path)
    world.go(5)
    assert free(tmp_path, 0)
    live = world.begin("r1", gpus="0")
    started = world.now_ns
    assert not free(tmp_path, 0)
    assert free(tmp_path, 1)
    world.go(70)
    ended = world.now_ns
    world.end(live, ended)
    world.go(3)
    assert free(tmp_path, 0)
    assert world.energy_mj(Kind.RUN, "r1") == pytest.approx(used_mj(started, ended, 1), rel=1e-3)
    world.metering.stop()
    assert {one.device_id for one in world.store.all("intervals")} == {REAL[0].id}
    assert world.energy_mj(Kind.IDLE) <= 3 * POWER_MW  # of a moment at each end


@pytest.mark.parametrize("silent_s", [0.6, 2, 4])
def test_a_gpu_claimed_while_the_sampler_stalls_is_no_unreadable_one(
    tmp_path: Path, silent_s: float
) -> None:
    """Its sensor has spoken: what it tells next has the time of the stall, from its counter."""
    world = alone(tmp_path)
    world.go(5)
    world.silent = tuple(one.id for one in REAL)
    world.go(silent_s)
    live = world.begin("r1", gpus="0")
    started = world.now_ns
    assert not world.metering.roll.unread(world.now_ns)
    world.go(0.5)
    world.silent = ()
    world.go(20)
    ended = world.now_ns
    world.end(live, ended)
    world.go(3)
    assert "device_unreadable" not in {one.code for one in world.store.all("notices")}
    assert world.energy_mj(Kind.RUN, "r1") == pytest.approx(used_mj(started, ended, 1), rel=1e-3)
    owned = [one for one in world.store.all("intervals") if one.run_id == "r1"]
    assert all(one.measured_mj == one.energy_mj for one in owned)
    assert all(one.low_mj > 0 for one in owned)


def test_runs_one_after_the_other_add_up_with_what_lies_between(tmp_path: Path) -> None:
    """The counter goes on while no run has the GPU, as between two agents of one ledger."""
    world = alone(tmp_path)
    world.go(2)
    first_ns = world.now_ns
    for number, gpus in enumerate(("0", "1", "all", "0")):
        live = world.begin(f"r{number}", gpus=gpus)
        started = world.now_ns
        world.go(20)
        world.end(live, world.now_ns)
        held = 2 if gpus == "all" else 1
        expected = used_mj(started, world.now_ns, held)
        world.go(7)
        assert world.energy_mj(Kind.RUN, f"r{number}") == pytest.approx(expected, rel=0.01)
    world.metering.stop()
    spans: dict[str, list[Any]] = {}
    for one in sorted(world.store.all("intervals"), key=lambda one: one.start_us):
        spans.setdefault(one.device_id, []).append(one)
    for number in (0, 1):
        found = spans[REAL[number].id]
        took_us = max(one.end_us for one in found) - min(one.start_us for one in found)
        total = sum(one.energy_mj for one in found)
        assert total == pytest.approx(POWER_MW * took_us / 1e6, rel=1e-4)
        assert took_us <= (world.now_ns - first_ns + SECOND) / 1_000


def test_a_gpu_that_somebody_else_gives_back_is_had_by_the_next_run_at_once(
    tmp_path: Path,
) -> None:
    world, other = alone(tmp_path), Leases(tmp_path, 2)
    other.take(REAL[0].id)
    live = world.begin("r1", gpus="0")
    world.go(3)
    assert list(world.metering.roll.elsewhere) == [REAL[0].id]
    world.end(live, world.now_ns)
    world.go(3)
    other.release_all()
    world.begin("r2", gpus="0")
    started = world.now_ns
    world.go(70)
    world.metering.stop()
    used = used_mj(started, world.now_ns, 1)
    assert world.energy_mj(Kind.RUN, "r2") == pytest.approx(used, rel=0.01)
    assert not world.metering.roll.elsewhere
    assert world.energy_mj(Kind.RUN, "r1") == 0


def test_who_only_asks_keeps_a_gpu_for_ten_seconds(tmp_path: Path) -> None:
    world = alone(tmp_path)
    asked = world.begin("r1", gpus="1")
    asked.wanted = replace(asked.wanted, gpus="0")
    world.metering.selection(asked)
    assert not free(tmp_path, 0)
    world.go(9)
    assert not free(tmp_path, 0)
    world.go(3)
    assert free(tmp_path, 0)
    assert not free(tmp_path, 1)


def test_two_users_at_once_each_have_the_energy_of_their_own_gpu(
    tmp_path: Path, require_tool: Any
) -> None:
    require_tool("cc")
    scenario = Scenario(gpus=[Gpu(power=Constant(watts), sensor=H100) for watts in POWERS_W])
    scenario.write(tmp_path)

    def start(number: int) -> subprocess.Popen[str]:
        home = tmp_path / f"user-{number}"
        home.mkdir()
        job = f"touch '{home}/began'; exec sleep {5 - 2 * number}"
        return subprocess.Popen(
            [sys.executable, "-m", "meter", "run", "--summary-json", str(home / "summary.json"),
             "--", "sh", "-c", job],
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": os.pathsep.join(sys.path),
                "METER_HOME": str(home),
                "METER_SOCKET": str(home / "agent.sock"),
                "METER_LEASE_DIR": str(tmp_path / "leases"),
                "METER_LISTEN": "127.0.0.1:0",
                "CUDA_VISIBLE_DEVICES": str(number),
                **scenario.environment(tmp_path),
            },
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    first = start(0)
    until((tmp_path / "user-0" / "began").exists, "the first job")
    second = start(1)
    for number, launcher in ((1, second), (0, first)):
        _, said = launcher.communicate(timeout=120)
        assert launcher.returncode == 0, said
        document = json.loads((tmp_path / f"user-{number}" / "summary.json").read_text())
        truth = POWERS_W[number] * document["run"]["duration_s"]
        board = document["energy"]["by_component"]["gpu"]
        assert board["low"] <= truth <= board["high"]
        (own,) = [one for one in document["energy"]["devices"] if one["component"] == "gpu"]
        unseen_s = (1 - own["coverage"]) * document["run"]["duration_s"]  # on a busy machine
        slack = 0.002 * truth + POWERS_W[number] * (2 * TICK_S + unseen_s)
        assert board["value"] == pytest.approx(truth, abs=slack), said
        gpus = [one for one in document["notices"] if "GPU" in (one["device"] or "")]
        assert "device_leased" not in {one["code"] for one in gpus}
