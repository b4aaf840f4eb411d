"""AWS signatures against AWS's published examples, and as they go over the wire."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlsplit

import pytest

from hosted.jobs.apis import CANARY, Asked, Fault, serving
from hosted.jobs.recorded import SEEN_US, raw
from meter.hosted.jobs.provider import Request
from meter.hosted.jobs.registry import provider
from meter.hosted.jobs.sigv4 import amz_date, authorisation, signing_key
from meter.hosted.sync import sync
from meter.instants import parse_us

AT_US = parse_us("2015-08-30T12:36:00Z")
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
DATE = {"X-Amz-Date": "20150830T123600Z"}


def signature(request: Request, service: str, headers: dict[str, str]) -> str:
    line = authorisation(
        request, key_id="AKIDEXAMPLE", secret=SECRET, region="us-east-1", service=service,
        headers=headers,
    )  # fmt: skip
    return line.rsplit("Signature=", 1)[1]


def test_the_instant_is_written_as_aws_writes_it() -> None:
    assert amz_date(AT_US) == "20150830T123600Z"


def test_the_signing_key_of_the_documentation() -> None:
    key = signing_key(SECRET, "20150830", "us-east-1", "iam").hex()
    assert key == "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9"


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ((), "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        (
            (("Param2", "value2"), ("Param1", "value1")),
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
    ],
)
def test_get_vanilla_of_the_test_suite(query: tuple[tuple[str, str], ...], wanted: str) -> None:
    request = Request("example.amazonaws.com", "/", query, AT_US)
    assert signature(request, "service", DATE) == wanted


def test_list_users_of_the_documentation() -> None:
    request = Request(
        "iam.amazonaws.com", "/", (("Action", "ListUsers"), ("Version", "2010-05-08")), AT_US
    )
    kind = "application/x-www-form-urlencoded; charset=utf-8"
    assert signature(request, "iam", DATE | {"Content-Type": kind}) == (
        "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
    )


def test_what_is_signed_is_what_is_sent() -> None:
    """A server that checks each signature from the raw request line lets all of them pass."""
    wrong = []
    with serving() as api:

        def check(asked: Asked) -> Fault | None:
            parts = urlsplit(asked.headers["raw-path"])
            request = Request(
                asked.headers["host"], parts.path, tuple(parse_qsl(parts.query)), SEEN_US
            )
            names = re.findall(r"SignedHeaders=([^,]+)", asked.headers["authorization"])[0]
            headers = {name: asked.headers[name] for name in names.split(";") if name != "host"}
            line = authorisation(
                request, key_id="AKIDEXAMPLE", secret=CANARY, region="us-east-1",
                service="bedrock", headers=headers,
            )  # fmt: skip
            if line != asked.headers["authorization"] or "x-amz-security-token" not in names:
                wrong.append(asked.path)
            return None

        api.always = check
        job = raw("bedrock_completed")
        api.lists["/model-customization-jobs"] = [job, job, job]
        api.singles[f"/model-customization-jobs/{job['jobArn']}"] = job
        access = api.access("bedrock", AWS_SESSION_TOKEN="token/+=")
        found = list(
            sync(provider("bedrock"), access, None, lambda: SEEN_US, page_size=2)
        )  # fmt: skip
        assert len(api.asked) == 5
        assert "%3A" in api.asked[1].headers["raw-path"]
    assert wrong == []
    assert sum(len(page.jobs) for page in found) == 3
