"""Jobs from what users have in files: one object, a list, a page of an API, or lines of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from meter.errors import UsageError
from meter.hosted.jobs.fields import entry_name
from meter.hosted.json_numbers import parsed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from meter.hosted.jobs.provider import Provider
    from meter.hosted_facts import HostedJob, Hosting

LINE_CHARS = 8 << 20
"""Longest line of JSONL: a job has some kB."""
TEXT_CHARS = 256 << 20
"""Longest file that is one JSON value."""

_PAGES = (
    "data", "jobs", "tuningJobs", "modelCustomizationJobSummaries", "supervisedFineTuningJobs",
    "dpoJobs", "reinforcementFineTuningJobs", "deployments", "value",
)  # fmt: skip
_NEXT = ("nextPageToken", "nextToken", "nextLink")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class ImportFault:
    """An entry that was not taken: its line in JSONL, else its place, both from 1.

    ``name`` is the entry's id, where it has one that can be shown.
    """

    place: int
    what: str
    message: str
    name: str | None = None


@dataclass(slots=True)
class Pages:
    """Pages of a provider's list that a file had; ``more`` if the last says that others follow."""

    more: bool = False
    _entries: int = field(default=0, repr=False)

    def add(self, page: Mapping[str, object], entries: int) -> None:
        """Note a page and how many entries it has."""
        self._entries += entries
        total = page.get("total")
        beyond = isinstance(total, int) and total > self._entries
        token = any(isinstance(page.get(name), str) and page[name] for name in _NEXT)
        self.more = beyond or token or page.get("has_more") is True


@dataclass(frozen=True, slots=True)
class _Entry:
    place: int
    what: str
    raw: object


def jobs_of(
    text_or_lines: str | Iterable[str],
    provider: Provider,
    seen_us: int,
    pages: Pages | None = None,
) -> tuple[list[HostedJob], list[ImportFault]]:
    """Jobs of a file and what of it could not be read; what is whole is taken.

    A text may be one JSON value or JSONL; lines are JSONL, or the lines of one JSON value. Pages
    among them are added to ``pages``.
    """
    return _read(text_or_lines, lambda raw: provider.job(raw, seen_us), pages or Pages())


def hostings_of(
    text_or_lines: str | Iterable[str],
    read: Callable[[Mapping[str, object]], Hosting | None],
    pages: Pages | None = None,
) -> tuple[list[Hosting | None], list[ImportFault]]:
    """Deployments of a file, read by a provider's ``hosting``; None is one without hours."""
    return _read(text_or_lines, read, pages or Pages())


def _read(
    text_or_lines: str | Iterable[str], read: Callable[[Mapping[str, object]], _T], pages: Pages
) -> tuple[list[_T], list[ImportFault]]:
    found: list[_T] = []
    faults: list[ImportFault] = []
    for entry in _entries(text_or_lines, pages):
        if isinstance(entry, ImportFault):
            faults.append(entry)
            continue
        try:
            found.append(read(entry.raw))  # type: ignore[arg-type]
        except UsageError as error:
            named = entry_name(entry.raw)
            faults.append(ImportFault(entry.place, entry.what, str(error), named))
    if not found and not faults:
        faults.append(ImportFault(1, "file", "there is no job in it: check the file"))
    return found, faults


def _entries(text_or_lines: str | Iterable[str], pages: Pages) -> Iterator[_Entry | ImportFault]:
    lines = iter(text_or_lines.splitlines() if isinstance(text_or_lines, str) else text_or_lines)
    begun: list[str] = []
    for line in lines:
        begun.append(line)
        if line.strip():
            break
    if not begun or not begun[-1].strip():
        return
    if _whole(begun[-1]):
        yield from _of_lines(begun, lines, pages)
    else:
        yield from _of_text(begun, lines, pages)


def _whole(line: str) -> bool:
    """Whether a first line is a JSON value of its own: then each line is one."""
    if len(line) > LINE_CHARS:
        return False
    try:
        _parsed(line)
    except UsageError:
        return False
    return True


def _of_lines(
    begun: list[str], lines: Iterator[str], pages: Pages
) -> Iterator[_Entry | ImportFault]:
    number = 0
    for source in (begun, lines):
        for line in source:
            number += 1
            if not line.strip():
                continue
            if len(line) > LINE_CHARS:
                yield ImportFault(number, "line", f"longer than {LINE_CHARS >> 20} Mi characters")
                continue
            try:
                value = _parsed(line)
            except UsageError as error:
                yield ImportFault(number, "line", str(error))
                continue
            for raw in _unwrapped(value, pages):
                yield _Entry(number, "line", raw)


def _of_text(
    begun: list[str], lines: Iterator[str], pages: Pages
) -> Iterator[_Entry | ImportFault]:
    """One JSON value over several lines, or else lines of which the first is broken."""
    kept, length = list(begun), sum(map(len, begun))
    for line in lines:
        length += len(line)
        if length > TEXT_CHARS:
            yield ImportFault(1, "file", f"longer than {TEXT_CHARS >> 20} Mi characters, as JSONL")
            return
        kept.append(line)
    try:
        value = _parsed("\n".join(kept))
    except UsageError:
        yield from _of_lines(kept, iter(()), pages)
        return
    for place, raw in enumerate(_unwrapped(value, pages), 1):
        yield _Entry(place, "entry", raw)


def _unwrapped(value: object, pages: Pages) -> list[object]:
    """The entries of a list or page; an object that is no page is an entry itself."""
    if isinstance(value, list):
        return value
    if isinstance(value, dict):
        for name in _PAGES:
            if isinstance(value.get(name), list):
                entries: list[object] = value[name]
                pages.add(value, len(entries))
                return entries
    return [value]


def _parsed(text: str) -> object:
    try:
        return parsed(text)
    except (ValueError, RecursionError):
        raise UsageError("no JSON, or half of it", "export it again") from None
