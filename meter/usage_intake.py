"""Usage as it is told, read and taken by a ledger: what becomes of each event."""

from __future__ import annotations

from concurrent.futures import TimeoutError as FutureTimeoutError
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple, TypeGuard

from meter.errors import LedgerError, UsageError
from meter.hosted.moments import told_us
from meter.hosted.reading import BESIDE, Context, normalised, read
from meter.model import Outcome
from meter.usage_entries import entries, event_key, flags_of, named, said_of
from meter.usage_records import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from concurrent.futures import Future

    from meter.hosted_facts import Usage, UsageEntry
    from meter.ledger import Ledger
    from meter.ledger.reader import Reader

INVALID = "invalid"
UNUSED = "unused"
"""What became of a request that failed: there is nothing to count."""
_DURABLE_S = 30.0


class Answer(NamedTuple):
    """What became of one that was told; ``stored`` and ``given`` show a conflict's two sides."""

    outcome: str
    source: str | None = None
    id: str | None = None
    reason: str | None = None
    stored: Mapping[str, Any] | None = None
    given: Mapping[str, Any] | None = None
    flags: tuple[str, ...] = ()  # what was odd about it

    def json(self) -> dict[str, Any]:
        """As JSON, without what is not said."""
        flags = {"flags": list(self.flags)} if self.flags else {}
        if self.reason is None:
            return {"status": self.outcome, "source": self.source, "id": self.id, **flags}
        said = {
            "status": self.outcome, "source": self.source, "id": self.id, "reason": self.reason,
            "stored": self.stored, "given": self.given, **flags,
        }  # fmt: skip
        return {name: value for name, value in said.items() if value is not None}


def usage_of(told: object, now_us: int, project: str | None) -> list[Usage]:
    """Usage of one that was told: a normalised event, a response beside its event, or a response.

    Empty for what used nothing, such as a request of a batch that failed. Raises UsageError.
    """
    if not isinstance(told, dict):
        raise UsageError("this is no JSON object", "send an event, or a provider's response")
    if "meter" in told and "response" not in told:
        return [normalised(told, now_us, project)]
    if isinstance(told.get("response"), dict) and told.keys() <= BESIDE:
        found = read(told["response"], _beside(told, now_us))
    else:
        found = read(told, Context(now_us=now_us))
    if project is None:
        return found
    return [one._replace(pays=project) for one in found]


def _beside(told: Mapping[str, Any], now_us: int) -> Context:
    names = ("source", "id", "provider", "project", "region", "service_tier", "model")
    values = {name: told.get(name) for name in names}
    for name, value in values.items():
        if value is not None and not isinstance(value, str):
            raise UsageError(f'"{name}" is no text', "write it in quotes")
    at = told.get("at")
    at_us = None if at is None else told_us(at, now_us, '"at"')[0]
    return Context(now_us=now_us, at_us=at_us, run_id=told.get("run"), **values)


def take_usage(
    ledger: Ledger, told: Sequence[object], now_us: int, project: str | None = None
) -> list[Answer]:
    """What became of each, in order; durable when this returns. Raises LedgerError.

    A UsageError among them is what is wrong with the text of one: it is answered like that.
    """
    records = [_record(one, now_us, project) for one in told]
    return answers(ledger, records, await_taken(ledger, events_of(records)))


def take_events(ledger: Ledger, usages: Iterable[Usage]) -> list[Answer]:
    """What became of events that are read already, as ``take_usage``. Raises LedgerError."""
    records = [Record(None, (one,)) for one in entries(usages)]
    return answers(ledger, records, await_taken(ledger, events_of(records)))


def _record(told: object, now_us: int, project: str | None) -> Record:
    if isinstance(told, UsageError):
        return Record(None, wrong=invalid(None, told).json())
    try:
        return Record(None, tuple(entries(usage_of(told, now_us, project))))
    except UsageError as error:
        return Record(None, wrong=invalid(told, error).json())


def events_of(records: Iterable[Record]) -> tuple[UsageEntry, ...]:
    """All events of records, in order."""
    return tuple([event for one in records for event in one.entries])


def answers(ledger: Ledger, records: Sequence[Record], outcomes: Iterable[Outcome]) -> list[Answer]:
    """What became of each record, of whose events these are the outcomes."""
    left = iter(outcomes)
    found = [_answers(one, left) for one in records]
    if any(answer.outcome == Outcome.CONFLICT for each in found for answer in each):
        _show_conflicts(ledger, found, records)
    return [_joined(each) for each in found]


def _answers(record: Record, outcomes: Iterator[Outcome]) -> list[Answer]:
    if record.wrong is not None:
        wrong = record.wrong
        return [Answer(INVALID, wrong.get("source"), wrong.get("id"), wrong["reason"])]
    return [
        Answer(next(outcomes), *named(event), flags=flags_of(event)) for event in record.entries
    ]


def await_taken(ledger: Ledger, events: tuple[UsageEntry, ...]) -> tuple[Outcome, ...]:
    """What became of events, once all are durable. Raises LedgerError."""
    return durable(ledger, ledger.take_entries(events)) if events else ()


def durable(ledger: Ledger, taken: Future[tuple[Outcome, ...]]) -> tuple[Outcome, ...]:
    """What became of events that were given to the ledger. Raises LedgerError."""
    try:
        return taken.result(_DURABLE_S)
    except FutureTimeoutError:
        reason = ledger.health().last_error or "it is busy"
        raise LedgerError(
            f"the ledger has not written the usage in time ({reason})",
            "send the same again: what was written is not counted twice",
        ) from None


def invalid(told: object, error: UsageError) -> Answer:
    """The answer for what is no usage."""
    beside = told if isinstance(told, dict) else {}
    source, id_ = (beside.get(name) for name in ("source", "id"))
    return Answer(
        INVALID,
        source if _tellable(source) else None,
        id_ if _tellable(id_) else None,
        str(error),
    )


def _tellable(name: object) -> TypeGuard[str]:
    """Whether an answer can repeat it: half a surrogate pair has no bytes."""
    return isinstance(name, str) and name.isprintable()


def _show_conflicts(ledger: Ledger, found: list[list[Answer]], records: Sequence[Record]) -> None:
    """Put both sides beside each conflict."""
    places = [
        (each, index, event)
        for each, record in zip(found, records, strict=True)
        for index, event in enumerate(record.entries)
        if each[index].outcome == Outcome.CONFLICT
    ]
    with ledger.reader() as reader:
        stored = _stored(reader, {key for *_, one in places for key in (one.key, one.also) if key})
        left = [one for *_, one in places if one.key not in stored and one.also not in stored]
        spans = _spans(reader, left) if left else {}
        stored |= _stored(reader, spans.values())
    reason = "the id stands for other content; what was stored first holds"
    for each, index, event in places:
        keys = (event.also, event.key, spans.get(event.key, ""))
        each[index] = each[index]._replace(
            reason=reason,
            stored=next((stored[key] for key in keys if key in stored), None),
            given=event_json(event),
        )


def _stored(reader: Reader, keys: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Events of these keys that the ledger has."""
    found: dict[str, dict[str, Any]] = {}
    for row in reader.rows("report/usage_events", keys=sorted(int(key) for key in keys)):
        _add(found.setdefault(event_key(row["source"], row["event_id"]), {}), row)
    return found


def _spans(reader: Reader, events: Sequence[UsageEntry]) -> dict[str, str]:
    """Keys of spans that an earlier version stored of these answers, by the answers' keys."""
    sources, ids = zip(*(named(one) for one in events), strict=True)
    return {
        event_key(row["source"], row["answer_id"]): row["event_key"]
        for row in reader.rows("recovery/spans_of_answers", sources=list(sources), ids=list(ids))
    }


def _add(shown: dict[str, Any], row: Mapping[str, Any]) -> None:
    """A stored row's part of its event."""
    shown.update(
        source=row["source"], id=row["event_id"], at=f"{row['used_at'].isoformat()}Z",
        provider=row["provider"], model=row["model"], project=row["project"], run=row["run_id"],
        region=row["region"], service_tier=row["service_tier"],
    )  # fmt: skip
    amount = row["quantity"]
    quantities = shown.setdefault("quantities", {})
    quantities[row["meter"]] = None if amount is None else f"{amount.normalize():f}"


def event_json(event: UsageEntry) -> dict[str, Any]:
    """An event as JSON has it."""
    shown: dict[str, Any] = {}
    for head in event.heads:
        row = said_of(head)
        amount = row["quantity"]
        _add(
            shown,
            {
                **row,
                "used_at": datetime.fromisoformat(row["used_at"]).replace(tzinfo=None),
                "quantity": None if amount is None else Decimal(amount),
            },
        )
    return shown


def _joined(found: list[Answer]) -> Answer:
    """One answer for what one response told; of several events the worst."""
    if len(found) == 1:
        return found[0]
    if not found:
        return Answer(UNUSED, reason="nothing was used, or the end of the stream tells it")
    order = [INVALID, Outcome.CONFLICT.value, Outcome.STORED.value, Outcome.DUPLICATE.value]
    return min(found, key=lambda one: order.index(one.outcome))
