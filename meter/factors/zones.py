"""Names of grid zones: codes and names as people write them, one zone or an error."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache

from meter.errors import FactorError
from meter.factors.grids import grids

_OFFERED = 4


def zone_of(text: str) -> str:
    """The zone that a code (``FRA``, ``fr``, ``US-CA``, ``SE3``) or a name means.

    Codes go before names. Raises FactorError, with the nearest names, if it means none or several.
    """
    key = _key(text)
    for book in (_codes(), _names()):
        meant = book.get(key, frozenset())
        if len(meant) == 1:
            return next(iter(meant))
        if meant:
            raise FactorError(
                f"the zone {text!r} may mean {' or '.join(sorted(meant))}", "give one of these"
            )
    raise FactorError(f"there is no zone {text!r}", _offer(key))


def _offer(key: str) -> str:
    known = {**_names(), **_codes()}
    near = get_close_matches(key, known, n=_OFFERED, cutoff=0.6)
    zones = list(dict.fromkeys(zone for name in near for zone in sorted(known[name])))
    if not zones:
        return "give an ISO 3166 code such as FRA, or a region such as USA-CA"
    named = [_label(zone) for zone in zones[:_OFFERED]]
    return f"did you mean {' or '.join(named)}?"


def _label(zone: str) -> str:
    names = grids()[zone].names
    return f"{zone} ({names[0].title() if names[0].islower() else names[0]})" if names else zone


@cache
def _codes() -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for zone, grid in grids().items():
        for code in (zone, *grid.codes):
            found[_key(code)] = found.get(_key(code), frozenset()) | {zone}
    return found


@cache
def _names() -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for zone, grid in grids().items():
        for name in grid.names:
            found[_key(name)] = found.get(_key(name), frozenset()) | {zone}
    return found


def _key(text: str) -> str:
    return " ".join(text.casefold().replace("_", "-").split())
