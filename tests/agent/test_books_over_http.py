"""The books over HTTP: rows all or none, each fault told, live counters at the new rates."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import pytest

from agent.agents import agent, until
from agent.asgi import ask
from meter.agent import http
from meter.agent.books_desk import BooksDesk
from meter.agent.http_books import LARGER
from meter.agent.shelf import Shelf
from meter.cli import app
from meter.environment import Environment
from meter.ledger import Ledger
from meter.ledger.books import Asked
from meter.ledger.ledger import Pace
from meter.limits import BODY_BYTES
from meter.model import Site
from tests.agent.test_http import FakeDesk, FakePage
from tests.factors.sheets import FACTOR, PRICE, table

SITE = Site("lab", "lab", "FRA")


@pytest.fixture
def shelf():
    return Shelf(SITE)


@pytest.fixture
def client(shelf):
    with Ledger.open(Path(":memory:"), pace=Pace(commit_s=0.0)) as ledger:
        desk = BooksDesk(ledger, shelf)
        yield partial(ask, http.build(FakeDesk(), FakePage(), ["node1"], desk))


def test_rows_are_taken_listed_and_told_with_their_history(client):
    answer = client("POST", "/v1/factors", body={"factors": [FACTOR, {**FACTOR, "scope": "DEU"}]})
    assert answer.status == 201
    assert (answer.json()["new"], answer.json()["known"]) == (2, 0)
    (row,) = client("GET", "/v1/factors?scope=FRA&kind=grid_intensity").json()["factors"]
    assert row["id"] in answer.json()["ids"]
    assert (row["value"], row["book"], row["rank"], row["status"]) == (
        56.0, "import", 200, "standing",
    )  # fmt: skip
    again = client("POST", "/v1/factors", body={"factors": [FACTOR]}).json()
    assert (again["new"], again["known"]) == (0, 1)
    client("POST", "/v1/factors", body={"factors": [{**FACTOR, "value": 52}]})
    assert [one["value"] for one in client("GET", "/v1/factors?scope=FRA").json()["factors"]] == [
        52
    ]
    then = client("GET", f"/v1/factors?scope=FRA&as_of={row['recorded_at']}").json()["factors"]
    assert [one["value"] for one in then] == [56.0]
    assert len(client("GET", "/v1/factors?all=true").json()["factors"]) == 3
    history = client("GET", f"/v1/factors/{row['id']}").json()["history"]
    assert [one["value"] for one in history] == [52.0, 56.0]
    assert client("GET", "/v1/factors/none-such").status == 404


def test_each_row_that_is_wrong_is_told_and_none_is_taken(client):
    wrong = {**FACTOR, "scope": "DEU", "value": -1, "licence": None}
    answer = client("POST", "/v1/factors", body={"factors": [FACTOR, wrong]})
    assert answer.status == 422
    assert answer.headers["content-type"] == "application/problem+json"
    told = [(one["row"], one["column"]) for one in answer.json()["errors"]]
    assert told == [(1, "value"), (1, "licence")]
    assert client("GET", "/v1/factors?all=true").json()["factors"] == []


@pytest.mark.parametrize("rows", [[{"value": True}], [{"value": [1]}], [{}], [3], "x"])
def test_what_is_no_row_is_a_problem(client, rows):
    assert client("POST", "/v1/factors", body={"factors": rows}).status == 422
    assert client("POST", "/v1/prices", body={"prices": rows}).status == 422


def test_prices_are_taken_and_listed(client):
    answer = client("POST", "/v1/prices", body={"prices": [PRICE]})
    assert (answer.status, answer.json()["new"]) == (201, 1)
    (row,) = client("GET", "/v1/prices?provider=p").json()["prices"]
    assert (row["value"], row["per"], row["meter"]) == ("2.5", 1_000_000, "input")
    assert client("GET", "/v1/prices?model=other").json()["prices"] == []


def test_a_year_of_hours_fits_where_other_bodies_do_not(client):
    body = {"factors": [{**FACTOR, "detail": "x" * 900}] * 1_500}
    answer = client("POST", "/v1/factors", body=body)
    assert answer.status == 422  # read and judged: 1,499 are about the same
    assert answer.json()["more"] == 1_499 - 20
    assert client("POST", "/v1/runs", body={"id": "x" * BODY_BYTES}).status == 413
    assert min(LARGER.values()) > BODY_BYTES


def test_an_agent_that_keeps_nothing_takes_nothing(shelf):
    with Ledger.open(Path(":memory:"), pace=Pace(commit_s=0.0)) as ledger:
        desk = BooksDesk(ledger, shelf, keeps=False)
        app_of_it = http.build(FakeDesk(), FakePage(), ["node1"], desk)
        answer = ask(app_of_it, "POST", "/v1/factors", body={"factors": [FACTOR]})
        assert answer.status == 503
        assert desk.factors(Asked()) == []


def test_live_counters_book_at_factors_that_were_just_taken(client, shelf):
    at_us = 1_790_000_000_000_000
    assert shelf.rates(at_us).factors == ()
    price = {
        **FACTOR, "kind": "electricity_price", "scope": "lab", "unit": "EUR/kWh", "value": "0.2",
    }  # fmt: skip
    client("POST", "/v1/factors", body={"factors": [FACTOR, price]})
    assert {one.kind for one in shelf.rates(at_us).factors} == {
        "grid_intensity", "electricity_price",
    }  # fmt: skip


def test_the_command_line_imports_through_a_running_agent(tmp_path, capsys):
    sheet = tmp_path / "tariff.csv"
    price = {
        **FACTOR, "kind": "electricity_price", "scope": "default", "unit": "EUR/kWh",
        "value": "0.25",
    }  # fmt: skip
    sheet.write_bytes(table(price))
    bad = tmp_path / "bad.csv"
    bad.write_bytes(table(FACTOR, {**FACTOR, "scope": "nowhere", "value": "x"}))
    gauge = "meter_electricity_price_per_kwh"
    with agent(tmp_path) as running:
        running.hear("reading")
        environment = Environment(running.environment, os.getuid())
        assert app.run(["factors", "import", str(sheet)], environment) == 0
        assert app.run(["factors", "import", str(bad)], environment) == 1
        err = capsys.readouterr().err
        assert f"{bad}:3:scope: " in err
        assert f"{bad}:3:value: 'x' is no number" in err
        until(
            lambda: [v for name, v in running.page().items() if name.startswith(gauge)] == [0.25],
            "the new price on the page",
        )
        assert app.run(["factors", "list", "--book", "import", "--csv"], environment) == 0
        assert "0.25" in capsys.readouterr().out
