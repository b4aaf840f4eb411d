"""``meter run`` and ``meter exec``: the job under the meter, and never in danger from it.

Order: read the command line; find or start an agent; start the job once a reading was taken or
0.3 s have passed; wait, handing signals on; settle with the agent; print; end as the job did.
Whatever fails on our side, the job runs all the same.
"""

from __future__ import annotations

import os
import signal
import sys
import time

from meter.errors import MeterError, UsageError
from meter.launch import job as jobs
from meter.launch.options import Options, help_text, parse
from meter.launch.say import keep_standard_descriptors, say

TYPE_CHECKING = False  # `typing` would be paid by each job's start
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, NoReturn

    from meter.environment import Environment
    from meter.launch.link import Link
    from meter.launch.spawn import AgentProcess
    from meter.launch.summary_file import SummaryFile

USAGE = 2
START_S = 0.3
"""The longest that a job waits for its first reading."""


def main(mode: str, words: Sequence[str]) -> NoReturn:
    """Do ``meter run``, ``exec`` or ``attach``; never returns."""
    deadline = time.monotonic() + START_S
    keep_standard_descriptors()
    if mode == "attach":
        from meter.launch.attach import attach

        attach(words)
    inherited = jobs.Inherited()
    try:
        options = parse(mode, words)
    except UsageError as error:
        refuse(mode, str(error))
    if options.help:
        sys.stdout.write(help_text(mode))
        sys.stdout.flush()
        os._exit(0)
    Launch(options, inherited, deadline).go()


def refuse(mode: str, text: str) -> NoReturn:
    """End before the job's start."""
    say(f"meter {mode}: {text}")
    os._exit(USAGE)


class Launch:
    """One start of a job, step by step."""

    def __init__(self, options: Options, inherited: jobs.Inherited, deadline: float) -> None:
        from meter.environment import Environment

        self.options = options
        self.environment: Environment = Environment.of_process()
        self.inherited = inherited
        self.deadline = deadline
        self.link: Link | None = None
        self.added: dict[str, str] = {}
        self.file: SummaryFile | None = None
        self.notes: list[str] = []
        self.prctl: Any = None

    def go(self) -> NoReturn:
        """Prepare, run the job, end as it did."""
        self._stop_if_not_found()
        try:
            self._prepare()
        except Exception as error:  # noqa: BLE001  the job runs, whatever is wrong with us
            self._go_unmetered(error)
        job = self._start()
        try:
            from meter.launch.accompany import accompany

            status = accompany(self, job)
        except Exception as error:  # noqa: BLE001  the job's end is all that counts
            say(f"meter: {type(error).__name__}: {error}")
            status = _plain_wait(job.pid)
        jobs.die_like(status)

    # -- before the job -------------------------------------------------------------------

    def _stop_if_not_found(self) -> None:
        """A command that is nowhere needs no agent; all other faults are left to its exec."""
        command = self.options.command[0]
        if not any(map(os.path.lexists, jobs.candidates(command, self._search()))):
            say(f"meter {self.options.mode}: {command}: not found")
            os._exit(jobs.NOT_FOUND)

    def _prepare(self) -> None:
        """Everything before the start; what it raises leaves the job unmetered."""
        from meter.launch.trust import trusted

        nested = False
        if self.environment.launcher_pid is not None and self.environment.run_id:
            from meter.launch.inside import Launcher, is_inside

            nested = Launcher.read(self.environment.launcher_pid) is not None
            if is_inside(self.environment.variables, self.environment.socket):
                self._pass_through()
        self._take_variables()
        self.environment = trusted(self.environment, say)
        if self.options.mode == "exec":
            from meter.launch import exec_mode

            self.added = exec_mode.set_beside(
                self.options, self.environment, self.deadline, nested_over=nested
            )
            self._become_job()
        self._open(nested_over=nested)

    def _take_variables(self) -> None:
        if self.environment.textfile or self.environment.push:
            from meter.launch.telling import take_variables

            self.notes += take_variables(self.options, self.environment)

    def _pass_through(self) -> NoReturn:
        """We are inside a metered job: its run counts all that is started here."""
        options, inside = self.options, f"meter: inside run {self.environment.run_id}"
        asked = (
            (options.summary_json, "--summary-json is not written here"),
            (options.textfile, "--textfile is not written here"),
            (options.push, "--push is not sent here"),
            (options.budgets, "--budget is not watched here"),
        )
        left = [text for value, text in asked if value]
        if left:
            say(
                f"{inside}, which counts this command: {', '.join(left)}: the outer `meter run` can"
            )
        elif options.debug:
            say(f"{inside}: it counts this command, its launcher sums it up")
        self._become_job()

    def _open(self, *, nested_over: bool) -> None:
        if self.options.summary_json is not None:
            from meter.launch.summary_file import SummaryFile

            self.file = SummaryFile(self.options.summary_json)
            self.file.clear()
        from meter.launch.trust import own_place

        agent = None
        if not os.path.exists(self.environment.socket):
            self.environment = own_place(self.environment, say)
        if not os.path.exists(self.environment.socket):
            agent = self._spawn(self.environment)  # it begins while we load the rest
        from meter.launch import begin

        own = os.getpid()
        self.link = begin.link_for(
            self.options,
            self.environment,
            own,
            nested_over=nested_over,
            tell=say,
            spawn=self._spawn,
            agent=agent,
        )
        self.notes += begin.open_run(self.link, self.options, self.deadline)
        self.added = begin.added_variables(self.link.socket, self.link.spec["id"], own)

    def _spawn(self, environment: Environment) -> AgentProcess:
        """Start the agent, and use the time until it listens."""
        from meter.launch.kernel import prctl
        from meter.launch.spawn import spawn_agent

        agent = spawn_agent(environment)
        self.prctl = self.prctl or prctl()
        return agent

    def _go_unmetered(self, error: Exception) -> None:
        """Metering failed before the start: say so; --strict and wrong --gpus end here."""
        text = str(error) if isinstance(error, MeterError) else f"{type(error).__name__}: {error}"
        if self.options.debug and not isinstance(error, MeterError):
            import traceback

            say("".join(traceback.format_exception(error)))
        if self.options.strict or getattr(error, "flags", False):
            refuse(self.options.mode, text)
        say(f"meter: the job runs unmetered: {text}")
        self.link = None
        if self.options.mode == "exec":
            self._become_job()

    # -- the job --------------------------------------------------------------------------

    def _start(self) -> jobs.Job:
        from meter.launch.supervise import WATCHED

        signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
        if signal.sigpending():  # came while the job could not have got it: it was meant for us
            self.inherited.unblock()
            signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
        try:
            job = jobs.start(self.options.command, self._search(), self.added, self.inherited)
        except jobs.StartError as error:
            self._end_unstarted(error)
        except OSError as error:  # no process can be made: then this one becomes the job
            say(f"meter: the job runs unmetered: {error.strerror}")
            self._become_job()
        if self.link is not None:
            self.link.begins(job.started_ns, job.started_us)
        return job

    def _become_job(self) -> NoReturn:
        number = jobs.replace(self.options.command, self._search(), self.added, self.inherited)
        error = jobs.StartError(self.options.command[0], number)
        say(f"meter {self.options.mode}: {error}")
        os._exit(error.code)

    def _end_unstarted(self, error: jobs.StartError) -> NoReturn:
        """The command could not be executed; its run is closed all the same."""
        say(f"meter {self.options.mode}: {error}")
        self.inherited.unblock()
        if self.link is not None:
            from meter.launch.keeper import Keeper
            from meter.launch.spec import end_of

            self.options.quiet = True  # a summary of nothing
            self.link.begins(time.clock_gettime_ns(time.CLOCK_BOOTTIME), time.time_ns() // 1_000)
            keeper = Keeper(self.link, live=False)
            keeper.end(end_of(error.code << 8, self.options.linger_s))
        os._exit(error.code)

    def _search(self) -> list[str]:
        return jobs.search_path(self.environment.variables)


def _plain_wait(pid: int) -> int:
    while True:
        try:
            found, status = os.waitpid(pid, 0)
        except ChildProcessError:  # reaped before our fault: its status is lost
            return 1 << 8
        if found == pid:
            return status
