"""Runs' documents as new as they can be: a live run's open minute is written before it is read."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from meter.agent.problems import NotFoundError
from meter.agent.sharing import Shared
from meter.agent.waiting import LEDGER_BEHIND, is_durable, why_behind
from meter.errors import LedgerError, UsageError
from meter.ledger import Ledger, profiles, reports
from meter.model import LedgerBatch
from meter.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future

    from meter.agent.loop import Loop
    from meter.agent.metering import Metering
    from meter.agent.shelf import Shelf
    from meter.ledger import Reader
    from meter.model import Factor

IN_MEMORY = Path(":memory:")
"""A ledger that is gone when it is closed."""
_CUT_NS = NS_PER_S  # a live run's open minute is written early at most this often


class Documents:
    """Reads runs; every method may be called from any thread but the metering's."""

    def __init__(self, loop: Loop, ledger: Ledger, shelf: Shelf) -> None:
        self._loop = loop
        self._metering = loop.metering
        self._ledger = ledger
        self._shelf = shelf
        self._cuts: dict[str, tuple[int, Future[None]]] = {}  # the metering thread's
        self._shared: Shared[dict[str, Any]] = Shared()  # all ranks ask in the same moment

    def find(self, text: str) -> str:
        """The id of a run that is kept; raises NotFoundError."""
        with self._ledger.question() as reader:
            return id_in(reader, text)

    def document(
        self, run_id: str, as_of_us: int | None = None, currency: str | None = None
    ) -> dict[str, Any]:
        """A run's document, the open minute of a live run included; or as known at an instant."""
        if as_of_us is not None:
            with self._ledger.question() as reader:
                known = id_in(reader, run_id)
                return reports.run_document(reader, known, as_of_us=as_of_us, currency=currency)
        run_id = self._id(run_id)
        return self.written(run_id, durable=self._bring_up(run_id), currency=currency)

    def profile(self, run_id: str, as_of_us: int | None = None) -> dict[str, Any]:
        """A run's energy by device and quarter hour, the open minute of a live run included."""
        run_id = self._id(run_id)
        if as_of_us is None:
            self._bring_up(run_id)
        with self._ledger.question() as reader:
            return profiles.run_profile(reader, run_id, as_of_us=as_of_us)

    def written(self, run_id: str, *, durable: bool, currency: str | None = None) -> dict[str, Any]:
        """A run's document as the ledger has it, or of what waits for it and is not ``durable``."""
        if durable:
            # where the ledger broke meanwhile, what waits for it can still be told
            with contextlib.suppress(LedgerError):
                return self._shared.ask((run_id, currency), lambda: self._read(run_id, currency))
        document = unsaved(self._metering, run_id, self._shelf.factors())
        if document is None:
            document = self._read(run_id, None)
        document["notices"].append(_notice(LEDGER_BEHIND, why_behind(self._ledger)))
        return document

    def _id(self, text: str) -> str:
        return text if text in self._metering.runs else self.find(text)

    def _bring_up(self, run_id: str) -> bool:
        """Write what is known of a run by now; whether that is durable."""
        return run_id not in self._metering.runs or is_durable(self._cut(run_id))

    def _cut(self, run_id: str) -> Future[None]:
        def cut() -> Future[None]:
            now_ns = self._metering.clock.boot_ns()
            at_ns, before = self._cuts.get(run_id, (0, None))
            if before is not None and now_ns - at_ns < _CUT_NS:
                return before
            future = self._metering.flush(rows=False, cut=run_id, urgent=True)
            self._cuts = {run_id: (now_ns, future)}
            return future

        return self._loop.ask(cut)

    def _read(self, run_id: str, currency: str | None) -> dict[str, Any]:
        with self._ledger.question() as reader:
            return reports.run_document(reader, run_id, currency=currency)


def id_in(reader: Reader, text: str) -> str:
    """The id of a run by id, prefix, name; raises NotFoundError."""
    try:
        return reports.find_run(reader, text)
    except UsageError as error:
        raise NotFoundError(error.message, error.remedy) from None


def unsaved(metering: Metering, run_id: str, known: Sequence[Factor] = ()) -> dict[str, Any] | None:
    """A document of what waits for the ledger; None if the run began before it had to wait."""
    place = metering.place
    waiting = metering.outbox.undurable
    if not any(run.id == run_id for batch in waiting for run in batch.runs):
        return None
    base = LedgerBatch(
        nodes=(place.node,),
        sites=(place.site,),
        devices=tuple(metering.roll.known.values()),
        factors=(*known, *place.factors),
    )
    with Ledger.open(IN_MEMORY) as scratch:
        for batch in (base, *waiting):
            scratch.write(batch)
        if not is_durable(scratch.write(LedgerBatch(), urgent=True)):
            return None
        with scratch.reader() as reader:
            return reports.run_document(reader, run_id)


def _notice(code: str, text: str) -> dict[str, Any]:
    """A notice as documents have them."""
    return {
        "code": code, "severity": "warning", "text": text, "device": None, "at": None, "times": 1,
    }  # fmt: skip
