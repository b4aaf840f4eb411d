"""An agent's life under a real Prometheus that scrapes it each second, told in under a minute.

Runs on the stand-in, hosted usage and a hosted job; the agent is killed once and ended once while
a run goes on; then a factor of before is corrected, while another run goes on.
"""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
import yaml

from agent.agents import Agent, agent, until
from dashboards.asked import ROOT, RULES
from dashboards.servers import (
    Prometheus,
    Receiver,
    alertmanager,
    free_port,
    prometheus,
    receiver,
)
from standin.scenario import H100, Constant, Gpu, Process, Scenario
from tests.factors.sheets import FACTOR, table
from tests.hosted.jobs.recorded import SHAPES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

POWER_W = {"0": 400, "1": 300, "2": 200}
"""What each GPU draws, always."""
TARIFF, DEARER = "0.25", "0.40"
"""EUR per kWh: as configured, and as learned later of all the time before."""
PER_GPU_HOUR = 2
"""EUR."""
ALERTS = ROOT / "deploy" / "alertmanager" / "alertmanager.yml"
AT_ONCE, OTHERS = "/at-once", "/others"
"""Where the receiver of the route of critical alerts posts, and that of all others."""
RANGE = "10m"
"""More than the story takes."""
LAST_WORDS = 321
"""Tokens of a run that ends at once after them."""
LAST_OF_MINUTE_S = 50
"""Later in a minute nobody is killed."""
_JOB = SHAPES / "openai_succeeded.json"
_CONFIG = f"""
project = "chat"
[site]
name = "here"
zone = "FRA"
pue = 1.3
[electricity]
currency = "EUR"
price_per_kwh = {TARIFF}
[gpu_time]
currency = "EUR"
rate_per_hour = {PER_GPU_HOUR}
[[market.instruments]]
type = "certificate"
g_per_kwh = 10
share = 0.6
quality = {{ attribute = true, unique = true, retired = true, vintage = true, market = true, residual = true }}
"""  # noqa: E501 - an inline table is one line


@dataclass
class Told:
    """What is left of it: servers that still answer, pages, documents, and the ledger's file."""

    prometheus: Prometheus
    receiver: Receiver
    ledger: Path
    pages: dict[str, bytes] = field(default_factory=dict)
    documents: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Of each run when all was booked, nothing corrected; then under ``corrected RUN``."""
    began_s: float = 0.0
    """Before the first agent."""
    booked_s: float = 0.0
    """When all of that was scraped."""


@contextmanager
def told(folder: Path, tool: Callable[[str], str]) -> Iterator[Told]:
    """Tell it."""
    server, manager = tool("prometheus"), tool("prometheus-alertmanager")
    tool("cc")
    with ExitStack() as stack:
        hears = stack.enter_context(receiver())
        keeper = stack.enter_context(alertmanager(manager, folder, receiving(hears.url)))
        life = Life(folder)
        shown = prometheus(server, folder, life.address, quick(folder), keeper)
        answers = stack.enter_context(shown)
        story = Told(answers, hears, folder / "ledger.duckdb")
        life.live(story)
        yield story


def receiving(url: str) -> dict[str, Any]:
    """The shipped configuration, with somebody who is told, and soon."""
    config = yaml.safe_load(ALERTS.read_text())
    [critical] = config["route"]["routes"]
    critical["receiver"] = "at-once"
    for route in (config["route"], critical):
        route.update(group_wait="1s", group_interval="1s")
    names = {"nobody": OTHERS, "at-once": AT_ONCE}
    config["receivers"] = [
        {"name": name, "webhook_configs": [{"url": url + path}]} for name, path in names.items()
    ]
    return config


def quick(folder: Path) -> list[Path]:
    """The shipped rules; an agent that is down is told of after two seconds, not five minutes."""
    made = []
    for path in RULES:
        rules = yaml.safe_load(path.read_text())
        for rule in (rule for group in rules["groups"] for rule in group["rules"]):
            if rule.get("alert") == "MeterAgentDown":
                assert rule["for"] == "5m"
                rule["for"] = "2s"
        made.append(folder / path.name)
        made[-1].write_text(yaml.safe_dump(rules))
    return made


class Life:
    """One agent after the other at the same address, with the same ledger."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.address = f"127.0.0.1:{free_port()}"
        config = folder / "config.toml"
        config.write_text(_CONFIG)
        busy = [Process(pid="self", memory_bytes=1 << 30, sm_percent=90)]
        scenario = Scenario(
            gpus=[Gpu(power=Constant(w), sensor=H100, processes=busy) for w in POWER_W.values()]
        )
        scenario.write(folder)
        self._variables = {
            **scenario.environment(folder), "METER_SIMULATE": "", "METER_CONFIG": str(config),
            "METER_LISTEN": self.address,
        }  # fmt: skip

    def agent(self) -> Any:
        """An agent that starts now."""
        return agent(self.folder, module="dashboards.hasty", **self._variables)

    def page(self) -> bytes:
        answer = httpx.get(f"http://{self.address}/metrics")
        assert answer.status_code == 200
        return answer.content

    def live(self, story: Told) -> None:
        """All of it, to the end of the last agent."""
        story.began_s = time.time()
        with self.agent() as first:
            first.hear("reading")
            self._scraped(story)
            story.pages["fresh"] = self.page()
            self._begin(first, story)
            self._use(first, story)
            self._end_one(first, story)
            until(lambda: story.receiver.alerts(OTHERS, "MeterRunBudgetExceeded"), "an alert")
            self._crash(first, story)
        with self.agent() as second:
            second.hear("reading")
            self._goes_on(story)
            story.pages["after a crash"] = self.page()
            second.stop()
        with self.agent() as third:
            third.hear("reading")
            self._goes_on(story)
            self._book(third, story)
            self._correct(third, story)
            third.stop()
        until(lambda: story.receiver.alerts(AT_ONCE, "MeterAgentDown"), "a critical alert")

    def _scraped(self, story: Told) -> None:
        """Wait until what the page shows now was scraped."""
        now = time.time()
        until(
            lambda: (
                story.prometheus.now(f"timestamp(meter_build_info) > {now}")
                and story.prometheus.now("up == 1")
            ),
            "a scrape",
        )

    def _begin(self, node: Agent, story: Told) -> None:
        tiny = [{"amount": "0.000001", "unit": "kWh"}]
        node.begin("live", name="sft", project="chat", gpus="0", budgets=tiny)
        node.begin("over", name="eval", project="chat", gpus="1")
        node.begin("other", name="try", project="chat", gpus="2")
        self._meter(node, "prices", "import", "--bundled")
        for run in ("live", "over"):
            mark = {"step": 1, "tokens": 4096, "phase": "train"}
            assert node.ask("POST", f"/v1/runs/{run}/marks", mark)[0] == 202
        self._scraped(story)
        story.pages["running"] = self.page()

    def _meter(self, node: Agent, *words: str) -> None:
        command = [sys.executable, "-m", "meter", *words]
        done = subprocess.run(command, env=node.environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    def _use(self, node: Agent, story: Told) -> None:
        """Hosted usage of a run and of none, and a job at a provider."""
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 60))
        known = {"at": at, "provider": "openai", "model": "ft:gpt-4o-2024-08-06"}
        for number, more in enumerate(({"run": "live"}, {"project": "bot"})):
            for meter, quantity in (("input", 123_457), ("output", 7_919)):
                event = {**known, **more, "id": f"{meter}-{number}", "meter": meter}
                assert node.ask("POST", "/v1/usage", {**event, "quantity": quantity})[0] == 201
        self._meter(node, "jobs", "import", str(_JOB), "--provider", "openai", "--project", "bot")
        until(
            lambda: (
                story.prometheus.now('meter_run_cost_total{kind="api_tokens"} > 0')
                and story.prometheus.now('meter_cost_total{kind="api_training"} > 0')
                and story.prometheus.now('meter_energy_joules_total{component="hosted"} > 0')
            ),
            "the hosted work in Prometheus",
        )
        story.pages["hosted"] = self.page()

    def _end_one(self, node: Agent, story: Told) -> None:
        """End a run right after its hosted usage, of which nothing is booked then."""
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 60))
        event = {
            "id": "last-words", "at": at, "provider": "openai", "model": "ft:gpt-4o-2024-08-06",
            "meter": "output", "quantity": LAST_WORDS, "run": "over",
        }  # fmt: skip
        assert node.ask("POST", "/v1/usage", event)[0] == 201
        node.end("over")
        until(
            lambda: story.prometheus.now('meter_run_cost_total{run="over",kind="api_tokens"} > 0'),
            "hosted money of a run that is over",
        )
        self._scraped(story)
        story.pages["ended"] = self.page()

    def _crash(self, node: Agent, story: Told) -> None:
        """Kill it right after a write in mid-second, which is ahead of the rows of each second.

        Of a second in which a device changes hands, or a minute ends, only the sum outlives a
        crash, and what is rebuilt splits it evenly. Asking for a run that lives writes what its
        devices have used, so that none of these lies between that and the crash. What the one
        asked for first has used since is in the counters by the second question.
        """
        until(lambda: time.time() % 60 < LAST_OF_MINUTE_S, "the next minute")
        assert node.ask("GET", "/v1/runs/live")[0] == 200
        self._scraped(story)
        assert node.ask("GET", "/v1/runs/other")[0] == 200
        node.kill()

    def _goes_on(self, story: Told) -> None:
        """Wait until the run that lives has used more than before, by what is scraped."""
        ask = "last_over_time(meter_run_energy_joules_total{{run='live',component='gpu'}}[{}]) > {}"
        [before] = story.prometheus.now(ask.format(RANGE, 0))
        more = float(before["value"][1]) + 2 * POWER_W["0"]
        until(lambda: story.prometheus.now(ask.format("2s", more)), "more energy")

    def _book(self, node: Agent, story: Told) -> None:
        """End the run; what Prometheus has and what the ledger says are now to be compared."""
        node.end("live")
        node.end("other")
        self._scraped(story)
        story.booked_s = time.time()
        story.documents = self._documents(node)

    def _documents(self, node: Agent) -> dict[str, dict[str, Any]]:
        runs = [run["run_id"] for run in node.ask("GET", "/v1/runs")[1]["runs"]]
        return {run: node.ask("GET", f"/v1/runs/{run}")[1] for run in runs}

    def _correct(self, node: Agent, story: Told) -> None:
        """Learn of another tariff and of another grid, both of all the time before."""
        node.begin("late", name="again", project="later", gpus="2")
        self._uses(story, "late", 1)
        price = {
            **FACTOR, "kind": "electricity_price", "scope": "here", "unit": "EUR/kWh",
            "value": DEARER, "rank": "410",
        }  # fmt: skip
        grid = {**FACTOR, "value": "560.39", "rank": "410"}
        sheet = self.folder / "sheet.csv"
        sheet.write_bytes(table(price, grid))
        self._meter(node, "factors", "import", str(sheet))
        self._uses(story, "late", 3)
        story.pages["corrected"] = self.page()
        found = self._documents(node)
        story.documents |= {f"corrected {run}": document for run, document in found.items()}
        for run in ("live", "other", "over"):
            as_of = story.documents[run]["as_of"]
            status, document = node.ask("GET", f"/v1/runs/{run}?as_of={as_of}")
            assert status == 200
            story.documents[f"before {run}"] = document
        node.end("late")
        self._scraped(story)

    def _uses(self, story: Told, run: str, seconds: int) -> None:
        """Wait until a run has used so many seconds' energy more, by what is scraped."""
        ask = (
            f"max_over_time(meter_run_energy_joules_total{{run='{run}',component='gpu'}}[{RANGE}])"
        )
        found = until(lambda: story.prometheus.now(ask), "the run")
        more = float(found[0]["value"][1]) + POWER_W["2"] * seconds
        until(lambda: story.prometheus.now(f"{ask} > {more}"), "more energy")
