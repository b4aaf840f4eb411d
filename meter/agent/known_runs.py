"""The runs that a metering knows: those that live, those that ended a short while ago."""

from __future__ import annotations

from collections import Counter as Counts
from typing import TYPE_CHECKING

from meter.agent import marking
from meter.agent.runs import SHOWN_NS, is_shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meter.agent.runs import LiveRun


class KnownRuns:
    """Runs by id; changed by the metering thread alone.

    ``ended`` has with each when it was settled here; ``shown`` ended under an agent before.
    """

    def __init__(self, shown: Iterable[LiveRun], since_ns: int) -> None:
        self.living: dict[str, LiveRun] = {}
        self.ended: dict[str, tuple[LiveRun, int]] = {}
        self.shown = {live.run.id: live for live in shown}
        self.idle_since_ns = since_ns  # when the last one was settled
        self._dropped_of_gone = 0

    @property
    def on_page(self) -> dict[str, LiveRun]:
        """Runs that have series: those that live, then those that ended a short while ago."""
        ended = {run_id: live for run_id, (live, _) in self.ended.items()}
        return {**self.living, **ended, **self.shown}

    @property
    def ending(self) -> list[LiveRun]:
        """Those that wait for their end."""
        return [live for live in self.living.values() if live.ending is not None]

    @property
    def dropped_marks(self) -> int:
        """Marks that were made and are not kept, since the agent's start."""
        ended = [live for live, _ in self.ended.values()]
        return self._dropped_of_gone + marking.total_dropped([*self.living.values(), *ended])

    def find(self, run_id: str) -> LiveRun | None:
        """A run that lives, or ended here and is still shown."""
        ended = self.ended.get(run_id)
        return ended[0] if ended is not None else self.living.get(run_id)

    def holders(self, device_id: str) -> list[LiveRun]:
        """The runs that hold a device."""
        return [live for live in self.living.values() if device_id in live.shares]

    def held(self) -> set[str]:
        """Devices that runs hold."""
        return {device_id for live in self.living.values() for device_id in live.shares}

    def shared(self) -> set[str]:
        """Devices that several runs hold."""
        held = Counts(device_id for live in self.living.values() for device_id in live.shares)
        return {device_id for device_id, runs in held.items() if runs > 1}

    def begin(self, live: LiveRun) -> None:
        """A run lives from now on, also one that had ended."""
        self.living[live.run.id] = live
        self.ended.pop(live.run.id, None)
        self.shown.pop(live.run.id, None)

    def settle(self, live: LiveRun, now_ns: int) -> None:
        """A run is over, and its figures will not change any more."""
        self.ended[live.run.id] = (live, now_ns)
        del self.living[live.run.id]
        self.idle_since_ns = now_ns

    def forget_old(self, now_ns: int) -> list[str]:
        """Take runs off the page that ended long enough ago; their ids."""
        old = [run_id for run_id, (_, at_ns) in self.ended.items() if now_ns - at_ns > SHOWN_NS]
        self._dropped_of_gone += marking.total_dropped(self.ended.pop(run_id)[0] for run_id in old)
        older = [run_id for run_id, live in self.shown.items() if not is_shown(live, now_ns)]
        for run_id in older:
            del self.shown[run_id]
        return [*old, *older]
