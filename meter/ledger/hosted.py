"""Which of what was told of hosted work is news: looked up by the one writer."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from meter.ledger import hosted_rows as rows
from meter.ledger.texts import load
from meter.model import Outcome
from meter.usage_entries import (
    AFTER_UNKNOWN,
    TOLD_AS_OPENAI,
    entries,
    event_key,
    flagged,
    named,
    tells_amounts,
)
from meter.usage_witness import UNIQUE_CHARS, same_usage, told_of, told_of_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    import duckdb

    from meter.hosted_facts import UsageEntry
    from meter.ledger.rows import Row
    from meter.model import LedgerBatch


_AZURE = ',"azure",'  # as a line has its source


def has_old_spans(con: duckdb.DuckDBPyConnection) -> bool:
    """Whether an earlier version kept spans of answers under the ids of the spans."""
    asked = {"characters": UNIQUE_CHARS}
    ((found,),) = con.execute(load("recovery/old_spans").sql, asked).fetchall()
    return int(found) > 0


def sorted_usage(
    con: duckdb.DuckDBPyConnection, batches: Sequence[LedgerBatch], *, old_spans: bool
) -> tuple[list[tuple[Outcome, ...]], list[UsageEntry]]:
    """What becomes of each batch's events, and those that are news, each once."""
    told = [(*entries(batch.usages), *batch.entries) for batch in batches]
    events = [event for each in told for event in each]
    known = _known(con, (key for one in events for key in (one.key, one.also) if key))
    if old_spans:
        told = [_beside_spans(con, each, known) for each in told]
        known.add(_known(con, (one.also for each in told for one in each if one.also)))
    news: list[UsageEntry] = []
    differing: list[tuple[int, int, UsageEntry, str]] = []
    written: list[list[Outcome]] = []
    for number, each in enumerate(told):
        outcomes: list[Outcome] = []
        for event in each:
            before = event.also if event.also in known.whole else event.key
            sha256 = known.whole.get(before)
            new = known.takes(event, before)
            if new is not None:
                news.append(new)
            elif sha256 not in {None, event.sha256} and tells_amounts(event):
                differing.append((number, len(outcomes), event, before))
            outcomes.append(Outcome.DUPLICATE if new is None else Outcome.STORED)
        written.append(outcomes)
    for number, place in _conflicts(con, differing, news):
        written[number][place] = Outcome.CONFLICT
    return [tuple(outcomes) for outcomes in written], _beside_openai(con, news)


@dataclass(frozen=True, slots=True)
class _Kept:
    """Hashes of events that the ledger has, by key: such with amounts, and such without any."""

    whole: dict[str, str] = field(default_factory=dict)
    part: dict[str, str] = field(default_factory=dict)

    def add(self, other: _Kept) -> None:
        """Add what was looked up later."""
        self.whole.update(other.whole)
        self.part.update(other.part)

    def takes(self, event: UsageEntry, before: str) -> UsageEntry | None:
        """The event as it is to be kept, None if something of that key was told that holds.

        Amounts hold, whatever comes later; without amounts only the first is kept, until they are
        told.
        """
        if before in self.whole:
            return None
        if before not in self.part:
            kept = self.whole if tells_amounts(event) else self.part
            kept[event.key] = event.sha256
            return event
        if self.part[before] == event.sha256 or not tells_amounts(event):
            return None
        self.whole[event.key] = event.sha256
        return flagged(event, AFTER_UNKNOWN)


def _beside_openai(con: duckdb.DuckDBPyConnection, news: Sequence[UsageEntry]) -> list[UsageEntry]:
    """Events that are news, those of Azure flagged whose answers are there as OpenAI's too.

    Both answer alike, so a file of the one is easily taken for the other's. Ids tell it.
    """
    others: dict[str, str] = {}
    for one in news:
        if _AZURE in one.heads[0]:  # of most events it is seen without reading them
            source, event_id = named(one)
            if source == "azure" and len(event_id) >= UNIQUE_CHARS:
                others[one.key] = event_key("openai", event_id)
    if not others:
        return list(news)
    known = _known(con, others.values())
    there = {*known.whole, *known.part, *(one.key for one in news)}
    return [flagged(one, TOLD_AS_OPENAI) if others.get(one.key) in there else one for one in news]


def _beside_spans(
    con: duckdb.DuckDBPyConnection, events: Sequence[UsageEntry], known: _Kept
) -> tuple[UsageEntry, ...]:
    """Events with the keys of spans that told the same answers first, under their own ids."""
    whole = known.whole
    news = [one for one in events if one.key not in whole and one.also not in whole]
    spans = spans_of_answers(con, news)
    return tuple(one._replace(also=spans.get(one.key, one.also)) for one in events)


def spans_of_answers(
    con: duckdb.DuckDBPyConnection, events: Sequence[UsageEntry]
) -> dict[str, str]:
    """Keys of spans of an earlier version that told of these events, by the events' keys."""
    answers = {
        name: one.key for one in events for name in (named(one),) if len(name[1]) >= UNIQUE_CHARS
    }
    if not answers:
        return {}
    sources, ids = zip(*answers, strict=True)
    asked = {"sources": list(sources), "ids": list(ids)}
    found = con.execute(load("recovery/spans_of_answers").sql, asked).fetchall()
    return {answers[source, answer_id]: key for source, answer_id, key in found}


def _conflicts(
    con: duckdb.DuckDBPyConnection,
    differing: Sequence[tuple[int, int, UsageEntry, str]],
    news: Iterable[UsageEntry],
) -> Iterator[tuple[int, int]]:
    """Places of events that say something else than what was known, in other words or not."""
    if not differing:
        return
    new = {one.key: one for one in news if tells_amounts(one)}
    asked = dict.fromkeys(before for *_, before in differing if before not in new)
    stored: dict[str, list[dict[str, Any]]] = defaultdict(list)
    if asked:
        query = load("recovery/usage_amounts")
        for row in con.execute(query.sql, {"keys": ",".join(asked)}).fetchall():
            stored[row[0]].append(dict(zip(query.columns, row, strict=True)))
    for number, place, event, before in differing:
        first = told_of(new[before]) if before in new else told_of_rows(stored[before])
        if not same_usage(first, told_of(event)):
            yield number, place


def sorted_charges(
    con: duckdb.DuckDBPyConnection, batches: Sequence[LedgerBatch], seq: int, recorded: datetime
) -> tuple[list[tuple[Outcome, ...]], list[Row]]:
    """What becomes of each batch's charges, and the rows of those that say something new."""
    told = sorted({(one.source, one.id) for batch in batches for one in batch.charges})
    if not told:
        return [()] * len(batches), []
    sources, ids = zip(*told, strict=True)
    news = _News(_newest(con, "recovery/charges", sources=sources, ids=ids))
    written = [
        tuple(
            news.take((one.source, one.id), sha256, rows.charge(one, sha256, seq, recorded))
            for one in batch.charges
            for sha256 in (rows.charge_sha256(one),)
        )
        for batch in batches
    ]
    return written, news.rows()


def new_jobs(
    con: duckdb.DuckDBPyConnection, batches: Sequence[LedgerBatch], seq: int, recorded: datetime
) -> list[Row]:
    """Rows of jobs that say something else than the newest of their id."""
    jobs = [one for batch in batches for one in batch.jobs]
    if not jobs:
        return []
    news = _News(_newest(con, "recovery/hosted_jobs"))
    for one in jobs:
        sha256 = rows.job_sha256(one.job)
        news.take((one.job.provider, one.job.id), sha256, rows.job(one, sha256, seq, recorded))
    return news.rows()


class _News:
    """The last word of one commit on each id: two of one commit could not be told apart later."""

    def __init__(self, known: dict[tuple[str, str], str]) -> None:
        self._before = known
        self._said: dict[tuple[str, str], tuple[str, Row]] = {}

    def take(self, key: tuple[str, str], sha256: str, row: Row) -> Outcome:
        """Note what was said of an id; what becomes of it."""
        said = self._said.get(key)
        last = self._before.get(key) if said is None else said[0]
        if last == sha256:
            return Outcome.DUPLICATE
        self._said[key] = sha256, row
        return Outcome.STORED if last is None else Outcome.CORRECTED

    def rows(self) -> list[Row]:
        """What is to be written."""
        return [row for key, (sha256, row) in self._said.items() if self._before.get(key) != sha256]


def _newest(
    con: duckdb.DuckDBPyConnection, name: str, **asked: Sequence[str]
) -> dict[tuple[str, str], str]:
    params = {word: list(values) for word, values in asked.items()}
    found = con.execute(load(name).sql, params).fetchall()
    return {(row[0], row[1]): row[2] for row in found}


def _known(con: duckdb.DuckDBPyConnection, keys: Iterable[str]) -> _Kept:
    """Hashes of the events that the ledger has of these keys."""
    kept = _Kept()
    asked = list(dict.fromkeys(keys))
    if not asked:
        return kept
    found = con.execute(load("recovery/usage_events").sql, {"keys": ",".join(asked)}).fetchall()
    for key, sha256, has_amounts in found:
        (kept.whole if has_amounts else kept.part)[key] = sha256
    return kept
