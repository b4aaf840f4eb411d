"""Sealing, restating and verifying from the command line, on the file and through an agent."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import replace
from pathlib import Path

import duckdb
import jsonschema
import pytest

from agent.agents import agent
from cli.places import Place
from meter.cli import proven
from meter.factors import factors_of
from meter.ledger import Ledger, reports
from meter.ledger.ledger import Pace
from meter.ledger.reports import PowerPoint
from meter.model import LedgerBatch
from tests.ledger.facts import GPUS, START_US, band, priced, registered, site

SCHEMA = json.loads((Path(__file__).parents[2] / "meter/schemas/run-1.json").read_text())


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    made = Place(tmp_path)
    made.fill()
    return made


def write(place, batch):
    with Ledger.open(place.home / "ledger.duckdb", pace=Pace(commit_s=0.0)) as ledger:
        ledger.write(batch, urgent=True).result(10)


def correct(place, price="0.30"):
    config = priced()
    later = replace(config, electricity=replace(config.electricity, price_per_kwh=band(price)))
    write(place, LedgerBatch(factors=tuple(factors_of(later, site("FRA"), 0))))


def seal(place, capsys, *words):
    """A sealed JSON report, and what was said."""
    target = place.home / "sealed.json"
    target.unlink(missing_ok=True)
    code = place.call("report", "last", "--seal", "-o", str(target), *words)
    said = capsys.readouterr().err
    return code, json.loads(target.read_text()) if target.exists() else None, said


def verify(place, capsys, *words):
    code = place.call("verify", *words)
    out = capsys.readouterr().out
    assert "--json" in words or max(map(len, out.splitlines())) <= 80, out
    return code, out


def flat(text):
    return " ".join(text.split())


def test_a_sealed_report_names_its_statement_and_anybody_can_check_the_hash(place, capsys):
    code, report, said = seal(place, capsys)
    assert code == 0
    assert "sealed lora as statement 1" in said
    jsonschema.validate(report, SCHEMA)
    statement = report.pop("statement")
    canonical = json.dumps(report, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert hashlib.sha256(canonical.encode()).hexdigest() == statement["document_sha256"]
    assert (statement["number"], statement["replaces"], statement["difference"]) == (1, None, [])
    assert statement["as_of"] == report["as_of"]


def test_sealing_again_says_that_nothing_is_new(place, capsys):
    _, first, _ = seal(place, capsys)
    code, again, said = seal(place, capsys)
    assert (code, again) == (0, first)
    assert "statement 1 of" in said
    assert "nothing was issued" in said


def test_a_correction_is_restated_with_a_reason_and_its_difference(place, capsys):
    seal(place, capsys)
    correct(place)
    code, report, said = seal(place, capsys)
    assert (code, report) == (2, None)
    assert said.count("\n") == 1
    assert "restate it with --reason TEXT" in said
    code, report, said = seal(place, capsys, "--reason", "corrected tariff")
    assert code == 0
    assert "replaces statement 1: corrected tariff" in said
    assert "cost[electricity EUR].amount.value  0.30 -> 0.36" in said
    assert all(len(line) <= 80 for line in said.splitlines() if not line.startswith("wrote "))
    jsonschema.validate(report, SCHEMA)
    assert report["statement"]["replaces"] == 1
    code, out = verify(place, capsys)
    assert code == 0
    assert "cost[electricity EUR].amount.value  0.30 -> 0.36" in out
    assert out.rstrip().endswith("Nothing was changed.")


def test_the_html_says_which_statement_it_is_and_escapes_the_reason(place, capsys):
    seal(place, capsys)
    correct(place)
    target = place.home / "r.html"
    reason = "<script>alert(1)</script>"
    assert place.call("report", "--seal", "--reason", reason, "-o", str(target)) == 0
    html = target.read_text()
    assert "replaces statement 1: &lt;script&gt;" in html
    assert "<script" not in html
    assert "<dt>Statement</dt><dd>2, sealed" in html
    assert "0.30</td><td>0.36</td>" in html


def test_verify_names_what_was_changed_and_exits_with_one(place, capsys):
    seal(place, capsys)
    con = duckdb.connect(str(place.home / "ledger.duckdb"))
    con.execute("UPDATE interval SET energy_mj = energy_mj + 3600000, high_mj = high_mj + 3600000")
    con.close()
    code, out = verify(place, capsys)
    assert code == 1
    assert "a row that it covers was changed (interval 120)" in flat(out)
    assert "DIFFERS" in out
    assert "energy.it.value  4320000.0 -> 4752000.0" in out
    code, out = verify(place, capsys, "--json")
    found = json.loads(out)
    assert (code, found["ok"]) == (1, False)
    assert [one["what"] for one in found["findings"]] == ["batch", "statement"]


def test_a_hash_noted_earlier_must_still_be_there(place, capsys):
    _, report, _ = seal(place, capsys)
    noted = report["statement"]["sha256"]
    newest = json.loads(verify(place, capsys, "--json")[1])["batches"]["newest_sha256"]
    assert verify(place, capsys, "--expect", noted, "--expect", newest.upper())[0] == 0
    code, out = verify(place, capsys, "--expect", "0" * 64)
    assert code == 1
    assert "no batch or statement has 000" in flat(out)
    assert place.call("verify", "--expect", "short") == 2
    assert "is no SHA-256" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nothing"], "there is no run 'nothing'"),
        (["--reason", "x"], "no statement of this run yet"),
        (["--reason", "x\ny"], "cannot be printed"),
        (["--currency", "USD"], "leave out --currency"),
    ],
)
def test_what_cannot_be_sealed_is_said_on_one_line(place, capsys, words, said):
    assert place.call("report", "--seal", "-o", str(place.home / "x.json"), *words) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not (place.home / "x.json").exists()


def test_where_no_file_can_be_written_nothing_is_issued(place, capsys):
    assert place.call("report", "--seal", "-o", str(place.home / "nowhere" / "x.json")) == 1
    assert "cannot be written" in capsys.readouterr().err
    assert place.call("verify") == 0
    assert "0 statements" in capsys.readouterr().out


def test_a_reason_without_a_seal_and_a_run_that_goes_on_are_refused(place, capsys):
    assert place.call("report", "--reason", "x") == 2
    assert "give --seal too" in capsys.readouterr().err
    write(place, registered("01RUN1", name="other", zone="FRA"))
    assert place.call("report", "01RUN1", "--seal", "-o", str(place.home / "x.json")) == 2
    assert "has not ended" in capsys.readouterr().err


def test_without_a_ledger_there_is_nothing_to_seal_or_verify(tmp_path, capsys):
    place = Place(tmp_path)
    assert place.call("report", "--seal") == 1
    assert place.call("verify") == 1
    assert capsys.readouterr().err.count("there is no ledger") == 2
    assert not (place.home / "ledger.duckdb").exists()


def test_an_agent_seals_and_verifies_and_a_killed_one_leaves_the_chain_whole(
    tmp_path, capsys, monkeypatch
):
    monkeypatch.setenv("COLUMNS", "80")
    place = Place(tmp_path)
    with agent(tmp_path, home=place.home) as running:
        assert "reading" in running.hear("reading")
        running.begin("01LIVE", gpus="0")
        time.sleep(1.0)
        running.end("01LIVE")
        code, report, said = seal(place, capsys)
        assert (code, report["run"]["id"]) == (0, "01LIVE"), said
        assert running.ask("POST", "/v1/statements", {"run": "last"})[0] == 200
        assert running.ask("POST", "/v1/statements", {"run": "none"})[0] == 404
        assert running.ask("GET", "/v1/statements/2")[0] == 422
        assert running.ask("GET", "/v1/statements")[1]["statements"][0]["number"] == 1
        answer = running.ask("GET", "/v1/statements/1")[1]
        assert answer["document"] | {"statement": answer["statement"]} == report
        code, out = verify(place, capsys)
        assert code == 0, out
        assert "derived again, the same" in out
        running.kill()
    code, out = verify(place, capsys)
    assert code == 0, out
    with agent(tmp_path, home=place.home) as running:
        assert "reading" in running.hear("reading")
        running.begin("01MORE", gpus="0")
        running.end("01MORE")
        code, out = verify(place, capsys, "--expect", report["statement"]["sha256"])
        assert code == 0, out
        running.stop()


@pytest.mark.parametrize("reason", ["r" * 200, "word " * 40])
@pytest.mark.parametrize("issued", [True, False])
def test_long_names_and_reasons_fit_the_terminal(monkeypatch, issued, reason):
    monkeypatch.setenv("COLUMNS", "80")
    change = {"path": f"cost[{'p' * 120}]", "old": "o" * 70, "new": "n" * 70}
    statement = {
        "number": 12, "id": "01X", "sha256": "0" * 64, "issued_at": "2026-03-01T09:00:00.000000Z",
        "replaces": 11, "reason": reason, "difference": [change],
    }  # fmt: skip
    run = {"id": "01X", "name": "n" * 60}
    sealed = {"issued": issued, "statement": statement, "document": {"run": run}}
    proof = {
        **statement, "run": run, "findings": [], "derived": "not derived", "note": "x" * 120,
        "changed_queries": ["q" * 90], "today": [change],
    }  # fmt: skip
    found = {"text": f"factor {'f' * 100}: gone \x1b", "differs": [change]}
    lines = [
        *proven.sealed_lines(sealed), *proven.statement_lines(proof), *proven.findings([found]),
    ]  # fmt: skip
    assert max(map(len, lines)) <= 80
    assert all(line.isprintable() for line in lines)
    assert ("nothing was issued" in flat(" ".join(lines))) is not issued


def test_a_sealed_file_is_the_same_bytes_once_its_readings_have_expired(place, monkeypatch):
    first, second = (place.home / name for name in ("first.html", "second.html"))
    with monkeypatch.context() as patch:  # opening a ledger to seal deletes old readings
        there = [PowerPoint(GPUS[0], START_US + n * 1_000_000, 1.0, float(n)) for n in range(9)]
        patch.setattr(reports, "_readings", lambda *_: there)
        assert place.call("report", "--seal", "-o", str(first)) == 0
    assert place.call("report", "--seal", "-o", str(second)) == 0
    assert first.read_bytes() == second.read_bytes()
