"""Waits for the job and hands signals on, so that it gets each exactly once.

The launcher shares the job's process group: what the terminal sends (^C, ^Z, hang-up) reaches
both, and is not forwarded. A signal sent to the launcher alone is. All signals are blocked and
fetched with their origin; nothing here talks to the agent, so nothing here can hang on it.
"""

from __future__ import annotations

import _thread
import os
import signal
import time

TYPE_CHECKING = False  # `typing` would be paid by each job's start
if TYPE_CHECKING:
    from collections.abc import Callable

    from meter.launch.witness import Witness

WATCHED = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}
"""Every signal that can be caught."""

_BY_TERMINAL = {signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU}
_BY_INHERITED_TIMER = {signal.SIGALRM, signal.SIGVTALRM, signal.SIGPROF}
_ENDING = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT}
_WITNESS_MS = 20
_STOP_MEANT_S = 2.0


class Supervisor:
    """One job's signals and its end.

    ``witness`` may be None: then a signal to the whole group reaches the job twice.
    """

    __slots__ = (
        "_end_asked",
        "_is_leader",
        "_job",
        "_job_stopped",
        "_main",
        "_own",
        "_stop_asked_s",
        "_witness",
    )

    def __init__(self, job_pid: int, witness: Witness | None) -> None:
        self._job = job_pid
        self._witness = witness
        self._own = os.getpid()
        self._is_leader = os.getsid(0) == self._own
        self._job_stopped = 0
        self._main = _thread.get_ident()
        self._end_asked = False
        self._stop_asked_s = float("-inf")

    def wait(self) -> int:
        """The job's wait status, once it ended. All of WATCHED must be blocked."""
        status = self._reap()
        while status is None:
            info = signal.sigwaitinfo(WATCHED)
            if info.si_signo == signal.SIGCHLD:
                status = self._reap()
            else:
                self._handle(info)
            if self._end_asked and status is None:
                self._end_asked = False
                self._send(signal.SIGTERM)
        return status

    def ask_to_end(self) -> None:
        """Have the job sent SIGTERM; for another thread.

        It is sent by the thread that reaps the job: nobody else's process can have its number yet.
        """
        self._end_asked = True
        signal.pthread_kill(self._main, signal.SIGCHLD)

    def wait_for_rest(self, done: Callable[[], bool], timeout_s: float) -> bool:
        """After the job: until something is done; False on a signal to end, or when time is up.

        Whoever does it sends this thread SIGCHLD when ``done`` has become true.
        """
        deadline = time.monotonic() + timeout_s
        while not done():
            left_s = deadline - time.monotonic()
            info = signal.sigtimedwait(WATCHED, left_s) if left_s > 0 else None
            if info is None:
                return done()
            if info.si_signo == signal.SIGCHLD:
                reap_others()
            elif info.si_signo in _ENDING:
                return False
        return True

    def _reap(self) -> int | None:
        """Take in all children's changes; the job's status if it ended."""
        ended = None
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED | os.WCONTINUED)
            except ChildProcessError:
                return ended
            if pid == 0:
                return ended
            if pid != self._job:
                continue
            if os.WIFSTOPPED(status):
                self._job_stopped = os.WSTOPSIG(status)
                self._stop_with_job()
            elif os.WIFCONTINUED(status):
                self._job_stopped = 0
            else:
                ended = status

    def _handle(self, info: signal.struct_siginfo) -> None:
        number = info.si_signo
        if self._is_for_us_alone(info):
            self._send(number)
        if number in _BY_TERMINAL:
            self._stop_asked_s = time.monotonic()
            self._stop_with_job()

    def _is_for_us_alone(self, info: signal.struct_siginfo) -> bool:
        if info.si_code > 0:  # made by the kernel
            hang_up = info.si_signo == signal.SIGHUP and self._is_leader
            return hang_up or info.si_signo in _BY_INHERITED_TIMER
        if info.si_pid == self._own:  # our own write to a closed pipe
            return False
        return self._witness is None or not self._witness.saw(
            info.si_signo, info.si_pid, _WITNESS_MS
        )

    def _send(self, number: int) -> None:
        try:
            os.kill(self._job, number)
        except (ProcessLookupError, PermissionError):
            return  # it just ended, or became another user: then the sender could not either

    def _stop_with_job(self) -> None:
        """Stop as the job did, so that the shell sees it and ``fg`` continues both.

        Only where the stop was meant for us too: a job that somebody stops alone must not leave
        us stopped when it is continued alone.
        """
        if not self._job_stopped or time.monotonic() - self._stop_asked_s > _STOP_MEANT_S:
            return
        self._stop_asked_s = float("-inf")
        number = self._job_stopped
        if number == signal.SIGSTOP:
            os.kill(self._own, number)
            return
        before = signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [number])
        os.kill(self._own, number)  # returns when continued
        signal.pthread_sigmask(signal.SIG_BLOCK, [number])
        signal.signal(number, before)


def reap_others() -> None:
    """Reap whatever ended; for orphans that were adopted, and agents."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return
