"""``meter jobs``: fine-tuning jobs of providers, from a file or their API."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from meter.cli import output
from meter.cli.session import Session, debug_option, example, json_option, socket_option
from meter.cli.writes import AgentWrites, writes
from meter.errors import PartlyTakenError, ProviderError, UsageError
from meter.instants import parse_us

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meter.cli.writes import FileWrites
    from meter.config import Config
    from meter.hosted.access import Access
    from meter.hosted.jobs.provider import Provider
    from meter.hosted.sync import Cursor, Known
    from meter.hosted_facts import HostedJob, Hosting

    Asked = tuple[Provider, Access, int | None]

PATH = "/v1/jobs"
PROVIDERS = ("openai", "azure", "together", "fireworks", "vertex", "mistral", "bedrock")
_PART = 200
_SHOWN = 5
_NO_SUCH_PAGE = frozenset({400, 404, 410, 422})
_HOSTING = {"azure": "meter.hosted.jobs.azure", "fireworks": "meter.hosted.jobs.fireworks"}

_provider_option = click.option(
    "--provider",
    type=click.Choice(PROVIDERS),
    required=True,
    metavar="P",
    help=f"One of {', '.join(PROVIDERS)}.",
)
_project_option = click.option("--project", metavar="P", help="Project that pays.")


@dataclass
class Told:
    """What became of all that was told so far."""

    new: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    known: int = 0
    hosting_days: int = 0
    changed: list[str] = field(default_factory=list)
    again: list[str] = field(default_factory=list)  # estimated again
    faults: list[str] = field(default_factory=list)
    incomplete: list[str] = field(default_factory=list)  # booked, without all that belongs to them

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
        told.faults += [f"{one.what} {one.place}: {one.message}" for one in faults]
        return (), found
    jobs, faults = jobs_of(text, provider_of(provider), _now_us())
    told.faults += [f"{one.what} {one.place}: {one.message}" for one in faults]
    return jobs, ()


@jobs_command.command(
    "sync", epilog=example("meter jobs sync --provider together --since 2026-01-01")
)
@_provider_option
@click.option("--since", metavar="D", help="Leave out jobs that ended before (UTC).")
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
    session: Session, /, *, provider: str, since: str | None, key_file: Path | None,
    base_url: str | None, project: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Fetch jobs from their provider; what was fetched before is asked for no more.

    The key is taken from the provider's usual variable, or a file. Each page is booked as it
    comes: after an error the same command goes on where it was.
    """
    from meter.hosted.access import access_of  # noqa: PLC0415 - httpx is imported when needed
    from meter.hosted.jobs.registry import provider as provider_of  # noqa: PLC0415

    wanted = provider_of(provider)
    access = access_of(wanted, session.environment.variables, key_file=key_file, base_url=base_url)
    since_us = None if since is None else parse_us(since, "--since")
    told = Told()
    asked = wanted, access, since_us
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
    from meter.hosted.sync import sync  # noqa: PLC0415

    provider, access, since_us = asked
    known = _known(target, provider.name)
    with output.counting(f"jobs of {provider.title}") as show:
        for page in sync(provider, access, since_us, _now_us, place.cursor(), known=known):
            _take(target, page.jobs, page.hosting, project, told)
            booked = {job.id for job in page.jobs}
            for one in page.faults:
                where = told.incomplete if one.where in booked else told.faults
                where.append(f"{one.where}: {one.message}")
            place.keep(page.cursor)
            show(len(told.new) + len(told.updated) + told.known)


class _Place:
    """Where an interrupted sync goes on: a file of the meter's home, without any key.

    It is of one question: to another address, or with another ``since``, it says nothing.
    """

    def __init__(self, config: Config, asked: Asked) -> None:
        provider, access, since_us = asked
        words = repr((provider.name, access.base_url, sorted(access.places.items()), since_us))
        self._question = hashlib.sha256(words.encode()).hexdigest()
        self._provider = provider.name
        self._path = config.home / f"jobs-{provider.name}.cursor"

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

    pays = project or target.config.project or DEFAULT_PROJECT
    given = JobsTold(jobs, pays, hosting, _now_us())
    told.add(answer(take_jobs(target.ledger, given, judge_of(target.ledger))))


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
