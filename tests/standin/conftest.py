"""Scenarios on a manual clock, and clients that live as long as the test."""

from __future__ import annotations

import shutil

import pytest

from standin import build
from standin.scenario import Scenario
from standin.units import ns
from tests.standin.nvml_client import Client


@pytest.fixture(scope="session")
def library(tmp_path_factory):
    """The compiled stand-in."""
    if shutil.which("gcc") is None:
        pytest.fail("the stand-in needs gcc: apt-get install gcc libc6-dev")
    return build.library(build.default_folder())


class Node:
    """A scenario in a folder, its clock, and the clients on it."""

    def __init__(self, scenario, folder, library):
        self.scenario, self.folder, self.library = scenario, folder, library
        self.script = scenario.write(folder)
        self.clock = scenario.clock(folder) if scenario.manual else None
        self.clients = []

    def environment(self):
        return self.scenario.environment(self.folder, library=self.library)

    def client(self, **extra):
        client = Client({**self.environment(), **extra})
        self.clients.append(client)
        return client

    def at(self, seconds):
        """Sets the clock."""
        self.clock.set(ns(seconds))

    def close(self):
        for client in self.clients:
            client.process.kill()
            client.process.stdin.close()
            client.process.stdout.close()
            client.process.wait(timeout=30)
        if self.clock:
            self.clock.close()


@pytest.fixture
def node(tmp_path, library):
    """Makes nodes of scenarios (manual clock unless told) and of their GPUs."""
    made = []

    def make(*gpus, **options):
        scenario = Scenario(gpus=gpus, **{"manual": True, **options})
        made.append(Node(scenario, tmp_path / f"node{len(made)}", library))
        return made[-1]

    yield make
    for each in made:
        each.close()
