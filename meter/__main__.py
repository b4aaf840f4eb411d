"""The command ``meter``: jobs are started before any library is imported."""

from __future__ import annotations

import sys


def main() -> int:
    """Dispatch the command line; the exit code."""
    words = sys.argv[1:]
    if words and words[0] in ("run", "exec", "attach"):
        from meter.launch.main import main as launch

        launch(words[0], words[1:])
    from meter.cli import main as cli

    return cli() or 0


if __name__ == "__main__":
    sys.exit(main())
