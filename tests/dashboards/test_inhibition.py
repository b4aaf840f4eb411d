"""What the shipped Alertmanager configuration keeps back, proven on a real Alertmanager."""

from __future__ import annotations

import json
import subprocess
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import yaml

from agent.agents import until
from dashboards.asked import FOLDER, alerts
from dashboards.servers import Receiver, alertmanager, receiver
from dashboards.story import AT_ONCE, OTHERS, receiving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SEVERITY = {rule["alert"]: rule["labels"]["severity"] for rule in alerts()}
HERE, THERE = "a:9850", "b:9850"


@dataclass
class Alerting:
    """An Alertmanager that is told of alerts as Prometheus tells it, and who hears from it."""

    amtool: str
    address: str
    hears: Receiver

    def _amtool(self, *words: str) -> str:
        command = [self.amtool, f"--alertmanager.url=http://{self.address}", *words]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def tell(self, name: str, instance: str, *, over: bool = False, **labels: str) -> None:
        """Of one that fires, or that is over."""
        told = {"alertname": name, "severity": SEVERITY[name], "instance": instance,
                "job": "meter", **labels}  # fmt: skip
        ends = ["--end=2026-01-01T00:00:00Z", "--start=2025-12-31T00:00:00Z"] if over else []
        self._amtool("alert", "add", *ends, *(f"{key}={value}" for key, value in told.items()))

    def kept_back(self) -> set[tuple[str, str]]:
        """Names and instances of alerts that others inhibit."""
        found = json.loads(self._amtool("alert", "query", "--inhibited", "--output=json"))
        return {
            (one["labels"]["alertname"], one["labels"]["instance"])
            for one in found
            if one["status"]["inhibitedBy"]
        }

    def heard(self, name: str, path: str = OTHERS) -> set[str]:
        """Instances of which an alert of that name came."""
        return {alert["labels"]["instance"] for alert in self.hears.alerts(path, name)}

    def settle(self) -> None:
        """Wait until an alert that is told of now has come: so has what was told of before it."""
        number = len(self.hears.came)
        self.tell("MeterSamplesDropped", f"later-{number}:9850")
        until(lambda: f"later-{number}:9850" in self.heard("MeterSamplesDropped"), "the last one")


@pytest.fixture
def alerting(tmp_path: Path, require_tool: Callable[[str], str]) -> Iterator[Alerting]:
    program, amtool = require_tool("prometheus-alertmanager"), require_tool("amtool")
    with ExitStack() as stack:
        hears = stack.enter_context(receiver())
        address = stack.enter_context(alertmanager(program, tmp_path, receiving(hears.url)))
        yield Alerting(amtool, address, hears)


def test_of_an_agent_that_is_down_nothing_else_is_told_and_of_others_all(
    alerting: Alerting,
) -> None:
    quiet = sorted(name for name, severity in SEVERITY.items() if severity != "critical")
    alerting.tell("MeterAgentDown", HERE)
    until(lambda: HERE in alerting.heard("MeterAgentDown", AT_ONCE), "the agent's alert")
    for name in quiet:
        alerting.tell(name, HERE, run=name)  # no two are of one run: budgets have a rule of theirs
        alerting.tell(name, THERE, run=name)
    alerting.tell("MeterStoreFailing", HERE)
    alerting.tell("MeterEnergyGap", HERE, job="meter-lab")
    until(lambda: all(THERE in alerting.heard(name) for name in quiet), "those of the other")
    alerting.settle()
    assert alerting.kept_back() >= {(name, HERE) for name in quiet}
    assert {instance for _, instance in alerting.kept_back()} == {HERE}
    assert [name for name in quiet if HERE in alerting.heard(name)] == ["MeterEnergyGap"]
    jobs = {one["labels"]["job"] for one in alerting.hears.alerts(OTHERS, "MeterEnergyGap")
            if one["labels"]["instance"] == HERE}  # fmt: skip
    assert jobs == {"meter-lab"}
    assert HERE in alerting.heard("MeterStoreFailing", AT_ONCE)  # as bad, and not of the scrape


def test_what_an_agent_that_is_back_still_has_is_told_then(alerting: Alerting) -> None:
    alerting.tell("MeterAgentDown", HERE)
    alerting.tell("MeterRunStalled", HERE, run="r")
    until(lambda: alerting.kept_back() == {("MeterRunStalled", HERE)}, "inhibition")
    alerting.settle()
    assert alerting.heard("MeterRunStalled") == set()
    alerting.tell("MeterAgentDown", HERE, over=True)
    until(lambda: HERE in alerting.heard("MeterRunStalled"), "what was kept back")
    assert alerting.kept_back() == set()


def test_a_budget_that_is_exceeded_keeps_back_its_own_forecast_alone(alerting: Alerting) -> None:
    exceeded, forecast = "MeterRunBudgetExceeded", "MeterRunBudgetForecastExceeded"
    alerting.tell(exceeded, HERE, run="r", unit="EUR")
    until(lambda: HERE in alerting.heard(exceeded), "the budget's alert")
    for run, unit in (("r", "EUR"), ("r", "kWh"), ("other", "EUR")):
        alerting.tell(forecast, HERE, run=run, unit=unit)

    def told() -> set[tuple[str, str]]:
        found = alerting.hears.alerts(OTHERS, forecast)
        return {(one["labels"]["run"], one["labels"]["unit"]) for one in found}

    until(lambda: told() == {("r", "kWh"), ("other", "EUR")}, "the other forecasts")
    alerting.settle()
    assert told() == {("r", "kWh"), ("other", "EUR")}


def test_every_alert_says_whose_it_is_by_the_labels_that_inhibition_compares() -> None:
    told = [
        (check["alertname"], one["exp_labels"])
        for path in (FOLDER / "rules" / "tests").glob("*.yml")
        for test in yaml.safe_load(path.read_text())["tests"]
        for check in test.get("alert_rule_test", ())
        for one in check["exp_alerts"]
    ]
    assert {name for name, _ in told} == SEVERITY.keys()
    assert [name for name, labels in told if not labels.keys() >= {"job", "instance"}] == []
