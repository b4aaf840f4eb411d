"""Pictures of the dashboards, taken of the tour: ``make pictures``.

The tour of ``examples/`` runs on stand-ins under a real Prometheus, which is then asked everything
that the dashboards ask; Grafana's own parts draw the answers, and headless Chromium takes the
pictures. For development only: needs npm, prometheus and chromium.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import yaml

from examples.environment import training_python
from examples.tour import Node, tour

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BOARDS = sorted((ROOT / "grafana" / "dashboards").glob("*.json"))
RULES = [ROOT / "grafana" / "rules" / name for name in ("recording.yml", "alerts.yml")]
PICTURES = ROOT / "docs" / "pictures"
RUN = "hf-1"
"""The run that goes on while the pictures are taken; the board of runs shows it alone."""
LASTS_S = 150
WIDTH = 1_440
CELL, HEAD = 38, 90
POINTS = 300
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|([a-z_]\w*))")  # $1 is a group of label_replace
CONFIG = """
project = "tour"
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
[budgets.tour]
month = ["1EUR", "1kWh"]
[[market.instruments]]
type = "certificate"
g_per_kwh = 10
share = 0.6
quality = { attribute = true, unique = true, retired = true, vintage = true, market = true, residual = true }
"""


class Priced(Node):
    """The tour's node, with a tariff, a PUE and budgets."""

    @property
    def environment(self) -> dict[str, str]:
        """Of everything that is started here."""
        config = self.folder / "config.toml"
        config.write_text(CONFIG)
        return {**super().environment, "METER_CONFIG": str(config)}

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """A request to the agent; raises HTTPStatusError."""
        transport = httpx.HTTPTransport(uds=self.environment["METER_SOCKET"])
        with httpx.Client(transport=transport, base_url="http://agent") as client:
            answer = client.request(method, path, json=body)
            answer.raise_for_status()
            return answer.json() if answer.content else None


class Prometheus:
    """A server that scrapes an agent every second."""

    def __init__(self, folder: Path, target: str) -> None:
        every = {"scrape_interval": "1s", "evaluation_interval": "1s", "scrape_timeout": "1s"}
        jobs = [{"job_name": "meter", "static_configs": [{"targets": [target]}]}]
        config = {"global": every, "rule_files": [*map(str, RULES)], "scrape_configs": jobs}
        file = folder / "prometheus.yml"
        file.write_text(yaml.safe_dump(config))
        with socket.create_server(("127.0.0.1", 0)) as server:
            address = f"127.0.0.1:{server.getsockname()[1]}"
        self.url = f"http://{address}/api/v1"
        self._process = subprocess.Popen(
            ["prometheus", f"--config.file={file}", f"--storage.tsdb.path={folder / 'series'}",
             "--log.level=error", f"--web.listen-address={address}"],
        )  # fmt: skip
        self.began_s = time.time()

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait()

    def asked(self, target: Mapping[str, Any], chosen: Mapping[str, str], end_s: float) -> Any:
        """The answer to a panel's target, as its panel asks it; raises HTTPStatusError."""
        range_s = int(end_s - self.began_s)
        known = {"__range": f"{range_s}s", "__rate_interval": "20s", **chosen}
        expression = _VARIABLE.sub(lambda found: known[found[1] or found[2]], target["expr"])
        given: dict[str, Any] = {"query": expression, "time": end_s}
        if not target.get("instant"):
            step = max(1, range_s // POINTS)
            given = {"query": expression, "start": self.began_s, "end": end_s, "step": step}
        path = "query" if target.get("instant") else "query_range"
        answer = httpx.get(f"{self.url}/{path}", params=given, timeout=60)
        answer.raise_for_status()
        return answer.json()["data"]["result"]


def usage(node: Priced) -> None:
    """A fine-tuning job of a provider, and a bot that asks models; some have no price."""
    node.show("meter", "prices", "import", "--bundled")
    job = ROOT / "meter" / "cli" / "demo_data" / "openai_job.json"
    node.show("meter", "jobs", "import", job, "--provider", "openai")
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    for number in range(8):
        for model, meter, quantity in (
            ("ft:gpt-4o-2024-08-06", "input", 180_000 + 9_000 * number),
            ("ft:gpt-4o-2024-08-06", "output", 21_000 + 700 * number),
            ("open-mistral-7b", "input", 90_000),
            ("in-house-8b", "input", 40_000),
        ):
            provider = "mistral" if "mistral" in model else "openai"
            event = {"source": "tour", "id": f"{model}-{meter}-{number}", "at": at, "meter": meter,
                     "provider": provider, "model": model, "quantity": quantity,
                     "project": "support-bot"}  # fmt: skip
            node.ask("POST", "/v1/usage", event)
        time.sleep(2)
    node.ask("POST", "/v1/usage", {
        "source": "tour", "id": "hosting", "at": at, "provider": "azure", "model": "ft:support",
        "meter": "host_hour", "quantity": 3, "service_tier": "Standard", "project": "support-bot",
    })  # fmt: skip


def training(node: Priced) -> None:
    """A run with a budget that tells steps, tokens, phases and how far it is."""
    node.ask("POST", "/v1/runs", {
        "id": RUN, "name": "llama-lora", "project": "tour", "gpus": "1",
        "started_ns": time.clock_gettime_ns(time.CLOCK_BOOTTIME),
        "started_us": time.time_ns() // 1_000,
        "budgets": [{"amount": "0.03", "unit": "kWh"}, {"amount": "0.2", "unit": "EUR"}],
    })  # fmt: skip
    for step in range(1, LASTS_S + 1):
        done = round(0.5 * step / LASTS_S, 6)
        mark: dict[str, Any] = {"step": step, "tokens": 4_096 * step, "fraction": done}
        if step % 25 in {1, 21}:
            mark["phase"] = "train" if step % 25 == 1 else "eval"
        node.ask("POST", f"/v1/runs/{RUN}/marks", mark)
        time.sleep(1)


@contextmanager
def toured() -> Iterator[Prometheus]:
    """A Prometheus that saw the tour, hosted usage, and a run that goes on."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="meter-pictures-")))
        node = Priced.of(folder)
        stack.enter_context(node.agent())
        listens = node.ask("GET", "/v1/status")["agent"]["listens"]
        [target] = [each.rpartition("/")[2] for each in listens if "127.0.0.1" in each]
        prometheus = Prometheus(folder, target)
        stack.callback(prometheus.close)
        tour(node, training_python(tell=True))
        usage(node)
        training(node)
        yield prometheus


def bundled(folder: Path) -> Path:
    """Grafana's parts and what joins them, in one script; installs them where they are not."""
    if not (HERE / "node_modules").exists():
        npm = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        subprocess.run(npm, cwd=HERE, check=True)
    script = folder / "board.js"
    loaders = [f"--loader:.{kind}=dataurl" for kind in ("svg", "woff", "woff2", "ttf")]
    subprocess.run(
        ["node", "node_modules/esbuild/bin/esbuild", "board.jsx", "--bundle", "--jsx=automatic",
         f"--outfile={script}", *loaders, '--define:process.env.NODE_ENV="production"', "--minify",
         "--log-level=error"],
        cwd=HERE, check=True,
    )  # fmt: skip
    return script


def taken(prometheus: Prometheus, path: Path, end_s: float) -> dict[str, Any]:
    """A dashboard with its choices and the answers to all that its panels ask."""
    board = json.loads(path.read_text())
    chosen = {one["name"]: ".+" for one in board["templating"]["list"]}
    if path.stem == "run":
        chosen["run"] = RUN
    answers = {
        panel["id"]: {
            target["refId"]: prometheus.asked(target, chosen, end_s) for target in panel["targets"]
        }
        for panel in board["panels"]
        if panel["type"] != "row"
    }
    return {"board": board, "chosen": chosen, "answers": answers,
            "from": prometheus.began_s * 1_000, "to": end_s * 1_000}  # fmt: skip


def draw(script: Path, data: dict[str, Any], picture: Path, width: int) -> None:
    """One picture, as high as the dashboard."""
    page = script.with_name(f"{picture.stem}.html")
    told = json.dumps(data).replace("</", "<\\/")
    page.write_text(
        f'<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="board.css">'
        f'<body style="margin:0"><div id="root"></div>'
        f'<script>window.TAKEN = {told}</script><script src="{script.name}"></script>'
    )
    rows = max(p["gridPos"]["y"] + p["gridPos"]["h"] for p in data["board"]["panels"])
    with tempfile.TemporaryDirectory(prefix="chromium-") as profile:
        subprocess.run(
            ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
             "--disable-dev-shm-usage", f"--user-data-dir={profile}",
             f"--window-size={width},{rows * CELL + HEAD}", "--virtual-time-budget=10000",
             f"--screenshot={picture}", page.as_uri()],
            check=True, stderr=subprocess.DEVNULL, timeout=120,
        )  # fmt: skip


def main() -> int:
    """Take them; 0 if each is there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=Path, help="folder to keep the answers in, to draw again")
    parser.add_argument("--draw", type=Path, help="draw again what is kept in a folder")
    parser.add_argument("--into", type=Path, default=PICTURES, help="folder of the pictures")
    parser.add_argument("--width", type=int, default=WIDTH, help="of the browser, in px")
    told = parser.parse_args()
    for tool in ("npm", "prometheus", "chromium"):
        if shutil.which(tool) is None:
            raise SystemExit(f"{tool} is missing: install it first")
    told.into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="meter-boards-") as scratch:
        folder = told.draw or told.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        script = bundled(folder)
        if told.draw is None:
            with toured() as prometheus:
                end_s = time.time()
                for path in BOARDS:
                    found = taken(prometheus, path, end_s)
                    (folder / path.name).write_text(json.dumps(found))
        for path in BOARDS:
            data = json.loads((folder / path.name).read_text())
            data["board"] = json.loads(path.read_text())
            draw(script, data, told.into.resolve() / f"{path.stem}.png", told.width)
            print(f"{path.stem}.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
