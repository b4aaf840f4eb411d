"""Waiting for a batch to be durable, as long as that may help; any thread but the metering's."""

from __future__ import annotations

import time
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import TYPE_CHECKING

from meter.errors import MeterError

if TYPE_CHECKING:
    from concurrent.futures import Future

    from meter.ledger import Ledger

DURABLE_S = 3.0
"""How long a request waits for what it wrote."""
BROKEN_S = 0.5
"""The same for a ledger that has just failed: the rest of the time helps nobody."""
LEDGER_BEHIND = "ledger_behind"
"""The code of the notice that it is not durable yet."""
_LOOK_S = 0.1
_UNSAVED = "The ledger cannot be written at the moment, and keeps the newest figures in memory"


def is_durable(future: Future[None], timeout_s: float = DURABLE_S) -> bool:
    """Whether it is durable by then."""
    try:
        future.result(timeout_s)
    except (FutureTimeoutError, MeterError):
        return False
    return True


def is_kept(
    future: Future[None],
    ledger: Ledger,
    timeout_s: float = DURABLE_S,
    *,
    broken_s: float = BROKEN_S,
) -> bool:
    """The same, waiting less where the ledger says that it cannot be written."""
    started = time.monotonic()
    while (waited := time.monotonic() - started) < timeout_s:
        if is_durable(future, min(_LOOK_S, timeout_s - waited)):
            return True
        if future.done() or (waited >= broken_s and ledger.health().last_error):
            return False
    return False


def why_behind(ledger: Ledger) -> str:
    """That the ledger is not written, and why."""
    health = ledger.health()
    if health.full:
        return f"The disk of {ledger.path.parent} is full. {_UNSAVED} ({health.last_error})."
    return f"{_UNSAVED} ({health.last_error or 'it is busy'})."
