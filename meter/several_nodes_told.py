"""What the sum of several nodes' documents makes the reader ask, as notices; pure."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple

from meter.document_notices import said
from meter.figures import duration
from meter.instants import instant, parse_us
from meter.units import US_PER_HOUR, US_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    Part = Mapping[str, Any]
    Quantity = Mapping[str, Any]

OWN_CODES = frozenset({
    "nodes_summed", "nodes_lack", "nodes_marks", "nodes_budgets", "nodes_usage", "nodes_running",
    "nodes_apart",
})  # fmt: skip
"""Codes of notices that are the sum's own."""
_APART_US = US_PER_HOUR
_MARKED = ("per", "steps", "epochs", "phases")


class _Figure(NamedTuple):
    """A figure that not every node may have."""

    name: str
    of: Callable[[Part], Quantity | None]
    wanted: Callable[[Part], bool]
    only_whole: bool = False


def used_energy(part: Part) -> bool:
    """Whether a node has any energy: one that has none lacks nothing."""
    return bool(part["energy"]["it"]["high"])


def _used_gpus(part: Part) -> bool:
    return bool(part["energy"]["by_component"]["gpu"]["high"])


def has_money(part: Part) -> bool:
    """Whether a node tells any money: one that tells none has none to convert."""
    return bool(part["cost"])


def in_one_currency(part: Part) -> Quantity | None:
    """All money of a node in the currency asked for."""
    found: Quantity | None = (part.get("cost_in") or {}).get("amount")
    return found


def _carbon(name: str) -> Callable[[Part], Quantity | None]:
    return lambda part: part["carbon"].get(name)


def _cost(kind: str) -> Callable[[Part], Quantity | None]:
    def of(part: Part) -> Quantity | None:
        return next((one["amount"] for one in part["cost"] if one["kind"] == kind), None)

    return of


def _facility(part: Part) -> Quantity | None:
    found: Quantity | None = part["energy"]["facility"]
    return found


_FIGURES = (
    _Figure("Facility energy", _facility, used_energy, only_whole=True),
    _Figure("Location-based carbon", _carbon("location"), used_energy, only_whole=True),
    _Figure("Market-based carbon", _carbon("market"), used_energy, only_whole=True),
    _Figure("Carbon of grid losses", _carbon("tnd"), used_energy),
    _Figure("Embodied carbon", _carbon("embodied"), _used_gpus),
    _Figure("Water", lambda part: part["water"], used_energy),
    _Figure("The cost of electricity", _cost("electricity"), used_energy),
    _Figure("The cost of the facility's overhead", _cost("electricity_overhead"), used_energy),
    _Figure("The cost of GPU time", _cost("gpu_time"), _used_gpus),
    _Figure("All money in one currency", in_one_currency, has_money, only_whole=True),
)  # fmt: skip


def lacking(
    parts: Sequence[Part],
    of: Callable[[Part], Quantity | None],
    wanted: Callable[[Part], bool],
) -> list[str]:
    """Nodes that ought to have a figure, and have not."""
    return [_node(part) for part in parts if wanted(part) and of(part) is None]


def notices_of(parts: Sequence[Part]) -> list[dict[str, Any]]:
    """Notices of the sum's own, the gravest first."""
    text = (
        f"This is the sum of what the agents of {len(parts)} nodes metered, each by its own clock"
        " and books; `parts` has what each of them told."
    )
    summed = said("nodes_summed", "info", text)
    graver = (_apart, _running, _lack, _currencies, _marks)
    return [*(one for told in graver for one in told(parts)), *_more(parts), summed]


def _node(part: Part) -> str:
    return str(part["run"]["nodes"][0])


def _named(nodes: Sequence[str]) -> str:
    return f"node{'s' if len(nodes) > 1 else ''} {', '.join(nodes)}"


def _apart(parts: Sequence[Part]) -> Iterator[dict[str, Any]]:
    """The longest time between parts in which none ran, if it is long for one run."""
    spans = sorted((*_span_us(part["run"]), _node(part)) for part in parts)
    ends_us = accumulate((end for _, end, _ in spans), max)
    pauses = [(then[0] - end, then) for end, then in zip(ends_us, spans[1:], strict=False)]
    pause_us, (begun_us, _, node) = max(pauses)
    if pause_us >= _APART_US:
        text = (
            f"For {duration(pause_us / US_PER_S)} before node {node} began, at"
            f" {instant(begun_us)}, no node ran: an id that was given again makes one run of two."
        )
        yield said("nodes_apart", "warning", text)


def _span_us(run: Mapping[str, Any]) -> tuple[int, int]:
    begun_us = parse_us(run["started_at"])
    return begun_us, begun_us + round(run["duration_s"] * US_PER_S)


def _running(parts: Sequence[Part]) -> Iterator[dict[str, Any]]:
    running = [_node(part) for part in parts if part["run"]["status"] == "running"]
    if running:
        text = (
            f"The run went on when the documents of {_named(running)} were written: figures are"
            " those so far."
        )
        yield said("nodes_running", "warning", text)


def _lack(parts: Sequence[Part]) -> Iterator[dict[str, Any]]:
    for figure in _FIGURES:
        nodes = lacking(parts, figure.of, figure.wanted)
        if not nodes or all(figure.of(part) is None for part in parts):
            continue
        then = (
            "so there is no sum of it; `parts` has that of the others"
            if figure.only_whole
            else "so the sum is a part only"
        )
        text = f"{figure.name} is not told by {_named(nodes)}, {then}."
        yield said("nodes_lack", "warning", text)


def _currencies(parts: Sequence[Part]) -> Iterator[dict[str, Any]]:
    told = sorted({part["cost_in"]["currency"] for part in parts if part.get("cost_in")})
    if len(told) > 1:
        text = (
            f"All money in one currency is told in {' and '.join(told)}, so there is no sum of it;"
            " `parts` has that of each node."
        )
        yield said("nodes_lack", "warning", text)


def _marks(parts: Sequence[Part]) -> Iterator[dict[str, Any]]:
    marked = [_node(part) for part in parts if any(part.get(name) for name in _MARKED)]
    if marked:
        text = (
            f"Steps, tokens, epochs or phases were marked on {_named(marked)}: their energy is of"
            " that node's own devices alone, so it is not in this sum; `parts` and the node's own"
            " report have it."
        )
        yield said("nodes_marks", "warning", text)


def _more(parts: Sequence[Part]) -> Iterator[dict[str, Any]]:
    if any(part.get("budgets") for part in parts):
        text = (
            "Each node's agent compares a budget with its own part of the run alone; here it is"
            " compared with the sum."
        )
        yield said("nodes_budgets", "info", text)
    hosted = [_node(part) for part in parts if _has_hosted(part)]
    if len(hosted) > 1:
        text = (
            f"Usage of hosted models was told on {_named(hosted)} and is added up: what was told"
            " to both counts twice."
        )
        yield said("nodes_usage", "warning", text)


def _has_hosted(part: Part) -> bool:
    """Whether a node tells of hosted models: also of what has no price, or is estimated alone."""
    told = part.get("usage") or part.get("inference")
    return bool(told) or any(_is_hosted(cost) for cost in part["cost"])


def _is_hosted(cost: Mapping[str, Any]) -> bool:
    return str(cost["kind"]) in {"api_tokens", "api_training", "hosting", "storage"}
