"""What every provider of live intensity is to the agent, and how answers are read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Protocol

from meter.errors import ASKED_AGAIN, FeedError
from meter.factors.units import QUANTITIES
from meter.units import US_PER_S

if TYPE_CHECKING:
    from meter.model import FactorKind

_NINE = Decimal("1E-9")
_WORD_LIMIT = 60
_MOST_POWER = 40  # of ten: what is beyond is no intensity, and no arithmetic is done with it
_LAST_US = 4_102_444_800 * US_PER_S  # the year 2100


@dataclass(frozen=True, slots=True)
class About:
    """What is true of every row of a feed."""

    book: str
    name: str
    zone: str
    kind: FactorKind
    basis: str
    licence: str
    detail: str = ""

    @property
    def source(self) -> str:
        """The provider and the zone, as a factor's source."""
        return f"{self.name}, zone {self.zone}"


@dataclass(frozen=True, slots=True)
class Point:
    """The intensity of [start, end) in g/kWh; ``state`` is what the provider says of it."""

    start_us: int
    end_us: int
    value: Decimal
    state: str = ""


class Feed(Protocol):
    """A provider of live intensity; every method raises FeedError and nothing else."""

    @property
    def about(self) -> About:
        """What is true of all it gives."""

    def fetch(self, now_us: int) -> list[Point]:
        """The newest, the present included where it is known."""

    def past(self, from_us: int, to_us: int) -> list[Point]:
        """What is known today of a time that is over."""


def entries(answer: object, name: str, who: str) -> list[dict[str, object]]:
    """A list of objects under a name of an answer; raises FeedError if it is none."""
    found = answer.get(name) if isinstance(answer, dict) else None
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        raise FeedError(f"{who} answers without a list {name!r}", ASKED_AGAIN)
    return found


def instant_us(found: object, who: str) -> int:
    """UTC µs of a text; without an offset it is UTC. Raises FeedError."""
    try:
        at = datetime.fromisoformat(found) if isinstance(found, str) else None
    except ValueError:
        at = None
    if at is None:
        raise FeedError(f"{who} gives a time that is none", ASKED_AGAIN)
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    at_us = round(at.timestamp() * 1_000) * (US_PER_S // 1_000)
    if not 0 <= at_us < _LAST_US:
        raise FeedError(f"{who} gives a time in another century", ASKED_AGAIN)
    return at_us


def iso(at_us: int) -> str:
    """An instant as providers take it, to the minute."""
    return datetime.fromtimestamp(at_us // US_PER_S, UTC).strftime("%Y-%m-%dT%H:%MZ")


def iso_seconds(at_us: int) -> str:
    """An instant as providers take it, to the second."""
    return datetime.fromtimestamp(at_us // US_PER_S, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def grams(found: object, unit: str, about: About, at_us: int) -> Decimal | None:
    """A value in g/kWh; None of nothing. Raises FeedError for no number or an absurd one."""
    if found is None:
        return None
    if isinstance(found, bool) or not isinstance(found, int | Decimal):
        raise FeedError(f"{about.name} gives an intensity that is no number", ASKED_AGAIN)
    if isinstance(found, Decimal) and abs(found.adjusted()) > _MOST_POWER:
        raise FeedError(f"{about.name} gives an intensity of {found:.1E}", ASKED_AGAIN)
    quantity = QUANTITIES[about.kind]
    value = found * quantity.units[unit]
    if not quantity.least <= value <= quantity.most:
        raise FeedError(
            f"{about.name} gives {value:.6g} {quantity.unit} for {iso(at_us)}, which cannot be",
            f"nothing of that answer is used; it is to be from {quantity.least} to {quantity.most}",
        )
    if 0 < value < 1 and "life-cycle" in about.basis:
        raise FeedError(
            f"{about.name} gives {value:.6g} {quantity.unit} for {iso(at_us)}, which no grid has"
            " with all that it is made of",
            "nothing of that answer is used; it looks like kg/kWh",
        )
    return value.quantize(_NINE)


def word(found: object) -> str:
    """A provider's own word for how it came to a value, if it is one; else nothing."""
    if not isinstance(found, str) or not 0 < len(found) <= _WORD_LIMIT:
        return ""
    return found if all(c.isascii() and (c.isalnum() or c in "_- .") for c in found) else ""


def steps(from_us: int, to_us: int, longest_us: int) -> list[tuple[int, int]]:
    """A time in parts that a provider gives at once."""
    return [(start, min(start + longest_us, to_us)) for start in range(from_us, to_us, longest_us)]
