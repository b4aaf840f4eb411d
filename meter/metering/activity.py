"""Who used a device in a while, as one look at its processes told it; pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from enum import StrEnum

from meter.units import NS_PER_S

LASTING_NS = 30 * NS_PER_S
"""A look is believed for so long where no other comes after it."""
REMEMBERED = 1_024
"""Looks a device remembers, for corrections that come late."""


class IdlePolicy(StrEnum):
    """Who gets the idle power of a device that several runs hold."""

    OWNER = "owner"  # runs with a process on it, equally; all that hold it where none has one
    SHARED = "shared"  # all runs that hold it, equally
    NONE = "none"  # nobody: it stays idle


@dataclass(frozen=True, slots=True)
class Use:
    """Who used a device from ``from_ns``, the look before, to ``at_ns``; it is carried forward.

    ``runs`` are the runs with processes on the device and their use in any unit, the same for
    all; 0 is a process that did nothing. ``others`` is the use of processes that belong to no
    run, None: there were none. ``idle_mw`` is what the device draws unused, ``idle_seen`` whether
    that was seen; else it is an assumption.
    """

    from_ns: int
    at_ns: int
    runs: tuple[tuple[str, int], ...] = ()
    others: int | None = None
    idle_mw: int = 0
    idle_seen: bool = False

    @property
    def until_ns(self) -> int:
        """From when on nothing is known any more."""
        return self.at_ns + LASTING_NS

    @property
    def rank(self) -> tuple[int, tuple[tuple[str, int], ...], int, int, bool]:
        """Which of two looks from the same instant on counts: the greater."""
        others = -1 if self.others is None else self.others
        return self.at_ns, self.runs, others, self.idle_mw, self.idle_seen


class Looks:
    """The looks at one device, by the instant from which on they tell."""

    def __init__(self) -> None:
        self._uses: list[Use] = []
        self._starts: list[int] = []

    def put(self, use: Use) -> bool:
        """Take a look, whatever order they come in; False if it tells nothing new."""
        index = bisect_left(self._starts, use.from_ns)
        if index < len(self._starts) and self._starts[index] == use.from_ns:
            if self._uses[index].rank >= use.rank:
                return False
            self._uses[index] = use
            return True
        self._starts.insert(index, use.from_ns)
        self._uses.insert(index, use)
        if len(self._uses) > REMEMBERED:
            del self._starts[0], self._uses[0]
        return True

    def at(self, at_ns: int) -> tuple[Use | None, int | None]:
        """The look that tells of an instant, and when that changes next."""
        index = bisect_right(self._starts, at_ns)
        change_ns = self._starts[index] if index < len(self._starts) else None
        if not index:
            return None, change_ns
        use = self._uses[index - 1]
        if at_ns >= use.until_ns:
            return None, change_ns
        own_ns = use.at_ns if at_ns < use.at_ns else use.until_ns
        return use, own_ns if change_ns is None else min(change_ns, own_ns)
