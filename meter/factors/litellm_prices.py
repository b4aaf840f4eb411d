"""litellm's model_prices_and_context_window.json as price rows; pure.

That file has no history and no date of its own: the user names the date it was taken at.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from meter.factors.rows import Cell, Row, Sheet, refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SAMPLE = "sample_spec"
_PER = 1_000_000
_METERS = {
    "input_cost_per_token": "input",
    "output_cost_per_token": "output",
    "cache_read_input_token_cost": "cached_input",
}
_TIERS = {"_batches": "batch", "_flex": "flex", "_priority": "priority"}
_MODEL = re.compile(r'^\s{0,8}"((?:[^"\\]|\\.)+)"\s*:\s*\{')
_SOURCE = "litellm, model_prices_and_context_window.json"
_LICENCE = "MIT (litellm)"


def is_litellm(text: str) -> bool:
    """Whether a text is such a file, as far as its beginning tells."""
    begins = text[:20_000]
    return begins.lstrip().startswith("{") and '"litellm_provider"' in begins


def litellm_rows(text: str, *, source_date: str, valid_from: str | None = None) -> Sheet:
    """Prices of a million tokens of each model, by provider and service tier.

    They hold from the date of the source on, unless told otherwise: earlier prices are not known.
    Raises RowsError.
    """
    try:
        read = json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError):
        raise refused("is no JSON") from None
    if not isinstance(read, dict):
        raise refused("is no object of models")
    lines = _lines(text)
    shared: dict[str, Cell] = {
        "source": _SOURCE,
        "licence": _LICENCE,
        "source_date": source_date,
        "valid_from": valid_from or source_date,
        "currency": "USD",
        "per": str(_PER),
    }
    rows, without, others = [], 0, 0
    for model, told in read.items():
        if model == _SAMPLE or not isinstance(told, dict):
            continue
        found = list(_prices(model, told))
        rows += [Row({**shared, **cells}, lines.get(model)) for cells in found]
        without += not found
        others += len(_costs(told)) - len(found)
    if not rows:
        raise refused("has no price of a token")
    said = (
        f"Left out: {without:,} models without a price of tokens, and {others:,} prices of other "
        "things (images, audio, long contexts, cache writes)."
    )
    return Sheet(tuple(rows), (said,))


def _prices(model: str, told: Mapping[str, Any]) -> Iterator[dict[str, Cell]]:
    for name, cost in _costs(told).items():
        tier = next((end for end in _TIERS if name.endswith(end)), "")
        meter = _METERS.get(name.removesuffix(tier))
        if meter is None:
            continue
        cells: dict[str, Cell] = {
            "provider": str(told.get("litellm_provider") or "unknown"),
            "model": model,
            "meter": meter,
            "value": f"{Decimal(cost) * _PER:f}",
        }
        yield cells | ({"service_tier": _TIERS[tier]} if tier else {})


def _costs(told: Mapping[str, Any]) -> dict[str, Decimal | int]:
    """What of a model is a price."""
    return {
        name: cost
        for name, cost in told.items()
        if "cost" in name and isinstance(cost, Decimal | int) and not isinstance(cost, bool)
    }


def _lines(text: str) -> dict[str, int]:
    """The line that each model begins on."""
    found: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        match = _MODEL.match(line)
        if match:
            found.setdefault(json.loads(f'"{match[1]}"'), number)
    return found
