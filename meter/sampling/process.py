"""The sampler: the one process that asks the sensors, and sends what they say down a pipe."""

from __future__ import annotations

import gc
import os
import signal
import time
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any

from meter.sampling.frames import Hello, encode_batch, encode_hello
from meter.sampling.looker import Looker
from meter.sampling.pipe import Pipe, PipeClosedError
from meter.sampling.roster import Roster

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from meter.sampling.source import Source

FLUSH_NS = 500_000_000
STATUS_NS = 1_000_000_000
LULL_NS = 4_000_000  # what is not urgent waits for a pause between looks of this length ...
PATIENCE_NS = 200_000_000  # ... but not for longer than this
MAX_SLEEP_NS = 100_000_000  # a signal is noticed that soon


boottime_ns = partial(time.clock_gettime_ns, time.CLOCK_BOOTTIME)
"""CLOCK_BOOTTIME in ns."""


class Sampler:
    """Looks, and sends a frame at least every 0.5 s, until told to stop or the pipe closes."""

    def __init__(
        self,
        pipe: Pipe,
        boot_id: str,
        clock: Callable[[], int] = boottime_ns,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._pipe = pipe
        self._boot_id = boot_id
        self._clock = clock
        self._sleep = sleep
        self._looker = Looker(clock)
        self._roster = Roster((), self._looker, clock)
        self._chores: deque[Callable[[], None]] = deque()
        self._chore_ns = 0
        self._flush_ns = self._status_ns = 0
        self._dropped = 0
        self._stopping = False

    def stop(self) -> None:
        """End :meth:`run` soon; may be called by a signal handler."""
        self._stopping = True

    def run(self, *makers: Callable[[], list[Source]]) -> None:
        """Meter until stopped.

        ``makers`` make the sources; the first one's are opened and looked at before the others
        are even made, so that the first reading comes soon.
        """
        try:
            for make in makers:
                for source in make():
                    self._roster.add(source)
                self._roster.refresh()
                self._looker.look_due()
                self._flush()
            gc.freeze()  # what was loaded stays
            gc.enable()
            while not self._stopping:
                self._step()
        except PipeClosedError:
            return  # the agent is gone, and with it the reason to be
        finally:
            self._roster.close()

    def _step(self) -> None:
        now = self._clock()
        wake = min(self._looker.wake_ns(), now + MAX_SLEEP_NS)
        if now >= self._chore_ns and (wake - now > LULL_NS or now > self._flush_ns + PATIENCE_NS):
            self._do_chore(now)
            now = self._clock()
        if wake > now:
            self._sleep((wake - now) / 1e9)
        self._looker.look_due()

    def _do_chore(self, now: int) -> None:
        """What is not urgent: one thing in each lull between looks."""
        if now >= self._flush_ns:
            self._roster.refresh()
            self._flush()
        elif self._chores:
            self._chores.popleft()()
        elif now >= self._status_ns:
            self._status_ns = now + STATUS_NS
            self._plan_chores(now)
        self._chore_ns = 0 if self._chores else min(self._flush_ns, self._status_ns)

    def _plan_chores(self, now: int) -> None:
        """Gauges of each device, and at times its processes: one call in each lull."""
        looker = self._looker
        self._chores.extend(partial(looker.look_status, each) for each in looker.device_ids)
        if due := looker.due_processes(now):
            self._chores.append(partial(looker.look_processes, due))

    def _flush(self) -> None:
        frames = b""
        if self._roster.changed:
            self._roster.changed = False
            frames = encode_hello(
                Hello(
                    self._roster.devices,
                    self._roster.reasons,
                    self._roster.driver_version,
                    self._boot_id,
                    os.getpid(),
                )
            )
        dropped = self._pipe.dropped - self._dropped
        self._dropped += dropped
        self._pipe.send(frames + encode_batch(self._looker.drain(dropped)))
        self._flush_ns = self._clock() + FLUSH_NS


def gpu_sources(config: Mapping[str, Any]) -> list[Source]:
    """The source of GPUs: NVML, or what stands in for it."""
    if config.get("simulate"):
        from meter.sampling.simulated import Simulated  # noqa: PLC0415 - only what is used is loaded

        return [Simulated(config["simulate"], boottime_ns)]
    if config.get("replay"):
        from pathlib import Path  # noqa: PLC0415 - as above

        from meter.sampling.replay import Replay  # noqa: PLC0415 - only what is used is loaded

        return [Replay(Path(config["replay"]), boottime_ns)]
    from meter.sampling.nvml import Nvml  # noqa: PLC0415 - only what is used is loaded

    return [Nvml(boottime_ns)]


def host_sources(config: Mapping[str, Any]) -> list[Source]:
    """CPU and RAM, measured where the kernel shows them, else modelled."""
    if not config.get("host", True):
        return []
    from pathlib import Path  # noqa: PLC0415 - as above

    from meter.sampling.host import Host  # noqa: PLC0415 - only what is used is loaded
    from meter.sampling.rapl import Rapl  # noqa: PLC0415 - only what is used is loaded

    powercap = Path(config.get("powercap", "/sys/class/powercap"))
    rapl = Rapl(powercap, boottime_ns)
    return [rapl, Host(Path(config.get("proc", "/proc")), measured=rapl.components)]


def run(fd: int, config: Mapping[str, Any]) -> None:
    """Meter into a pipe until SIGTERM, or until nobody reads it."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:  # noqa: PTH123 - pathlib would delay the first reading
        boot_id = file.read().strip()
    sampler = Sampler(Pipe(fd), boot_id)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: sampler.stop())
    sampler.run(lambda: gpu_sources(config), lambda: host_sources(config))
