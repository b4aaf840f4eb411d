"""Recorded shapes of responses, and short ways to read them."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from meter.hosted import jsonl
from meter.hosted.reading import Context, read
from meter.hosted_facts import TOKEN_METERS, Meter, Usage

if TYPE_CHECKING:
    from collections.abc import Iterable

NOW_US = 1_795_000_000_000_000  # 2026-11-18
MARCH_US = 1_772_355_600_000_000  # 2026-03-01T09:00Z, when the recorded responses are from
CANARY = "CANARY-7f3a"
FOLDER = Path(__file__).parent / "responses"
NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))
ANSWERS = [name for name in NAMES if not name.startswith("otlp")]


def recorded(name: str) -> dict[str, Any]:
    value = jsonl.parse((FOLDER / f"{name}.json").read_bytes())
    assert isinstance(value, dict)
    return value


def context(**given: Any) -> Context:
    """What a poster says beside a response: here enough for the shapes that tell little."""
    return Context(**{"now_us": NOW_US, **given})


def provider_of(name: str) -> str:
    """The provider as the recording's file is named."""
    known = name.partition("_")[0]
    return "litellm" if known == "litellm" else known


def read_recorded(name: str, **given: Any) -> list[Usage]:
    beside = {"at_us": MARCH_US, "model": "told-beside", "provider": provider_of(name), **given}
    return read(recorded(name), context(**beside))


def one(name: str, **given: Any) -> Usage:
    (usage,) = read_recorded(name, **given)
    return usage


def meters(usage: Usage) -> dict[str, int | None]:
    """Amounts by meter; a meter is there once at most."""
    found = {q.meter.value: None if q.amount is None else int(q.amount) for q in usage.quantities}
    assert len(found) == len(usage.quantities)
    return found


def token_sum(usages: Iterable[Usage]) -> Decimal:
    return sum(
        (q.amount or Decimal(0) for u in usages for q in u.quantities if q.meter in TOKEN_METERS),
        Decimal(0),
    )


def amount(usage: Usage, meter: Meter) -> Decimal:
    return next((q.amount or Decimal(0) for q in usage.quantities if q.meter is meter), Decimal(0))
