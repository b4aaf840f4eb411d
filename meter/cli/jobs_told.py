"""What ``meter jobs`` says of the jobs and deployments that it was told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

from meter import figures
from meter.cli import output
from meter.errors import PartlyTakenError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meter.hosted_facts import HostedJob

_SHOWN = 5


@dataclass
class Told:
    """What became of all that was told so far."""

    new: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    known: int = 0
    hosting_days: int = 0
    hosting_known: int = 0  # days that are booked already
    hosting_otherwise: list[dict[str, Any]] = field(default_factory=list)
    hosting_unknown: list[str] = field(default_factory=list)  # deployments without a number
    more_pages: bool = False  # the file's last page is not the list's
    without_hours: int = 0  # deployments that are billed by their tokens alone
    changed: list[str] = field(default_factory=list)
    conflicts: list[dict[str, str]] = field(default_factory=list)  # amounts told otherwise
    again: list[str] = field(default_factory=list)  # estimated again
    faults: list[str] = field(default_factory=list)
    incomplete: list[str] = field(default_factory=list)  # booked, without all that belongs to them
    odd: list[str] = field(default_factory=list)  # booked, though the provider's words are odd

    def add(self, answer: dict[str, Any]) -> None:
        """Add an agent's answer; one of before knows fewer of its keys."""
        self.new += answer["new"]
        self.updated += answer["updated"]
        self.known += answer["known"]
        self.hosting_days += answer["hosting_days"]
        self.hosting_known += answer.get("hosting_known", 0)
        self.hosting_otherwise += answer.get("hosting_otherwise", [])
        self.changed += answer["changed"]
        self.conflicts += answer.get("conflicts", [])
        self.again += answer["again"]


def oddities(job: HostedJob) -> Iterator[str]:
    """What is odd in the provider's words on a job."""
    from meter.hosted.jobs.billing import TIMES_OUT_OF_ORDER, UNKNOWN_STATUS  # noqa: PLC0415

    named = figures.printable(job.id, 80)
    if UNKNOWN_STATUS in job.flags:
        word = figures.printable(job.provider_status, 60)
        yield f'{named}: its status "{word}" is not known here: it counts as running'
    if TIMES_OUT_OF_ORDER in job.flags:
        yield f"{named}: its times contradict each other: its duration is less sure"


def say(told: Told, *, as_json: bool) -> None:
    """Say it. Raises PartlyTakenError where something was not taken, or contradicts what holds."""
    if as_json:
        output.print_json(vars(told))
    else:
        click.echo(_text(told))
    if told.more_pages:
        click.echo(
            "meter: the last page in the file says that there are more: fetch the pages after it"
            " too and import them, or use `meter jobs sync`, which reads all",
            err=True,
        )
    for fault in told.faults[:_SHOWN]:
        click.echo(f"meter: not taken: {fault}", err=True)
    if len(told.faults) > _SHOWN:
        click.echo(f"meter: and {len(told.faults) - _SHOWN} more; --json lists all", err=True)
    for one in told.incomplete[:_SHOWN]:
        click.echo(f"meter: booked, but not all that belongs to it could be read: {one}", err=True)
    if len(told.incomplete) > _SHOWN:
        click.echo(f"meter: and {len(told.incomplete) - _SHOWN} more like it", err=True)
    for one in told.odd[:_SHOWN]:
        click.echo(f"meter: {one}", err=True)
    if len(told.odd) > _SHOWN:
        click.echo(f"meter: and {len(told.odd) - _SHOWN} more like it; --json lists all", err=True)
    if told.without_hours:
        click.echo(
            f"meter: {told.without_hours:,} deployment(s) of plain models, which are billed by"
            " their tokens, or of which nothing runs have no hours",
            err=True,
        )
    _say_hosting(told)
    _say_conflicts(told)
    if told.faults:
        raise PartlyTakenError(
            f"not taken: {len(told.faults):,} of the entries", "see above; the others are booked"
        )
    if told.conflicts:
        raise PartlyTakenError(
            f"told otherwise than before: the amounts of {len(told.conflicts):,} job(s)",
            "see above, and ask the provider which is right; what was told first holds",
        )


def say_booked(told: Told) -> None:
    """Say what was booked before an error ended it all."""
    if told.new or told.updated or told.known or told.hosting_days:
        click.echo(f"meter: booked before the error: {_text(told)}", err=True)


def _say_hosting(told: Told) -> None:
    for one in told.hosting_unknown[:_SHOWN]:
        click.echo(
            f"meter: {one}: how many GPUs it has is not told: its days are booked, their hours are"
            " not known",
            err=True,
        )
    if len(told.hosting_unknown) > _SHOWN:
        click.echo(f"meter: and {len(told.hosting_unknown) - _SHOWN} more like it", err=True)
    for other in told.hosting_otherwise[:_SHOWN]:
        click.echo(
            f"meter: {other['id']}: {other['held']} hours of {other['days']:,} day(s) were booked"
            f" before and hold; by what is told now it would be {other['told']}",
            err=True,
        )
    if len(told.hosting_otherwise) > _SHOWN:
        click.echo(f"meter: and {len(told.hosting_otherwise) - _SHOWN} more like it", err=True)


def _say_conflicts(told: Told) -> None:
    for one in told.conflicts:
        click.echo(
            f"meter: {one['run_id']}: {one['held']} was told before and holds, not {one['told']}",
            err=True,
        )
    others = set(told.changed) - {one["run_id"] for one in told.conflicts}
    for run in sorted(others):
        click.echo(
            f"meter: {run}: other times, model or region are told than its usage was booked with",
            err=True,
        )


def _text(told: Told) -> str:
    parts = [
        f"{len(told.new):,} new", f"{len(told.updated):,} updated", f"{told.known:,} known",
    ]  # fmt: skip
    days = f"; {told.hosting_days:,} day(s) of hosting" if told.hosting_days else ""
    days += f"; {told.hosting_known:,} day(s) of hosting known" if told.hosting_known else ""
    see = f". See: meter show {(told.new or told.updated)[-1]}" if told.new or told.updated else "."
    again = f"; {len(told.again):,} estimated again" if told.again else ""
    return f"Jobs: {', '.join(parts)}{days}{again}{see}"
