"""A stand-in for torchrun: starts N ranks with its variables and waits for them.

``python ranks.py COUNT RUN_ID COMMAND...``; the exit code is the first that is not 0.
"""

from __future__ import annotations

import os
import subprocess
import sys


def main() -> int:
    count, run_id, *command = sys.argv[1:]
    ranks = [
        subprocess.Popen(
            command,
            env={
                **os.environ,
                "TORCHELASTIC_RUN_ID": run_id,
                "TORCHELASTIC_RESTART_COUNT": "0",
                "GROUP_RANK": "0",
                "RANK": str(rank),
                "LOCAL_RANK": str(rank),
                "LOCAL_WORLD_SIZE": count,
                "WORLD_SIZE": count,
            },
        )
        for rank in range(int(count))
    ]
    return next(filter(None, [rank.wait() for rank in ranks]), 0)


if __name__ == "__main__":
    sys.exit(main())
