"""``meter exec``: the job keeps this process; an observer beside it keeps the meter.

The observer is a fresh interpreter in its own session, not the job's child, and watches the job
by a pidfd. It keeps the job's stderr for the summary only where that is a terminal or a file: a
pipe has to end when the job does.
"""

from __future__ import annotations

import json
import os
import select
import socket
import stat
import time

from meter.errors import AgentError
from meter.launch.begin import added_variables
from meter.launch.link import ANSWER_S, RefusedError
from meter.launch.say import say
from meter.launch.spawn import python_command, spawn_detached

TYPE_CHECKING = False  # `typing` would be paid by each job's start
if TYPE_CHECKING:
    from typing import Any

    from meter.environment import Environment
    from meter.launch.options import Options

OBSERVER_MODULE = "meter.launch.observer"
_SENT = (
    "mode",
    "command",
    "project",
    "name",
    "tags",
    "gpus",
    "summary_json",
    "linger_s",
    "textfile",
    "push",
    "budgets",
    "quiet",
    "strict",
    "debug",
)


def set_beside(
    options: Options, environment: Environment, deadline: float, *, nested_over: bool
) -> dict[str, str]:
    """Start the observer; variables for the job, once the observer says that it may start.

    Raises AgentError where there is no observer, RefusedError where it refuses the run.
    """
    ours, theirs = socket.socketpair()
    order = {name: getattr(options, name) for name in _SENT}
    order |= {"pid": os.getpid(), "deadline": deadline, "nested_over": nested_over}
    if options.summary_json is not None:
        order["summary_json"] = os.path.abspath(options.summary_json)
    try:
        _spawn_observer(options, environment, theirs.fileno())
        theirs.close()
        ours.sendall(json.dumps(order).encode() + b"\n")
        told = _answer(ours, _limit_s(options, deadline))
    except OSError as error:
        raise AgentError(f"no observer can be started ({error.strerror})") from None
    finally:
        ours.close()
    for line in told.get("say", ()):
        say(line)
    if "error" in told:
        if told.get("flags"):
            raise RefusedError(told["error"], usage=True, flags=True)
        raise AgentError(told["error"])
    return added_variables(told["socket"], told["run"], os.getpid()) if "run" in told else {}


def _limit_s(options: Options, deadline: float) -> float:
    if options.strict or options.gpus is not None:
        return ANSWER_S + 1.0
    return max(deadline - time.monotonic(), 0.0) + 0.1


def _answer(ours: socket.socket, timeout_s: float) -> dict[str, Any]:
    """What the observer says; nothing where it is slow: it then goes on without being asked."""
    received = b""
    until = time.monotonic() + timeout_s
    while not received.endswith(b"\n"):
        left_s = until - time.monotonic()
        if left_s <= 0 or not select.select([ours], [], [], left_s)[0]:
            return {}
        chunk = ours.recv(65_536)
        if not chunk:
            raise AgentError("the observer ended at once", "see agent.log in METER_HOME")
        received += chunk
    found: dict[str, Any] = json.loads(received)
    return found


def _spawn_observer(options: Options, environment: Environment, passed: int) -> None:
    """By way of a process that ends at once, so that the job has no child of ours."""
    command = python_command(OBSERVER_MODULE, python_home=environment.python_home)
    variables = dict(environment.variables)
    errors = _stderr_for_observer(options, environment)
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            spawn_detached(command, variables, stderr=errors, passed=passed)
            code = 0
        finally:
            os._exit(code)
    os.close(errors)
    if os.waitpid(pid, 0)[1]:
        raise AgentError("no observer can be started", "free processes or memory")


def _stderr_for_observer(options: Options, environment: Environment) -> int:
    from meter.launch.spawn import log_fd

    mode = os.fstat(2).st_mode
    shows = stat.S_ISREG(mode) or os.isatty(2)
    if shows and not options.quiet and os.getpid() != 1:
        return os.dup(2)
    return log_fd(environment.home)
