"""DCGM's job map: a folder with a file for each GPU that lists the jobs on it.

A file is called by its GPU's index, ``0``, or by that and the MIG instance, ``0.2``; a line is a
job id. Slurm's prolog writes them.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from meter.model import Component, Notice, Severity

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from meter.model import Device
    from meter.sampling.identity import HoldShare

MOST_BYTES = 65_536
MOST_FILES = 1_024
_NAME = re.compile(r"(\d{1,4})(?:\.(\d{1,4}))?", re.ASCII)
_JOB = re.compile(r"[A-Za-z0-9_.+\[\]-]{1,64}", re.ASCII)
_SHOWN = 3
_READ_ONLY = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
"""Opens a pipe without waiting for its other end, and no link."""


@dataclass(frozen=True, slots=True)
class Mapped:
    """What the map says of a job: what it holds, and what of the map could not be read.

    ``others`` are the devices that it gives to other jobs.
    """

    holds: tuple[HoldShare, ...] = ()
    notices: tuple[Notice, ...] = ()
    others: frozenset[str] = frozenset()


class JobMap:
    """Reads the folder anew each time: the prolog has written it just before the job began."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def of(self, jobs: Collection[str], devices: Sequence[Device]) -> Mapped:
        """What is held by any of these jobs."""
        if not jobs:
            return Mapped()
        faults: list[str] = []
        texts = self._texts(faults)
        listed = {name: jobs_of(name, text, faults) for name, text in texts.items()}
        wanted = {name for name, found in listed.items() if found & set(jobs)}
        holds = holds_of(wanted, devices, faults)
        taken = holds_of((name for name, found in listed.items() if found - set(jobs)), devices, [])
        others = frozenset(device_id for device_id, _ in taken)
        return Mapped(holds, _told(self._folder, faults), others)

    def _texts(self, faults: list[str]) -> dict[str, str]:
        try:
            names = sorted(path.name for path in self._folder.iterdir())
        except OSError as error:
            faults.append(error.strerror or "it cannot be read")
            return {}
        if len(names) > MOST_FILES:
            faults.append(f"it holds more than {MOST_FILES} files")
        found = {}
        for name in names[:MOST_FILES]:
            if not _NAME.fullmatch(name):
                continue  # other files are nobody's business
            try:
                found[name] = self._text(name, faults)
            except OSError as error:
                faults.append(f"{name}: {error.strerror}")
        return found

    def _text(self, name: str, faults: list[str]) -> str:
        """What a file says; a link is not followed: the agent may read what its maker may not."""
        raw = _read(self._folder / name, MOST_BYTES + 1)
        if raw is None:
            faults.append(f"{name} is no file")
            return ""
        if len(raw) > MOST_BYTES:
            faults.append(f"{name} is longer than {MOST_BYTES} bytes")
            raw = raw[:MOST_BYTES].rpartition(b"\n")[0]
        return raw.decode("utf-8", errors="replace")


def _read(path: Path, most: int) -> bytes | None:
    """The first bytes of a file; None for what is none: a link, a folder, a pipe."""
    try:
        fd = os.open(path, _READ_ONLY)
    except OSError as error:
        if error.errno == errno.ELOOP:
            return None
        raise
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return None
        with os.fdopen(fd, "rb", closefd=False) as file:
            return file.read(most)
    finally:
        os.close(fd)


def jobs_of(name: str, text: str, faults: list[str]) -> set[str]:
    """The jobs that a file lists; lines that can be none are faults.

    Faults do not quote them: they reach documents and other users, and may be anything.
    """
    words = [line.strip() for line in text.split("\n")]
    wrong = [at for at, word in enumerate(words, 1) if word and not _JOB.fullmatch(word)]
    if wrong:
        faults.append(f"{name}: line {wrong[0]} is no job id")
    return {word for word in words if word and _JOB.fullmatch(word)}


def holds_of(
    names: Iterable[str], devices: Iterable[Device], faults: list[str]
) -> tuple[HoldShare, ...]:
    """The devices, with their shares, that such files are called by."""
    gpus = {gpu.index: gpu for gpu in devices if gpu.component is Component.GPU}
    shares: dict[str, Fraction] = {}
    for name in sorted(names):
        found = _share(name, gpus)
        if found is None:
            faults.append(f"{name}: there is no such GPU here")
        else:
            device_id, share = found
            shares[device_id] = min(Fraction(1), shares.get(device_id, Fraction(0)) + share)
    return tuple(shares.items())


def _share(name: str, gpus: Mapping[int | None, Device]) -> HoldShare | None:
    index, _, instance = name.partition(".")
    gpu = gpus.get(int(index))
    if gpu is None:
        return None
    if not instance:
        return gpu.id, Fraction(1)
    slices = [
        Fraction(each.slices, each.of_slices)
        for each in gpu.instances
        if each.gpu_instance == int(instance)
    ]
    return (gpu.id, min(Fraction(1), sum(slices, Fraction(0)))) if slices else None


def _told(folder: Path, faults: list[str]) -> tuple[Notice, ...]:
    if not faults:
        return ()
    more = f" and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
    text = (
        f"Of the job map in {ascii(str(folder))[1:-1]} something was left out: "
        f"{'; '.join(faults[:_SHOWN])}{more}."
    )
    return (Notice("job_map_unread", text, Severity.WARNING),)
