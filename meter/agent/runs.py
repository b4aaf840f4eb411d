"""The runs that live here, and what is still to be done for those that end."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from meter import limits
from meter.agent.booking import Account
from meter.agent.marking import Marks
from meter.ids import new_id
from meter.links import SOURCE_OF_ORIGIN
from meter.model import Hold, RunStatus
from meter.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Collection
    from fractions import Fraction

    from meter.model import Budget, Run, RunLink


SHOWN_NS = limits.SHOWN_MIN * 60 * NS_PER_S
"""How long an ended run stays on the page."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which devices a run asked for, as it said it."""

    gpus: str | None = None
    visible: str | None = None
    order: str | None = None
    container: str | None = None  # NVIDIA_VISIBLE_DEVICES, where it lists devices


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a launcher's part of a run ended, or the run."""

    status: RunStatus
    exit_code: int | None = None

    def after(self, before: Outcome | None) -> Outcome:
        """How the run ended, by what was known before: the first that did not go well stands."""
        return self if before is None or before.status is RunStatus.COMPLETED else before


@dataclass(slots=True)
class Ending:
    """A run that has ended and is waiting for its devices' curves."""

    ended_ns: int
    told_ns: int
    status: RunStatus
    exit_code: int | None
    done: Future[None] = field(default_factory=Future)


@dataclass(slots=True)
class LiveRun:
    """A run from its registration until it is settled and durable."""

    run: Run
    wanted: Wanted = field(default_factory=Wanted)
    shares: dict[str, Fraction] = field(default_factory=dict)
    held_ns: dict[str, int] = field(default_factory=dict)  # since when, if not from its start on
    marks: Marks = field(default_factory=Marks)
    ending: Ending | None = None
    budgets: dict[str, Budget] = field(default_factory=dict)  # by unit
    links: set[RunLink] = field(default_factory=set)
    attached: bool = False  # to a process that ran before

    @property
    def account(self) -> Account:
        """What live counters know of it."""
        return Account(self.run.id, self.run.project)

    @property
    def jobs(self) -> frozenset[str]:
        """The batch system's ids of it."""
        own = [self.run.id] if self.run.origin == "SLURM_JOB_ID" else []
        return frozenset([*own, *(one.foreign_id for one in self.links if one.source == "slurm")])

    def is_attempt_at(self, run_id: str) -> bool:
        """Whether it stands for a run of that id from outside, which had ended: ``ID.2``."""
        asked, _, number = self.run.id.rpartition(".")
        return asked == run_id and number.isdigit() and self.run.origin in SOURCE_OF_ORIGIN

    def holds(self, end_ns: int | None = None) -> tuple[Hold, ...]:
        """Its holds, open or ended."""
        return tuple(self._hold(device_id, end_ns) for device_id in self.shares)

    def _hold(self, device_id: str, end_ns: int | None) -> Hold:
        start_ns = self.held_ns.get(device_id, self.run.started_ns)
        end_ns = None if end_ns is None else max(start_ns, end_ns)
        return Hold(self.run.id, device_id, start_ns, end_ns, self.shares[device_id])

    def at_us(self, at_ns: int) -> int:
        """UTC µs by the run's own start, so that a stepped clock changes no duration."""
        return self.run.started_us + (at_ns - self.run.started_ns) // 1_000


def is_shown(live: LiveRun, now_ns: int) -> bool:
    """Whether a run has series on the page: it lives, or ended a short while ago."""
    return live.ending is None or now_ns - live.ending.ended_ns <= SHOWN_NS


def attempt_id(run_id: str, taken: Collection[str]) -> str:
    """An id for another attempt at a run: the same on each node that has seen the same ones."""
    number = 2
    while (found := f"{run_id}.{number}") in taken:
        number += 1
    return found if len(found) <= limits.RUN_ID_CHARS else new_id()
