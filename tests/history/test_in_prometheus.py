"""A day of history imported into a real Prometheus: every panel is asked, and equals SQL."""

from __future__ import annotations

import os
import subprocess
from collections import defaultdict
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import httpx
import pytest

from agent.agents import until
from dashboards.asked import BOARDS, Asked, notes, panels, read, targets
from dashboards.servers import free_port
from history.day import FROM_US, JOB, RUNS, TO_US, make
from meter.cli.app import run as meter
from meter.environment import Environment
from meter.ledger import open_reader
from tests.ledger.facts import HOUR_US

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

FROM_S, TO_S = FROM_US // 1_000_000, TO_US // 1_000_000
FLOAT = 1e-12
"""Sums of floats in another order, and rates times their seconds, differ by this much at most."""

LIVE = {
    "fleet: Power A": "a recorded rule: `promtool tsdb create-blocks-from rules` makes it",
    "fleet: Power by node A": "a recorded rule: `promtool tsdb create-blocks-from rules` makes it",
    "fleet: Gaps by device A": "gaps are counted by a live agent, since its start",
    "overview: Projects: part of this month's budget A": "budgets of projects are configuration",
    "overview: Live runs: part of their budget A": "the used part is told by a live agent",
    "run: Done A": "a forecast is of now",
    "run: Ends A": "a forecast is of now",
    "run: Energy: so far, and at the end by forecast B": "a forecast is of now",
    "run: Part of the budget: now, and at the end by forecast A": "told by a live agent",
    "run: Part of the budget: now, and at the end by forecast B": "a forecast is of now",
    "run: Gaps A": "gaps are counted by a live agent, since its start",
}
"""Questions that history has no answer to, and why; and every one of the board `health`, which is
about agents: `up`, sources, gaps, losses, scrapes."""
ZERO_OF_NONE = {"health: Agents down A", "health: Sources that fail A"}
"""They count, and find none."""


@dataclass
class Imported:
    """A Prometheus with the day in it, and the ledger that the day is from."""

    url: str
    ledger: Path

    def ask(self, path: str, **parameters: Any) -> list[Any]:
        answer = httpx.get(f"{self.url}/api/v1/{path}?{urlencode(parameters)}", timeout=30)
        assert answer.status_code == 200, f"{parameters}: {answer.text}"
        found = answer.json()["data"]
        return found if isinstance(found, list) else found["result"]

    def at_end(self, expression: str) -> list[Any]:
        return self.ask("query", query=expression, time=TO_S)

    def over_day(self, expression: str) -> list[Any]:
        given = {"query": expression, "start": FROM_S, "end": TO_S, "step": 300}
        found = self.ask("query_range", **given)
        return [series for series in found if any(v != "NaN" for _, v in series["values"])]

    def values(self, expression: str, *labels: str) -> dict[tuple[str, ...], float]:
        """What an instant query finds, by some labels."""
        found = {}
        for series in self.at_end(expression):
            key = tuple(series["metric"].get(label, "") for label in labels)
            assert key not in found
            found[key] = float(series["value"][1])
        return found

    def sql(self, query: str, **params: Any) -> dict[tuple[Any, ...], float]:
        """Sums of a query of totals, in units of currency, J or g."""
        found = {}
        with open_reader(self.ledger) as reader:
            for row in reader.rows(query, **params):
                unit = 3 if row["kind"] == "energy" else 9
                key = tuple(row[name] for name in (next(iter(row)), "kind", "currency"))
                found[key] = float(round(row["amount"].scaleb(-unit), unit))
        return found


def exported(folder: Path, *words: str) -> Path:
    """History as the command writes it."""
    target = folder / "history.om"
    variables = {**os.environ, "METER_HOME": str(folder), "METER_SOCKET": str(folder / "s"),
                 "METER_LEASE_DIR": str(folder), "METER_CONFIG": str(folder / "none")}  # fmt: skip
    span = ["--from", "2026-03-01", "--to", "2026-03-02"]
    command = ["export", "openmetrics", *span, "-o", str(target), *words]
    assert meter(command, Environment(variables, os.getuid())) == 0
    return target


@pytest.fixture(scope="module")
def day(
    tmp_path_factory: pytest.TempPathFactory, require_tool: Callable[[str], str]
) -> Iterator[Imported]:
    server, promtool = require_tool("prometheus"), require_tool("promtool")
    folder = tmp_path_factory.mktemp("history")
    ledger = make(folder / "ledger.duckdb")
    text, data = exported(folder), folder / "data"
    command = [promtool, "tsdb", "create-blocks-from", "openmetrics", str(text), str(data)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    config = folder / "prometheus.yml"
    config.write_text("global: {scrape_interval: 1m}\n")
    port = free_port()
    command = [
        server, f"--config.file={config}", f"--storage.tsdb.path={data}", "--log.level=warn",
        "--storage.tsdb.retention.time=100y", f"--web.listen-address=127.0.0.1:{port}",
    ]  # fmt: skip
    with ExitStack() as stack:
        log = stack.enter_context((folder / "prometheus.log").open("wb"))
        process = subprocess.Popen(command, stderr=log)
        stack.callback(process.wait)
        stack.callback(process.kill)
        found = Imported(f"http://127.0.0.1:{port}", ledger)
        until(lambda: process.poll() is None and ready(found.url), "Prometheus")
        yield found


def ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/-/ready").status_code == 200
    except httpx.TransportError:
        return False


# -- figures ------------------------------------------------------------------------------------


def test_last_less_first_is_sqls_figure_to_the_bit(day: Imported) -> None:
    """Where a series is one figure of SQL the same float comes back: money and carbon."""
    exact = day.sql("totals/by_project", from_=FROM_US, to=TO_US)
    labels = ("project", "kind", "currency")
    last = day.values("meter_cost_total", "provider", *labels)
    first = day.values(f"meter_cost_total @ {FROM_S}", "provider", *labels)
    told = {key[1:]: value - first[key] for key, value in last.items()}
    assert len(told) == len(last)  # no cost has two providers here
    wanted = {key: value for key, value in exact.items() if key[0] and key[2]}
    assert {key: told[key] for key in wanted} == wanted
    grams = day.values("meter_emissions_grams_total", "project", "kind", "basis")
    for (project, kind, _), amount in exact.items():
        own = "hosted" if project == "bot" else "electricity"
        kinds = {"location": own, "location_overhead": f"{own}_overhead"}
        if project and kind in kinds:
            assert grams[project, kinds[kind], "location"] == amount


def test_the_increase_of_a_day_is_sqls_figure(day: Imported) -> None:
    exact = day.sql("totals/by_project", from_=FROM_US, to=TO_US)
    told = day.values("sum by (project) (increase(meter_energy_joules_total[1d]))", "project")
    for project in ("chat", "eval", "lab"):
        assert told[(project,)] == pytest.approx(exact[project, "energy", None], rel=FLOAT)
    devices = day.values("sum by (uuid) (increase(meter_gpu_energy_joules_total[1d]))", "uuid")
    by_device = day.sql("totals/by_device", from_=FROM_US, to=TO_US, only_kind="energy")
    for (uuid,), joules in devices.items():
        assert joules == pytest.approx(by_device[uuid, "energy", None], rel=FLOAT)


def test_the_maximum_of_a_run_is_its_figure_to_the_bit(day: Imported) -> None:
    exact = day.sql("totals/by_run")
    told = day.values("max_over_time(meter_run_cost_total[1d])", "run", "kind", "currency")
    energy = day.values("sum by (run) (max_over_time(meter_run_energy_joules_total[1d]))", "run")
    grams = day.values("max_over_time(meter_run_emissions_grams_total[1d])", "run", "kind", "basis")
    assert {key[0] for key in told} == {plan.id for plan in RUNS} | {"hosted"}
    for plan in RUNS:
        assert told[plan.id, "electricity", "EUR"] == exact[plan.id, "electricity", "EUR"]
        assert told[plan.id, "gpu_time", "USD"] == exact[plan.id, "gpu_time", "USD"]
        assert grams[plan.id, "electricity", "location"] == exact[plan.id, "location", None]
        assert energy[(plan.id,)] == pytest.approx(exact[plan.id, "energy", None], rel=FLOAT)
    assert told["hosted", "api_training", "USD"] == exact["hosted", "api_training", "USD"]


# -- panels -------------------------------------------------------------------------------------


def placed(asked: Asked) -> str:
    return asked.placed(__range="24h", __rate_interval="5m", __interval="5m")


def instants(path: Path) -> dict[str, bool]:
    return {
        f"{path.stem}: {panel['title']} {target['refId']}": target["instant"]
        for panel in panels(read(path))
        for target in panel["targets"]
    }


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_every_panel_has_data_or_a_reason_to_have_none(day: Imported, path: Path) -> None:
    instant = instants(path)
    empty = {
        one.where
        for one in targets(path)
        if not (day.at_end if instant[one.where] else day.over_day)(placed(one))
    }
    if path.stem == "health":
        assert {one.where for one in targets(path)} - empty == ZERO_OF_NONE
    else:
        assert empty == {where for where in LIVE if where.startswith(f"{path.stem}:")}


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_every_variable_has_history_among_its_choices(day: Imported, path: Path) -> None:
    known = {"job": {"meter-history"}, "instance": {"127.0.0.1:9850"},
             "project": {"bot"} if path.stem == "hosted" else {"chat", "eval", "lab", "bot"},
             "run": {plan.id for plan in RUNS}}  # fmt: skip
    for variable in read(path)["templating"]["list"][1:]:
        series, _, label = variable["query"]["query"][len("label_values(") : -1].rpartition(",")
        given = {"match[]": placed(Asked("", series)), "start": FROM_S, "end": TO_S}
        assert set(day.ask(f"label/{label.strip()}/values", **given)) >= known[variable["name"]]


def test_starts_ends_and_phases_are_drawn(day: Imported) -> None:
    drawn = [one for path in BOARDS for one in notes(path)]
    assert len(drawn) == 7
    assert [one.where for one in drawn if not day.over_day(placed(one))] == []


@pytest.fixture(scope="module")
def figures(day: Imported) -> dict[str, dict[tuple[str, ...], float]]:
    """SQL's figure of each panel that shows one of the whole range, by its labels."""
    return Figures(day).all()


OWN = f"{JOB.provider}:{JOB.id}"
"""The job's run."""


class Figures:
    """What panels are to show, from the queries of the reports and plain sums of facts."""

    def __init__(self, day: Imported) -> None:
        span = {"from_": FROM_US, "to": TO_US}
        self._project = day.sql("totals/by_project", **span)
        self._hour = day.sql("totals/by_hour", **span)
        self._run = day.sql("totals/by_run")
        self._device = day.sql("totals/by_device", **span)
        with open_reader(day.ledger) as reader:
            self._usage = reader.rows("lines/usage_cost", **span)
            owners = reader.rows("lines/energy_line", **span)
        self._idle = sum(float(r["energy_mj"]) for r in owners if r["owner"] == "idle") / 1e3
        self._runs = {plan.id: plan for plan in RUNS}
        self._job = self._apart()

    def _apart(self) -> dict[str, float]:
        """Energy and carbon of the job of a provider, taken out of all sums of runs."""
        job = {kind: value for (run, kind, _), value in self._run.items() if run == OWN}
        self._run = {key: value for key, value in self._run.items() if key[0] != OWN}
        for kind, value in job.items():
            assert self._project.pop(("bot", kind, None)) == value
            hour = next(key for key in self._hour if key[1] == kind)
            self._hour[hour] -= value
        return job

    def all(self) -> dict[str, dict[tuple[str, ...], float]]:
        return {**self._of_projects(), **self._of_hosted(), **self._of_runs(), **self._of_gpus()}

    def _sum(self, *kinds: str, by: dict[Any, float] | None = None) -> float:
        rows = self._hour if by is None else by
        return sum(value for (_, kind, _), value in rows.items() if kind in kinds)

    def _grouped(self, rows: dict[Any, float], *kinds: str, scale: float = 1) -> dict[Any, float]:
        found: defaultdict[tuple[str, ...], float] = defaultdict(float)
        for (key, kind, _), value in rows.items():
            if kind in kinds:
                found[(key,)] += value / scale
        return dict(found)

    def _of_projects(self) -> dict[str, dict[tuple[str, ...], float]]:
        joules = self._sum("energy")
        location = self._sum("location", "location_overhead")
        market = self._sum("market", "market_default", "market_overhead",
                           "market_default_overhead")  # fmt: skip
        money: defaultdict[tuple[str, ...], float] = defaultdict(float)
        for (_, _, currency), value in self._hour.items():
            if currency:
                money[(currency,)] += value
        of_project: defaultdict[tuple[str, ...], float] = defaultdict(float)
        for (project, _, currency), value in self._project.items():
            if currency and project:
                of_project[project, currency] += value
        carbon = self._grouped(self._project, "location", "location_overhead")
        return {
            "overview: Money A": dict(money),
            "overview: Energy A": {(): joules / 3.6e6},
            "overview: Carbon, location-based A": {(): location},
            "overview: Idle share A": {(): self._idle / joules},
            "overview: Money by project A": dict(of_project),
            "overview: Energy by project A": self._grouped(self._project, "energy", scale=3.6e6),
            "overview: Carbon by project A": carbon,
            "carbon: Location-based A": {(): location},
            "carbon: Market-based A": {(): market},
            "carbon: Of it overhead A": {(): self._sum("location_overhead") / location},
            "carbon: Carbon per kWh A": {(): location / (joules / 3.6e6)},
            "carbon: Location-based by project A": carbon,
            "carbon: Market-based by project A": self._grouped(
                self._project, "market", "market_default", "market_overhead",
                "market_default_overhead",
            ),
        }  # fmt: skip

    def _of_hosted(self) -> dict[str, dict[tuple[str, ...], float]]:
        money: defaultdict[tuple[str, ...], float] = defaultdict(float)
        tokens: defaultdict[tuple[str, ...], float] = defaultdict(float)
        models: defaultdict[tuple[str, ...], float] = defaultdict(float)
        hosted, unpriced = 0.0, 0.0
        for row in self._usage:
            if row["amount"] is not None:
                money[(row["currency"],)] += float(row["amount"]) / 1e9
            else:
                unpriced += row["event_count"]
            if row["meter"] == "host_hour":
                hosted += float(row["quantity"]) * 3_600
            else:
                sort = "train" if row["meter"] == "train_token" else row["meter"]
                tokens[(sort,)] += float(row["quantity"])
                models[row["provider"], row["model"]] += float(row["quantity"])
        return {
            "hosted: Money A": dict(money),
            "hosted: Energy of jobs A": {("modelled",): self._job["energy"] / 3.6e6},
            "hosted: Carbon of jobs, location-based A": {
                (): self._job["location"] + self._job.get("location_overhead", 0)
            },
            "hosted: Tokens A": dict(tokens),
            "hosted: Hosted A": {(): hosted},
            "hosted: Without a price A": {(): unpriced},
            "hosted: Tokens by model A": dict(models),
            "hosted: Hosting by model A": {("openai", "gpt-4o"): hosted},
            "hosted: Events without a price, by model A": {("openai", "nobody-knows"): unpriced},
        }

    def _of_runs(self) -> dict[str, dict[tuple[str, ...], float]]:
        runs = {key: value for key, value in self._run.items() if key[0] is not None}
        money: defaultdict[tuple[str, ...], float] = defaultdict(float)
        dear: defaultdict[tuple[str, ...], float] = defaultdict(float)
        basis: defaultdict[tuple[str, ...], float] = defaultdict(float)
        for (run, kind, currency), value in runs.items():
            if currency:
                money[(currency,)] += value
                dear[run, currency] += value
            if kind.startswith(("location", "market")):
                basis[(kind.partition("_")[0],)] += value
        bases = {("location",): basis["location",], ("market",): basis["market",]}
        train = 4_096 * 89 + 1_234_567
        kwh = self._sum("energy", by=runs) / 3.6e6
        return {
            "overview: Runs by energy A": self._grouped(runs, "energy", scale=3.6e6),
            "overview: Runs by energy B": self._grouped(runs, "location", "location_overhead"),
            "overview: Runs by money A": dict(dear),
            "run: Energy A": {(): kwh},
            "run: Money A": dict(money),
            "run: Carbon A": bases,
            "run: Tokens A": {("train",): float(train)},
            "run: Runs A": {
                **{(p.id,): (FROM_S + p.start * 60) * 1e3 for p in RUNS},
                ("hosted",): (FROM_S + 300 * 60) * 1e3,
                (OWN,): JOB.created_us / 1e3,
            },
            "run: Runs B": {
                **{(p.id,): (FROM_S + p.end * 60) * 1e3 for p in RUNS if p.end is not None},
                ("hosted",): (FROM_S + 420 * 60) * 1e3,
                (OWN,): (JOB.ended_us or 0) / 1e3,
            },
            "overview: Live runs A": {(): 1.0},
        }

    def _of_gpus(self) -> dict[str, dict[tuple[str, ...], float]]:
        joules = {key[0]: value for key, value in self._device.items() if key[1] == "energy"}
        return {
            "fleet: GPUs A": {(): 2.0},
            "fleet: Held A": {(): 0.5},
            "fleet: Working A": {(): 0.5},
            "fleet: Held and idle A": {(): 0.0},
            "fleet: Hottest A": {(): 41.5},
            "fleet: Who holds them A": {
                (p.id, p.gpu[-1], p.gpu): (FROM_S + p.start * 60) * 1e3
                for p in RUNS
                if p.end is None
            },
            "fleet: Energy by GPU A": {
                (gpu[-1], gpu): joules[gpu] / 3.6e6 for gpu in ("GPU-0", "GPU-1")
            },
            "fleet: Mean utilisation by GPU A": {("0", "GPU-0"): 0.01, ("1", "GPU-1"): 0.93},
        }


DROPPED = {"job", "instance", "name", "simulated", "scheme", "at"}
"""Labels that say the same of every series, or follow from others; `project` too, where a run is
told of."""
NO_FIGURE = {
    "run: GPUs idle A": "a mean over time of gauges that the ledger keeps for some days only",
    "run: Energy by method A": "by method: the sum over it is `run: Energy A`",
    "overview: Power now A": "a gauge of the last step",
}
"""Panels of the whole range that are no sum of facts."""


def told(day: Imported, one: Asked) -> dict[tuple[str, ...], float]:
    found: dict[tuple[str, ...], float] = {}
    for series in day.at_end(placed(one)):
        metric = {k: v for k, v in series["metric"].items() if k not in DROPPED}
        if "run" in metric:
            metric.pop("project", None)
        order = ("run", "project", "provider", "model", "gpu", "uuid", "token_type", "basis",
                 "component", "method", "currency")  # fmt: skip
        key = tuple(metric[label] for label in order if label in metric)
        assert len(key) == len(metric), metric
        found[key] = float(series["value"][1])
    return found


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_every_panel_of_the_whole_range_equals_sql(
    day: Imported, figures: dict[str, dict[tuple[str, ...], float]], path: Path
) -> None:
    if path.stem == "health":
        pytest.skip("about agents: history has nothing to say")
    instant, seen = instants(path), set()
    for one in targets(path):
        if not instant[one.where] or one.where in LIVE or one.where in seen:
            continue
        seen.add(one.where)
        if one.where in NO_FIGURE:
            continue
        shown = told(day, one)
        wanted = figures[one.where]
        shown = {key: value for key, value in shown.items() if key in wanted or value}
        idle = {("(idle)",), ("(unattributed)",), ("(idle)", "EUR"), ("(unattributed)", "EUR")}
        own = {key: value for key, value in wanted.items() if key != (None,)}
        assert shown.keys() - idle == own.keys() - idle, one.where
        for key, value in own.items():
            assert shown[key] == pytest.approx(value, rel=1e-8), (one.where, key)


@dataclass(frozen=True)
class Curve:
    """What a panel over time adds up to: its amounts by some labels, and in which of them."""

    by: tuple[str, ...]
    wanted: dict[tuple[str, ...], float]
    unit_s: float | None = 1
    """Seconds of the unit of a rate; None: it is no rate, and its last value counts."""
    step_s: int = 300
    rel: float = 1e-8


NOT_SUMMED = {
    "carbon: Grid intensity in force A": "a factor as it is stated",
    "carbon: PUE in force A": "a factor as it is stated",
    "run: Grid intensity in force A": "a factor as it is stated",
    "run: Electricity price in force A": "a factor as it is stated",
    "run: PUE in force A": "a factor as it is stated",
    "fleet: Utilisation A": "the last reading of each step, which the ledger keeps for some days",
    "fleet: Memory in use A": "the last reading of each step",
    "fleet: Temperature A": "the last reading of each step",
    "run: Power by GPU A": "the power of the board of the fleet, while a run holds the GPU",
    "run: Energy per token A": "a quotient of two that are compared",
}
"""Panels over time that are no sum of facts, and why."""


@pytest.fixture(scope="module")
def curves(day: Imported, figures: dict[str, dict[tuple[str, ...], float]]) -> dict[str, Curve]:
    """By panel; energy in J, money in its currency, carbon in g."""
    runs = {
        key: value for key, value in day.sql("totals/by_run").items() if key[0] and key[0] != OWN
    }
    devices = day.sql("totals/by_device", from_=FROM_US, to=TO_US, only_kind="energy")
    joules = {key: kwh * 3.6e6 for key, kwh in figures["overview: Energy by project A"].items()}
    gpus = {(gpu,): devices[gpu, "energy", None] for gpu in ("GPU-0", "GPU-1")}
    hosts = {("cpu",): devices["cpu-0", "energy", None]}
    of_run: defaultdict[tuple[str, ...], float] = defaultdict(float)
    carbon: defaultdict[tuple[str, ...], float] = defaultdict(float)
    money: dict[tuple[str, ...], float] = {}
    for (run, kind, currency), value in runs.items():
        if kind == "energy":
            of_run[(run,)] += value / 3.6e6
        elif currency:
            money[run, kind, currency] = value
        elif kind.startswith(("location", "market")):
            carbon[run, kind.partition("_")[0]] += value
    with open_reader(day.ledger) as reader:
        span = {"as_of": reader.newest_us(), "from_": FROM_US, "to": TO_US}
        phases = reader.rows("report/run_phases", run_id="long", **span)
    hosted = figures["hosted: Money A"]
    return {
        "carbon: Carbon per hour by project A": Curve(
            ("project",), figures["carbon: Location-based by project A"], 3_600
        ),
        "carbon: Location- and market-based so far A": Curve(
            ("basis",),
            {("location",): figures["carbon: Location-based A"][()],
             ("market",): figures["carbon: Market-based A"][()]},
            None,
        ),
        "fleet: Power by GPU A": Curve(("uuid",), gpus, step_s=60, rel=5e-4),
        "fleet: Power of hosts A": Curve(("component",), hosts),
        "hosted: Money per hour by project A": Curve(("currency",), hosted, 3_600),
        "hosted: Money so far by provider and kind A": Curve(("currency",), hosted, None),
        "hosted: Tokens per second by model A": Curve(
            ("provider", "model"), figures["hosted: Tokens by model A"]
        ),
        "hosted: Tokens per second by type A": Curve(("token_type",), figures["hosted: Tokens A"]),
        "overview: Power by project A": Curve(("project",), joules),
        "overview: Money per hour by project A": Curve(
            ("project", "currency"), figures["overview: Money by project A"], 3_600
        ),
        "run: Energy so far A": Curve(("run",), dict(of_run), None),
        "run: Money so far A": Curve(("run", "kind", "currency"), money, None),
        "run: Carbon so far A": Curve(("run", "basis"), dict(carbon), None),
        "run: Tokens per second A": Curve(("token_type",), figures["run: Tokens A"]),
        "run: Power by phase A": Curve(
            ("run", "phase"), {("long", row["phase"]): float(row["energy_j"]) for row in phases}
        ),
        "run: Steps per minute A": Curve(("run",), {("long",): 8_900.0}, 60),
        "run: Energy: so far, and at the end by forecast A": Curve(("run",), dict(of_run), None),
    }  # fmt: skip


def ends(day: Imported, one: Asked, curve: Curve) -> dict[tuple[str, ...], float]:
    """Last values, or a rate's values times the seconds of each step, added up by labels."""
    step_s = curve.step_s
    given = {"query": placed(one), "start": FROM_S + step_s, "end": TO_S, "step": step_s}
    found: defaultdict[tuple[str, ...], float] = defaultdict(float)
    for series in day.ask("query_range", **given):
        values = [float(value) for _, value in series["values"]]
        key = tuple(series["metric"].get(label, "") for label in curve.by)
        found[key] += values[-1] if curve.unit_s is None else sum(values) * step_s / curve.unit_s
    return {
        key: value
        for key, value in found.items()
        if not key[0].startswith("(") or key[0] == "(none)"
    }


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_every_panel_over_time_adds_up_to_sql(
    day: Imported, curves: dict[str, Curve], path: Path
) -> None:
    """To 8 digits: windows of a rate meet where its steps do, and counters begin at zero there.

    Power of GPUs to 5e-4: it is not shown below zero in a minute that a correction takes back.
    """
    if path.stem == "health":
        pytest.skip("about agents: history has nothing to say")
    instant = instants(path)
    over_time = [one for one in targets(path) if not instant[one.where] and one.where not in LIVE]
    assert {one.where for one in over_time} == {
        where for where in {*curves, *NOT_SUMMED} if where.startswith(f"{path.stem}:")
    }
    for one in over_time:
        if one.where in curves:
            curve = curves[one.where]
            wanted = {key: value for key, value in curve.wanted.items() if key[0] is not None}
            shown = {k: v for k, v in ends(day, one, curve).items() if k in wanted or v}
            assert wanted
            assert shown == pytest.approx(wanted, rel=curve.rel), one.where


def test_history_lies_beside_what_is_scraped(day: Imported) -> None:
    [series] = day.at_end("count by (job, instance) (meter_cost_total)")
    assert series["metric"] == {"job": "meter-history", "instance": "127.0.0.1:9850"}
    assert TO_S - FROM_S == 24 * HOUR_US // 1_000_000
