"""``python -m meter.agent``: the node's agent, or a launcher's private one."""

from __future__ import annotations

import sys

from meter.agent.boot import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
