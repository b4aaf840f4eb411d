"""What ``meter whatif`` is asked, and the facts that answer it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from meter.errors import FactorError, UsageError
from meter.factors.books import grid_factor
from meter.factors.bundled import hardware_factors
from meter.factors.live import scopes_of
from meter.factors.units import QUANTITIES
from meter.factors.zones import zone_of
from meter.figures import printable
from meter.instants import instant, parse_us
from meter.model import FactorKind, Site
from meter.units import US_PER_HOUR, US_PER_MINUTE
from meter.whatif.compare import Ask, NewGpu, compare
from meter.whatif.document import Comparison
from meter.whatif.gpus import Catalogue, replacements
from meter.whatif.place import Place, factor_of
from meter.whatif.profile import profile_of
from meter.whatif.starts import Window

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from meter.cli.reads import Reads
    from meter.model import Factor
    from meter.whatif.profile import Profile

_SPANS = {"m": US_PER_MINUTE, "h": US_PER_HOUR, "d": 24 * US_PER_HOUR}
_SPAN = re.compile(r"(\d{1,6})\s*([mhd])")
_PRICE = re.compile(r"(-?\d{1,9}(?:\.\d{1,9})?)\s*([A-Z]{3})(?:/kWh)?")
_NUMBER = re.compile(r"\d{1,3}(?:\.\d{1,9})?")
_LEAST_US, _MOST_US = US_PER_HOUR, 14 * 24 * US_PER_HOUR
_LAST_US = parse_us("9000-01-01")
_OF_RUN = "run"
_WORLD = "world"


@dataclass(frozen=True, slots=True)
class Options:
    """The options as given; None is not given."""

    run: str
    zones: tuple[str, ...]
    start: str | None
    price: str | None
    pue: str | None
    gpu: str | None
    horizon: str
    begin: str | None
    as_of: str | None


def compared(source: Reads, options: Options, now_us: int) -> Comparison:
    """The comparison that is asked for. Raises UsageError for what cannot be compared."""
    price = None if options.price is None else price_of(options.price)
    pue = None if options.pue is None else pue_of(options.pue)
    horizon_us = horizon_of(options.horizon)
    read = source.profile(options.run, options.as_of)
    profile = profile_of(read)
    if not any(use.energy.value for use in profile.uses):
        name = printable(read["run"]["name"], 60)
        raise UsageError(f"no energy is known of the run {name!r}", "name another: `meter runs`")
    start_us = None
    if options.start is not None:
        start_us = instant_of(options.start, profile.start_us, "--start")
    facts = _Facts(source, read)
    window = _window(options.begin, horizon_us, profile, now_us)
    gpu = None if options.gpu is None else _new_gpu(read, options.gpu, facts)
    zones = facts.zones_of(options.zones)
    ask = Ask(window, zones, start_us, price, pue, gpu)
    facts.load(_spans(profile, ask))
    return Comparison(read, ask, compare(profile, facts.home(), ask, facts.of_zones(zones)))


class _Facts:
    """The factor rows of a run's places, and of others, read as they are needed."""

    def __init__(self, source: Reads, read: Mapping[str, Any]) -> None:
        self._source = source
        self._as_of = instant(read["as_of_us"])
        self._sites = {site: _site_of(read, site) for site in read["zones"]}
        self._rows: dict[str, Factor] = {}
        places = [scope for site in self._sites.values() for scope in sorted(scopes_of(site))]
        self._scopes = list(dict.fromkeys([*places, _WORLD]))
        self._bundled: dict[str, Factor] = {}

    def load(self, spans: Iterable[tuple[int, int]], scopes: Iterable[str] | None = None) -> None:
        """Read what holds in some spans."""
        wanted = self._scopes if scopes is None else list(scopes)
        for span in spans:
            found = self._source.factor_rows(wanted, span, self._as_of)
            self._rows.update((fields["id"], factor_of(fields)) for fields in found)

    def zones_of(self, texts: Iterable[str]) -> tuple[str, ...]:
        """The zones that are meant, known by code, by name, or to the ledger."""
        found = tuple(dict.fromkeys(self._zone(text) for text in texts))
        self._scopes += [zone for zone in found if zone not in self._scopes]
        return found

    def _zone(self, text: str) -> str:
        try:
            zone = zone_of(text)
        except FactorError as error:
            self.load([(0, _LAST_US)], [text])
            if any(self._is_grid(row, text) for row in self._rows.values()):
                return text
            raise UsageError(error.message, error.remedy) from None
        self._bundled[zone] = grid_factor(zone, 0)
        return zone

    @staticmethod
    def _is_grid(row: Factor, scope: str) -> bool:
        return row.scope == scope and row.kind is FactorKind.GRID_INTENSITY

    def home(self) -> dict[str, Place]:
        """The places of the run's sites."""
        return {name: Place(site, self._of(scopes_of(site))) for name, site in self._sites.items()}

    def of_zones(self, zones: Iterable[str]) -> dict[str, tuple[Factor, ...]]:
        """The rows of each zone and of the world; the bundled grid where a zone has one."""
        return {
            zone: (
                *self._of({zone, _WORLD}),
                *([self._bundled[zone]] if zone in self._bundled else []),
            )
            for zone in zones
        }

    def catalogue(self) -> Catalogue:
        """The GPU models known."""
        self.load([(0, _LAST_US)], [_WORLD])
        return Catalogue((*hardware_factors(0), *self._of({_WORLD})))

    def _of(self, scopes: set[str]) -> tuple[Factor, ...]:
        return tuple(row for row in self._rows.values() if row.scope in scopes)


def _site_of(read: Mapping[str, Any], site: str) -> Site:
    within = read.get("within", {}).get(site, {})  # an older agent knows of none
    return Site(site, site, read["zones"][site], within.get("site"), within.get("elsewhere"))


def _new_gpu(read: Mapping[str, Any], model: str, facts: _Facts) -> NewGpu:
    found, new, old = replacements(read["devices"], model, facts.catalogue())
    return NewGpu(new, old, found)


def _window(begin: str | None, horizon_us: int, profile: Profile, now_us: int) -> Window:
    if begin == _OF_RUN:
        from_us = profile.start_us
    else:
        from_us = now_us if begin is None else instant_of(begin, now_us, "--from")
    return Window(from_us, from_us + horizon_us)


def _spans(profile: Profile, ask: Ask) -> list[tuple[int, int]]:
    """The times whose rates are needed: of the run, of the start asked for, of the horizon."""
    other = profile.on(ask.gpu.replacements) if ask.gpu else profile
    length_us = other.end_us - other.first_us + US_PER_HOUR
    spans = [(profile.first_us, profile.end_us), (other.first_us, other.end_us)]
    if ask.start_us is not None:
        moved = other.starting_at(ask.start_us)
        spans.append((moved.first_us, moved.end_us))
    spans.append((ask.window.from_us, ask.window.to_us + length_us))
    return spans


def horizon_of(text: str) -> int:
    """µs of a span such as ``48h`` or ``2d``, of an hour to 14 days. Raises UsageError."""
    found = _SPAN.fullmatch(text.strip())
    if found is None:
        raise UsageError(f"--horizon {text[:40]!r} is no span", "write for example 48h or 2d")
    span_us = int(found[1]) * _SPANS[found[2]]
    if not _LEAST_US <= span_us <= _MOST_US:
        raise UsageError(f"--horizon {text[:40]!r} is out of range", "give 1h to 14d")
    return span_us


def instant_of(text: str, base_us: int, what: str) -> int:
    """UTC µs of an instant, or of a span after or before ``base_us`` (``+6h``, ``-1d``).

    Raises UsageError.
    """
    clean = text.strip()
    if clean[:1] in {"+", "-"}:
        found = _SPAN.fullmatch(clean[1:])
        if found is None:
            raise UsageError(f"{what} {text[:40]!r} is no span", "write for example +6h or -1d")
        span_us = int(found[1]) * _SPANS[found[2]]
        at_us = base_us + span_us if clean[0] == "+" else base_us - span_us
    else:
        at_us = parse_us(clean, what)
    if not 0 <= at_us < _LAST_US:
        raise UsageError(f"{what} {text[:40]!r} is out of range", "give a year from 1970 to 8999")
    return at_us


def price_of(text: str) -> tuple[Decimal, str]:
    """A price of a kWh with its currency, such as ``0.12EUR``. Raises UsageError."""
    found = _PRICE.fullmatch(text.strip())
    if found is None:
        raise UsageError(
            f"--price {text[:40]!r} is no price of a kWh with its currency",
            "write for example 0.12EUR",
        )
    amount, quantity = Decimal(found[1]), QUANTITIES[FactorKind.ELECTRICITY_PRICE]
    if not quantity.least <= amount <= quantity.most:
        raise UsageError(f"--price {text[:40]!r} is absurd", "give the price of one kWh")
    return amount, found[2]


def pue_of(text: str) -> Decimal:
    """A PUE. Raises UsageError for one that cannot be."""
    quantity = QUANTITIES[FactorKind.PUE]
    value = Decimal(text) if _NUMBER.fullmatch(text.strip()) else None
    if value is None or not quantity.least <= value <= quantity.most:
        raise UsageError(
            f"--pue {text[:40]!r} is no PUE", f"give {quantity.least} to {quantity.most}"
        )
    return value
