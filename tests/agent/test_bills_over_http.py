"""Charges over HTTP: each is answered, the right ones are durable, and bills are compared."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest

from agent.asgi import ask
from meter.agent import http
from meter.agent.bills_desk import BillsDesk
from meter.instants import parse_us
from meter.ledger import Ledger
from meter.ledger.ledger import Pace
from tests.agent.test_http import FakeDesk, FakePage

NOW_US = parse_us("2026-11-26T12:00Z")
CHARGE = {
    "source": "erp", "id": "1", "provider": "openai", "start": "2026-11-01", "end": "2026-11-02",
    "amount": "1.50", "currency": "USD", "line_item": "gpt-4o, input",
}  # fmt: skip
SHOWN = "/v1/bills?from=2026-11-01&to=2026-11-03"


@pytest.fixture
def client():
    with Ledger.open(Path(":memory:"), pace=Pace(commit_s=0.0)) as ledger:
        desk = BillsDesk(ledger, lambda: NOW_US)
        yield partial(ask, http.build(FakeDesk(), FakePage(), ["node1"], bills=desk))


def outcomes(answer) -> list[str]:
    assert answer.status == 200
    return [one["status"] for one in answer.json()["results"]]


def billed(client) -> list[str]:
    return [row["billed"] for row in client("GET", SHOWN).json()["rows"]]


def test_one_charge_is_stored_known_and_corrected(client) -> None:
    answer = client("POST", "/v1/charges", body=CHARGE)
    assert answer.status == 201
    assert answer.json() == {"source": "erp", "id": "1", "status": "stored"}
    answer = client("POST", "/v1/charges", body={**CHARGE, "amount": 1.5})
    assert (answer.status, answer.json()["status"]) == (200, "duplicate")
    answer = client("POST", "/v1/charges", body={**CHARGE, "amount": 2})
    assert (answer.status, answer.json()["status"]) == (201, "corrected")
    assert billed(client) == ["2"]


def test_one_wrong_charge_is_a_problem_that_names_the_field(client) -> None:
    answer = client("POST", "/v1/charges", body={**CHARGE, "currency": "XBT", "prompt": "CANARY"})
    assert answer.status == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert [one["field"] for one in answer.json()["errors"]] == ["prompt", "currency"]
    assert "CANARY" not in str(answer.json())
    assert billed(client) == []


@pytest.mark.parametrize("wrap", [lambda many: many, lambda many: {"charges": many}])
def test_a_list_is_answered_one_by_one(client, wrap) -> None:
    wrong = {**CHARGE, "id": "2", "end": "2026-10-01"}
    again = {**CHARGE, "amount": "7"}
    many = [CHARGE, wrong, "x", CHARGE, again, {**CHARGE, "id": "3", "amount": "-0.5"}]
    answer = client("POST", "/v1/charges", body=wrap(many))
    assert outcomes(answer) == ["stored", "invalid", "invalid", "duplicate", "invalid", "stored"]
    results = answer.json()["results"]
    assert results[1]["errors"][0]["field"] == "end"
    assert results[4]["errors"][0]["field"] == "id"
    assert billed(client) == ["1"]


def test_amounts_are_kept_as_they_are_written(client) -> None:
    body = json.dumps(CHARGE).replace('"1.50"', "0.123456789").encode()
    assert client("POST", "/v1/charges", chunks=[body]).status == 201
    assert billed(client) == ["0.123456789"]


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"\xff", b'{"amount": NaN}', b"[" * 100_000, b"3", b"null", b"[null]"]
)
def test_what_is_no_charge_is_never_an_error_of_ours(client, raw) -> None:
    answer = client("POST", "/v1/charges", chunks=[raw])
    assert answer.status == (200 if raw == b"[null]" else 422)
    assert billed(client) == []


def test_a_months_bill_fits(client) -> None:
    many = [{**CHARGE, "id": f"{n:080}"} for n in range(10_000)]
    assert set(outcomes(client("POST", "/v1/charges", body=many))) == {"stored"}
    assert client("POST", "/v1/charges", body=[CHARGE] * 20_001).status == 422


def test_a_wrong_question_is_a_problem(client) -> None:
    assert client("GET", "/v1/bills?from=yesterday").status == 422
    assert client("GET", "/v1/bills?from=2026-01-02&to=2026-01-01").status == 422
    assert client("GET", "/v1/bills").json()["schema"] == "meter.bill/1"


def test_an_agent_that_keeps_nothing_takes_nothing() -> None:
    with Ledger.open(Path(":memory:"), pace=Pace(commit_s=0.0)) as ledger:
        desk = BillsDesk(ledger, lambda: NOW_US, keeps=False)
        app = http.build(FakeDesk(), FakePage(), ["node1"], bills=desk)
        assert ask(app, "POST", "/v1/charges", body=CHARGE).status == 503
