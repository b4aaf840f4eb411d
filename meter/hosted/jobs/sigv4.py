"""AWS Signature Version 4 of a GET without a body; pure.

Source: AWS, "Create a signed AWS API request", algorithm AWS4-HMAC-SHA256.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING
from urllib.parse import quote

from meter.hosted.jobs.provider import encoded
from meter.instants import instant

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meter.hosted.jobs.provider import Request

_ALGORITHM = "AWS4-HMAC-SHA256"
_EMPTY = hashlib.sha256(b"").hexdigest()


def authorisation(
    request: Request, *, key_id: str, secret: str, region: str, service: str,
    headers: Mapping[str, str],
) -> str:  # fmt: skip
    """The ``Authorization`` header; ``headers`` are the others that are signed, without host."""
    stamp = amz_date(request.now_us)
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    canonical, signed = _canonical(request, headers)
    told = f"{_ALGORITHM}\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = signing_key(secret, stamp[:8], region, service)
    signature = hmac.new(key, told.encode(), hashlib.sha256).hexdigest()
    credential = f"{key_id}/{scope}"
    return f"{_ALGORITHM} Credential={credential}, SignedHeaders={signed}, Signature={signature}"


def amz_date(now_us: int) -> str:
    """The instant as AWS wants it, such as 20150830T123600Z."""
    return instant(now_us).split(".")[0].replace("-", "").replace(":", "") + "Z"


def signing_key(secret: str, day: str, region: str, service: str) -> bytes:
    """The key of a day, region and service, derived step by step from the secret."""
    key = f"AWS4{secret}".encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


def _canonical(request: Request, headers: Mapping[str, str]) -> tuple[str, str]:
    """The canonical request and the names of its signed headers.

    The path is encoded once more than it is sent, as of every service but S3.
    """
    told = {"host": request.host} | {name.lower(): value.strip() for name, value in headers.items()}
    names = sorted(told)
    lines = "".join(f"{name}:{told[name]}\n" for name in names)
    signed = ";".join(names)
    path = quote(request.path or "/", safe="/-_.~")
    return f"GET\n{path}\n{encoded(request.query)}\n{lines}\n{signed}\n{_EMPTY}", signed
