"""What was odd about events of usage, in words: flags with what each asks for; pure."""

from __future__ import annotations

import json
from collections import Counter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from meter.usage_entries import AFTER_UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_CHECK = "look at the events in the provider's own records"
SAYS = MappingProxyType({
    "unknown_fields": "have numbers that no meter is known for, kept as told but in no sum: see "
    "whether the provider bills them, and record those by `meter usage record`",
    "field_changed": "have a field, named behind the colon, in another form than is known, which "
    f"was left out: bring meter up to date, and {_CHECK}",
    "contradiction": "have parts that are more than their total, so parts were cut to fit: "
    f"{_CHECK}",
    "clock_ahead": "are of a clock ahead of this one: set the clocks of both by NTP",
    "at_received": "told no time, so they count when they came: give `at` beside them",
    "id_derived": "told no id, so one was made of what they say: give `id` beside them",
    "rounded": "had more than six decimals and were rounded: nothing to do",
    "answered_from_cache": "were answered from litellm's cache and cost nothing: nothing to do",
    "told_as_openai": "are told as OpenAI's too, by the same ids, and count twice: name one "
    "provider for the same answers",
    "provider_guessed": "tell no provider, and were taken for the maker's of a model that others "
    "serve too: give `provider` beside them",
    "usage_type_guessed": "were taken for training by a word in their usage type: "
    f"{_CHECK}",
})  # fmt: skip
"""By flag: what is the matter, and what to do. ``usage_unknown`` has a notice of its own."""
_HARMLESS = frozenset({"at_received", "id_derived", "rounded", "answered_from_cache"})
OTHER = f"are flagged by another version of meter: {_CHECK}"
USAGE_UNKNOWN = "usage_unknown"


def counted(rows: Iterable[Mapping[str, Any]]) -> Counter[str]:
    """Events by flag, of rows that each have a list of flags and a count.

    What an event was told before says nothing of the event, and depends on what came first.
    """
    found: Counter[str] = Counter()
    for row in rows:
        for flag in json.loads(row["flags"]):
            if flag != AFTER_UNKNOWN:
                found[flag] += int(row["event_count"])
    return found


def kind(flag: str) -> str:
    """A flag without what it is about, which may stand behind a colon."""
    return flag.partition(":")[0]


def told(flag: str, count: int) -> tuple[str, str]:
    """Severity and sentence of so many events with a flag."""
    severity = "info" if flag in _HARMLESS else "warning"
    events = "1 event" if count == 1 else f"{count:,} events"
    return (
        severity,
        f"Usage flagged {flag}: {events} that {SAYS.get(flag.partition(':')[0], OTHER)}.",
    )
