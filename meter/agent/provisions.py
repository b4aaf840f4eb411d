"""What an agent starts with; a private one goes without what cannot be had, and says so."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from meter.agent.documents import IN_MEMORY
from meter.agent.place import boot_ns, wall_us
from meter.agent.recovery import Recovered, recover
from meter.errors import ConfigError, FactorError, LedgerError, LedgerLockedError, MeterError
from meter.factors import factors_of, site_of
from meter.factors.feeds import access_of, feed_of
from meter.ledger import Ledger, recovery
from meter.metering.wall import WallAnchor
from meter.model import Notice, Severity, Site

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meter.agent.options import Options
    from meter.config import Config
    from meter.factors.feeds import Feed
    from meter.model import Factor, Node

LEDGER_NAME = "ledger.duckdb"
_LOCKED_S = 2.0  # an agent that is just ending lets go of the ledger by then


@dataclass(frozen=True, slots=True)
class Books:
    """What the agent starts with: its site, what the ledger knew, what the configuration says."""

    site: Site
    known: tuple[Factor, ...]
    stated: tuple[Factor, ...]


def open_ledger(config: Config, notices: list[Notice], *, private: bool) -> Ledger:
    """The ledger's file; where that cannot be, a private agent has one in memory, and says so.

    Raises LedgerError to an agent that somebody has started to keep what it meters.
    """
    path = config.home / LEDGER_NAME
    deadline = time.monotonic() + _LOCKED_S
    while True:
        try:
            return Ledger.open(path, retention_days=config.retention_days)
        except LedgerLockedError as error:
            if time.monotonic() < deadline:
                time.sleep(0.05)
                continue
            if not private:
                raise
            notices.append(_unavailable(error))
        except LedgerError as error:
            if not private:
                raise
            notices.append(_unavailable(error))
        return Ledger.open(IN_MEMORY)


def _unavailable(error: LedgerError) -> Notice:
    text = f"Nothing is kept of this: {error}"
    return Notice("ledger_unavailable", text, Severity.WARNING)


def books_of(config: Config, options: Options, ledger: Ledger, notices: list[Notice]) -> Books:
    """Site and factors; a private agent goes on without what is wrong in the configuration."""
    try:
        site_of(config)
    except FactorError as error:
        if not options.private:
            raise
        notices.append(Notice("config_error", str(error), Severity.WARNING))
        config = replace(config, zone=None)
    with ledger.reader() as reader:
        known = recovery.factors(reader)
        # a clock that was set back must not change what was reported, and perhaps sealed, already
        now_us = max(wall_us(), reader.newest_us() + 1)
    try:
        site = site_of(config)
        factors = factors_of(config, site, now_us, known)
    except (ConfigError, FactorError) as error:
        if not options.private:
            raise
        notices.append(Notice("config_error", str(error), Severity.WARNING))
        site = Site(config.site_name, config.site_name, None)
        factors = []
    return Books(site, tuple(known), tuple(factors))


def configured_feed(
    config: Config, variables: Mapping[str, str], notices: list[Notice]
) -> Feed | None:
    """The feed that is configured; without its key there is none, and a notice says so."""
    if config.intensity is None:
        return None
    try:
        access, exposed = access_of(config.intensity, variables)
        feed = feed_of(config.intensity, access, wall_us)
    except ConfigError as error:
        text = f"No live grid intensity is fetched: {error}"
        notices.append(Notice("intensity_off", text, Severity.WARNING))
        return None
    notices += exposed
    if config.tnd_loss is not None and config.intensity.provider == "uk":
        text = "Losses of the grid count twice: the intensity of the feed has them; unset tnd_loss."
        notices.append(Notice("intensity_losses_twice", text, Severity.WARNING))
    return feed


def taken_up(
    ledger: Ledger, node: Node, alive: dict[str, list[int]], notices: list[Notice]
) -> Recovered:
    """Where the last agent stopped; nothing, and a notice, where that cannot be read."""
    try:
        with ledger.reader() as reader:
            return recover(reader, node, alive, WallAnchor(boot_ns(), wall_us()))
    except MeterError as error:
        text = f"What the last agent left open cannot be taken up: {error}"
        notices.append(Notice("recovery_failed", text, Severity.WARNING))
        return Recovered()
