"""Usage, charges and jobs as rows of the ledger; pure.

The hash of an event is over what it says, not over how we judged it: flags are left out, since a
later version may see more, and so is the instant at which a job was looked at.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from meter.ledger.instants import hour_of, timestamp
from meter.limits import DEFAULT_PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from meter.hosted_facts import Charge, HostedJob, Usage
    from meter.ledger.rows import Row
    from meter.model import RunEstimate, RunJob

AT_RECEIVED = "at_received"
"""Flag of an event that nobody told the time of."""
_BETWEEN = "\x1f"
_KEY_BYTES = 15  # of a hash: as much as 38 digits hold


def event_key(source: str, event_id: str) -> int:
    """What stands for an event, whatever it says."""
    digest = hashlib.sha256(f"{source}\0{event_id}".encode()).digest()
    return int.from_bytes(digest[:_KEY_BYTES])


def usage_sha256(value: Usage) -> str:
    """Hash over what an event says: its fields one after the other, none running into the next."""
    # when it came is no word of whoever told it, and another one each time
    at = "" if AT_RECEIVED in value.flags else str(value.at_us)
    said = [
        value.source, value.id, at, value.provider, value.model, value.base_model or "",
        value.project or "", value.run_id or "", value.region or "", value.service_tier or "",
        "" if value.context_tokens is None else str(value.context_tokens),
        value.training or "", value.adapter or "", _plain(value.parameters_b) or "",
    ]  # fmt: skip
    for one in value.quantities:
        said += (one.meter, _plain(one.amount) or "")
    for pair in value.told:
        said += pair
    text = _BETWEEN.join(said)
    if text.count(_BETWEEN) >= len(said):  # a field has the sign that parts fields
        text = f"{','.join(str(len(field)) for field in said)}{_BETWEEN}{text}"
    return hashlib.sha256(text.encode()).hexdigest()


def usage(value: Usage, key: int, sha256: str, seq: int, recorded: datetime) -> Iterator[Row]:
    """Rows of ``usage_event``, one for each meter."""
    at = timestamp(value.at_us)
    for one in value.quantities:
        yield (
            key,
            value.source,
            value.id,
            at,
            _hour(hour_of(value.at_us)),
            value.provider,
            value.model,
            value.base_model,
            one.meter.value,
            None if one.amount is None else _whole(one.amount),
            value.region,
            value.service_tier,
            value.training and value.training.value,
            value.adapter and value.adapter.value,
            value.parameters_b,
            value.context_tokens,
            value.project or value.pays or DEFAULT_PROJECT,
            value.run_id,
            _json_list(value.flags),
            _json_pairs(value.told),
            sha256,
            seq,
            recorded,
        )


def charge_sha256(value: Charge) -> str:
    """Hash over what a charge says."""
    return _sha256({**asdict(value), "flags": None})


def charge(value: Charge, sha256: str, seq: int, recorded: datetime) -> Row:
    """Row of ``charge``."""
    return (
        value.source,
        value.id,
        value.provider,
        timestamp(value.start_us),
        timestamp(value.end_us),
        value.amount,
        value.currency,
        value.line_item,
        value.project,
        value.model,
        value.job_id,
        value.quantity,
        value.unit,
        _json_list(value.flags),
        sha256,
        seq,
        recorded,
    )


def job_sha256(value: HostedJob) -> str:
    """Hash over what a job's provider says."""
    return _sha256(asdict(replace(value, seen_us=0, flags=())))


def job(value: RunJob, sha256: str, seq: int, recorded: datetime) -> Row:
    """Row of ``hosted_job``."""
    told = value.job
    return (
        value.run_id,
        told.provider,
        told.id,
        told.status.value,
        timestamp(told.created_us),
        None if told.started_us is None else timestamp(told.started_us),
        None if told.ended_us is None else timestamp(told.ended_us),
        told.base_model,
        told.tuned_model,
        told.training and told.training.value,
        told.adapter and told.adapter.value,
        told.region,
        _json(asdict(told)),
        sha256,
        seq,
        recorded,
    )


def estimate(value: RunEstimate, seq: int, recorded: datetime) -> Row:
    """Row of ``hosted_energy``."""
    told = value.estimate
    return (
        value.run_id,
        told.tier,
        told.low_mj,
        told.mid_mj,
        told.high_mj,
        value.booked,
        told.reason,
        _json(dict(told.inputs)),
        _json(told.factor_ids),
        seq,
        recorded,
    )


def _sha256(said: dict[str, Any]) -> str:
    return hashlib.sha256(_json(said).encode()).hexdigest()


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=_plain)


_hour = lru_cache(maxsize=256)(timestamp)  # events of a commit share most of their hours


def _whole(amount: Decimal) -> Decimal | int:
    """The amount, an int where it is whole: that is written in half the time."""
    whole = int(amount)
    return whole if whole == amount else amount


@lru_cache(maxsize=1_024)
def _json_list(value: tuple[str, ...]) -> str | None:
    return json.dumps(value, ensure_ascii=False) if value else None


def _json_pairs(value: tuple[tuple[str, str], ...]) -> str | None:
    return json.dumps(dict(value), ensure_ascii=False) if value else None


def _plain(value: object) -> str | None:
    """A number's digits, however many zeros were told behind it."""
    if not isinstance(value, Decimal):
        return None
    whole = int(value)
    if whole and whole == value:
        return str(whole)
    return f"{value.normalize():f}"
