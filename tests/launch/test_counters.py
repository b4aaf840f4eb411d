"""A run's last counters as text: the names of the page, the figures of the document."""

from __future__ import annotations

import copy
import subprocess
from typing import TYPE_CHECKING, Any

from prometheus_client.parser import text_string_to_metric_families

from meter.launch import counters
from meter_exporters.metric_families import families
from tests.exporters.documents import document

if TYPE_CHECKING:
    from collections.abc import Callable


def samples(page: bytes) -> dict[tuple[str, str], float]:
    """Values by name and by what of the labels differs."""
    found = {}
    for family in text_string_to_metric_families(page.decode()):
        for one in family.samples:
            labels = ",".join(v for k, v in sorted(one.labels.items()) if k != "run")
            found[one.name, labels] = one.value
    return found


def test_names_help_and_labels_are_those_of_the_page() -> None:
    page = {name: (kind, text, labels) for name, kind, text, labels in families()}
    for name, text in counters.HELP.items():
        assert page[name][1] == text
    for family in text_string_to_metric_families(counters.text(document()).decode()):
        for one in family.samples:
            assert set(one.labels) == set(page[one.name][2])


def test_figures_are_those_of_the_document() -> None:
    made = document()
    found = samples(counters.text(made))
    energy = made["energy"]["by_component"]
    for part in ("gpu", "cpu", "ram"):
        name = "meter_run_energy_joules_total"
        assert found[name, f"{part},{energy[part]['method']}"] == energy[part]["value"]
    for cost in made["cost"]:
        key = "meter_run_cost_total", f"{cost['currency']},{cost['kind']}"
        assert found[key] == float(cost["amount"]["value"])
    grams = made["carbon"]["location"]["value"]
    assert found["meter_run_emissions_grams_total", "location,all"] == grams


def test_a_component_that_a_run_had_not_has_no_series() -> None:
    """A document tells of every component; the page only of those that a run has."""
    made = copy.deepcopy(document())
    energy = made["energy"]
    zero = energy["by_component"]["hosted"]
    assert (zero["value"], zero["high"], zero["method"]) == (0, 0, "assumed")
    energy["by_component"] |= {"gpu": zero, "ram": {**zero, "method": "modelled"}}
    energy["devices"] = [one for one in energy["devices"] if one["component"] != "gpu"]
    assert _components(made) == {"cpu,modelled", "ram,modelled"}


def test_hosted_energy_of_a_run_is_told() -> None:
    """Also where only a bound is known, whose value may be zero."""
    made = copy.deepcopy(document())
    hosted = made["energy"]["by_component"]["hosted"]
    made["energy"] |= {"by_component": {"hosted": {**hosted, "high": 7.0}}, "devices": []}
    assert _components(made) == {"hosted,assumed"}


def _components(made: dict[str, Any]) -> set[str]:
    found = samples(counters.text(made))
    return {labels for name, labels in found if name == "meter_run_energy_joules_total"}


def test_promtool_takes_hostile_names(require_tool: Callable[[str], str]) -> None:
    made = copy.deepcopy(document())
    made["run"] |= {"name": 'a"b\\c\nd\u202e🙂\ud800', "project": "x" * 10_000}
    page = counters.text(made)
    done = subprocess.run(
        [require_tool("promtool"), "check", "metrics"], input=page, capture_output=True
    )
    assert done.returncode == 0, done.stderr
    [info] = [
        f for f in text_string_to_metric_families(page.decode()) if f.name == "meter_run_info"
    ]
    assert info.samples[0].labels["name"] == 'a"b\\c\nd\u202e🙂?'
