"""Inference rates of the package genai-prices as price rows; pure: its data in, rows out.

Only the data that is installed is read; the package's own update from the network never is.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from meter.factors.genai_names import has_pattern, names_of, written_names
from meter.factors.rows import Cell, Row, Sheet, refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import date

RANK = "150"
"""Above the bundled prices, below a user's own."""

_PER_MILLION, _PER_THOUSAND = "1000000", "1000"
_METERS = {
    "input_mtok": ("input", _PER_MILLION),
    "output_mtok": ("output", _PER_MILLION),
    "cache_read_mtok": ("cached_input", _PER_MILLION),
    "cache_write_mtok": ("cache_write", _PER_MILLION),
    "cache_write_5m_mtok": ("cache_write_5m", _PER_MILLION),
    "cache_write_1h_mtok": ("cache_write_1h", _PER_MILLION),
    "input_audio_mtok": ("input_audio", _PER_MILLION),
    "output_audio_mtok": ("output_audio", _PER_MILLION),
    "requests_kcount": ("request", _PER_THOUSAND),
}
_PROVIDERS = {"google": "gemini", "aws": "bedrock"}
"""Its names of providers that have others here."""
_LICENCE = "MIT (genai-prices)"
_EARLIER = "no batch price of earlier days is told: this one is taken for them too"


@dataclass(slots=True)
class _LeftOut:
    """What is told of the package rather than taken."""

    by_hour: int = 0
    contexts: int = 0
    units: set[str] = field(default_factory=set)
    patterns: Counter[str] = field(default_factory=Counter)  # models, by provider

    def texts(self) -> Iterator[str]:
        yield (
            f"Left out: {self.by_hour:,} prices of hours of the day, {self.contexts:,} of other "
            "circumstances than tier or batch, and the units "
            f"{', '.join(sorted(self.units)) or 'of none'}."
        )
        if self.patterns:
            each = ", ".join(f"{name} {count:,}" for name, count in sorted(self.patterns.items()))
            yield (
                "Left out too: names that genai-prices knows by a pattern alone, as of dated "
                f"versions; models that have such: {each}. The names that it writes "
                "out are taken. What lacks a price: `meter usage list --unpriced`."
            )


@dataclass(frozen=True, slots=True)
class _Offer:
    """Prices from a day on, the day before another's ``until``."""

    prices: Any
    since: date | None
    until: date | None = None
    tier: str | None = None
    detail: str | None = None


def genai_rows(providers: Iterable[Any], *, version: str, today: date) -> Sheet:
    """Prices of every provider, model, tier and context, with their dates.

    The source's date is the newest that its data names and that has come. Raises RowsError.
    """
    left = _LeftOut()
    read = list(providers)
    dates = [day for one in read for model in one.models for day in _days(model) if day <= today]
    shared: dict[str, Cell] = {
        "source": f"genai-prices {version}",
        "source_date": f"{max(dates, default=today)}",
        "licence": _LICENCE,
        "currency": "USD",
        "rank": RANK,
    }
    written = written_names(read)
    rows = tuple(
        Row({**shared, **cells}) for one in read for cells in _provider(one, written, left)
    )
    if not rows:
        raise refused("has no price of a token")
    return Sheet(rows, tuple(left.texts()))


def _provider(one: Any, written: Iterable[str], left: _LeftOut) -> Iterator[dict[str, Cell]]:
    """Prices of a provider's models, by each of their names."""
    provider = _PROVIDERS.get(one.id, one.id)
    for model, names in zip(one.models, names_of(one.models, written), strict=True):
        if has_pattern(model):
            left.patterns[provider] += 1
        prices = list(_prices(model, left))
        for name in names:
            for cells in prices:
                yield {"provider": provider, "model": name, **cells}


def _prices(model: Any, left: _LeftOut) -> Iterator[dict[str, Cell]]:
    for offer in (*_standard(model, left), *_variants(model, left)):
        for key, price in vars(offer.prices).items():
            if price is None or key.startswith("_"):
                continue
            if key not in _METERS:
                left.units.add(key)
                continue
            meter, per = _METERS[key]
            for cells in _brackets(price):
                yield {"meter": meter, "per": per, **cells, **_when(offer)}


def _brackets(price: Any) -> Iterator[dict[str, Cell]]:
    """A price by the input of the request: a tier is of all its tokens, above its start."""
    tiers = getattr(price, "tiers", None)
    if tiers is None:
        yield {"value": f"{price:f}"}
        return
    starts = [str(tier.start) for tier in tiers]
    amounts = [price.base, *(tier.price for tier in tiers)]
    for amount, over, to in zip(amounts, [None, *starts], [*starts, None], strict=True):
        bounds = {"context_over": over, "context_to": to}
        yield {"value": f"{amount:f}", **{name: told for name, told in bounds.items() if told}}


def _when(offer: _Offer) -> dict[str, Cell]:
    cells: dict[str, Cell] = {}
    if offer.tier is not None:
        cells["service_tier"] = offer.tier
    if offer.since is not None:
        cells["valid_from"] = f"{offer.since}"
    if offer.until is not None:
        cells["valid_to"] = f"{offer.until}"
    if offer.detail is not None:
        cells["detail"] = offer.detail
    return cells


def _standard(model: Any, left: _LeftOut) -> list[_Offer]:
    """Standard prices: of those that have begun the last counts, before all of them the first."""
    if not isinstance(model.prices, list):
        return [_Offer(model.prices, None)]
    dated = [one for one in model.prices if _is_dated(one)]
    left.by_hour += len(model.prices) - len(dated)
    offers = [_Offer(one.prices, _since(one)) for one in reversed(dated)]
    return _ending(_from_the_first(offers))


def _variants(model: Any, left: _LeftOut) -> list[_Offer]:
    """Prices of a tier or of batches: of those that have begun the first counts.

    A batch was cheap before the package knew it: its first price holds from where the standard
    price of that day began.
    """
    by_tier: dict[str, list[_Offer]] = {}
    for one in model.price_variants or ():
        tier = _tier(one.when)
        if tier is None or not _is_dated(one):
            left.contexts += 1
        else:
            by_tier.setdefault(tier, []).append(_Offer(one.prices, _since(one), tier=tier))
    if "batch" in by_tier:
        by_tier["batch"] = _from_the_first(by_tier["batch"], _standard_begins(model))
    return [offer for offers in by_tier.values() for offer in _ending(offers)]


def _tier(when: dict[str, str]) -> str | None:
    if when == {"processing": "batch"}:
        return "batch"
    return when["service_tier"] if set(when) == {"service_tier"} else None


def _standard_begins(model: Any) -> list[date]:
    """The days on which the standard price changed."""
    told = model.prices if isinstance(model.prices, list) else ()
    days = (_since(one) for one in told if _is_dated(one))
    return [day for day in days if day is not None]


def _from_the_first(offers: Sequence[_Offer], begins: Sequence[date] = ()) -> list[_Offer]:
    """The earliest holds from the last of some days before it, without any from ever."""
    if not offers or any(one.since is None for one in offers):
        return list(offers)
    first = min(offers, key=lambda one: str(one.since))
    since = max((day for day in begins if first.since and day <= first.since), default=None)
    moved = replace(first, since=since, detail=_EARLIER if first.tier == "batch" else None)
    return [moved if one is first else one for one in offers]


def _ending(offers: Sequence[_Offer]) -> list[_Offer]:
    """Each until one that goes before it begins; ``offers`` are those that go first, first."""
    found = []
    for index, one in enumerate(offers):
        before = [other.since for other in offers[:index]]
        if any(day is None or (one.since is not None and day <= one.since) for day in before):
            continue  # never reached
        until = min((day for day in before if day is not None), default=None)
        found.append(replace(one, until=until))
    return found


def _days(model: Any) -> Iterator[date]:
    told = model.prices if isinstance(model.prices, list) else ()
    for one in (*told, *(model.price_variants or ())):
        if _is_dated(one) and (day := _since(one)) is not None:
            yield day


def _is_dated(one: Any) -> bool:
    return one.constraint is None or hasattr(one.constraint, "start_date")


def _since(one: Any) -> date | None:
    found: date | None = getattr(one.constraint, "start_date", None)
    return found
