"""Files that are wrong, as commands tell it: each fault a line, then that nothing was imported."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from meter.errors import MeterError
from meter.faults import counted

if TYPE_CHECKING:
    from meter.faults import FaultsError


def nothing_imported(error: FaultsError, name: str) -> MeterError:
    """The error to raise for a file; its faults go to stderr before."""
    for line in error.told(name):
        click.echo(f"meter: {line}", err=True)
    return MeterError(
        f"nothing of {name} was imported, it has {counted(error.count)}",
        "correct the file, import it again",
    )
