"""An agent that notes what it is told of marks, and answers as a test wants it to."""

from __future__ import annotations

import contextlib
import json
import socketserver
import threading
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class FakeAgent(socketserver.ThreadingUnixStreamServer):
    """Serves in a thread; ``batches`` are the bodies, ``answers`` what the next requests get."""

    daemon_threads = True

    def __init__(self, path: str) -> None:
        super().__init__(path, Handler)
        self.path = path
        self.batches: list[dict[str, Any]] = []
        self.answers: list[tuple[int, dict[str, Any]]] = []
        self.heard = threading.Condition()

    @property
    def marks(self) -> list[dict[str, Any]]:
        return [mark for batch in self.batches for mark in batch.get("marks", ())]

    @property
    def links(self) -> list[tuple[str, str]]:
        return [(b["source"], b["id"]) for b in self.batches if b["path"].endswith("/links")]

    def await_marks(self, count: int) -> list[dict[str, Any]]:
        with self.heard:
            assert self.heard.wait_for(lambda: len(self.marks) >= count, 60), self.batches
        return self.marks


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: FakeAgent

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server = self.server
        with server.heard:
            status, answer = server.answers.pop(0) if server.answers else (202, {"invalid": []})
            server.batches.append({**body, "path": self.path, "status": status})
            server.heard.notify_all()
        text = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def address_string(self) -> str:
        return "unix"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@contextlib.contextmanager
def fake_agent(folder: Path) -> Iterator[FakeAgent]:
    with FakeAgent(str(folder / "a.sock")) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
