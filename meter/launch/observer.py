"""The process beside a job that was started by ``meter exec``."""

from __future__ import annotations

import json
import os
import socket
import time

from meter.environment import Environment
from meter.errors import MeterError
from meter.launch import begin, closing
from meter.launch.options import Options
from meter.launch.say import say
from meter.launch.spawn import spawn_agent
from meter.launch.summary_file import SummaryFile
from meter.launch.watched import end_of_watched

TYPE_CHECKING = False  # `typing` would be paid by each job's start
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

_ORDER_FD = 3


def main(arguments: Sequence[str]) -> int:
    """Take the order from descriptor 3, watch the job until it ends; 0."""
    del arguments
    with socket.socket(fileno=_ORDER_FD) as orders:
        orders.set_inheritable(False)
        order = json.loads(orders.makefile("rb").readline())
        job = os.pidfd_open(order["pid"])
        options = _options(order)
        environment = Environment.of_process()
        file = None if options.summary_json is None else SummaryFile(options.summary_json)
        if file is not None:
            file.clear()
        said: list[str] = []
        link = begin.link_for(
            options,
            environment,
            os.getpid(),  # whose end means that nobody will tell the run's
            nested_over=order["nested_over"],
            tell=said.append,
            spawn=spawn_agent,
        )
        link.spec["job_pid"] = order["pid"]  # it is not under us
        try:
            notes = begin.open_run(link, options, order["deadline"])
        except MeterError as error:
            flags = bool(getattr(error, "flags", False))
            _tell(orders, {"error": str(error), "flags": flags, "say": said})
            return 0
        link.begins(time.clock_gettime_ns(time.CLOCK_BOOTTIME), time.time_ns() // 1_000)
        _tell(orders, {"run": link.spec["id"], "socket": link.socket, "say": said})
    link.keep(job, lambda: end_of_watched(job, options.linger_s), live=False)
    closing.show(link, options, file, notes)
    for line in said[len(said) :]:
        say(line)
    return 0


def _options(order: dict[str, Any]) -> Options:
    options = Options(order["mode"])
    for name in set(Options.__slots__) & set(order):
        setattr(options, name, order[name])
    return options


def _tell(orders: socket.socket, answer: dict[str, Any]) -> None:
    try:
        orders.sendall(json.dumps(answer).encode() + b"\n")
    except OSError:
        return  # the job did not wait any longer
