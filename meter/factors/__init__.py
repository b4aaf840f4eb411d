"""Factor books: dated facts from configuration and bundled data, and the rates made of them."""

from __future__ import annotations

from meter.factors.configured import factors_of, site_of
from meter.factors.live import Booked, Rates

__all__ = ["Booked", "Rates", "factors_of", "site_of"]
