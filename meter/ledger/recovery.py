"""What an agent has to know again after a restart."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

from meter.ledger import rows
from meter.ledger.instants import micros
from meter.model import (
    Budget,
    Counter,
    DeviceUse,
    Factor,
    Hold,
    Node,
    RawReading,
    Run,
    RunLink,
    RunStatus,
)
from meter.units import US_PER_HOUR

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meter.ledger.reader import Reader

_RECENT_COMMITS = 200_000  # two days of one a second
_TOLD_US = 62 * 24 * US_PER_HOUR
_OPEN_COMMITS = 7_200  # two hours; a minute's interval is written soon after the minute


def last_readings(reader: Reader) -> dict[str, RawReading]:
    """The newest raw reading of each device, by commit: wall time may have been set back."""
    since_seq = _since(reader, _RECENT_COMMITS)
    recent = reader.rows("recovery/last_readings", since_seq=since_seq)
    found = [rows.reading_of(row) for row in recent]
    return {reading.device_id: reading for reading in found}


def open_readings(reader: Reader) -> dict[str, list[RawReading]]:
    """Raw readings that no interval holds yet, after the last one before, oldest first."""
    found: dict[str, list[RawReading]] = {}
    since_seq = _since(reader, _OPEN_COMMITS)
    for row in reader.rows("recovery/open_readings", since_seq=since_seq):
        reading = rows.reading_of(row)
        found.setdefault(reading.device_id, []).append(reading)
    return found


def recent_uses(reader: Reader) -> list[DeviceUse]:
    """Looks at who used shared devices that may tell of what no interval holds yet."""
    since_seq = _since(reader, _OPEN_COMMITS)
    return [rows.use_of(row) for row in reader.rows("recovery/recent_uses", since_seq=since_seq)]


def written_until(reader: Reader) -> dict[str, int]:
    """End, in UTC µs, of what has been written of each device's intervals."""
    found = reader.rows("recovery/written_until")
    return {row["device_id"]: micros(row["end_at"]) for row in found}


class Attempt(NamedTuple):
    """What is known of a run, and of its end: UTC µs, None while it lives."""

    origin: str
    status: RunStatus
    ended_us: int | None


def attempts(reader: Reader, run_id: str) -> dict[str, Attempt]:
    """A run of an id and other attempts at it, with what is known of their end."""
    found = reader.rows("recovery/run_attempts", run_id=run_id)
    return {row["id"]: _attempt_of(row) for row in found}


def links(reader: Reader, run_id: str) -> set[RunLink]:
    """Ids that others gave a run."""
    found = reader.rows("report/run_links", run_id=run_id)
    return {RunLink(run_id, row["source"], row["foreign_id"]) for row in found}


def open_runs(reader: Reader, node_id: str) -> list[tuple[Run, list[Hold]]]:
    """Runs of a node that have not ended, with their holds."""
    return [
        (_run_of(row), holds(reader, row["id"]))
        for row in reader.rows("recovery/open_runs", node_id=node_id)
    ]


class Ended(NamedTuple):
    """A run that is over: how, and when in UTC µs."""

    run: Run
    budgets: list[Budget]
    status: RunStatus
    ended_us: int
    exit_code: int | None


def ended_runs(reader: Reader, node_id: str, since_us: int) -> list[Ended]:
    """Runs of a node whose end was recorded since an instant, in the order of their ends."""
    found: dict[str, Ended] = {}
    for row in reader.rows("recovery/ended_runs", node_id=node_id, since=since_us):
        ended = found.setdefault(
            row["id"],
            Ended(
                _run_of(row), [], RunStatus(row["status"]), micros(row["ended_at"]),
                row["exit_code"],
            ),
        )  # fmt: skip
        if row["unit"] is not None:
            ended.budgets.append(Budget(row["id"], row["amount"], row["unit"], row["stop"]))
    return list(found.values())


def holds(reader: Reader, run_id: str) -> list[Hold]:
    """A run's holds, with their ends where they have one."""
    return [
        Hold(
            run_id=row["run_id"],
            device_id=row["device_id"],
            start_ns=row["start_boot_ns"],
            end_ns=row["end_boot_ns"],
            share=Fraction(row["share_numerator"], row["share_denominator"]),
        )
        for row in reader.rows("recovery/holds", run_id=run_id)
    ]


def budgets(reader: Reader, run_id: str) -> list[Budget]:
    """A run's budgets."""
    return [
        Budget(run_id, row["amount"], row["unit"], row["stop"])
        for row in reader.rows("report/run_budgets", run_id=run_id)
    ]


class KnownMarks(NamedTuple):
    """What is stored of a run's marks: the last number of each source, and the newest phase."""

    numbers: Mapping[str, int]
    phase: str | None


def marks(reader: Reader, run_id: str) -> KnownMarks:
    """What has to be known of a run's marks to go on with them."""
    known = reader.rows("recovery/mark_sources", run_id=run_id)
    phase = reader.one("recovery/last_phase", run_id=run_id)
    return KnownMarks(
        {row["source"]: row["number"] for row in known}, phase["phase"] if phase else None
    )


def told_of_budgets(reader: Reader) -> list[tuple[str, str, str | None]]:
    """Code, text and run of what was said of budgets in the newest two months."""
    since_us = max(0, reader.newest_us() - _TOLD_US)
    found = reader.rows("recovery/budget_notices", since=since_us)
    return [(row["code"], row["message"], row["run_id"]) for row in found]


def counters(reader: Reader) -> list[Counter]:
    """Live counters as they were shown last."""
    return [rows.counter_of(row) for row in reader.rows("recovery/counters")]


def factors(reader: Reader) -> list[Factor]:
    """Every factor known, in the order it was learned."""
    return [rows.factor_of(row) for row in reader.rows("recovery/factors", since_seq=rows.EVERY)]


def last_boot(reader: Reader, node_id: str) -> Node | None:
    """A node's newest boot: CLOCK_BOOTTIME of another boot means nothing now."""
    found = [row for row in reader.rows("recovery/nodes") if row["id"] == node_id]
    if not found:
        return None
    row = found[-1]
    return Node(row["id"], row["boot_id"], row["hostname"], row["driver_version"])


def _since(reader: Reader, commits: int) -> int:
    """The commit before the newest so many: a month of readings is too much to look through."""
    last = reader.one("recovery/last_commit")
    return int(last["seq"]) - commits if last else 0


def _attempt_of(row: dict[str, Any]) -> Attempt:
    ended_us = None if row["ended_at"] is None else micros(row["ended_at"])
    return Attempt(row["origin"], RunStatus(row["status"]), ended_us)


def _run_of(row: dict[str, Any]) -> Run:
    return Run(
        id=row["id"],
        name=row["name"],
        project=row["project"],
        started_us=micros(row["started_at"]),
        started_ns=row["started_boot_ns"],
        node_id=row["node_id"],
        site_id=row["site_id"],
        tags=tuple(json.loads(row["tags"]).items()),
        origin=row["origin"],
        command=row["command"],
        simulated=row["simulated"],
    )
