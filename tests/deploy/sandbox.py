"""Processes kept apart as containers are: own network, PIDs, host name, and a read-only root.

Needs root. Everything is made of unshare, nsenter and setpriv, and ends with the process that
holds the namespaces.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PATIENCE_S = 60.0


def require_root() -> None:
    """Skip where namespaces cannot be made; a failure with CI=true."""
    if os.geteuid() != 0:
        reason = "only root may make namespaces of PIDs and mounts"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


class Network:
    """A network of its own with loopback, in which ``hosts`` are names of 127.0.0.1."""

    def __init__(self, folder: Path, hosts: Sequence[str]) -> None:
        names = folder / "hosts"
        names.write_text(f"127.0.0.1 localhost {' '.join(hosts)}\n")
        script = (
            "ip link set lo up && mount --make-rprivate / && "
            f"mount --bind {shlex.quote(str(names))} /etc/hosts && echo up && exec sleep infinity"
        )
        self._holder = subprocess.Popen(
            ["unshare", "--net", "--mount", "sh", "-c", script],
            stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == "up\n"

    @property
    def inside(self) -> list[str]:
        """The words before a command that make it run in this network."""
        return ["nsenter", "--target", str(self._holder.pid), "--net", "--mount"]

    def close(self) -> None:
        assert self._holder.stdout is not None
        self._holder.stdout.close()
        self._holder.kill()
        self._holder.wait(PATIENCE_S)


def contained(
    words: Sequence[str],
    *,
    writable: Sequence[Path] = (),
    shown: Sequence[Path] = (),
    hidden: Sequence[Path] = (),
    user: int,
    host: str = "box",
    beside: int | None = None,
) -> list[str]:
    """The command of a container's process: PID 1 of its namespace, with a read-only root.

    ``writable`` folders stay so; ``shown`` ones, and Python's own, can be read wherever they lie;
    ``hidden`` ones are empty. ``user`` is uid and gid. With ``beside`` it is no first process, but
    shares the PIDs of that one.
    """
    lines = ["set -e", "mount --make-rprivate /", f"hostname {shlex.quote(host)}"]
    lines += _showing([Path(sys.base_prefix), *shown])
    for folder in writable:
        quoted = shlex.quote(str(folder))
        lines.append(f"mount --bind {quoted} {quoted}")
    lines += [f"mount -t tmpfs -o ro none {shlex.quote(str(folder))}" for folder in hidden]
    lines.append("mount -o remount,bind,ro /")
    who = f"--reuid {user} --regid {user} --clear-groups --bounding-set=-all"
    lines.append(f'exec setpriv {who} --no-new-privs -- "$@"')
    apart = ["unshare", "--mount", "--uts", "--ipc", "--mount-proc"]
    if beside is None:
        apart += ["--pid", "--fork"]
    else:
        apart = ["nsenter", "--target", str(beside), "--pid", *apart]
    return [*apart, "sh", "-c", "\n".join(lines), "sh", *words]


def _showing(paths: Sequence[Path]) -> list[str]:
    """Mounts that let everybody reach folders below one that is for its owner alone."""
    lines = ["mount -t tmpfs none /mnt"]
    closed: dict[Path, list[tuple[str, str]]] = {}
    for number, path in enumerate(paths):
        walls = [each for each in reversed(path.parents) if not each.stat().st_mode & 0o001]
        if walls:
            aside = f"/mnt/{number}"
            closed.setdefault(walls[0], []).append((aside, shlex.quote(str(path))))
            lines.append(f"mkdir {aside} && mount --bind {shlex.quote(str(path))} {aside}")
    for wall, found in closed.items():
        lines.append(f"mount -t tmpfs -o mode=755 none {shlex.quote(str(wall))}")
        lines += [f"mkdir -p {place} && mount --bind {aside} {place}" for aside, place in found]
    return lines


class Process:
    """A contained process and its log."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], folder: Path, name: str
    ) -> None:
        self.log = folder / f"{name}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command, env=dict(environment), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def wait(self) -> int:
        return self.process.wait(PATIENCE_S)

    def stop(self) -> int:
        """As a container's runtime stops it: SIGTERM to its first process."""
        first = first_process(self.process.pid)
        if self.process.poll() is None and first is not None:
            os.kill(first, signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        """All of it at once: its namespace ends with its first process."""
        first = first_process(self.process.pid)
        if self.process.poll() is None:
            os.kill(first or self.process.pid, signal.SIGKILL)
        self.wait()


def first_process(holder: int) -> int | None:
    """PID, as we count, of the contained process that ``holder`` forked."""
    found = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(holder)], capture_output=True, text=True
    )
    children = found.stdout.split()
    return int(children[0]) if children else None
