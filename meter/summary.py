"""The summary of a run for a terminal: at most 15 lines of plain ASCII text."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

from meter import figures

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_LINES = 15
_LABEL = 9


def text(document: Mapping[str, Any], *, width: int = 80, ledger: Path | str | None = None) -> str:
    """The run's figures with bounds and labels; parts that are empty are left out.

    Ends without a newline. ``ledger`` is named at the end, where it is known.
    """
    width = max(40, width)
    head = _header(document, width)
    figures_ = _rows(
        [
            ("Energy", _energy(document)),
            ("", _components(document)),
            ("Facility", _facility(document)),
            ("Cost", _cost(document)),
            ("Carbon", _carbon(document)),
            ("Compare", _household(document)),
            ("Per", _per(document)),
        ],
        width,
    )
    foot = _rows(
        [
            ("Ledger", figures.printable(ledger, 200) if ledger else ""),
            ("Report", f"meter report {_short(document)} -o report.html"),
        ],
        width,
    )
    room = _LINES - len(head) - len(foot)
    body = figures_[:room]
    notices = _notices(document, width, room - len(body))
    return _ascii("\n".join([*head, *body, *notices, *foot]))


def _ascii(line: str) -> str:
    """A terminal that is not UTF-8 must not turn the summary into an error."""
    return line.encode("ascii", "replace").decode("ascii")


def _header(document: Mapping[str, Any], width: int) -> list[str]:
    run = document["run"]
    status = str(run["status"])
    if run.get("exit_code"):
        status += f" (exit {run['exit_code']})"
    after = f", {status}"
    if run.get("duration_s") is not None:
        after += f" after {figures.duration(float(run['duration_s']))}"
    label = "  SIMULATED" if document.get("simulated") else ""
    project = figures.printable(run["project"], 24)
    room = width - len(f"meter:  [{project}]{after}{label}")
    name = figures.printable(run["name"] or run["id"], max(12, room))
    return [f"meter: {name} [{project}]{after}{label}"[:width]]


def _rows(rows: list[tuple[str, str]], width: int) -> list[str]:
    lines: list[str] = []
    for label, content in rows:
        if content:
            lines += textwrap.wrap(
                content,
                width,
                initial_indent=f"  {label:<{_LABEL}} ",
                subsequent_indent=" " * (_LABEL + 3),
                break_on_hyphens=False,
            )
    return lines


def _label(document: Mapping[str, Any], quantity: Mapping[str, Any]) -> str:
    return figures.method(quantity["method"], simulated=bool(document.get("simulated")))


def _energy(document: Mapping[str, Any]) -> str:
    quantity = document["energy"]["it"]
    share = figures.measured_share(document)
    simulated = bool(document.get("simulated"))
    measured = f"{figures.percent(share)} {figures.method('measured', simulated=simulated)}"
    coverage = document.get("coverage")
    covered = "" if coverage is None else f", coverage {figures.percent(float(coverage))}"
    return f"{figures.with_bounds(quantity)}, {measured}{covered}"


def _components(document: Mapping[str, Any]) -> str:
    parts, whole = [], document["energy"]["it"]
    for name, quantity in document["energy"]["by_component"].items():
        if quantity and quantity["value"]:
            label = _label(document, quantity)
            tail = f" {label}" if label != "measured" else ""
            parts.append(f"{figures.component(name)} {figures.figure(quantity, whole)}{tail}")
    return ", ".join(parts)


def _facility(document: Mapping[str, Any]) -> str:
    quantity = document["energy"].get("facility")
    if not quantity:
        return ""
    return f"{figures.with_bounds(quantity)} with the site's overhead (PUE)"


def _cost(document: Mapping[str, Any]) -> str:
    parts = [
        f"{figures.with_bounds(cost['amount'])} {figures.cost_kind(cost['kind'])}"
        for cost in document.get("cost", ())
    ]
    return ", ".join(parts)


def _carbon(document: Mapping[str, Any]) -> str:
    carbon = document.get("carbon") or {}
    location = carbon.get("location")
    if not location:
        return ""
    value, between = figures.figure(location), figures.bounds(location)
    line = f"{value} CO2e{f' ({between})' if between else ''}, location-based"
    line += f", {_label(document, location)}"
    if market := carbon.get("market"):
        line += f"; {figures.with_bounds(market)} market-based"
    return line


def _household(document: Mapping[str, Any]) -> str:
    found = figures.household(document)
    if not found:
        return ""
    days, factor = found
    source = figures.printable(figures.factor_source(factor), 60)
    kwh = figures.plain(factor["value"])
    return f"{figures.number(days, 2)} household-days ({kwh} kWh a day, {source})"


def _per(document: Mapping[str, Any]) -> str:
    parts = []
    for name, quantity in (document.get("per") or {}).items():
        if quantity and "unit" in quantity:
            parts.append(f"{name} {figures.figure(quantity)}")
    return ", ".join(parts)


def _notices(document: Mapping[str, Any], width: int, room: int) -> list[str]:
    """As many whole notices as there is room for, warnings first, then how to see the rest."""
    notices = sorted(document.get("notices", ()), key=lambda n: n.get("severity") != "warning")
    rendered = [
        _rows([("Note", figures.printable(notice["text"], 4 * width))], width) for notice in notices
    ]
    lines: list[str] = []
    for index, block in enumerate(rendered):
        left = len(rendered) - index - 1
        if len(lines) + len(block) + bool(left) > room:
            more = f"{left + 1} more: meter show {_short(document)}"
            return (lines + _rows([("Note", more)], width))[:room]
        lines += block
    return lines


def _short(document: Mapping[str, Any]) -> str:
    return figures.printable(document["run"]["id"], 40)
