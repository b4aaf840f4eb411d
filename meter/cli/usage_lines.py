"""A file of usage, line by line, in this process or, if it is long, read by a second one.

Reading takes as long as storing. Whoever reads is told where to stop by a full pipe, so memory
stays that of some thousand events.
"""

from __future__ import annotations

import gzip
import json
import os
import signal
import stat
import subprocess
import sys
import time
import zlib
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from meter.cli.unpacking import Unpacked
from meter.cli.usage_opening import one_a_line
from meter.errors import LimitError, UsageError
from meter.hosted.jsonl import Line
from meter.hosted.reading import BESIDE
from meter.usage_entries import entry
from meter.usage_intake import invalid, usage_of
from meter.usage_records import events_text, wrong_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

APART_BYTES = 4 << 20
"""A file of as much is read by a second process."""
_GZIP = b"\x1f\x8b"
_PIPE_BYTES = 1 << 20  # as much as may wait while the ledger is written
_PIECE_BYTES = 1 << 16
_AT_ONCE = 200  # lines written to the pipe


class Lines:
    """The lines of a file, unpacked where it begins like gzip; the last may say why no more came.

    That one has the number 0. A gzip is read for as long as something comes of it: whoever takes
    the lines tells by ``vain`` of which nothing did.
    """

    def __init__(self, file: IO[bytes]) -> None:
        peek = getattr(file, "peek", None)
        packed = peek is not None and peek(2)[:2] == _GZIP
        self._file = file
        self._unpacked = Unpacked(file) if packed else None

    def __iter__(self) -> Iterator[Line]:
        if self._unpacked is None:
            yield from one_a_line(self._file)
            return
        try:
            for line in one_a_line(self._unpacked):
                if line.fault is None:
                    self._unpacked.used(line.end - line.start)
                yield line
        except LimitError as error:
            yield Line(0, 0, 0, fault=error)
        except (gzip.BadGzipFile, zlib.error, EOFError) as error:
            wrong = UsageError(f"the gzip is broken or cut off ({error})")
            yield Line(0, 0, 0, fault=wrong)

    def vain(self, line: Line) -> None:
        """Nothing came of a line, though it is JSON."""
        if self._unpacked is not None:
            self._unpacked.vain(line.end - line.start)


def event(value: object, said: Mapping[str, str]) -> object:
    """The value of a line, with what the command line says beside it."""
    if not isinstance(value, dict) or not said:
        return value
    if "meter" in value or ("response" in value and value.keys() <= BESIDE):
        return {**said, **value}
    return {**said, "response": value}


def texts(file: IO[bytes], said: Mapping[str, str], project: str | None) -> Iterator[str]:
    """The records of a file as texts; ``project`` pays for what names none."""
    taken = Lines(file)
    for line in taken:
        if line.fault is not None:
            yield wrong_text(line.number or None, {"reason": str(line.fault)})
            continue
        told = event(line.value, said)
        try:
            found = usage_of(told, time.time_ns() // 1_000, project)
        except UsageError as error:
            taken.vain(line)
            yield wrong_text(line.number, invalid(told, error).json())
        else:
            yield events_text(line.number, map(entry, found))


@contextmanager
def records(
    file: IO[bytes], said: Mapping[str, str], project: str | None, apart_bytes: int = APART_BYTES
) -> Iterator[Iterator[str]]:
    """The texts of a file's records. Raises UsageError where it could not be read to its end."""
    if not _is_long(file, apart_bytes):
        yield texts(file, said, project)
        return
    from meter.launch.spawn import python_command  # noqa: PLC0415 - only a long file needs it

    asked = json.dumps({"said": said, "project": project})
    command = python_command(__name__, [asked])
    with subprocess.Popen(
        command,
        stdin=file,
        stdout=subprocess.PIPE,
        pipesize=_PIPE_BYTES,
        process_group=0,  # Ctrl-C is for us, and we end the reader
    ) as reader:
        try:
            yield _told_by(reader)
        finally:
            reader.kill()


def _told_by(reader: subprocess.Popen[bytes]) -> Iterator[str]:
    assert reader.stdout is not None  # noqa: S101  it is a pipe
    begun = b""
    while piece := reader.stdout.read(_PIECE_BYTES):
        whole, end, rest = piece.rpartition(b"\n")
        if not end:
            begun += rest
            continue
        yield from (begun + whole).decode().split("\n")
        begun = rest
    if reader.wait():
        raise UsageError("the file could not be read to its end", "import it again")


def _is_long(file: IO[bytes], apart_bytes: int) -> bool:
    """Whether a second process is worth its start, and can read the file from its beginning."""
    try:
        found = os.fstat(file.fileno())
        begin = file.tell()
    except OSError:
        return False
    whole = stat.S_ISREG(found.st_mode) and begin == 0
    return whole and found.st_size >= apart_bytes and len(os.sched_getaffinity(0)) > 1


def main(arguments: list[str]) -> int:
    """Write the records of the file on stdin to stdout."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # nobody is left to write for
    asked = json.loads(arguments[0])
    part: list[str] = []
    for text in texts(sys.stdin.buffer, asked["said"], asked["project"]):
        part.append(text)
        if len(part) >= _AT_ONCE:
            _write(part)
            part = []
    _write(part)
    return 0


def _write(part: list[str]) -> None:
    sys.stdout.buffer.write("".join(f"{text}\n" for text in part).encode())
    sys.stdout.buffer.flush()
