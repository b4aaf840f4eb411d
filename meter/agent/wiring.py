"""The one place that builds the agent's parts, runs them, and takes them down again."""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import socket
import sys
import time
from typing import TYPE_CHECKING

from meter import __version__
from meter.agent import http, memory
from meter.agent.archive import Archive
from meter.agent.attendance import Attendance
from meter.agent.bills_desk import BillsDesk
from meter.agent.books_desk import BooksDesk
from meter.agent.desk import Desk
from meter.agent.documents import IN_MEMORY
from meter.agent.door import Door
from meter.agent.feed_rest import Rest
from meter.agent.feeding import Feeding, Surroundings
from meter.agent.hosted_desk import HostedDesk
from meter.agent.job_map import JobMap
from meter.agent.kin import Kin
from meter.agent.last_words import LastWords, with_words
from meter.agent.launchers import Launchers
from meter.agent.leases import Leases
from meter.agent.listen import SERVER, listen
from meter.agent.loop import Loop
from meter.agent.metering import Metering
from meter.agent.months import Months
from meter.agent.place import Clock, Place, boot_ns, this_node, wall_us
from meter.agent.provisions import books_of, configured_feed, open_ledger, taken_up
from meter.agent.reception import House, Reception
from meter.agent.server import Server, tcp_hosts
from meter.agent.shelf import Shelf
from meter.agent.usage_booking import UsageBooking
from meter.errors import ConfigError, FactorError, MeterError, UsageError
from meter.ledger.learning import learn
from meter.model import Notice, Severity
from meter.sampling.bus import has_board
from meter.settings_market import EXCLUDED
from meter.snapshot import Reach
from meter.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from meter.agent.boot import Booted, Settled
    from meter.agent.http_report import Export
    from meter.agent.provisions import Books
    from meter.agent.web_guard import Web
    from meter.config import Config
    from meter.factors.feeds import Feed
    from meter.ledger import Ledger
    from meter.model import Factor

EXPOSITION = "meter_exporters.prometheus"
"""The /metrics page; found by name, because the meter does not depend on its exporters."""
REPORT = "meter_exporters.html_report"
"""The same of a run's report."""

_ALONE_NS = 30 * NS_PER_S  # a private agent whose launcher never came
ENDED_S = 5.0
"""An agent that is asked to end has ended by then, whatever hangs."""
STEPS, LEAST_S = 4, 0.1
"""Steps of the end, and what each gets when those before it took all of the time."""
REAP_S = 0.3
CLOSE_S = 2.2
"""What all steps may take together, beside those leasts."""


def serve(booted: Booted, settled: Settled, lines: Sequence[bytes]) -> int:
    """Run until told to end, or alone for long enough; the exit code.

    ``lines`` are what the sampler has said so far.
    """
    memory.use_one_arena()
    config, notices = settled.config, list(settled.notices)
    try:
        listening = listen(config, booted.options)
        notices += listening.notices
        ledger = open_ledger(config, notices, private=booted.options.private)
        books = books_of(config, booted.options, ledger, notices)
    except MeterError as error:
        booted.ready.tell("error", str(error))
        sys.stderr.write(f"meter: {error}\n")
        booted.supervisor.stop()
        return 2 if isinstance(error, ConfigError | FactorError | UsageError) else 1
    booted.sockets.extend(listening.sockets)
    feed = configured_feed(config, booted.environment.variables, notices)
    agent = Agent(booted, config, ledger, books, notices, listening.quiet, feed, listening.web)
    try:
        agent.run(lines)
    finally:
        agent.close()
    return 0


class Agent:
    """All parts of a running agent."""

    def __init__(
        self,
        booted: Booted,
        config: Config,
        ledger: Ledger,
        books: Books,
        notices: list[Notice],
        quiet: list[Notice],
        feed: Feed | None = None,
        web: Web | None = None,
    ) -> None:
        self._booted = booted
        self._config = config
        self._ledger = ledger
        private = booted.options.private
        self._leases = Leases(config.lease_dir, os.getpid())
        self._launchers = Launchers(config.socket.with_name(config.socket.name + ".runs"))
        node = this_node()
        self._words = LastWords(config.socket, node.boot_id)
        left = self._words.all()
        alive = with_words(self._launchers.recall(), left)
        known = taken_up(ledger, node, alive, notices)
        self._shelf = Shelf(books.site, (*books.known, *books.stated))
        told = tuple(n for n in notices if n.code != EXCLUDED)  # each run's document says it
        place = Place(
            node,
            books.site,
            books.stated,
            private,
            told,
            config.idle,
            None if config.job_map is None else JobMap(config.job_map),
            has_board(),
        )
        kin = Kin(self._launchers.roots)
        clock = Clock(boot_ns, wall_us)
        rates = self._shelf.rates
        self._metering = Metering(place, ledger, self._leases, rates, clock, known, Attendance(kin))
        for live in known.runs:
            self._launchers.note(live.run.id)
            for pid in alive[live.run.id]:
                self._launchers.watch(live.run.id, pid)
        self._tls = None if web is None else web.context()
        house = House(
            ledger=str(ledger.path),
            project=config.project,
            faults=(*(n for n in notices if n.severity is Severity.WARNING), *quiet),
            listens=tuple(_shown(listening) for listening in booted.sockets[1:]),
            reach=_reach(config, encrypted=self._tls is not None),
            keeps=ledger.path != IN_MEMORY,
        )
        self._reception = Reception(self._metering, self._launchers, house, kin, self._words)
        self._reception.end_as_left(left)
        self._loop = Loop(
            self._metering,
            booted.supervisor,
            on_reading=lambda: booted.ready.tell("reading"),
            after_flush=self._after_flush,
            watched=lambda: [*self._launchers.filenos(), *self._reception.askers.filenos()],
        )
        self._feeding = None if feed is None else self._feeding_of(feed, books.known)
        self._desk = Desk(
            self._loop,
            self._reception,
            ledger,
            self._shelf,
            Archive(ledger, config, keeps=house.keeps),
            self._feeding,
        )
        if config.budgets:
            self._metering.budgets.months = Months(config.budgets, self._desk.used_between)
        page = importlib.import_module(EXPOSITION).Exposition(
            self._desk.live.snapshot, runs=config.page_runs
        )
        host = config.listen.rpartition(":")[0].strip("[]")
        hosts = set(tcp_hosts(host, socket.gethostname()))
        if config.public_url is not None:
            hosts.add(_host(config.public_url))
        self._usage = UsageBooking(
            ledger, self._loop, self._shelf, gap_s=lambda: self._reception.patience.scrape_gap_s
        )
        books_desk = BooksDesk(ledger, self._shelf, self._usage.wake, keeps=house.keeps)
        hosted = HostedDesk(ledger, config.project, wall_us, self._usage.wake, keeps=house.keeps)
        bills = BillsDesk(ledger, wall_us, keeps=house.keeps)
        app = http.build(self._desk, page, hosts, books_desk, hosted, bills, _report, web)
        self._server = Server(app, SERVER, Door(str(config.socket), os.getuid()), self._tls)

    def run(self, lines: Sequence[bytes]) -> None:
        """Serve until stopped."""
        self._loop.hear(lines)
        memory.settle()
        gc.enable()
        self._loop.start()
        if self._feeding is not None:
            self._feeding.start()
        self._usage.start()
        self._server.serve_on(self._booted.sockets, started=self._announce)

    def close(self) -> None:
        """End everything within a few seconds, what is known written first."""
        gc.unfreeze()
        left = Countdown(CLOSE_S, LEAST_S)
        self._usage.stop(left.seconds(0.2))
        stopped = self._loop.stop(left.seconds(1.0))
        self._booted.supervisor.stop()
        if stopped:
            self._reception.end_as_left()  # else what the next one takes back is booked
            with contextlib.suppress(MeterError, TimeoutError):
                self._metering.stop().result(left.seconds())
        if self._feeding is not None:
            self._feeding.stop(left.seconds(1.0))
        self._ledger.close(left.seconds())
        self._launchers.close()
        self._reception.close()
        self._leases.release_all()
        deadline = time.monotonic() + REAP_S
        while not self._booted.supervisor.end() and time.monotonic() < deadline:
            time.sleep(0.01)
        self._config.socket.unlink(missing_ok=True)

    def _feeding_of(self, feed: Feed, known: Sequence[Factor]) -> Feeding:
        """The thread that asks the feed, with what it needs of the rest."""
        around = Surroundings(
            site_id=self._shelf.site.id,
            learn=lambda rows: learn(self._ledger, rows).factors,
            take=self._shelf.take,
            write=self._ledger.write,
            runs=lambda: list(self._metering.runs),
            now_us=wall_us,
            rest=self._rest(feed),
        )
        minutes = self._config.intensity.every_minutes if self._config.intensity else 0
        return Feeding(feed, minutes, around, known)

    def _rest(self, feed: Feed) -> Rest | None:
        if not self._reception.house.keeps:
            return None
        return Rest(self._config.home, feed.about.book, feed.about.zone)

    def _announce(self) -> None:
        if not self._booted.options.private:
            places = [str(self._config.socket)]
            scheme = "http" if self._tls is None else "https"
            places += [f"{scheme}://{where}" for where in self._reception.house.listens]
            sys.stderr.write(f"meter: agent {__version__} listens on {', '.join(places)}\n")
            sys.stderr.flush()

    def _after_flush(self) -> None:
        now_ns = boot_ns()
        self._reception.look_after(now_ns)
        self._desk.live.publish()
        patience = self._reception.patience
        if not self._booted.options.private or not patience.idle(now_ns, _ALONE_NS):
            return
        if not self._reception.house.keeps:  # no later run may find this one: it would keep nothing
            self._config.socket.unlink(missing_ok=True)
        if not self._desk.busy and not self._words.awaits:
            self._server.stop()


class Countdown:
    """What several steps may take together; each gets ``least_s`` at least."""

    def __init__(
        self, all_s: float, least_s: float, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._now = now
        self._until = now() + all_s
        self._least_s = least_s

    def seconds(self, most_s: float = float("inf")) -> float:
        """How long the next step may take."""
        return min(most_s, max(self._least_s, self._until - self._now()))


def _reach(config: Config, *, encrypted: bool) -> Reach:
    if config.public_url is not None:
        return Reach.of(config.public_url)
    return Reach("https" if encrypted else "http")


def _host(url: str) -> str:
    """The name that a proxy passes on, without port and path."""
    host = Reach.of(url).address.partition("/")[0]
    return host.partition("]")[0].strip("[") if host.startswith("[") else host.partition(":")[0]


def _shown(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _report() -> Export:
    """The report's exporter, with its templates: only once somebody asks for it."""
    found: Export = importlib.import_module(REPORT).export
    return found
