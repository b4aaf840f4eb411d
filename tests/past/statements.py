"""Statements about past runs for tests, and ledgers in memory to book them in."""

from __future__ import annotations

import itertools
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from meter.ledger import Ledger, reports
from meter.ledger.ledger import Pace
from meter.past import Statement, booked, known_of, store
from tests.ledger.facts import START_US, config

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meter.config import Config

NOW_US = START_US + 400 * 86_400_000_000
STATED = {"name": "old", "gpu_hours": "1000", "watts": "400", "start": "2026-03-01T09:00Z"}


def stated(**changes: object) -> Statement:
    """1,000 GPU-hours at 400 W on 1 March 2026; None takes something back."""
    return Statement(**{**STATED, **changes})


@contextmanager
def ledger() -> Iterator[Ledger]:
    """A ledger in memory whose clock goes on a second with each look."""
    ticks = itertools.count(NOW_US, 1_000_000)
    opened = Ledger.open(Path(":memory:"), pace=Pace(commit_s=0.0), now_us=lambda: next(ticks))
    with opened:
        yield opened


def add(
    opened: Ledger,
    statement: Statement,
    configured: Config | None = None,
    known: Ledger | None = None,
) -> tuple:
    """Book a statement; its document, and whether it was news."""
    used = configured or config()
    past = booked(statement, used, NOW_US, known_of(known, used) if known else ())
    news = store(opened, past)
    with opened.reader() as reader:
        return reports.run_document(reader, past.run_id), news


def document(statement: Statement, configured: Config | None = None) -> dict:
    """The document of a statement in a ledger of its own."""
    with ledger() as opened:
        return add(opened, statement, configured)[0]


def codes(found: dict) -> set[str]:
    """Codes of a document's notices."""
    return {notice["code"] for notice in found["notices"]}
