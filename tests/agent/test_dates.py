"""Facts of the configuration are never learned before what the ledger knows already."""

from __future__ import annotations

import time
from types import SimpleNamespace

from meter.agent.provisions import books_of
from meter.ledger import Ledger
from meter.model import LedgerBatch
from tests.ledger.facts import NODE, priced

DAY_US = 86_400_000_000


def test_a_clock_that_was_set_back_dates_no_factor_before_the_newest_commit(tmp_path):
    tomorrow_us = time.time_ns() // 1_000 + DAY_US
    with Ledger.open(tmp_path / "ledger.duckdb", now_us=lambda: tomorrow_us) as ledger:
        ledger.write(LedgerBatch(nodes=(NODE,)), urgent=True).result(10)
        with ledger.reader() as reader:
            newest_us = reader.newest_us()
        books = books_of(priced(), SimpleNamespace(private=True), ledger, [])
    stated = [factor for factor in books.stated if factor not in books.known]
    assert newest_us >= tomorrow_us
    assert stated
    assert all(factor.recorded_us > newest_us for factor in stated)
