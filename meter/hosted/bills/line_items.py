"""Which meter of which model a line item of a bill is, by a table that is data."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from meter.hosted_facts import Meter

_ANY = "*"
_METER = "{meter}"
_MODEL = "{model}"
_FT = "ft-"
"""OpenAI's bills name a fine-tuned model by ``ft-`` and its base."""


@dataclass(frozen=True, slots=True)
class LineItem:
    """A row of the table."""

    provider: str
    pattern: str
    meter: str
    source: str
    source_date: str

    def match(self, provider: str, text: str) -> tuple[str | None, str] | None:
        """Model and meter of a text; None if it is another line item."""
        if self.provider not in {_ANY, provider}:
            return None
        if self.pattern == _METER:
            return (None, text) if text in set(Meter) else None
        found = re.fullmatch(re.escape(self.pattern).replace(r"\{model\}", r"([^,|]+)"), text)
        if found is None:
            return None
        return (found[1].strip() if _MODEL in self.pattern else None), self.meter


@cache
def line_items() -> tuple[LineItem, ...]:
    """The table."""
    text = (files("meter.hosted") / "data" / "line_items.csv").read_text(encoding="utf-8")
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    return tuple(
        LineItem(row["provider"], row["line_item"], row["meter"], row["source"], row["source_date"])
        for row in csv.DictReader(lines)
    )


def metered(provider: str, line_item: str, model: str | None) -> tuple[str | None, str] | None:
    """Model, None for all of them, and meter of a charge's line item; None if it is not known."""
    for known in line_items():
        found = known.match(provider, line_item)
        if found is not None:
            return found[0] or model, found[1]
    return None


def billed_as(provider: str, model: str) -> str:
    """The name that a provider's bills have for a model of usage."""
    if provider == "openai" and model.startswith("ft:"):
        return f"{_FT}{model.split(':')[1]}"
    return model
