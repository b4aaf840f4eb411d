"""Which launchers live, and how those that have left ended.

By pidfd, and across a restart of ours by PID and start time.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from meter.agent.kin import Root
from meter.agent.runs import Outcome
from meter.model import RunStatus
from meter.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterable

_STARTTIME_FIELD = 22 - 3  # of /proc/PID/stat, counted behind the name

_ENDED = "ZX"  # states


@dataclass(frozen=True, slots=True)
class Launcher:
    """A process by its PID and, because PIDs come again, its start in clock ticks."""

    pid: int
    start: int


class Launchers:
    """The launchers of live runs; the file tells a restarted agent of them."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._runs: dict[str, dict[int, Launcher]] = {}
        self._fds: dict[tuple[str, int], int] = {}
        self._told: set[tuple[str, int]] = set()
        self._adopted: dict[str, dict[Launcher, int | None]] = {}  # with the launcher's PID
        self._worst: dict[str, Outcome] = {}
        self._latest: dict[str, int] = {}

    def recall(self) -> dict[str, list[int]]:
        """Runs that may live on: with the launchers that still live, or with none to watch."""
        try:
            rows = json.loads(self._path.read_text(encoding="utf-8"))
            noted = {run: [Launcher(*one) for one in row["launchers"]] for run, row in rows.items()}
            worst = {run: row["worst"] for run, row in rows.items() if row["worst"] is not None}
            self._worst = {run: Outcome(RunStatus(how), code) for run, (how, code) in worst.items()}
            self._latest = {run: int(row.get("latest_ns", 0)) for run, row in rows.items()}
        except (OSError, ValueError, TypeError, AttributeError, KeyError):
            return {}
        found = {
            run: [each.pid for each in launchers if _start_of(each.pid) == each.start]
            for run, launchers in noted.items()
        }
        return {run: pids for run, pids in found.items() if pids or not noted[run]}

    def watch(self, run_id: str, pid: int) -> bool:
        """Watch a launcher of a run; False if there is no such process."""
        start = _start_of(pid)
        if start is None:
            return False
        self._runs.setdefault(run_id, {})[pid] = Launcher(pid, start)
        if (run_id, pid) not in self._fds:
            with contextlib.suppress(OSError):  # no pidfd here: looked at by its start time
                self._fds[run_id, pid] = os.pidfd_open(pid)
        self._save()
        return True

    def note(self, run_id: str) -> None:
        """A run that nobody is to be watched for: it lives until it is told to end."""
        self._runs.setdefault(run_id, {})
        self._save()

    def leave(self, run_id: str, pid: int, outcome: Outcome, ended_ns: int) -> bool:
        """A launcher's part has ended, CLOCK_BOOTTIME; True if others of the run are left."""
        for job, launcher_pid in self._adopted.get(run_id, {}).items():
            if launcher_pid == pid:  # watched in the launcher's place
                self._drop(run_id, job.pid)
        self._drop(run_id, pid)
        self._worst[run_id] = outcome.after(self._worst.get(run_id))
        self._latest[run_id] = self.ended_ns(run_id, ended_ns)
        self._save()
        return run_id in self._runs

    def outcome(self, run_id: str, last: Outcome) -> Outcome:
        """How a run ended whose last launcher ended so."""
        return last.after(self._worst.get(run_id))

    def ended_ns(self, run_id: str, ended_ns: int) -> int:
        """When a run ended of which a part ended then: with the last of its parts."""
        return max(ended_ns, self._latest.get(run_id, 0))

    def forget(self, run_id: str) -> None:
        """The run is over."""
        for pid in list(self._runs.get(run_id, ())):
            self._drop(run_id, pid)
        self._runs.pop(run_id, None)
        self._adopted.pop(run_id, None)
        self._worst.pop(run_id, None)
        self._latest.pop(run_id, None)
        self._save()

    def filenos(self) -> list[int]:
        """Descriptors that become readable when a launcher ends."""
        return list(self._fds.values())

    def gone(self) -> list[tuple[str, int]]:
        """Runs and PIDs of launchers that have ended since they were last asked for."""
        ended = readable(self._fds.values())
        found = []
        for run_id, launchers in self._runs.items():
            for pid, launcher in launchers.items():
                fd = self._fds.get((run_id, pid))
                if fd in ended if fd is not None else _start_of(pid) != launcher.start:
                    found.append((run_id, pid))
        for run_id, pid in found:
            self._unwatch(run_id, pid)
        fresh = [each for each in found if each not in self._told]
        self._told.update(fresh)
        return fresh

    def adopt(self, run_id: str, pid: int, launcher_pid: int | None = None) -> None:
        """A process that a run's processes hang under, though its launcher is watched instead."""
        start = _start_of(pid)
        if start is not None:
            self._adopted.setdefault(run_id, {})[Launcher(pid, start)] = launcher_pid

    def hand_over(self, run_id: str, pid: int) -> bool:
        """A launcher has gone: watch the job that outlives it instead; False if none does."""
        left = False
        for job, launcher_pid in self._adopted.get(run_id, {}).items():
            if launcher_pid == pid and _start_of(job.pid) == job.start:
                left = self.watch(run_id, job.pid) or left
        if left:
            self._drop(run_id, pid)
            self._save()
        return left

    def outlived(self, run_id: str, pid: int) -> bool:
        """Whether a process is a job that was watched in its launcher's place."""
        return any(job.pid == pid for job in self._adopted.get(run_id, ()))

    def roots(self) -> list[Root]:
        """What processes of live runs hang under: their launchers, and what was adopted."""
        return [
            Root(run_id, each.pid, each.start)
            for run_id, launchers in list(self._runs.items())
            for each in (*launchers.values(), *self._adopted.get(run_id, ()))
        ]

    def close(self) -> None:
        """Let go of every launcher; the file stays for the next agent."""
        for fd in self._fds.values():
            os.close(fd)
        self._fds.clear()

    def _unwatch(self, run_id: str, pid: int) -> None:
        fd = self._fds.pop((run_id, pid), None)
        if fd is not None:
            os.close(fd)

    def _drop(self, run_id: str, pid: int) -> None:
        self._unwatch(run_id, pid)
        self._told.discard((run_id, pid))
        launchers = self._runs.get(run_id, {})
        launchers.pop(pid, None)
        if not launchers:
            self._runs.pop(run_id, None)

    def _save(self) -> None:
        rows = {
            run: {
                "launchers": [(each.pid, each.start) for each in launchers.values()],
                "worst": None if worst is None else (worst.status, worst.exit_code),
                "latest_ns": self._latest.get(run, 0),
            }
            for run, launchers in self._runs.items()
            for worst in (self._worst.get(run),)
        }
        fresh = self._path.with_name(self._path.name + ".new")
        with contextlib.suppress(OSError):  # then a restart waits for the launcher's own word
            fresh.write_text(json.dumps(rows), encoding="utf-8")
            fresh.replace(self._path)


def same_namespace(pid: int) -> bool:
    """Whether a process counts PIDs as this one does; False if that cannot be seen."""
    try:
        return Path(f"/proc/{pid}/ns/pid").readlink() == Path("/proc/self/ns/pid").readlink()
    except OSError:
        return False


def watched_pid(given: int | None, peer: int | None) -> int | None:
    """The process whose end ends a run: the PID that was given, if it means the same here."""
    if given is None or not peer:
        return None
    return given if given == peer or same_namespace(peer) else peer


def began_ns(pid: int) -> int | None:
    """When a process began, CLOCK_BOOTTIME of this node; None if that cannot be seen."""
    start = _start_of(pid)
    return None if start is None else start * NS_PER_S // os.sysconf("SC_CLK_TCK")


def ran(pid: int, at_ns: int) -> bool:
    """Whether a process was there at an instant, as far as can be seen: PIDs come again."""
    began = began_ns(pid)
    return began is not None and began <= at_ns + NS_PER_S


def has_ended(pid: int) -> bool:
    """Whether a process is known to be no more; one that is hidden from us may live."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    fields = _stat_of(pid)
    return bool(fields) and fields[0] in _ENDED


def _start_of(pid: int) -> int | None:
    fields = _stat_of(pid)
    try:
        return None if fields[0] in _ENDED else int(fields[_STARTTIME_FIELD])
    except (ValueError, IndexError):
        return None


def _stat_of(pid: int) -> list[str]:
    """What the kernel tells of a process from its state on; nothing if that cannot be seen."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()


def readable(fds: Iterable[int]) -> set[int]:
    """Those of the descriptors that are readable now."""
    poll = select.poll()
    for fd in fds:
        poll.register(fd, select.POLLIN)
    return {fd for fd, _ in poll.poll(0)}
