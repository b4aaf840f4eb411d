"""The steps between the command line and the job's start; shared by ``run`` and ``exec``."""

from __future__ import annotations

import time

from meter.errors import AgentError
from meter.launch.identity import identify
from meter.launch.inside import launcher
from meter.launch.link import ANSWER_S, Link, RefusedError
from meter.launch.spec import project_fault, registration

TYPE_CHECKING = False  # `typing` would be paid by each job's start
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from meter.environment import Environment
    from meter.launch.options import Options
    from meter.launch.spawn import AgentProcess

_AGAIN_S = 0.05


def link_for(
    options: Options,
    environment: Environment,
    pid: int,
    *,
    nested_over: bool,
    tell: Callable[[str], None],
    spawn: Callable[[Environment], AgentProcess],
    agent: AgentProcess | None = None,
) -> Link:
    """The link of a run whose launcher (``exec``: whose observer) has ``pid``.

    ``agent`` is one that was started already.
    """
    identity = identify(environment.variables, nested_over=nested_over, tell=tell)
    if fault := project_fault(options, environment):
        tell(f"meter: {fault}; the run goes to the agent's own project")
    body = registration(options, environment, identity, pid)
    debug = (lambda line: tell(f"meter: {line}")) if options.debug else (lambda _: None)
    return Link(environment, body, tell=tell, debug=debug, spawn=spawn, agent=agent)


def added_variables(socket: str, run: str, launcher_pid: int) -> dict[str, str]:
    """What a metered job finds in its environment, and nothing else of ours."""
    return {
        "METER_RUN_ID": run,
        "METER_SOCKET": socket,
        "METER_LAUNCHER_PID": launcher(launcher_pid).told(),
    }


def open_run(link: Link, options: Options, deadline: float) -> list[str]:
    """Reach an agent; back when the job may start, with notes for the end.

    Waits for the first reading until ``deadline`` (monotonic s); with --gpus or --strict for the
    agent's word on the run. Raises AgentError or RefusedError.
    """
    if options.strict or options.gpus is not None:
        _open_checked(link, options)
        return []
    link.reach(deadline)
    if link.await_reading(deadline):
        return []
    return ["the job started before the first reading was taken"]


def _open_checked(link: Link, options: Options) -> None:
    deadline = time.monotonic() + ANSWER_S
    link.reach(deadline)
    answer = _answered(link, deadline)
    if not options.strict:
        return
    if not link.await_reading(deadline):
        raise AgentError("no reading was taken", "see `meter doctor`")
    faults = fault_texts(answer)
    if faults:
        raise AgentError("; ".join(fault.rstrip(".") for fault in faults))


def _answered(link: Link, deadline: float) -> dict[str, Any]:
    """What the agent says of the run; asked again while it does not know its devices yet."""
    while True:
        link.register()
        try:
            return link.await_answer(deadline - time.monotonic())
        except RefusedError as error:
            if not error.again or time.monotonic() + _AGAIN_S > deadline:
                raise
            time.sleep(_AGAIN_S)


def fault_texts(answer: dict[str, Any]) -> list[str]:
    """What keeps the agent from metering as it should, one sentence each."""
    return [str(fault["text"]) for fault in answer.get("faults") or ()]
