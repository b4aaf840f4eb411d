"""An agent on a machine of its own, whose id is in MACHINE: agents of one test share the real one.

Run as a module, with the arguments of the agent.
"""

from __future__ import annotations

import os
import sys

from meter.agent import boot, place

_REAL = place._text


def _text(path: str) -> str:
    return os.environ["MACHINE"] if path == "/etc/machine-id" else _REAL(path)


if __name__ == "__main__":
    place._text = _text
    sys.exit(boot.main(sys.argv[1:]))
