"""The metering on a manual clock: what goes to the store, what is shown, and when."""

from __future__ import annotations

from concurrent.futures import Future
from decimal import Decimal
from fractions import Fraction
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meter.agent import marking
from meter.agent import metering as metering_module
from meter.agent.booking import GAP
from meter.agent.documents import unsaved
from meter.agent.leases import Leases
from meter.agent.metering import Metering
from meter.agent.place import Clock, Place
from meter.agent.recovery import Recovered
from meter.agent.runs import Ending, LiveRun, Wanted
from meter.agent.shelf import Shelf
from meter.agent.views import freshness, snapshot
from meter.errors import LedgerError
from meter.factors import Rates
from meter.ledger import LedgerHealth
from meter.ledger.expansion import KnownFactors, statements_to_write
from meter.model import (
    Component,
    Counter,
    Device,
    FactorKind,
    Hold,
    Kind,
    LedgerBatch,
    Mark,
    Method,
    Node,
    Reading,
    Run,
    RunStatus,
    SamplerBatch,
    Site,
)
from meter.sampling.curve import CurveStart
from meter.sampling.frames import Hello

S = 1_000_000_000
TICK = S // 10
WALL_US = 1_790_000_000_000_000
GPUS = tuple(
    Device(f"GPU-{n}", Component.GPU, "H100", Method.MEASURED, index=n, simulated=True,
           power_limit_mw=700_000)
    for n in range(2)
)  # fmt: skip
POWER_MW = 400_000


class Store:
    """Keeps batches; durable at once unless held back."""

    def __init__(self) -> None:
        self.batches: list[LedgerBatch] = []
        self.held: list[Future[None]] | None = None

    def write(self, batch: LedgerBatch, *, urgent: bool = False) -> Future[None]:
        self.batches.append(batch)
        future: Future[None] = Future()
        if self.held is None:
            future.set_result(None)
        else:
            self.held.append(future)
        return future

    def all(self, name: str) -> list:
        return [each for batch in self.batches for each in getattr(batch, name)]


def durable(metering: Metering) -> tuple[Counter, ...]:
    """Every counter as it is durable."""
    committed = metering.outbox.committed
    return (*committed.others, *chain.from_iterable(committed.of_runs.values()))


class World:
    """Two GPUs with a steady load, a clock to turn, and the metering of them."""

    def __init__(
        self,
        folder: Path,
        *,
        private: bool = False,
        recovered: Recovered | None = None,
        gpus: tuple[Device, ...] = GPUS,
    ) -> None:
        self.now_ns = 1_000 * S
        self.step_us = 0
        self.silent: tuple[str, ...] = ()
        self.store = Store()
        site = Site("home", "home", None)
        rates = Rates.at((), site, 0)
        self.metering = Metering(
            Place(Node("n", "b", "h"), site, private=private),
            self.store,
            Leases(folder, 1),
            lambda _: rates,
            Clock(lambda: self.now_ns, lambda: WALL_US + self.now_ns // 1000 + self.step_us),
            recovered,
        )
        self.gpus = gpus
        self.metering.take(Hello(gpus, (("nvml", None),), "580", "b", 1), self.now_ns)

    def go(self, seconds: float, *, flush: bool = True) -> None:
        """Let time pass, tick by tick; the sampler sends twice a second."""
        end = self.now_ns + round(seconds * S)
        while self.now_ns < end:
            readings = []
            for _ in range(5):
                self.now_ns += TICK
                readings += self._look()
            self.metering.take(SamplerBatch(self.now_ns, tuple(readings)), self.now_ns)
            if flush or self.metering.ending:
                self.metering.flush()

    def pass_by(self, ticks: int) -> None:
        """Let so many ticks pass as the loop does: rows each second, the rest when it hurries."""
        for _ in range(ticks):
            self.now_ns += TICK
            self.metering.take(SamplerBatch(self.now_ns, tuple(self._look())), self.now_ns)
            due = self.now_ns % S == 0
            if due or self.metering.ending or self.metering.hurry:
                self.metering.flush(rows=due)

    def _look(self) -> list[Reading]:
        return [
            Reading(g.id, self.now_ns, self.now_ns - TICK // 100,
                    POWER_MW * self.now_ns // S, POWER_MW, POWER_MW)
            for g in self.gpus if g.id not in self.silent
        ]  # fmt: skip

    def begin(self, run_id: str, started_ns: int | None = None, gpus: str = "all") -> LiveRun:
        started = self.now_ns if started_ns is None else started_ns
        run = Run(run_id, run_id, "p", self.metering.anchor.us(started), started, "n", "home")
        live = LiveRun(run, Wanted(gpus=gpus))
        self.metering.begin(live)
        return live

    def end(self, live: LiveRun, ended_ns: int) -> Future[None]:
        ending = Ending(ended_ns, self.now_ns, RunStatus.COMPLETED, 0)
        return self.metering.end(live, ending)

    def energy_mj(self, kind: Kind, run_id: str | None = None) -> int:
        return sum(
            i.energy_mj for i in self.store.all("intervals") if (i.kind, i.run_id) == (kind, run_id)
        )

    def shown(self, name: str, **labels: str) -> float:
        return float(sum(
            c.value for c in durable(self.metering)
            if c.name == name and labels.items() <= dict(c.labels).items()
        ))  # fmt: skip


def used_mj(start_ns: int, end_ns: int, gpus: int = 2) -> int:
    return gpus * POWER_MW * (end_ns - start_ns) // S


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_run_whose_end_is_told_late_is_exact_in_counters_and_ledger(world: World) -> None:
    world.go(5)
    live = world.begin("r1")
    started = world.now_ns
    world.go(70)
    ended = world.now_ns - 9 * S // 10
    done = world.end(live, ended)
    world.go(2)
    assert done.done()
    expected = used_mj(started, ended)
    assert world.energy_mj(Kind.RUN, "r1") == pytest.approx(expected, rel=1e-4)
    assert world.shown("meter_run_energy_joules_total", run="r1") == pytest.approx(
        expected / 1000, rel=1e-4
    )
    (state,) = [s for s in world.store.all("states") if s.status is RunStatus.COMPLETED]
    assert state.at_us - live.run.started_us == (ended - started) // 1000


def test_runs_idle_time_and_devices_add_up_exactly(world: World) -> None:
    world.go(7.5)
    first = world.begin("r1", gpus="0")
    world.go(30)
    second = world.begin("r2")
    world.go(40)
    world.end(first, world.now_ns - S // 3)
    world.go(20)
    world.end(second, world.now_ns)
    world.go(10)
    world.metering.stop()
    total = sum(track.curve.curve_mj for track in world.metering.roll.tracks.values())
    by_run = [world.energy_mj(Kind.RUN, run) for run in ("r1", "r2")]
    assert sum(by_run) + world.energy_mj(Kind.IDLE) == total
    assert all(by_run)
    devices = world.shown("meter_gpu_energy_joules_total")
    assert devices == pytest.approx(world.shown("meter_energy_joules_total"))
    assert devices == pytest.approx(total / 1000)


def test_a_clock_stepped_an_hour_changes_labels_and_nothing_else(tmp_path: Path) -> None:
    totals = []
    for step_us in (0, 3_600_000_000, -3_600_000_000):
        world = World(tmp_path)
        world.go(3)
        live = world.begin("r1")
        world.go(90)
        world.step_us = step_us
        world.go(90)
        world.end(live, world.now_ns)
        world.go(2)
        world.metering.stop()
        (state,) = [s for s in world.store.all("states") if s.status is RunStatus.COMPLETED]
        stepped = [n for n in world.store.all("notices") if n.code == "clock_stepped"]
        assert bool(stepped) == bool(step_us)
        last = max(i.end_us for i in world.store.batches[-1].intervals)
        assert abs(last - WALL_US - world.now_ns // 1000 - step_us) < 1_000_000
        totals.append(
            (world.energy_mj(Kind.RUN, "r1"), world.shown("meter_energy_joules_total"),
             state.at_us - live.run.started_us)
        )  # fmt: skip
    assert totals[0] == totals[1] == totals[2]


def test_a_private_agent_gives_its_run_the_time_before_it_was_told_of_it(tmp_path: Path) -> None:
    world = World(tmp_path, private=True)
    began = world.now_ns + S // 2
    world.go(4)
    assert world.shown("meter_energy_joules_total") == 0  # nothing is booked to nobody
    live = world.begin("r1", began)
    world.go(3)
    assert world.shown("meter_energy_joules_total", project="(idle)") == pytest.approx(
        used_mj(began - S // 2, began) / 1000, rel=0.5
    )
    ended = world.now_ns
    world.end(live, ended)
    world.go(2)
    assert world.shown("meter_run_energy_joules_total", run="r1") == pytest.approx(
        used_mj(began, ended) / 1000, rel=0.01
    )


def test_counters_are_shown_only_when_they_are_durable(world: World) -> None:
    world.begin("r1")
    world.go(5)
    before = world.shown("meter_gpu_energy_joules_total")
    assert before > 0
    world.store.held = []
    world.go(5)
    assert world.shown("meter_gpu_energy_joules_total") == before
    failed, *others = world.store.held
    failed.set_exception(LedgerError("refused"))
    assert world.shown("meter_gpu_energy_joules_total") == before
    for future in others:
        future.set_result(None)
    assert world.shown("meter_gpu_energy_joules_total") > before


@given(st.integers(0, 9), st.integers(1, 30), st.booleans())
def test_no_counter_is_ever_written_ahead_of_the_row_that_a_restart_goes_on_from(
    begins: int, ends: int, cut: bool
) -> None:
    """Whatever batch is the last that a killed agent wrote, nothing is booked twice after it."""
    with TemporaryDirectory() as folder:
        world = World(Path(folder))
        world.go(3)
        world.pass_by(begins)
        live = world.begin("r1", gpus="0")
        world.pass_by(ends)
        if cut:
            world.metering.flush(rows=False, cut="r1", urgent=True)
        world.end(live, world.now_ns)
        world.pass_by(20)
    assert world.metering.ended
    booked: dict[str, float] = {}
    stands: dict[str, int] = {}
    for batch in world.store.batches:
        name = "meter_gpu_energy_joules_total"
        booked |= {dict(c.labels)["uuid"]: c.value for c in batch.counters if c.name == name}
        stands |= {row.device_id: row.curve_mj for row in batch.readings}
        assert {device: int(joules * 1000) for device, joules in booked.items()} == stands


def test_a_run_ends_in_time_even_where_a_device_fell_silent(world: World) -> None:
    live = world.begin("r1")
    started = world.now_ns
    world.go(10)
    world.silent = ("GPU-1",)
    world.go(0.5)
    ended = world.now_ns
    done = world.end(live, ended)
    world.go(1)
    assert not done.done()
    world.go(1)
    assert done.done()
    assert world.energy_mj(Kind.RUN, "r1") == pytest.approx(used_mj(started, ended), rel=0.1)
    assert not world.metering.runs


def test_marks_get_the_energy_of_their_instant(world: World) -> None:
    live = world.begin("r1")
    started = world.now_ns
    world.go(5)
    at_ns = world.now_ns
    world.metering.mark(live, at_ns, Mark("r1", live.at_us(at_ns), 0, step=3, tokens=4096))
    assert world.store.all("marks") == []
    world.go(3)
    (mark,) = world.store.all("marks")
    assert mark.energy_mj == pytest.approx(used_mj(started, at_ns), rel=0.02)
    assert world.shown("meter_run_tokens_total", run="r1") == 4096


def told(world: World, live: LiveRun, at_ns: int, **what: object) -> None:
    world.metering.mark(live, at_ns, Mark("r1", live.at_us(at_ns), 0, **what))


def test_a_mark_after_the_end_was_told_gets_its_energy_before_the_run_is_over(
    world: World,
) -> None:
    live = world.begin("r1")
    started = world.now_ns
    world.go(5)
    ended = world.now_ns
    world.end(live, ended)
    at_ns = ended - S // 2
    told(world, live, at_ns, step=1)
    world.go(2)
    (mark,) = world.store.all("marks")
    assert mark.energy_mj == pytest.approx(used_mj(started, at_ns), rel=0.03)
    assert mark.low_mj - mark.below_mj <= used_mj(started, at_ns) <= mark.high_mj + mark.above_mj
    assert [s.status for s in world.store.all("states")][-1] is RunStatus.COMPLETED


def test_marks_out_of_order_are_stored_in_order_with_energies_that_grow(world: World) -> None:
    live = world.begin("r1")
    world.go(5)
    for step in (4, 1, 3, 2):
        told(world, live, world.now_ns - (5 - step) * S // 2, step=step)
    world.go(3)
    found = world.store.all("marks")
    assert [m.step for m in found] == [1, 2, 3, 4]
    energies = [m.energy_mj for m in found]
    assert energies == sorted(set(energies))


def test_a_mark_that_comes_minutes_late_is_bounded_by_what_is_remembered(world: World) -> None:
    live = world.begin("r1")
    started = world.now_ns
    world.go(30)
    at_ns = world.now_ns
    world.go(150)
    told(world, live, at_ns, step=1)
    world.go(2)
    (mark,) = world.store.all("marks")
    truth = used_mj(started, at_ns)
    assert mark.energy_mj - mark.below_mj <= truth <= mark.energy_mj + mark.above_mj


def test_phases_share_out_the_energy_of_their_run(world: World) -> None:
    name = "meter_run_phase_energy_joules_total"
    live = world.begin("r1")
    started = world.now_ns
    world.go(4)
    told(world, live, started + 2 * S, phase="train")
    world.go(4)
    told(world, live, world.now_ns, phase="eval")
    world.go(4)
    ended = world.now_ns
    world.end(live, ended)
    world.go(2)
    assert world.shown(name, phase="(none)") == pytest.approx(1_600, rel=0.05)
    assert world.shown(name, phase="train") == pytest.approx(4_800, rel=0.05)
    assert world.shown(name, phase="eval") == pytest.approx(3_200, rel=0.05)
    whole = world.shown("meter_run_energy_joules_total", run="r1")
    assert world.shown(name, run="r1") == pytest.approx(whole, abs=0.01)


def test_of_very_many_marks_that_wait_the_newest_are_dropped_and_said(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(marking, "MOST_WAITING", 10)
    live = world.begin("r1")
    world.go(1)
    for step in range(13):
        told(world, live, world.now_ns, step=step)
    assert world.metering.dropped_marks == 3
    world.end(live, world.now_ns)
    world.go(2)
    assert [m.step for m in world.store.all("marks")] == list(range(10))
    (notice,) = [n for n in world.store.all("notices") if n.code == marking.DROPPED_CODE]
    assert "3 marks of the run were dropped (3 waiting)" in notice.text
    world.go(400)
    assert world.metering.dropped_marks == 3  # the run is forgotten, the count is not


def test_an_open_minute_is_written_early_when_asked_for_and_nothing_changes(world: World) -> None:
    world.go(1)
    live = world.begin("r1")
    started = world.now_ns
    for _ in range(10):
        world.go(3.5)
        world.metering.flush(rows=False, cut="r1")
    ended = world.now_ns
    world.end(live, ended)
    world.go(2)
    assert world.energy_mj(Kind.RUN, "r1") == pytest.approx(used_mj(started, ended), rel=1e-4)


def test_devices_that_come_late_are_given_to_the_runs_that_want_them(world: World) -> None:
    live = world.begin("r1")
    late = Device("GPU-9", Component.GPU, "H100", Method.MEASURED, index=9, simulated=True)
    world.go(2)
    assert "GPU-9" not in live.shares
    world.metering.take(Hello((*GPUS, late), (("nvml", None),), "580", "b", 1), world.now_ns)
    assert live.shares["GPU-9"] == Fraction(1)
    world.go(2)
    assert Hold("r1", "GPU-9", live.run.started_ns) in world.store.all("holds")


def test_a_notice_of_a_device_is_told_to_the_runs_that_hold_it_once(world: World) -> None:
    world.begin("r1", gpus="0")
    world.begin("r2", gpus="1")
    world.go(5)
    world.silent = ("GPU-1",)
    world.go(20)
    world.silent = ()
    world.go(5)
    told = [n for n in world.store.all("notices") if n.device_id == "GPU-1"]
    assert told
    assert {n.run_id for n in told} == {"r2"}
    assert len({(n.code, n.run_id) for n in told}) == len(told)


def test_ended_runs_leave_the_page_after_a_while_and_their_project_keeps_the_sum(
    world: World,
) -> None:
    live = world.begin("r1")
    world.go(5)
    world.end(live, world.now_ns)
    world.go(2)
    energy = world.shown("meter_energy_joules_total", project="p")
    assert world.shown("meter_run_energy_joules_total", run="r1") == pytest.approx(energy)
    world.go(910)
    assert world.shown("meter_run_energy_joules_total", run="r1") == 0
    assert world.shown("meter_energy_joules_total", project="p") == pytest.approx(energy)


def test_a_ledger_that_cannot_be_written_still_gives_a_document(world: World) -> None:
    world.go(1)
    world.store.held = []
    live = world.begin("r1")
    started = world.now_ns
    world.go(10)
    done = world.end(live, world.now_ns)
    ended = world.now_ns
    world.go(2)
    assert not done.done()
    document = unsaved(world.metering, "r1")
    assert document is not None
    assert document["run"]["status"] == "completed"
    value = document["energy"]["by_component"]["gpu"]["value"]
    assert value == pytest.approx(used_mj(started, ended) / 1000, rel=1e-3)
    assert unsaved(world.metering, "another") is None


def test_health_fades_with_the_samples() -> None:
    assert freshness(None, 5 * S, 0)[0] is False
    assert freshness(5 * S, 9 * S, 0) == (True, None)
    fresh, reason = freshness(5 * S, 30 * S, 2)
    assert not fresh
    assert reason == "the sampler has been silent for 25 s, started again 2 times"


def test_what_was_left_out_is_not_any_more_when_it_has_been_gone_for_two_spans(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metering_module, "LEFT_OUT_NS", 10 * S)
    world.go(1)
    world.metering.books.refuse("project x")
    world.go(12)
    assert world.metering.books.left_out == 1
    world.go(12)
    assert world.metering.books.left_out == 0
    assert world.metering.books.dropped == 1


def test_gauges_of_a_silent_device_vanish_from_the_page(world: World) -> None:
    world.go(2)
    shelf = Shelf(Site("home", "home", None))

    def power() -> list[int | None]:
        shown = snapshot(world.metering, shelf, LedgerHealth(), world.now_ns, 0)
        return [gpu.power_mw for gpu in shown.gpus]

    assert power() == [POWER_MW, POWER_MW]
    world.silent = ("GPU-1",)
    world.go(6)
    assert power() == [POWER_MW, None]


def test_what_an_abandoned_runs_devices_used_while_no_agent_ran_is_nobodys(
    tmp_path: Path,
) -> None:
    last_ns, back_ns = 990 * S, 1_000 * S  # of the agent that was killed; of the one that came
    known = POWER_MW * last_ns // S
    run = Run("gone", "gone", "p", WALL_US + 900_000_000, 900 * S, "n", "home")
    live = LiveRun(run, Wanted(gpus="none"), {g.id: Fraction(1) for g in GPUS})
    starts = {g.id: CurveStart(known, last_ns, known, last_ns) for g in GPUS}
    closed = {g.id: last_ns for g in GPUS}
    world = World(
        tmp_path,
        recovered=Recovered(starts=starts, closed_ns=closed, abandoned=((live, last_ns),)),
    )
    world.go(90)
    states = [(each.run_id, each.status) for each in world.store.all("states")]
    assert states == [("gone", RunStatus.ABANDONED)]
    assert "run_abandoned" in {notice.code for notice in world.store.all("notices")}
    gap = used_mj(last_ns, back_ns)
    assert world.energy_mj(Kind.UNATTRIBUTED) == pytest.approx(gap, rel=0.02)
    assert world.energy_mj(Kind.RUN, "gone") == 0
    written = world.store.all("intervals")
    assert {i.kind for i in written} == {Kind.UNATTRIBUTED, Kind.IDLE}
    span_us = max(i.end_us for i in written) - min(i.start_us for i in written)
    total_mj = sum(i.energy_mj for i in written)
    assert total_mj == pytest.approx(2 * POWER_MW * span_us / 1e6, rel=1e-3)


def come_back(tmp_path: Path) -> tuple[World, LiveRun]:
    """An agent that comes back ten seconds after it was killed under a run; nobody has looked."""
    last_ns = 990 * S
    known = POWER_MW * last_ns // S
    run = Run("r1", "r1", "p", WALL_US + 900_000_000, 900 * S, "n", "home")
    live = LiveRun(run, Wanted(gpus="all"), {g.id: Fraction(1) for g in GPUS})
    starts = {g.id: CurveStart(known, last_ns, known, last_ns) for g in GPUS}
    closed = {g.id: last_ns for g in GPUS}
    world = World(tmp_path, recovered=Recovered(starts=starts, closed_ns=closed, runs=[live]))
    world.silent = tuple(g.id for g in GPUS)
    return world, live


@pytest.mark.parametrize("before_s", [0.5, 2])
def test_the_end_of_a_run_waits_for_counters_to_tell_of_the_time_without_an_agent(
    tmp_path: Path, before_s: float
) -> None:
    """A sampler that is slow to start is no reason to call what it will tell unknown."""
    world, live = come_back(tmp_path)
    world.go(before_s)
    ended_ns = world.now_ns
    done = world.end(live, ended_ns)
    world.go(2.5)
    assert not done.done()
    world.silent = ()
    world.go(1)
    assert done.done()
    assert world.energy_mj(Kind.RUN, "r1") == pytest.approx(used_mj(990 * S, ended_ns), rel=0.001)
    codes = {(notice.code, notice.run_id) for notice in world.store.all("notices")}
    assert ("gap_bridged", "r1") in codes
    assert not {code for code, _ in codes} & {"gap_unknown", "device_unreadable"}


def test_what_is_found_out_at_the_end_of_a_run_is_told_of_that_run(tmp_path: Path) -> None:
    """One look is enough to close the time without an agent, and to say so."""
    world, live = come_back(tmp_path)
    world.go(0.5)
    ended_ns = world.now_ns
    done = world.end(live, ended_ns)
    world.go(2)
    world.silent = ()
    world.pass_by(1)
    assert done.done()
    assert world.energy_mj(Kind.RUN, "r1") == pytest.approx(used_mj(990 * S, ended_ns), rel=0.001)
    codes = {(notice.code, notice.run_id) for notice in world.store.all("notices")}
    assert ("gap_bridged", "r1") in codes


def test_counters_that_never_tell_of_the_time_without_an_agent_do_not_hold_up_an_end(
    tmp_path: Path,
) -> None:
    world, live = come_back(tmp_path)
    world.go(0.5)
    done = world.end(live, world.now_ns)
    world.go(5.5)
    assert done.done()
    assert world.energy_mj(Kind.RUN, "r1") == 0
    high_mj = sum(i.high_mj for i in world.store.all("intervals") if i.run_id == "r1")
    assert high_mj >= used_mj(990 * S, 1_000 * S)
    assert "device_unreadable" in {notice.code for notice in world.store.all("notices")}


def gap_s(world: World) -> dict[str, Decimal]:
    return {dict(c.labels)["uuid"]: c.value for c in durable(world.metering) if c.name == GAP}


def test_time_without_an_agent_adds_to_the_gap_that_was_known_and_to_zero_at_first(
    tmp_path: Path,
) -> None:
    world = World(tmp_path)
    world.go(1)
    assert gap_s(world) == {g.id: 0 for g in GPUS}
    known, last_ns = used_mj(0, 990 * S, gpus=1), 990 * S
    starts = {g.id: CurveStart(known, last_ns, known, last_ns) for g in GPUS}
    before = [Counter(GAP, (("uuid", g.id),), Decimal("39.75")) for g in GPUS]
    world = World(tmp_path, recovered=Recovered(starts=starts, counters=before))
    assert gap_s(world) == {g.id: Decimal("39.75") for g in GPUS}
    world.go(3)
    for value in gap_s(world).values():
        assert float(value) == pytest.approx(39.75 + 10, abs=0.3)


def test_of_a_sensor_that_tells_nothing_after_a_restart_all_time_is_a_gap(tmp_path: Path) -> None:
    world, _ = come_back(tmp_path)
    world.go(20)
    for value in gap_s(world).values():
        assert float(value) == pytest.approx(10 + 20, abs=3)


def test_a_gap_is_in_the_counter_as_soon_as_a_row_is_beyond_it_and_not_before(
    tmp_path: Path,
) -> None:
    """Where an agent goes on by the rows, it neither counts a gap twice nor misses it."""
    known, last_ns = used_mj(0, 990 * S, gpus=1), 990 * S
    starts = {g.id: CurveStart(known, last_ns, known, last_ns) for g in GPUS}
    world = World(tmp_path, recovered=Recovered(starts=starts))
    seen = set()
    for _ in range(40):
        world.pass_by(1)
        rows = {row.device_id: row.settled_ns for row in world.store.all("readings")}
        for device_id, value in gap_s(world).items():
            beyond = rows.get(device_id, last_ns) > last_ns
            assert beyond == (value > 0)
            seen.add(beyond)
    assert seen == {True, False}


def test_embodied_carbon_of_the_gpus_that_are_there_is_booked_once(world: World) -> None:
    world.go(2)
    world.metering.take(Hello(GPUS, (("nvml", None),), "580", "b", 2), world.now_ns)
    world.go(2)
    known = KnownFactors()
    rows = statements_to_write(known, world.store.all("factors"))
    assert [(row.kind, row.item, row.book) for row in rows] == [
        (FactorKind.EMBODIED_BOARD, "H100", "bundled"),
        (FactorKind.EMBODIED_SERVER, None, "bundled"),
    ]
