"""Words that stand in metrics and reports for what has no name of its own.

Whatever else were called so would be added to it; so nothing else may be.
"""

from __future__ import annotations

from meter.errors import UsageError
from meter.limits import NAME_CHARS, check_name

IDLE = "(idle)"
"""Project of what nobody held."""
UNATTRIBUTED = "(unattributed)"
"""Project of what somebody used, but could not be given to a run."""
OTHER = "(other)"
"""Project, provider, model or phase of all those that have no series of their own."""
NO_PHASE = "(none)"
"""Phase of the time without one."""
WORDS = (IDLE, UNATTRIBUTED, OTHER, NO_PHASE)
OWN = "own"
"""Provider of what runs on own or rented GPUs, in contrast to a hosted API's name."""


def check_label(what: str, value: str, most: int = NAME_CHARS) -> str:
    """A name that becomes a label, as given; raises as ``check_name`` and for a reserved word."""
    return refuse(what, check_name(what, value, most))


def check_provider(what: str, value: str, most: int) -> str:
    """A provider's name likewise, which is none of ours."""
    return refuse(what, check_label(what, value, most), (OWN,))


def refuse(what: str, value: str, words: tuple[str, ...] = WORDS) -> str:
    """A name as given; raises UsageError where it is one of these words."""
    if taken(value, words):
        message = f"{what} cannot be {value.strip()!r}, which in metrics stands for something else"
        raise UsageError(message, "give another name")
    return value


def taken(value: str, words: tuple[str, ...] = WORDS) -> bool:
    """Whether a name is one of these words, in whatever case."""
    return value.strip().lower() in words
