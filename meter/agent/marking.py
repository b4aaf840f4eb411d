"""Marks of live runs: what was told by whom, and the energy of each once the curves are past it.

Runs on the metering thread.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from meter.agent.outlook import Outlook
from meter.model import Notice

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from meter.agent.booking import Books
    from meter.agent.runs import LiveRun
    from meter.metering.intervals import IntervalBuilder
    from meter.model import Mark

MOST_WAITING = 50_000
"""Marks of a run that may wait for their energy; about two seconds' worth are usual."""
MOST_SOURCES = 4_096
"""Processes of a run that are told apart; beyond, the one that was new first is forgotten."""
MOST_DROPPED = 10**9
"""Marks of one reason that a source can have dropped: some hours of nothing but marks."""
DROPPED_CODE = "marks_dropped"

_SOME = 3


@dataclass(slots=True)
class Source:
    """A process that tells marks: the last that came, and what it says it has dropped."""

    number: int = -1
    dropped: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Marks:
    """What a run told, and what waits for its energy."""

    waiting: list[tuple[int, Mark]] = field(default_factory=list)  # with their CLOCK_BOOTTIME
    sources: dict[str, Source] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)  # by reason
    phase: str | None = None  # None: none was told
    phase_ns: int = 0  # when it began
    phased_mj: Decimal = Decimal(0)  # of the run's energy, what is booked to phases
    outlook: Outlook = field(default_factory=Outlook)

    @classmethod
    def known(cls, numbers: Mapping[str, int], phase: str | None, phased_mj: Decimal) -> Marks:
        """What is known again of a run after a restart."""
        sources = {name: Source(number) for name, number in numbers.items()}
        return cls(sources=sources, phase=phase, phased_mj=phased_mj)

    def source(self, name: str) -> Source:
        """A source by its name."""
        found = self.sources.get(name)
        if found is None:
            while len(self.sources) >= MOST_SOURCES:
                del self.sources[next(iter(self.sources))]
            found = self.sources[name] = Source()
        return found

    def add(self, at_ns: int, mark: Mark) -> None:
        """Keep a mark, unless too many wait."""
        if len(self.waiting) >= MOST_WAITING:
            self.drop("waiting", 1)
        else:
            self.waiting.append((at_ns, mark))

    def hear(self, source: Source, dropped: Mapping[str, int]) -> None:
        """Note what a source says that it has dropped since it began, as far as that can be."""
        for reason, told in dropped.items():
            total = min(told, MOST_DROPPED)
            more = total - source.dropped.get(reason, 0)
            if more > 0:
                source.dropped[reason] = total
                self.drop(reason, more)

    def drop(self, reason: str, count: int) -> None:
        """Count marks that are not kept."""
        self.dropped[reason] = self.dropped.get(reason, 0) + count

    @property
    def idle(self) -> bool:
        """Whether nothing waits and no phase runs."""
        return not self.waiting and self.phase is None

    @property
    def lost(self) -> int:
        """How many marks are not kept, whatever the reason."""
        return sum(self.dropped.values())


def settled(live: LiveRun, builder: IntervalBuilder, books: Books, until_ns: int) -> list[Mark]:
    """Marks up to an instant that all devices' curves have come to, in order, with their energy.

    The energy of phases is booked up to there too.
    """
    marks = live.marks
    due = sorted((one for one in marks.waiting if one[0] <= until_ns), key=_order)
    marks.waiting = [one for one in marks.waiting if one[0] > until_ns]
    found = []
    for at_ns, mark in due:
        point = builder.point(live.run.id, at_ns)
        energy_mj = max(0, point.energy)
        settled_mark = replace(
            mark,
            energy_mj=energy_mj,
            low_mj=max(0, min(point.low, energy_mj)),
            high_mj=max(point.high, energy_mj),
            below_mj=point.below,
            above_mj=point.above,
        )
        found.append(settled_mark)
        marks.outlook.note(settled_mark)
        if mark.phase is not None:
            _book_phase(live, books, energy_mj)
            if at_ns >= marks.phase_ns:
                marks.phase, marks.phase_ns = mark.phase, at_ns
    if marks.phase is not None:
        _book_phase(live, books, builder.energy_mj(live.run.id, until_ns))
    return found


def _order(one: tuple[int, Mark]) -> tuple[int, int]:
    return one[0], one[1].number or 0


def _book_phase(live: LiveRun, books: Books, energy_mj: int) -> None:
    """Give what the run used since the last booking to the phase that ran."""
    more_mj = energy_mj - live.marks.phased_mj
    if more_mj > 0:
        books.phase(live.account, live.marks.phase or "", more_mj)
        live.marks.phased_mj = Decimal(energy_mj)


def dropped_notice(live: LiveRun) -> Notice | None:
    """What the reader of the run's steps has to know; None if no mark was dropped."""
    return notice_of(live.run.id, live.marks.dropped) if live.marks.lost else None


def notice_of(run_id: str, dropped: Mapping[str, int]) -> Notice:
    """What the reader of a run's steps has to know of dropped marks, by reason."""
    lost = sum(dropped.values())
    reasons = sorted(dropped.items(), key=lambda one: -one[1])
    told = ", ".join(f"{count:,} {reason}" for reason, count in reasons[:_SOME])
    text = (
        f"{lost:,} {'mark' if lost == 1 else 'marks'} of the run {'was' if lost == 1 else 'were'}"
        f" dropped ({told}): steps and phases around them are told together."
    )
    return Notice(DROPPED_CODE, text, run_id=run_id)


def total_dropped(runs: Iterable[LiveRun]) -> int:
    """Marks of some runs that are not kept."""
    return sum(live.marks.lost for live in runs)
