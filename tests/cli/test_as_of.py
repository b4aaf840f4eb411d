"""Figures by what was known at an instant, from the command line and over HTTP."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest

from cli.places import Place, agent
from meter.errors import UsageError
from meter.factors import factors_of
from meter.instants import parse_us
from meter.ledger import Ledger
from meter.ledger.ledger import Pace
from meter.model import LedgerBatch
from tests.ledger.facts import START_US, band, priced, site

INSTANTS = [
    ("2026-03-01", START_US - 9 * 3_600_000_000),
    ("2026-03-01T09:00Z", START_US),
    ("2026-03-01T09:00:00.000001", START_US + 1),
    (" 2026-03-01T10:00+01:00 ", START_US),
]
NO_INSTANTS = ["", "yesterday", "2026-02-30", "1969-12-31", "0001-01-01T00:00+23:00", "12"]


@pytest.mark.parametrize(("text", "us"), INSTANTS)
def test_an_instant_without_an_offset_is_utc(text, us):
    assert parse_us(text) == us


@pytest.mark.parametrize("text", NO_INSTANTS)
def test_what_is_no_instant_is_refused_with_an_example(text):
    with pytest.raises(UsageError, match=r"--as-of .* is no date or instant: write for example"):
        parse_us(text, "--as-of")


def shown(place: Place, capsys: pytest.CaptureFixture[str], *words: str) -> dict:
    assert place.call("show", "last", "--json", *words) == 0
    return json.loads(capsys.readouterr().out)


def electricity(document: dict) -> str:
    (row,) = [row for row in document["cost"] if row["kind"] == "electricity"]
    return row["amount"]["value"]


def correct(place: Place) -> None:
    """A dearer tariff is learned later."""
    config = priced()
    tariff = replace(config.electricity, price_per_kwh=band("0.30"))
    later = replace(config, electricity=tariff)
    with Ledger.open(place.home / "ledger.duckdb", pace=Pace(commit_s=0.0)) as ledger:
        factors = tuple(factors_of(later, site("FRA"), time.time_ns() // 1_000))
        ledger.write(LedgerBatch(factors=factors), urgent=True).result(10)


def test_a_report_at_an_earlier_instant_gives_the_earlier_figures_to_the_digit(tmp_path, capsys):
    place = Place(tmp_path)
    place.fill()
    before = shown(place, capsys)
    correct(place)
    after = shown(place, capsys)
    assert (electricity(before), electricity(after)) == ("0.30", "0.36")
    assert shown(place, capsys, "--as-of", before["as_of"]) == before
    told = tmp_path / "told.json"
    assert place.call("report", "--as-of", before["as_of"], "-o", str(told)) == 0
    assert json.loads(told.read_text()) == before
    assert shown(place, capsys, "--as-of", "2999-01-01") == after


def test_a_run_that_was_not_known_then_is_said_so(tmp_path, capsys):
    place = Place(tmp_path)
    place.fill()
    assert place.call("show", "last", "--as-of", "2026-01-01") == 2
    error = capsys.readouterr().err
    assert "there is no run '01RUN0' that was known at 2026-01-01T00:00:00Z" in error


def test_a_wrong_instant_is_refused_before_anything_is_read(tmp_path, capsys):
    assert Place(tmp_path).call("report", "--as-of", "then") == 2
    assert "--as-of 'then' is no date or instant" in capsys.readouterr().err


def test_an_agent_is_asked_for_the_instant(tmp_path, capsys):
    place = Place(tmp_path)
    path = "/v1/runs/last?as_of=2026-03-01T09%3A00Z"
    answers = {"/healthz": (200, {}), "/v1/status": (200, {}), path: (200, {"as_of": "then"})}
    with agent(place.variables["METER_SOCKET"], answers) as asked:
        assert shown(place, capsys, "--as-of", "2026-03-01T09:00Z") == {"as_of": "then"}
    assert path in asked
