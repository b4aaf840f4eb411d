"""The command line, but for ``run`` and ``exec``, which start before any library is loaded."""

from __future__ import annotations


def main(arguments: list[str] | None = None) -> int:
    """Run a command; its exit code. ``arguments`` default to the process' own."""
    from meter.cli.app import run  # noqa: PLC0415 - `import meter.cli` stays free

    return run(arguments)
