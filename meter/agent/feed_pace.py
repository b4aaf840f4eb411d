"""When a provider is asked again: jittered, later and later after failures; pure."""

from __future__ import annotations

from dataclasses import dataclass

_JITTER = 0.1  # agents of a fleet that start together must not ask together
_BASE_S = 30.0
_CAP_S = 3_600.0
_REFUSED_S = 300.0
_SOON_S = 20.0
_MOST_DOUBLINGS = 10


@dataclass(frozen=True, slots=True)
class Pace:
    """``every_s`` between requests, ``failures`` in a row so far."""

    every_s: float
    failures: int = 0

    def after_answer(self, chance: float, left_s: float | None = None) -> float:
        """Seconds until the next request; ``chance`` is random in [0, 1).

        ``left_s`` is how long what was answered still holds: a new hour is asked for soon after
        it began.
        """
        wait_s = self.every_s * (1 + _JITTER * (2 * chance - 1))
        if left_s is None or left_s <= 0:
            return wait_s
        return min(wait_s, max(left_s, self.every_s / 10) + _SOON_S * chance)

    def after_failure(
        self, chance: float, retry_after_s: float | None = None, *, refused: bool = False
    ) -> float:
        """Seconds until the next try, never sooner than the provider asks for."""
        doublings = min(max(0, self.failures - 1), _MOST_DOUBLINGS)
        wait_s = min(_BASE_S * (1 << doublings), _CAP_S) * (1 + _JITTER * chance)
        return max(wait_s, retry_after_s or 0.0, _REFUSED_S if refused else 0.0)
