"""What the energy curve tells people when its counter or its power misbehaves."""

from __future__ import annotations

from meter.model import Gap, Notice, Severity
from meter.units import NS_PER_S

AGAIN_NS, SELDOM_NS = 60 * NS_PER_S, 3_600 * NS_PER_S
"""The same thing is told again after a minute, later after an hour, at the earliest."""

TEXTS = {
    "counter_glitch": "its energy counter gave an impossible value, which was left out",
    "counter_reset": "its energy counter started anew; power stands in for the moment between",
    "counter_stuck": "its energy counter stood still while power was drawn; power stands in",
    "counter_missing": "its energy counter gave nothing for over a second; power stands in",
    "counter_caught_up": "its energy counter caught up; what power had stood in for is corrected",
    "counter_not_caught_up": "its energy counter went on without the time it stood still; the "
    "figure from power is kept",
    "counter_disagrees": "its energy counter and its power differ by more than 15 %; the counter "
    "is used",
    "no_counter": "it has no energy counter; energy is made from power, and events shorter than "
    "the gaps of its sensor are invisible",
    "gap_bridged": "nobody could look for a while; its energy counter tells what was used "
    "meanwhile",
    "reads_failed": "some looks at it failed",
    "device_lost": "it could not be reached for a while",
}
GAP_CODE = "gap_unknown"
LEAST_GAP_NS = NS_PER_S // 2
"""A shorter gap is no notice: coverage and bounds show it."""
INFORMATIVE = frozenset(
    {"gap_bridged", "counter_caught_up", "no_counter", "counter_glitch", "reads_failed"}
)


def gap_notice(device_id: str, name: str, gap: Gap) -> Notice:
    """That nothing is known about some time, and about how much."""
    text = (
        f"{name} ({device_id}): nothing is known about {_length(gap.length_ns)}, which counts as "
        "zero energy and is not covered."
    )
    return Notice(GAP_CODE, text, Severity.WARNING, device_id=device_id, gap=gap)


def _length(length_ns: int) -> str:
    seconds = length_ns / NS_PER_S
    if seconds < 100:
        return f"{seconds:.1f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 100 else f"{minutes / 60:.1f} h"


class Notices:
    """Notices of one device, until somebody fetches them."""

    def __init__(self, device_id: str, name: str) -> None:
        self._device_id = device_id
        self._name = name
        self._told: dict[str, tuple[int, int]] = {}  # when, and for how long it is enough
        self._waiting: list[Notice] = []
        self._gap: Gap | None = None  # not told yet

    def tell(self, code: str, at_ns: int, reason: str = "", gap: Gap | None = None) -> None:
        """Say that something happened, unless it was said just now."""
        if not self._due(code, at_ns):
            return
        severity = Severity.INFO if code in INFORMATIVE else Severity.WARNING
        why = f" ({reason})" if reason else ""
        text = f"{self._name} ({self._device_id}): {TEXTS[code]}{why}."
        self._waiting.append(Notice(code, text, severity, device_id=self._device_id, gap=gap))

    def gap(self, start_ns: int, end_ns: int) -> None:
        """Nothing is known about a stretch; told by ``gap_over``, with what was not told yet."""
        former = self._gap or Gap(start_ns, start_ns, 0)
        if end_ns > start_ns:
            self._gap = Gap(former.start_ns, end_ns, former.length_ns + end_ns - start_ns)

    def bridged(self, gap: Gap, at_ns: int) -> None:
        """The counter tells of a time that was taken for unknown: that is not told any more."""
        self.tell("gap_bridged", at_ns, gap=gap)
        if self._gap is not None:
            left_ns = max(0, self._gap.length_ns - gap.length_ns)
            self._gap = Gap(self._gap.start_ns, self._gap.end_ns, left_ns) if left_ns else None

    def gap_over(self, at_ns: int) -> None:
        """Something is known again, or nobody asks any more: say how much time it was."""
        gap = self._gap
        if gap is None or gap.length_ns < LEAST_GAP_NS or not self._due(GAP_CODE, at_ns):
            return
        self._gap = None
        self._waiting.append(gap_notice(self._device_id, self._name, gap))

    def _due(self, code: str, at_ns: int) -> bool:
        told_ns, enough_ns = self._told.get(code, (at_ns - AGAIN_NS, AGAIN_NS))
        if at_ns - told_ns < enough_ns:
            return False
        self._told[code] = (at_ns, min(2 * enough_ns, SELDOM_NS))
        return True

    def drain(self) -> list[Notice]:
        """All notices since the last call."""
        waiting, self._waiting = self._waiting, []
        return waiting
