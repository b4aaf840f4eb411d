"""One GET of a provider's API: the only module of hosted work that reaches the network.

No message here holds a key, a query or a text of the answer.
"""

from __future__ import annotations

import json
import re
import zlib
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, NoReturn, Self
from urllib.parse import urlsplit

import httpx

from meter import __version__
from meter.errors import ProviderError, ProviderRefusedError
from meter.hosted.access import checked_url, loopback
from meter.hosted.jobs.provider import Question, Request, encoded
from meter.hosted.json_numbers import parsed
from meter.units import US_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from meter.hosted.access import Access
    from meter.hosted.jobs.provider import Provider

TRIES = 6
BODY_BYTES = 32 << 20
"""Largest answer that is read: pages have some hundred jobs of some kB each."""
TIMEOUT = httpx.Timeout(60.0, connect=15.0)
LONGEST_WAIT_S = 300.0
"""A provider that asks for more is asked again another time."""

_CODE = re.compile(r"[A-Za-z][A-Za-z_.]{0,63}")  # no digits: keys have them
_BUSY = frozenset({408, 409, 429})
_AGAIN = "nothing is lost: run the sync again, it goes on from where it was"


class _BusyError(Exception):
    """Try again after a while."""

    def __init__(self, error: ProviderError, wait_s: float | None = None) -> None:
        super().__init__()
        self.error = error
        self.wait_s = wait_s


@dataclass(frozen=True, slots=True)
class _Answer:
    """Status, headers that matter and the body."""

    status: int
    retry_after: str | None
    body: bytes


class Fetcher:
    """Asks one provider; ``sleep`` waits for so many seconds, ``now_us`` is the wall clock."""

    def __init__(
        self,
        provider: Provider,
        access: Access,
        now_us: Callable[[], int],
        sleep: Callable[[float], None],
    ) -> None:
        checked_url(access.base_url, provider.url_variable)
        self._provider = provider
        self._access = access
        self._now_us = now_us
        self._sleep = sleep
        parts = urlsplit(access.base_url)
        self._host = parts.netloc.lower()
        self._client = httpx.Client(
            timeout=TIMEOUT, follow_redirects=False,
            trust_env=not loopback(parts.hostname),  # this machine is nobody's proxy's
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.close()

    def get(self, question: Question) -> dict[str, object]:
        """The JSON object that is answered; numbers with a point are Decimal.

        Busy servers and broken connections are asked up to six times, waiting as they wish.
        Raises ProviderError, ProviderRefusedError for 401 and 403.
        """
        for number in range(1, TRIES + 1):
            try:
                return self._once(question)
            except _BusyError as busy:
                wait_s = 2.0 ** (number - 1) if busy.wait_s is None else busy.wait_s
                if number == TRIES or wait_s > LONGEST_WAIT_S:
                    raise busy.error from None
                self._sleep(wait_s)
        raise AssertionError("the last try returns or raises")

    def _once(self, question: Question) -> dict[str, object]:
        path = self._path(question.path)
        query = tuple(
            (name, value.format_map(self._access.places))
            for name, value in self._provider.common
        ) + question.query  # fmt: skip
        said = f"{self._provider.title} ({self._host}{path[:80]})"
        try:
            answer = self._answer(path, query, said)
        except (httpx.TransportError, httpx.StreamError) as error:
            what = f"{said} gives no whole answer ({_reason(error)})"
            raise _BusyError(ProviderError(what, _AGAIN)) from None
        if answer.status != httpx.codes.OK:
            self._refuse(answer, said)
        return _parsed(answer.body, said)

    def _path(self, path: str) -> str:
        """The path below the base URL, whose own ``/v1`` is not said twice."""
        base = urlsplit(self._access.base_url).path.rstrip("/")
        if base.endswith("/v1") and path.startswith("/v1/"):
            base = base.removesuffix("/v1")
        return base + path

    def _answer(self, path: str, query: tuple[tuple[str, str], ...], said: str) -> _Answer:
        request = Request(self._host, path, query, self._now_us())
        headers = {
            "Accept": "application/json",
            "Accept-Encoding": "gzip, identity",
            "User-Agent": f"meter/{__version__}",
            **self._provider.authorise(request, self._access.keys, self._access.places),
        }
        scheme = urlsplit(self._access.base_url).scheme
        tail = f"?{encoded(query)}" if query else ""
        url = f"{scheme}://{self._host}{path}{tail}"
        with self._client.stream("GET", url, headers=headers) as answer:
            raw = bytearray()
            for piece in answer.iter_raw():
                raw += piece
                if len(raw) > BODY_BYTES:
                    raise _too_long(said)
            body = _unpacked(bytes(raw), answer.headers.get("content-encoding", ""), said)
            return _Answer(answer.status_code, answer.headers.get("retry-after"), body)

    def _refuse(self, answer: _Answer, said: str) -> NoReturn:
        status, code = answer.status, error_code(answer.body)
        what = f"{said} answers {status}" + (f" ({code})" if code else "")
        if status in {401, 403}:
            self._refuse_key(status, code, what)
        if status in _BUSY or status >= 500:
            wait_s = waiting(answer.retry_after, self._now_us())
            if wait_s is not None and wait_s > LONGEST_WAIT_S:
                what += f" and asks to be left alone for {wait_s:.0f} s"
            raise _BusyError(ProviderError(what, _AGAIN, status=status), wait_s)
        if 300 <= status < 400:
            remedy = f"set {self._provider.url_variable} to the address it leads to, if you know it"
            raise ProviderError(f"{what}: it leads elsewhere", remedy, status=status)
        remedy = f"check {self._provider.url_variable}"
        if self._provider.places:
            remedy += f", {', '.join(place.variable for place in self._provider.places)}"
        raise ProviderError(what, remedy, status=status)

    def _refuse_key(self, status: int, code: str | None, what: str) -> NoReturn:
        known = (self._provider.refusals or {}).get(code or "")
        key = self._provider.keys[0]
        if known:
            raise ProviderRefusedError(what, known, status=status)
        lacks = "it does not know the key" if status == 401 else "the key lacks a right"
        remedy = f"set {key} to a key that {self._provider.right}"
        raise ProviderRefusedError(f"{what}: {lacks}", remedy, status=status)


def error_code(body: bytes) -> str | None:
    """The provider's own code of an error, a word; its message is left alone."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return None
    error = told.get("error", told) if isinstance(told, dict) else None
    if not isinstance(error, dict):
        return None
    for name in ("code", "status", "type", "__type"):
        found = error.get(name)
        if isinstance(found, str) and _CODE.fullmatch(found):
            return found
    return None


def waiting(text: str | None, now_us: int) -> float | None:
    """Seconds that a Retry-After asks for, as a number or a date; None if it asks for none."""
    if text is None:
        return None
    if text.strip().isascii() and text.strip().isdigit():
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
    return max(0.0, at.timestamp() - now_us / US_PER_S)


def _unpacked(raw: bytes, encoding: str, said: str) -> bytes:
    """The body, which may be a gzip; raises ProviderError for one that unpacks to too much."""
    if encoding.strip().lower() in {"", "identity"}:
        return raw
    if encoding.strip().lower() != "gzip":
        raise ProviderError(f"{said} answers in an encoding that was not asked for", _AGAIN)
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        body = unpacker.decompress(raw, BODY_BYTES + 1)
    except zlib.error:
        raise ProviderError(f"{said} answers a broken gzip", _AGAIN) from None
    if len(body) > BODY_BYTES:
        raise _too_long(said)
    if not unpacker.eof:
        raise _BusyError(ProviderError(f"{said} answers half a gzip", _AGAIN))
    return body


def _parsed(body: bytes, said: str) -> dict[str, object]:
    if not body.strip():
        raise ProviderError(f"{said} answers nothing", _AGAIN)
    try:
        found = parsed(body)
    except (ValueError, RecursionError):
        raise ProviderError(f"{said} answers no JSON, or half of it", _AGAIN) from None
    if not isinstance(found, dict):
        raise ProviderError(f"{said} answers no JSON object", _AGAIN)
    return found


def _too_long(said: str) -> ProviderError:
    return ProviderError(f"{said} answers more than {BODY_BYTES >> 20} MiB", _AGAIN)


def _reason(error: Exception) -> str:
    """Why there is no answer, in words of ours: httpx may put an address into its own."""
    if isinstance(error, httpx.TimeoutException):
        return "it takes too long"
    if isinstance(error, httpx.RemoteProtocolError):
        return "the connection was cut"
    return "it cannot be reached" if isinstance(error, httpx.ConnectError) else type(error).__name__
