"""What a run is registered with, and how its end is told; pure but for the clocks."""

from __future__ import annotations

import os
import time

from meter import limits, reserved
from meter.errors import UsageError

TYPE_CHECKING = False  # `typing` would be paid by each job's start
if TYPE_CHECKING:
    from typing import Any

    from meter.environment import Environment
    from meter.launch.identity import Identity
    from meter.launch.options import Options

_NO_LIST = ("", "all", "none", "void")
"""What NVIDIA_VISIBLE_DEVICES says without naming devices; images bring it along."""


def registration(
    options: Options, environment: Environment, identity: Identity, pid: int
) -> dict[str, Any]:
    """Body of ``POST /v1/runs``, as of now."""
    body: dict[str, Any] = {
        "id": identity.id,
        "origin": identity.origin,
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
    if identity.links:
        body["links"] = [{"source": source, "id": text} for source, text in identity.links]
    around = _sent(_gpus_around(environment), limits.GPUS_CHARS)
    if around is not None:  # else an older agent need not know of it
        body["nvidia_visible_devices"] = around
    if options.budgets:  # else an older agent need not know of them
        body["budgets"] = [{"amount": a, "unit": unit} for unit, a in options.budgets.items()]
        body["stop_over_budget"] = options.stop_over_budget
    return body


def end_of(status: int | None, linger_s: float | None) -> dict[str, Any]:
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


def _gpus_around(environment: Environment) -> str | None:
    """The GPUs that there are for the job, which CUDA counts anew: a container's, or Slurm's.

    Names of a container say more than Slurm's numbers, and those more than a container's, which
    may be counted within the job too.
    """
    container = (environment.nvidia_visible_devices or "").strip()
    found = None if container in _NO_LIST else container
    named = found is not None and not found[:1].isdigit()
    return found if named else environment.slurm_gpus or found


def stamped(body: dict[str, Any]) -> dict[str, Any]:
    """A body with what our clock shows as it is sent: the agent's may show something else."""
    return {**body, "sent_ns": time.clock_gettime_ns(time.CLOCK_BOOTTIME)}


def _project_of(environment: Environment) -> str | None:
    """METER_PROJECT where it can be one: a variable must not keep a run from being booked."""
    try:
        return reserved.check_label("METER_PROJECT", environment.project or "")
    except UsageError:
        return None


def project_fault(options: Options, environment: Environment) -> str | None:
    """Why METER_PROJECT is not the run's project, None if nothing is wrong with it."""
    if options.project is None and environment.project:
        try:
            reserved.check_label("METER_PROJECT", environment.project)
        except UsageError as error:
            return str(error)
    return None


def _name_of(command: list[str]) -> str:
    base = _sent(os.path.basename(command[0]), limits.NAME_CHARS) or ""
    named = base.strip() and base.isprintable() and not reserved.taken(base)
    return base if named else "job"


def _sent(text: str | None, most: int) -> str | None:
    """Text that JSON can carry; bytes that are no UTF-8 become question marks."""
    if text is None:
        return None
    return text[:most].encode(errors="replace").decode()
