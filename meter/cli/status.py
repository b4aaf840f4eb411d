"""``meter status``: what is being metered now."""

from __future__ import annotations

import textwrap
import time
from typing import Any

import click

from meter import figures, plans
from meter.cli import output
from meter.cli.reads import agent_reads, keeps
from meter.cli.session import Session, debug_option, example, json_option, socket_option


@click.command("status", epilog=example("meter status --json | jq '.devices[].power_w'"))
@json_option
@socket_option
@debug_option
@click.pass_obj
def status_command(session: Session, *, as_json: bool) -> None:
    """Show what is being metered now.

    Asks the agent of this node; says so if none runs, which is fine.
    """
    agent = agent_reads(session.config)
    found = agent.status() if agent else None
    if as_json:
        output.print_json(found or {"agent": None, "devices": [], "runs": []})
    elif found:
        click.echo(text(found, time.time_ns() // 1_000))
    else:
        click.echo(
            f"No agent runs at {session.config.socket}.\n"
            "`meter run -- COMMAND` starts one of its own; `meter agent` serves the node."
        )


def text(status: dict[str, Any], now_us: int, columns: int | None = None) -> str:
    """The agent's state as a few lines and two tables."""
    parts = [_head(status)]
    if status["devices"]:
        parts.append(_devices(status["devices"], columns))
    parts.append(_runs(status["runs"], now_us, columns) if status["runs"] else "No run is metered.")
    if budgets := _budgets(status):
        parts.append(output.table(("BUDGET OF", ""), budgets, wrap=1, columns=columns))
    if status.get("feeds"):
        parts.append("\n".join(_feed(feed) for feed in status["feeds"]))
    reasons = [f"{s['name']}: {s['reason']}" for s in status["sources"] if s["reason"]]
    reasons += [
        f"{figures.printable(d['id'], 44)} is metered by process {d['pid']}"
        for d in status["elsewhere"]
    ]
    notes = [*reasons, *(notice["text"] for notice in status["notices"])]
    if notes:
        rows = [[figures.printable(note, 400)] for note in notes]
        parts.append(output.table(("NOTES",), rows, wrap=0, columns=columns))
    return "\n\n".join(parts)


def _head(status: dict[str, Any]) -> str:
    agent, ledger = status["agent"], status["ledger"]
    kind = "private agent" if agent["private"] else "agent"
    up = figures.duration(float(agent["uptime_s"]))
    fresh = "samples are fresh" if agent["fresh"] else figures.printable(agent["reason"], 100)
    lines = [f"{kind} {agent['version']}, process {agent['pid']}, up {up}, {fresh}"]
    state = ""
    if ledger["full"]:
        state = ", NO SPACE LEFT: kept in memory"
    elif ledger["error"]:
        state = f", {figures.printable(ledger['error'], 100)}"
    where = ledger["path"] if keeps(status) else "in memory: NOTHING IS KEPT"
    lines.append(f"ledger {where}{state}")
    return "\n".join(lines)


def _devices(devices: list[dict[str, Any]], columns: int | None) -> str:
    rows = [
        [
            _name(device),
            figures.printable(device["name"], 60),
            _with_unit(device["power_w"], "{:.0f} W"),
            _with_unit(device["utilization_ratio"], "{:.0%}"),
            _with_unit(device["memory_used_bytes"], "{:.1f} GB", 1e9),
            _with_unit(device["temperature_celsius"], "{:.0f} C"),
            figures.method(device["method"], simulated=device["simulated"]),
        ]
        for device in devices
    ]
    heads = ("PART", "DEVICE", "POWER", "BUSY", "MEMORY", "TEMP", "METHOD")
    return output.table(heads, rows, right=(2, 3, 4, 5), wrap=1, columns=columns)


def _name(device: dict[str, Any]) -> str:
    index = "" if device["index"] is None else f" {device['index']}"
    return f"{figures.component(device['component'])}{index}"


def _budgets(status: dict[str, Any]) -> list[list[str]]:
    """Budgets of runs, and of projects for this month."""
    rows = [
        [f"run {str(run['id'])[:26]}", plans.budget(found)]
        for run in status["runs"]
        for found in run.get("budgets", ())
    ]
    return rows + [
        [f"project {figures.printable(found['project'], 24)}, this month", plans.budget(found)]
        for found in status.get("budgets", ())
    ]


def _feed(feed: dict[str, Any]) -> str:
    """A feed's last good value, and what is wrong with it."""
    where = figures.printable(f"{feed['name']}, zone {feed['zone']}", 44)
    value = "nothing yet"
    if feed["last_value"] is not None:
        value = f"{feed['last_value']:.4g} g/kWh for {feed['from'][:16]} to {feed['to'][11:16]} UTC"
    state = "STALE, last " if feed["stale"] and feed["last_value"] is not None else ""
    lines = [f"intensity of {where}:", f"  {state}{value}"]
    if feed["last_error"]:
        lines += textwrap.wrap(
            figures.printable(feed["last_error"], 300), 76, initial_indent="  ",
            subsequent_indent="  ",
        )  # fmt: skip
    return "\n".join(lines)


def _with_unit(value: float | None, shape: str, size: float = 1.0) -> str:
    return "" if value is None else shape.format(value / size)


def _runs(runs: list[dict[str, Any]], now_us: int, columns: int | None) -> str:
    rows = [
        [
            str(run["id"])[:26],
            figures.printable(run["name"], 60),
            figures.printable(run["project"], 16),
            figures.duration(max(0, now_us - run["started_us"]) / 1e6),
            figures.figure({"value": run["energy_j"], "unit": "J"}),
        ]
        for run in runs
    ]
    heads = ("RUN", "NAME", "PROJECT", "SINCE", "ENERGY")
    return output.table(heads, rows, right=(3, 4), wrap=1, columns=columns)
