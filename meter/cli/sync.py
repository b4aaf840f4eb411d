"""``meter factors sync``: fetches grid intensity once, now or for a past time."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import click

from meter.cli import output
from meter.cli.session import Session, debug_option, example, json_option, socket_option
from meter.cli.writes import AgentWrites, FileWrites, writes
from meter.errors import ASKED_AGAIN, FeedError, LimitError, UsageError
from meter.instants import parse_us
from meter.units import US_PER_HOUR, US_PER_QUARTER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meter.config import Config, Intensity
    from meter.factors.feeds import Feed, Point

_DAY_US = 24 * US_PER_HOUR
_LONGEST_DAYS = 400
_PART = 1_000
_WHERE = "set intensity.provider, see docs/live-intensity.md"


@dataclass(frozen=True, slots=True)
class Synced:
    """What a fetch brought: rows of times not known before, with another value, and known ones."""

    provider: str
    zone: str
    new: int
    corrected: int
    unchanged: int


@click.command("sync", epilog=example("meter factors sync --from 2026-03-01 --to 2026-03-08"))
@click.option("--from", "from_", metavar="D", help="First day or instant (UTC), not the last day.")
@click.option("--to", metavar="D", help="Day or instant (UTC) where it ends; now if not given.")
@json_option
@socket_option
@debug_option
@click.pass_obj
def sync_command(session: Session, *, from_: str | None, to: str | None, as_json: bool) -> None:
    """Fetch grid intensity once from the configured provider.

    Fetches the present and the last day, or a past time; what was known already changes nothing.
    """
    intensity, config = session.config.intensity, session.config
    if intensity is None:
        raise UsageError("no provider of grid intensity is configured", _WHERE)
    span = _span(from_, to, _now_us())
    synced = _synced(config, intensity, _feed(session, intensity), span)
    if as_json:
        output.print_json(asdict(synced))
        return
    click.echo(
        f"{synced.provider}, zone {synced.zone}: {synced.new} new, "
        f"{synced.corrected} corrected, {synced.unchanged} unchanged."
    )


def _span(from_: str | None, to: str | None, now_us: int) -> tuple[int, int] | None:
    """The past time that is asked for, whole quarter hours; None is now."""
    if from_ is None:
        if to is not None:
            raise UsageError("--to needs --from", "give both, or none for the last day")
        return None
    start_us = parse_us(from_, "--from")
    start_us -= start_us % US_PER_QUARTER
    end_us = now_us if to is None else min(parse_us(to, "--to"), now_us)
    if start_us >= end_us:
        raise UsageError("--from is not before --to and before now", "give an earlier --from")
    if end_us - start_us > _LONGEST_DAYS * _DAY_US:
        raise LimitError(
            f"more than {_LONGEST_DAYS} days are asked for", "fetch it in several parts"
        )
    return start_us, end_us


def _feed(session: Session, intensity: Intensity) -> Feed:
    from meter.factors.feeds import access_of, feed_of  # noqa: PLC0415 - only sync needs it

    access, notices = access_of(intensity, session.environment.variables)
    for notice in notices:
        click.echo(f"meter: warning: {notice.text}", err=True)
    return feed_of(intensity, access)


def _synced(
    config: Config, intensity: Intensity, feed: Feed, span: tuple[int, int] | None
) -> Synced:
    from meter.factors.feeds import factors_of_points, on_quarters  # noqa: PLC0415

    try:
        points = on_quarters(_points(feed, span, _now_us()))
    except FeedError as error:
        raise _once(error) from None
    about = feed.about
    with writes(config) as opened:
        if isinstance(opened, FileWrites):
            from meter.ledger.synced import synced  # noqa: PLC0415 - DuckDB is imported when needed

            done = synced(opened.ledger, factors_of_points(points, about, config.site_name))
            counts = Counter(new=done.new, corrected=done.corrected, unchanged=done.unchanged)
        else:
            counts = _to_agent(opened, intensity, points)
    return Synced(about.book, about.zone, counts["new"], counts["corrected"], counts["unchanged"])


def _once(error: FeedError) -> FeedError:
    """The error as a command tells it: nobody asks again here."""
    if error.remedy != ASKED_AGAIN:
        return error
    wait_s = error.retry_after_s
    when = f"{wait_s:.0f} s" if wait_s else "some minutes"
    return FeedError(error.message, f"run it again in {when}", retry_after_s=wait_s)


def _to_agent(opened: AgentWrites, intensity: Intensity, points: Sequence[Point]) -> Counter[str]:
    """Send points in parts; each is written whole, and sending one again changes nothing."""
    counts: Counter[str] = Counter()
    for start in range(0, len(points), _PART):
        body = {
            "provider": intensity.provider,
            "zone": intensity.zone,
            "average": intensity.average,
            "direct": intensity.direct,
            "points": [_sent(point) for point in points[start : start + _PART]],
        }
        counts.update(opened.post("/v1/intensity", body))
    return counts


def _sent(point: Point) -> dict[str, object]:
    return {
        "from_us": point.start_us,
        "to_us": point.end_us,
        "value": str(point.value),
        "state": point.state,
    }


def _points(feed: Feed, span: tuple[int, int] | None, now_us: int) -> list[Point]:
    if span is not None:
        found = feed.past(*span)
    else:
        from_us = now_us - now_us % US_PER_QUARTER - _DAY_US + US_PER_QUARTER
        found = [*feed.past(from_us, now_us), *feed.fetch(now_us)]
    return [point for point in found if point.start_us <= now_us]


def _now_us() -> int:
    return time.time_ns() // 1_000
