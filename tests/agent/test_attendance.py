"""Looks at processes: whose use it is, idle power, and what runs are told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agent.test_metering import GPUS, POWER_MW, S, World
from meter.agent.attendance import Attendance
from meter.agent.kin import Stranger
from meter.agent.runs import Wanted
from meter.metering.activity import IdlePolicy
from meter.model import Kind, ProcessLook, ProcessUse, SamplerBatch

if TYPE_CHECKING:
    from pathlib import Path

A, B = (gpu.id for gpu in GPUS)
ASSUMED_MW = 70_000  # a tenth of the limit


class Known:
    """Whose processes are, as a test says."""

    def __init__(self, *, sure: bool = True, **runs: int) -> None:
        self.sure = sure
        self.whose = {pid: run for run, pid in runs.items()}
        self.contained: set[str] = set()

    def refresh(self) -> None:
        pass

    def of(self, pid: int) -> str | Stranger:
        return self.whose.get(pid, Stranger.UNSEEN if pid > 900 else Stranger.OTHER)

    def inside(self, run_id: str) -> bool:
        return run_id in self.contained


class Crowded(World):
    """A world whose GPU 0 is looked at every two seconds; ``use`` is SM by PID."""

    def __init__(self, folder: Path, known: Known, idle: IdlePolicy = IdlePolicy.OWNER) -> None:
        super().__init__(folder)
        self.metering._attendance = Attendance(known)
        self.metering.builder._idle = idle
        self.looked_ns: int | None = None
        self.use: dict[int, float | None] = {}
        self.ended: dict[int, float] = {}  # what has gone, in the next look
        self.device = A

    def look(self, power_mw: int | None = None) -> None:
        if power_mw is not None:
            self.metering.roll.tracks[self.device].power_mw = power_mw
        listed = tuple(ProcessUse(self.device, pid, None, sm) for pid, sm in self.use.items())
        listed += tuple(
            ProcessUse(self.device, pid, None, sm, ended=True) for pid, sm in self.ended.items()
        )
        self.ended = {}
        look = ProcessLook(self.device, self.now_ns, self.looked_ns)
        self.metering.take(SamplerBatch(self.now_ns, processes=listed, looks=(look,)), self.now_ns)
        self.looked_ns = self.now_ns

    def live(self, seconds: int) -> None:
        for _ in range(seconds // 2):
            self.go(2)
            self.look()

    def codes(self, run_id: str) -> list[str]:
        return [n.code for n in self.store.all("notices") if n.run_id == run_id]

    def finish(self) -> None:
        for live in list(self.metering.runs.values()):
            self.end(live, self.now_ns)
        self.go(3)
        self.metering.stop()


def pair(world: Crowded) -> int:
    for run_id in ("r1", "r2"):
        world.begin(run_id, gpus="0")
    world.look()
    return world.now_ns


def test_two_runs_on_a_gpu_get_what_their_processes_used(tmp_path: Path) -> None:
    world = Crowded(tmp_path, Known(r1=11, r2=22))
    world.use = {11: 0.6, 22: 0.2}
    pair(world)
    world.live(70)
    world.finish()
    seconds = 70
    active, idle = (POWER_MW - ASSUMED_MW) * seconds, ASSUMED_MW * seconds
    assert world.energy_mj(Kind.RUN, "r1") == pytest.approx(0.75 * active + idle / 2, rel=0.01)
    assert world.energy_mj(Kind.RUN, "r2") == pytest.approx(0.25 * active + idle / 2, rel=0.01)
    assert world.codes("r1") == world.codes("r2") == ["shared_by_use"]
    total = sum(track.curve.curve_mj for track in world.metering.roll.tracks.values())
    assert sum(i.energy_mj for i in world.store.all("intervals")) == total
    assert world.shown("meter_energy_joules_total") == pytest.approx(total / 1000)


def test_the_idle_power_is_the_least_seen_while_nobody_was_on_the_gpu(tmp_path: Path) -> None:
    world = Crowded(tmp_path, Known(r1=11, r2=22), IdlePolicy.NONE)
    world.go(2)
    world.look(power_mw=100_000)
    world.use = {11: 0.6, 22: 0.2}
    pair(world)
    world.live(20)
    world.finish()
    mine = world.energy_mj(Kind.RUN, "r1") + world.energy_mj(Kind.RUN, "r2")
    assert mine == pytest.approx((POWER_MW - 100_000) * 20, rel=0.02)
    told = next(n.text for n in world.store.all("notices") if n.code == "shared_by_use")
    assert "idle: 100 W, the least seen" in told


def test_use_of_a_process_that_is_no_runs_is_unattributed(tmp_path: Path) -> None:
    world = Crowded(tmp_path, Known(r1=11, r2=22))
    world.use = {11: 0.3, 22: 0.3, 33: 0.6}
    pair(world)
    world.live(20)
    world.finish()
    assert world.energy_mj(Kind.UNATTRIBUTED) == pytest.approx(
        (POWER_MW - ASSUMED_MW) * 20 / 2, rel=0.02
    )


@pytest.mark.parametrize(
    ("known", "use"),
    [
        (Known(r1=11, r2=22), {11: None, 22: None}),  # MIG, or not permitted
        (Known(r1=11, r2=22, sure=False), {11: 0.9, 4711: 0.1}),  # another's PIDs
        (Known(sure=False), {11: 0.9, 22: 0.1}),  # in no run's tree: not ours, perhaps
        (Known(sure=False), {}),  # a container sees no processes at all
    ],
)
def test_without_a_use_that_can_be_understood_a_gpu_is_split_equally(
    tmp_path: Path, known: Known, use: dict[int, float | None]
) -> None:
    world = Crowded(tmp_path, known)
    world.use = use
    pair(world)
    world.live(20)
    world.finish()
    assert abs(world.energy_mj(Kind.RUN, "r1") - world.energy_mj(Kind.RUN, "r2")) <= 2
    assert world.codes("r1") == ["shared_device"]


def test_pids_are_believed_in_a_namespace_of_ones_own_once_all_of_them_are_seen(
    tmp_path: Path,
) -> None:
    world = Crowded(tmp_path, Known(r1=11, r2=22, sure=False), IdlePolicy.NONE)
    world.use = {11: 1.0, 22: 0.0}
    pair(world)
    world.live(20)
    world.use = {11: 0.0, 22: 0.0, 33: 1.0}
    world.live(10)
    world.finish()
    assert world.energy_mj(Kind.RUN, "r1") == pytest.approx((POWER_MW - ASSUMED_MW) * 20, rel=0.02)
    assert world.energy_mj(Kind.UNATTRIBUTED) == pytest.approx(
        (POWER_MW - ASSUMED_MW) * 10, rel=0.02
    )


def shares_above_idle(world: Crowded, seconds: int) -> dict[str, float]:
    """What each has of the energy above idle in so many seconds; all energy has an owner."""
    total = sum(track.curve.curve_mj for track in world.metering.roll.tracks.values())
    assert sum(i.energy_mj for i in world.store.all("intervals")) == total
    active = (POWER_MW - ASSUMED_MW) * seconds
    found = {run_id: world.energy_mj(Kind.RUN, run_id) / active for run_id in ("r1", "r2", "r3")}
    return {**found, "": world.energy_mj(Kind.UNATTRIBUTED) / active}


def test_what_a_process_used_that_ended_before_the_look_is_its_runs(tmp_path: Path) -> None:
    world = Crowded(tmp_path, Known(r1=11, r2=22), IdlePolicy.NONE)
    world.use = {11: 0.05}
    pair(world)
    for _ in range(5):  # a child of r2 that comes and goes between two looks, as r2's other did
        world.go(2)
        world.ended = {22: 0.45}
        world.look()
    world.finish()
    found = shares_above_idle(world, 10)
    assert found["r2"] == pytest.approx(0.9, rel=0.03)
    assert found["r1"] == pytest.approx(0.1, rel=0.1)


def test_what_nobody_has_seen_live_is_unattributed_and_no_news_to_a_run_alone(
    tmp_path: Path,
) -> None:
    world = Crowded(tmp_path, Known(r1=11, r2=22), IdlePolicy.NONE)
    world.use = {11: 0.3, 22: 0.3}
    pair(world)
    world.go(10)
    world.ended = {999: 0.6}
    world.look()
    world.finish()
    assert shares_above_idle(world, 10)[""] == pytest.approx(0.5, rel=0.05)
    alone = Crowded(tmp_path / "alone", Known(r1=11))
    alone.begin("r1", gpus="0")
    alone.use, alone.ended = {11: 0.1}, {999: 0.9}
    alone.live(4)
    alone.finish()
    assert alone.codes("r1") == []


def test_a_process_that_has_gone_without_a_word_is_believed_as_the_look_before_told(
    tmp_path: Path,
) -> None:
    world = Crowded(tmp_path, Known(r1=11, r2=22), IdlePolicy.NONE)
    world.use = {11: 0.1, 22: 0.9}
    pair(world)
    world.live(4)
    world.use = {11: 0.1}
    world.go(6)  # most of which the other used
    world.look()
    world.live(10)
    world.finish()
    found = shares_above_idle(world, 20)
    assert found["r2"] == pytest.approx(0.9 * 10 / 20, rel=0.03)
    assert found["r1"] == pytest.approx((0.1 * 10 + 10) / 20, rel=0.03)


def test_what_a_run_used_that_is_over_is_taken_from_nobody_else(tmp_path: Path) -> None:
    known = Known(r1=11, r2=22, r3=33)
    world = Crowded(tmp_path, known, IdlePolicy.NONE)
    for run_id in ("r1", "r2", "r3"):
        world.begin(run_id, gpus="0")
    world.use = {11: 0.3, 22: 0.3, 33: 0.3}
    world.look()
    world.live(4)
    world.end(world.metering.runs["r3"], world.now_ns)
    world.go(4)
    world.use, world.ended = {11: 0.3, 22: 0.3}, {33: 0.3}
    world.look()
    world.live(2)
    world.finish()
    assert shares_above_idle(world, 10)[""] == 0


def test_an_attached_process_in_a_container_is_told_that_it_may_count_otherwise(
    tmp_path: Path,
) -> None:
    known = Known(r1=11)
    known.contained = {"r1", "r2", "r3"}
    world = Crowded(tmp_path, known)
    for run_id, wanted in (
        ("r1", Wanted(visible="0")),
        ("r2", Wanted(visible="0", container="GPU-1")),
        ("r3", Wanted(gpus="0")),
        ("r4", Wanted()),
    ):
        live = world.begin(run_id)
        live.wanted, live.attached = wanted, True
    world.live(4)
    world.finish()
    told = [n.run_id for n in world.store.all("notices") if n.code == "attached_container"]
    assert told == ["r1"]


def test_a_process_on_a_gpu_that_its_run_did_not_claim_is_told(tmp_path: Path) -> None:
    world = Crowded(tmp_path, Known(r1=11, r2=22))
    world.begin("r1", gpus="0")
    world.begin("r2", gpus="1")
    world.use = {11: 0.5, 22: 0.5}
    world.live(4)
    world.finish()
    assert world.codes("r2") == ["uses_other_gpu"]
    assert "r1" not in {n.run_id for n in world.store.all("notices")}


def test_a_run_alone_on_its_gpu_keeps_all_of_it_and_is_told_of_others(tmp_path: Path) -> None:
    world = Crowded(tmp_path, Known(r1=11))
    world.begin("r1", gpus="0")
    start_ns = world.now_ns
    world.use = {11: 0.1, 33: 0.9}
    world.live(20)
    world.finish()
    used = POWER_MW * (world.now_ns - start_ns) // S
    assert world.energy_mj(Kind.RUN, "r1") == pytest.approx(used, abs=POWER_MW * 4)
    assert world.energy_mj(Kind.UNATTRIBUTED) == 0
    assert world.codes("r1") == ["other_process"]


def test_a_look_at_a_device_that_is_not_metered_is_nothing(tmp_path: Path) -> None:
    world = Crowded(tmp_path, Known(r1=11))
    world.device = "GPU-elsewhere"
    world.use = {11: 1.0}
    world.look()
    assert world.store.all("notices") == []
