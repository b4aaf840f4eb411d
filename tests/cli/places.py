"""Homes, ledgers and agents for tests of the command line."""

from __future__ import annotations

import json
import os
import socketserver
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

from meter.cli import app
from meter.environment import Environment
from meter.factors import factors_of
from meter.ledger import Ledger
from meter.ledger.ledger import Pace
from meter.model import LedgerBatch, RawReading
from tests.ledger.facts import GPUS, MINUTE_US, START_US, ended, minute, priced, registered, site

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Place:
    """A home of its own, and the command line called in it."""

    def __init__(self, folder: Path, **variables: str) -> None:
        self.home = folder / "home"
        self.variables = {
            "HOME": str(folder),
            "PATH": os.environ["PATH"],
            "METER_HOME": str(self.home),
            "METER_SOCKET": str(folder / "agent.sock"),
            "METER_LEASE_DIR": str(folder / "leases"),
            "METER_LISTEN": "127.0.0.1:0",
            **variables,
        }

    def call(self, *words: str) -> int:
        """Exit code of ``meter WORDS``."""
        return app.run(list(words), Environment(self.variables, os.getuid()))

    def fill(self, minutes: int = 60) -> None:
        """A ledger with a run of two GPUs at 600 W."""
        with Ledger.open(self.home / "ledger.duckdb", pace=Pace(commit_s=0.0)) as ledger:
            factors = tuple(factors_of(priced(), site("FRA"), START_US))
            intervals = tuple(minute(n, device=gpu) for gpu in GPUS for n in range(minutes))
            readings = tuple(
                RawReading(gpu, START_US + n * MINUTE_US, n, n * 36_000_000, n * 60_000_000_000)
                for gpu in GPUS
                for n in range(minutes + 1)
            )
            for batch in (
                registered(zone="FRA"),
                LedgerBatch(factors=factors),
                LedgerBatch(intervals=intervals, readings=readings, site_id="lab"),
                ended(minutes=minutes),
            ):
                ledger.write(batch, urgent=True).result(10)


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


@contextmanager
def agent(socket_path: str, answers: dict[str, tuple[int, dict[str, Any]]]) -> Iterator[list[str]]:
    """An agent that gives prepared answers by path; the paths that were asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            status, body = answers.get(self.path, (404, {"title": "Not Found"}))
            raw = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def address_string(self) -> str:
            return "unix"

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with _Server(socket_path, Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield asked
        finally:
            server.shutdown()
            thread.join()
