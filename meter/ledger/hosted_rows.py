"""Charges, jobs and estimates as rows of the ledger; pure; of usage see ``usage_entries``.

The hash of a job or charge is over what it says, not over how we judged it: flags are left out,
since a later version may see more, and so is the instant at which a job was looked at.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from meter.ledger.instants import timestamp

if TYPE_CHECKING:
    from datetime import datetime

    from meter.hosted_facts import Charge, HostedJob
    from meter.ledger.rows import Row
    from meter.model import RunEstimate, RunJob


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


@lru_cache(maxsize=1_024)
def _json_list(value: tuple[str, ...]) -> str | None:
    return json.dumps(value, ensure_ascii=False) if value else None


def _plain(value: object) -> str | None:
    """A number's digits, however many zeros were told behind it."""
    return f"{value.normalize():f}" if isinstance(value, Decimal) else None
