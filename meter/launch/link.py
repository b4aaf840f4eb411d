"""The run's link to its agent: find or start one, register, keep it alive, settle at the end.

It lives in a thread of its own (``exec``: in the observer's process), so that an agent that hangs
delays nothing but the summary, and that by :data:`SETTLE_S` at most, or by :data:`RETURNED_S`
where an agent that was there comes back.
"""

from __future__ import annotations

import os
import select
import time
from contextlib import suppress
from functools import partial

from meter.errors import AgentError, MeterError
from meter.launch import last_word
from meter.launch.beat import Beat, until_next
from meter.launch.client import (
    Exchange,
    ForeignAgentError,
    NoAgentError,
    NoAnswerError,
    problem_text,
)
from meter.launch.spawn import ALREADY_RUNNING, AgentProcess, spawn_agent
from meter.launch.spec import stamped
from meter.launch.trust import not_own, own_place

TYPE_CHECKING = False  # `typing` would be paid by each job's start
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from meter.environment import Environment

ANSWER_S = 10.0
"""How long --strict and --gpus wait for the agent's answer."""
SETTLE_S = 10.0
"""The most that the agent may add to the end of a job."""
RETURNED_S = 30.0
"""The same where an agent was replaced under the run: the next one has to recover first."""
RESPAWNS = 3
"""How many agents started here that died young, one after the other, are replaced."""
YOUNG_S = 30.0
"""An agent that dies in this time after its start may never live: others are not counted."""
_CONNECT_S = 1.0
_JOINED_S = 0.02
_LIVE_S = 10.0
_BUDGET_S = 1.0
_BUDGET_ANSWER_S = 2.0
_START_S = 10.0
_RACE_S = 2.0
_RETURN_S = 5.0
_AGAIN_S = 0.05
_NOT_FOUND = 404
_UNAVAILABLE = 503
_WRONG_WORDS = "UsageError"  # as a problem's code


class RefusedError(MeterError):
    """The agent refuses the run.

    ``usage`` says that the request is at fault, not the agent; ``flags`` that it is what somebody
    asked for by --gpus, the one refusal that keeps a job from running without --strict; ``again``
    that it may not be refused in a moment.
    """

    def __init__(
        self, message: str, *, usage: bool, flags: bool = False, again: bool = False
    ) -> None:
        super().__init__(message)
        self.usage = usage
        self.flags = flags
        self.again = again


class Link:
    """One run at one agent; each method is called by one thread at a time.

    Until the job begins, the agent is only asked whether it would take the run: a run starts
    when its job does. ``spec`` is the body of the registration. ``tell`` gets lines for people,
    ``debug`` more of them. After :meth:`keep`, ``document`` is the settled run or None, and
    ``failure`` says why.
    """

    def __init__(
        self,
        environment: Environment,
        spec: dict[str, Any],
        *,
        tell: Callable[[str], None],
        debug: Callable[[str], None],
        spawn: Callable[[Environment], AgentProcess] = spawn_agent,
        agent: AgentProcess | None = None,
    ) -> None:
        self.spec = spec
        self.answer: dict[str, Any] | None = None
        self.document: dict[str, Any] | None = None
        self.failure: str | None = None
        self.over_budget: Callable[[], None] | None = None  # called once, when one is used up
        self._environment = environment
        self._tell = tell
        self._debug = debug
        self._spawn = spawn
        self._agent = agent
        self._agent_since_s = time.monotonic()
        self._begun = False
        self._exchange: Exchange | None = None
        self._pidfd = -1
        self._died_young = 0
        self._waits_longer = False

    # -- before the job starts ------------------------------------------------------------

    def reach(self, deadline: float) -> None:
        """Find an agent or start one; back when it listens or at ``deadline`` (monotonic s).

        Raises AgentError where there can be none.
        """
        if self._agent is None:
            if self._joined(deadline):
                return
            own = own_place(self._environment, self._tell)
            if own is not self._environment:
                self._environment = own
                if self._joined(deadline):
                    return
            self._agent = self._spawn(self._environment)
            self._agent_since_s = time.monotonic()
        self._debug(f"started agent {self._agent.pid} at {self._environment.socket}")
        self._await_listening(deadline)

    def await_reading(self, deadline: float) -> bool:
        """Wait for the first reading; True if it was taken in time.

        An agent that ran before has taken it: its answer is waited for only a moment, to tell
        early of a refusal.
        """
        if self._agent is not None:
            return self._agent.wait_until(lambda agent: agent.reading, deadline)
        with suppress(NoAnswerError, NoAgentError):  # its end is seen to once the job runs
            self.await_answer(min(deadline - time.monotonic(), _JOINED_S))
        return True

    def register(self) -> None:
        """Register, or before the job begins ask for a word on the run, unless that was done.

        The answer is read later. Raises AgentError.
        """
        waits = self._agent is not None and not self._agent.listening
        if self._exchange is None and self.answer is None and not waits:
            self._post(_CONNECT_S)

    def begins(self, at_ns: int, at_us: int) -> None:
        """The job has started, CLOCK_BOOTTIME ns and UTC µs: the run is registered from then on."""
        self.spec["started_ns"], self.spec["started_us"] = at_ns, at_us
        self._begun = True
        self._forget_answer()

    @property
    def socket(self) -> str:
        """Where the run's agent listens."""
        return self._environment.socket

    @property
    def agent_pid(self) -> int | None:
        """The agent that was started here, None if it was there before."""
        return None if self._agent is None else self._agent.pid

    def await_answer(self, timeout_s: float) -> dict[str, Any]:
        """The agent's answer to the registration; raises AgentError or RefusedError."""
        if self.answer is not None:
            return self.answer
        if self._exchange is None:
            raise NoAnswerError("the agent does not listen", "see agent.log in METER_HOME")
        status, answer = self._exchange.answer(timeout_s)
        self._exchange = None
        if status >= 400:
            text = problem_text(status, answer)
            flags = self.spec["gpus"] is not None and answer.get("code") == _WRONG_WORDS
            again = status == _UNAVAILABLE
            raise RefusedError(text, usage=status < 500, flags=flags, again=again)
        self.answer = answer
        if self._begun:  # the agent may have begun another attempt under an id of its own
            self.spec["id"] = answer.get("id") or self.spec["id"]
        return answer

    # -- while it runs --------------------------------------------------------------------

    def keep(self, wake: int, ended: Callable[[], dict[str, Any]], *, live: bool) -> None:
        """Until ``wake`` becomes readable: read the answer, replace a dead agent; then settle.

        ``ended`` gives the body that ends the run. Never raises AgentError: see ``failure``.
        """
        alive = self._guarded(self._late_start)
        beats = [Beat(_LIVE_S, self._show)] if live else []
        if self.over_budget is not None:
            beats.append(Beat(_BUDGET_S, self._look_at_budget))
        while not _readable(wake, 0):
            descriptors = self._watched() if alive else []
            ready = _wait([wake, *descriptors], until_next(beats) if alive else None)
            if not ready:
                for beat in [beat for beat in beats if beat.is_due()]:
                    self._guarded(beat.step)
            if wake not in ready and ready:
                alive = self._guarded(partial(self._attend, ready))
        self._guarded(lambda: self._settle(ended()))

    def _guarded(self, step: Callable[[], None]) -> bool:
        try:
            step()
        except MeterError as error:
            if self.failure is None:
                self.failure = str(error)
            return False
        self.failure = None
        return True

    def _late_start(self) -> None:
        """Finish what did not fit before the job's start."""
        if self.failure is not None:
            raise AgentError(self.failure)
        if self._agent is not None and not self._agent.listening:
            self._await_listening(time.monotonic() + _START_S)
        try:
            self.register()
        except NoAgentError:
            self._replace(time.monotonic() + _START_S)

    def _watched(self) -> list[int]:
        found = [] if self._exchange is None else [self._exchange.fileno()]
        if self._agent is not None and not self._agent.ended:
            found.append(self._agent.fileno())
        if self._pidfd >= 0:
            found.append(self._pidfd)
        return found

    def _attend(self, ready: list[int]) -> None:
        if self._exchange is not None and self._exchange.fileno() in ready:
            self._take_answer(1.0)
        if self._agent is not None and self._agent.fileno() in ready:
            self._agent.hear()
            if self._agent.ended:
                self._replace(time.monotonic() + _START_S)
        elif self._pidfd in ready:
            self._replace(time.monotonic() + _START_S)

    def _take_answer(self, timeout_s: float) -> None:
        try:
            self.await_answer(timeout_s)
        except NoAnswerError:
            return
        except NoAgentError:
            self._replace(time.monotonic() + _START_S)

    def _replace(self, deadline: float) -> None:
        """The agent is gone: start another, which finds in the ledger what the old one knew.

        Where several users share an agent it is not ours to start: it may come back by itself.
        """
        shared = self._agent is None and not_own(self.socket, self._environment.uid)
        young = self._agent is not None and time.monotonic() - self._agent_since_s < YOUNG_S
        self._died_young = self._died_young + 1 if young else 0
        self._forget_agent()
        if self._died_young > RESPAWNS:
            raise AgentError(f"the agent died {RESPAWNS + 1} times", "see agent.log in METER_HOME")
        self._debug(f"the agent is gone; looking for another ({self._died_young} died young)")
        self.spec["resume"] = True
        until = min(deadline, time.monotonic() + _RETURN_S)
        while shared and not self._joined(deadline) and time.monotonic() < until:
            time.sleep(_AGAIN_S)
        while not self._registered(deadline):
            time.sleep(_AGAIN_S)

    def _registered(self, deadline: float) -> bool:
        """Register at an agent that is found or started; False if that one has gone too."""
        try:
            self.reach(deadline)
            self.register()
        except NoAgentError:
            if time.monotonic() >= deadline:
                raise
            self._forget_agent()
            return False
        return True

    def _show(self) -> None:
        try:
            status, document = self._ask("GET", None, 2.0)
        except AgentError:
            return  # the next one may come
        if status == 200:
            energy = document.get("energy", {}).get("it") or {}
            self._tell(f"meter: {float(energy.get('value') or 0) / 3.6e6:.6f} kWh so far")

    def _look_at_budget(self) -> None:
        """Tell once that a budget is used up; without an answer nothing is known."""
        if self.over_budget is None or self.answer is None:
            return
        try:
            status, told = self._ask("GET", None, _BUDGET_ANSWER_S, "/budgets")
        except AgentError:
            return  # the next one may come
        if status == 200 and told.get("stop"):
            over, self.over_budget = self.over_budget, None
            over()

    # -- at the end -----------------------------------------------------------------------

    def _settle(self, end: dict[str, Any]) -> None:
        left = last_word.leave(self.socket, self.spec, end)
        since_end_s = (time.clock_gettime_ns(time.CLOCK_BOOTTIME) - end["ended_ns"]) / 1e9
        deadline = time.monotonic() - since_end_s + SETTLE_S
        if self.failure is not None:
            self._rejoin(self.failure, deadline)
        gone = False
        while self.document is None:
            try:
                if gone:
                    self._replace(deadline)
                self._tell_end(end, deadline)
            except (NoAgentError, NoAnswerError) as error:
                gone = isinstance(error, NoAgentError)
                if not gone or time.monotonic() >= deadline:
                    self._wait_longer(error)
                    deadline += RETURNED_S - SETTLE_S
        last_word.take_back(left)

    def _wait_longer(self, error: AgentError) -> None:
        """Go on only where an agent was replaced, and only once; else raises the error."""
        if self._waits_longer or not self.spec["resume"]:
            raise error
        self._waits_longer = True
        self._tell(
            "meter: the job has ended; its agent was replaced, and the summary waits for the next"
            f" one, {RETURNED_S - SETTLE_S:.0f} s at most (^C ends that)"
        )

    def _tell_end(self, end: dict[str, Any], deadline: float) -> None:
        """Register if that is still to be done, and end the run; its document if all went well."""
        if self._agent is not None and not self._agent.listening:
            self._await_listening(deadline)
        self.register()
        self.await_answer(deadline - time.monotonic())
        status, answer = self._ask("PATCH", stamped(end), deadline - time.monotonic())
        if status == _NOT_FOUND and not self.spec["resume"]:
            self._register_again()
        elif status >= 400:
            raise RefusedError(problem_text(status, answer), usage=False)
        else:
            self.document = answer

    def _rejoin(self, failure: str, deadline: float) -> None:
        """Another agent may listen since we gave up: it can end the run; else we failed."""
        self._forget_agent()
        self.spec["resume"] = True
        if not self._joined(deadline):
            raise AgentError(failure)

    def _register_again(self) -> None:
        """The agent does not know the run: it was restarted by somebody else."""
        self.spec["resume"] = True
        self.answer = None

    def _ask(
        self, method: str, body: dict[str, Any] | None, timeout_s: float, below: str = ""
    ) -> Any:
        deadline = time.monotonic() + timeout_s
        path = f"/v1/runs/{self.spec['id']}{below}"
        exchange = Exchange(self._environment.socket, method, path, body, timeout_s=timeout_s)
        try:
            return exchange.answer(deadline - time.monotonic())
        finally:
            exchange.close()

    # -- finding the agent ----------------------------------------------------------------

    def _joined(self, deadline: float) -> bool:
        """Whether an agent already runs; if it can, it takes the request at once."""
        if self._exchange is not None:
            return True
        if not os.path.exists(self.socket):
            return False
        try:
            self._environment.ensure_socket_dir()
            self._post(min(_CONNECT_S, deadline - time.monotonic()))
        except (NoAgentError, ForeignAgentError):
            return False
        except NoAnswerError:
            self._debug("the agent is too busy to listen; asked again once the job runs")
        self._debug(f"joined the agent at {self._environment.socket}")
        return True

    def _post(self, timeout_s: float) -> None:
        """Register the run, or before the job's start ask whether it would be taken."""
        body = stamped({**self.spec, "check": not self._begun})
        self._exchange = Exchange(
            self._environment.socket, "POST", "/v1/runs", body, timeout_s=timeout_s
        )
        if self._agent is None and self._pidfd < 0:
            # as the kernel tells it, not the agent: its own number means another process here
            # where it lives in a container
            self._pidfd = _pidfd_of(self._exchange.agent_pid)

    def _await_listening(self, deadline: float) -> None:
        """Until our agent listens; where another won the race, that one is joined."""
        agent = self._agent
        if agent is None or agent.wait_until(lambda told: told.listening, deadline):
            return
        if not agent.ended:
            return  # slow: goes on in the thread
        self._forget_agent()
        lost_race = agent.exit_code() == ALREADY_RUNNING
        until = min(deadline, time.monotonic() + _RACE_S)
        while not self._joined(until):
            if not lost_race or time.monotonic() >= until:
                raise AgentError(
                    f"the agent cannot run ({agent.error or 'it ended at once'})",
                    "see agent.log in METER_HOME",
                )
            time.sleep(0.01)

    def _forget_agent(self) -> None:
        if self._agent is not None:
            self._agent.close()
            self._agent = None
        if self._pidfd >= 0:
            os.close(self._pidfd)
            self._pidfd = -1
        self._forget_answer()

    def _forget_answer(self) -> None:
        if self._exchange is not None:
            self._exchange.close()
            self._exchange = None
        self.answer = None


def _pidfd_of(pid: int) -> int:
    if pid <= 0:
        return -1
    try:
        return os.pidfd_open(pid)
    except OSError:
        return -1


def _wait(descriptors: list[int], timeout_s: float | None) -> list[int]:
    poll = select.poll()
    for fd in descriptors:
        poll.register(fd, select.POLLIN)
    return [fd for fd, _ in poll.poll(None if timeout_s is None else timeout_s * 1_000)]


def _readable(fd: int, timeout_s: float) -> bool:
    return bool(_wait([fd], timeout_s))
