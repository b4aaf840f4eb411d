"""What ``meter run`` does while its job runs, and when it has ended.

The run ends with the job's own process. Descendants of its session that are just ending get a
quarter of a second; whoever stays longer, or left the session (a daemon), holds up nothing, as
it would not without us: the summary says that it is no longer counted.
"""

from __future__ import annotations

import os
import signal
import time

from meter.launch import closing, witness
from meter.launch.job import leave_descriptors
from meter.launch.keeper import Keeper
from meter.launch.kernel import adopt_orphans, children, prctl
from meter.launch.link import RETURNED_S
from meter.launch.say import say
from meter.launch.spec import end_of
from meter.launch.supervise import WATCHED, Supervisor, reap_others

TYPE_CHECKING = False  # `typing` would be paid by each job's start
if TYPE_CHECKING:
    from meter.launch.job import Job
    from meter.launch.main import Launch

_ENDING_S = 0.25


def accompany(launch: Launch, job: Job) -> int:
    """Wait for the job, settle, show; the job's wait status. All signals must be blocked."""
    call = launch.prctl or prctl()
    adopt_orphans(call)
    kept = [2]
    if launch.file is not None and launch.file.fd is not None:
        kept.append(launch.file.fd)
    leave_descriptors(kept)
    beside = witness.start(WATCHED, call)
    supervisor = Supervisor(job.pid, beside)
    keeper = None
    if launch.link is not None:
        if launch.options.stop_over_budget:
            launch.link.over_budget = lambda: _stop(launch, supervisor)
        keeper = Keeper(launch.link, live=launch.options.live)
        keeper.start()
    status = supervisor.wait()
    if beside is not None:
        beside.end()
    try:
        if keeper is not None:
            _finish(launch, supervisor, keeper, status)
    except Exception as error:  # noqa: BLE001  the job's end is all that counts
        say(f"meter: no summary: {type(error).__name__}: {error}")
    return status


def _stop(launch: Launch, supervisor: Supervisor) -> None:
    """A budget is used up, and the user wants the job to end then."""
    supervisor.ask_to_end()
    if not launch.options.quiet:
        say("meter: a budget is used up: the job is asked to end (SIGTERM)")


def _finish(launch: Launch, supervisor: Supervisor, keeper: Keeper, status: int) -> None:
    link = launch.link
    if link is None:
        return
    staying = _await_ending_ones(link.agent_pid)
    if staying:
        launch.notes.append(
            f"{staying} process{'es' if staying > 1 else ''} of the job still run; what they use"
            " from here on is not in this run"
        )
    keeper.end(end_of(status, launch.options.linger_s))
    supervisor.wait_for_rest(keeper.is_done, RETURNED_S + 1.0)
    closing.show(link, launch.options, launch.file, launch.notes)


def _await_ending_ones(agent_pid: int | None) -> int:
    """Wait shortly for what is left of the job's session; how many processes stay."""
    own, session = os.getpid(), os.getsid(0)
    deadline = time.monotonic() + _ENDING_S
    while True:
        reap_others()
        staying = [pair for pair in children(own) if pair[0] != agent_pid]
        left_s = deadline - time.monotonic()
        if left_s <= 0 or not any(of == session for _, of in staying):
            return len(staying)
        signal.sigtimedwait({signal.SIGCHLD}, left_s)
