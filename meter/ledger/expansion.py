"""Which factors are news, and the UTC hours that they hold in; pure."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from meter.identified import identified, identified_price
from meter.ledger.instants import hour_of
from meter.model import HOURLY_KINDS, WHOLE_BOOKS, FactorKind
from meter.units import US_PER_HOUR, US_PER_QUARTER
from meter.windows import LocalWindows

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from meter.model import Factor, Interval, Price

QUARTERS = 4
Hour = tuple[str, int, int | None]
"""A factor's id, the start of a UTC hour in µs, and a quarter of it (None: all of it)."""

_Key = tuple[object, ...]
_SHORT_US = 48 * US_PER_HOUR


def hours_of(intervals: Iterable[Interval]) -> set[int]:
    """UTC hours, by their start in µs, that intervals lie in."""
    return {hour_of(interval.start_us) for interval in intervals}


def expanded(factors: Iterable[Factor], hours: Iterable[int]) -> list[Hour]:
    """Each factor that lines use, with each of the hours or quarters that it holds in."""
    ordered = dict.fromkeys(sorted(hours))
    found: list[Hour] = []
    for factor in factors:
        if factor.kind not in HOURLY_KINDS:
            continue
        windows = LocalWindows.of_json(factor.windows) if factor.windows else None
        short = _short_hours(factor)  # a year of hourly rows must not look at all hours each
        for hour in ordered if short is None else filter(ordered.__contains__, short):
            found += ((factor.id, hour, part) for part in _parts(factor, windows, hour))
    return found


def _parts(factor: Factor, windows: LocalWindows | None, hour: int) -> list[int | None]:
    """The parts of an hour that a factor holds in: none, all of it (None), or quarters."""
    start, end = factor.valid_from_us, factor.valid_to_us
    if (start is not None and start >= hour + US_PER_HOUR) or (end is not None and end <= hour):
        return []
    whole = (start is None or start <= hour) and (end is None or end >= hour + US_PER_HOUR)
    if whole and windows is None:
        return [None]
    quarters = [
        quarter
        for quarter in range(QUARTERS)
        if holds(factor, windows, hour + quarter * US_PER_QUARTER)
    ]
    return [None] if len(quarters) == QUARTERS else [*quarters]


def holds(factor: Factor, windows: LocalWindows | None, at_us: int) -> bool:
    """Whether a factor holds in the quarter hour that begins at an instant."""
    if factor.valid_from_us is not None and at_us < factor.valid_from_us:
        return False
    if factor.valid_to_us is not None and at_us >= factor.valid_to_us:
        return False
    return windows is None or windows.covers(at_us)


@dataclass(slots=True)
class KnownFactors:
    """Every factor of a ledger, by id, by what it states, and by the hours it can hold in.

    A feed brings a row an hour for years: each new hour must not look at all of them.
    """

    ids: set[str] = field(default_factory=set)
    statements: dict[tuple[_Key, int], list[Factor]] = field(default_factory=dict)
    _instants: dict[_Key, list[int]] = field(default_factory=lambda: defaultdict(list))
    _standing: list[Factor] = field(default_factory=list)
    _short: dict[int, list[Factor]] = field(default_factory=lambda: defaultdict(list))

    def add(self, factors: Iterable[Factor]) -> None:
        """Take rows that were written."""
        for factor in factors:
            self.ids.add(factor.id)
            key = _key(factor)
            if (key, factor.recorded_us) not in self.statements:
                self._instants[key].append(factor.recorded_us)
            self.statements.setdefault((key, factor.recorded_us), []).append(factor)
            hours = _short_hours(factor)
            if hours is None:
                self._standing.append(factor)
                continue
            for hour in hours:
                self._short[hour].append(factor)

    def at_hours(self, hours: Collection[int]) -> Iterator[Factor]:
        """Rows that may hold in one of the hours, once each."""
        yield from self._standing
        seen: set[str] = set()
        for hour in hours:
            for factor in self._short.get(hour, ()):
                if factor.id not in seen:
                    seen.add(factor.id)
                    yield factor

    def before(self, key: _Key, at_us: int) -> list[Factor]:
        """The statement of a key that was the newest before an instant."""
        earlier = [at for at in self._instants.get(key, ()) if at < at_us]
        return self.statements[key, max(earlier)] if earlier else []


def _short_hours(factor: Factor) -> range | None:
    """The few hours that a row is valid in, None if they are many."""
    start, end = factor.valid_from_us, factor.valid_to_us
    if start is None or end is None or end - start > _SHORT_US:
        return None
    return range(hour_of(start), end, US_PER_HOUR)


def learned_factor(factor: Factor, at_us: int) -> Factor:
    """The factor as learned at an instant, if it does not tell when; with an id."""
    found = factor if factor.recorded_us else replace(factor, recorded_us=at_us)
    return found if found.id else identified(found)


def learned_price(price: Price, at_us: int) -> Price:
    """The price as learned at an instant, if it does not tell when; with an id."""
    found = price if price.recorded_us else replace(price, recorded_us=at_us)
    return found if found.id else identified_price(found)


def statements_to_write(known: KnownFactors, given: Sequence[Factor]) -> list[Factor]:
    """The given factors without those that only repeat what the ledger knew at their instant.

    Factors of one key and instant of knowledge make one statement; a statement equal to the one
    before it is no news. Order of arrival does not matter.
    """
    fresh = KnownFactors()
    news: list[Factor] = []
    statements = sorted(_statements(given).items(), key=lambda one: (one[0][1], repr(one[0][0])))
    for (key, recorded_us), statement in statements:
        new = {one.id: one for one in statement if not _has(known, one) and not _has(fresh, one)}
        before = _newer(known.before(key, recorded_us), fresh.before(key, recorded_us))
        if not new or _content(statement) == _content(before):
            continue
        news += new.values()
        fresh.add(new.values())
    return news


def _has(known: KnownFactors, factor: Factor) -> bool:
    return factor.id in known.ids


def _newer(one: list[Factor], other: list[Factor]) -> list[Factor]:
    return max(one, other, key=lambda statement: statement[0].recorded_us if statement else -1)


def _key(factor: Factor) -> _Key:
    """What a row is a statement about.

    Whoever states a place whole (the configuration, the bundled books) replaces all that they
    said of it; other books state one while at a time: an hour's intensity, a year's tariff.
    """
    whole = factor.book in WHOLE_BOOKS
    period = () if whole else (factor.valid_from_us, factor.valid_to_us, factor.windows)
    pair = factor.currency if factor.kind is FactorKind.FX_RATE else None  # from item to currency
    return (factor.kind, factor.scope, factor.item, pair, factor.rank, factor.book, *period)


def _statements(factors: Iterable[Factor]) -> dict[tuple[_Key, int], list[Factor]]:
    found: dict[tuple[_Key, int], list[Factor]] = {}
    for factor in factors:
        found.setdefault((_key(factor), factor.recorded_us), []).append(factor)
    return found


def _content(statement: Iterable[Factor]) -> frozenset[Factor]:
    return frozenset(replace(factor, id="", recorded_us=0) for factor in statement)


def prices_to_write(known: Iterable[Price], given: Iterable[Price]) -> list[Price]:
    """The given prices without those that only repeat what the ledger knew at their instant."""
    ordered = sorted(known, key=lambda price: price.recorded_us)
    ids = {price.id for price in ordered}
    history: dict[tuple[object, ...], list[Price]] = {}
    for price in ordered:
        history.setdefault(_price_key(price), []).append(price)
    news = []
    for price in sorted(given, key=lambda price: (price.recorded_us, price.id)):
        earlier = [
            one for one in history.get(_price_key(price), ()) if one.recorded_us < price.recorded_us
        ]
        if price.id in ids or (earlier and _said(earlier[-1]) == _said(price)):
            continue
        ids.add(price.id)
        history.setdefault(_price_key(price), []).append(price)
        news.append(price)
    return news


def _price_key(price: Price) -> tuple[object, ...]:
    what = (price.provider, price.model, price.meter, price.region, price.service_tier)
    narrow = (
        price.training, price.adapter, price.parameters_over_b, price.parameters_to_b,
        price.context_over, price.context_to,
    )  # fmt: skip
    return (
        *what,
        *narrow,
        price.currency,
        price.rank,
        price.book,
        price.valid_from_us,
        price.valid_to_us,
    )


def _said(price: Price) -> Price:
    return replace(price, id="", recorded_us=0)
