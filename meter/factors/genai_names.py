"""Under which names a provider's models are asked, by the patterns of genai-prices; pure.

The package finds a model by patterns, of which a book of exact names can hold no more than what
is written out. A name that it writes anywhere has the model that its provider finds first by it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_DATED = re.compile(r"-\d{4}-?\d{2}-?\d{2}$")


def written_names(providers: Iterable[Any]) -> frozenset[str]:
    """Every name that the package writes out: ids, names that patterns equal, dated versions."""
    models = [model for one in providers for model in one.models]
    return frozenset(
        name for model in models for name in (model.id, *_exact(model.match), *_dated(model.match))
    )


def names_of(models: Sequence[Any], written: Iterable[str]) -> list[list[str]]:
    """The names of each of a provider's models, in the order of the models.

    An id that the provider finds nothing by is its model's.
    """
    ids = {model.id: index for index, model in reversed(list(enumerate(models)))}
    exact: dict[str, int] = {}
    for index, model in enumerate(models):
        for name in _exact(model.match):
            exact.setdefault(name.lower(), index)
    patterns = [
        (index, clause)
        for index, model in enumerate(models)
        for clause in _clauses(model.match)
        if not hasattr(clause, "equals")
    ]
    found: dict[int, list[str]] = defaultdict(list)
    for name in written:
        first = _first(name.lower(), exact, patterns)
        named = ids.get(name) if first is None else first
        if named is not None:
            found[named].append(name)
    return [sorted(found[index]) for index in range(len(models))]


def has_pattern(model: Any) -> bool:
    """Whether a model has more names than could be written out."""
    return not all(hasattr(clause, "equals") for clause in _clauses(model.match))


def _first(
    name: str, exact: Mapping[str, int], patterns: Sequence[tuple[int, Any]]
) -> int | None:  # fmt: skip
    """The first model that a name in small letters finds, as the package looks for it."""
    by_pattern = next((index for index, clause in patterns if _matches(clause, name)), None)
    found = [index for index in (exact.get(name), by_pattern) if index is not None]
    return min(found, default=None)


def _exact(match: Any) -> Iterator[str]:
    for clause in _clauses(match):
        if hasattr(clause, "equals"):
            yield clause.equals


def _dated(match: Any) -> Iterator[str]:
    """Beginnings of names that end with a date: that is a whole name."""
    for clause in _clauses(match):
        if _DATED.search(getattr(clause, "starts_with", "")):
            yield clause.starts_with


def _clauses(match: Any) -> Iterator[Any]:
    """Patterns of which any suffices."""
    if hasattr(match, "or_"):
        for one in match.or_:
            yield from _clauses(one)
    else:
        yield match


def _matches(clause: Any, name: str) -> bool:
    """Whether a pattern takes a name in small letters; one of a later version takes none."""
    if hasattr(clause, "or_"):
        return any(_matches(one, name) for one in clause.or_)
    if hasattr(clause, "and_"):
        return all(_matches(one, name) for one in clause.and_)
    if hasattr(clause, "regex"):
        return re.search(clause.regex, name) is not None
    if hasattr(clause, "starts_with"):
        return name.startswith(clause.starts_with.lower())
    if hasattr(clause, "ends_with"):
        return name.endswith(clause.ends_with.lower())
    if hasattr(clause, "contains"):
        return clause.contains.lower() in name
    return hasattr(clause, "equals") and name == clause.equals.lower()
