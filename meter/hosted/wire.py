"""Jobs and deployments as JSON and back, between the command line and the agent; pure."""

from __future__ import annotations

from dataclasses import asdict
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from meter.errors import UsageError
from meter.hosted.bounds import check_hosting, check_job
from meter.hosted_facts import (
    MOST,
    Adapter,
    Checkpoint,
    Gpus,
    HostedJob,
    Hosting,
    JobStatus,
    Meter,
    Money,
    Quantity,
    Training,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_DECIMALS = ("epochs", "parameters_b")


def job_json(job: HostedJob) -> dict[str, Any]:
    """A job as JSON has it: decimals as strings, instants in UTC µs."""
    return {name: _plain(value) for name, value in asdict(job).items()}


def hosting_json(hosting: Hosting) -> dict[str, Any]:
    """A deployment as JSON has it."""
    return {name: _plain(value) for name, value in asdict(hosting).items()}


def job_of(said: Mapping[str, Any]) -> HostedJob:
    """The job in :func:`job_json`'s form; raises UsageError where it is none."""
    try:
        values = dict(said)
        for name in _DECIMALS:
            values[name] = _decimal(values.get(name))
        values["status"] = JobStatus(values["status"])
        values["training"] = values.get("training") and Training(values["training"])
        values["adapter"] = values.get("adapter") and Adapter(values["adapter"])
        values["quantities"] = tuple(_quantity(one) for one in values.get("quantities", ()))
        values["gpus"] = values.get("gpus") and _gpus(values["gpus"])
        values["billed"] = values.get("billed") and _money(values["billed"])
        values["estimated"] = values.get("estimated") and _money(values["estimated"])
        values["checkpoints"] = tuple(Checkpoint(**one) for one in values.get("checkpoints", ()))
        values["flags"] = tuple(str(flag) for flag in values.get("flags", ()))
        values["told"] = tuple((str(name), str(text)) for name, text in values.get("told", ()))
        job = HostedJob(**values)
        check_job(job)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _none("job", error) from None
    return job


def hosting_of(said: Mapping[str, Any]) -> Hosting:
    """The deployment in :func:`hosting_json`'s form; raises UsageError where it is none."""
    try:
        hosting = Hosting(**{**said, "units": _decimal(said.get("units", "1"))})
        check_hosting(hosting)
    except (KeyError, TypeError, ValueError) as error:
        raise _none("deployment", error) from None
    return hosting


def _none(what: str, error: Exception) -> UsageError:
    return UsageError(
        f"this is no {what} of ours ({type(error).__name__})",
        "send what `meter jobs import` reads through that command",
    )


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return str(value) if isinstance(value, Decimal) else value


def _decimal(value: object) -> Decimal | None:
    return None if value is None else _number(value)


def _number(value: object) -> Decimal:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise ValueError("no number") from None
    if not number.is_finite() or not 0 <= number < MOST:
        raise ValueError("out of range")
    return number


def _quantity(said: Mapping[str, Any]) -> Quantity:
    meter = Meter(said["meter"])
    amount = _decimal(said["amount"])
    if (amount is None) != (meter is Meter.UNKNOWN):
        raise ValueError("an amount is missing")
    return Quantity(meter, amount)


def _gpus(said: Mapping[str, Any]) -> Gpus:
    return Gpus(said["name"], _number(said["seconds"]), said.get("count"))


def _money(said: Mapping[str, Any]) -> Money:
    amount = Decimal(said["amount"])
    if not amount.is_finite():
        raise ValueError("no amount")
    return Money(amount, said["currency"])
