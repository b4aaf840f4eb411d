"""Ledgers for tests: commits at once, on a clock of their own."""

from __future__ import annotations

import itertools
from contextlib import contextmanager

import pytest

from meter.ledger import Ledger
from meter.ledger.ledger import Pace
from tests.ledger.facts import START_US

FAST = Pace(commit_s=0.0, retry_s=0.02)


@contextmanager
def ledgers(folder):
    """Opens ``ledger.duckdb`` of a folder; each commit is a second later."""
    ticks = itertools.count(START_US + 86_400_000_000, 1_000_000)
    opened = []

    def opener(path=None, **options):
        options.setdefault("pace", FAST)
        options.setdefault("now_us", lambda: next(ticks))
        ledger = Ledger.open(path or folder / "ledger.duckdb", **options)
        opened.append(ledger)
        return ledger

    try:
        yield opener
    finally:
        for ledger in opened:
            ledger.close()


@pytest.fixture
def open_ledger(tmp_path):
    """Opens ledgers of the test's folder."""
    with ledgers(tmp_path) as opener:
        yield opener
