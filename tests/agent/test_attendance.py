"""Looks at processes: whose use it is, idle power, and what runs are told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agent.test_metering import GPUS, POWER_MW, S, World
from meter.agent.attendance import Attendance
from meter.agent.kin import Stranger
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

    def refresh(self) -> None:
        pass

    def of(self, pid: int) -> str | Stranger:
        return self.whose.get(pid, Stranger.UNSEEN if pid > 900 else Stranger.OTHER)


class Crowded(World):
    """A world whose GPU 0 is looked at every two seconds; ``use`` is SM by PID."""

    def __init__(self, folder: Path, known: Known, idle: IdlePolicy = IdlePolicy.OWNER) -> None:
        super().__init__(folder)
        self.metering._attendance = Attendance(known)
        self.metering.builder._idle = idle
        self.looked_ns: int | None = None
        self.use: dict[int, float | None] = {}
        self.ended: set[int] = set()
        self.device = A

    def look(self, power_mw: int | None = None) -> None:
        if power_mw is not None:
            self.metering.roll.tracks[self.device].power_mw = power_mw
        listed = tuple(
            ProcessUse(self.device, pid, None, sm, listed=pid not in self.ended)
            for pid, sm in self.use.items()
        )
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


def test_work_of_a_process_that_has_ended_is_its_runs(tmp_path: Path) -> None:
    world = Crowded(tmp_path, Known(r1=11, r2=22))
    world.use = {11: 0.05, 22: 0.9}
    pair(world)
    world.live(10)
    world.go(2)
    world.ended = {22}
    world.look()  # r2's process has worked and ended
    world.finish()
    active, idle = (POWER_MW - ASSUMED_MW) * 12, ASSUMED_MW * 12
    assert world.energy_mj(Kind.RUN, "r2") == pytest.approx(active * 90 / 95 + idle / 2, rel=0.02)


def test_a_look_that_lacks_who_worked_before_tells_nothing_of_the_time_before_it(
    tmp_path: Path,
) -> None:
    world = Crowded(tmp_path, Known(r1=11, r2=22))
    world.use = {11: 0.05, 22: 0.9}
    pair(world)
    world.live(10)
    world.go(2)
    del world.use[22]  # ended, and no sample of it is left
    world.look()
    world.go(2)
    world.look()
    world.finish()
    active, idle = (POWER_MW - ASSUMED_MW), ASSUMED_MW
    assert world.energy_mj(Kind.RUN, "r2") == pytest.approx(
        12 * (active * 90 / 95 + idle / 2), rel=0.02
    )


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
    world.use = {33: 1.0}
    world.live(10)  # the first look of it does not tell when the runs' processes ended
    world.finish()
    active = POWER_MW - ASSUMED_MW
    assert world.energy_mj(Kind.RUN, "r1") == pytest.approx(active * 22, rel=0.02)
    assert world.energy_mj(Kind.UNATTRIBUTED) == pytest.approx(active * 8, rel=0.02)


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
