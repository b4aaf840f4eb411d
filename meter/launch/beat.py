"""Something done every so often while the job runs."""

from __future__ import annotations

import time

TYPE_CHECKING = False  # `typing` would be paid by each job's start
if TYPE_CHECKING:
    from collections.abc import Callable


class Beat:
    """A step and when it is due next."""

    __slots__ = ("_due_s", "_every_s", "step")

    def __init__(self, every_s: float, step: Callable[[], None]) -> None:
        self.step = step
        self._every_s = every_s
        self._due_s = time.monotonic() + every_s

    def left_s(self) -> float:
        """Seconds until it is due."""
        return max(0.0, self._due_s - time.monotonic())

    def is_due(self) -> bool:
        """Whether it is due; then it is due again a period from now."""
        if self.left_s() > 0:
            return False
        self._due_s = time.monotonic() + self._every_s
        return True


def until_next(beats: list[Beat]) -> float | None:
    """Seconds until the first of them is due."""
    return min((beat.left_s() for beat in beats), default=None)
