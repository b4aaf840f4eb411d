"""An agent whose wall clock is ahead by what a file says, and whose feed's minutes are short.

Run as a module, with the arguments of the agent; METER_HOME holds the file ``shift``.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from meter.agent import boot, feed_pace, feeding, provisions, wiring

SHIFT = "shift"


def wall_us() -> int:
    """The time that this agent believes it to be."""
    try:
        ahead_us = int(Path(os.environ["METER_HOME"], SHIFT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        ahead_us = 0
    return time.time_ns() // 1_000 + ahead_us


def main() -> int:
    """Run the agent."""
    for module in (provisions, wiring):
        module.wall_us = wall_us
    feeding.SECONDS_PER_MINUTE = 0.02
    feeding.START_S = 0.0
    feeding.TICK_S = 0.1
    feed_pace._BASE_S = feed_pace._CAP_S = feed_pace._REFUSED_S = feed_pace._SOON_S = 0.1
    return boot.main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
