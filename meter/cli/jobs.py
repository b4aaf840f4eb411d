"""``meter jobs``: fine-tuning jobs of providers, from a file or their API."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from meter import figures
from meter.cli import output
from meter.cli.session import Session, debug_option, example, json_option, socket_option
from meter.cli.writes import AgentWrites, writes
from meter.errors import PartlyTakenError, ProviderError, UsageError
from meter.instants import parse_us
from meter.units import US_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from meter.cli.writes import FileWrites
    from meter.config import Config
    from meter.hosted.access import Access
    from meter.hosted.jobs.importing import ImportFault
    from meter.hosted.jobs.provider import Provider
    from meter.hosted.sync import Cursor, Known
    from meter.hosted_facts import HostedJob, Hosting


PATH = "/v1/jobs"
PROVIDERS = ("openai", "azure", "together", "fireworks", "vertex", "mistral", "bedrock")
_PART = 200
_SHOWN = 5
_NO_SUCH_PAGE = frozenset({400, 404, 410, 422})
_AGAIN_DAYS = 7
_MOST_DAYS = 3_660
_DAY_US = 86_400 * US_PER_S
_HOSTING = {"azure": "meter.hosted.jobs.azure", "fireworks": "meter.hosted.jobs.fireworks"}

_provider_option = click.option(
    "--provider",
    type=click.Choice(PROVIDERS),
    required=True,
    metavar="P",
    help=f"One of {', '.join(PROVIDERS)}.",
)
_project_option = click.option(
    "--project", metavar="P", help="Project that pays, also if a job names one."
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a sync asks for; ended jobs that are known are asked for again so many days."""

    provider: Provider
    access: Access
    since_us: int | None
    again_days: int
    hosting: bool = False  # deployments alone


@dataclass
class Told:
    """What became of all that was told so far."""

    new: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    known: int = 0
    hosting_days: int = 0
    without_hours: int = 0  # deployments that are billed by their tokens alone
    changed: list[str] = field(default_factory=list)
    again: list[str] = field(default_factory=list)  # estimated again
    faults: list[str] = field(default_factory=list)
    incomplete: list[str] = field(default_factory=list)  # booked, without all that belongs to them
    odd: list[str] = field(default_factory=list)  # booked, though the provider's words are odd

    def add(self, answer: dict[str, Any]) -> None:
        """Add an agent's answer."""
        self.new += answer["new"]
        self.updated += answer["updated"]
        self.known += answer["known"]
        self.hosting_days += answer["hosting_days"]
        self.changed += answer["changed"]
        self.again += answer["again"]


@click.group("jobs", epilog=example("meter jobs sync --provider openai"))
def jobs_command() -> None:
    """Fine-tuning jobs of providers: each is a run."""


@jobs_command.command("import", epilog=example("meter jobs import jobs.json --provider openai"))
@click.argument("file", type=click.File("r", encoding="utf-8", errors="strict"))
@_provider_option
@click.option("--hosting", is_flag=True, help="The file lists deployments, not jobs.")
@_project_option
@json_option
@socket_option
@debug_option
@click.pass_obj
def import_command(
    session: Session, /, *, file: Any, provider: str, hosting: bool, project: str | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Book the jobs of a file: an answer of the provider's API, a list, or JSON lines.

    What is whole is taken, and each entry that is not is named. Importing again books nothing
    twice; a job that has ended meanwhile gets its usage and energy.
    """
    told = Told()
    jobs, deployments = _read(file, provider, told, hosting=hosting)
    with writes(session.config) as target:
        _take(target, jobs, deployments, project, told)
    _say(told, as_json=as_json)


def _read(
    file: Any, provider: str, told: Told, *, hosting: bool
) -> tuple[Sequence[HostedJob], Sequence[Hosting]]:
    from importlib import import_module  # noqa: PLC0415 - only where it is asked for

    from meter.hosted.jobs.importing import hostings_of, jobs_of  # noqa: PLC0415
    from meter.hosted.jobs.registry import provider as provider_of  # noqa: PLC0415

    try:
        text = file.read()
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{file.name} is no UTF-8 (byte {error.start})", "save it as UTF-8"
        ) from None
    if hosting:
        if provider not in _HOSTING:
            raise UsageError(
                f"deployments of {provider} cannot be read", f"those of {', '.join(_HOSTING)} can"
            )
        read = import_module(_HOSTING[provider]).hosting
        found, faults = hostings_of(text, read)
        told.faults += map(_fault_text, faults)
        told.without_hours += found.count(None)
        return (), [one for one in found if one is not None]
    jobs, faults = jobs_of(text, provider_of(provider), _now_us())
    told.faults += map(_fault_text, faults)
    return jobs, ()


def _fault_text(one: ImportFault) -> str:
    """Where an entry stands, its id if it has one, and what is wrong."""
    named = f"{figures.printable(one.name, 80)}: " if one.name else ""
    return f"{one.what} {one.place}: {named}{one.message}"


@jobs_command.command(
    "sync", epilog=example("meter jobs sync --provider together --since 2026-01-01")
)
@_provider_option
@click.option("--hosting", is_flag=True, help="Fetch deployments, not jobs (azure, fireworks).")
@click.option("--since", metavar="D", help="Leave out jobs that ended before (UTC).")
@click.option(
    "--again",
    type=click.IntRange(0, _MOST_DAYS),
    default=_AGAIN_DAYS,
    show_default=True,
    metavar="DAYS",
    help="Ask again for jobs that ended so many days ago at most, though they are known.",
)
@click.option(
    "--key-file", type=click.Path(dir_okay=False, path_type=Path), help="File of the key."
)
@click.option("--base-url", metavar="URL", help="Where the API is, if not at its usual place.")
@_project_option
@json_option
@socket_option
@debug_option
@click.pass_obj
def sync_command(
    session: Session, /, *, provider: str, hosting: bool, since: str | None, again: int,
    project: str | None, as_json: bool, **reach: Any,
) -> None:  # fmt: skip
    """Fetch jobs from their provider, and what it tells late of those that have just ended.

    What ended longer ago and is known is asked for no more: `--again` says how long.

    The key is taken from the provider's usual variable, or a file. Each page is booked as it
    comes: after an error the same command goes on where it was.

    Azure's deployments are listed by its management plane, which takes a token of its own
    (AZURE_MANAGEMENT_TOKEN): `--hosting` asks there. Fireworks' come with its jobs.
    """
    from meter.hosted.access import access_of  # noqa: PLC0415 - httpx is imported when needed
    from meter.hosted.jobs.registry import hosting_provider  # noqa: PLC0415
    from meter.hosted.jobs.registry import provider as provider_of  # noqa: PLC0415

    wanted = hosting_provider(provider) if hosting else provider_of(provider)
    if hosting and since is not None:
        raise UsageError("--since is of jobs", "leave it out: hours that are known count once")
    access = access_of(wanted, session.environment.variables, **reach)
    since_us = None if since is None else parse_us(since, "--since")
    told = Told()
    asked = Asked(wanted, access, since_us, again, hosting)
    with writes(session.config) as target:
        _sync(target, asked, _Place(session.config, asked), project, told)
    _say(told, as_json=as_json)


def _sync(
    target: AgentWrites | FileWrites, asked: Asked, place: _Place, project: str | None, told: Told
) -> None:
    begin = place.cursor()
    try:
        _go_on(target, asked, place, project, told)
    except ProviderError as error:
        if begin is None or place.cursor() != begin or error.status not in _NO_SUCH_PAGE:
            raise
        place.keep(None)  # pages are kept for some hours only: begin again
        _go_on(target, asked, place, project, told)


def _go_on(
    target: AgentWrites | FileWrites, asked: Asked, place: _Place, project: str | None, told: Told
) -> None:
    from meter.hosted.sync import NOTHING_KNOWN, sync  # noqa: PLC0415

    provider, since_us = asked.provider, asked.since_us
    known = NOTHING_KNOWN if asked.hosting else _known(target, provider.name)
    if asked.again_days:
        known = replace(known, again_us=_now_us() - asked.again_days * _DAY_US)
    what = "deployments" if asked.hosting else "jobs"
    deployments = 0
    with output.counting(f"{what} of {provider.title}") as show:
        for page in sync(provider, asked.access, since_us, _now_us, place.cursor(), known=known):
            _take(target, page.jobs, page.hosting, project, told)
            told.without_hours += page.without_hours
            for one in page.faults:
                where = told.incomplete if one.beside else told.faults
                where.append(f"{one.where}: {one.message}")
            place.keep(page.cursor)
            deployments += len(page.hosting) + page.without_hours
            show(deployments if asked.hosting else len(told.new) + len(told.updated) + told.known)


class _Place:
    """Where an interrupted sync goes on: a file of the meter's home, without any key.

    It is of one question: to another address, or of another time, it says nothing.
    """

    def __init__(self, config: Config, asked: Asked) -> None:
        name, access = asked.provider.name, asked.access
        places = sorted(access.places.items())
        words = repr((name, access.base_url, places, asked.since_us, asked.again_days))
        self._question = hashlib.sha256(words.encode()).hexdigest()
        self._provider = name
        self._path = config.home / f"jobs-{name}.cursor"

    def cursor(self) -> Cursor | None:
        """Where the last one stopped, None where it came to its end."""
        from meter.hosted.sync import cursor_of  # noqa: PLC0415

        try:
            question, _, text = self._path.read_text(encoding="utf-8").partition("\n")
            found = cursor_of(text) if question == self._question else None
        except FileNotFoundError:
            return None
        except (UsageError, UnicodeDecodeError):
            return None  # of another version: begin without
        return found if found and found.provider == self._provider else None

    def keep(self, cursor: Cursor | None) -> None:
        """Note where to go on; None is the end."""
        if cursor is None:
            self._path.unlink(missing_ok=True)
        else:
            self._path.parent.mkdir(parents=True, exist_ok=True)  # an agent may have another home
            self._path.write_text(f"{self._question}\n{cursor.text()}", encoding="utf-8")


def _known(target: AgentWrites | FileWrites, provider: str) -> Known:
    from meter.hosted.sync import Known  # noqa: PLC0415

    if isinstance(target, AgentWrites):
        found = target.get(f"{PATH}?provider={provider}")
        return Known(frozenset(found["open"]), frozenset(found["settled"]))
    from meter.past.hosted_taking import open_jobs  # noqa: PLC0415 - DuckDB is imported when needed

    return Known(*open_jobs(target.ledger, provider))


def _take(
    target: AgentWrites | FileWrites,
    jobs: Sequence[HostedJob],
    hosting: Sequence[Hosting],
    project: str | None,
    told: Told,
) -> None:
    told.odd += [line for job in jobs for line in _oddities(job)]
    if isinstance(target, AgentWrites):
        from meter.hosted.wire import hosting_json, job_json  # noqa: PLC0415

        for start in range(0, max(len(jobs), len(hosting)), _PART):
            part = slice(start, start + _PART)
            body = {
                "jobs": [job_json(job) for job in jobs[part]],
                "hosting": [hosting_json(one) for one in hosting[part]],
                "project": project,
            }
            told.add(target.post(PATH, body))
        return
    from meter.agent.http_jobs import answer  # noqa: PLC0415
    from meter.limits import DEFAULT_PROJECT  # noqa: PLC0415
    from meter.past.hosted_judging import judge_of  # noqa: PLC0415
    from meter.past.hosted_taking import JobsTold, take_jobs  # noqa: PLC0415

    pays = target.config.project or DEFAULT_PROJECT
    given = JobsTold(jobs, pays, hosting, _now_us(), asked=project)
    told.add(answer(take_jobs(target.ledger, given, judge_of(target.ledger))))


def _oddities(job: HostedJob) -> Iterator[str]:
    """What is odd in the provider's words on a job."""
    from meter.hosted.jobs.billing import TIMES_OUT_OF_ORDER, UNKNOWN_STATUS  # noqa: PLC0415

    named = figures.printable(job.id, 80)
    if UNKNOWN_STATUS in job.flags:
        word = figures.printable(job.provider_status, 60)
        yield f'{named}: its status "{word}" is not known here: it counts as running'
    if TIMES_OUT_OF_ORDER in job.flags:
        yield f"{named}: its times contradict each other: its duration is less sure"


def _say(told: Told, *, as_json: bool) -> None:
    if as_json:
        output.print_json(vars(told))
    else:
        click.echo(_text(told))
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
            f"meter: {told.without_hours:,} deployment(s) of plain models have no hours: they are"
            " billed by their tokens", err=True,
        )  # fmt: skip
    for run in told.changed:
        click.echo(f"meter: the provider tells other quantities of {run} than before", err=True)
    if told.faults:
        raise PartlyTakenError(
            f"not taken: {len(told.faults):,} of the entries", "see above; the others are booked"
        )


def _text(told: Told) -> str:
    parts = [
        f"{len(told.new):,} new", f"{len(told.updated):,} updated", f"{told.known:,} known",
    ]  # fmt: skip
    days = f"; {told.hosting_days:,} day(s) of hosting" if told.hosting_days else ""
    see = f". See: meter show {(told.new or told.updated)[-1]}" if told.new or told.updated else "."
    again = f"; {len(told.again):,} estimated again" if told.again else ""
    return f"Jobs: {', '.join(parts)}{days}{again}{see}"


def _now_us() -> int:
    return time.time_ns() // 1_000
