"""The books that an agent's live series read: its site, factors, rates of now, age of prices."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from meter.factors import Rates
from meter.model import HOURLY_KINDS
from meter.units import US_PER_HOUR, US_PER_QUARTER

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meter.model import Factor, Site

_KEPT_US = 24 * US_PER_HOUR  # the clock may be set back by less


class Shelf:
    """What live counters are booked by; thread-safe.

    A feed brings a row an hour for years: rows that cannot hold here, or whose time is over, are
    not kept.
    """

    def __init__(self, site: Site, factors: Iterable[Factor] = ()) -> None:
        self.site = site
        self.price_dates: tuple[tuple[str, int], ...] = ()
        """Of each provider that is used, the date (UTC µs) of its newest price; set as a whole."""
        self._lock = threading.Lock()
        self._factors: dict[str, Factor] = {}
        self._rates: Rates | None = None
        self.take(factors)

    def take(self, factors: Iterable[Factor]) -> None:
        """Know these too, as the ledger has them; rates are made anew."""
        scopes = {self.site.id, self.site.zone, "world"}
        found = {f.id: f for f in factors if f.kind in HOURLY_KINDS and f.scope in scopes}
        if not found:
            return
        with self._lock:
            self._factors |= found
            self._rates = None

    def factors(self) -> tuple[Factor, ...]:
        """What is kept of the books."""
        with self._lock:
            return tuple(self._factors.values())

    def rates(self, at_us: int) -> Rates:
        """The rates of the UTC quarter hour that an instant lies in; asked for as time goes on."""
        quarter_us = at_us - at_us % US_PER_QUARTER
        with self._lock:
            if self._rates is None or self._rates.at_us != quarter_us:
                self._forget(quarter_us)
                self._rates = Rates.at(self._factors.values(), self.site, quarter_us)
            return self._rates

    def _forget(self, before_us: int) -> None:
        self._factors = {
            factor_id: factor
            for factor_id, factor in self._factors.items()
            if factor.valid_to_us is None or factor.valid_to_us > before_us - _KEPT_US
        }
