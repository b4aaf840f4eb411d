"""Rules: checked by promtool, each alert tested both ways and explained by a page."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest
import yaml

from dashboards.asked import FOLDER, ROOT, RULES, alerts, rules

if TYPE_CHECKING:
    from collections.abc import Callable

TESTS = sorted((FOLDER / "rules" / "tests").glob("*.yml"))
RUNBOOKS = ROOT / "docs" / "runbooks"
NAMED = pytest.mark.parametrize("alert", alerts(), ids=lambda rule: rule["alert"])


def test_promtool_finds_nothing_to_blame(require_tool: Callable[[str], str]) -> None:
    command = [require_tool("promtool"), "check", "rules", "--lint=all", "--lint-fatal", *RULES]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_rules_do_what_their_tests_say(path, require_tool: Callable[[str], str]) -> None:
    done = subprocess.run(
        [require_tool("promtool"), "test", "rules", path], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


@NAMED
def test_an_alert_is_tested_where_it_fires_and_where_not(alert) -> None:
    fires = set()
    for path in TESTS:
        for test in yaml.safe_load(path.read_text())["tests"]:
            for check in test.get("alert_rule_test", ()):
                if check["alertname"] == alert["alert"]:
                    fires.add(bool(check["exp_alerts"]))
    assert fires == {True, False}


@NAMED
def test_an_alert_says_how_bad_it_is_and_what_to_do(alert) -> None:
    assert alert["labels"]["severity"] in {"critical", "warning", "info"}
    assert alert["annotations"]["summary"].endswith(".")
    assert alert["annotations"]["description"].endswith(".")
    page = ROOT / alert["annotations"]["runbook_url"]
    assert page == RUNBOOKS / f"{alert['alert']}.md"
    text = page.read_text()
    assert text.startswith(f"# {alert['alert']}\n")
    assert [
        head for head in ("## What it means", "## How to look", "## What to do") if head not in text
    ] == []
    assert len([line for line in text.splitlines() if line.strip()]) >= 9


def test_every_page_is_an_alerts() -> None:
    assert {path.stem for path in RUNBOOKS.glob("Meter*.md")} == {
        rule["alert"] for rule in alerts()
    }


def test_recorded_names_are_level_metric_operation() -> None:
    for rule in rules():
        if "record" in rule:
            assert re.fullmatch(r"[a-z_]+:meter_[a-z_]+:[a-z_0-9]+", rule["record"])
            assert "_total" not in rule["record"]


def test_every_alert_and_every_recorded_name_is_in_the_document() -> None:
    text = (ROOT / "docs" / "grafana.md").read_text()
    for rule in rules():
        if "alert" in rule:
            name, severity = rule["alert"], rule["labels"]["severity"]
            assert f"| [{name}](runbooks/{name}.md) | {severity} |" in text
        else:
            assert f"| `{rule['record']}` |" in text
