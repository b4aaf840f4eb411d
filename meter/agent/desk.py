"""Between HTTP and the metering thread: every request's way in, out, and through the ledger."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, Any

from meter.agent import documents, history_file
from meter.agent.addresses import ended_error
from meter.agent.documents import Documents
from meter.agent.launchers import began_ns
from meter.agent.live_state import LiveState
from meter.agent.problems import NotFoundError
from meter.agent.waiting import LEDGER_BEHIND, is_durable, is_kept, why_behind
from meter.config import Intensity
from meter.errors import LedgerError
from meter.factors.feeds import Point, about_of, factors_of_points
from meter.ledger import QUESTION_S, profiles, recovery, reports, usage
from meter.ledger.auditor import Auditor
from meter.ledger.history import Asked
from meter.ledger.sealing import seal
from meter.ledger.synced import synced
from meter.links import SOURCE_OF_ORIGIN
from meter.model import LedgerBatch, RunLink

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from concurrent.futures import Future
    from decimal import Decimal

    from meter.agent.archive import Archive
    from meter.agent.feeding import Feeding
    from meter.agent.http_told import ToldRuns
    from meter.agent.loop import Loop
    from meter.agent.reception import Reception
    from meter.agent.requests import (
        MarkList,
        NewIntensity,
        NewLink,
        NewMark,
        NewPastRun,
        NewRun,
        RunEnd,
    )
    from meter.agent.shelf import Shelf
    from meter.ledger import Ledger
    from meter.ledger.recovery import Attempt
    from meter.past import Imported

LISTED_S = 9.0
"""How long a registration waits for the sampler to list its devices."""
JUDGED_S = 3.0
"""How long a question waits until each sensor was read, or is known to be unreadable."""
END_S = 6.0
"""How long the end of a run waits for its figures to be durable."""
_BROKEN_END_S = 2.5  # waited for a ledger that has failed: by then the devices' curves are settled
_JUDGED_AGAIN_S = 0.02


class Desk:
    """Answers requests; every method may be called from any thread."""

    def __init__(
        self,
        loop: Loop,
        reception: Reception,
        ledger: Ledger,
        shelf: Shelf,
        archive: Archive,
        feeding: Feeding | None = None,
    ) -> None:
        self.live = LiveState(loop, reception, ledger, shelf, feeding)
        self._loop = loop
        self._metering = loop.metering
        self._reception = reception
        self._intake = reception.intake
        self._ledger = ledger
        self._shelf = shelf
        self._archive = archive
        self._feeding = feeding
        self._documents = Documents(loop, ledger, shelf)
        self._ending = 0  # requests that wait for the end of a run to be durable
        self._ending_lock = threading.Lock()

    @property
    def busy(self) -> bool:
        """Whether somebody waits for the end of a run: a private agent must not go before."""
        return self._ending > 0

    def register(self, run: NewRun, peer_pid: int | None) -> tuple[dict[str, Any], bool]:
        """Book a run from now on; waits until devices are listed, as long as that may help.

        True with the answer once it is durable; False if that takes longer than a moment.
        """
        if not self._reception.listed:
            self.live.listed.wait(LISTED_S)
        if run.check:
            self._await_judged()

        past = self._past(run)

        def register() -> tuple[dict[str, Any], Future[None]]:
            answer = self._reception.register(run, peer_pid, past)
            return answer, self._metering.flush(rows=False, urgent=True)

        answer, written = self._loop.ask(register)
        if not self._reception.house.keeps:
            return answer, False
        if is_kept(written, self._ledger):
            return answer, True
        behind = {"code": LEDGER_BEHIND, "text": why_behind(self._ledger)}
        answer["notices"].append(behind)
        answer["faults"].append(behind)
        return answer, False

    def _past(self, run: NewRun) -> dict[str, Attempt]:
        """What the ledger has of an id that may have been used before; we give none twice."""
        return self._kept(run.id) if "id" in run.model_fields_set else {}

    def _kept(self, run_id: str) -> dict[str, Attempt]:
        """What the ledger has of an id, and of other attempts at it."""
        with contextlib.suppress(LedgerError), self._ledger.reader() as reader:
            return recovery.attempts(reader, run_id)
        return {}

    def end(self, run_id: str, end: RunEnd, peer_pid: int | None) -> dict[str, Any]:
        """End a run; its document once all is settled and durable."""
        with self._staying():
            try:
                done = self._loop.ask(lambda: self._reception.end(run_id, end, peer_pid))
            except NotFoundError:
                kept = self._kept(run_id).get(run_id)
                if kept is None or kept.ended_us is None:
                    raise
                done = None  # told to an agent before us, whose answer got lost
            if done is None:  # others of the run's launchers go on
                return self.document(run_id)
            durable = is_kept(done, self._ledger, END_S, broken_s=_BROKEN_END_S)
            durable = durable and self._told_of_feed(run_id)
            return self._documents.written(run_id, durable=durable)

    def _told_of_feed(self, run_id: str) -> bool:
        """Tell a run that has ended where no live intensity held in it; whether that is durable."""
        live, _ = self._metering.ended.get(run_id, (None, 0))
        live = live or self._metering.runs.get(run_id)
        if self._feeding is None or live is None:
            return True
        now_us = self._metering.clock.wall_us()
        notice = self._feeding.ended(run_id, live.run.started_us, now_us)
        if notice is None:
            return True
        written = self._ledger.write(LedgerBatch(notices=(notice,)), urgent=True)
        return is_kept(written, self._ledger)

    def link(
        self, run_id: str, link: NewLink, peer_pid: int | None = None
    ) -> tuple[dict[str, Any], bool]:
        """Add an id that somebody else gave a run, live or ended; whether it is durable."""

        def add() -> tuple[str, Future[None] | None]:
            found, lives = self._reception.link(run_id, link, peer_pid)
            return found, self._metering.flush(rows=False, urgent=True) if lives else None

        try:
            found, written = self._loop.ask(add)
        except NotFoundError:
            found, written = self._documents.find(run_id), None
            found = _attempt_of(self._kept(found), found, self._began_us(peer_pid))
        if written is None:
            written = self._link_ended(found, link)
        durable = self._reception.house.keeps and is_durable(written)
        return {"run": found, "source": link.source, "id": link.id}, durable

    def _began_us(self, pid: int | None) -> int | None:
        began = None if pid is None else began_ns(pid)
        return None if began is None else self._metering.anchor.us(began)

    def _link_ended(self, run_id: str, link: NewLink) -> Future[None]:
        fresh = RunLink(run_id, link.source, link.id)
        with self._ledger.question() as reader:
            known = recovery.links(reader, run_id)
        batch = LedgerBatch() if fresh in known else LedgerBatch(links=(fresh,))
        return self._ledger.write(batch, urgent=True)

    def mark(self, run_id: str, mark: NewMark, peer_pid: int | None) -> dict[str, Any]:
        """Note an instant inside a run; raises NotFoundError, ConflictError, UsageError."""
        with self._telling_ended(run_id, 1, peer_pid):
            return self._loop.ask(lambda: self._intake.mark(run_id, mark, peer_pid))

    def marks(self, run_id: str, marks: MarkList, peer_pid: int | None) -> dict[str, Any]:
        """Note several instants inside a run; raises NotFoundError, ConflictError."""
        with self._telling_ended(run_id, marks.count, peer_pid):
            return self._loop.ask(lambda: self._intake.marks(run_id, marks, peer_pid))

    @contextlib.contextmanager
    def _telling_ended(self, run_id: str, count: int, peer_pid: int | None) -> Iterator[None]:
        """A run that does not live here may be one that the ledger knows to have ended.

        A process that began after that end is of another attempt, to be registered yet.
        """
        try:
            yield
        except NotFoundError:
            attempts = self._kept(run_id)
            meant = _attempt_of(attempts, run_id, self._began_us(peer_pid))
            kept = attempts.get(meant)
            if kept is None or kept.ended_us is None:
                raise
            began_us = self._began_us(peer_pid)
            later = began_us is not None and began_us > kept.ended_us
            if later and kept.origin in SOURCE_OF_ORIGIN:
                raise
            self._loop.ask(lambda: self._intake.tell_of_dropped(meant, count))
            raise ended_error(meant) from None

    def add_past(self, run: NewPastRun) -> tuple[dict[str, Any], bool]:
        """Book a run that was not metered; its document, and whether it was new.

        Where it is booked but cannot be read: ``{"id": …, "not_shown": why}``.
        """
        with self._staying():
            run_id, new = self._archive.add(run)
            try:
                return self._documents.written(run_id, durable=True), new
            except LedgerError as error:
                return {"id": run_id, "not_shown": str(error)}, new

    def take_runs(self, given: ToldRuns) -> Imported:
        """Book runs that another tool told, all or none. Raises RowsError, LedgerError."""
        with self._staying():
            return self._archive.take(given)

    def budgets(self, run_id: str) -> dict[str, Any]:
        """What a run that lives here has used of its budgets."""
        return self._loop.ask(lambda: self._reception.budgets(run_id))

    def used_between(self, from_us: int, to_us: int) -> dict[tuple[str, str], Decimal]:
        """What the ledger has of every project's use, by project and unit of budget."""
        with self._ledger.question() as reader:
            return reports.project_use(reader, from_us, to_us)

    def runs(self, limit: int, project: str | None) -> list[dict[str, Any]]:
        """The newest runs, each with what it cost."""
        with self._ledger.question() as reader:
            return usage.sides(reader, reader.newest_us(), limit=limit, project=project)

    def document(
        self, run_id: str, as_of_us: int | None = None, currency: str | None = None
    ) -> dict[str, Any]:
        """A run's document, the open minute of a live run included; or as known at an instant."""
        return self._documents.document(run_id, as_of_us, currency)

    def series(
        self, run_id: str, *, minutes: bool = False, as_of_us: int | None = None
    ) -> list[dict[str, Any]]:
        """A run's power over time; only minutes, or as known at an instant, where asked for."""
        with self._ledger.question() as reader:
            found = documents.id_in(reader, run_id)
            points = reports.run_series(reader, found, minutes=minutes, as_of_us=as_of_us)
        names = ("device_id", "at_us", "power_w", "energy_j")
        return [{name: getattr(point, name) for name in names} for point in points]

    def history(
        self, span_us: tuple[int, int], step_min: int, target: dict[str, str], *, runs: bool
    ) -> history_file.Written:
        """History as OpenMetrics in a file that is gone when it is closed, at its start.

        Written whole before any of it is sent: a slow reader must not keep the ledger from others.
        """
        asked = Asked.of(*span_us, step_min, runs=runs)
        folder = self._ledger.path.parent if self._reception.house.keeps else None
        with self._ledger.question() as reader:
            return history_file.written(reader, asked, target, folder, QUESTION_S)

    def seal(
        self, run: str, as_of_us: int | None, reason: str | None
    ) -> tuple[dict[str, Any], bool]:
        """Issue a statement of a run that has ended; whether one was issued.

        Raises UsageError where it may not be issued, LedgerError where none would be kept.
        """
        if not self._reception.house.keeps:
            raise LedgerError("the ledger is in memory: nothing is kept", "seal it elsewhere")
        run_id = self._documents.find(run)
        with self._ledger.turn():
            sealed = seal(self._ledger, run_id, as_of_us=as_of_us, reason=reason)
        return sealed.json(), sealed.issued

    @contextlib.contextmanager
    def audit(self) -> Iterator[Auditor]:
        """An auditor of the ledger."""
        with self._ledger.question() as reader:
            yield Auditor(reader)

    def profile(self, run_id: str, as_of_us: int | None = None) -> dict[str, Any]:
        """A run's energy by device and quarter hour, the open minute of a live run included."""
        return self._documents.profile(run_id, as_of_us)

    def factor_rows(
        self, scopes: Sequence[str], span_us: tuple[int, int], as_of_us: int | None = None
    ) -> list[dict[str, Any]]:
        """Factor rows of some scopes that hold between two instants (UTC µs)."""
        with self._ledger.question() as reader:
            return profiles.factor_rows(reader, scopes, span_us, as_of_us=as_of_us)

    def sync(self, given: NewIntensity) -> dict[str, Any]:
        """Write what a provider told, for this site; live counters book by what was news.

        Raises LedgerError.
        """
        about = about_of(
            Intensity(given.provider, given.zone, average=given.average, direct=given.direct)
        )
        points = [Point(p.from_us, p.to_us, p.value, p.state) for p in given.points]
        rows = factors_of_points(points, about, self._metering.site_id)
        with self._ledger.turn():
            found = synced(self._ledger, rows)
        self._shelf.take(found.factors)
        if self._feeding is not None:
            self._feeding.learned(found.factors)
        return {"new": found.new, "corrected": found.corrected, "unchanged": found.unchanged}

    def _await_judged(self) -> None:
        deadline = time.monotonic() + JUDGED_S
        while not self._reception.judged() and time.monotonic() < deadline:
            time.sleep(_JUDGED_AGAIN_S)

    @contextlib.contextmanager
    def _staying(self) -> Iterator[None]:
        with self._ending_lock:
            self._ending += 1
        try:
            yield
        finally:
            with self._ending_lock:
                self._ending -= 1


def _attempt_of(attempts: Mapping[str, Attempt], run_id: str, began_us: int | None) -> str:
    """Of attempts that have ended, the one that a process means which began then.

    The first that ended after it began, else the last: a job that is over tells late.
    """
    ended = sorted((one.ended_us, id_) for id_, one in attempts.items() if one.ended_us is not None)
    if run_id not in attempts or attempts[run_id].origin not in SOURCE_OF_ORIGIN or not ended:
        return run_id
    after = [id_ for at_us, id_ in ended if began_us is not None and at_us >= began_us]
    return after[0] if after else ended[-1][1]
