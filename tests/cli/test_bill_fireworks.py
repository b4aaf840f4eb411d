"""Fireworks' metrics as usage: priced like the job, and known again."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from meter.hosted.bills.importing import bill_of
from meter.hosted.bills.wanted import Wanted
from meter.instants import parse_us
from tests.cli.places import Place
from tests.cli.test_bill import told

if TYPE_CHECKING:
    from pathlib import Path

HEAD = (
    "email,start_time,end_time,usage_type,accelerator_type,accelerator_seconds,base_model_name,"
    "model_bucket,parameter_count,prompt_tokens,completion_tokens\n"
)
AT = "2026-11-02 10:00:00 UTC,2026-11-02 10:00:00 UTC"
NOW_US = parse_us("2026-11-26T12:00Z")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def metrics(tmp_path: Path, model: str, parameters: str) -> Path:
    path = tmp_path / "metrics.csv"
    path.write_text(f"{HEAD}a@b,{AT},SFT_TRAINING_USAGE,,,{model},Bucket,{parameters},6000000,0\n")
    return path


@pytest.mark.parametrize(
    ("model", "parameters", "amount"),
    [
        ("accounts/fireworks/models/llama-v3p1-8b-instruct", "8000000000", "3"),
        ("llama-v3p1-8b-instruct", "", "3"), ("llama-v3p1-70b-instruct", "70000000000", "18"),
        ("accounts/fireworks/models/mixtral-8x7b-instruct", "46702792704", "12"),
        ("mixtral-8x7b-instruct", "46702792704", "12"), ("mixtral-8x7b", "46702792704", "12"),
    ],
)  # fmt: skip
def test_training_costs_by_the_bracket_of_the_model(
    place, tmp_path, capsys, model, parameters, amount
) -> None:
    assert place.call("prices", "import", "--bundled") == 0
    path = metrics(tmp_path, model, parameters)
    assert place.call("bill", "import", str(path), "--provider", "fireworks") == 0
    capsys.readouterr()
    assert place.call("usage", "list", "--json") == 0
    (row,) = json.loads(capsys.readouterr().out)["usage"]
    assert (Decimal(row["amount"]), row["currency"]) == (Decimal(amount), "USD")


def test_a_row_that_an_earlier_version_took_is_known_and_no_conflict(
    place, tmp_path, capsys
) -> None:
    path = metrics(tmp_path, "example", "8000000000")
    (usage,) = bill_of(path.read_bytes(), Wanted("fireworks", project="default"), NOW_US).usages
    told(place, usage._replace(training=None, parameters_b=None))
    assert place.call("bill", "import", str(path), "--provider", "fireworks") == 0
    assert capsys.readouterr().out == "0 new events of usage, 1 known already.\n"
