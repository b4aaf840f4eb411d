"""How jobs ended whose launchers found no agent to tell it; read from beside the socket.

A word counts for the launcher that left it, by PID and run, in this boot and from our own user.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from meter.agent.launchers import has_ended
from meter.agent.runs import Outcome
from meter.launch.last_word import SUFFIX
from meter.model import RunStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_MOST_BYTES = 4_096
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Word:
    """The end of a launcher's part of a run, CLOCK_BOOTTIME."""

    run_id: str
    pid: int
    outcome: Outcome
    ended_ns: int


class LastWords:
    """The words beside a socket; ``boot_id`` is this boot's."""

    def __init__(self, socket: Path, boot_id: str) -> None:
        self._socket = socket
        self._boot_id = boot_id

    def all(self) -> list[Word]:
        """Every word that is left; files that are none of ours, or of another boot, are none."""
        names = self._socket.parent.glob(f"{self._socket.name}.*{SUFFIX}")
        found = [self._read(name) for name in sorted(names)]
        return [word for word in found if word is not None]

    def of(self, run_id: str, pid: int) -> Word | None:
        """What a launcher left of its run."""
        word = self._read(self._name(pid))
        return word if word is not None and word.run_id == run_id else None

    @property
    def awaits(self) -> bool:
        """Whether a launcher still waits to be told of its run, and may come at any moment."""
        return any(not has_ended(word.pid) for word in self.all())

    def drop(self, words: Iterable[Word]) -> None:
        """They are taken: remove those whose launchers have gone; the others do it themselves."""
        for word in words:
            if has_ended(word.pid):
                with contextlib.suppress(OSError):
                    self._name(word.pid).unlink()

    def _name(self, pid: int) -> Path:
        return self._socket.with_name(f"{self._socket.name}.{pid}{SUFFIX}")

    def _read(self, name: Path) -> Word | None:
        try:
            row = json.loads(_text(name))
            if row["boot"] != self._boot_id or name != self._name(int(row["pid"])):
                return None
            code = row["exit_code"]
            outcome = Outcome(RunStatus(row["status"]), None if code is None else int(code))
            return Word(str(row["run"]), int(row["pid"]), outcome, int(row["ended_ns"]))
        except (OSError, ValueError, TypeError, KeyError):  # then its launcher just vanished
            return None


def with_words(alive: Mapping[str, list[int]], words: Iterable[Word]) -> dict[str, list[int]]:
    """Runs to be taken up: those that live, and those of which only the end is to be told."""
    return {**{word.run_id: [] for word in words}, **alive}


def _text(name: Path) -> bytes:
    fd = os.open(name, _OPEN)
    try:
        about = os.fstat(fd)
        if not stat.S_ISREG(about.st_mode) or about.st_uid != os.getuid():
            return b""
        return os.read(fd, _MOST_BYTES)
    finally:
        os.close(fd)
