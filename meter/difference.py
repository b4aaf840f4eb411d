"""What differs between two documents, leaf by leaf; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

Change = dict[str, Any]
"""``path``, and ``old`` and ``new`` where there is such a value."""

_NAMES = (("id",), ("kind", "currency"), ("kind",), ("code", "device", "at"))
"""What tells the items of a list apart, the first that does so in both."""


def differences(
    old: Mapping[str, Any], new: Mapping[str, Any], *, without: frozenset[str] = frozenset()
) -> list[Change]:
    """Every value that differs, by its path; ``without`` are keys of the top that do not count.

    Items of a list are told apart by what they say that they are, not by their place.
    """
    return list(
        _of_mappings(
            {key: value for key, value in old.items() if key not in without},
            {key: value for key, value in new.items() if key not in without},
            "",
        )
    )


def _of(old: Any, new: Any, path: str) -> Iterator[Change]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        yield from _of_mappings(old, new, f"{path}.")
    elif _is_list(old) and _is_list(new):
        yield from _of_lists(old, new, path)
    elif type(old) is not type(new) or old != new:
        yield {"path": path, "old": old, "new": new}


def _of_mappings(old: Mapping[str, Any], new: Mapping[str, Any], path: str) -> Iterator[Change]:
    for key in [*old, *(key for key in new if key not in old)]:
        if key not in new:
            yield {"path": f"{path}{key}", "old": old[key]}
        elif key not in old:
            yield {"path": f"{path}{key}", "new": new[key]}
        else:
            yield from _of(old[key], new[key], f"{path}{key}")


def _of_lists(old: Sequence[Any], new: Sequence[Any], path: str) -> Iterator[Change]:
    before, after = _named(old, new)
    for name in [*before, *(name for name in after if name not in before)]:
        place = f"{path}[{name}]"
        if name not in after:
            yield {"path": place, "old": before[name]}
        elif name not in before:
            yield {"path": place, "new": after[name]}
        else:
            yield from _of(before[name], after[name], place)


def _named(old: Sequence[Any], new: Sequence[Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The items of both lists by a name that is theirs alone."""
    for keys in _NAMES:
        found = [_by(keys, old), _by(keys, new)]
        if found[0] is not None and found[1] is not None:
            return found[0], found[1]
    return dict(zip(map(str, range(len(old))), old, strict=True)), dict(
        zip(map(str, range(len(new))), new, strict=True)
    )


def _by(keys: tuple[str, ...], items: Sequence[Any]) -> dict[str, Any] | None:
    found: dict[str, Any] = {}
    for item in items:
        if not isinstance(item, Mapping) or any(key not in item for key in keys):
            return None
        name = " ".join(str(item[key]) for key in keys if item[key] is not None)
        if name in found:
            return None
        found[name] = item
    return found


def _is_list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)
