"""Marks of a job: ``meter.mark(step=3)``, ``with meter.phase("eval"):``; links of its run.

A thin client of the agent at ``METER_SOCKET``, for the run ``METER_RUN_ID``; without them nothing
is done. It imports the standard library only. A mark costs the caller some microseconds; a thread
in the background tells the agent, in batches. Nothing here blocks or raises: what cannot be told
is dropped and counted, what the agent refuses is said once by the logger ``meter``.
"""

from __future__ import annotations

import os
import sys
import time

from meter.marks import checked, sender

TYPE_CHECKING = False  # `typing` would be paid by each job's start
if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType
    from typing import Self

    from meter.marks.usage_sender import UsageSender

__all__ = ["dropped", "flush", "link", "mark", "phase", "usage"]


def mark(
    *wrong: object,
    step: object = None,
    epoch: object = None,
    phase: object = None,
    tokens: object = None,
    fraction: object = None,
    **unknown: object,
) -> None:
    """Mark this instant of the run.

    ``step`` has just been completed, ``epoch`` (may be a part: 1.5) likewise; from now on
    ``phase`` runs, ``""`` ends it; ``tokens`` and ``fraction`` (0 to 1) are all that was seen and
    done so far. Numbers are int, float, Decimal or numpy's; a tensor would have to wait for its
    device, and is not taken.
    """
    try:
        at_ns = sender.now_ns()
        here = sender.current()
        if here is None:
            return
        if wrong or unknown:
            here.drop(sender.INVALID)
            return
        made = checked.told(at_ns, step, epoch, phase, tokens, fraction)
        if phase is not None:
            here.phase = made["phase"]
        here.put(made)
    except checked.WrongMarkError:
        sender.drop(sender.INVALID)
    except Exception:  # noqa: BLE001  the job is sacred
        sender.drop(sender.FAILED)


class phase:  # noqa: N801  read as a statement: with meter.phase("eval")
    """A phase that runs inside ``with``; at its end the one before goes on.

    It is the run's, not the thread's: begin and end phases in one thread.
    """

    __slots__ = ("_former", "_name")

    def __init__(self, name: str) -> None:
        """Name a phase; the same object may be used again, but not inside itself."""
        self._name = name
        self._former = ""

    def __enter__(self) -> Self:
        """Begin it."""
        self._former = sender.phase()
        mark(phase=self._name)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Go on with the one before, however it ended."""
        mark(phase=self._former)


def link(
    source: object = None,
    id: object = None,  # noqa: A002  as the agent calls it
    *wrong: object,
    **unknown: object,
) -> None:
    """Link the run to an id that somebody else gave it: ``meter.link("wandb", run.id)``.

    ``source`` is wandb, mlflow, slurm, torchelastic, kubernetes or custom. The run keeps its id.
    """
    here = None
    try:
        here = sender.current()
        if here is None:
            return
        if wrong or unknown:
            raise checked.WrongMarkError  # noqa: TRY301
        here.link(checked.linked(source, id))
    except Exception:  # noqa: BLE001  the job is sacred
        if here is not None:
            here.links_dropped += 1


def usage(response: object, **beside: str | None) -> None:
    """Tell what a hosted model's response used: ``meter.usage(client.responses.create(…))``.

    ``response`` is an SDK's object or its JSON as a dict, with its usage. ``beside`` may name
    ``provider``, ``project``, ``run``, ``region``, ``service_tier``, ``source`` or ``id`` where
    the response does not. Never blocks or raises; texts do not leave the process. Inside a run the
    usage is the run's.
    """
    try:
        named = {name: str(word) for name, word in beside.items() if word is not None}
        run_id = os.environ.get("METER_RUN_ID")
        if run_id:
            named.setdefault("run", run_id)
        from meter.marks import usage_sender  # noqa: PLC0415  paid by jobs that use it

        usage_sender.current().put(response, named)
    except Exception:  # noqa: BLE001  the job is sacred
        for here in _usage_senders():
            here.dropped += 1


def flush(timeout_s: float = 0.5) -> bool:
    """Tell what waits, for at most so long; whether the agent has it all."""
    try:
        began_s = time.monotonic()
        told = sender.flush(timeout_s)
        left_s = max(0.0, timeout_s - (time.monotonic() - began_s))
        return all(here.flush(left_s) for here in _usage_senders()) and told
    except Exception:  # noqa: BLE001  the job is sacred
        return False


def dropped() -> dict[str, int]:
    """How much of this process was dropped: marks by reason, links, usage; ``docs/marks.md``."""
    here = sender.current()
    marks = {} if here is None else {**here.dropped}
    links = 0 if here is None else here.links_dropped
    used = sum(one.dropped for one in _usage_senders())
    return {**marks, **({"link": links} if links else {}), **({"usage": used} if used else {})}


def _usage_senders() -> Iterable[UsageSender]:
    """The process's sender of usage, if it was loaded and has told anything."""
    loaded = sys.modules.get("meter.marks.usage_sender")
    return loaded.existing() if loaded is not None else ()
