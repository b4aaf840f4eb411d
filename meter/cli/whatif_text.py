"""A comparison in the terminal: figures beside each other, and a line of the hours."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

from meter import figures
from meter.cli import output

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Json = dict[str, Any]

_BLOCKS = "▁▂▃▄▅▆▇█"
_SIGNS = "_.-=+*#@"
_LABEL = 12
_SMALLEST = 0.0005
_HEADS = ("SCENARIO", "FIGURE", "VALUE", "LOW TO HIGH", "CHANGE")
_RIGHT = (2, 3, 4)
_GIVING_WAY = (0, 1, 3, 2)


def text(document: Json, columns: int, *, blocks: bool) -> str:
    """The whole comparison; ``blocks`` draws with block characters, else with ASCII."""
    parts = [_head(document, columns), _figures(document, columns)]
    parts += [
        _starts(hours, columns, _BLOCKS if blocks else _SIGNS) for hours in document["starts"]
    ]
    if document["notices"]:
        rows = [[notice["code"], notice["text"]] for notice in document["notices"]]
        parts.append(output.table(("NOTICE", ""), rows, wrap=1, columns=columns))
    return "\n\n".join(parts)


def _head(document: Json, columns: int) -> str:
    run = document["run"]
    places = ", ".join(f"{one['id']} ({one['zone'] or 'no zone'})" for one in run["sites"])
    simulated = ", SIMULATED" if document["simulated"] else ""
    head = (
        f"{figures.printable(run['name'], 40)}: {figures.instant(run['started_at'])},"
        f" {figures.duration(run['duration_s'])}, at {figures.printable(places, 60)}{simulated}"
    )
    return "\n".join(textwrap.wrap(head, columns, subsequent_indent="  ", break_on_hyphens=False))


def _figures(document: Json, columns: int) -> str:
    actual = document["actual"]
    rows = []
    for case in (actual, *document["scenarios"]):
        label = case["label"]
        for name, quantity, before in _lines(case, actual):
            change = "" if case is actual else _change(quantity, before)
            rows.append([label, name, *_value(quantity), change])
            label = ""
    return output.table(_HEADS, rows, right=_RIGHT, wrap=_GIVING_WAY, columns=columns)


def _lines(case: Json, actual: Json) -> Iterator[tuple[str, Json, Json | None]]:
    """A case's figures, each with the actual one of its kind."""
    yield "energy", case["energy"]["it"], actual["energy"]["it"]
    if case["energy"]["facility"]:
        yield "facility energy", case["energy"]["facility"], actual["energy"]["facility"]
    before = {(one["kind"], one["currency"]): one["amount"] for one in actual["cost"]}
    for one in case["cost"]:
        key = one["kind"], one["currency"]
        yield figures.cost_kind(one["kind"]), one["amount"], before.get(key)
    if case["carbon"]["location"]:
        yield "carbon", case["carbon"]["location"], actual["carbon"]["location"]


def _value(quantity: Json) -> tuple[str, str]:
    return figures.figure(quantity), figures.bounds(quantity)


def _change(new: Mapping[str, Any], old: Mapping[str, Any] | None) -> str:
    if old is None or not float(old["value"]):
        return ""
    return share((float(new["value"]) - float(old["value"])) / abs(float(old["value"])))


def share(part: float | None) -> str:
    """A change in percent, with its sign: ``-43 %``, ``+0.2 %``, ``same``."""
    if part is None:
        return ""
    if abs(part) < _SMALLEST:
        return "same" if not part else "~ same"
    size = abs(part) * 100
    shown = f"{size:,.0f}" if size >= 10 else f"{size:.1f}"
    return f"{'+' if part > 0 else '-'}{shown} %"


def _starts(hours: Json, columns: int, levels: str) -> str:
    """The best hours, and a line for each figure over all of them."""
    begin, end = (figures.instant(hours[name])[:16] for name in ("from", "to"))
    title = f"START HOURS {begin} to {end} UTC, {hours['label']}"
    parts = textwrap.wrap(title, columns, subsequent_indent="  ")
    rows = [*_best(hours)]
    if rows:
        heads = ("BEST", "START (UTC)", "VALUE", "LOW TO HIGH", "CHANGE")
        parts.append(output.table(heads, rows, right=_RIGHT, wrap=(3, 2), columns=columns))
    parts += _charts(hours["hours"], columns, levels)
    for notice in hours["notices"]:
        parts += textwrap.wrap(notice["text"], columns)
    return "\n".join(parts)


def _best(hours: Json) -> Iterator[list[str]]:
    for one in hours["cheapest"]:
        if one["start"]:
            yield _row(f"cheapest {one['currency']}", one)
    if hours["cleanest"]:
        yield _row("cleanest", hours["cleanest"])
    if (marginal := hours["marginal"]) is not None:
        value = f"{figures.plain(marginal['mean_g_per_kwh'])} g/kWh"
        yield ["by marginal", figures.instant(marginal["start"])[:16], value, "", ""]


def _row(name: str, best: Json) -> list[str]:
    difference = best["difference"]
    change = share(difference["share"]) if difference else ""
    return [name, figures.instant(best["start"])[:16], *_value(best["amount"]), change]


def _charts(starts: Sequence[Json], columns: int, levels: str) -> list[str]:
    """One line a figure that varies; a column is an hour, or the best of several."""
    series = {}
    for currency in sorted({one for start in starts for one in start["cost"] or ()}):
        costs = [start["cost"] and float(start["cost"][currency]) for start in starts]
        series[f"cost {currency}", currency] = costs
    series["carbon", "g"] = [start["carbon"] for start in starts]
    lines = [
        line
        for (name, unit), values in series.items()
        if (line := _chart(name, unit, values, columns, levels))
    ]
    per = _per_column(len(starts), columns)
    if lines:
        first = figures.instant(starts[0]["start"])[:16]
        each = "1 h" if per == 1 else f"the best of {per} h"
        lines.append(f"{'':{_LABEL}}from {first} UTC; a column is {each}")
    return lines


def _per_column(count: int, columns: int) -> int:
    return max(1, -(-count // (columns - _LABEL)))


def _chart(
    name: str, unit: str, values: Sequence[float | None], columns: int, levels: str
) -> str | None:
    known = [value for value in values if value is not None]
    if not known or min(known) == max(known):
        return None
    low, high = min(known), max(known)
    per = _per_column(len(values), columns)
    drawn = "".join(
        _level(values[index : index + per], low, high, levels)
        for index in range(0, len(values), per)
    )
    least, most = (figures.figure({"value": one, "unit": unit}) for one in (low, high))
    return f"{name:{_LABEL}}{drawn}\n{'':{_LABEL}}{least} to {most}"


def _level(values: Sequence[float | None], low: float, high: float, levels: str) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return " "
    return levels[round((min(known) - low) / (high - low) * (len(levels) - 1))]
