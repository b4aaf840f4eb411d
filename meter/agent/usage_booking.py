"""The thread that books hosted usage soon after it is stored; metering never waits for it."""

from __future__ import annotations

import contextlib
import threading
import traceback
from typing import TYPE_CHECKING

from meter.agent.usage_books import UsageBooks, UsageSum
from meter.errors import MeterError

if TYPE_CHECKING:
    from meter.agent.loop import Loop
    from meter.ledger import Ledger

SHOWN_S = 35.0
"""How long a new series shows zero: two scrapes of 15 s see it before its first amount."""
_JOIN_S = 1.0  # usage of so long is booked together
_AGAIN_S = 5.0


def usage_after(ledger: Ledger, since_seq: int | None) -> tuple[list[UsageSum], int]:
    """Usage that came with commits after one, and the number of the newest. Raises LedgerError."""
    with ledger.reader() as reader, reader.snapshot():
        last = reader.rows("recovery/last_commit")[0]
        rows = reader.rows("report/usage_to_book", since_seq=since_seq, as_of=last["recorded_at"])
    return [UsageSum.of(row) for row in rows], int(last["seq"])


class UsageBooking:
    """Looks for usage that is not booked whenever it is woken, until stopped."""

    def __init__(self, ledger: Ledger, loop: Loop, *, shown_s: float = SHOWN_S) -> None:
        self._ledger = ledger
        self._loop = loop
        self._shown_s = shown_s
        self._usage = UsageBooks(loop.metering.books)
        self._first = True
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="meter-usage", daemon=True)

    def start(self) -> None:
        """Begin, with what no agent before this one has booked."""
        self._woken.set()
        self._thread.start()

    def wake(self) -> None:
        """There is usage; from any thread."""
        self._woken.set()

    def stop(self, timeout_s: float) -> None:
        """End the thread; what is not booked then, the next agent books."""
        self._stopping.set()
        self._woken.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    def look(self) -> float | None:
        """Book what is new; seconds until the next look, None if nothing waits.

        Raises MeterError.
        """
        since = self._loop.ask(lambda: self._usage.seq)
        with self._ledger.reader() as reader, reader.snapshot():
            last = reader.one("recovery/last_commit") or {"seq": 0, "recorded_at": 0}
            rows = reader.rows("report/usage_to_book", since_seq=since, as_of=last["recorded_at"])
        sums, seq = [UsageSum.of(row) for row in rows], int(last["seq"])
        waits = self._loop.ask(lambda: self._booked(sums, seq))
        self._first = False
        return self._shown_s if waits else None

    def _booked(self, sums: list[UsageSum], seq: int) -> bool:
        """Book, unless something must be shown at zero first: True then."""
        living = self._loop.metering.runs
        # what came while no agent ran is no increase of now
        if not self._first and self._usage.announce(sums, living):
            return True
        self._usage.book(sums, living, seq)
        return False

    def _work(self) -> None:
        wait_s: float | None = None
        while not self._stopping.is_set():
            if wait_s is None:
                self._woken.wait()
                wait_s = 0.0 if self._first else _JOIN_S
            if self._stopping.wait(wait_s):
                return
            self._woken.clear()
            try:
                wait_s = self.look()
            except MeterError:  # the ledger is closed for a moment, or the meter is busy
                wait_s = _AGAIN_S
            except Exception:  # noqa: BLE001  one bad moment must not end the counting
                with contextlib.suppress(OSError):  # the log's disk may be full
                    traceback.print_exc()
                wait_s = _AGAIN_S
