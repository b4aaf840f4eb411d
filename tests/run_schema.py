"""The schemas of documents, each checked once: that takes longer than to check a document."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files

from jsonschema import Draft202012Validator


@cache
def run_schema() -> Draft202012Validator:
    """Checks documents ``meter.run/1``."""
    return _schema("run-1")


@cache
def period_schema() -> Draft202012Validator:
    """Checks documents ``meter.period/1``."""
    return _schema("period-1")


def _schema(name: str) -> Draft202012Validator:
    schema = json.loads((files("meter") / "schemas" / f"{name}.json").read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)
