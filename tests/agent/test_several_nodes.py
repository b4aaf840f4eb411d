"""A run on two nodes is the sum of what their agents meter: in documents and in Prometheus."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from agent.agents import PATIENCE_S, Agent, agent, until
from dashboards.asked import BOARDS, targets
from dashboards.servers import Prometheus, prometheus
from standin.scenario import H100, Constant, Gpu, Scenario, Square
from standin.truth import energy_mj
from tests.run_schema import run_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

RUN = "slurm-77"
"""As a launcher on either node finds it."""
TICK_S, MOST_W = 0.1, 700
CONFIG = """
project = "chat"
[site]
name = "{site}"
zone = "FRA"
pue = 1.3
[electricity]
currency = "EUR"
price_per_kwh = {price}
[gpu_time]
currency = "{currency}"
rate_per_hour = 2
"""
LOADS = {
    "a": (Square(100, MOST_W, period_s=0.9), Constant(400)),
    "b": (Square(150, 500, period_s=1.03),),
}
"""What the GPUs of each node draw."""
PAID = {
    "a": {"site": "north", "price": "0.25", "currency": "EUR"},
    "b": {"site": "south", "price": "0.31", "currency": "USD"},
}


class Node:
    """A machine with GPUs of its own, and what its user configured."""

    def __init__(self, name: str, folder: Path) -> None:
        self.folder = folder
        self.folder.mkdir()
        self.told = folder / f"{name}.json"
        uuid = f"GPU-51b0000{name}-0000-4000-8000-00000000000"
        gpus = [
            Gpu(power=load, sensor=H100, uuid=f"{uuid}{number}")
            for number, load in enumerate(LOADS[name])
        ]
        self.scenario = Scenario(gpus=gpus)
        self.scenario.write(folder)
        config = folder / "config.toml"
        config.write_text(CONFIG.format(**PAID[name]))
        self.variables = {
            **self.scenario.environment(folder), "METER_SIMULATE": "", "MACHINE": name,
            "METER_CONFIG": str(config), "METER_RUN_ID": RUN,
        }  # fmt: skip

    def agent(self) -> Any:
        return agent(self.folder, module="agent.machine", **self.variables)

    def job(self, node: Agent) -> subprocess.Popen[bytes]:
        """The node's part of the run."""
        words = ["run", "--quiet", "--name", "sft", "--summary-json", str(self.told)]
        job = [sys.executable, "-c", "import time; time.sleep(4)"]
        return subprocess.Popen(
            [sys.executable, "-m", "meter", *words, "--", *job], env=node.environment
        )

    def document(self) -> dict[str, Any]:
        return json.loads(self.told.read_text())

    def truth_j(self) -> float:
        """What its GPUs drew during its part of the run."""
        run = self.document()["run"]
        start, end = (_boot_ns(run[name]) for name in ("started_at", "ended_at"))
        anchor_ns = self.scenario.anchor_ns
        return sum(energy_mj(g, start, end, anchor_ns=anchor_ns) for g in self.scenario.gpus) / 1e3


def _boot_ns(text: str) -> int:
    offset = time.time_ns() - time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    return round(datetime.fromisoformat(text).timestamp() * 1e6) * 1_000 - offset


@dataclass
class Told:
    """A run on two nodes that has ended and was scraped."""

    nodes: list[Node]
    prometheus: Prometheus

    def documents(self) -> list[dict[str, Any]]:
        return [node.document() for node in self.nodes]

    def panel(self, title: str) -> dict[str, float]:
        """A panel of the board of a run, with this run chosen, by the label that it groups by."""
        [board] = [path for path in BOARDS if path.stem == "run"]
        [one] = [one for one in targets(board) if one.where.startswith(f"run: {title} ")][:1]
        found = self.prometheus.now(one.placed(run=RUN, __range="10m"))
        return {"".join(s["metric"].values()): float(s["value"][1]) for s in found}


@pytest.fixture(scope="module")
def told(
    tmp_path_factory: pytest.TempPathFactory, require_tool: Callable[[str], str]
) -> Iterator[Told]:
    server, _ = require_tool("prometheus"), require_tool("cc")
    folder = tmp_path_factory.mktemp("nodes")
    nodes = [Node(name, folder / name) for name in LOADS]
    with ExitStack() as stack:
        agents = [stack.enter_context(node.agent()) for node in nodes]
        for each in agents:
            each.hear("reading")
        places = [_address(each) for each in agents]
        shown = stack.enter_context(prometheus(server, folder, places[0], (), others=places[1:]))
        jobs = [node.job(each) for node, each in zip(nodes, agents, strict=True)]
        assert [job.wait(PATIENCE_S) for job in jobs] == [0, 0]
        ended = f'count(meter_run_end_timestamp_seconds{{run="{RUN}"}}) == {len(nodes)}'
        until(lambda: shown.now(ended), "both ends in Prometheus")
        yield Told(nodes, shown)


def _address(node: Agent) -> str:
    listens = node.ask("GET", "/v1/status")[1]["agent"]["listens"]
    [address] = [each for each in listens if "127.0.0.1" in each]
    return address.rpartition("/")[2]


def paid(documents: list[dict[str, Any]]) -> dict[str, float]:
    """Money by currency."""
    found: dict[str, Decimal] = {}
    for cost in (cost for document in documents for cost in document["cost"]):
        before = found.get(cost["currency"], Decimal(0))
        found[cost["currency"]] = before + Decimal(cost["amount"]["value"])
    return {currency: float(amount) for currency, amount in found.items()}


def test_each_node_tells_its_own_part_under_one_id(told: Told) -> None:
    documents = told.documents()
    assert [document["run"]["id"] for document in documents] == [RUN, RUN]
    assert len({node for document in documents for node in document["run"]["nodes"]}) == 2
    devices = [{d["id"] for d in document["energy"]["devices"]} for document in documents]
    gpus = [{g.uuid for g in node.scenario.gpus} for node in told.nodes]
    assert [found & (gpus[0] | gpus[1]) for found in devices] == gpus


def test_the_sum_of_the_parts_is_what_both_nodes_drew(told: Told) -> None:
    boards = [document["energy"]["by_component"]["gpu"] for document in told.documents()]
    truth_j = sum(node.truth_j() for node in told.nodes)
    ticks_j = 3 * 2 * TICK_S * MOST_W  # of each GPU one at each end
    assert sum(b["value"] for b in boards) == pytest.approx(truth_j, rel=0.01, abs=ticks_j)
    assert sum(b["low"] for b in boards) <= truth_j <= sum(b["high"] for b in boards)


def test_the_board_of_the_run_shows_the_same_sum(told: Told) -> None:
    documents = told.documents()
    joules = sum(document["energy"]["it"]["value"] for document in documents)
    assert told.panel("Energy") == {"": pytest.approx(joules / 3.6e6, rel=1e-6)}
    assert told.panel("Money") == pytest.approx(paid(documents), rel=1e-6)
    grams = sum(document["carbon"]["location"]["value"] for document in documents)
    assert told.panel("Carbon")["location"] == pytest.approx(grams, rel=1e-6)
    assert set(told.panel("Money")) == {"EUR", "USD"}


def test_one_report_of_both_nodes_has_that_sum(told: Told) -> None:
    target = told.nodes[0].folder / "sum.json"
    files = [str(node.told) for node in told.nodes]
    command = [sys.executable, "-m", "meter", "report", "--sum", *files, "-o", str(target)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(target.read_text())
    run_schema().validate(found)
    board = found["energy"]["by_component"]["gpu"]
    truth_j = sum(node.truth_j() for node in told.nodes)
    assert board["low"] <= truth_j <= board["high"]
    shown = told.panel("Energy")[""] * 3.6e6
    assert found["energy"]["it"]["value"] == pytest.approx(shown, rel=1e-6)
    assert paid([found]) == pytest.approx(told.panel("Money"), rel=1e-6)
    assert len(found["run"]["nodes"]) == 2
    assert not {"nodes_lack", "nodes_apart"} & {notice["code"] for notice in found["notices"]}
    grids = [row for row in found["factors"] if row["kind"] == "grid_intensity"]
    assert len(grids) == 1  # the ledgers learned it at two instants
    assert len(found["equivalents"]) == 1
