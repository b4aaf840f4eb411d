"""A provider's jobs page by page, so that who stores them can stop and go on anywhere."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from meter.errors import ProviderError, UsageError
from meter.hosted.fetch import Fetcher
from meter.hosted.jobs.billing import flagged
from meter.hosted.jobs.fields import entry_name
from meter.hosted.jobs.provider import Question
from meter.hosted_facts import DETAILS_MISSING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from meter.hosted.access import Access
    from meter.hosted.jobs.provider import Belonging, Listing, Provider, Query
    from meter.hosted_facts import HostedJob, Hosting

_GONE = 404
_KEPT_OUT = frozenset({403, _GONE})
_CURSOR_CHARS = 8_192
_PAGING = frozenset({"nextPageToken", "nextToken", "nextLink"})


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where to go on: which list of the provider, and its next page.

    ``listing`` is beyond the lists when only jobs that are open are left to be asked for.
    """

    provider: str
    listing: int = 0
    query: Query | None = None

    def text(self) -> str:
        """The cursor to be stored; it holds no key."""
        query = None if self.query is None else [list(pair) for pair in self.query]
        return json.dumps([self.provider, self.listing, query], separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Fault:
    """What could not be read: where it stands and what is wrong with it.

    ``beside`` is of something that belongs to a job, which itself was read.
    """

    where: str
    message: str
    beside: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """What the caller has: jobs that ran when last seen, and jobs in their final state.

    Of the settled ones those that ended at ``again_us`` or later are given once more: a provider
    may tell of them what it did not know yet.
    """

    open_ids: frozenset[str] = frozenset()
    settled_ids: frozenset[str] = frozenset()
    again_us: int | None = None


NOTHING_KNOWN = Known()


@dataclass(frozen=True, slots=True)
class Page:
    """What one page told; ``cursor`` goes on after it, None when there is nothing more.

    ``without_hours`` counts deployments that are billed by their tokens alone.
    """

    jobs: tuple[HostedJob, ...]
    cursor: Cursor | None
    hosting: tuple[Hosting, ...] = ()
    faults: tuple[Fault, ...] = ()
    without_hours: int = 0


def cursor_of(text: str) -> Cursor:
    """A stored cursor; raises UsageError for a text that is none."""
    try:
        provider, listing, query = json.loads(text[:_CURSOR_CHARS])
        pairs = None if query is None else tuple((name, value) for name, value in query)
        words = [provider, *(word for pair in pairs or () for word in pair)]
        if isinstance(listing, int) and listing >= 0 and all(isinstance(w, str) for w in words):
            return Cursor(provider, listing, pairs)
    except (ValueError, TypeError, RecursionError):
        pass  # said below, together with what is JSON but no cursor
    raise UsageError("this is no cursor of a sync", "begin without one")


def sync(
    provider: Provider,
    access: Access,
    since_us: int | None,
    now_us: Callable[[], int],
    resume: Cursor | None = None,
    *,
    known: Known = NOTHING_KNOWN,
    sleep: Callable[[float], None] = time.sleep,
    page_size: int | None = None,
) -> Iterator[Page]:
    """Pages of jobs, and of deployments where the provider lists them.

    ``since_us`` leaves out what ended before it; what still runs is never left out. Of ``known``
    the open jobs that are on no page are asked for one by one, the settled ones are not given
    again, but for those that have ended lately. A job may be on two pages: a list moves on while
    it is read. After an error, ``resume`` with the last page's cursor.

    Raises ProviderError, ProviderRefusedError for 401 and 403, UsageError for a foreign cursor.
    """
    begin = Cursor(provider.name) if resume is None else resume
    if begin.provider != provider.name:
        raise UsageError(
            f"the cursor is of {begin.provider[:40]}, not of {provider.name}", "begin without one"
        )
    with Fetcher(provider, access, now_us, sleep) as fetcher:
        asking = _Asking(provider, access, fetcher, now_us, page_size)
        wanted = _Wanted(since_us, known)
        yield from _pages(asking, wanted, begin)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Which jobs are yielded."""

    since_us: int | None
    known: Known

    def __call__(self, job: HostedJob) -> bool:
        if job.id in self.known.open_ids or not job.status.ended:
            return True
        last_us = job.created_us if job.ended_us is None else job.ended_us
        if self.since_us is not None and last_us < self.since_us:
            return False
        again_us = self.known.again_us
        lately = again_us is not None and last_us >= again_us
        return lately or job.id not in self.known.settled_ids


def _pages(asking: _Asking, wanted: _Wanted, begin: Cursor) -> Iterator[Page]:
    left = set(wanted.known.open_ids)
    lists = asking.provider.lists
    for index in range(begin.listing, len(lists)):
        query = begin.query if index == begin.listing else None
        for page, following in asking.listed(lists[index], query, wanted):
            left -= {job.id for job in page.jobs}
            last = following is None and index + 1 == len(lists) and not left
            after = Cursor(begin.provider, index + (following is None), following)
            yield replace(page, cursor=None if last else after)
    for number, job_id in enumerate(sorted(left), 1):
        again = Cursor(begin.provider, len(lists))
        yield replace(asking.alone(job_id), cursor=None if number == len(left) else again)
    if begin.listing >= len(lists) and not left:
        yield Page((), None)


@dataclass(frozen=True, slots=True)
class _Asking:
    """The questions of one sync."""

    provider: Provider
    access: Access
    fetcher: Fetcher
    now_us: Callable[[], int]
    page_size: int | None

    def listed(
        self, listing: Listing, query: Query | None, wanted: _Wanted
    ) -> Iterator[tuple[Page, Query | None]]:
        """The pages of one list, each with the query of the next one."""
        path = listing.path.format_map(self.access.places)
        question = Question(path, self._first(listing) if query is None else query)
        asked = set()
        while True:
            asked.add(question)
            answer = self.fetcher.get(question)
            following = self._next(listing, answer, question)
            if following in asked:
                raise ProviderError(f"{self.provider.title} gives the same page again", "try again")
            page = self._page(listing, answer, wanted)
            yield page, None if following is None else following.query
            if following is None:
                return
            question = following

    def alone(self, job_id: str) -> Page:
        """A job that is on no page; one that is gone is told as a fault."""
        try:
            path = self.provider.one(job_id)
        except UsageError as error:
            return Page((), None, faults=(Fault("an open job", str(error)),))
        try:
            answer = self.fetcher.get(Question(path))
        except ProviderError as error:
            if error.status != _GONE:
                raise
            return Page((), None, faults=(Fault(job_id, "the provider has it no more"),))
        return self._jobs([answer], lambda _job: True)

    def _first(self, listing: Listing) -> Query:
        if listing.size is None:
            return listing.query
        size = str(self.page_size or listing.most)
        return Question("", listing.query).with_query(**{listing.size: size}).query

    def _next(
        self, listing: Listing, answer: dict[str, object], question: Question
    ) -> Question | None:
        try:
            return listing.next_page(answer, question)
        except UsageError as error:
            raise ProviderError(f"{self.provider.title}: {error.message}", error.remedy) from None

    def _page(self, listing: Listing, answer: dict[str, object], wanted: _Wanted) -> Page:
        entries = answer.get(listing.entries, [])  # Google leaves empty lists out
        if not isinstance(entries, list):
            raise ProviderError(
                f"{self.provider.title} answers with a {listing.entries!r} that is no list",
                f"check {self.provider.url_variable}",
            )
        if listing.entries not in answer and set(answer) - _PAGING:
            raise ProviderError(
                f"{self.provider.title} answers without {listing.entries!r}",
                f"check {self.provider.url_variable}",
            )
        if listing.hosting is not None:
            return _hosting(entries, listing.hosting)
        return self._jobs(entries, wanted)

    def _jobs(self, entries: list[object], wanted: Callable[[HostedJob], bool]) -> Page:
        jobs: list[HostedJob] = []
        faults: list[Fault] = []
        for index, entry in enumerate(entries):
            try:
                job = self.provider.job(entry, self.now_us())  # type: ignore[arg-type]
                if wanted(job):
                    jobs.append(self._whole(job, faults))
            except UsageError as error:
                faults.append(Fault(_named(entry, index), str(error)))
        return Page(tuple(jobs), None, faults=tuple(faults))

    def _whole(self, job: HostedJob, faults: list[Fault]) -> HostedJob:
        """The job with what belongs to it, as far as the key may read it."""
        for belonging in self.provider.belongings(job):
            try:
                job = self._with(job, belonging)
            except (ProviderError, UsageError) as error:
                if isinstance(error, ProviderError) and error.status not in _KEPT_OUT:
                    raise
                faults.append(Fault(job.id, str(error), beside=True))
                job = flagged(job, DETAILS_MISSING)
        return job

    def _with(self, job: HostedJob, belonging: Belonging) -> HostedJob:
        question: Question | None = belonging.question
        for _ in range(belonging.most_pages):
            if question is None:
                break
            answer = self.fetcher.get(question)
            job = belonging.added(job, answer)
            question = belonging.next_page(answer, question)
        return job


def _hosting(
    entries: list[object], read: Callable[[dict[str, object]], Hosting | None]
) -> Page:  # fmt: skip
    found: list[Hosting | None] = []
    faults: list[Fault] = []
    for index, entry in enumerate(entries):
        try:
            found.append(read(entry))  # type: ignore[arg-type]
        except UsageError as error:
            faults.append(Fault(_named(entry, index), str(error)))
    billed = tuple(one for one in found if one is not None)
    return Page((), None, billed, tuple(faults), found.count(None))


def _named(entry: object, index: int) -> str:
    return entry_name(entry) or f"entry {index + 1}"
