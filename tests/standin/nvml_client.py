"""A process that uses the stand-in through pynvml, driven from a test."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SERVER = Path(__file__).with_name("nvml_server.py")


class RefusedError(Exception):
    """NVML answered with an error; ``code`` is its number."""

    def __init__(self, code):
        super().__init__(f"NVML error {code}")
        self.code = code


class Client:
    """NVML calls in another process; ``start`` calls nvmlInit and opens the handles."""

    def __init__(self, environment):
        self.process = subprocess.Popen(
            [sys.executable, str(SERVER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment, "PYTHONPATH": str(ROOT)},
        )

    def send(self, *message):
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()

    def receive(self):
        answer = json.loads(self.process.stdout.readline())
        if "code" in answer:
            raise RefusedError(answer["code"])
        return answer["ok"]

    def ask(self, function, *arguments):
        """Result of a pynvml function as plain data; handles go by the names kept."""
        self.send("ask", function, *arguments)
        return self.receive()

    def code(self, function, *arguments):
        """Error code of a call, 0 if it succeeded."""
        try:
            self.ask(function, *arguments)
        except RefusedError as refused:
            return refused.code
        return 0

    def keep(self, key, function, *arguments):
        self.send("keep", key, function, *arguments)
        self.receive()

    def start(self, gpus=1):
        """Initialises and keeps the handles of the GPUs as gpu0, gpu1 ..."""
        self.ask("nvmlInit")
        for number in range(gpus):
            self.keep(f"gpu{number}", "nvmlDeviceGetHandleByIndex", number)
        return self

    def fields(self, gpu, *identifiers):
        """Field values by ID."""
        rows = self.ask("nvmlDeviceGetFieldValues", gpu, identifiers)
        return {row["id"]: row for row in rows}

    def energy(self, gpu="gpu0"):
        return self.ask("nvmlDeviceGetTotalEnergyConsumption", gpu)

    def power(self, gpu="gpu0"):
        return self.ask("nvmlDeviceGetPowerUsage", gpu)

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        return self.process.wait(timeout=30)
