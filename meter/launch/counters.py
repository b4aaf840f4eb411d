"""The last counters of a run as Prometheus text, for who is not scraped: short jobs.

From the run's document, so they are the figures of the summary. Names, labels and help are those
of /metrics; of carbon a document tells sums, so its kind is "all".
"""

from __future__ import annotations

TYPE_CHECKING = False  # `typing` would be paid by each job's start
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

HELP = {
    "meter_run_energy_joules_total": "Energy of a run so far, in joules.",
    "meter_run_cost_total": "Money of a run so far at the factors known when it was booked, in"
    " units of the currency.",
    "meter_run_emissions_grams_total": "Carbon dioxide equivalent of a run so far at the factors"
    " known when it was booked, in grams.",
    "meter_run_info": "A run that lives or ended a short while ago.",
    "meter_run_start_timestamp_seconds": "When a run began, in seconds since 1970 UTC.",
    "meter_run_end_timestamp_seconds": "When a run ended, in seconds since 1970 UTC; absent while"
    " it lives.",
}
"""As on the page: who reads both must not find two texts of one name."""


def text(document: Mapping[str, Any]) -> bytes:
    """The page of one run."""
    lines: list[str] = []
    for name, kind, samples in _families(document):
        if samples:
            lines += [f"# HELP {name} {HELP[name]}", f"# TYPE {name} {kind}"]
            lines += [f"{name}{{{_labels(labels)}}} {value!r}" for labels, value in samples]
    return ("\n".join(lines) + "\n").encode(errors="replace")


def _families(
    document: Mapping[str, Any],
) -> Iterator[tuple[str, str, list[tuple[dict[str, str], float]]]]:
    run = document["run"]
    own = {"run": str(run["id"])}
    told = document["energy"]
    held = {str(device["component"]) for device in told["devices"]}
    energy = [
        ({**own, "component": part, "method": str(q["method"])}, float(q["value"]))
        for part, q in told["by_component"].items()
        if q is not None and (part in held or q["high"])  # else a zero of what the run had not
    ]
    yield "meter_run_energy_joules_total", "counter", energy
    cost = [
        ({**own, "kind": str(c["kind"]), "currency": str(c["currency"])},
         float(c["amount"]["value"]))
        for c in document["cost"]
    ]  # fmt: skip
    yield "meter_run_cost_total", "counter", cost
    carbon = [
        ({**own, "kind": "all", "basis": basis}, float(document["carbon"][basis]["value"]))
        for basis in ("location", "market")
        if document["carbon"].get(basis) is not None
    ]
    yield "meter_run_emissions_grams_total", "counter", carbon
    simulated = "true" if document["simulated"] else "false"
    named = {"name": str(run["name"]), "project": str(run["project"]), "simulated": simulated}
    yield "meter_run_info", "gauge", [({**own, **named}, 1.0)]
    for word in ("start", "end"):
        at = run[f"{word}ed_at" if word == "start" else "ended_at"]
        instants = [] if at is None else [(own, _seconds(str(at)))]
        yield f"meter_run_{word}_timestamp_seconds", "gauge", instants


def _seconds(at: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(at).timestamp()


def _labels(labels: Mapping[str, str]) -> str:
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in sorted(labels.items()))


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
