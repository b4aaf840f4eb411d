"""``meter whatif`` from the command line: its table, its document, and what it refuses."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from importlib.resources import files

import pytest
from jsonschema import Draft202012Validator

from agent.agents import agent as node_agent
from agent.agents import until
from cli.places import Place, agent
from meter.cli.whatif_text import text
from meter.ledger import Ledger
from meter.ledger.ledger import Pace
from meter.model import FactorKind, LedgerBatch
from tests.ledger.facts import HOUR_US, START_US, registered
from tests.whatif.runs import hourly
from tests.whatif.test_gpus import ROWS

SCHEMA = json.loads((files("meter") / "schemas" / "whatif-1.json").read_text())
FROM = ("--from", "2026-03-02T00:00Z")
DAY = [900, 800, 700, 600, 500, 400, 300, 200, 250, 350, 450, 550] * 2
HORIZON_US = START_US + 15 * HOUR_US  # midnight after the run


@pytest.fixture
def place(tmp_path) -> Place:
    found = Place(tmp_path)
    found.fill()
    return found


def learn(place: Place, *factors) -> None:
    with Ledger.open(place.home / "ledger.duckdb", pace=Pace(commit_s=0.0)) as ledger:
        ledger.write(LedgerBatch(factors=factors), urgent=True).result(10)


def compared(place: Place, capsys, *words: str) -> dict:
    assert place.call("whatif", "last", "--json", *words) == 0, capsys.readouterr().err
    document = json.loads(capsys.readouterr().out)
    Draft202012Validator(SCHEMA).validate(document)
    return document


def codes(document: dict) -> set[str]:
    notices = [*document["notices"], *(n for one in document["starts"] for n in one["notices"])]
    return {notice["code"] for notice in notices}


def test_the_schema_is_one():
    Draft202012Validator.check_schema(SCHEMA)


def test_as_it_was_is_what_show_says(place, capsys):
    document = compared(place, capsys)
    assert place.call("show", "last", "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    actual = document["actual"]
    for name in ("it", "facility", "by_component"):
        assert actual["energy"][name] == shown["energy"][name]
    assert actual["cost"] == shown["cost"]
    assert actual["carbon"]["location"] == shown["carbon"]["location"]
    assert document["scenarios"] == []


def test_other_zones_stand_beside_the_run(place, capsys):
    document = compared(place, capsys, "--zone", "sweden", "--zone", "POL", "--zone", "SWE")
    assert [one["label"] for one in document["scenarios"]] == ["in SWE", "in POL"]
    sweden, poland = document["scenarios"]
    assert sweden["difference"]["location"]["share"] < 0 < poland["difference"]["location"]["share"]
    assert sweden["difference"]["it"]["share"] == 0
    assert sweden["cost"] == document["actual"]["cost"]
    assert "kept_from_home" in codes(document)
    assert [one["label"] for one in document["starts"]] == ["as it was", "in SWE", "in POL"]


def test_where_nothing_varies_no_hour_is_named(place, capsys):
    document = compared(place, capsys, *FROM)
    (starts,) = document["starts"]
    assert starts["cleanest"] is None
    assert [one["start"] for one in starts["cheapest"]] == [None, None]
    assert {"cost_does_not_vary", "carbon_does_not_vary"} <= codes(document)
    assert len(starts["hours"]) == 24


def test_the_cleanest_hour_is_named_with_what_it_saves(place, capsys):
    learn(place, *hourly(HORIZON_US, DAY))
    document = compared(place, capsys, *FROM, "--horizon", "20h")
    best = document["starts"][0]["cleanest"]
    assert best["start"] == "2026-03-02T07:00:00.000000Z"
    assert best["hourly_share"] == 1
    assert best["difference"]["share"] == pytest.approx(20 / 56.039 - 1, abs=0.01)
    assert "yearly_fallback" not in codes(document)


def test_hours_without_an_intensity_of_their_own_are_said(place, capsys):
    learn(place, *hourly(HORIZON_US, DAY[:8]))
    document = compared(place, capsys, *FROM)
    assert "yearly_fallback" in codes(document)
    assert document["starts"][0]["cleanest"]["start"] == "2026-03-02T07:00:00.000000Z"


def test_the_cheapest_hour_is_named_in_each_currency_that_varies(place, capsys):
    prices = hourly(
        HORIZON_US, DAY, kind=FactorKind.ELECTRICITY_PRICE, scope="lab", currency="EUR", rank=900
    )
    learn(place, *prices)
    document = compared(place, capsys, *FROM, "--horizon", "20h")
    euros, dollars = document["starts"][0]["cheapest"]
    assert (euros["currency"], euros["start"]) == ("EUR", "2026-03-02T07:00:00.000000Z")
    assert (dollars["currency"], dollars["start"]) == ("USD", None)
    beyond = compared(place, capsys, "--from", "2026-03-02T12:00Z", "--horizon", "14d")
    assert "starts_not_comparable" not in codes(beyond)


def test_marginal_intensity_ranks_and_is_in_no_total(place, capsys):
    before = compared(place, capsys, *FROM)
    learn(place, *hourly(HORIZON_US, DAY, kind=FactorKind.MARGINAL_INTENSITY))
    document = compared(place, capsys, *FROM, "--horizon", "20h")
    assert document["actual"] == before["actual"]
    marginal = document["starts"][0]["marginal"]
    assert marginal == {"start": "2026-03-02T07:00:00.000000Z", "mean_g_per_kwh": 20.0}
    assert document["starts"][0]["cleanest"] is None
    assert "marginal_apart" in codes(document)


def test_another_currency_is_never_mixed(place, capsys):
    document = compared(place, capsys, "--price", "0.12CHF", "--pue", "1.05")
    (scenario,) = document["scenarios"]
    by_currency = {one["currency"]: one["total"] for one in scenario["difference"]["cost"]}
    assert by_currency["CHF"] is None
    assert by_currency["EUR"] is None
    assert by_currency["USD"]["share"] == 0
    assert "other_currency" in codes(document)
    (electricity,) = [one for one in scenario["cost"] if one["kind"] == "electricity"]
    assert electricity["amount"]["value"] == "0.144"
    assert scenario["energy"]["facility"]["value"] == pytest.approx(1.05 * 4_320_000)


def test_a_zone_that_only_the_ledger_knows_is_taken_with_its_tariff(place, capsys):
    grid = hourly(START_US, [1_000] * 2, scope="DE-LU")
    prices = hourly(
        START_US, [3] * 2, kind=FactorKind.ELECTRICITY_PRICE, scope="DE-LU", currency="EUR"
    )
    learn(place, *grid, *prices)
    document = compared(place, capsys, "--zone", "DE-LU")
    (scenario,) = document["scenarios"]
    (electricity,) = [one for one in scenario["cost"] if one["kind"] == "electricity"]
    assert electricity["amount"]["value"] == "0.36"
    assert scenario["carbon"]["location"]["value"] == pytest.approx(1.2 * 1.2 * 100)
    (kept,) = [one for one in document["notices"] if one["code"] == "kept_from_home"]
    assert "tariff" not in kept["text"]
    assert "--pue" in kept["text"]


def test_a_comparison_as_of_an_instant_uses_what_was_known_then(place, capsys):
    before = compared(place, capsys, *FROM)
    now_us = time.time_ns() // 1_000
    learn(place, *(replace(row, recorded_us=now_us) for row in hourly(HORIZON_US, DAY)))
    assert compared(place, capsys, *FROM)["starts"][0]["cleanest"] is not None
    assert compared(place, capsys, *FROM, "--as-of", before["as_of"]) == before


def test_without_block_characters_the_lines_are_ascii(place, capsys):
    learn(place, *hourly(HORIZON_US, DAY))
    shown = text(compared(place, capsys, *FROM), 80, blocks=False)
    assert shown.isascii()
    assert "@" in shown
    assert "█" in text(compared(place, capsys, *FROM), 80, blocks=True)


def test_another_start_moves_the_energy_to_that_hours_intensity(place, capsys):
    learn(place, *hourly(HORIZON_US, DAY))
    document = compared(place, capsys, "--start", "2026-03-02T03:10Z")
    (scenario,) = document["scenarios"]
    assert scenario["started_at"] == "2026-03-02T03:10:00.000000Z"
    grams = 1.2 * 1.2 * 60
    assert scenario["carbon"]["location"]["value"] == pytest.approx(grams)
    later = compared(place, capsys, "--start", "+18h")["scenarios"][0]
    assert later["started_at"] == "2026-03-02T03:00:00.000000Z"
    assert later["carbon"] == scenario["carbon"]


def test_another_gpu_is_assumed_and_says_so(place, capsys):
    learn(place, *ROWS)
    document = compared(place, capsys, "--gpu", "A100-SXM4")
    (scenario,) = document["scenarios"]
    assert scenario["duration_s"] == pytest.approx(3_600 * 989 / 312)
    assert scenario["energy"]["it"]["method"] == "assumed"
    assert scenario["energy"]["it"]["value"] == pytest.approx(4_320_000 * 989 / 312 * 400 / 700)
    assert {"gpu_assumed", "gpu_rate_kept"} <= codes(document)
    kinds = {factor["kind"] for factor in document["factors"]}
    assert {"gpu_compute", "gpu_power"} <= kinds


REFUSED = [
    (("--zone", "Polen"), "there is no zone 'Polen': did you mean POL"),
    (("--gpu", "H100000"), "there is no GPU 'H100000' in the books"),
    (("--price", "0.12"), "no price of a kWh with its currency: write for example 0.12EUR"),
    (("--price", "nanEUR"), "no price of a kWh with its currency"),
    (("--price", "999999EUR"), "is absurd"),
    (("--pue", "0.9"), "--pue '0.9' is no PUE: give 1 to 5"),
    (("--pue", "1e1"), "is no PUE"),
    (("--start", "tomorrow"), "--start 'tomorrow' is no date or instant"),
    (("--start", "+6"), "--start '+6' is no span: write for example +6h"),
    (("--start", "-999999d"), "is out of range"),
    (("--from", "noon"), "--from 'noon' is no date or instant"),
    (("--horizon", "15d"), "--horizon '15d' is out of range: give 1h to 14d"),
    (("--horizon", "30m"), "is out of range"),
    (("--horizon", "a week"), "--horizon 'a week' is no span: write for example 48h or 2d"),
    (("--as-of", "1971-01-01"), "that was known"),
]


@pytest.mark.parametrize(("words", "said"), REFUSED, ids=[" ".join(words) for words, _ in REFUSED])
def test_what_cannot_be_compared_is_refused_on_one_line(place, capsys, words, said):
    assert place.call("whatif", "last", *words) == 2
    streams = capsys.readouterr()
    assert streams.out == ""
    assert said in streams.err
    assert streams.err.count("\n") == 1


def test_a_run_that_is_unknown_or_has_no_energy_is_refused(place, capsys):
    assert place.call("whatif", "nobody") == 2
    assert "there is no run 'nobody'" in capsys.readouterr().err
    with Ledger.open(place.home / "ledger.duckdb", pace=Pace(commit_s=0.0)) as ledger:
        ledger.write(registered("01RUN9", zone="FRA", name="idle"), urgent=True).result(10)
    assert place.call("whatif", "01RUN9") == 2
    assert "no energy is known of the run 'idle'" in capsys.readouterr().err


def test_a_run_that_goes_on_is_compared_so_far_by_its_agent_and_then_whole(tmp_path, capsys):
    (tmp_path / "place").mkdir()
    with node_agent(tmp_path, METER_ZONE="FRA") as node:
        node.hear("reading")
        node.begin("r1")
        place = Place(tmp_path / "place", METER_SOCKET=node.socket)
        until(lambda: energy_of(node.ask("GET", "/v1/runs/r1")[1]) > 0, "energy of the run")
        document = compared(place, capsys, "--zone", "SWE")
        assert "run_running" in codes(document)
        assert document["simulated"] is True
        assert energy_of(document["actual"]) > 0
        shown = node.end("r1")
        whole = compared(place, capsys, "--zone", "SWE")
        assert "run_running" not in codes(whole)
        assert whole["actual"]["energy"]["it"] == shown["energy"]["it"]
        assert whole["actual"]["carbon"]["location"] == shown["carbon"]["location"]
        assert place.call("whatif", "nobody") == 2
        assert "there is no run 'nobody'" in capsys.readouterr().err


def energy_of(document: dict) -> float:
    return document["energy"]["it"]["value"]


@pytest.mark.parametrize("columns", ["80", "120"])
def test_the_table_fits_the_terminal(place, capsys, columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", columns)
    learn(place, *hourly(HORIZON_US, DAY), *ROWS)
    words = ("--zone", "SWE", "--gpu", "A100", "--price", "0.12CHF", "--start", "+90m")
    assert place.call("whatif", *words, *FROM, "--horizon", "14d") == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= int(columns)
    assert any(line.startswith("cleanest") for line in lines)
    assert any(line.startswith("carbon  ") for line in lines)
    assert any("a column is the best of" in line for line in lines)


@pytest.mark.parametrize("columns", [80, 100])
def test_long_names_great_sums_and_several_currencies_fit(place, capsys, columns):
    learn(place, *hourly(HORIZON_US, DAY))
    document = compared(place, capsys, "--zone", "SWE", "--price", "0.12CHF", *FROM)
    document["run"]["name"] = "fine-tune-of-a-model-with-a-name-" * 3
    document["run"]["sites"] = [
        {"id": "laboratory-of-the-north", "zone": "USA-CA"},
        {"id": "laboratory-of-the-south", "zone": "DEU"},
    ]
    actual, scenario = document["actual"], document["scenarios"][0]
    for case, size in ((actual, 1), (scenario, 9.87)):
        case["label"] = "zone SWE, price 0.12 CHF, on A100-SXM4-80GB, from 2026-03-02 01:30 UTC"
        case["cost"] = [
            {"kind": kind, "currency": currency, "amount": amount(size, currency)}
            for currency in ("CHF", "EUR", "USD")
            for kind in ("electricity", "electricity_overhead", "gpu_time")
        ]
        case["energy"]["facility"] = amount(size * 9e15, "J")
        case["carbon"]["location"] = amount(size * 9e9, "g")
    (hours,) = document["starts"][:1]
    best = {"start": FROM[1], "amount": amount(1, "USD"), "difference": {"share": 98.76}}
    hours["cheapest"] = [{**best, "currency": currency} for currency in ("CHF", "EUR", "USD")]
    lines = text(document, columns, blocks=True).splitlines()
    assert [line for line in lines if len(line) > columns] == []
    whole = " ".join(" ".join(lines).split())
    assert "+887 %" in whole
    assert "1,234,567.89 CHF" in whole


def amount(size: float, unit: str) -> dict:
    value = 1234567.89 * size if unit.isupper() and unit != "J" else size
    return {"value": value, "low": value * 0.9, "high": value * 1.1, "unit": unit}


def test_the_agents_answers_make_the_same_document(place, capsys):
    learn(place, *hourly(HORIZON_US, DAY))
    words = ("--zone", "SWE", "--start", "+18h", *FROM)
    read = compared(place, capsys, *words)
    place.variables["METER_SOCKET"] = str(place.home.parent / "other.sock")
    with served(place) as asked:
        assert compared(place, capsys, *words) == read
    assert any(path.startswith("/v1/rates?") for path in asked)


def served(place: Place):
    """An agent that answers as the file would."""
    from meter.cli import reads

    class Answers(dict):
        def get(self, path: str, default=None):
            return self._answer(path) or default

        def _answer(self, path: str):
            from urllib.parse import parse_qs, urlsplit

            from meter.instants import parse_us
            from meter.ledger import open_reader, profiles, reports

            parts = urlsplit(path)
            query = parse_qs(parts.query)
            if parts.path in {"/healthz", "/v1/status"}:
                return 200, {"status": "ok", "ledger": {"keeps": True}}
            with open_reader(place.home / reads.LEDGER_NAME) as reader:
                if parts.path == "/v1/runs/last/profile":
                    return 200, profiles.run_profile(reader, reports.find_run(reader, "last"))
                if parts.path == "/v1/rates":
                    span = parse_us(query["from"][0]), parse_us(query["to"][0])
                    as_of_us = parse_us(query["as_of"][0])
                    found = profiles.factor_rows(reader, query["scope"], span, as_of_us=as_of_us)
                    return 200, {"factors": found}
            return None

    return agent(place.variables["METER_SOCKET"], Answers())
