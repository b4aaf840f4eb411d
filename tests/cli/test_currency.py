"""``--currency``: all money in one, by dated rates, from the file and from an agent."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING

from meter.identified import identified
from meter.ledger import Ledger
from meter.ledger.ledger import Pace
from meter.model import Factor, FactorKind, LedgerBatch, Method
from tests.cli.places import Place, agent

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def rate(recorded_us: int) -> Factor:
    return identified(Factor(
        id="", kind=FactorKind.FX_RATE, scope="world", value=Decimal("0.9"), low=Decimal("0.9"),
        high=Decimal("0.9"), unit="EUR/USD", source="a bank", method=Method.SOURCED,
        recorded_us=recorded_us, rank=200, currency="EUR", item="USD", book="import",
    ))  # fmt: skip


def shown(place: Place, capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, object]:
    assert place.call("show", "last", "--json", *words) == 0
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


def test_money_is_given_in_one_currency_once_a_rate_is_known(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = Place(tmp_path)
    place.fill()
    assert "cost_in" not in shown(place, capsys)
    without = shown(place, capsys, "--currency", "EUR")
    assert without["cost_in"] is None
    with Ledger.open(place.home / "ledger.duckdb", pace=Pace(commit_s=0.0)) as ledger:
        ledger.write(LedgerBatch(factors=(rate(1),)), urgent=True).result(10)
    with_rate = shown(place, capsys, "--currency", "EUR")
    assert isinstance(with_rate["cost_in"], dict)
    assert with_rate["cost_in"]["currency"] == "EUR"
    assert place.call("report", "--currency", "EUR", "-o", str(tmp_path / "r.html")) == 0
    total = with_rate["cost_in"]["amount"]["value"]
    assert f"{Decimal(total):.2f} EUR" in (tmp_path / "r.html").read_text()
    assert place.call("show", "last", "--currency", "EUR") == 0
    assert f"{Decimal(total):.2f} EUR" in capsys.readouterr().out


def test_a_currency_that_is_none_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert Place(tmp_path).call("show", "--currency", "euro") == 2
    assert "no currency" in capsys.readouterr().err


def test_an_agent_is_asked_for_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = Place(tmp_path)
    answers = {
        "/healthz": (200, {}),
        "/v1/status": (200, {}),
        "/v1/runs/last?currency=CHF": (200, {"cost_in": None}),
    }
    with agent(place.variables["METER_SOCKET"], answers):
        assert shown(place, capsys, "--currency", "CHF") == {"cost_in": None}
