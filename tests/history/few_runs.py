"""An agent whose history has few runs. Run as a module, with the arguments of the agent."""

from __future__ import annotations

import sys

from meter.agent import boot
from meter.ledger import history

FEW = 2

if __name__ == "__main__":
    history.MOST_RUNS = FEW
    sys.exit(boot.main(sys.argv[1:]))
