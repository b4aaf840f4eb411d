"""What a comparison stands on, for JSON: a run's energy over time, factor rows of a span."""

from __future__ import annotations

from dataclasses import asdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from meter.errors import UsageError
from meter.ledger import rows
from meter.ledger.instants import micros, timestamp
from meter.model import Method
from meter.units import US_PER_QUARTER

if TYPE_CHECKING:
    from collections.abc import Collection

    from meter.ledger.reader import Reader

_METHODS = (Method.MEASURED, Method.SOURCED, Method.MODELLED, Method.ASSUMED)


def run_profile(reader: Reader, run_id: str, *, as_of_us: int | None = None) -> dict[str, Any]:
    """Energy of a run by device and UTC quarter hour, by what was known at an instant (None: now).

    Energy in mJ, instants in UTC µs. Raises UsageError if there is no such run, or was none then.
    """
    newest_us = reader.newest_us()
    as_of_us = newest_us if as_of_us is None else min(as_of_us, newest_us)
    run = reader.one("report/run", run_id=run_id, as_of=as_of_us)
    if run is None:
        raise UsageError(f"there is no run {run_id!r} that was known then", "see `meter runs`")
    found = reader.rows("report/run_profile", run_id=run_id, as_of=as_of_us)
    until = run["ended_at"] or run["last_end"] or run["started_at"]
    return {
        "run": {
            "id": run["run_id"],
            "name": run["name"],
            "project": run["project"],
            "status": run["status"],
            "started_us": micros(run["started_at"]),
            "until_us": max(micros(until), micros(run["started_at"])),
            "simulated": bool(run["simulated"]) or any(row["simulated"] for row in found),
        },
        "as_of_us": as_of_us,
        "zones": {row["site_id"]: row["zone"] for row in found},
        "within": {
            row["site_id"]: {"site": row["within"], "elsewhere": row["elsewhere"]}
            for row in found
            if row["within"] is not None
        },
        "devices": {
            row["device_id"]: {"component": row["component"], "name": row["name"]} for row in found
        },
        "uses": [
            {
                "device": row["device_id"],
                "site": row["site_id"],
                "at_us": micros(row["hour"]) + row["quarter"] * US_PER_QUARTER,
                "energy_mj": int(row["energy_mj"]),
                "low_mj": int(row["low_mj"]),
                "high_mj": int(row["high_mj"]),
                "held_us": int(row["held_us"]),
                "method": _METHODS[row["weakness"]].value,
            }
            for row in found
        ],
    }


def factor_rows(
    reader: Reader,
    scopes: Collection[str],
    span_us: tuple[int, int],
    *,
    as_of_us: int | None = None,
) -> list[dict[str, Any]]:
    """Factor rows of some scopes that hold between two instants, as fields of a Factor.

    Decimals are strings. Withdrawals are among them: they are needed to tell what stands.
    """
    start, end = (timestamp(at_us) for at_us in span_us)
    as_of = {} if as_of_us is None else {"as_of": as_of_us}
    found = reader.stream("report/factors_between", from_=start, to=end, **as_of)
    wanted = set(scopes)
    return [
        {name: _plain(value) for name, value in asdict(rows.factor_of(row)).items()}
        for row in found
        if row["scope"] in wanted
    ]


def _plain(value: object) -> object:
    return f"{value:f}" if isinstance(value, Decimal) else value
