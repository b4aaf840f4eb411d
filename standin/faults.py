"""Faults, by name. Times are trace time in seconds; no start means always, no duration for good.

``calls`` of a fault are names (``nvmlDeviceGetPowerUsage``, ``field:186``) or groups (``energy``,
``power``, ``samples``, ``processes``, ``utilization``, ``memory``, ``handles``, ``init`` ...;
``device`` is every call about a device, ``any`` every call).
"""

from __future__ import annotations

from dataclasses import dataclass

from standin.units import mj, mw, ns


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault as its script line: name, options, and when."""

    name: str
    options: tuple[str, ...] = ()
    start_s: float | None = None
    duration_s: float | None = None

    def line(self) -> str:
        """The script line."""
        words = ["fault", self.name, *self.options]
        if self.start_s is not None:
            words.append(f"from={ns(self.start_s)}ns")
        if self.duration_s is not None:
            words.append(f"for={ns(self.duration_s)}ns")
        return " ".join(words)


def _strike(calls: str, probability: float = 1, first: int = 0) -> tuple[str, ...]:
    words: tuple[str, ...] = (f"call={calls}",) if calls else ()
    if probability != 1:
        words += (f"probability={probability!r}",)
    return (*words, f"calls={first}") if first else words


def fails(
    code: str | int,
    start_s: float | None = None,
    duration_s: float | None = None,
    *,
    calls: str = "",
    probability: float = 1,
    first: int = 0,
) -> Fault:
    """Calls answer ``code``; ``first`` limits it to the first so many calls of each process."""
    options = (f"code={code}", *_strike(calls, probability, first))
    return Fault("fail", options, start_s, duration_s)


def lost(start_s: float, duration_s: float | None = None, *, stale: bool = False) -> Fault:
    """The GPU fell off the bus; with ``stale``, handles from before never work again."""
    return Fault("lost", ("stale",) if stale else (), start_s, duration_s)


def unknown(
    probability: float,
    start_s: float | None = None,
    duration_s: float | None = None,
    *,
    calls: str = "",
) -> Fault:
    """Calls answer UNKNOWN with a probability, by a seeded draw."""
    return Fault("unknown", _strike(calls, probability), start_s, duration_s)


def not_supported(calls: str = "energy") -> Fault:
    """Calls that this GPU never answers."""
    return Fault("not_supported", _strike(calls))


def no_permission(calls: str = "processes") -> Fault:
    """Calls that a restricted container may not make."""
    return Fault("no_permission", _strike(calls))


def no_data(start_s: float, duration_s: float, *, calls: str = "power,energy,samples") -> Fault:
    """Readings are not there for a while."""
    return Fault("no_data", _strike(calls), start_s, duration_s)


def init_fails(
    code: str = "DRIVER_NOT_LOADED",
    *,
    first: int = 0,
    start_s: float | None = None,
    duration_s: float | None = None,
) -> Fault:
    """Makes nvmlInit fail: the first so many times of each process, or for a while."""
    return Fault("init", (f"code={code}", *_strike("", 1, first)), start_s, duration_s)


def latency(by_s: float, *, calls: str = "", probability: float = 1) -> Fault:
    """Calls take so much longer."""
    return Fault("latency", (f"by={ns(by_s)}ns", *_strike(calls, probability)))


def hang(
    start_s: float,
    duration_s: float | None = None,
    *,
    by_s: float | None = None,
    calls: str = "",
    first: int = 0,
) -> Fault:
    """Calls begun in that time hang for ``by_s``, or for ever."""
    by = () if by_s is None else (f"by={ns(by_s)}ns",)
    return Fault("hang", (*by, *_strike(calls, 1, first)), start_s, duration_s)


def late(by_s: float, start_s: float, duration_s: float, *, calls: str = "") -> Fault:
    """Readings are so much older than they should be."""
    return Fault("late", (f"by={ns(by_s)}ns", *_strike(calls)), start_s, duration_s)


def nan(start_s: float, duration_s: float, *, calls: str = "field:186") -> Fault:
    """A field comes as a double that is not a number."""
    return Fault("nan", _strike(calls), start_s, duration_s)


def spike(
    start_s: float, duration_s: float, *, watts: float = 4_000_000, calls: str = "power"
) -> Fault:
    """Power readings of an impossible size."""
    return Fault("spike", (f"value={mw(watts)}mW", *_strike(calls)), start_s, duration_s)


def reset(at_s: float, *, to_j: float = 0) -> Fault:
    """The energy counter starts again."""
    return Fault("reset", (f"to={mj(to_j)}mJ",), at_s)


def backwards(by_j: float, start_s: float, duration_s: float | None = None) -> Fault:
    """The energy counter falls back by so much; after the duration it is where it should be."""
    return Fault("backwards", (f"by={mj(by_j)}mJ",), start_s, duration_s)


def stuck(start_s: float, duration_s: float | None = None, *, catches_up: bool = True) -> Fault:
    """The energy counter stands still; then jumps to where it should be, or never counts it."""
    return Fault("stuck", () if catches_up else ("lost",), start_s, duration_s)


def jitter(by_s: float, start_s: float | None = None, duration_s: float | None = None) -> Fault:
    """Ticks of the counter come up to so much early or late."""
    return Fault("jitter", (f"by={ns(by_s)}ns",), start_s, duration_s)


def uuid_changes(uuid: str, start_s: float, duration_s: float | None = None) -> Fault:
    """The GPU has another UUID, as after an exchange."""
    return Fault("uuid", (f"value={uuid}",), start_s, duration_s)


def mig_switches(start_s: float, duration_s: float | None = None, *, on: bool) -> Fault:
    """MIG mode is switched."""
    return Fault("mig", ("on" if on else "off",), start_s, duration_s)


def order_changes(order: tuple[int, ...], start_s: float, duration_s: float | None = None) -> Fault:
    """NVML indices are dealt anew: GPU numbers of the script by index. Of the node."""
    return Fault("order", (f"value={','.join(map(str, order))}",), start_s, duration_s)


def driver_changes(version: str, at_s: float) -> Fault:
    """Another driver version; all energy counters start again. Of the node."""
    return Fault("driver", (f"value={version}",), at_s)
