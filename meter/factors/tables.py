"""CSV and YAML as rows with their lines; pure: text in, rows out, nothing of it is checked."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from meter.factors.rows import CELL_CHARS, FORM, ROWS, Cell, Row, refused
from meter.faults import shown
from meter.tables import first_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    import yaml

_DEEPEST = 20
_NULL = "tag:yaml.org,2002:null"
_YAML_BYTES = 2 << 20  # a slow format: more is for CSV
_DEFAULTS = "defaults"
_SUFFIXES = {".csv": True, ".tsv": True, ".yaml": False, ".yml": False, ".json": False}
_MAPPING = re.compile(r"\s*[\w\"']+\s*:(\s|$)")


def text_of(content: bytes) -> str:
    """A file's text. Raises RowsError for what is too large, or is no UTF-8."""
    return FORM.text_of(content)


def is_csv(text: str, suffix: str = "") -> bool:
    """Whether a text is a table rather than YAML or JSON.

    The name's suffix tells it; else that the first line has several cells, and no ``name:`` first.
    """
    if suffix.lower() in _SUFFIXES:
        return _SUFFIXES[suffix.lower()]
    head = first_line(text)
    if head.lstrip().startswith(("{", "[", "-")) or _MAPPING.match(head):
        return False
    return any(c in head for c in ",;\t")


def header_of(text: str) -> tuple[int, list[str]]:
    """The line of a table's header, and the names of its columns."""
    return FORM.header_of(text)


def csv_rows(text: str) -> list[Row]:
    """A table's rows. Raises RowsError for what is no table."""
    return [Row(cells, line) for line, cells in FORM.rows_of(text)]


def yaml_rows(text: str, key: str) -> list[Row]:
    """Rows of YAML or JSON: a list of mappings, by itself or under ``key``.

    ``defaults`` beside it holds what each row has unless it says otherwise. Scalars are taken as
    they are written, so that no number is rounded. Raises RowsError.
    """
    import yaml  # noqa: PLC0415 - only YAML pays for it

    if len(text.encode()) > _YAML_BYTES:
        raise refused(f"has more than {_YAML_BYTES:,} bytes of YAML: write it as CSV")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        _refuse_depth(yaml.parse(text, Loader=loader))
        root = yaml.compose(text, Loader=loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        reason = getattr(error, "problem", None) or "cannot be read"
        raise refused(f"is no YAML ({reason})", mark.line + 1 if mark else None) from None
    except RecursionError:
        raise refused("is nested too deeply") from None
    if root is None:
        raise refused("has no rows")
    return _Nodes().rows(root, key)


def _refuse_depth(events: Iterable[yaml.Event]) -> None:
    """Composing recurses in the parser's own stack, which ends the process when it is full."""
    import yaml  # noqa: PLC0415 - only YAML pays for it

    depth = 0
    for event in events:
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _DEEPEST:
                raise refused("is nested too deeply", event.start_mark.line + 1)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


class _Nodes:
    """Reads composed nodes; one that is met twice is an alias, which rows do not need."""

    def __init__(self) -> None:
        self._seen: set[int] = set()

    def rows(self, root: yaml.Node, key: str) -> list[Row]:
        """Rows of a document."""
        defaults: Row | None = None
        if root.id == "mapping":
            parts = self._pairs(root)
            for name, node in parts.items():
                if name not in {key, _DEFAULTS}:
                    raise refused(f"{shown(name)} is not known here: name {key}", _line(node))
            if key not in parts:
                raise refused(f"has no list of {key}", _line(root))
            if _DEFAULTS in parts:
                defaults = self._row(parts[_DEFAULTS])
            root = parts[key]
        if root.id != "sequence":
            raise refused(f"{key} must be a list of rows", _line(root))
        if len(root.value) > ROWS:
            raise refused(f"has more than {ROWS:,} rows: split it")
        rows = [self._row(node) for node in root.value]
        if not rows:
            raise refused("has no rows")
        if defaults is None:
            return rows
        return [
            Row({**defaults.cells, **row.cells}, row.line, {**defaults.lines, **row.lines})
            for row in rows
        ]

    def _row(self, node: yaml.Node) -> Row:
        if node.id != "mapping":
            raise refused("a row must be a mapping of columns", _line(node))
        cells: dict[str, Cell] = {}
        lines: dict[str, int] = {}
        for name, value in self._pairs(node).items():
            lines[name] = _line(value)
            if value.id == "mapping":
                cells[name] = {
                    inner: self._plain(part) for inner, part in self._pairs(value).items()
                }
            elif value.id != "scalar":
                raise refused("must be one value", _line(value), name)
            elif value.tag != _NULL and value.value.strip():
                if len(value.value) > CELL_CHARS:
                    raise refused(f"has more than {CELL_CHARS:,} characters", _line(value), name)
                cells[name] = value.value.strip()
        return Row(cells, _line(node), lines)

    def _plain(self, node: yaml.Node) -> object:
        """What stands inside the windows of a tariff."""
        if node.id == "scalar":
            return node.value
        if node.id == "sequence":
            self._once(node)
            return [self._plain(one) for one in node.value]
        return {name: self._plain(one) for name, one in self._pairs(node).items()}

    def _pairs(self, node: yaml.Node) -> dict[str, yaml.Node]:
        self._once(node)
        found: dict[str, yaml.Node] = {}
        for key, value in node.value:
            if key.id != "scalar":
                raise refused("a name must be text", _line(key))
            if key.value in found:
                raise refused("stands twice in one row", _line(key), key.value)
            found[key.value] = value
        return found

    def _once(self, node: yaml.Node) -> None:
        if id(node) in self._seen:
            raise refused("has an alias (*name): write each row out, or use defaults", _line(node))
        self._seen.add(id(node))


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
