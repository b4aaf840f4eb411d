"""What the user says of a bill's file, and what comes of reading it; pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meter.hosted.bills.rows import BillRow
    from meter.hosted_facts import Usage

AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whose bill it is, in which format, and which project of ours pays.

    ``projects`` gives the provider's ids of projects names of ours, ``project`` is that of all.
    ``services`` narrows a bill of many services; none is all.
    """

    provider: str
    form: str = AUTO
    project: str | None = None
    projects: Mapping[str, str] = field(default_factory=dict)
    services: tuple[str, ...] = ()

    def project_of(self, told: str | None) -> str | None:
        """The project that pays for what the provider books to one of its own."""
        return self.project or self.projects.get(told or "", told)


@dataclass(frozen=True, slots=True)
class Sheet:
    """What a file says: charges, or usage where it tells quantities and no money."""

    rows: tuple[BillRow, ...] = ()
    usages: tuple[Usage, ...] = ()
    notices: tuple[str, ...] = ()


def without_none(cells: Mapping[str, str | None]) -> dict[str, str]:
    """The cells that say something."""
    return {name: cell for name, cell in cells.items() if cell is not None}
