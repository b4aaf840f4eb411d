"""Runs that another tool told, all into the ledger or none."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from meter.errors import UsageError
from meter.factors.rows import RowsError
from meter.faults import Fault
from meter.past.booking import await_written, known_of, stands
from meter.past.codecarbon import runs_of_rows
from meter.past.told import booked_told

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meter.config import Config
    from meter.factors.rows import Row
    from meter.ledger import Ledger
    from meter.past.booking import PastRun
    from meter.past.told import ToldRun

_AT_ONCE = 20  # batches that wait for one commit; the memory that they take is small


@dataclass(frozen=True, slots=True)
class RowsTold:
    """Rows of codecarbon, and what they do not tell: time zone and, if not theirs, the project."""

    rows: Sequence[Row]
    timezone: str = "UTC"
    project: str | None = None


@dataclass(slots=True)
class Imported:
    """Ids of runs that were news, how many the ledger had, and what is said of the rows."""

    ids: list[str] = field(default_factory=list)
    known: int = 0
    notices: tuple[str, ...] = ()


def take_runs(ledger: Ledger, told: RowsTold, config: Config, now_us: int) -> Imported:
    """Book runs of codecarbon, durably; those that the ledger has are left as they are.

    Every one is judged before the first is written; where the ledger fails in the middle, the same
    again books the rest. Whoever shares the ledger lets one at a time in here. Raises RowsError
    with every fault, LedgerError, FactorError where the configuration is wrong.
    """
    found = runs_of_rows(told.rows, timezone=told.timezone, project=told.project)
    known = tuple(known_of(ledger, config))
    imported = Imported(notices=found.notices)
    faults: list[Fault] = []
    new: list[ToldRun] = []
    with ledger.reader() as reader:
        for run in found.runs:
            try:
                if stands(reader, booked_told(run, config, now_us, known)):
                    imported.known += 1
                else:
                    new.append(run)
            except UsageError as error:
                faults.append(Fault(str(error), run.place, told.rows[run.place].line))
    if faults:
        raise RowsError(faults)
    for start in range(0, len(new), _AT_ONCE):
        some = [booked_told(run, config, now_us, known) for run in new[start : start + _AT_ONCE]]
        _write(ledger, some)
        imported.ids += [past.run_id for past in some]
    return imported


def _write(ledger: Ledger, some: Sequence[PastRun]) -> None:
    """Write runs in as few commits as it takes; done when all are durable."""
    written = [ledger.write(past.batch, urgent=True) for past in some]
    for past, future in zip(some, written, strict=True):
        await_written(ledger, past, future)
