"""A probe of a driver that never answers."""

from __future__ import annotations

import time


def main(_: list[str]) -> int:
    time.sleep(60)
    return 0
