"""What has room on the /metrics page, and its text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import chain
from types import MappingProxyType
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, samples
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from meter.units import US_PER_S
from meter_exporters.metric_families import FAMILIES, series_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from prometheus_client.core import Metric

    from meter.snapshot import Exemplar, RunView, Series, Snapshot
    from meter_exporters.metric_families import Family, Row

Encoder = Callable[[CollectorRegistry], bytes]

_NONE: Mapping[Series, Exemplar] = MappingProxyType({})
_DROPPED, _LEFT_OUT = "meter_series_dropped_total", "meter_series_left_out"
_OF_A_RUN = ("run",)  # first label of every family of runs


def _need(family: Family) -> int:
    """Who gets room first: health, devices and sums, then sums by model, then single runs."""
    return 2 if family.labels[:1] == _OF_A_RUN else int("model" in family.labels)


_BY_NEED = [family for need in range(3) for family in reversed(FAMILIES) if _need(family) == need]


class Room:
    """How many rows and runs a page may have, and how many rows one lacked at most."""

    def __init__(self, limit: int, runs: int | None = None) -> None:
        self._limit = limit
        self._runs = runs
        self._left_out = 0

    def page(self, snapshot: Snapshot) -> list[tuple[Family, list[Row]]]:
        """The families that have rows; what is left out of them is counted on the page."""
        shown, hidden = _shown(snapshot, self._runs)
        page, left_out = _page(shown, self._limit)
        left_out += sum(series_of(run) + len(snapshot.of_runs.get(run.id, ())) for run in hidden)
        self._left_out = max(self._left_out, left_out)
        lacked = {_DROPPED: self._left_out, _LEFT_OUT: left_out}
        return [
            (family, [(rows[0][0], rows[0][1] + lacked[family.name])])
            if family.name in lacked
            else (family, rows)
            for family, rows in page
        ]


def _shown(snapshot: Snapshot, most: int | None) -> tuple[Snapshot, Sequence[RunView]]:
    """A snapshot with so many runs, and the others.

    A live run keeps its place until its end: the oldest come first, then the last that ended.
    """
    if most is None or len(snapshot.runs) <= most:
        return snapshot, ()
    ranked = sorted(
        snapshot.runs,
        key=lambda run: (run.ended_us is not None, -(run.ended_us or 0), run.started_us, run.id),
    )
    kept = {run.id for run in ranked[:most]}
    runs = tuple(run for run in snapshot.runs if run.id in kept)
    of_runs = {run_id: snapshot.of_runs.get(run_id, ()) for run_id in kept}
    return replace(snapshot, runs=runs, of_runs=of_runs), ranked[most:]


def _page(snapshot: Snapshot, limit: int) -> tuple[list[tuple[Family, list[Row]]], int]:
    """The families that have rows, at most so many rows together; how many more there were."""
    booked: dict[str, list[Row]] = {}
    of_runs = (snapshot.of_runs[run_id] for run_id in sorted(snapshot.of_runs))
    for counter in chain(snapshot.counters, *of_runs):
        values = tuple([value for _, value in counter.labels])
        booked.setdefault(counter.name, []).append((values, float(counter.value)))
    room, left_out = limit, 0
    page: dict[str, list[Row]] = {}
    for family in _BY_NEED:
        rows = booked.get(family.name, []) if family.rows is None else family.rows(snapshot)
        found = list(rows)
        kept = found[:room]
        room -= len(kept)
        left_out += len(found) - len(kept)
        if kept:
            page[family.name] = kept
    return [(family, page[family.name]) for family in FAMILIES if family.name in page], left_out


def metric_of(
    family: Family, rows: Iterable[Row], exemplars: Mapping[Series, Exemplar] = _NONE
) -> Metric:
    """A family with rows, as prometheus_client has it."""
    if family.type == "counter":
        counter = CounterMetricFamily(
            family.name, family.help, labels=family.labels, unit=family.unit
        )
        for values, number in rows:
            found = exemplars.get((family.name, values)) if family.exemplars else None
            counter.add_metric(values, number, exemplar=None if found is None else _exemplar(found))
        return counter
    if family.type == "info":
        info = InfoMetricFamily(family.name.removesuffix("_info"), family.help)
        for values, _ in rows:
            info.add_metric((), dict(zip(family.labels, values, strict=True)))
        return info
    gauge = GaugeMetricFamily(family.name, family.help, labels=family.labels, unit=family.unit)
    for values, number in rows:
        gauge.add_metric(values, number)
    return gauge


class Writer:
    """Writes whole pages as prometheus_client does, and some ten times as fast.

    Labels change rarely and values each second: a sample's text up to its value is kept from
    page to page, and a family's header is written by the library once.
    """

    def __init__(self) -> None:
        self._headers: dict[tuple[str, str], str] = {}
        self._starts: dict[tuple[str, tuple[str, ...]], str] = {}

    def write(
        self,
        page: Iterable[tuple[Family, list[Row]]],
        encoder: Encoder,
        end: str,
        exemplars: Mapping[Series, Exemplar] = _NONE,
    ) -> bytes:
        """A page in the encoder's format, which ends in ``end``; exemplars if it knows them."""
        known, used = self._starts, {}
        lines: list[str] = []
        for family, rows in page:
            lines.append(self._header(family, encoder, end))
            told = exemplars if family.exemplars else _NONE
            for values, number in rows:
                key = (family.name, values)
                start = used[key] = known.get(key) or sample_start(family, values)
                ending = exemplar_text(told[key]) if key in told else ""
                lines.append(f"{start}{_number(number)}{ending}\n")
        self._starts = used
        lines.append(end)
        return "".join(lines).encode()

    def _header(self, family: Family, encoder: Encoder, end: str) -> str:
        found = self._headers.get((family.name, end))
        if found is None:
            found = self._headers[family.name, end] = written_header(family, encoder, end)
        return found


class _Fixed(Collector):
    def __init__(self, metric: Metric) -> None:
        self._metric = metric

    def collect(self) -> Iterable[Metric]:
        return (self._metric,)


def written_header(family: Family, encoder: Encoder, end: str) -> str:
    """A family's lines before its samples, in the encoder's format, which ends in ``end``."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Fixed(metric_of(family, ())))
    return encoder(registry).decode().removesuffix(end)


def sample_start(
    family: Family, values: tuple[str, ...], target: Mapping[str, str] | None = None
) -> str:
    """A sample's text up to its value; ``target`` are labels that every series gets."""
    named = dict(zip(family.labels, values, strict=True))
    pairs = sorted({**(target or {}), **named}.items())
    labels = ",".join(f'{name}="{_escaped(value)}"' for name, value in pairs)
    return f"{family.name}{{{labels}}} " if labels else f"{family.name} "


def exemplar_text(exemplar: Exemplar) -> str:
    """What stands after a sample's value."""
    _, value, at_s = _exemplar(exemplar)
    return f' # {{run="{_escaped(exemplar.run_id)}"}} {_number(value)} {at_s}'


def _exemplar(exemplar: Exemplar) -> samples.Exemplar:
    at_s = exemplar.at_us / US_PER_S
    return samples.Exemplar({"run": exemplar.run_id}, float(exemplar.amount), at_s)


def _number(number: float) -> str:
    return str(floatToGoString(number))  # type: ignore[no-untyped-call]


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
