"""JSON of a bill's file or answer as values, numbers exactly as written; pure."""

from __future__ import annotations

from meter.hosted.bills.rows import refused
from meter.hosted.json_numbers import parsed


def value_of(text: str) -> object:
    """One JSON value, or lines of them as a list. Raises BillError for no JSON, or half of it."""
    try:
        return parsed(text)
    except (ValueError, RecursionError):
        if "\n" not in text.strip():
            raise refused("is no JSON, or half of it: export it again") from None
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                found.append(parsed(line))
            except (ValueError, RecursionError):
                raise refused("is no JSON, or half of it: export it again", number) from None
    return found
