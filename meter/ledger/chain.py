"""The audit chain: the canonical text of rows, and the hashes over them; pure.

A row is one line of JSON: the table's name, then the values in the table's order of columns,
without the nulls at their end.
Numbers are digits, decimals strings with the column's places, instants strings in UTC to the µs.
A batch's content is its lines, sorted by their UTF-8 bytes, each with a line feed at its end.
``docs/audit.md`` tells how a third party computes the same from the file.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from itertools import repeat
from typing import TYPE_CHECKING, Any

from meter.decimals import decimal_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

BEGIN_SHA256 = "0" * 64
"""What the first batch and the first statement name as the one before them."""

CHAINED = (
    *("charge", "device", "factor", "hold", "hosted_energy", "hosted_job", "interval", "mark"),
    *("node", "notice", "price", "query_set", "run", "run_budget", "run_link", "run_state"),
    *("site", "statement", "usage_event"),
)
"""Tables of facts; each has ``seq``, the commit that brought a row, and ``audit/<table>.sql``."""

LEFT_OUT = {
    "batch": "it is the chain",
    "counter": "superseded; see docs/adr/0002",
    "device_use": "expires",
    "factor_hour": "made again from factor and interval, and compared: see hours.py",
    "last_commit": "one row that changes",
    "reading": "expires",
    "schema_version": "says how facts are stored, not what they are",
}
"""Tables that no batch covers, and why."""

_DECIMAL = re.compile(r"DECIMAL\(\d+, ?(\d+)\)")
_AT_ONCE = 500  # rows
_JSON = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
_ROWS = json.JSONEncoder(separators=("\n", ":"), ensure_ascii=False, allow_nan=False)


@dataclass(frozen=True, slots=True)
class Form:
    """How the rows of a table are written."""

    table: str
    columns: tuple[str, ...]
    special: tuple[tuple[int, Decimal | None], ...]
    """Places of instants, and of decimals with the unit of their last place."""

    @classmethod
    def of(cls, table: str, columns: Mapping[str, str]) -> Form:
        """Form of a table with columns of these types."""
        special: list[tuple[int, Decimal | None]] = []
        for place, kind in enumerate(columns.values()):
            if decimal := _DECIMAL.match(kind):
                special.append((place, Decimal(1).scaleb(-int(decimal[1]))))
            elif kind == "TIMESTAMP":
                special.append((place, None))
        return cls(table, tuple(columns), tuple(special))

    def line(self, row: Sequence[object]) -> bytes:
        """Canonical text of a row, as stored or as it is about to be, without a line feed.

        Nulls at its end are left out: a column that is added later changes no line of before.
        """
        return canonical([self.table, *self._values(row)])

    def lines(self, rows: Sequence[Sequence[object]]) -> list[bytes]:
        """Canonical texts of many rows, the same as :meth:`line` makes of each; values are plain.

        A column is brought to its form at once, and the rows are encoded at once: between values
        and rows stand control characters, which JSON has nowhere else.
        """
        return [line for part in _parts(rows) for line in self._text(part).encode().split(b"\r")]

    def _text(self, rows: Sequence[Sequence[object]]) -> str:
        """Canonical texts of rows, parted by carriage returns."""
        columns: list[Iterable[object]] = [repeat(self.table), *zip(*rows, strict=True)]
        for place, step in self.special:
            columns[place + 1] = _plain_column(columns[place + 1], step)
        values: list[Sequence[object]] = list(zip(*columns, strict=False))
        if any(row[-1] is None for row in values):
            values = [_without_end(row) for row in values]
        return _ROWS.encode(values)[1:-1].replace("]\n[", "]\r[").replace("\n", ",")

    def named(self, row: Sequence[object]) -> dict[str, object]:
        """Canonical values of a row by their columns."""
        return dict(zip(self.columns, self._values(row), strict=False))

    def _values(self, row: Sequence[object]) -> list[object]:
        values = list(row)
        for place, step in self.special:
            if values[place] is not None:
                values[place] = _plain(values[place], step)
        return _without_end(values)


def canonical(value: object) -> bytes:
    """JSON in one form: UTF-8, keys sorted, no spaces; a float is its shortest decimal.

    Raises ValueError on NaN.
    """
    return _JSON.encode(value).encode()


def sha256(content: bytes) -> str:
    """SHA-256 in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def _parts(rows: Sequence[Sequence[object]]) -> Iterator[Sequence[Sequence[object]]]:
    """Rows in parts whose text is small."""
    return (rows[start : start + _AT_ONCE] for start in range(0, len(rows), _AT_ONCE))


def _without_end(values: Sequence[object]) -> list[object]:
    """The values without the nulls at their end."""
    kept = list(values)
    while kept and kept[-1] is None:
        kept.pop()
    return kept


def _plain_column(values: Iterable[Any], step: Decimal | None) -> Iterator[str | None]:
    """Canonical values of a column; what is equal in it is written once."""
    read = tuple(values)
    zeros = "" if step is None else f"{0 * step:f}"[1:]
    texts = {
        value: f"{value}{zeros}" if type(value) is int else _plain(value, step)
        for value in set(read)
        if value is not None
    }
    return map(texts.get, read)


def _plain(value: Any, step: Decimal | None) -> str:
    if step is None:
        return instant(value)
    return decimal_text(Decimal(value), step)


@lru_cache(maxsize=256)  # the rows of a commit share most of their instants
def instant(at: datetime) -> str:
    """RFC 3339 in UTC, to the µs."""
    return f"{at.isoformat(timespec='microseconds')}Z"


def content_sha256(lines: Iterable[bytes]) -> str:
    """Hash over the lines of a batch, in whatever order they come."""
    return sha256(b"\n".join([*sorted(lines), b""]))


@dataclass(frozen=True, slots=True)
class Batch:
    """A link of the chain."""

    seq: int
    node_id: str
    row_count: int
    content_sha256: str
    previous_sha256: str
    recorded: datetime

    @property
    def sha256(self) -> str:
        """Hash over the link, and so over all before it."""
        return sha256(canonical(["batch", *self._said(), instant(self.recorded)]))

    def row(self) -> tuple[object, ...]:
        """Row of ``batch``."""
        return (*self._said(), self.sha256, self.recorded)

    def _said(self) -> tuple[object, ...]:
        return (
            self.seq,
            self.node_id,
            self.row_count,
            self.content_sha256,
            self.previous_sha256,
        )


@dataclass(slots=True)
class Content:
    """The rows that a commit brings, as they come."""

    forms: Mapping[str, Form]
    lines: list[bytes] = field(default_factory=list)

    def add(self, table: str, rows: Sequence[Sequence[object]]) -> None:
        """Take rows of a table; of one that is left out, none."""
        if (form := self.forms.get(table)) is not None:
            self.lines += form.lines(rows)
