"""Whose a process is: by its parents up to a run's own process, else by its control group.

NVML numbers processes as the host does. Where we live in a PID namespace of our own, that can
be another process here, or none; see :attr:`Kin.sure`.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

K = TypeVar("K")
T = TypeVar("T")

_HOST_NAMESPACE = "pid:[4026531836]"  # a constant of the kernel
_START_FIELD = 22 - 3  # of /proc/PID/stat, counted behind the name
_PARENT_FIELD = 4 - 3
_MOST_PARENTS = 64
_MOST_KNOWN = 4_096
_CONTAINER = re.compile(
    r".*/(?:(?:docker|libpod|crio|cri-containerd|nerdctl)-)?[0-9a-f]{64}(?:\.scope)?(?=/|$)"
)
_SLURM_JOB = re.compile(r".*?slurm.*?/job_\d+(?=/|$)")
_RUN = re.compile(r".*/run-[^/]+\.(?:scope|service)")


class Stranger(Enum):
    """A process that is no run's."""

    OTHER = "other"  # it can be seen, and belongs to none
    UNSEEN = "unseen"  # there is no such process here


@dataclass(frozen=True, slots=True)
class Root:
    """A process that all of a run's hang under, by PID and, as those come again, its start."""

    run_id: str
    pid: int
    start: int


class Kin:
    """Finds the run of a process; once found, it stays so when the parents end.

    ``roots`` are of the runs that live now, with PIDs as this process counts them.
    """

    def __init__(self, roots: Callable[[], Iterable[Root]], proc: Path = Path("/proc")) -> None:
        self._all_roots = roots
        self._proc = proc
        self._depth = len(self._namespaces("self")) or 1
        self._known: dict[tuple[int, int], str] = {}
        self._last: dict[int, str | Stranger] = {}  # what was last said of a PID
        self._roots: dict[int, Root] = {}
        self._groups: dict[str, str] = {}
        self._seen: tuple[Root, ...] | None = None
        self.refresh()

    @property
    def sure(self) -> bool:
        """Whether /proc numbers processes as the host does, so that NVML's PIDs are its PIDs."""
        try:
            name = "self" if self._depth == 1 else "1"
            return str((self._proc / name / "ns" / "pid").readlink()) == _HOST_NAMESPACE
        except OSError:
            return False

    def of(self, pid: int) -> str | Stranger:
        """The run of a process as NVML numbers it; of one that has ended, what was said of it.

        See :meth:`refresh`.
        """
        found = self._of_living(pid)
        if found is Stranger.UNSEEN:
            return self._last.get(pid, found)
        if len(self._last) >= _MOST_KNOWN:
            self._last.clear()
        self._last[pid] = found
        return found

    def inside(self, run_id: str) -> bool:
        """Whether a process that a run's hang under is in a PID namespace below ours."""
        return any(
            root.run_id == run_id and len(self._namespaces(str(pid))) > self._depth
            for pid, root in self._roots.items()
        )

    def _of_living(self, pid: int) -> str | Stranger:
        path: list[tuple[int, int]] = []
        run_id = self._by_parents(pid, path)
        if not path and run_id is None:
            return Stranger.UNSEEN
        if run_id is None:
            run_id = self._groups.get(own_group(self._group(pid)) or "")
        if run_id is None:
            return Stranger.OTHER
        self._known.update(dict.fromkeys(path, run_id))
        return run_id

    def _by_parents(self, pid: int, path: list[tuple[int, int]]) -> str | None:
        while pid > 1 and len(path) < _MOST_PARENTS:
            found = self._stat(pid)
            if found is None:
                return None
            parent, start = found
            root = self._roots.get(pid)
            if root is not None and root.start == start:
                return root.run_id
            if (pid, start) in self._known:
                return self._known[pid, start]
            path.append((pid, start))
            pid = parent
        return None

    def refresh(self) -> None:
        """Take the roots of now; a process, or a group, that two runs name is neither's."""
        roots = tuple(self._all_roots())
        if roots == self._seen:
            return
        self._seen = roots
        live = {root.run_id for root in roots}
        known = self._known.items() if len(self._known) < _MOST_KNOWN else ()
        self._known = {key: run_id for key, run_id in known if run_id in live}
        numbers = self._numbers({root.pid for root in roots})
        here = [(numbers[root.pid], root) for root in roots if root.pid in numbers]
        self._roots = _of_one({(pid, root.run_id): root for pid, root in here})
        groups = {
            (group, root.run_id): root.run_id
            for pid, root in here
            if (group := own_group(self._group(pid))) is not None
        }
        self._groups = _of_one(groups)
        self._groups.pop(own_group(self._group("self")) or "", None)

    def _numbers(self, pids: set[int]) -> dict[int, int]:
        """What /proc calls our PIDs: the same, unless it is that of a namespace around ours."""
        if self._depth == 1:
            return {pid: pid for pid in pids}
        found = {}
        for entry in self._proc.iterdir():
            numbers = self._namespaces(entry.name) if entry.name.isdecimal() else []
            if len(numbers) >= self._depth and numbers[self._depth - 1] in pids:
                found[numbers[self._depth - 1]] = numbers[0]
        return found

    def _stat(self, pid: int) -> tuple[int, int] | None:
        """Parent and start of a process that is alive."""
        try:
            fields = self._text(pid, "stat").rpartition(")")[2].split()
            return int(fields[_PARENT_FIELD]), int(fields[_START_FIELD])
        except (OSError, ValueError, IndexError):
            return None

    def _group(self, pid: int | str) -> str:
        try:
            return group_of(self._text(pid, "cgroup"))
        except OSError:
            return ""

    def _namespaces(self, pid: str) -> list[int]:
        """Numbers of a process from the namespace of /proc down to its own."""
        try:
            lines = self._text(pid, "status").splitlines()
            return [int(n) for line in lines if line.startswith("NSpid:") for n in line.split()[1:]]
        except (OSError, ValueError):
            return []

    def _text(self, pid: int | str, name: str) -> str:
        return (self._proc / str(pid) / name).read_text(encoding="utf-8", errors="replace")


def _of_one(found: Mapping[tuple[K, str], T]) -> dict[K, T]:
    """By key, what a single run has there."""
    times = Counter(key for key, _ in found)
    return {key: one for (key, _), one in found.items() if times[key] == 1}


def group_of(text: str) -> str:
    """The path in /proc/PID/cgroup: of the one hierarchy, else of the first that has one."""
    paths = {}
    for line in text.splitlines():
        number, _, rest = line.partition(":")
        paths[number] = rest.partition(":")[2]
    deep = [path for path in paths.values() if path not in ("", "/")]
    whole = paths.get("0", "")
    return whole if whole not in ("", "/") else (deep or [""])[0]


def own_group(path: str) -> str | None:
    """The control group that one job has for itself: a Slurm job, a container, `systemd-run`'s.

    Known by the id in its name. None for groups that others share: a login session, a terminal,
    an editor, a service, the daemon of containers.
    """
    found = _SLURM_JOB.match(path) or _CONTAINER.match(path) or _RUN.fullmatch(path)
    return found[0] if found else None
