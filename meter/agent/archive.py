"""Runs that were not metered, booked at the agent: one at a time, so that none is booked twice."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from meter.errors import LedgerError

if TYPE_CHECKING:
    from meter.agent.http_told import ToldRuns
    from meter.agent.requests import NewPastRun
    from meter.config import Config
    from meter.ledger import Ledger
    from meter.past import Imported


class Archive:
    """Takes statements about past runs; may be called from any thread."""

    def __init__(self, ledger: Ledger, config: Config, *, keeps: bool) -> None:
        self._ledger = ledger
        self._config = config
        self._keeps = keeps
        self._lock = threading.Lock()

    def add(self, given: NewPastRun) -> tuple[str, bool]:
        """Book a run, durably; its id, and whether it was new.

        Raises UsageError, ConflictError for another run of that id, LedgerError.
        """
        from meter.past import Statement, booked, known_of, store  # noqa: PLC0415 - rarely asked for

        self._require_keeping()
        told = given.model_dump(exclude={"tags"})
        stated = replace(Statement(**told), tags=tuple(given.tags.items()))
        with self._lock:
            known = known_of(self._ledger, self._config)
            past = booked(stated, self._config, time.time_ns() // 1_000, known)
            return past.run_id, store(self._ledger, past)

    def take(self, given: ToldRuns) -> Imported:
        """Book runs that another tool told, all or none, durably.

        Raises RowsError with every fault, LedgerError.
        """
        from meter.intake import rows_of_json  # noqa: PLC0415 - rarely asked for
        from meter.past import RowsTold, take_runs  # noqa: PLC0415

        self._require_keeping()
        told = RowsTold(rows_of_json(given.rows), given.timezone, given.project)
        with self._lock:
            return take_runs(self._ledger, told, self._config, time.time_ns() // 1_000)

    def _require_keeping(self) -> None:
        if not self._keeps:
            raise LedgerError(
                "the ledger is in memory: nothing would be kept", "set METER_HOME elsewhere"
            )
