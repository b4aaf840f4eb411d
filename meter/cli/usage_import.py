"""Usage of a file, told to an agent or written to the ledger's file; each fault with its line."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

from meter.cli import usage_lines
from meter.model import Outcome
from meter.usage_intake import INVALID, answers, durable, events_of
from meter.usage_records import record_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
    from concurrent.futures import Future

    from meter.cli.writes import FileWrites
    from meter.hosted.jsonl import Line
    from meter.ledger import Ledger
    from meter.usage_records import Record

    Ask = Callable[[Sequence[object]], list[dict[str, Any]]]

FAULTS_KEPT = 1_000
"""Faults that are told by line; beyond, they are counted."""
_ASKED = 5_000  # of an agent at once
_ASKED_BYTES = 4 << 20
_COMMITTED = 5_000  # lines of a commit: more hold more memory, fewer take longer
_COMMITTED_CHARS = 4 << 20


@dataclass
class Told:
    """What became of what was told so far; each fault with its line."""

    stored: int = 0
    duplicate: int = 0
    unused: int = 0  # requests that failed
    conflict: int = 0
    invalid: int = 0
    faults: list[dict[str, Any]] = field(default_factory=list)  # the first, as many as are kept
    all_faults: int = 0

    def add(self, answer: dict[str, Any], line: int | None) -> None:
        """Add an answer to what stood in a line."""
        self.count(answer["status"])
        if answer["status"] in {"conflict", "invalid"}:
            self._keep({"line": line, **answer})

    def add_wrong(self, reason: Mapping[str, Any], line: int | None) -> None:
        """Add a line that is wrong, or what is wrong with the whole file."""
        self.invalid += line is not None
        self._keep({"line": line, **reason})

    def _keep(self, fault: dict[str, Any]) -> None:
        """Keep so many: a file may be wrong in every line, and of any length."""
        self.all_faults += 1
        if len(self.faults) < FAULTS_KEPT:
            self.faults.append(fault)

    def count(self, status: str, times: int = 1) -> None:
        """Add so many answers."""
        setattr(self, status, getattr(self, status) + times)

    @property
    def done(self) -> int:
        """How many were answered."""
        return self.stored + self.duplicate + self.unused + self.conflict + self.invalid


def by_agent(file: IO[bytes], said: Mapping[str, str], ask: Ask, told: Told) -> Generator[None]:
    """Ask an agent to take the lines of a file, some at once."""
    lines = usage_lines.Lines(file)
    for part in _parts(lines, told):
        values = [usage_lines.event(line.value, said) for line in part]
        for line, answer in zip(part, ask(values), strict=True):
            told.add(answer, line.number)
            if answer["status"] == INVALID:
                lines.vain(line)
        yield


def _parts(lines: usage_lines.Lines, told: Told) -> Iterator[list[Line]]:
    part: list[Line] = []
    size = 0
    for line in lines:
        if line.fault is not None:
            told.add_wrong({"reason": str(line.fault)}, line.number or None)
            continue
        part.append(line)
        size += line.end - line.start
        if len(part) >= _ASKED or size >= _ASKED_BYTES:
            yield part
            part, size = [], 0
    if part:
        yield part


def to_file(
    target: FileWrites, file: IO[bytes], said: Mapping[str, str], told: Told
) -> Generator[None]:
    """Write the lines of a file to the ledger, some in a commit, while the next ones are read."""
    ledger = target.ledger
    written: deque[tuple[list[Record], Future[tuple[Outcome, ...]] | None]] = deque()
    with usage_lines.records(file, said, target.config.project) as found:
        for part in _commits(found):
            events = events_of(part)
            written.append((part, ledger.take_entries(events) if events else None))
            if len(written) > 1:
                _settle(ledger, *written.popleft(), told)
                yield
    while written:
        _settle(ledger, *written.popleft(), told)
        yield


def _commits(texts: Iterable[str]) -> Iterator[list[Record]]:
    """Records that are written in one commit."""
    part: list[Record] = []
    size = 0
    for text in texts:
        part.append(record_of(text))
        size += len(text)
        if len(part) >= _COMMITTED or size >= _COMMITTED_CHARS:
            yield part
            part, size = [], 0
    if part:
        yield part


def _settle(
    ledger: Ledger, part: list[Record], written: Future[tuple[Outcome, ...]] | None, told: Told
) -> None:
    """Count what became of a part, once it is durable."""
    outcomes = () if written is None else durable(ledger, written)
    if all(len(one.entries) == 1 for one in part) and Outcome.CONFLICT not in outcomes:
        for outcome, times in Counter(outcomes).items():
            told.count(outcome, times)
        return
    for one, answer in zip(part, answers(ledger, part, outcomes), strict=True):
        if one.wrong is None:
            told.add(answer.json(), one.line)
        else:
            told.add_wrong(one.wrong, one.line)
