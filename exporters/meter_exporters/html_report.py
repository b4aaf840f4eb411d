"""The report of a run as one HTML file: no script, nothing loaded, charts inside.

Every text of others goes through autoescape and loses its control characters. The same document
and series give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from meter import __version__, figures
from meter_exporters import charts
from meter_exporters.axes import elapsed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_CARBON_ROWS = (
    ("location", "Location-based"),
    ("overhead", "of which facility overhead"),
    ("market", "Market-based"),
    ("market_default", "of which without an instrument"),
    ("tnd", "Transmission and distribution loss, apart"),
    ("embodied", "Embodied in hardware, amortised, apart"),
    ("embodied_board", "of which GPU boards"),
    ("embodied_server", "of which the rest of the servers"),
)
_PARTS = frozenset({"market_default", "embodied_board", "embodied_server"})
_MOST_CHANGES = 30
_MOST_EPOCHS = 50
_LONG = 120
_METHODS = ("measured", "simulated", "sourced", "modelled", "assumed")


def export(document: Mapping[str, Any], series: Sequence[Mapping[str, Any]]) -> bytes:
    """The report in UTF-8; an empty series leaves the charts out and says so."""
    template = environment().get_template("report.html.j2")
    return template.render(_context(document, series)).encode("utf-8", "replace")


@cache
def environment() -> Environment:
    """Templates whose every text goes through autoescape."""
    made = Environment(
        loader=PackageLoader("meter_exporters"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_clean,
    )
    made.filters.update(
        figure=figures.figure,
        bounds=figures.bounds,
        duration=figures.duration,
        percent=figures.percent,
        instant=figures.instant,
        component=figures.component,
        cost_kind=figures.cost_kind,
        factor_kind=figures.factor_kind,
        factor_value=figures.factor_value,
        factor_source=figures.factor_source,
        elapsed=lambda seconds: elapsed(float(f"{seconds:.2g}")),
        fixed="{:.1f}".format,
    )
    return made


def _clean(value: object) -> object:
    """No control or direction-changing characters in what the template prints."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in value)
    return value


def _context(told: Mapping[str, Any], series: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    document = figures.readable(told)
    energy = document["energy"]
    devices = figures.devices(document)
    groups = charts.groups_of(devices)
    carbon = document.get("carbon") or {}
    return {
        "document": document,
        "method_label": partial(figures.method, simulated=bool(document.get("simulated"))),
        "run": document["run"],
        "energy": energy,
        "devices": devices,
        "carbon_rows": [(carbon[key], label) for key, label in _CARBON_ROWS if carbon.get(key)],
        "not_stated": _not_stated(document),
        "factors": document.get("factors", ()),
        "notices": sorted(
            document.get("notices", ()), key=lambda notice: notice.get("severity") != "warning"
        ),
        "household": figures.household(document),
        "household_days": _household_days(document),
        "methods": _methods(document),
        "device_label": lambda device: figures.method(
            device["method"], simulated=device.get("simulated", bool(document.get("simulated")))
        ),
        "mixed": [device["method"] for device in energy["devices"] if _mixed(document)],
        "tile_columns": _columns(2 + len(document.get("cost", ())) + bool(energy.get("facility"))),
        "groups": {device: group for group in groups for device in group.device_ids},
        "charts": _charts(document, groups, series),
        "only_bound": figures.is_bound(energy["it"]),
        "box": charts,
        "Markup": Markup,
        "version": __version__,
        "fingerprint": fingerprint(told),
        **_statement(document),
        **_marked(document),
    }


def _marked(document: Mapping[str, Any]) -> dict[str, Any]:
    """Phases and epochs as rows with a name, and what a step took."""
    phases, epochs = document.get("phases") or (), document.get("epochs") or ()
    shown = epochs[-_MOST_EPOCHS:]
    steps = document.get("steps") or {}
    return {
        "marked": [
            ("Phases", "Phase", [(_phase_name(one), one) for one in phases], 0),
            (
                "Epochs",
                "Epoch",
                [(_epoch_name(one), one) for one in shown],
                len(epochs) - len(shown),
            ),
        ],
        "steps_median": {"value": steps.get("median_j", 0), "unit": "J"},
        "steps_p95": {"value": steps.get("p95_j", 0), "unit": "J"},
    }


def _phase_name(phase: Mapping[str, Any]) -> str:
    times = phase["times"]
    return f"{phase['phase']} ({times:,} times)" if times > 1 else str(phase["phase"])


def _epoch_name(epoch: Mapping[str, Any]) -> str:
    training = f" of training {epoch['training']}" if epoch.get("training", 1) > 1 else ""
    part = f", up to {figures.plain(epoch['to'])}" if epoch["to"] < epoch["epoch"] else ""
    return f"{epoch['epoch']}{training}{part}"


def _not_stated(document: Mapping[str, Any]) -> list[str]:
    """What this document says nothing about: unknown is said, not left out."""
    carbon = document.get("carbon") or {}
    missing = [
        label.removeprefix("of which ").removesuffix(", apart").removesuffix(", amortised")
        for key, label in _CARBON_ROWS
        if key not in _PARTS and not carbon.get(key)
    ]
    if not document.get("water"):
        missing.append("Water")
    return [label[0].lower() + label[1:] for label in missing]


def _household_days(document: Mapping[str, Any]) -> str:
    found = figures.household(document)
    return figures.number(found[0], 2) if found else ""


def _methods(document: Mapping[str, Any]) -> list[tuple[str, float]]:
    """Share of the IT energy by method, strongest first, for the bar; measured as stated."""
    simulated = bool(document.get("simulated"))
    measured = figures.measured_share(document)
    joules: dict[str, float] = {}
    for device in document["energy"]["devices"]:
        if device["method"] != "measured":
            value = max(0.0, float(device["energy"]["value"]))
            joules[device["method"]] = joules.get(device["method"], 0.0) + value
    others = sum(joules.values())
    shares = {figures.method("measured", simulated=simulated): measured}
    shares |= {name: (1 - measured) * value / others for name, value in joules.items() if others}
    return [(name, shares[name]) for name in _METHODS if shares.get(name)]


def _mixed(document: Mapping[str, Any]) -> bool:
    """Whether energies of several methods are added, so that a sum's label holds in part."""
    return len(_methods(document)) > 1


def _columns(tiles: int) -> int:
    """Columns that leave the last row of tiles as full as can be."""
    return min((4, 3), key=lambda columns: (-tiles % columns, -columns)) if tiles > 2 else 2


def _charts(
    document: Mapping[str, Any],
    groups: Sequence[charts.Group],
    series: Sequence[Mapping[str, Any]],
) -> list[charts.Chart]:
    if figures.is_bound(document["energy"]["it"]):  # a curve of it would look like an estimate
        return []
    start_us = _microseconds(document["run"]["started_at"])
    curves = charts.curves_of(series, start_us)
    shown = [group for group in groups if group.device_ids & curves.keys()]
    ends = [curve.seconds[-1] for curve in curves.values()]
    duration_s = float(document["run"].get("duration_s") or 0) or max(ends, default=0.0)
    if not shown or duration_s <= 0 or all(len(c.seconds) < 2 for c in curves.values()):
        return []
    totals = {d["id"]: float(d["energy"]["value"]) for d in document["energy"]["devices"]}
    curves = {
        device: charts.bridged(curve, totals.get(device, 0.0), duration_s)
        for device, curve in curves.items()
    }
    return [
        charts.power_chart(shown, curves, duration_s),
        charts.energy_chart(shown, curves, duration_s),
    ]


def _microseconds(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1e6)


def _statement(document: Mapping[str, Any]) -> dict[str, Any]:
    """The statement that a sealed report is, and what it changes of the one before."""
    statement = document.get("statement")
    found = (statement or {}).get("difference") or ()
    changes = [
        {"path": one["path"], "old": _changed(one, "old"), "new": _changed(one, "new")}
        for one in found[:_MOST_CHANGES]
    ]
    return {
        "statement": statement,
        "changes": changes,
        "changes_left": max(0, len(found) - _MOST_CHANGES),
    }


def _changed(change: Mapping[str, Any], side: str) -> str:
    if side not in change:
        return "none"
    value = change[side]
    if isinstance(value, dict):
        parts = [value[key] for key in ("kind", "value", "unit", "text") if key in value]
        value = ", ".join(map(str, parts)) or json.dumps(value)
    return figures.printable(value if isinstance(value, str) else json.dumps(value), _LONG)


def fingerprint(document: Mapping[str, Any]) -> str:
    """SHA-256 of the document in canonical JSON, as a statement has it, without the statement."""
    sealed = {key: value for key, value in document.items() if key != "statement"}
    canonical = json.dumps(sealed, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode("utf-8", "backslashreplace")).hexdigest()
