"""How far a sender's clock is from this node's; by the instant that it gave its request.

A container, or another time namespace, may count CLOCK_BOOTTIME otherwise. What a request was on
its way is no such difference, and may be long: an agent can be stopped for a minute.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from meter.model import Notice, Severity
from meter.units import NS_PER_S

if TYPE_CHECKING:
    from meter.agent.requests import Sent

TOLD_NS = NS_PER_S
"""A smaller difference is only made good."""
ON_ITS_WAY_NS = 10 * NS_PER_S
"""How long a request may have been on its way, where nothing is known of its sender's clock."""
ON_ITS_WAY_HERE_NS = 120 * NS_PER_S
"""The same where the kernel tells how far the sender's clock is from ours."""


def offset_ns(sent_ns: int, received_ns: int, known_ns: int | None) -> int:
    """What has to be added to the sender's instants.

    That is what the kernel says of its time namespace (``known_ns``), unless what the sender says
    cannot be so: nothing comes before it was sent, or very long after.
    """
    expected_ns = known_ns or 0
    way_ns = received_ns - sent_ns - expected_ns
    most_ns = ON_ITS_WAY_NS if known_ns is None else ON_ITS_WAY_HERE_NS
    return expected_ns if 0 <= way_ns <= most_ns else received_ns - sent_ns


def offset_of(request: Sent, peer_pid: int | None, latest_ns: int = 0) -> int:
    """The same of a request; its sender's clock showed ``latest_ns`` or more as it was sent."""
    known_ns = None if peer_pid is None else namespace_offset_ns(peer_pid)
    sent_ns = request.sent_ns
    if sent_ns is None:
        sent_ns = max(latest_ns, request.received_ns - (known_ns or 0))
    return offset_ns(sent_ns, request.received_ns, known_ns)


def namespace_offset_ns(pid: int) -> int | None:
    """What our time namespace adds to a process's; None if that cannot be seen."""
    own, other = _boottime_ns("self"), _boottime_ns(str(pid))
    return None if own is None or other is None else own - other


def _boottime_ns(pid: str) -> int | None:
    """What a process's time namespace adds to the node's CLOCK_BOOTTIME."""
    try:
        text = Path(f"/proc/{pid}/timens_offsets").read_text(encoding="ascii")
        rows = [line.split() for line in text.splitlines()]
        found = [int(s) * NS_PER_S + int(ns) for name, s, ns in rows if name == "boottime"]
    except (OSError, ValueError):
        return None
    return found[0] if found else None


def skew_notice(run_id: str, offset: int) -> Notice:
    """That a client of a run has another clock, and what was done about it."""
    way = "behind" if offset > 0 else "ahead of"
    text = (
        f"A client of this run has a clock that is {abs(offset) / NS_PER_S:.0f} s {way} this"
        " node's: its instants were moved by that."
    )
    return Notice("clock_skew", text, Severity.WARNING, run_id=run_id)
