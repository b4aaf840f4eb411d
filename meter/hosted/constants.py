"""What estimates of hosted training stand on: bands with the factor rows that state them; pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

from meter.model import FactorKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from meter.model import Factor

_ANYBODY = "hosted:any"
_KINDS = frozenset({
    FactorKind.GPU_POWER, FactorKind.GPU_COMPUTE, FactorKind.NODE_POWER, FactorKind.SERVER_RATIO,
    FactorKind.GPU_LOAD, FactorKind.MFU, FactorKind.TRAINING_FLOP, FactorKind.MODEL_PARAMETERS,
    FactorKind.PUE,
})  # fmt: skip
_Key = tuple[FactorKind, str, str | None]


@dataclass(frozen=True, slots=True)
class Band:
    """A number between bounds; ``factor_id`` is the row that states it, None of what a job told.

    ``year`` is that of its source.
    """

    low: Fraction
    mid: Fraction
    high: Fraction
    factor_id: str | None = None
    year: int | None = None

    @property
    def text(self) -> str:
        """As it is told: ``20 to 70``."""
        low, high = short(self.low), short(self.high)
        return low if low == high else f"{low} to {high}"


@dataclass(frozen=True, slots=True)
class Board:
    """A kind of GPU: its power at the limit (W), its peak (TFLOP/s), the server around it (W)."""

    name: str
    watts: Band
    teraflops: Band | None
    server_ratio: Band | None
    node_watts: Band | None


@dataclass(frozen=True, slots=True)
class Constants:
    """Bands by kind, scope and item; a provider's own go before those of anybody."""

    bands: Mapping[_Key, Band]

    def find(self, kind: FactorKind, provider: str, item: str | None = None) -> Band | None:
        """The band of a kind at a provider."""
        for scope in (f"hosted:{provider}", _ANYBODY, "world"):
            if (found := self.bands.get((kind, scope, item))) is not None:
                return found
        return None

    def items(self, kind: FactorKind) -> list[str]:
        """What rows of a kind are about, sorted."""
        return sorted({item for each, _, item in self.bands if each is kind and item})

    def board(self, name: str, provider: str) -> Board | None:
        """The board that a provider's word means: of the longest item that is whole words of it."""
        item = _longest(self.items(FactorKind.GPU_POWER), name)
        watts = self.find(FactorKind.GPU_POWER, provider, item) if item else None
        if item is None or watts is None:
            return None
        compute = _longest(self.items(FactorKind.GPU_COMPUTE), name)
        ratio = _longest(self.items(FactorKind.SERVER_RATIO), name)
        nodes = [
            node for node in self.items(FactorKind.NODE_POWER) if within(node.split()[-1], name)
        ]
        return Board(
            name=item,
            watts=watts,
            teraflops=self.find(FactorKind.GPU_COMPUTE, provider, compute) if compute else None,
            server_ratio=self.find(FactorKind.SERVER_RATIO, provider, ratio),
            node_watts=self.find(FactorKind.NODE_POWER, provider, nodes[0]) if nodes else None,
        )

    def usual_boards(self, provider: str, year: int) -> tuple[Board, ...]:
        """The boards that a provider may have trained on in a year, all of them if none was out.

        Those with a server of their own in the books, from the year that it came out.
        """
        named = (self.board(item, provider) for item in self.items(FactorKind.SERVER_RATIO))
        boards = tuple(board for board in named if board is not None)
        out = tuple(board for board in boards if _year(board) <= year)
        return out or boards


def constants_of(rows: Iterable[Factor], at_us: int | None = None) -> Constants:
    """The constants that factor rows state: of each thing the highest rank, of these the newest.

    With ``at_us`` only rows that hold then; other kinds are left out. Withdrawn rows take back
    those of their own book and rank.
    """
    newest: dict[tuple[object, ...], Factor] = {}
    for row in sorted(rows, key=lambda one: (one.recorded_us, one.id)):
        if row.kind in _KINDS and (at_us is None or _holds(row, at_us)):
            newest[row.kind, row.scope, row.item, row.book, row.rank] = row
    bands: dict[_Key, Band] = {}
    for row in sorted(newest.values(), key=lambda one: (one.rank, one.recorded_us, one.id)):
        if (band := band_of(row)) is not None:
            bands[row.kind, row.scope, row.item] = band
    return Constants(bands)


def band_of(row: Factor) -> Band | None:
    """A factor row's band; None of one without a value."""
    if row.value is None or row.low is None or row.high is None:
        return None
    year = re.match(r"\d{4}", row.source_date or "")
    return Band(
        Fraction(row.low), Fraction(row.value), Fraction(row.high), row.id,
        int(year[0]) if year else None,
    )  # fmt: skip


def within(item: str, name: str) -> bool:
    """Whether an item is whole words of a name: ``A10`` is no A100."""
    words = rf"(?<![A-Za-z0-9]){re.escape(item)}(?![A-Za-z0-9])"
    return re.search(words, name, re.IGNORECASE) is not None


def short(number: Fraction) -> str:
    """A number with at most four decimals, for people."""
    return f"{(Decimal(round(number * 10_000)) / 10_000).normalize():f}"


def _holds(row: Factor, at_us: int) -> bool:
    begun = row.valid_from_us is None or row.valid_from_us <= at_us
    return begun and (row.valid_to_us is None or at_us < row.valid_to_us)


def _longest(items: Iterable[str], name: str) -> str | None:
    return max((one for one in items if within(one, name)), key=len, default=None)


def _year(board: Board) -> int:
    """When a board was there at the latest: a row of one's own may have a newer source."""
    rows = (board.server_ratio, board.watts)
    return min((row.year for row in rows if row is not None and row.year), default=0)
