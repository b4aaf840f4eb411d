"""What the agent refuses for good is said once a reason, as a warning of the logger ``meter``.

In the thread that tells the agent, never in the caller's. Only handlers of that logger itself get
it, else Python's handler of last resort, which writes to stderr: the root's may write to stdout,
which is the job's.
"""

from __future__ import annotations

import atexit
import contextlib
import re

TYPE_CHECKING = False  # `typing` would be paid by each job's start
if TYPE_CHECKING:
    from typing import ClassVar

LOGGER = "meter"
MOST = 5
"""Reasons that a process tells; its children and the process share them."""

_CHARS = 200
_VALUE = re.compile(r"'[^']*'")  # reasons quote fields with ", values with '


class _Process:
    """What this process has said; ``ends`` once it may not write any more."""

    said: ClassVar[set[str]] = set()
    ends = False


def refused(what: str, answer: object, reason: object) -> None:
    """Say that the agent did not take something: how it answered, and why; once, and no value.

    Nothing is raised, whatever handlers do.
    """
    with contextlib.suppress(Exception):  # the job is sacred
        _say(what, f"{answer}", _plainly(reason))


def _end() -> None:
    """Say nothing from now on: a thread that writes while the process ends can bring it down."""
    _Process.ends = True


atexit.register(_end)  # before the senders have theirs, so it comes after their last words


def _say(what: str, answer: str, reason: str) -> None:
    key = f"{what} {answer} {re.sub('[0-9]+', '0', reason)}"
    if _Process.ends or key in _Process.said or len(_Process.said) >= MOST:
        return
    _Process.said.add(key)
    last = " (no more reasons are told)" if len(_Process.said) == MOST else ""
    _warn(
        f"meter: the agent did not take {what} ({answer}): {reason}; told once, all are counted in"
        f" meter.marks.dropped(){last}"
    )


def _plainly(reason: object) -> str:
    """A reason in one line, without the values that it quotes: they may be texts of a response."""
    text = _VALUE.sub("'...'", " ".join(str(reason).split()))
    return "".join(one if one.isprintable() else "?" for one in text[:_CHARS])


def _warn(text: str) -> None:
    import logging  # noqa: PLC0415  paid by who is refused something

    logger = logging.getLogger(LOGGER)
    if not logger.isEnabledFor(logging.WARNING):
        return
    record = logger.makeRecord(LOGGER, logging.WARNING, __file__, 0, text, (), None)
    if logger.disabled or not logger.filter(record):
        return
    for handler in logger.handlers or filter(None, [logging.lastResort]):
        if record.levelno >= handler.level:
            handler.handle(record)
