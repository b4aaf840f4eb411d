"""What of a refused batch can be written: all but the rows that cannot; pure."""

from __future__ import annotations

from collections import Counter as Counts
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from meter.model import LedgerBatch, Notice, Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

KINDS = (
    *("nodes", "sites", "devices", "runs", "holds", "states", "intervals", "factors"),
    *("budgets", "links", "marks", "notices", "uses", "readings", "counters"),
)
"""Fields of a divisible batch, what matters most first; the others stay as they are."""
CODE = "rows_refused"


@dataclass(slots=True)
class Salvage:
    """The part of a batch that can be written, and how many rows are left out, by run and kind."""

    batch: LedgerBatch
    left_out: Counts[tuple[str | None, str]] = field(default_factory=Counts)

    @property
    def lost(self) -> int:
        """How many rows are left out."""
        return self.left_out.total()


def salvaged(batch: LedgerBatch, writable: Callable[[LedgerBatch], bool]) -> Salvage:
    """Keep what is ``writable`` together, a kind at a time, then by halves down to the row.

    Each row left out has a notice for its run, or for the node where there is none.
    """
    found = Salvage(_with(batch, dict.fromkeys(KINDS, ())))
    for kind in KINDS:
        _keep(found, kind, getattr(batch, kind), writable)
    runs = sorted({run_id for run_id, _ in found.left_out}, key=lambda run_id: run_id or "")
    for run_id in runs:
        named, unnamed = _notice(found, run_id), replace(_notice(found, run_id), run_id=None)
        for notice in (named, unnamed):  # the run's id may be what cannot be written
            told = replace(found.batch, notices=(*found.batch.notices, notice))
            if writable(told):
                found.batch = told
                break
    return found


def _keep(
    found: Salvage, kind: str, rows: Sequence[Any], writable: Callable[[LedgerBatch], bool]
) -> None:
    if not rows:
        return
    more = _with(found.batch, {kind: (*getattr(found.batch, kind), *rows)})
    if writable(more):
        found.batch = more
    elif len(rows) == 1:
        found.left_out[_run_of(kind, rows[0]), kind] += 1
    else:
        half = len(rows) // 2
        _keep(found, kind, rows[:half], writable)
        _keep(found, kind, rows[half:], writable)


def _with(batch: LedgerBatch, rows: Mapping[str, Any]) -> LedgerBatch:
    return replace(batch, **rows)


def _run_of(kind: str, row: Any) -> str | None:
    run_id = row.id if kind == "runs" else getattr(row, "run_id", None)
    return run_id if isinstance(run_id, str) else None


def _notice(found: Salvage, run_id: str | None) -> Notice:
    told = [f"{n:,} of {kind}" for (run, kind), n in found.left_out.items() if run == run_id]
    text = (
        f"The ledger refused rows ({', '.join(told)}): they are lost, all else is kept."
        " This is a defect: report it."
    )
    return Notice(CODE, text, Severity.WARNING, run_id)
