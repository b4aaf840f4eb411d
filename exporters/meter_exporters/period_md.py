"""Runs side by side as a page of Markdown: from a ``meter.period/1`` document alone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from meter import figures, side_told
from meter_exporters import period_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_MARKED = re.compile(r"([\\`*_\[\]<>|#&~])")


def export(document: Mapping[str, Any], series: Sequence[Mapping[str, Any]]) -> bytes:
    """The page in UTF-8; there is no series of several runs."""
    del series
    return "\n".join(_lines(document)).encode("utf-8", "backslashreplace")


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    yield f"# {_text(period_rows.title(document))}"
    yield ""
    if document["simulated"]:
        yield "**Simulated**: no device was measured for the runs that say so."
        yield ""
    if document["runs"]:
        yield from _table(period_rows.HEADS, map(period_rows.run_cells, document["runs"]))
        yield ""
        for note in side_told.notes(document["runs"]):
            yield f"{_text(note)}  "
        yield ""
        yield "## Own and hosted, never added"
        yield ""
        yield from _table(period_rows.SUM_HEADS, map(period_rows.sum_cells, document["sums"]))
    else:
        yield "No runs."
    yield ""
    if document["hosted_gpu_time"]:
        yield "## Hosted GPU time of no job: modelled, in no sum"
        yield ""
        cells = map(period_rows.gpu_time_cells, document["hosted_gpu_time"])
        yield from _table(period_rows.GPU_TIME_HEADS, cells)
        yield ""
    for notice in document["notices"]:
        yield f"- {_text(notice['text'])}"
    yield ""
    yield f"By the facts known at {figures.instant(document['as_of'])}."
    yield ""


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * len(heads)}"
    for row in rows:
        yield f"| {' | '.join(_text(cell) for cell in row)} |"


def _text(text: str) -> str:
    """Text of others as text: no mark-up, no line of its own."""
    return _MARKED.sub(r"\\\1", figures.printable(text, 300))
