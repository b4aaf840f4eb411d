"""One row of codecarbon's emissions.csv as a run, with what is odd about it; pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING

from meter.factors.grids import grids
from meter.faults import shown
from meter.model import Component, Notice, Severity
from meter.past.statement import Span, Statement
from meter.past.told import Part, ToldRun
from meter.units import J_PER_KWH, MJ_PER_J, US_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from zoneinfo import ZoneInfo

    from meter.factors.cells import Cells

ENERGIES = {
    "gpu_energy": Component.GPU,
    "cpu_energy": Component.CPU,
    "ram_energy": Component.RAM,
}
REQUIRED = ("timestamp", "duration", *ENERGIES)
"""Columns that every version since 2.0 writes; earlier ones do not tell components."""
TEXTS = (
    "run_id", "project_name", "codecarbon_version", "country_iso_code", "region", "gpu_model",
    "cpu_model", "tracking_mode",
)  # fmt: skip
NUMBERS = ("energy_consumed", "pue", "longitude", "latitude", "gpu_count")

_KWH = Decimal(J_PER_KWH * MJ_PER_J)  # in mJ
_MOST_KWH = Decimal(10) ** 9
_MOST_S = Decimal(366 * 86_400)
_MOST_GPUS = Decimal(1_000_000)
_MOST_PUE = Decimal(5)
_FALLBACK = {"country_iso_code": "CAN", "region": "quebec"}
_FALLBACK_AT = {"longitude": Decimal("-71.2"), "latitude": Decimal("46.8")}
_APART = Decimal("0.01")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAME_CHARS = 100

_NO_PUE = (
    "This version of codecarbon does not tell a PUE: if one was set, it is in the energy, which is "
    "taken as that of the computer."
)
_PLACE = (
    "Where this run was is not known: Canada, Quebec, 46.8 N, 71.2 W is what codecarbon writes "
    "where it cannot find out. That zone is not taken for it."
)
_NO_GPU = "codecarbon tells no energy of the GPUs that it counted: it could not read them."
_PROCESS = "codecarbon's mode `process` has whole GPUs in it, whoever else used them."


@dataclass(slots=True)
class RowOfCodecarbon:
    """What one row tells, and the faults of its cells."""

    cells: Cells
    zone: ZoneInfo
    project: str | None
    naive: bool = False
    notices: list[Notice] = field(default_factory=list)

    def run(self) -> ToldRun | None:
        """The run; None where something is wrong with it."""
        cells = self.cells
        end_us = self._end_us()
        seconds = self._amount("duration", _MOST_S, required=True)
        kwh = {name: self._amount(name, _MOST_KWH, required=True) for name in ENERGIES}
        pue = self._pue()
        count = int(self._amount("gpu_count", _MOST_GPUS) or 0)
        names = {name: cells.text(name) for name in TEXTS}
        if cells.faults or end_us is None or seconds is None:
            return None
        self.notices.append(_not_metered(names["codecarbon_version"]))
        self._judge(kwh, count)
        zone = self._zone(names)
        length_us = int(seconds * US_PER_S)
        if end_us < length_us:
            cells.wrong("duration", "is longer than since 1970")
            return None
        project = names["project_name"] or "codecarbon"
        run_id = _id(cells.row.cells)
        return ToldRun(
            id=run_id,
            statement=Statement(
                name=f"{project[:_NAME_CHARS]} {run_id.removeprefix('codecarbon:')[:8]}",
                project=self.project or project,
                pue=None if pue == 1 else f"{pue:f}",
                zone=zone,
                tags=_tags(names["codecarbon_version"]),
            ),
            span=Span(end_us - length_us, end_us, dated=True),
            parts=tuple(_parts(kwh, pue, (count, length_us), names)),
            notices=tuple(self.notices),
            place=cells.index,
        )

    def _end_us(self) -> int | None:
        """The instant at which a row was written, in UTC µs."""
        found = self.cells.text("timestamp", required=True)
        if found is None:
            return None
        try:
            at = datetime.fromisoformat(found)
            self.naive = at.tzinfo is None
            at = (at.replace(tzinfo=self.zone) if self.naive else at).astimezone(UTC)
        except (ValueError, OverflowError):
            self.cells.wrong("timestamp", f"{shown(found)} is no instant")
            return None
        if at < _EPOCH:
            self.cells.wrong("timestamp", f"{shown(found)} is before 1970")
            return None
        return (at - _EPOCH) // timedelta(microseconds=1)

    def _amount(self, column: str, most: Decimal, *, required: bool = False) -> Decimal | None:
        found = self.cells.number(column, required=required)
        if found is not None and not 0 <= found <= most:
            self.cells.wrong(column, f"{shown(found)} is not from 0 to {most:,}")
            return None
        return found

    def _pue(self) -> Decimal:
        found = self.cells.number("pue")
        if found is None:
            if "pue" not in self.cells.row.cells:
                self.notices.append(Notice("codecarbon_pue", _NO_PUE))
            return Decimal(1)
        if not 1 <= found <= _MOST_PUE:
            self.cells.wrong("pue", f"{shown(found)} is not from 1 to {_MOST_PUE}")
            return Decimal(1)
        if found > 1:
            text = (
                f"codecarbon had multiplied its energy by a PUE of {found}. That is taken out of "
                "the computer's energy, and stands as the run's PUE."
            )
            self.notices.append(Notice("codecarbon_pue", text))
        return found

    def _judge(self, kwh: Mapping[str, Decimal | None], count: int) -> None:
        """Say what is odd about the energies."""
        if count and not kwh["gpu_energy"]:
            self._warn("codecarbon_gpu", _NO_GPU)
        if self.cells.raw("tracking_mode") == "process" and count:
            self._warn("codecarbon_process", _PROCESS)
        total = self.cells.number("energy_consumed")
        parts = sum((one or Decimal(0) for one in kwh.values()), Decimal(0))
        if total is not None and abs(total - parts) > _APART * max(total, parts):
            text = (
                f"codecarbon tells {total} kWh in all, and {parts} kWh of CPU, GPU and RAM: only "
                "these are booked."
            )
            self._warn("codecarbon_sum", text)

    def _zone(self, names: Mapping[str, str | None]) -> str | None:
        """The grid's zone, but where codecarbon did not know where it was."""
        fallback = all(
            (names[key] or "").casefold() == value.casefold() for key, value in _FALLBACK.items()
        )
        if fallback and all(self.cells.number(key) == at for key, at in _FALLBACK_AT.items()):
            self._warn("codecarbon_fallback", _PLACE)
            return None
        country = (names["country_iso_code"] or "").upper()
        zone = _zone_of(country, names["region"] or "")
        if zone is None and country:
            text = f"No grid is known of the country that codecarbon tells, {shown(country)}."
            self._warn("codecarbon_zone", text)
        return zone

    def _warn(self, code: str, text: str) -> None:
        self.notices.append(Notice(code, text, Severity.WARNING))


def _not_metered(version: str | None) -> Notice:
    text = (
        f"This run was not metered here. Its energy is what codecarbon {version or ''} told, "
        "spread evenly over its time: what of it was measured is not known, nor are its bounds. "
        "Carbon is computed from it anew."
    )
    return Notice("not_metered", " ".join(text.split()), Severity.WARNING)


def _tags(version: str | None) -> tuple[tuple[str, str], ...]:
    return (("codecarbon", version),) if version else ()


def _parts(
    kwh: Mapping[str, Decimal | None],
    pue: Decimal,
    gpus: tuple[int, int],
    names: Mapping[str, str | None],
) -> Iterator[Part]:
    """Energy by component without the PUE; GPUs only where there are any."""
    count, length_us = gpus
    names = {**names, "ram_model": None}
    for column, component in ENERGIES.items():
        energy_mj = int(((kwh[column] or Decimal(0)) * _KWH / pue).to_integral_value())
        name = names[f"{component.value}_model"] or component.value.upper()
        if component is not Component.GPU:
            yield Part(component, _called(name), energy_mj)
        elif count or energy_mj:
            named = f"{count} x {name.removeprefix(f'{count} x ')}" if count else name
            yield Part(component, _called(named), energy_mj, count * length_us)


def _called(name: str) -> str:
    return f"{name[:_NAME_CHARS]} (codecarbon)"


def _id(cells: Mapping[str, object]) -> str:
    """The id that codecarbon gave; of early versions, which have none, what the row says."""
    told = str(cells.get("run_id") or "")
    if (
        told.isascii()
        and 0 < len(told) <= _NAME_CHARS
        and all(c.isalnum() or c in "._:-" for c in told)
    ):
        return f"codecarbon:{told}"
    said = repr(sorted((key, str(value)) for key, value in cells.items()))
    return f"codecarbon:{hashlib.sha256(said.encode()).hexdigest()[:26]}"


@cache
def _zone_of(country: str, region: str) -> str | None:
    """The zone of a country's region where one is known, else the country's."""
    known = grids()
    key = region.casefold().strip()
    for zone, grid in known.items():
        named = {name.casefold() for name in (*grid.names, *grid.codes)}
        if zone.startswith(f"{country}-") and key in named:
            return zone
    return country if country in known else None
