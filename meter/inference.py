"""Energy of inference, estimated from output tokens by factor rows; pure, exact.

Facility energy in J between bounds, which are products of bounds. It is modelled, never measured,
and in no sum: the reader is told what it leaves out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from meter.model import FactorKind
from meter.units import MJ_PER_J

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from meter.model import Factor

TIER = "output_tokens"
"""The evidence of every estimate here."""
KINDS = (FactorKind.TOKEN_ENERGY, FactorKind.REQUEST_ENERGY, FactorKind.PUE)
"""Kinds of the rows that estimates stand on."""

_OF_INFERENCE = "inference"  # item of a provider's PUE that is of its inference alone
_ZERO = Fraction(0)


@dataclass(frozen=True, slots=True)
class Output:
    """What a model put out in one UTC day, for one project, region and service tier."""

    project: str
    provider: str
    model: str
    base_model: str | None
    region: str | None
    service_tier: str | None
    day_us: int
    tokens: Decimal
    events: int


@dataclass(frozen=True, slots=True)
class Books:
    """Rows that stand, those of one thing together, the best evidence and the newest first."""

    rows: Mapping[tuple[FactorKind, str, str | None], Sequence[Factor]]

    @classmethod
    def of(cls, rows: Iterable[Factor]) -> Books:
        """The books of rows that are neither superseded nor withdrawn."""
        found: dict[tuple[FactorKind, str, str | None], list[Factor]] = {}
        for row in sorted(rows, key=lambda one: (-one.rank, -one.recorded_us, one.id)):
            if row.value is not None and row.kind in KINDS and row.scope.startswith("hosted:"):
                found.setdefault((row.kind, row.scope, row.item), []).append(row)
        return cls(found)

    @property
    def tell(self) -> bool:
        """Whether the energy of any model's token is known."""
        return any(kind is FactorKind.TOKEN_ENERGY for kind, _, _ in self.rows)

    def find(self, kind: FactorKind, provider: str, item: str | None, at_us: int) -> Factor | None:
        """The row that holds at an instant."""
        rows = self.rows.get((kind, f"hosted:{provider}", item), ())
        return next((row for row in rows if _holds(row, at_us)), None)


@dataclass(frozen=True, slots=True)
class _Known:
    """The rows of a model on a day, and whose name found them."""

    name: str
    token: Factor
    request: Factor | None
    pue: Factor

    @property
    def factors(self) -> list[Factor]:
        return [row for row in (self.token, self.request, self.pue) if row is not None]

    def joules(self, output: Output, end: str) -> Fraction:
        """One bound of a day's energy: tokens and waits, times the facility's."""
        tokens = Fraction(output.tokens) * _end(self.token, end)
        waits = output.events * _end(self.request, end) if self.request else _ZERO
        return (tokens + waits) * _end(self.pue, end)


def estimates(outputs: Iterable[Output], books: Books) -> list[dict[str, Any]]:
    """An estimate for each project, model, region and service tier, in the order given.

    ``low_j`` and ``high_j`` are None where nothing is known of a model: ``reason`` says what.
    """
    groups: dict[tuple[str | None, ...], list[Output]] = {}
    for one in outputs:
        key = (one.project, one.provider, one.model, one.region, one.service_tier)
        groups.setdefault(key, []).append(one)
    return [_estimate(days, books) for days in groups.values()]


def _estimate(days: Sequence[Output], books: Books) -> dict[str, Any]:
    found = [_known(one, books) for one in days]
    known = [one for one in found if isinstance(one, _Known)]
    missing = [one for one in found if isinstance(one, str)]
    first, tokens = days[0], sum((one.tokens for one in days), Decimal(0))
    told = {
        "project": first.project,
        "provider": first.provider,
        "model": first.model,
        "region": first.region,
        "service_tier": first.service_tier,
        "tier": TIER,
        "method": "modelled",
    }
    inputs = {"output_tokens": _plain(tokens), "events": str(sum(one.events for one in days))}
    if missing:
        return {**told, "low_j": None, "high_j": None, "reason": f"No number: {missing[0]}.",
                "inputs": inputs, "factors": []}  # fmt: skip
    low, high = (
        sum((each.joules(day, end) for each, day in zip(known, days, strict=True)), _ZERO)
        for end in ("low", "high")
    )
    return {
        **told,
        "low_j": math.floor(low * MJ_PER_J) / MJ_PER_J,
        "high_j": math.ceil(high * MJ_PER_J) / MJ_PER_J,
        "reason": _reason(first, known[0]),
        "inputs": {
            **inputs,
            "token_j": _spans(one.token for one in known),
            "request_j": _spans(one.request for one in known if one.request),
            "pue": _spans(one.pue for one in known),
        },
        "factors": sorted({row.id for one in known for row in one.factors}),
    }


def _known(output: Output, books: Books) -> _Known | str:
    """The rows of a model, else of its base, which is as large; or what is missing."""
    provider, at_us = output.provider, output.day_us
    pue = books.find(FactorKind.PUE, provider, _OF_INFERENCE, at_us) or books.find(
        FactorKind.PUE, provider, None, at_us
    )
    names = [name for name in (output.model, output.base_model) if name]
    for name in names:
        token = books.find(FactorKind.TOKEN_ENERGY, provider, name, at_us)
        if token is not None:
            if pue is None:
                return f"the books lack the PUE of {provider}"
            request = books.find(FactorKind.REQUEST_ENERGY, provider, name, at_us)
            return _Known(name, token, request, pue)
    return f"the books have no energy of a token of {provider} {' or '.join(names)}"


def _reason(output: Output, known: _Known) -> str:
    what = "" if known.name == output.model else f", as of {known.name}, which it was tuned from"
    return (
        f"Modelled by {known.token.source}: only output tokens count{what}; what input, caches and "
        "idle servers use is not in it."
    )


def _holds(row: Factor, at_us: int) -> bool:
    begun = row.valid_from_us is None or row.valid_from_us <= at_us
    return begun and (row.valid_to_us is None or at_us < row.valid_to_us)


def _end(row: Factor, end: str) -> Fraction:
    """A bound of a row; the value of one that has none."""
    told = row.low if end == "low" else row.high
    return Fraction(row.value or 0) if told is None else Fraction(told)


def _spans(rows: Iterable[Factor]) -> str:
    """From the least to the most of rows: ``0.19 to 0.23``, ``0`` of none."""
    found = list(rows)
    low = min((row.low or Decimal(0) for row in found), default=Decimal(0))
    high = max((row.high or Decimal(0) for row in found), default=Decimal(0))
    return _plain(low) if low == high else f"{_plain(low)} to {_plain(high)}"


def _plain(number: Decimal) -> str:
    return f"{number.normalize():f}"
