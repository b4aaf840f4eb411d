"""Dashboards: generated, within the rules of a linter, and about series that exist."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import promql_parser
import pytest

from dashboards.asked import (
    BOARDS,
    Asked,
    alerts,
    notes,
    panels,
    questions,
    read,
    rules,
    targets,
)
from grafana import generate
from grafana.boards.parts import CURRENCIES, WIDTHS, scoped
from grafana.boards.questions import MOST_DRAWN
from meter_exporters.metric_families import FAMILIES, families

ALL = pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
OWN_OF_PROMETHEUS = {
    "up": set(), "scrape_duration_seconds": set(), "scrape_samples_scraped": set(),
    "ALERTS": {"alertname", "alertstate", "severity"},
    "ALERTS_FOR_STATE": {"alertname", "severity"},
}  # fmt: skip
TARGET = {"job", "instance"}
TOTALS_OF_RUNS = re.compile(r"meter_run_\w+_total")
"""Whole-run figures: their maximum is the figure, an increase would extrapolate."""
SO_FAR = {
    "run: Energy so far", "run: Money so far", "run: Carbon so far",
    "run: Energy: so far, and at the end by forecast",
    "hosted: Money so far by provider and kind", "carbon: Location- and market-based so far",
}  # fmt: skip
"""Panels that show a total as it stands."""
SCHEMA = Path(__file__).with_name("grafana-dashboard.json")
"""Grafana's own types of a dashboard (@grafana/schema 13.2.3, Apache-2.0) as a JSON Schema, made
by ts-json-schema-generator with --additional-properties; its descriptions are left out.
test_schema.py makes it anew and compares."""
UNITS = {
    "none", "short", "percentunit", "watt", "joule", "kwatth", "massg", "celsius", "bytes", "s",
    "dateTimeAsIso", "dateTimeFromNow", "suffix:g/kWh", "suffix:d",
    *(f"currency{code}" for code in CURRENCIES),
}  # fmt: skip
"""Looked up in getValueFormats() of @grafana/data 11.6.0; any suffix is one."""
LAPTOP_PX, FRAME_PX = 1_366, 24
"""Width of a small screen, and what of a panel is its frame."""
OTHER_PX = 150
"""Width that Grafana gives to a column at least."""
CORE = {"timeseries", "stat", "table", "bargauge"}


def selectors(text: str) -> list[Any]:
    """Every vector selector of an expression, with the function or range it stands in."""
    found: list[Any] = []

    def walk(node: Any, around: str) -> None:
        kind = type(node).__name__
        if kind == "VectorSelector":
            found.append((node, around))
        elif kind == "MatrixSelector":
            found.append((node.vector_selector, around))
        elif kind == "Call":
            for argument in node.args:
                walk(argument, node.func.name)
        else:
            for name in ("expr", "lhs", "rhs", "param"):
                inner = getattr(node, name, None)
                if inner is not None:
                    walk(inner, "")

    walk(promql_parser.parse(text), "")
    return found


def known_labels() -> dict[str, set[str]]:
    known = {name: set(labels) | TARGET for name, _, _, labels in families()}
    known |= {name: labels | TARGET for name, labels in OWN_OF_PROMETHEUS.items()}
    recorded = {
        "run:meter_run_energy_joules:sum": {"run"},
        "run:meter_run_budget_forecast:ratio": {"run", "unit"},
        "project:meter_project_budget_forecast:ratio": {"project", "unit"},
        "instance:meter_gpu_power_watts:sum": set(),
    }
    assert set(recorded) == {rule["record"] for rule in rules() if "record" in rule}
    return known | {name: labels | TARGET for name, labels in recorded.items()}


def labels_in(text: str, known: dict[str, set[str]]) -> set[str]:
    """Labels that an expression may name: those of its series, and those that it makes."""
    made = set(re.findall(r'[)}], "([a-z]+)", "', text))
    return set.union(made, *(known[selector.name] for selector, _ in selectors(text)))


def test_every_file_is_what_the_boards_say() -> None:
    assert generate.main(["--check"]) == 0
    assert {path.stem for path in BOARDS} == set(generate.NAMES)


def test_a_file_that_was_changed_by_hand_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in BOARDS:
        (tmp_path / path.name).write_text(path.read_text())
    monkeypatch.setattr(generate, "FOLDER", tmp_path)
    assert generate.main(["--check"]) == 0
    (tmp_path / "run.json").write_text("{}")
    (tmp_path / "stray.json").write_text("{}")
    assert generate.main(["--check"]) == 1
    assert "run.json" in capsys.readouterr().err
    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0
    assert not (tmp_path / "stray.json").exists()


def faults(board: dict[str, Any]) -> list[str]:
    schema = json.loads(SCHEMA.read_text())
    return [error.message for error in jsonschema.Draft7Validator(schema).iter_errors(board)]


@ALL
def test_a_board_is_as_grafanas_own_types_say(path: Path) -> None:
    assert faults(read(path)) == []


@pytest.mark.parametrize(
    "change",
    [{"refresh": 30}, {"graphTooltip": 7}, {"tags": "meter"}, {"panels": [{"title": "no type"}]}],
)
def test_what_grafanas_types_do_not_know_would_be_found(change: dict[str, Any]) -> None:
    assert faults({**read(BOARDS[0]), **change})


@ALL
def test_every_unit_is_one_that_grafana_knows(path: Path) -> None:
    for panel in panels(read(path)):
        changes = [p for o in panel["fieldConfig"]["overrides"] for p in o["properties"]]
        units = {panel["fieldConfig"]["defaults"]["unit"]}
        units |= {change["value"] for change in changes if change["id"] == "unit"}
        assert units <= UNITS, panel["title"]


def test_uids_and_titles_are_one_boards_alone() -> None:
    boards = [read(path) for path in BOARDS]
    assert len({board["uid"] for board in boards}) == len(boards) == 6
    assert len({board["title"] for board in boards}) == len(boards)


@ALL
def test_variables_are_as_the_linter_asks(path: Path) -> None:
    first, *others = read(path)["templating"]["list"]
    assert (first["name"], first["label"], first["query"]) == (
        "datasource",
        "Data source",
        "prometheus",
    )
    assert [variable["name"] for variable in others][:2] == ["job", "instance"]
    for variable in others:
        assert variable["label"] == variable["name"].title()
        assert variable["datasource"] == SOURCE
        assert variable["multi"]
        assert variable["includeAll"]
        # all runs are those of the chosen projects: panels ask for runs alone
        assert variable.get("allValue") == (None if variable["name"] == "run" else ".+")
        assert variable["refresh"] == 2


@ALL
def test_every_panel_tells_what_it_shows(path: Path) -> None:
    board = read(path)
    assert board["editable"] is False
    assert board["schemaVersion"] == 41
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    for panel in panels(board):
        assert panel["type"] in CORE
        assert panel["title"]
        assert panel["description"].endswith((".", "one.")), panel["title"]
        assert panel["datasource"] == SOURCE
        assert panel["targets"]
        defaults = panel["fieldConfig"]["defaults"]
        assert defaults["unit"]
        for target in panel["targets"]:
            assert target["datasource"] == SOURCE


WATCHED = re.compile(
    r"budget|\bidle\b|^Idle share|Gaps|Hottest|Temperature|fail|Failed|down|left out|lost"
    r"|[Ww]ithout a price|Age of|Cost of a scrape|Series of a scrape|^Sources$"
    r"|intensity in force|PUE in force|overhead"
)
"""Titles of panels that show what is to be good or bad."""
SCALE = ("green", "yellow", "red")


def limits(panel: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """Of a panel's figures, and of each column that has some of its own."""
    found = [panel["fieldConfig"]["defaults"]["thresholds"]["steps"]]
    for override in panel["fieldConfig"].get("overrides", ()):
        found += [p["value"]["steps"] for p in override["properties"] if p["id"] == "thresholds"]
    return [steps for steps in found if len(steps) > 1]


@ALL
def test_what_can_be_good_or_bad_has_thresholds_and_they_make_a_scale(path: Path) -> None:
    for panel in panels(read(path)):
        found = limits(panel)
        assert found or not WATCHED.search(panel["title"]), panel["title"]
        for steps in found:
            first, *others = [step.get("value") for step in steps]
            assert first is None, panel["title"]
            assert others == sorted(set(others)), panel["title"]
            colors = [step["color"] for step in steps if step["color"] != "text"]
            ranks = [SCALE.index(color) for color in colors]
            assert ranks in (sorted(set(ranks)), sorted(set(ranks), reverse=True)), panel["title"]
            assert panel["fieldConfig"]["defaults"].get("max") != 1 or max(others) <= 1, panel


@ALL
def test_panels_fill_the_grid_without_overlap(path: Path) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in read(path)["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells


@pytest.mark.parametrize("asked", questions(), ids=lambda asked: asked.where)
def test_every_expression_parses_and_asks_for_what_is_served(asked: Asked) -> None:
    known = known_labels()
    text = asked.placed()
    found = selectors(text)
    named = set(re.findall(r"\b(?:[a-z]+:)?meter_[a-z_]+\b(?::[a-z]+)?", text))
    assert found
    assert named == {each.name for each, _ in found if "meter_" in each.name}
    for selector, _ in found:
        assert selector.name in known, selector.name
        matched = {matcher.name for matcher in selector.matchers.matchers}
        assert matched <= known[selector.name], selector.name
    labels = labels_in(text, known)
    for group in re.findall(r"\b(?:by|without|on|group_left|group_right)\s*\(([^)]*)\)", text):
        assert set(filter(None, re.split(r"[,\s]+", group))) <= labels, asked.where


@ALL
def test_legends_and_columns_are_labels_that_exist(path: Path) -> None:
    known = known_labels()
    for panel in panels(read(path)):
        for target in panel["targets"]:
            text = Asked("", target["expr"]).placed()
            labels = labels_in(text, known)
            asked = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            assert asked <= labels, panel["title"]
            for change in panel.get("transformations", ()):
                columns = change["options"].get("includeByName", {})
                named = {name for name in columns if not name.startswith("Value")}
                assert named <= labels, panel["title"]


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_every_selector_is_in_the_boards_scope(path: Path) -> None:
    for asked in (*targets(path), *notes(path)):
        for selector, _ in selectors(asked.placed()):
            matched = {(m.name, str(m.op)) for m in selector.matchers.matchers}
            assert {name for name, _ in matched} >= TARGET, asked.where
        assert asked.expression.count('job=~"$job"') == asked.expression.count("instance=~")


@ALL
def test_rates_take_the_interval_of_the_board_and_counters_a_rate(path: Path) -> None:
    for asked in targets(path):
        for call in re.findall(r"\brate\([^\[]*\[([^\]]*)\]", asked.expression):
            assert call == "$__rate_interval", asked.where
        for call in re.findall(r"\bincrease\([^\[]*\[([^\]]*)\]", asked.expression):
            assert call == "$__range", asked.where
        for selector, around in selectors(asked.placed()):
            if not selector.name.endswith("_total"):
                assert around not in {"rate", "increase"}, asked.where
            elif around not in {"rate", "increase"}:
                whole = around == "max_over_time" and TOTALS_OF_RUNS.fullmatch(selector.name)
                assert whole or asked.where[:-2] in SO_FAR, asked.where


def test_links_lead_to_boards_that_exist_with_variables_that_they_have() -> None:
    boards = {read(path)["uid"]: read(path) for path in BOARDS}
    found = 0
    for path in BOARDS:
        text = path.read_text()
        for url in re.findall(r'"url": "(/d/[^"]*)"', text):
            found += 1
            uid = url.split("/")[2].partition("?")[0]
            names = {variable["name"] for variable in boards[uid]["templating"]["list"]}
            assert set(re.findall(r"var-(\w+)=", url)) <= names
        [link] = read(path)["links"]
        assert link["tags"] == ["meter"]
        assert link["asDropdown"]
        assert "meter" in read(path)["tags"]
    assert found > 2


@ALL
def test_a_link_takes_its_values_from_columns_that_are_shown(path: Path) -> None:
    for panel in panels(read(path)):
        text = json.dumps(panel["fieldConfig"]["overrides"])
        asked = set(re.findall(r"__data\.fields\.(\w+)", text))
        shown: set[str] = set()
        for change in panel.get("transformations", ()):
            renamed = change["options"].get("renameByName", {})
            shown |= {renamed.get(n, n) for n in change["options"].get("includeByName", {})}
        assert asked <= shown, panel["title"]


@pytest.mark.parametrize("name", ["overview", "fleet"])
def test_runs_begin_and_end_on_boards_of_many_and_the_largest_alone_are_drawn(name: str) -> None:
    [path] = [path for path in BOARDS if path.stem == name]
    listed = {note["name"]: note for note in read(path)["annotations"]["list"]}
    assert set(listed) == {"Starts", "Ends"}
    for note in listed.values():
        assert note["useValueForTime"]
        assert f"topk({MOST_DRAWN}, " in note["expr"]
        assert "@ end()" in note["expr"]  # the same ones at each step


@ALL
def test_carbon_is_in_grams_that_scale_and_what_is_long_has_room(path: Path) -> None:
    for panel in panels(read(path)):
        if "emissions_grams" in panel["targets"][0]["expr"] and "kWh" not in panel["title"]:
            assert panel["fieldConfig"]["defaults"]["unit"] in {"massg", "percentunit"}
        overrides = panel["fieldConfig"]["overrides"]
        wide = {o["matcher"]["options"]: p["value"] for o in overrides for p in o["properties"]
                if p["id"] == "custom.width"}  # fmt: skip
        for change in [c for c in panel.get("transformations", ()) if c["id"] == "organize"]:
            heads = change["options"].get("renameByName", {})
            shown = {heads.get(n, n) for n in change["options"].get("includeByName", {})}
            assert shown & WIDTHS.keys() == wide.keys(), panel["title"]
            hidden = {o["matcher"]["options"] for o in overrides for p in o["properties"]
                      if p["id"] == "custom.hidden"}  # fmt: skip
            needed = sum(wide.values()) + OTHER_PX * len(shown - wide.keys() - hidden)
            assert needed <= panel["gridPos"]["w"] / 24 * LAPTOP_PX - FRAME_PX, panel["title"]


def test_runs_begin_end_and_change_their_phase_on_the_board_of_the_run() -> None:
    [path] = [path for path in BOARDS if path.stem == "run"]
    listed = {note["name"]: note for note in read(path)["annotations"]["list"]}
    assert set(listed) == {"Starts", "Ends", "Phases"}
    assert listed["Starts"]["useValueForTime"]
    assert listed["Ends"]["useValueForTime"]


def test_scope_is_given_to_series_and_not_to_words() -> None:
    given = 'sum by (run) (meter_a_total{x="1"}) * on (run) group_left (meter_b) up'
    here = 'job=~"$job", instance=~"$instance"'
    assert scoped(given) == (
        f'sum by (run) (meter_a_total{{{here}, x="1"}})'
        f" * on (run) group_left (meter_b) up{{{here}}}"
    )
    assert scoped("run:meter_a:sum") == f"run:meter_a:sum{{{here}}}"


def test_alerts_on_a_board_are_those_that_there_are() -> None:
    assert all(rule["alert"].startswith("Meter") for rule in alerts())


def test_exemplars_are_asked_for_where_there_are_some_and_over_time_only() -> None:
    having = {family.name for family in FAMILIES if family.exemplars}
    asked = [
        (panel["type"], target)
        for path in BOARDS for panel in panels(read(path)) for target in panel["targets"]
        if target.get("exemplar")
    ]  # fmt: skip
    assert {kind for kind, _ in asked} == {"timeseries"}
    named = [
        {found.name for found, _ in selectors(Asked("", one["expr"]).placed())} for _, one in asked
    ]
    assert all(names <= having for names in named), named
    assert set.union(*named) == having
