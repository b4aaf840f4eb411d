"""What the reader of a comparison has to know; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meter.model import Component, FactorKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from meter.model import Factor
    from meter.whatif.compare import Ask, Case, Compared, Hours
    from meter.whatif.starts import Search

_KINDS = {
    FactorKind.ELECTRICITY_PRICE: "tariff",
    FactorKind.PUE: "PUE",
    FactorKind.GPU_HOUR_RATE: "GPU-hour rate",
}
_LOST = {**_KINDS, FactorKind.GRID_INTENSITY: "zone's intensity"}
_MONEY = frozenset(_KINDS)
_CARBON = frozenset({FactorKind.PUE, FactorKind.GRID_INTENSITY})
_FLAGS = {FactorKind.ELECTRICITY_PRICE: "--price", FactorKind.PUE: "--pue"}


def notices(read: Mapping[str, Any], ask: Ask, found: Compared) -> list[dict[str, Any]]:
    """Of the run and its scenarios, as documents have them, in the order of the figures."""
    said = [*_of_run(read), *_of_gpu(ask, found)]
    for case in (found.actual, *found.cases):
        said += _of_case(case, found.actual, ask)
    return _written(said)


def of_hours(hours: Hours) -> list[dict[str, Any]]:
    """Of the hours to start in."""
    return _written([*_of_cost(hours.search), *_of_carbon(hours.search)])


def _written(said: Iterable[_Said]) -> list[dict[str, Any]]:
    return [
        {
            "code": code,
            "severity": severity,
            "text": text,
            "device": None,
            "at": None,
            "times": 1,
        }
        for severity, code, text in dict.fromkeys(said)
    ]


_Said = tuple[str, str, str]
"""Severity, code and text."""


def _info(code: str, text: str) -> _Said:
    return "info", code, text


def _warning(code: str, text: str) -> _Said:
    return "warning", code, text


def _of_run(read: Mapping[str, Any]) -> Iterator[_Said]:
    if read["run"]["status"] == "running":
        yield _warning(
            "run_running",
            "The run goes on: this compares what it used so far, not what it will have used.",
        )


def _of_gpu(ask: Ask, found: Compared) -> Iterator[_Said]:
    if ask.gpu is None:
        return
    new = ask.gpu.model
    for old in ask.gpu.old.values():
        yield _warning(
            "gpu_assumed",
            f"Time and energy on {new.name} are scaled from {old.name} by peak compute"
            f" ({_plain(old.compute)} to {_plain(new.compute)} TFLOPS) and board power"
            f" ({_plain(old.power)} to {_plain(new.power)} W). No job keeps to that: the bounds"
            " also hold one that gets no faster, and one that needs the same energy as before.",
        )
    if any(one.kind == "gpu_time" for one in found.actual.outcome.cost):
        yield _warning(
            "gpu_rate_kept",
            "GPU time is charged at the rate of the run's own GPUs: the books know none by model.",
        )


def _plain(factor: Factor) -> str:
    return "" if factor.value is None else f"{factor.value.normalize():f}"


def _of_case(case: Case, actual: Case, ask: Ask) -> Iterator[_Said]:
    outcome = case.outcome
    given = {FactorKind.ELECTRICITY_PRICE: ask.price, FactorKind.PUE: ask.pue}
    kept = [kind for kind in sorted(case.taken) if given.get(kind) is None]
    if kept:
        yield _info(
            "kept_from_home",
            f"For {case.zone} the books know no {' and no '.join(_KINDS[kind] for kind in kept)}:"
            f" the run's own is kept{_instead(kept)}.",
        )
    yield from _of_gaps(case, actual)
    others = sorted(set(outcome.currencies) - set(actual.outcome.currencies))
    if others and actual.outcome.cost:
        yield _info(
            "other_currency",
            f"The cost of {case.label!r} in {', '.join(others)} is compared with nothing: the run"
            f" was paid in {', '.join(actual.outcome.currencies)}.",
        )


def _of_gaps(case: Case, actual: Case) -> Iterator[_Said]:
    """What a case does not know of some of its hours, or of all where the run knew it."""
    here, was = case.outcome, actual.outcome
    if some := _gap(here.unpriced, was.unpriced, here.uses):
        yield _warning(
            "tariff_gap",
            f"{some} hours of {case.label!r} have no electricity tariff: its cost is a part only.",
        )
    if some := _gap(here.without_pue, was.without_pue, here.uses):
        yield _warning(
            "pue_gap",
            f"{some} hours of {case.label!r} have no PUE: its overhead is a part only, in carbon"
            " and cost too.",
        )
    gpu_uses = sum(use.component is Component.GPU for use in case.profile.uses)
    if some := _gap(here.unrated, was.unrated, gpu_uses):
        yield _warning(
            "gpu_rate_gap",
            f"{some} hours of {case.label!r} have no GPU-hour rate: its cost is a part only.",
        )
    if here.ungridded:
        yield _warning(
            "intensity_gap",
            f"Some hours of {case.label!r} have no grid intensity: its carbon is a part only.",
        )
    elif some := _gap(here.worldwide, was.worldwide, here.uses):
        yield _warning(
            "intensity_world",
            f"{some} hours of {case.label!r} have no grid intensity of their zone: they take the"
            " world's mean.",
        )


def _gap(lacking: int, before: int, uses: int) -> str:
    """How many hours lack something that others have, or that the run had in any of its own."""
    if not lacking or (lacking == uses and before >= uses):
        return ""
    return "All" if lacking == uses else "Some"


def _instead(kinds: Iterable[FactorKind]) -> str:
    flags = [_FLAGS[kind] for kind in kinds if kind in _FLAGS]
    return f" unless {' and '.join(flags)} set another" if flags else ""


def _of_cost(search: Search) -> Iterator[_Said]:
    known = sum(one.cost is not None for one in search.starts)
    if 0 < known < len(search.starts):
        yield _warning(
            "starts_not_comparable",
            f"{len(search.starts) - known} of {len(search.starts)} starts meet hours without the"
            f" usual {_lost(search, _MONEY) or 'tariff or currency'}: they are not compared by"
            " cost.",
        )
    if not known and (lost := _lost(search, _MONEY)):
        yield _warning(
            "no_cost",
            f"No start has the {lost} of the run in all its hours: no hour is the cheapest.",
        )
    elif not known:
        yield _info("no_cost", "No tariff is known: no hour is the cheapest.")
    elif still := [currency for currency, start in search.cheapest.items() if start is None]:
        yield _info(
            "cost_does_not_vary",
            f"Every start costs the same in {' and in '.join(still)}: no hour is the cheapest.",
        )


def _still(search: Search, rated: int) -> str:
    """Why no hour is the cleanest."""
    if not rated:
        return "No start can be compared by carbon: no hour is the cleanest."
    if rated == 1 < len(search.starts):
        return "Only one start can be compared by carbon: no hour is the cleanest."
    which = "Every start" if rated == len(search.starts) else f"Each of the {rated} starts compared"
    why = "" if search.hourly else " (only a yearly intensity is known)"
    return f"{which} emits the same{why}: no hour is the cleanest."


def _lost(search: Search, kinds: frozenset[FactorKind]) -> str:
    """What some starts lack, in words."""
    lacking = {kind for one in search.starts for kind in one.lacking & kinds}
    return " and ".join(_LOST[kind] for kind in sorted(lacking))


def _of_carbon(search: Search) -> Iterator[_Said]:
    starts, rated = len(search.starts), search.rated
    lost = sum(one.carbon is None for one in search.starts)
    if lost and (kinds := _lost(search, _CARBON)):
        yield _warning(
            "starts_not_rated",
            f"{lost} of {starts} starts meet hours without the {kinds} that the run or other"
            " starts have: they are not compared by carbon.",
        )
    if rated < starts - lost:
        share = search.hourly / search.slots
        yield _warning(
            "yearly_fallback",
            f"{share:.0%} of the hours that these starts need have an intensity of their own; the"
            " others take the yearly one, which hides what they will be. Only the"
            f" {rated} of {starts} starts with hourly values throughout are compared by carbon.",
        )
    if search.cleanest is None:
        yield _info("carbon_does_not_vary", _still(search, rated))
    if search.marginal is not None:
        yield _info("marginal_apart", "Marginal intensity ranks hours only; it is in no total.")
