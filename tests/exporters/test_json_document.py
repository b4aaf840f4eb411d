"""The run document as a JSON file."""

from __future__ import annotations

import json
from importlib.resources import files

import pytest
from jsonschema import Draft202012Validator

from meter_exporters import json_document
from tests.exporters.documents import document, quantity, series


def test_the_documents_made_by_hand_keep_the_contract() -> None:
    schema = json.loads((files("meter") / "schemas" / "run-1.json").read_text())
    for simulated in (False, True):
        errors = Draft202012Validator(schema).iter_errors(document(simulated=simulated))
        assert [error.message for error in errors] == []


def test_the_document_comes_back_as_it_was() -> None:
    made = document()
    assert json.loads(json_document.export(made, series(made, 60))) == made


def test_names_in_any_script_stay_readable() -> None:
    made = document()
    made["run"]["name"] = "模型 \ud800"
    raw = json_document.export(made, [])
    assert "模型".encode() in raw
    assert raw.decode("utf-8").endswith("}\n")


def test_what_is_no_number_is_refused() -> None:
    made = document()
    made["energy"]["it"] = quantity(float("nan"), 0, 0, "J", "measured")
    with pytest.raises(ValueError, match="not JSON compliant"):
        json_document.export(made, [])
