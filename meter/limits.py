"""How much is taken of what users name; the launcher and the agent refuse by the same numbers."""

from __future__ import annotations

from meter.errors import LimitError, UsageError

TYPE_CHECKING = False  # `typing` would be paid by each job's start
if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_PROJECT = "default"
"""The project of what names none, where none is configured."""
NAME_CHARS = 200
"""Longest name of a run or project."""
RUN_ID_CHARS = 128
TAGS = 64
TAG_KEY_CHARS = 64
TAG_VALUE_CHARS = 256
GPUS_CHARS = 4_096
"""Longest list of devices in ``--gpus``."""
BUDGETS = 20
"""Most budgets of one run: one of each unit."""
LINKS = 20
"""Most ids of others that a run is registered with."""
STEPS = 10**12
"""Most steps of a run: beyond, it is a sentinel or a slip."""
TRAINED_TOKENS = 10**13
"""Most tokens that a run may tell: what the ledger's counters hold."""
LINGER_S = 86_400.0
SHOWN_MIN = 15
"""How long an ended run has its live series: many scrapes, also of a slow Prometheus."""
BODY_BYTES = 1 << 20
"""Largest body of a request."""


def check_name(what: str, value: str, most: int = NAME_CHARS) -> str:
    """A name as given; raises LimitError when it is too long, UsageError when unprintable."""
    if len(value) > most:
        message = f"{what} has {len(value):,} characters; the limit is {most:,}"
        raise LimitError(message, "shorten it")
    if not value.strip():
        message = f"{what} is empty"
        raise UsageError(message, "leave it out or name something")
    if not value.isprintable():
        message = f"{what} has characters that cannot be printed"
        raise UsageError(message, "use printable text")
    return value


def check_run_id(what: str, value: str) -> str:
    """A run id as given: ASCII letters, digits and ``._:-``, so that it is safe in a URL."""
    check_name(what, value, RUN_ID_CHARS)
    if not (value.isascii() and all(c.isalnum() or c in "._:-" for c in value)):
        message = f"{what} has characters other than letters, digits and . _ : -"
        raise UsageError(message, "use only those")
    return value


def check_tags(tags: Mapping[str, str]) -> None:
    """Raises LimitError for too many or too long tags, UsageError for unprintable ones."""
    check_tag_count(len(tags))
    for key, value in tags.items():
        check_name("a tag's key", key, TAG_KEY_CHARS)
        if value:
            check_name(f"the value of tag {key}", value, TAG_VALUE_CHARS)


def check_tag_count(count: int) -> None:
    """Raises LimitError for more tags than a run may have."""
    if count > TAGS:
        message = f"{count:,} tags; the limit is {TAGS}"
        raise LimitError(message, "keep the ones that you group by")


def check_linger(seconds: float) -> float:
    """Seconds to stay after the last run; raises UsageError when negative or not a number."""
    if not 0 <= seconds <= LINGER_S:
        message = f"linger must be 0 to {LINGER_S:,.0f} seconds"
        raise UsageError(message, "give such a number")
    return seconds
