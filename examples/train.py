"""A training job in a few lines, to try meter on: fits a line by gradient descent, for 12 s."""

from __future__ import annotations

import random
import time

random.seed(1)
data = [(x, 3 * x + 2 + random.gauss(0, 0.1)) for x in (random.random() for _ in range(2_000))]
slope = bias = 0.0
end = time.monotonic() + 12
step = 0
while time.monotonic() < end:
    errors = [(slope * x + bias - y, x) for x, y in data]
    slope -= 0.1 * sum(error * x for error, x in errors) / len(data)
    bias -= 0.1 * sum(error for error, _ in errors) / len(data)
    step += 1
print(f"slope {slope:.2f}, bias {bias:.2f}")
