"""Notices from where they arise to the runs that they concern, each thing said once.

Runs on the metering thread.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

from meter.model import Gap
from meter.sampling.curve_notices import GAP_CODE, LEAST_GAP_NS, gap_notice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from meter.agent.known_runs import KnownRuns
    from meter.agent.outbox import Outbox
    from meter.agent.runs import LiveRun
    from meter.model import Device, Notice

_NOTICES_KEPT = 1_000


class Notices:
    """Says notices; ``at_us`` is what an instant is called, None being now."""

    def __init__(
        self,
        outbox: Outbox,
        runs: KnownRuns,
        devices: Mapping[str, Device],
        at_us: Callable[[int | None], int],
    ) -> None:
        self._outbox = outbox
        self._runs = runs
        self._devices = devices
        self._at_us = at_us
        self._said: deque[tuple[str, str | None, str | None]] = deque(maxlen=_NOTICES_KEPT)

    def note_all(self, notices: Iterable[Notice]) -> None:
        """Keep several."""
        for notice in notices:
            self.note(notice)

    def note(self, notice: Notice) -> None:
        """Keep a notice: of a device for the runs that hold it, else for its run or the node."""
        at_us = notice.at_us or self._at_us(notice.gap.start_ns if notice.gap else None)
        notice = replace(notice, at_us=at_us)
        if notice.device_id is None or notice.run_id is not None:
            self.say(notice)
            return
        holders = self._runs.holders(notice.device_id)
        for run in holders:
            told = notice if notice.gap is None else self._gap_of(run, notice, notice.gap)
            if told is not None:
                self.say(replace(told, run_id=run.run.id))
        if not holders:
            self.say(notice)

    def say(self, notice: Notice) -> None:
        """Write a notice as it is, unless it was said before."""
        own = notice.gap or notice.code.startswith("config_")  # each gap, each key is another
        told = notice.text if own else ""
        known = (notice.code + told, notice.device_id, notice.run_id)
        if known not in self._said:  # once is enough for people; the curve counts the rest
            self._said.append(known)
            self._outbox.draft.notices.append(notice)

    def _gap_of(self, live: LiveRun, notice: Notice, gap: Gap) -> Notice | None:
        """A run's own part of an unknown time; None if that is too short to tell."""
        start_ns = max(gap.start_ns, live.run.started_ns)
        end_ns = gap.end_ns if live.ending is None else min(gap.end_ns, live.ending.ended_ns)
        length_ns = min(gap.length_ns, end_ns - start_ns)
        if length_ns < LEAST_GAP_NS:
            return None
        own = notice
        if notice.code == GAP_CODE:
            device = self._devices[notice.device_id or ""]
            own = gap_notice(device.id, device.name, Gap(start_ns, end_ns, length_ns))
        return replace(own, at_us=self._at_us(start_ns))
