"""A sampler on the stand-in's manual clock: ``python nvml_session.py CLOCK_FILE SECONDS``.

Writes the frames to its standard output; runs as fast as it can, always in the same way.
"""

from __future__ import annotations

import sys
from pathlib import Path

from meter.sampling.nvml import Nvml
from meter.sampling.pipe import Pipe
from meter.sampling.process import Sampler
from standin.clock import ManualClock

LATE_NS = 60_000


def main(clock_file: str, seconds: str) -> None:
    """Sample for a while of the manual clock."""
    clock = ManualClock(Path(clock_file))
    end_ns = clock.now_ns() + round(float(seconds) * 1e9)

    def sleep(duration_s: float) -> None:
        if clock.advance(round(duration_s * 1e9) + LATE_NS) >= end_ns:
            sampler.stop()

    sampler = Sampler(Pipe(1, max_backlog_bytes=1 << 30), "boot", clock.now_ns, sleep)
    sampler.run(lambda: [Nvml(clock.now_ns)])


if __name__ == "__main__":
    main(*sys.argv[1:])
