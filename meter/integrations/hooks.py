"""What the callbacks share: the phase that runs, and errors that stay in here."""

from __future__ import annotations

import functools
import logging
from typing import TYPE_CHECKING, Any, Concatenate, Protocol, TypeVar

from meter import marks
from meter.marks import sender

if TYPE_CHECKING:
    from collections.abc import Callable

TRAIN, EVALUATE, SAVE, PREDICT, NONE = "train", "eval", "save", "predict", ""

_LOGGER = logging.getLogger("meter")


class Failures(Protocol):
    """Whoever counts what failed."""

    failures: dict[str, int]


T = TypeVar("T", bound=Failures)


def recorded(hook: Callable[Concatenate[T, ...], None]) -> Callable[Concatenate[T, ...], None]:
    """A hook whose errors are counted by name, told once in the log, and never raised."""

    @functools.wraps(hook)
    def safe(self: T, *args: Any, **kwargs: Any) -> None:
        try:
            hook(self, *args, **kwargs)
        except Exception as error:  # noqa: BLE001  the job is sacred
            note(self, hook.__name__, error)

    return safe


def note(who: Failures, where: str, error: Exception) -> None:
    """Count an error; the first of its place is told in the log."""
    who.failures[where] = who.failures.get(where, 0) + 1
    if who.failures[where] == 1:
        _LOGGER.warning("%s failed (%s: %s); training goes on", where, type(error).__name__, error)


class Phases:
    """The phase that a training loop is in; told when it changes."""

    def __init__(self) -> None:
        self.now = NONE
        self.training = False

    @property
    def rest(self) -> str:
        """What goes on when an evaluation or a checkpoint is done."""
        return TRAIN if self.training else NONE

    @property
    def ours(self) -> bool:
        """Whether the phase that runs, if any, was told here and not by the script itself."""
        return sender.phase() in {NONE, self.now}

    def forget(self) -> None:
        """Nobody trains, whatever was told last."""
        self.training = False
        self.now = NONE

    def begin(self, **told: Any) -> None:
        """Training begins, with what is known at its start."""
        self.training = True
        self.now = TRAIN
        marks.mark(phase=TRAIN, **told)

    def end(self) -> None:
        """Training ends; tell what waits."""
        self.training = False
        self.to(NONE)

    def to(self, phase: str, **told: Any) -> None:
        """Mark an instant after which a phase runs; without news nothing is told."""
        changed, self.now = phase != self.now, phase
        if changed:
            told["phase"] = phase
        if told:
            marks.mark(**told)
