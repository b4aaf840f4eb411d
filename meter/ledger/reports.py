"""Reports: the queries that answer a question, run together."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from meter import budgets
from meter.document import RunRows, assemble
from meter.document_budget import budgets_of, forecast_of
from meter.document_hosted import HostedRows, with_hosted
from meter.document_marks import MarkRows, with_marks
from meter.errors import UsageError
from meter.forecast import Progress
from meter.ledger import inference
from meter.ledger.instants import micros, timestamp
from meter.model import FactorKind
from meter.units import J_PER_KWH, NS_PER_US

if TYPE_CHECKING:
    from meter.ledger.reader import Reader

_READINGS_UP_TO = timedelta(hours=1)
_LAG_UP_TO = timedelta(seconds=10)
_HOUR = timedelta(hours=1)
_SHOWN = 5
_LOCATION = frozenset({"location", "location_overhead"})


@dataclass(frozen=True, slots=True)
class PowerPoint:
    """Mean power of a device up to an instant, and its energy since the first point."""

    device_id: str
    at_us: int
    power_w: float | None
    energy_j: float


def run_document(
    reader: Reader, run_id: str, *, as_of_us: int | None = None, currency: str | None = None
) -> dict[str, Any]:
    """The document ``meter.run/1`` of a run, by what was known at an instant (None: now).

    With a currency it has all money in that one too, where dated exchange rates are known.

    Raises UsageError if there is no such run, or was none then.
    """
    newest_us = reader.newest_us()
    as_of = timestamp(newest_us if as_of_us is None else min(as_of_us, newest_us))
    run = _run(reader, run_id, as_of)
    until = _until(run)
    known = {"run_id": run_id, "as_of": as_of}
    hours = {**known, **_hours(run), "only_run": run_id}
    span = {**known, "start": run["started_at"], "end": until}
    converted = _converted(reader, currency, hours)
    document = assemble(
        RunRows(
            run=run,
            energy=reader.rows("report/run_energy", **hours),
            devices=reader.rows("report/run_devices", **hours),
            facility=reader.rows("report/run_facility", **hours)[0],
            amounts=reader.rows("report/run_amounts", **hours),
            factors=reader.rows("report/run_factors", **hours),
            yardsticks=reader.rows(
                "report/newest_factors", kind=FactorKind.HOUSEHOLD_ENERGY.value, as_of=as_of
            ),
            holds=reader.rows("report/run_holds", **known),
            unattributed=reader.rows("report/run_unattributed", **span)[0],
            notices=reader.rows("report/run_notices", **span),
            excluded=reader.rows("report/run_excluded", **hours),
            as_of=as_of,
            until=until,
            currency=currency,
            converted=converted,
            exchange=_exchange(reader, converted),
            links=_links(reader, known),
        )
    )
    spent = {**known, **_hours(run)}
    with_marks(
        document,
        MarkRows(
            counts=reader.rows("report/run_counts", **spent),
            epochs=reader.rows("report/run_epochs", **spent),
            phases=reader.rows("report/run_phases", **spent),
            returns=reader.rows("report/run_returns", **spent)[0],
        ),
    )
    if reader.has("report/run_hosted"):  # statements of before are derived without
        _hosted(reader, document, known, spent if run["usage_rows"] else None)
    _look_ahead(reader, document, known, run["started_at"])
    return document


def _hosted(
    reader: Reader, document: dict[str, Any], known: dict[str, Any], spent: dict[str, Any] | None
) -> None:
    """Add the job, and the usage of the hours it was spent in, None if there is none."""
    of_run = {"only_run": known["run_id"], **spent} if spent else None
    usage = reader.rows("report/run_usage", **of_run) if of_run else []
    rows = HostedRows(
        usage=usage,
        lacking=_lacking(reader, of_run) if any(row["unpriced"] for row in usage) else None,
        prices=reader.rows("report/run_prices", **of_run) if of_run else (),
        jobs=reader.rows("report/run_hosted", **known),
        estimates=reader.rows("report/run_estimates", **known),
        requests=reader.rows("report/run_requests", **known) if of_run else (),
        flags=reader.rows("report/run_flags", **known)
        if of_run and reader.has("report/run_flags")
        else (),
        inference=inference.of_run(reader, of_run)
        if of_run and reader.has(inference.QUERY)
        else (),
    )
    with_hosted(document, rows)


def _lacking(reader: Reader, of_run: dict[str, Any] | None) -> list[dict[str, Any]] | None:
    """Prices that the run's usage lacks; None where statements of before are derived without."""
    query = "report/missing_prices"
    if of_run is None or not reader.has(query):
        return None
    narrowed = {name: value for name, value in of_run.items() if name != "run_id"}
    return reader.rows(query, project=None, **narrowed)


def _look_ahead(
    reader: Reader, document: dict[str, Any], known: dict[str, Any], started_at: datetime
) -> None:
    """Add budgets and the forecast where there are any."""
    budgets = reader.rows("report/run_budgets", **known)
    if budgets:
        document["budgets"] = budgets_of(document, budgets)
    if document["run"]["status"] != "running":
        return
    marks = [
        Progress(micros(row["marked_at"]), Fraction(row["fraction"]), row["energy_mj"])
        for row in reader.rows("report/run_progress", **known)
    ]
    forecast = forecast_of(document, marks, micros(started_at))
    if forecast is not None:
        document["forecast"] = forecast


def _links(reader: Reader, known: dict[str, Any]) -> list[dict[str, Any]]:
    """Ids that others gave the run; statements of before there were any are derived without."""
    query = "report/run_links"
    return reader.rows(query, **known) if reader.has(query) else []


def _converted(reader: Reader, currency: str | None, hours: dict[str, Any]) -> list[dict[str, Any]]:
    if currency is None:
        return []
    return reader.rows("report/run_cost_in", wanted=currency, **hours)


def _exchange(reader: Reader, converted: list[dict[str, Any]]) -> list[dict[str, Any]]:
    ids = sorted({row["factor_id"] for row in converted} - {None})
    return [row for id_ in ids for row in reader.rows("report/factor", id=id_)]


def project_use(reader: Reader, from_us: int, to_us: int) -> dict[tuple[str, str], Decimal]:
    """What projects used in [from, to), whole hours: by project and unit of budget.

    As budgets count: IT energy, location-based carbon with overhead, all costs in a currency.
    """
    found: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for row in reader.rows("totals/by_project", from_=from_us, to=to_us):
        unit, power = _budget_unit(row)
        if unit is not None and row["project"] is not None:
            found[row["project"], unit] += row["amount"].scaleb(power)
    for key in [key for key in found if key[1] == budgets.ENERGY]:
        found[key] /= J_PER_KWH
    return dict(found)


def _budget_unit(row: dict[str, Any]) -> tuple[str | None, int]:
    """The unit of budget that a total counts in, and the power of ten to it (energy: to J)."""
    if row["currency"] is not None:
        return str(row["currency"]), -9
    if row["kind"] == "energy":
        return budgets.ENERGY, -3
    return (budgets.CARBON, -12) if row["kind"] in _LOCATION else (None, 0)


def run_list(
    reader: Reader, *, limit: int = 50, project: str | None = None, **narrowed: object
) -> list[dict[str, Any]]:
    """Runs with their IT energy, the newest first; rows of ``report/runs``, ready for JSON.

    ``narrowed`` are more of that query's parameters.
    """
    found = reader.rows("report/runs", project=project, limit=limit, **narrowed)
    return [{name: _plain(value) for name, value in row.items()} for row in found]


def run_series(
    reader: Reader, run_id: str, *, minutes: bool = False, as_of_us: int | None = None
) -> list[PowerPoint]:
    """Power over time of a run's devices: readings up to an hour, else one point a minute.

    Readings are of the whole device, and expire; minutes are of the run's part. With ``minutes``
    only those, as known at an instant. Raises UsageError if there is no such run.
    """
    newest_us = reader.newest_us()
    as_of = timestamp(newest_us if as_of_us is None else min(as_of_us, newest_us))
    run = _run(reader, run_id, as_of)
    until = _until(run)
    points: list[PowerPoint] = []
    if not minutes and until - run["started_at"] <= _READINGS_UP_TO:
        points = _readings(reader, run_id, run["started_at"], until)
    if points:
        return points
    rows = reader.rows("report/series_minutes", run_id=run_id, as_of=as_of, **_hours(run))
    return [
        PowerPoint(row["device_id"], micros(row["read_at"]), row["power_w"], row["energy_j"])
        for row in rows
    ]


def _readings(reader: Reader, run_id: str, start: datetime, end: datetime) -> list[PowerPoint]:
    """Points of the run's time, each where its energy had been used: before it was read.

    A reading that found no more of the curve settled than the one before it is no point.
    """
    rows = reader.rows("report/series_readings", run_id=run_id, start=start, end=end + _LAG_UP_TO)
    first: dict[str, float] = {}
    last_us: dict[str, int] = {}
    points = []
    for row in rows:
        device_id = row["device_id"]
        at_us = micros(row["read_at"]) - row["lag_ns"] // NS_PER_US
        if max(micros(start), last_us.get(device_id, 0) + 1) <= at_us <= micros(end):
            last_us[device_id] = at_us
            energy_j = row["energy_j"] - first.setdefault(device_id, row["energy_j"])
            points.append(PowerPoint(device_id, at_us, row["power_w"], energy_j))
    return points


def find_run(reader: Reader, text: str) -> str:
    """Id of the run that a text means: ``last``, an id or its beginning, a name, an id of others.

    Of several runs of one name, or of one id of others, the newest. Raises UsageError if none,
    or the beginning of several, is meant.
    """
    found = reader.rows("report/find_runs", text=text)
    for meant_by in ("id", "last", "name", "link"):
        for row in found:
            if row["meant_by"] == meant_by:
                return str(row["run_id"])
    if len(found) > 1:
        some = ", ".join(row["run_id"] for row in found[:_SHOWN])
        raise UsageError(f"{text!r} begins the id of {len(found)} runs ({some})", "give more of it")
    if not found:
        raise UsageError(f"there is no run {text!r}", "`meter runs` lists them")
    return str(found[0]["run_id"])


def _run(reader: Reader, run_id: str, as_of: datetime) -> dict[str, Any]:
    found = reader.one("report/run", run_id=run_id, as_of=as_of)
    if found is None:
        at = f"{as_of.isoformat(timespec='seconds')}Z"
        raise UsageError(
            f"there is no run {run_id!r} that was known at {at}", "`meter runs` lists them"
        )
    return found


def _until(run: dict[str, Any]) -> datetime:
    """End of the run, or of what is known of it."""
    until: datetime = run["ended_at"] or run["last_end"] or run["started_at"]
    return until


def _hours(run: dict[str, Any]) -> dict[str, datetime]:
    """The hours that the run's energy lies in, as ``from`` and ``to``."""
    first: datetime = run["first_hour"] or run["started_at"]
    last: datetime = run["last_hour"] or run["started_at"]
    return {"from": first, "to": last + _HOUR}


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return f"{value.isoformat(timespec='microseconds')}Z"
    return float(value) if isinstance(value, Decimal) else value
