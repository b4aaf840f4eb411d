"""The client of providers: what it takes, what it refuses, what it never says."""

from __future__ import annotations

import socket
import ssl
import subprocess
import time

import pytest

from meter.errors import FeedError, FeedRefusedError
from meter.factors.http_get import Asked, get_json, waiting
from tests.factors.provider import Answer, provider

KEY = "k3y-that-nobody-may-see"


@pytest.fixture
def told():
    with provider() as found:
        yield found


def ask(told, path="/x", **options):
    return get_json(Asked(told.url + path, {"zone": "FR"}, {"auth-token": KEY}), **options)


def refused(told, **options):
    with pytest.raises(FeedError) as caught:
        ask(told, **options)
    assert KEY not in str(caught.value)
    assert KEY not in repr(caught.value)
    assert caught.value.remedy
    assert "\n" not in str(caught.value)
    return caught.value


def test_takes_json_with_decimals_and_sends_key_and_query(told):
    told.answers["/x"] = Answer(raw=b'{"a": 1.10, "b": [null, true]}')
    assert str(ask(told)) == "{'a': Decimal('1.10'), 'b': [None, True]}"
    (request,) = told.asked
    assert request.query == {"zone": "FR"}
    assert request.headers["Auth-Token"] == KEY
    assert request.headers["User-Agent"].startswith("meter/")


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_says_to_check_the_key_and_not_what_the_host_said(told, status):
    told.answers["/x"] = Answer({"error": f"Invalid auth-token {KEY}"}, status)
    error = refused(told)
    assert isinstance(error, FeedRefusedError)
    assert "check the key" in str(error)


def test_too_many_requests_are_waited_for(told):
    told.answers["/x"] = Answer({}, 429, {"Retry-After": "120"})
    error = refused(told)
    assert error.retry_after_s == 120
    assert "120 s" in str(error)


@pytest.mark.parametrize("status", [400, 404, 500, 502, 503, 204, 304])
def test_other_answers_are_errors(told, status):
    told.answers["/x"] = Answer({"error": {"code": "x"}} if status >= 400 else None, status)
    if status < 400:
        told.answers["/x"] = Answer(status=status, raw=b"")
    assert len(str(refused(told))) < 200
    assert len(told.asked) == 1


@pytest.mark.parametrize(
    "raw", [b"", b"  \n", b"<html>", b"{", b'{"a": NaN}', b"\xff\xfe", b"[" * 100_000]
)
def test_what_is_no_json_is_an_error(told, raw):
    told.answers["/x"] = Answer(raw=raw)
    said = str(refused(told))
    assert ("JSON" if raw.strip() else "answers nothing") in said


def test_a_huge_body_is_not_read_whole(told):
    told.answers["/x"] = Answer(raw=b" " * 200_000 + b"{}")
    assert "more than 100000 bytes" in str(refused(told, size_limit=100_000))


def test_a_silent_host_and_a_slow_one_are_given_up(told):
    told.answers["/x"] = Answer(raw=b"{}" + b" " * 1_000, pause=lambda: time.sleep(0.05))
    assert "slow" in str(refused(told, timeout_s=0.3))
    told.answers["/x"] = Answer(raw=b"{}", pause=lambda: time.sleep(1))
    assert "too long" in str(refused(told, timeout_s=0.1))


def test_nobody_listens():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{found.getsockname()[1]}/x"
    with pytest.raises(FeedError, match="refused"):
        get_json(Asked(url))


def test_a_redirect_to_another_place_is_not_followed(told):
    with provider() as other:
        told.answers["/x"] = Answer({}, 302, {"Location": f"{other.url}/y"})
        assert "another host" in str(refused(told))
        assert other.asked == []


def test_a_redirect_in_the_same_place_is_followed_but_not_for_ever(told):
    told.answers["/x"] = Answer({}, 301, {"Location": "/y"})
    told.answers["/y"] = Answer({"here": 1})
    assert ask(told) == {"here": 1}
    told.answers["/y"] = Answer({}, 302, {"Location": "/x"})
    assert "answers 30" in str(refused(told))


@pytest.mark.parametrize("url", ["http://example.org/x", "ftp://127.0.0.1/x", "file:///etc/passwd"])
def test_nothing_but_https_or_loopback_is_asked(url):
    with pytest.raises(FeedError, match="https"):
        get_json(Asked(url))


def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path, require_tool):
    require_tool("openssl")
    names = ["-keyout", tmp_path / "key", "-out", tmp_path / "cert", "-subj", "/CN=localhost"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *names]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert", tmp_path / "key")
    with provider(context) as told:
        told.answers["/x"] = Answer({})
        error = refused(told)
        assert "certificate is not trusted: self-signed certificate" in str(error)
        assert told.asked == []


def test_loopback_goes_past_a_proxy(told, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    told.answers["/x"] = Answer({"a": 1})
    assert ask(told) == {"a": 1}


def test_the_key_is_in_no_repr(told):
    assert KEY not in repr(Asked(told.url, {}, {"auth-token": KEY}))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("0", 0),
        ("30", 30),
        ("99999999", 86_400),
        ("Thu, 01 Jan 1970 00:02:00 GMT", 60),
        ("Thu, 01 Jan 1970 00:00:01 GMT", 0),
        ("soon", None),
        ("-5", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(text, seconds):
    assert waiting(text, 60.0) == seconds
