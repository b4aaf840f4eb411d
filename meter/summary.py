"""The summary of a run for a terminal: at most 15 lines of plain ASCII text."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

from meter import figures, hosted_told, marked, plans

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

IN_MEMORY = ":memory:"
"""The path of a ledger that keeps nothing."""

_LINES = 15
_LABEL = 9
_QUALITY = frozenset({
    "ambiguous_devices", "budget_spent", "budget_unpriced",
    "project_budget_spent", "clock_stepped", "counter_caught_up", "counter_disagrees",
    "counter_glitch", "counter_missing", "counter_not_caught_up", "counter_reset", "counter_stuck",
    "gap_bridged", "gap_unknown", "mig_share", "no_counter", "no_gpu_visible", "pue_gap",
    "reads_failed", "shared_by_use", "shared_device", "tariff_gap", "tnd_gap", "wue_gap",
    "embodied_gap", "market_excluded", "fx_missing", "job_map_unread", "uses_other_gpu",
    "steps_went_back",
})  # fmt: skip
_ADVICE = frozenset({"no_zone", "no_tariff"})


def text(document: Mapping[str, Any], *, width: int = 80, ledger: Path | str | None = None) -> str:
    """The run's figures with bounds and labels; parts that are empty are left out.

    Ends without a newline. ``ledger`` is named at the end, where it is known. What is wrong with
    the metering itself goes before any other notice, and before figures but the first.
    """
    document, width = figures.readable(document), max(40, width)
    kept = str(ledger) != IN_MEMORY
    head, foot = _header(document, width), _foot(document, width, ledger, kept=kept)
    room = _LINES - len(head) - len(foot)
    notices = _blocks(document, width)
    needed = sum(len(block) for rank, block in notices if rank == 0)
    needed += any(rank for rank, _ in notices)  # the line that tells how to see the rest
    energy = _rows([("Energy", _energy(document))], width)
    left = room - len(energy)
    body = energy + _fitting(document, width, left - min(left, needed))
    more = f": meter show {_short(document)}" if kept else ""
    noted = _notices(notices, width, room - len(body), more)
    return _ascii("\n".join([*head, *body, *noted, *foot]))


def _foot(
    document: Mapping[str, Any], width: int, ledger: Path | str | None, *, kept: bool
) -> list[str]:
    if not kept:
        return _rows([("Ledger", "none: nothing of this run is kept")], width)
    path = figures.printable(ledger, min(200, 4 * (width - _LABEL - 3))) if ledger else ""
    report = f"meter report {_short(document)} -o report.html"
    return _rows([("Ledger", path), ("Report", report)], width)


def _fitting(document: Mapping[str, Any], width: int, room: int) -> list[str]:
    """The rows after the first, as far as there is room for whole ones."""
    lines: list[str] = []
    for row in (
        ("", "" if document.get("hosted") else _components(document)),
        ("Evidence", hosted_told.evidence(document)),
        ("Job", hosted_told.job(document)),
        ("Usage", hosted_told.usage(document)),
        ("Inference", hosted_told.inference(document)),
        ("Facility", _facility(document)),
        ("Cost", _cost(document)),
        ("Carbon", _carbon(document)),
        ("Budget", plans.budgets(document)),
        ("Forecast", plans.forecast(document)),
        ("Apart", _apart(document)),
        ("Compare", _household(document)),
        ("Per", _per(document)),
        ("Phases", marked.phases(document)),
        ("Epochs", marked.epochs(document)),
    ):
        block = _rows([row], width)
        if len(lines) + len(block) <= room:
            lines += block
    return lines


def _ascii(line: str) -> str:
    """A terminal that is not UTF-8 must not turn the summary into an error."""
    return line.encode("ascii", "replace").decode("ascii")


def _header(document: Mapping[str, Any], width: int) -> list[str]:
    run = document["run"]
    status = str(run["status"])
    if run.get("exit_code"):
        status += f" (exit {run['exit_code']})"
    after = f", {status}"
    if run.get("duration_s"):  # how long a run took that was not metered may be unknown
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
    if figures.is_unknown(quantity):
        return figures.figure(quantity)
    if document.get("hosted"):
        return f"{figures.with_bounds(quantity)}, {_label(document, quantity)}"
    share = figures.measured_share(document)
    simulated = bool(document.get("simulated"))
    measured = f"{figures.percent(share)} {figures.method('measured', simulated=simulated)}"
    coverage = document.get("coverage")
    covered = "" if coverage is None else f", coverage {figures.percent(float(coverage))}"
    return f"{figures.with_bounds(quantity)}, {measured}{covered}"


def _components(document: Mapping[str, Any]) -> str:
    parts, whole = [], document["energy"]["it"]
    for name, quantity in document["energy"]["by_component"].items():
        if quantity and (quantity["value"] or quantity["high"]):  # 0 may be all that is known
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
    if whole := document.get("cost_in"):
        parts.append(f"together {figures.with_bounds(whole['amount'])} by dated exchange rates")
    return ", ".join(parts)


def _carbon(document: Mapping[str, Any]) -> str:
    carbon = document.get("carbon") or {}
    location = carbon.get("location")
    if not location:
        return ""
    value = figures.figure(location)
    between = "" if figures.is_bound(location) else figures.bounds(location)
    line = f"{value} CO2e{f' ({between})' if between else ''}, location-based"
    line += f", {_label(document, location)}"
    if market := carbon.get("market"):
        line += f"; {figures.with_bounds(market)} market-based"
    return line


def _apart(document: Mapping[str, Any]) -> str:
    """What is in no total: making the hardware, loss in the grid, water."""
    carbon = document.get("carbon") or {}
    parts = []
    if embodied := carbon.get("embodied"):
        parts.append(f"{figures.with_bounds(embodied)} CO2e embodied in the hardware")
    if loss := carbon.get("tnd"):
        parts.append(f"{figures.figure(loss)} CO2e lost in the grid")
    if water := document.get("water"):
        parts.append(f"{figures.figure(water)} water")
    return ", ".join(parts)


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
            tail = marked.tail(document) if name == "step" else ""
            parts.append(f"{name} {figures.figure(quantity)}{tail}")
    return ", ".join(parts)


def _rank(notice: Mapping[str, Any]) -> int:
    """0 is a fault of the metering, 1 tells of the figures' quality, 3 is mere advice."""
    code = str(notice.get("code"))
    if code in _ADVICE:
        return 3
    if code in _QUALITY:
        return 1
    fault = notice.get("severity") == "warning" and not code.startswith("config_")
    return 0 if fault else 2


def _blocks(document: Mapping[str, Any], width: int) -> list[tuple[int, list[str]]]:
    """Each notice's rank and lines, what matters most first: of devices, who used most."""
    spent_j = {
        device["id"]: float(device["energy"]["value"]) for device in document["energy"]["devices"]
    }
    notices = sorted(
        document.get("notices", ()),
        key=lambda n: (
            _rank(n), n.get("severity") != "warning",
            -spent_j.get(n.get("device"), 0.0), str(n.get("code")),
        ),
    )  # fmt: skip
    return [
        (_rank(n), _rows([("Note", figures.printable(n["text"], 4 * width))], width))
        for n in notices
    ]


def _notices(blocks: list[tuple[int, list[str]]], width: int, room: int, more: str) -> list[str]:
    """As many whole notices as there is room for, and how to see the rest; faults cut to fit."""
    faults = [block for rank, block in blocks if rank == 0]
    others = len(blocks) > len(faults)
    if sum(map(len, faults)) + others > room:
        most = max(1, (room - others) // max(1, len(faults)))
        blocks = [(rank, block if rank else _cut(block, most, width)) for rank, block in blocks]
    lines: list[str] = []
    for index, (_, block) in enumerate(blocks):
        left = len(blocks) - index - 1
        if len(lines) + len(block) + bool(left) > room:
            rest = _rows([("Note", f"{left + 1} more{more}")], width)
            if len(lines) + len(rest) > room:
                rest = _rows([("Note", f"{left + 1} more")], width)
            return (lines + rest)[:room]
        lines += block
    return lines


def _cut(block: list[str], most: int, width: int) -> list[str]:
    if len(block) <= most:
        return block
    return [*block[: most - 1], f"{block[most - 1][: width - 4]} ..."]


def _short(document: Mapping[str, Any]) -> str:
    return figures.printable(document["run"]["id"], 40)
