"""Where a provider's region is, as a zone of the grid: only what its own list of regions says."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

_CLOUDS = {
    "azure": "azure",
    "azure_openai": "azure",
    "bedrock": "aws",
    "aws": "aws",
    "vertex": "gcp",
    "gemini": "gcp",
    "gcp": "gcp",
    "anthropic": "anthropic",
    "fireworks": "fireworks",
}
"""Whose names of regions a provider uses."""


def zone_of_region(provider: str, region: str | None) -> str | None:
    """The grid zone (``USA-VA``, ``SWE``) of a provider's region; None where it is not known.

    ``eu`` and ``us`` of OpenAI's data residency are no place, nor is ``global``: None, never a
    guess. Work that a provider may do in any region is not where its resource is: for that the
    caller gives no region.
    """
    cloud = _CLOUDS.get(provider.casefold())
    if cloud is None or region is None:
        return None
    name = region.casefold().strip()
    return _zones().get((cloud, name.replace(" ", "") if cloud == "azure" else name))


@cache
def _zones() -> dict[tuple[str, str], str]:
    path = Path(__file__).parent / "data" / "regions.csv"
    with path.open(encoding="utf-8", newline="") as file:
        return {(row["cloud"], row["region"]): row["zone"] for row in csv.DictReader(file)}
