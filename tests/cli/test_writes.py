"""Commands write through the agent where one answers, else to the file."""

from __future__ import annotations

import os

import pytest

from meter import settings
from meter.cli.writes import AgentWrites, FileWrites, writes
from meter.errors import LedgerLockedError
from meter.ledger import Ledger, open_reader
from meter.model import LedgerBatch
from tests.cli.places import Place, agent


def config_of(place: Place):
    config, _ = settings.load_leniently(place.variables, {})
    return config


def test_without_an_agent_the_ledger_is_made_and_written(tmp_path):
    place = Place(tmp_path)
    with writes(config_of(place)) as found:
        assert isinstance(found, FileWrites)
        found.ledger.write(LedgerBatch(), urgent=True).result(10)
    with open_reader(place.home / "ledger.duckdb") as reader:
        assert reader.newest_us() > 0


def test_where_an_agent_answers_it_writes(tmp_path):
    place = Place(tmp_path)
    with (
        agent(place.variables["METER_SOCKET"], {"/healthz": (200, {"status": "ok"})}),
        writes(config_of(place)) as found,
    ):
        assert isinstance(found, AgentWrites)
    assert not place.home.exists()


def test_a_ledger_that_somebody_else_holds_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr("meter.cli.writes.CLOSING_S", 0.5)
    place = Place(tmp_path)
    path = place.home / "ledger.duckdb"
    place.home.mkdir()
    ready, done = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        with Ledger.open(path):
            os.write(ready[1], b"1")
            os.read(done[0], 1)
        os._exit(0)
    os.read(ready[0], 1)
    with (
        pytest.raises(LedgerLockedError, match=f"held by process {child}"),
        writes(config_of(place)),
    ):
        pytest.fail("the file is held")
    os.write(done[1], b"1")
    assert os.waitpid(child, 0)[1] == 0
