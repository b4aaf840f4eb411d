"""The schema of run documents, itself checked once: that takes longer than to check a document."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files

from jsonschema import Draft202012Validator


@cache
def run_schema() -> Draft202012Validator:
    """Checks documents ``meter.run/1``."""
    schema = json.loads((files("meter") / "schemas" / "run-1.json").read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)
