"""Counters as they are durable: those of each run apart, so that a page need not look at all.

What a commit changes is replaced, in its order, and all else stays as it is: a commit costs what
it changes, and a scrape what it shows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from meter.model import Counter

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from meter.agent.booking import Key

_NO_RUN = ""


@dataclass(frozen=True, slots=True)
class Committed:
    """Every durable counter, in order: of no run, and of each run."""

    others: tuple[Counter, ...] = ()
    of_runs: Mapping[str, tuple[Counter, ...]] = field(default_factory=dict)


class Totals:
    """Keeps what is durable; ``now`` is replaced as a whole and may be read by any thread."""

    def __init__(self) -> None:
        self.now = Committed()
        self._groups: dict[str, dict[Key, Counter]] = {}

    def begin(self, counters: Iterable[Counter]) -> None:
        """Know these and nothing of before."""
        self._groups, self.now = {}, Committed()
        self.take(counters)

    def announce(self, keys: Iterable[Key]) -> None:
        """Take counters at zero; one that is known stays as it is."""
        self.take([Counter(*key, Decimal(0)) for key in keys if not self._knows(key)])

    def take(self, changed: Iterable[Counter], gone: Iterable[str] = ()) -> None:
        """Take runs off, then counters as they stand now."""
        of_runs = dict(self.now.of_runs)
        for run_id in gone:
            self._groups.pop(run_id, None)
            of_runs.pop(run_id, None)
        for name, is_new in self._put(changed).items():
            if is_new:
                self._groups[name] = dict(sorted(self._groups[name].items()))
            if name != _NO_RUN:
                of_runs[name] = tuple(self._groups[name].values())
        self.now = Committed(tuple(self._groups.get(_NO_RUN, {}).values()), of_runs)

    def _knows(self, key: Key) -> bool:
        return key in self._groups.get(_run_of(key[1]), {})

    def _put(self, changed: Iterable[Counter]) -> dict[str, bool]:
        """Replace counters where they stand; the runs touched, and whether they got new ones."""
        touched: dict[str, bool] = {}
        for counter in changed:
            name, key = _run_of(counter.labels), (counter.name, counter.labels)
            group = self._groups.setdefault(name, {})
            touched[name] = touched.get(name, False) or key not in group
            group[key] = counter
        return touched


def _run_of(labels: tuple[tuple[str, str], ...]) -> str:
    """The run that a counter with these labels is of, empty if none; it is their first."""
    return labels[0][1] if labels and labels[0][0] == "run" else _NO_RUN
