"""The configuration file: TOML, with the line of each key."""

from __future__ import annotations

import difflib
import re
import tomllib
from decimal import Decimal
from typing import TYPE_CHECKING

from meter.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

_SIZE_LIMIT_BYTES = 1 << 20
_HEADER = re.compile(r"^\s*\[(\[?)\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?$")
_ASSIGNMENT = re.compile(r"""^\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*[\w"'-]+)*)\s*=""")
_SYNTAX = re.compile(r"^(.*?) \(at (?:line (\d+), column \d+|end of document)\)$")


class Document:
    """A parsed file; keys are dotted, elements of lists as ``windows[0]``."""

    def __init__(self, path: Path, text: str, tree: dict[str, object]) -> None:
        self._path = path
        self._tree = tree
        self._lines = dict(reversed(list(_numbered_keys(text))))

    def get(self, name: str) -> object:
        """The value of a key, or None."""
        node: object = self._tree
        for part in name.split("."):
            plain, bracket, index = part.partition("[")
            node = node.get(plain) if isinstance(node, dict) else None
            if bracket and isinstance(node, list):
                node = node[int(index.rstrip("]"))]
        return node

    def where(self, name: str) -> str:
        """Key, file and line for a message; the line of the table if the key has none."""
        parts = name.split(".")
        for length in range(len(parts), 0, -1):
            line = self._lines.get(".".join(parts[:length]))
            if line:
                return f"{name} ({self._path}, line {line})"
        return f"{name} ({self._path})"

    def unknown(self, known: Sequence[str], elsewhere: Mapping[str, str | None]) -> list[str]:
        """A sentence for each key that is not among the known (lists written ``windows[]``).

        ``elsewhere`` are keys that exist but are not read from the file, with their variables.
        """
        tables = {table for known_key in known for table in _tables(known_key)}
        names = _leaves(self._tree, "", frozenset(known), frozenset(tables))
        return [
            f"{self.where(name)} is not read from the file; set {elsewhere[name]}"
            if elsewhere.get(name)
            else f"{self.where(name)} is not a known key and is ignored{_nearest(name, known)}"
            for name in names
        ]


def read(path: Path, *, must_exist: bool) -> Document | None:
    """Parses the file; None if there is none. Raises ConfigError."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        if must_exist:
            raise ConfigError(
                f"METER_CONFIG names {path}, which does not exist", "write it or unset METER_CONFIG"
            ) from None
        return None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"{path} cannot be read ({reason})", "check its permissions") from None
    return _parse(path, raw)


def _parse(path: Path, raw: bytes) -> Document:
    if len(raw) > _SIZE_LIMIT_BYTES:
        raise ConfigError(f"{path} is larger than {_SIZE_LIMIT_BYTES} bytes", "shorten it")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}, line {line} is not UTF-8", "save it as UTF-8") from None
    try:
        tree = tomllib.loads(text, parse_float=Decimal)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise _syntax_error(path, text, str(error)) from None
    return Document(path, text, tree)


def _syntax_error(path: Path, text: str, said: str) -> ConfigError:
    match = _SYNTAX.match(said)
    line = int(match[2]) if match and match[2] else max(1, len(text.splitlines()))
    content = text.splitlines()[line - 1].strip() if text.splitlines() else ""
    key = re.match(r"[\w.-]+", content)
    place = f"{key[0]} ({path}, line {line})" if key else f"{path}, line {line}"
    reason = match[1] if match else said
    reason = reason[:1].lower() + reason[1:]
    return ConfigError(
        f"{place} is not TOML: {reason}",
        "text goes in quotes, numbers and true/false without",
    )


def _numbered_keys(text: str) -> Iterator[tuple[str, int]]:
    """Each key as written, with its line; good enough for messages, not a parser."""
    table, counts = "", dict[str, int]()
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            table = _plain(header[2])
            if header[1]:
                index = counts.get(table, 0)
                counts[table] = index + 1
                yield table, number
                table = f"{table}[{index}]"
            yield table, number
        elif assignment := _ASSIGNMENT.match(line):
            key = _plain(assignment[1])
            yield (f"{table}.{key}" if table else key), number


def _plain(key: str) -> str:
    return ".".join(part.strip().strip("\"'") for part in key.split("."))


def _tables(key: str) -> Iterator[str]:
    """``market.instruments[].share``: the tables ``market`` and ``market.instruments[]``."""
    parts = key.split(".")
    for length in range(1, len(parts)):
        yield ".".join(parts[:length])


def _leaves(
    node: dict[str, object], prefix: str, known: frozenset[str], tables: frozenset[str]
) -> Iterator[str]:
    """Names of unknown keys; an unknown table is named once, not key by key."""
    for key, value in node.items():
        name = f"{prefix}{key}"
        pattern = re.sub(r"\[\d+\]", "[]", name)
        if pattern in known:
            continue
        if isinstance(value, dict) and pattern in tables:
            yield from _leaves(value, f"{name}.", known, tables)
        elif isinstance(value, list) and f"{pattern}[]" in tables:
            for index, item in enumerate(value):
                if isinstance(item, dict):
                    yield from _leaves(item, f"{name}[{index}].", known, tables)
        else:
            yield name


def _nearest(name: str, known: Sequence[str]) -> str:
    pattern = re.sub(r"\[\d+\]", "[]", name)
    close = difflib.get_close_matches(pattern, known, 1, 0.6)
    if not close:  # the right word in the wrong table
        last = pattern.rpartition(".")[2]
        close = [key for key in known if key.rpartition(".")[2] == last][:1]
    return f"; did you mean {close[0]}?" if close else ""
