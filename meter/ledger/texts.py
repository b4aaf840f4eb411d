"""The SQL texts of ``queries/``: found, read, and joined with the lines that they stand on."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from meter.errors import LedgerError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from importlib.resources.abc import Traversable

_HEADER = re.compile(r"^--\s+(param|with|column)\s+(\w+)(?:\s+([^:]+?))?\s*(?::\s*(.*))?$")

_ONCE = re.compile(r"^--\s+once\s+(\w+)$", re.MULTILINE)
"""A line that is to be computed once for all that stands on it: less memory, if not less time."""


@dataclass(frozen=True, slots=True)
class Text:
    """One query: its SQL, ready to run, and what its header declares."""

    name: str
    row: str  # what one row is
    sql: str
    params: dict[str, str]  # name -> type
    columns: dict[str, str]
    lines: tuple[str, ...]  # the lines joined in front, in order


def folder() -> Traversable:
    """Folder of the queries: inside an installed package, else beside the package."""
    package = files("meter")
    inside = package / "queries"
    return inside if inside.is_dir() else package / ".." / "queries"


class Library:
    """Query texts by their names: the given ones, or the package's; it knows which were used."""

    def __init__(self, sources: Mapping[str, str] | None = None) -> None:
        self._sources = sources
        self._used: dict[str, str] = {}
        self._built: dict[str, Text] = {}

    def load(self, name: str) -> Text:
        """Like :func:`load`, of these texts."""
        if name not in self._built:
            self._built[name] = _build(name, self._source)
        return self._built[name]

    def used(self) -> dict[str, str]:
        """The texts that were used until now, by their names, lines too."""
        return dict(sorted(self._used.items()))

    def _source(self, name: str) -> str:
        if self._sources is None:
            source = _read(name)
        elif (found := self._sources.get(name)) is not None:
            source = found
        else:
            raise LedgerError(
                f"the texts given have no query named {name!r}",
                "use the version of meter that they come from",
            )
        self._used[name] = source
        return source


@cache
def load(name: str) -> Text:
    """Query ``queries/<name>.sql`` with its lines joined in front as common table expressions.

    Raises LedgerError when there is no such query.
    """
    return _build(name, _read)


def _build(name: str, read: Callable[[str], str]) -> Text:
    source = read(name)
    params, columns, needs = _header(source)
    order: list[str] = []
    for need in needs:
        _require(need, order, read)
    texts = {line: read(f"lines/{line}") for line in order}
    once = {name for text in (source, *texts.values()) for name in _ONCE.findall(text)}
    expressions = []
    for line, text in texts.items():
        params = {**_header(text)[0], **params}
        kept = "MATERIALIZED " if line in once else ""
        expressions.append(f"{line} AS {kept}(\n{text.rstrip()}\n)")
    prefix = "WITH " + ",\n".join(expressions) + "\n" if expressions else ""
    return Text(name, _first_line(source), prefix + source, params, columns, tuple(order))


def _require(line: str, order: list[str], read: Callable[[str], str]) -> None:
    if line in order:
        return
    for need in _header(read(f"lines/{line}"))[2]:
        _require(need, order, read)
    order.append(line)


def _read(name: str) -> str:
    path = folder() / f"{name}.sql"
    if not path.is_file():
        raise LedgerError(f"there is no query named {name!r}", "reinstall: a file is missing")
    return path.read_text(encoding="utf-8")


def _first_line(source: str) -> str:
    return source.splitlines()[0].removeprefix("--").strip()


def _header(source: str) -> tuple[dict[str, str], dict[str, str], list[str]]:
    params: dict[str, str] = {}
    columns: dict[str, str] = {}
    needs: list[str] = []
    for line in source.splitlines():
        if not line.startswith("--"):
            break
        if (match := _HEADER.match(line)) is None:
            continue
        what, name, kind = match.group(1), match.group(2), (match.group(3) or "").strip()
        if what == "param":
            params[name] = kind
        elif what == "column":
            columns[name] = kind
        else:
            needs.append(name)
    return params, columns, needs
