"""What an API needs to be asked for its jobs: the one description that all providers have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from meter.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from meter.hosted_facts import HostedJob, Hosting
    from meter.secret import Secret

Query = tuple[tuple[str, str], ...]

_ID_CHARS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-:/@")
_ID_MOST = 512


@dataclass(frozen=True, slots=True)
class Question:
    """One GET below the base URL; ``path`` is percent-encoded."""

    path: str
    query: Query = ()

    def with_query(self, **values: str) -> Question:
        """The same with parameters put or replaced, in a stable order."""
        return Question(self.path, tuple(sorted({**dict(self.query), **values}.items())))


@dataclass(frozen=True, slots=True)
class Place:
    """A variable that an address needs: an account, a project, a region."""

    variable: str
    default: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """What is signed: host, percent-encoded path, query and the instant."""

    host: str
    path: str
    query: Query
    now_us: int


@dataclass(frozen=True, slots=True)
class Listing:
    """A list of jobs, or of deployments: ``entries`` is the page's field that holds them.

    ``path`` and ``query`` may name places in braces. ``next_page`` gives the following page's
    question, None after the last; ``size`` is the parameter that says how many a page has.
    ``hosting`` reads a deployment, None one without hours.
    """

    path: str
    entries: str
    next_page: Callable[[Mapping[str, object], Question], Question | None]
    size: str | None = None
    most: int = 100
    query: Query = ()
    hosting: Callable[[Mapping[str, object]], Hosting | None] | None = None


@dataclass(frozen=True, slots=True)
class Belonging:
    """A further request of a job; ``added`` puts a page of its answer to the job.

    No more than ``most_pages`` are asked for: a job may have an event for each step.
    """

    question: Question
    added: Callable[[HostedJob, Mapping[str, object]], HostedJob]
    next_page: Callable[[Mapping[str, object], Question], Question | None]
    most_pages: int = 30


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider of hosted fine-tuning.

    ``job`` reads one of its jobs. ``keys`` are the variables of what it takes as a key, the first
    one alone may be a file; ``right`` says what the key must be allowed. ``one`` is the path of a
    single job, ``belongings`` the further requests of one, ``common`` parameters of each request.
    """

    name: str
    title: str
    job: Callable[[Mapping[str, object], int], HostedJob]
    base_url: str
    url_variable: str
    keys: tuple[str, ...]
    right: str
    authorise: Callable[[Request, Mapping[str, Secret], Mapping[str, str]], Mapping[str, str]]
    lists: tuple[Listing, ...]
    one: Callable[[str], str]
    optional_keys: tuple[str, ...] = ()
    places: tuple[Place, ...] = ()
    common: Query = ()
    belongings: Callable[[HostedJob], tuple[Belonging, ...]] = lambda _job: ()
    refusals: Mapping[str, str] | None = None  # its own codes of errors, in our words


def bearer(
    variable: str,
) -> Callable[[Request, Mapping[str, Secret], Mapping[str, str]], Mapping[str, str]]:
    """Authorisation by a bearer token."""
    return lambda _request, keys, _places: {"Authorization": f"Bearer {keys[variable].reveal()}"}


def header(
    name: str, variable: str
) -> Callable[[Request, Mapping[str, Secret], Mapping[str, str]], Mapping[str, str]]:
    """Authorisation by a header that holds the key alone."""
    return lambda _request, keys, _places: {name: keys[variable].reveal()}


def below(prefix: str) -> Callable[[str], str]:
    """Paths of single jobs whose id is one segment."""
    return lambda job_id: f"{prefix}/{quote(checked_id(job_id), safe='')}"


def by_name(prefix: str) -> Callable[[str], str]:
    """Paths of single jobs whose id is a path itself."""
    return lambda job_id: f"{prefix}/{quote(checked_id(job_id), safe='/')}"


def checked_id(job_id: str) -> str:
    """An id that may stand in an address; raises UsageError: it may be from a file of anybody's."""
    if not plain_id(job_id):
        raise UsageError("a job's id has characters that no id has", "give the provider's own id")
    return job_id


def plain_id(text: str) -> bool:
    """Whether a text can be an id: plain characters, and no steps up or down a path."""
    plain = len(text) <= _ID_MOST and _ID_CHARS.issuperset(text)
    return plain and not any(segment in {"", ".", ".."} for segment in text.split("/"))


def token_page(page: Mapping[str, object], asked: Question) -> Question | None:
    """The next page by Google's rule: ``nextPageToken`` goes back as ``pageToken``."""
    token = page.get("nextPageToken")
    return asked.with_query(pageToken=token) if isinstance(token, str) and token else None


def after_page(page: Mapping[str, object], asked: Question) -> Question | None:
    """The next page by OpenAI's rule: while ``has_more``, ``after`` is the last entry's id."""
    entries = page.get("data")
    if page.get("has_more") is not True or not isinstance(entries, list) or not entries:
        return None
    last = entries[-1]
    last_id = last.get("id") if isinstance(last, dict) else None
    if not isinstance(last_id, str) or not last_id:
        raise UsageError("a page has more after it, but its last entry has no id", "try again")
    return asked.with_query(after=last_id)


def only_page(_page: Mapping[str, object], _asked: Question) -> Question | None:
    """There is one page."""
    return None


def encoded(query: Query) -> str:
    """The query as it is sent and signed."""
    return urlencode(sorted(query), quote_via=quote, safe="-_.~")
