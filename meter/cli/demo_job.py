"""The job of ``meter demo``: a little arithmetic in steps; it knows nothing of the meter."""

from __future__ import annotations

import math
import sys
import time

_STEP_S = 0.25
_BUSY_S = 0.02


def train(seconds: float) -> float:
    """Compute a little in each step, for about as long as asked; the last loss."""
    end = time.monotonic() + seconds
    loss, step = 8.0, 0
    while (now := time.monotonic()) < end:
        step += 1
        while time.monotonic() < now + _BUSY_S:
            loss = 1.2 + 6.8 * math.exp(-step / 40)
        time.sleep(min(_STEP_S, max(0.0, end - time.monotonic())))
    return loss


if __name__ == "__main__":
    train(float(sys.argv[1]))
