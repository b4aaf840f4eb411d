"""A real Prometheus scrapes a real agent on the stand-in, and every question gets an answer there.

One run lives, one has ended, one uses its GPU for nothing and is over its budget; hosted usage
comes with a price and without.
"""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from agent.agents import Agent, agent, until
from dashboards.asked import BOARDS, RULES, Asked, alerts, notes, read, ruled, targets
from dashboards.servers import Prometheus, prometheus
from standin.scenario import H100, Constant, Gpu, Process, Scenario
from tests.agent.test_live_intensity import KEY, hours, serve
from tests.factors.provider import provider
from tests.factors.sheets import PRICE
from tests.hosted.jobs.recorded import SHAPES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SEEN_S = 60
"""So long is scraped after everything is there; the boards' range is that and a little more."""
RANGE_S = 180
NOTHING_WRONG = {
    "MeterAgentDown": "the agent is up",
    "MeterCollectorFailing": "every source tells something",
    "MeterEnergyGap": "there is no gap of 30 s",
    "MeterSamplesDropped": "nothing was lost",
    "MeterStoreFailing": "the ledger can be written",
    "MeterSeriesDropped": "there are few series",
    "MeterProjectBudgetExceeded": "the projects' budgets are ample",
    "MeterElectricityPriceMissing": "the tariff has no end",
    "MeterIntensityStale": "the provider answers",
    "MeterHostedModelIdle": "the hosted model is asked something",
}
"""Alerts whose expressions have no answer here, and why."""
JOB = SHAPES / "openai_succeeded.json"
CONFIG = """
project = "chat"
[site]
name = "here"
zone = "FRA"
pue = 1.3
[electricity]
currency = "EUR"
price_per_kwh = 0.25
[gpu_time]
currency = "EUR"
rate_per_hour = 2
[budgets.chat]
month = ["50EUR", "20kWh"]
[intensity]
provider = "electricity-maps"
zone = "FR"
every_minutes = 5
url = "{url}"
[[market.instruments]]
type = "certificate"
g_per_kwh = 10
share = 0.6
quality = {{ attribute = true, unique = true, retired = true, vintage = true, market = true, residual = true }}
"""  # noqa: E501 - an inline table is one line


@dataclass
class Live:
    """The server that answers questions, and the agent that it scrapes."""

    prometheus: Prometheus
    agent: Agent

    def ask(self, path: str, **parameters: Any) -> dict[str, Any]:
        return self.prometheus.ask(path, **parameters)

    def now(self, expression: str) -> list[Any]:
        return self.prometheus.now(expression)

    def over_time(self, expression: str) -> list[Any]:
        return self.prometheus.over_time(expression, RANGE_S)


def usage(number: int, provider_: str, model: str, meter: str, quantity: float) -> dict[str, Any]:
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 60))
    return {
        "id": f"{meter}-{number}", "at": at, "provider": provider_, "model": model, "meter": meter,
        "quantity": quantity, "project": "bot",
    }  # fmt: skip


def work(node: Agent) -> None:
    """What happens on the node: three runs, usage of hosted models, and a job at a provider."""
    budgets = [{"amount": "0.05", "unit": "kWh"}, {"amount": "0.0001", "unit": "EUR"}]
    node.begin("live", name="sft", project="chat", gpus="0", budgets=budgets)
    node.begin("over", name="eval", project="chat", gpus="1")
    node.begin("idle", name="notebook", project="lab", gpus="2",
               budgets=[{"amount": "0.02", "unit": "kWh"}])  # fmt: skip
    env = {**node.environment}
    command = [sys.executable, "-m", "meter", "prices", "import", "--bundled"]
    subprocess.run(command, env=env, check=True, capture_output=True)
    time.sleep(3)
    for number, model in ((1, "ft:gpt-4o-2024-08-06"), (2, "nobody-knows")):
        for meter in ("input", "output"):
            event = usage(number, "openai", model, meter, 1_000_000)
            assert node.ask("POST", "/v1/usage", event)[0] == 201
    for event in (
        usage(3, "azure", "ft:x", "host_hour", 2),
        usage(4, "azure", "ft:x", "input", 10),
    ):
        assert node.ask("POST", "/v1/usage", {**event, "service_tier": "Standard"})[0] == 201
    old = {**PRICE, "provider": "elsewhere", "source_date": "2020-01-05"}
    assert node.ask("POST", "/v1/prices", {"prices": [old]})[0] == 201
    assert (
        node.ask("POST", "/v1/usage", usage(5, "elsewhere", old["model"], "input", 1000))[0] == 201
    )
    words = ["jobs", "import", str(JOB), "--provider", "openai", "--project", "bot"]
    subprocess.run([sys.executable, "-m", "meter", *words], env=env, check=True)
    node.end("over")


def train(node: Agent, until_s: float) -> None:
    """The live run marks what it does."""
    step = 0
    while time.monotonic() < until_s:
        step += 1
        mark = {"step": step, "tokens": 4096 * step, "fraction": round(0.01 + 0.001 * step, 6)}
        if step % 5 == 0:
            mark["phase"] = "train" if step % 10 else "eval"
        assert node.ask("POST", "/v1/runs/live/marks", mark)[0] == 202
        node.ask("POST", "/v1/runs/idle/marks", {"step": 1, "fraction": 0.02})
        time.sleep(1)


@pytest.fixture(scope="module")
def asked(
    tmp_path_factory: pytest.TempPathFactory, require_tool: Callable[[str], str]
) -> Iterator[Live]:
    server, _ = require_tool("prometheus"), require_tool("cc")
    folder = tmp_path_factory.mktemp("live")
    busy = [Process(pid="self", memory_bytes=1 << 30, sm_percent=90)]
    gpus = [
        Gpu(power=Constant(400), sensor=H100, processes=busy),
        Gpu(power=Constant(300), sensor=H100, processes=busy),
        Gpu(power=Constant(70), sensor=H100),
        Gpu(power=Constant(60), sensor=H100),
    ]
    scenario = Scenario(gpus=gpus)
    scenario.write(folder)
    with ExitStack() as stack:
        told = stack.enter_context(provider())
        config = folder / "config.toml"
        config.write_text(CONFIG.format(url=told.url))

        class Now:
            def now_us(self) -> int:
                return time.time_ns() // 1_000

        serve(told, hours(Now(), 77))
        variables = {**scenario.environment(folder), "METER_SIMULATE": "",
                     "METER_CONFIG": str(config), "METER_INTENSITY_KEY": KEY}  # fmt: skip
        node = stack.enter_context(agent(folder, **variables))
        node.hear("reading")
        listens = node.ask("GET", "/v1/status")[1]["agent"]["listens"]
        [address] = [each for each in listens if "127.0.0.1" in each]
        target = address.rpartition("/")[2]
        served = stack.enter_context(prometheus(server, folder, target, RULES))
        found = Live(served, node)
        until(lambda: found.now("meter_build_info"), "a scrape")
        work(node)
        train(node, time.monotonic() + SEEN_S)
        yield found


def placed(asked_: Asked, **values: str) -> str:
    known = {"__range": f"{RANGE_S}s", "__rate_interval": "10s", **values}
    return asked_.placed(**known)


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_every_panel_has_data(asked: Live, path: Path) -> None:
    instant = {
        f"{path.stem}: {panel['title']} {target['refId']}": target["instant"]
        for panel in read(path)["panels"]
        for target in panel.get("targets", ())
    }
    empty = [
        (one.where, placed(one))
        for one in targets(path)
        if not (asked.now if instant[one.where] else asked.over_time)(placed(one))
    ]
    assert empty == []


def test_every_annotation_has_instants(asked: Live) -> None:
    drawn = [one for path in BOARDS for one in notes(path)]
    assert len(drawn) == 7
    assert [one.where for one in drawn if not asked.over_time(placed(one))] == []


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_every_variable_has_choices_and_a_single_one_narrows_the_panels(
    asked: Live, path: Path
) -> None:
    chosen = {}
    for variable in read(path)["templating"]["list"][1:]:
        series, _, label = variable["query"]["query"][len("label_values(") : -1].rpartition(",")
        found = asked.ask(
            f"label/{label.strip()}/values", **{"match[]": placed(Asked("", series))}
        )["data"]
        assert found, variable["name"]
        chosen[variable["name"]] = {"run": "live", "project": "bot" if path.stem == "hosted"
                                    else "chat"}.get(variable["name"], found[0])  # fmt: skip
        assert chosen[variable["name"]] in found
    narrow = {f"{name}": value for name, value in chosen.items()}
    answers = 0
    for one in targets(path):
        for series in asked.now(placed(one, **narrow)):
            answers += 1
            told = {name: series["metric"].get(name, value) for name, value in narrow.items()}
            assert told == narrow, one.where
        if "vector(" in one.expression:
            continue
        for name in narrow:
            if f"${name}" in one.expression:
                nobody = {**narrow, name: "nobody"}
                assert asked.now(placed(one, **nobody)) == [], (one.where, name)
    assert answers


def test_every_rule_is_evaluated_and_answers_or_has_a_reason(asked: Live) -> None:
    groups = asked.ask("rules")["data"]["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert [(rule["name"], rule.get("lastError")) for rule in rules if rule["health"] != "ok"] == []
    assert len(rules) == len(list(ruled()))
    soon = [(one.where, one.expression.replace("offset 15m", "offset 15s")) for one in ruled()]
    silent = {where.split()[-1] for where, expression in soon if not asked.now(expression)}
    assert NOTHING_WRONG.keys() <= {rule["alert"] for rule in alerts()}
    assert silent == set(NOTHING_WRONG)


def test_figures_are_those_of_the_ledger(asked: Live) -> None:
    """Of the run that has ended: its last scrape is its document, to what floats keep."""
    document = asked.agent.ask("GET", "/v1/runs/over")[1]
    shown = 'sum(max_over_time(meter_run_{}_total{{run="over"{}}}[5m]))'
    joules = float(asked.now(shown.format("energy_joules", ""))[0]["value"][1])
    assert joules == pytest.approx(document["energy"]["it"]["value"], rel=1e-3)
    money = float(asked.now(shown.format("cost", ', currency="EUR"'))[0]["value"][1])
    paid = sum(float(cost["amount"]["value"]) for cost in document["cost"])
    assert money == pytest.approx(paid, rel=1e-3)
    location = float(
        asked.now(shown.format("emissions_grams", ', basis="location"'))[0]["value"][1]
    )
    assert location == pytest.approx(document["carbon"]["location"]["value"], rel=1e-3)


def test_the_run_that_has_ended_is_still_among_the_runs_of_the_range(asked: Live) -> None:
    [path] = [path for path in BOARDS if path.stem == "overview"]
    for one in targets(path):
        if one.panel.startswith("Runs by"):
            runs = {series["metric"]["run"] for series in asked.now(placed(one))}
            assert runs == {"live", "over", "idle"}
