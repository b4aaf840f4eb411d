"""Usage as it is told, read and taken by a ledger: what becomes of each event."""

from __future__ import annotations

from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import TYPE_CHECKING, Any, NamedTuple

from meter.errors import LedgerError, UsageError
from meter.hosted.moments import told_us
from meter.hosted.reading import BESIDE, Context, normalised, read
from meter.ledger.usage_entries import event_key
from meter.limits import DEFAULT_PROJECT
from meter.model import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from meter.hosted_facts import Usage
    from meter.ledger import Ledger

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

    def json(self) -> dict[str, Any]:
        """As JSON, without what is not said."""
        if self.reason is None:
            return {"status": self.outcome, "source": self.source, "id": self.id}
        said = {
            "status": self.outcome, "source": self.source, "id": self.id, "reason": self.reason,
            "stored": self.stored, "given": self.given,
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
    """What became of each, in order; durable when this returns. Raises LedgerError."""
    answers: list[list[Answer]] = []
    places: list[int] = []
    events: list[Usage] = []
    for one in told:
        answers.append([])
        try:
            found = usage_of(one, now_us, project)
        except UsageError as error:
            answers[-1].append(_invalid(one, error))
            continue
        places += [len(answers) - 1] * len(found)
        events += found
    outcomes = await_taken(ledger, tuple(events))
    for place, event, outcome in zip(places, events, outcomes, strict=True):
        answers[place].append(Answer(outcome, event.source, event.id))
    _show_conflicts(ledger, answers, places, events)
    return [_joined(found) for found in answers]


def await_taken(ledger: Ledger, events: tuple[Usage, ...]) -> tuple[Outcome, ...]:
    """What became of events, once all are durable. Raises LedgerError."""
    if not events:
        return ()
    try:
        return ledger.take(events).result(_DURABLE_S)
    except FutureTimeoutError:
        reason = ledger.health().last_error or "it is busy"
        raise LedgerError(
            f"the ledger has not written the usage in time ({reason})",
            "send the same again: what was written is not counted twice",
        ) from None


def _invalid(told: object, error: UsageError) -> Answer:
    beside = told if isinstance(told, dict) else {}
    source, id_ = (beside.get(name) for name in ("source", "id"))
    return Answer(
        INVALID,
        source if isinstance(source, str) else None,
        id_ if isinstance(id_, str) else None,
        str(error),
    )


def _show_conflicts(
    ledger: Ledger, answers: list[list[Answer]], places: Sequence[int], events: Sequence[Usage]
) -> None:
    """Put both sides beside each conflict."""
    if not any(one.outcome == Outcome.CONFLICT for found in answers for one in found):
        return
    asked = {
        event_key(event.source, event.id)
        for place, event in zip(places, events, strict=True)
        if any(one.outcome == Outcome.CONFLICT for one in answers[place])
    }
    stored: dict[tuple[str, str], dict[str, Any]] = {}
    with ledger.reader() as reader:
        for row in reader.rows("report/usage_events", keys=sorted(asked)):
            _add(stored.setdefault((row["source"], row["event_id"]), {}), row)
    given = {(event.source, event.id): event for event in events}
    for found in answers:
        for index, one in enumerate(found):
            if one.outcome == Outcome.CONFLICT and one.source and one.id:
                key = one.source, one.id
                reason = "the id stands for other content; what was stored first holds"
                shown = event_json(given[key])
                found[index] = one._replace(reason=reason, stored=stored.get(key), given=shown)


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


def event_json(event: Usage) -> dict[str, Any]:
    """An event as JSON has it."""
    from meter.ledger.instants import timestamp  # noqa: PLC0415 - only where it is shown

    return {
        "source": event.source, "id": event.id, "at": f"{timestamp(event.at_us).isoformat()}Z",
        "provider": event.provider, "model": event.model,
        "project": event.project or event.pays or DEFAULT_PROJECT,
        "run": event.run_id, "region": event.region, "service_tier": event.service_tier,
        "quantities": {
            one.meter.value: None if one.amount is None else f"{one.amount.normalize():f}"
            for one in event.quantities
        },
    }  # fmt: skip


def _joined(found: list[Answer]) -> Answer:
    """One answer for what one response told; of several events the worst."""
    if len(found) == 1:
        return found[0]
    if not found:
        return Answer(UNUSED, reason="nothing was used: the request failed")
    order = [INVALID, Outcome.CONFLICT.value, Outcome.STORED.value, Outcome.DUPLICATE.value]
    return min(found, key=lambda one: order.index(one.outcome))
