"""JSON over HTTPS from the few hosts that a configuration names: urllib and nothing else.

No message here holds a header, a query or anything of an answer's text: keys stay where they are.
"""

from __future__ import annotations

import http.client
import json
import ssl
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from datetime import UTC
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import IO, TYPE_CHECKING, NoReturn
from urllib.parse import urlencode, urlsplit

from meter import __version__
from meter.errors import ASKED_AGAIN, FeedError, FeedRefusedError
from meter.settings_intensity import loopback

if TYPE_CHECKING:
    from collections.abc import Mapping
    from email.message import Message

TIMEOUT_S = 20.0
SIZE_LIMIT_BYTES = 4 << 20
LONGEST_WAIT_S = 86_400.0
"""A provider that asks for more than a day is asked again after a day."""

_PIECE_BYTES = 1 << 16
_REFUSED = (401, 403)
_BUSY = 429
_UNAVAILABLE = 503
_NOT_FOUND = (400, 404)


@dataclass(frozen=True, slots=True)
class Asked:
    """One GET; ``headers`` may hold a key and are never shown."""

    url: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def shown(self) -> str:
        """Host and path, for messages."""
        parts = urlsplit(self.url)
        return f"{parts.hostname}{parts.path}"

    @property
    def origin(self) -> tuple[str, str | None, int | None]:
        """Scheme, host and port."""
        return _origin(self.url)


def get_json(
    asked: Asked, *, timeout_s: float = TIMEOUT_S, size_limit: int = SIZE_LIMIT_BYTES
) -> object:
    """What the host answers; numbers with a point are Decimal.

    Raises FeedError (FeedRefusedError for 401 and 403) with what to do, also for an answer that is
    no JSON, too long or too slow, and for a redirect to another place.
    """
    scheme, host, _ = asked.origin
    if scheme != "https" and not (scheme == "http" and host and loopback(host)):
        raise FeedError(f"{asked.shown} is not asked without https", "give an https address")
    query = f"?{urlencode(asked.query)}" if asked.query else ""
    headers = {
        "Accept": "application/json",
        "User-Agent": f"meter/{__version__}",
        **asked.headers,
    }
    request = urllib.request.Request(asked.url + query, headers=headers)  # noqa: S310 - see above
    try:
        with _opener(asked, host).open(request, timeout=timeout_s) as answer:
            raw = _read(asked, answer, timeout_s, size_limit)
    except urllib.error.HTTPError as error:
        with error:
            _refuse(asked, error.code, error.headers)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise FeedError(f"{asked.shown} gives no answer ({_reason(error)})", ASKED_AGAIN) from None
    return _parsed(asked, raw)


class _SamePlace(urllib.request.HTTPRedirectHandler):
    """Follows redirects inside one origin only: whoever else is named must not get the key."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        if _origin(newurl) != self._asked.origin:
            fp.close()
            raise FeedError(
                f"{self._asked.shown} leads to another host", "check intensity.url, or a proxy"
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener(asked: Asked, host: str | None) -> urllib.request.OpenerDirector:
    handlers: list[urllib.request.BaseHandler] = [_SamePlace(asked)]
    if host and loopback(host):
        handlers.append(urllib.request.ProxyHandler({}))  # this machine is nobody's proxy's
    return urllib.request.build_opener(*handlers)


def _read(
    asked: Asked, answer: http.client.HTTPResponse, timeout_s: float, size_limit: int
) -> bytes:
    """The body, within the time and the size that there is for it."""
    deadline = time.monotonic() + timeout_s
    raw = bytearray()
    while piece := answer.read1(_PIECE_BYTES):
        raw += piece
        if len(raw) > size_limit:
            raise FeedError(f"{asked.shown} answers more than {size_limit} bytes", ASKED_AGAIN)
        if time.monotonic() > deadline:
            raise FeedError(f"{asked.shown} answers too slowly (over {timeout_s:g} s)", ASKED_AGAIN)
    return bytes(raw)


def _parsed(asked: Asked, raw: bytes) -> object:
    if not raw.strip():
        raise FeedError(f"{asked.shown} answers nothing", ASKED_AGAIN)
    try:
        return json.loads(raw, parse_float=Decimal, parse_constant=_no_number)
    except (ValueError, ArithmeticError, RecursionError):  # 1e999999999999999999999 is no Decimal
        raise FeedError(f"{asked.shown} answers no JSON", "check intensity.url, or wait") from None


def _no_number(word: str) -> NoReturn:
    raise ValueError(word)


def _refuse(asked: Asked, status: int, headers: Message) -> NoReturn:
    """Turn a status into an error."""
    said = f"{asked.shown} answers {status}"
    wait_s = waiting(headers.get("Retry-After"), time.time())
    if status in _REFUSED:
        raise FeedRefusedError(
            f"{said}: it does not take the key for this", "check the key, the plan and the zone",
            retry_after_s=wait_s,
        )  # fmt: skip
    if status == _BUSY:
        wait = "" if wait_s is None else f" within {wait_s:.0f} s"
        raise FeedError(f"{said}: no more requests{wait}", ASKED_AGAIN, retry_after_s=wait_s)
    if status in _NOT_FOUND:
        raise FeedError(said, "check intensity.zone and intensity.url", retry_after_s=wait_s)
    raise FeedError(said, ASKED_AGAIN, retry_after_s=wait_s)


def waiting(text: str | None, now_s: float) -> float | None:
    """Seconds that a Retry-After asks for, as a number or a date; None if it asks for none."""
    if text is None:
        return None
    if text.strip().isascii() and text.strip().isdigit():
        return min(float(text), LONGEST_WAIT_S)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
    return min(max(0.0, at.timestamp() - now_s), LONGEST_WAIT_S)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = -1
    return parts.scheme, parts.hostname, port


def _reason(error: Exception) -> str:
    """Why there is no answer, in words that come from the system and not from the host."""
    inner = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(inner, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {inner.verify_message}"
    if isinstance(inner, TimeoutError):
        return "it takes too long"
    if isinstance(inner, OSError) and inner.strerror:
        return inner.strerror
    return type(inner).__name__ if isinstance(inner, BaseException) else "unreachable"
