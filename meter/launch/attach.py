"""``meter attach``: meters a process that runs already, until it ends or the user has enough.

There is no job of ours to protect here: what goes wrong before the metering begins ends it.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time

from meter.environment import SLURM_GPUS, Environment
from meter.errors import MeterError, UsageError
from meter.launch import begin, closing
from meter.launch.claim import Claim
from meter.launch.identity import NAMES, without_identity
from meter.launch.keeper import Keeper
from meter.launch.link import RETURNED_S
from meter.launch.options import help_text, parse
from meter.launch.say import say
from meter.launch.spawn import spawn_agent
from meter.launch.spec import end_of
from meter.launch.summary_file import SummaryFile
from meter.launch.target import Target, Tree, has_ended
from meter.launch.telling import take_variables
from meter.launch.trust import trusted
from meter.launch.watched import end_of_watched

TYPE_CHECKING = False  # `typing` would be paid by each job's start
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

    from meter.launch.link import Link
    from meter.launch.options import Options

_FAILED, _USAGE = 1, 2
_START_S = 0.3
_LOOK_S = 1.0
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_DEVICES = ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "NVIDIA_VISIBLE_DEVICES", *SLURM_GPUS)


def attach(words: Sequence[str]) -> NoReturn:
    """Do ``meter attach``; never returns."""
    try:
        options = parse("attach", words)
        if options.help:
            sys.stdout.write(help_text("attach"))
            sys.stdout.flush()
            os._exit(0)
        target = Target(options.pid)
        options.command = target.command
        link, claim = _opened(options, target)
    except MeterError as error:
        say(f"meter attach: {error}")
        wrong = isinstance(error, UsageError) or getattr(error, "usage", False)
        os._exit(_USAGE if wrong else _FAILED)
    code = _FAILED
    try:
        code = Attachment(options, target, link).go()
    except Exception as error:  # noqa: BLE001  one line, not a traceback
        say(f"meter attach: {type(error).__name__}: {error}")
    claim.drop()
    os._exit(code)


def surroundings(own: Environment, target: Target) -> Environment:
    """Our places, with the names and the devices of the process that is metered; pure."""
    theirs = target.variables or {}
    variables = without_identity(own.variables)
    for name in _DEVICES:
        variables.pop(name, None)
    gone = own.launcher_pid is not None  # METER_RUN_ID is then of a run around us
    if own.run_id and not gone:
        variables["METER_RUN_ID"] = own.run_id
    elif theirs.get("METER_RUN_ID") and not theirs.get("METER_LAUNCHER_PID"):
        variables["METER_RUN_ID"] = theirs["METER_RUN_ID"]
    taken = [*(name for name in NAMES if name != "METER_RUN_ID"), *_DEVICES]
    variables |= {name: theirs[name] for name in taken if name in theirs}
    variables.setdefault("METER_PROJECT", theirs.get("METER_PROJECT", ""))
    return Environment(variables, own.uid)


def _opened(options: Options, target: Target) -> tuple[Link, Claim]:
    """The run, taken by an agent; raises UsageError, AgentError or RefusedError."""
    environment = trusted(surroundings(Environment.of_process(), target), say)
    link = begin.link_for(
        options, environment, os.getpid(), nested_over=False, tell=say, spawn=spawn_agent
    )
    claim = Claim(environment, target, link.spec["id"])
    link.spec["attached"] = {"pid": target.pid, "environment": target.variables is not None}
    begin.open_run(link, options, time.monotonic() + _START_S)
    link.begins(time.clock_gettime_ns(time.CLOCK_BOOTTIME), time.time_ns() // 1_000)
    return link, claim


class Attachment:
    """From the moment of attaching to the summary."""

    def __init__(self, options: Options, target: Target, link: Link) -> None:
        self.options = options
        self.target = target
        self.link = link
        self.tree = Tree(target)
        self.notes: list[str] = []
        self._signals, self._tells = os.pipe()
        # under nohup, or in the background of a script, some are to be ignored
        self._ending = [n for n in _ENDING if signal.getsignal(n) is not signal.SIG_IGN]

    def go(self) -> int:
        """Meter until the end, show; the exit code."""
        self.notes += take_variables(self.options, Environment.of_process())
        file = None
        if self.options.summary_json is not None:
            file = SummaryFile(self.options.summary_json)
            file.clear()
        signal.pthread_sigmask(signal.SIG_BLOCK, self._ending)
        keeper = Keeper(self.link, live=self.options.live)
        keeper.start()
        self._listen()
        self._say_begin()
        keeper.end(self._wait())
        self._settle(keeper)
        closing.show(self.link, self.options, file, self.notes)
        return 0 if self.link.document is not None else _FAILED

    def _listen(self) -> None:
        """Have signals wake us by a pipe; the keeper says by SIGCHLD that it is done."""
        for fd in (self._signals, self._tells):
            os.set_blocking(fd, False)
        signal.set_wakeup_fd(self._tells, warn_on_full_buffer=False)
        for number in (*self._ending, signal.SIGCHLD):
            signal.signal(number, lambda *_: None)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, self._ending)

    def _say_begin(self) -> None:
        if self.options.quiet:
            return
        target = self.target
        say(
            f"meter: attached to process {target.pid}, {_words(target.age_s)} after its start;"
            " what it used before is not in this run"
        )
        if self.options.gpus is not None:
            return
        if target.variables is None:
            say(
                "meter: its environment is another user's, so all GPUs count: name its own with"
                " --gpus"
            )
        elif target.elsewhere:
            say("meter: it is in a container, which may count GPUs otherwise: see --gpus")

    def _wait(self) -> dict[str, object]:
        """Until the process, or with --tree all that it has started, has ended, or a signal."""
        linger_s = self.options.linger_s
        while True:
            self.tree.look()
            ended = has_ended(self.target.fd)
            if ended and not (self.options.tree and self.tree.left()):
                break
            watched = self.tree.filenos() if ended else [self.target.fd]
            if self._ending_signal(watched):
                self.notes.append(
                    f"detached: process {self.target.pid} goes on; what it uses from here on is"
                    " not in this run"
                )
                return end_of(None, linger_s)
        left = self.tree.left()
        if left:
            some = f"{len(left)} process{'es' if len(left) > 1 else ''} that it started"
            self.notes.append(f"{some} still run; what they use from here on is not in this run")
        end = end_of_watched(self.target.fd, linger_s)
        if end["exit_code"] is None:
            self.notes.append("how the process ended is not known: only its parent is told")
        return end

    def _ending_signal(self, watched: list[int]) -> bool:
        """Wait for one of the descriptors, a signal, or the time to look again."""
        poll = select.poll()
        for fd in (self._signals, *watched):
            poll.register(fd, select.POLLIN)
        poll.poll(_LOOK_S * 1_000)
        return any(number in self._ending for number in self._heard())

    def _heard(self) -> bytes:
        with contextlib.suppress(BlockingIOError):
            return os.read(self._signals, 512)
        return b""

    def _settle(self, keeper: Keeper) -> None:
        """Until the summary is there, the time for it is up, or a signal asks us to end."""
        deadline = time.monotonic() + RETURNED_S + 1.0
        while not keeper.is_done() and time.monotonic() < deadline:
            if self._ending_signal([]):
                return


def _words(seconds: float) -> str:
    if seconds < 120:
        return f"{max(0.0, seconds):.0f} s"
    if seconds < 7_200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3_600:.1f} h"
