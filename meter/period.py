"""Runs of a project or a period side by side, with hosted energy that is of no run."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from meter import gpu_time
from meter.errors import UsageError
from meter.instants import instant, parse_us
from meter.ledger import inference, usage
from meter.ledger.reports import find_run
from meter.period_document import Asked, PeriodRows, period_document

if TYPE_CHECKING:
    from meter.ledger.reader import Reader

MOST_RUNS = 1_000
"""Runs of one document; of more the newest."""


def period_of(reader: Reader, asked: Asked, as_of_us: int | None = None) -> dict[str, Any]:
    """The document ``meter.period/1``; with runs named, of these in that order.

    Of a period it has the runs that started in it, each as a whole: so none is in two periods.
    Raises UsageError for a run that is not there, an instant that is none, an empty period.
    """
    newest_us = reader.newest_us()
    known_us = newest_us if as_of_us is None else min(as_of_us, newest_us)
    span = _span(asked)
    if asked.runs:
        ids = dict.fromkeys(find_run(reader, text) for text in asked.runs)
        found = usage.sides(reader, known_us, only=tuple(ids))
        named = replace(asked, runs=tuple(ids))
        return period_document(named, PeriodRows(found, (), ()), instant(known_us))
    found = usage.sides(reader, known_us, limit=MOST_RUNS + 1, project=asked.project, span=span)
    known = PeriodRows(
        runs=found[:MOST_RUNS],
        gpu_time=gpu_time.within(reader, known_us, asked.project, span),
        inference=inference.within(reader, known_us, asked.project, span),
        left=max(0, len(found) - MOST_RUNS),
    )
    return period_document(asked, known, instant(known_us))


def _span(asked: Asked) -> dict[str, int]:
    given = (("from_", asked.from_, "--from"), ("to", asked.to, "--to"))
    span = {name: parse_us(text, word) for name, text, word in given if text}
    if len(span) == len(given) and span["from_"] >= span["to"]:
        raise UsageError("--to is not after --from", "give the day after the last as --to")
    return span
