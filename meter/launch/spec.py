"""What a run is registered with, and how its end is told; pure but for the clocks."""

from __future__ import annotations

import os
import time

from meter import limits
from meter.errors import UsageError
from meter.ids import new_id

TYPE_CHECKING = False  # `typing` would be paid by each job's start
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from meter.environment import Environment
    from meter.launch.options import Options

_NO_LIST = ("", "all", "none", "void")
"""What NVIDIA_VISIBLE_DEVICES says without naming devices; images bring it along."""


def run_id(
    environment: Environment, *, nested_over: bool, tell: Callable[[str], None]
) -> tuple[str, str]:
    """The run's id and where it came from: METER_RUN_ID if it was meant for us, else a new one.

    ``nested_over`` says that the variable stems from a launcher that has ended since.
    """
    given = environment.run_id
    if given is None or nested_over:
        return new_id(), "generated"
    try:
        return limits.check_run_id("METER_RUN_ID", given), "METER_RUN_ID"
    except UsageError as error:
        tell(f"meter: {error}; a new id is used")
        return new_id(), "generated"


def registration(
    options: Options, environment: Environment, identity: tuple[str, str], pid: int
) -> dict[str, Any]:
    """Body of ``POST /v1/runs``, as of now."""
    body: dict[str, Any] = {
        "id": identity[0],
        "origin": identity[1],
        "name": options.name or _name_of(options.command),
        "project": options.project or _project_of(environment),
        "tags": options.tags,
        "started_ns": time.clock_gettime_ns(time.CLOCK_BOOTTIME),
        "started_us": time.time_ns() // 1_000,
        "gpus": options.gpus,
        "cuda_visible_devices": _sent(environment.cuda_visible_devices, limits.GPUS_CHARS),
        "cuda_device_order": _sent(environment.cuda_device_order, 64),
        "launcher_pid": pid,
        "command": _name_of(options.command),
        "resume": False,
    }
    container = _sent(environment.nvidia_visible_devices, limits.GPUS_CHARS)
    if container and container.strip() not in _NO_LIST:  # else an older agent need not know of it
        body["nvidia_visible_devices"] = container
    if options.budgets:  # else an older agent need not know of them
        body["budgets"] = [{"amount": a, "unit": unit} for unit, a in options.budgets.items()]
        body["stop_over_budget"] = options.stop_over_budget
    return body


def end_of(status: int | None, linger_s: float) -> dict[str, Any]:
    """Body of ``PATCH /v1/runs/ID``, as of now; ``status`` is a wait status, None if unknown.

    A signal n is exit code -n.
    """
    code = None if status is None else os.waitstatus_to_exitcode(status)
    return {
        "status": "failed" if code else "completed",
        "exit_code": code,
        "ended_ns": time.clock_gettime_ns(time.CLOCK_BOOTTIME),
        "ended_us": time.time_ns() // 1_000,
        "linger_s": linger_s,
    }


def _project_of(environment: Environment) -> str | None:
    """METER_PROJECT where it can be one: a variable must not keep a run from being booked."""
    try:
        return limits.check_name("METER_PROJECT", environment.project or "")
    except UsageError:
        return None


def _name_of(command: list[str]) -> str:
    base = _sent(os.path.basename(command[0]), limits.NAME_CHARS) or ""
    return base if base.strip() and base.isprintable() else "job"


def _sent(text: str | None, most: int) -> str | None:
    """Text that JSON can carry; bytes that are no UTF-8 become question marks."""
    if text is None:
        return None
    return text[:most].encode(errors="replace").decode()
