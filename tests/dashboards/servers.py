"""Debian's Prometheus and Alertmanager as processes of a test, and a receiver of alerts."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import httpx
import yaml

from agent.agents import PATIENCE_S, until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


class Prometheus:
    """A server that answers questions."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, path: str, **parameters: Any) -> dict[str, Any]:
        """The answer; an error of the question is one of the test."""
        query = urlencode(parameters, doseq=True)
        answer = httpx.get(f"{self.url}/api/v1/{path}?{query}", timeout=30)
        assert answer.status_code == 200, f"{parameters}: {answer.text}"
        return answer.json()

    def now(self, expression: str) -> list[Any]:
        """Series at this moment; of a range, all of their samples."""
        return self.ask("query", query=expression)["data"]["result"]

    def over_time(self, expression: str, range_s: float) -> list[Any]:
        """Series of the last seconds that are not all nothing."""
        end = time.time()
        given = {"query": expression, "start": end - range_s, "end": end, "step": 5}
        found = self.ask("query_range", **given)["data"]["result"]
        return [series for series in found if any(v != "NaN" for _, v in series["values"])]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@contextmanager
def running(command: Sequence[str], log: Path, ready: str) -> Iterator[None]:
    """A server that answers at its address."""
    with log.open("wb") as told:
        process = subprocess.Popen(command, stderr=told)

    def answers() -> bool:
        assert process.poll() is None, log.read_text()
        try:
            return httpx.get(ready).status_code == 200
        except httpx.TransportError:
            return False

    try:
        until(answers, ready)
        yield
    finally:
        process.kill()
        process.wait(PATIENCE_S)


@contextmanager
def prometheus(
    program: str,
    folder: Path,
    target: str,
    rules: Sequence[Path],
    alertmanager: str = "",
    *,
    honor_labels: bool = False,
    others: Sequence[str] = (),
) -> Iterator[Prometheus]:
    """One that scrapes a target, and others, every second, and evaluates the rules as often."""
    every = {"scrape_interval": "1s", "evaluation_interval": "1s", "scrape_timeout": "1s"}
    scraped = {"static_configs": [{"targets": [target, *others]}], "honor_labels": honor_labels}
    jobs = [{"job_name": "meter", **scraped}]
    config: dict[str, Any] = {"global": every, "scrape_configs": jobs}
    config["rule_files"] = [str(path) for path in rules]
    if alertmanager:
        told = [{"static_configs": [{"targets": [alertmanager]}]}]
        config["alerting"] = {"alertmanagers": told}
    file = folder / "prometheus.yml"
    file.write_text(yaml.safe_dump(config))
    url = f"http://127.0.0.1:{free_port()}"
    command = [
        program, f"--config.file={file}", f"--storage.tsdb.path={folder / 'series'}",
        "--enable-feature=exemplar-storage",
        "--log.level=warn", f"--web.listen-address={url.removeprefix('http://')}",
    ]  # fmt: skip
    with running(command, folder / "prometheus.log", f"{url}/-/ready"):
        yield Prometheus(url)


@contextmanager
def alertmanager(program: str, folder: Path, config: dict[str, Any]) -> Iterator[str]:
    """One that stands alone; its address."""
    file = folder / "alertmanager.yml"
    file.write_text(yaml.safe_dump(config))
    address = f"127.0.0.1:{free_port()}"
    command = [
        program, f"--config.file={file}", f"--storage.path={folder / 'silences'}",
        f"--web.listen-address={address}", "--cluster.listen-address=", "--log.level=warn",
    ]  # fmt: skip
    with running(command, folder / "alertmanager.log", f"http://{address}/-/ready"):
        yield address


class Receiver:
    """Where an Alertmanager posts: what came, by path."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.came: list[tuple[str, dict[str, Any]]] = []

    def alerts(self, path: str, name: str) -> list[dict[str, Any]]:
        """Alerts of a name that came there and fire."""
        posts = [post for where, post in list(self.came) if where == path]
        alerts = [alert for post in posts for alert in post["alerts"]]
        named = [alert for alert in alerts if alert["labels"]["alertname"] == name]
        return [alert for alert in named if alert["status"] == "firing"]


@contextmanager
def receiver() -> Iterator[Receiver]:
    """A webhook on loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.came.append((self.path, json.loads(body)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found = Receiver(f"http://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join(PATIENCE_S)
