"""Fetching from APIs on loopback: pages, faults, jobs that end between polls, keys that stay."""

from __future__ import annotations

import gzip
import json
import logging
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hosted.jobs.apis import CANARY, VARIABLES, Api, Asked, Fault, serving
from hosted.jobs.recorded import DAY_US, SEEN_US, S, raw
from meter.errors import MeterError, ProviderError, ProviderRefusedError, UsageError
from meter.hosted import fetch
from meter.hosted.access import Access, access_of
from meter.hosted.jobs.registry import provider, providers
from meter.hosted.sync import Cursor, Known, Page, cursor_of, sync
from meter.hosted_facts import JobStatus
from meter.ledger.hosted_rows import job_sha256

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

JOBS = {
    "openai": "/v1/fine_tuning/jobs",
    "azure": "/openai/fine_tuning/jobs",
    "together": "/v1/fine-tunes",
    "fireworks": "/v1/accounts/example/supervisedFineTuningJobs",
    "vertex": "/v1/projects/123/locations/us-central1/tuningJobs",
    "mistral": "/v1/fine_tuning/jobs",
    "bedrock": "/model-customization-jobs",
}
SHAPES = {
    "openai": "openai_running", "azure": "azure_pending", "together": "together_running",
    "fireworks": "fireworks_sft", "vertex": "vertex_succeeded", "mistral": "mistral_queued",
    "bedrock": "bedrock_completed",
}  # fmt: skip
DAY_LONG_US = 86_400 * S
IDS = {"fireworks": "name", "vertex": "name", "bedrock": "jobArn"}


@pytest.fixture
def api() -> Iterator[Api]:
    with serving() as served:
        yield served


def fill(api: Api, name: str, count: int) -> list[str]:
    """So many jobs of a provider; their ids."""
    api.lists.clear()
    field, path = IDS.get(name, "id"), JOBS[name]
    jobs = [json.loads(json.dumps(raw(SHAPES[name]), default=float)) for _ in range(count)]
    for number, one in enumerate(jobs):
        one[field] = f"{one[field]}{number}"
        single = {"fireworks": "/v1", "vertex": "/v1"}.get(name, path)
        api.singles[f"{single}/{one[field]}"] = one
    api.lists[path] = jobs
    if name == "fireworks":
        for kind in ("dpoJobs", "reinforcementFineTuningJobs", "deployments"):
            api.lists[f"/v1/accounts/example/{kind}"] = []
    return [one[field] for one in jobs]


def pages(api: Api, name: str, **more: Any) -> list[Page]:
    """All pages of a sync that never sleeps."""
    more.setdefault("sleep", lambda _seconds: None)
    since_us, resume = more.pop("since_us", None), more.pop("resume", None)
    access = more.pop("access", None) or api.access(name)
    return list(sync(provider(name), access, since_us, lambda: SEEN_US, resume, **more))


def always(fault: Fault) -> Callable[[Asked], Fault]:
    """The same answer to each request."""
    return lambda _asked: fault


def ids(found: list[Page]) -> list[str]:
    return [job.id for page in found for job in page.jobs]


# --- pages


@pytest.mark.parametrize("name", list(JOBS))
def test_all_pages_are_found_whatever_their_size(api: Api, name: str) -> None:
    for most, size, count in ((100, None, 7), (3, None, 7), (100, 1, 4), (2, 5, 4), (5, 5, 0)):
        wanted = fill(api, name, count)
        api.most = most
        found = pages(api, name, page_size=size)
        assert sorted(ids(found)) == sorted(wanted)
        assert found[-1].cursor is None
        assert all(page.cursor is not None for page in found[:-1])
        assert not [fault for page in found for fault in page.faults]


@settings(max_examples=25)
@given(
    count=st.integers(0, 12), most=st.integers(1, 13), size=st.none() | st.integers(1, 13),
    name=st.sampled_from(list(JOBS)),
)  # fmt: skip
def test_page_size_does_not_change_what_is_found(
    count: int, most: int, size: int | None, name: str
) -> None:
    with serving() as api:
        wanted = fill(api, name, count)
        api.most = most
        assert sorted(ids(pages(api, name, page_size=size))) == sorted(wanted)


@pytest.mark.parametrize("name", list(JOBS))
def test_a_failure_in_the_middle_is_resumed_from_the_cursor(api: Api, name: str) -> None:
    wanted = fill(api, name, 6)
    api.most = 2
    stored: list[Page] = []
    if name == "together":
        api.always = lambda asked: Fault(400) if asked.path.endswith("3") else None
    else:
        api.always = lambda asked: Fault(400) if len(stored) == 1 else None
    given = sync(provider(name), api.access(name), None, lambda: SEEN_US)
    with pytest.raises(ProviderError, match="answers 400"):
        stored.extend(given)
    api.always = lambda _asked: None
    before = len(api.asked)
    resume = cursor_of(stored[-1].cursor.text()) if stored and stored[-1].cursor else None
    assert (resume is None) == (name == "together")  # it has one page
    rest = pages(api, name, resume=resume)
    assert sorted(ids(stored) + ids(rest)) == sorted(wanted)
    if resume is not None:
        assert len(api.asked) > before
        assert set(ids(stored)).isdisjoint(ids(rest))


def test_a_cursor_holds_no_key_and_is_read_back(api: Api) -> None:
    fill(api, "openai", 3)
    first = pages(api, "openai", page_size=2)[0].cursor
    assert first is not None
    assert CANARY not in first.text()
    assert cursor_of(first.text()) == first


@pytest.mark.parametrize(
    "text", ["", "{}", "[1,2,3]", '["a",-1,null]', '["a",0,[["x"]]]', "[" * 9999]
)
def test_a_text_that_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="no cursor"):
        cursor_of(text)


def test_another_provider_s_cursor_is_refused(api: Api) -> None:
    with pytest.raises(UsageError, match="of azure, not of openai"):
        pages(api, "openai", resume=Cursor("azure"))


def test_pages_that_go_round_are_an_error(api: Api) -> None:
    fill(api, "vertex", 1)
    job = api.lists[JOBS["vertex"]][0]
    api.singles[JOBS["vertex"]] = {"tuningJobs": [job], "nextPageToken": "again"}
    with pytest.raises(ProviderError, match="same page"):
        pages(api, "vertex")


# --- jobs that run


def test_a_job_that_ends_between_polls_is_not_lost(api: Api) -> None:
    (job_id,) = fill(api, "openai", 1)
    (first,) = pages(api, "openai")
    assert first.jobs[0].status is JobStatus.RUNNING
    done = {**raw("openai_succeeded"), "id": job_id}
    api.lists[JOBS["openai"]] = []  # the list has dropped it
    api.singles[f"{JOBS['openai']}/{job_id}"] = done
    api.singles[f"{JOBS['openai']}/{job_id}/checkpoints"] = raw("openai_checkpoints")
    api.singles[f"{JOBS['openai']}/{job_id}/events"] = raw("openai_events")
    found = pages(
        api, "openai", since_us=SEEN_US, known=Known(open_ids=frozenset({job_id}))
    )  # fmt: skip
    (job,) = [one for page in found for one in page.jobs]
    assert job.status is JobStatus.SUCCEEDED
    assert [point.step for point in job.checkpoints] == [10, 20]
    assert job.started_us == DAY_US + 300 * S
    assert found[-1].cursor is None


def test_a_job_that_ended_before_since_is_given_if_it_was_open(api: Api) -> None:
    (job_id,) = fill(api, "vertex", 1)
    assert ids(pages(api, "vertex", since_us=SEEN_US)) == []
    assert ids(pages(api, "vertex", since_us=DAY_US)) == [job_id]
    known = Known(open_ids=frozenset({job_id}))
    assert ids(pages(api, "vertex", since_us=SEEN_US, known=known)) == [job_id]


def test_what_still_runs_is_given_again_however_old(api: Api) -> None:
    wanted = fill(api, "together", 2)
    assert ids(pages(api, "together", since_us=SEEN_US)) == wanted
    assert ids(pages(api, "together", since_us=SEEN_US)) == wanted


def test_settled_jobs_cost_no_more_requests(api: Api) -> None:
    wanted = fill(api, "bedrock", 3)
    api.asked.clear()
    known = Known(settled_ids=frozenset(wanted[:2]))
    assert ids(pages(api, "bedrock", known=known)) == wanted[2:]
    assert len(api.asked) == 2  # the list and one job


@given(ages=st.lists(st.integers(0, 20), max_size=6), again=st.none() | st.integers(0, 20))
@settings(max_examples=25, deadline=None)
def test_of_settled_jobs_those_that_ended_lately_are_given_again(
    ages: list[int], again: int | None
) -> None:
    with serving() as api:
        wanted = fill(api, "openai", len(ages))
        for one, age in zip(api.lists[JOBS["openai"]], ages, strict=True):
            at_us = SEEN_US - age * DAY_LONG_US
            one |= {"status": "succeeded", "finished_at": at_us // S, "trained_tokens": 1}
            one["created_at"] = one["finished_at"] - 60
            for kind in ("checkpoints", "events"):
                api.singles[f"{JOBS['openai']}/{one['id']}/{kind}"] = {"data": []}
        again_us = None if again is None else SEEN_US - again * DAY_LONG_US
        known = Known(settled_ids=frozenset(wanted), again_us=again_us)
        lately = [
            name
            for name, age in zip(wanted, ages, strict=True)
            if again is not None and age <= again
        ]
        assert ids(pages(api, "openai", known=known)) == lately
        assert len(api.asked) == 1 + 2 * len(lately)  # checkpoints and events of these alone


@pytest.mark.parametrize(
    "shape",
    [
        "openai_succeeded", "azure_rft", "together_completed", "fireworks_sft",
        "vertex_succeeded", "mistral_success", "bedrock_completed",
    ],
)  # fmt: skip
def test_a_job_that_is_read_again_later_says_the_same(shape: str) -> None:
    one, name = raw(shape), shape.split("_", maxsplit=1)[0]
    first, later = (provider(name).job(one, SEEN_US + wait) for wait in (0, 5 * DAY_LONG_US))
    assert first.status.ended
    assert job_sha256(first) == job_sha256(later)


def test_an_open_job_that_is_gone_is_told(api: Api) -> None:
    fill(api, "openai", 0)
    bad = "a job/../../of nobody"
    found = pages(api, "openai", known=Known(open_ids=frozenset({"ftjob-gone", bad})))
    told = {fault.where: fault.message for page in found for fault in page.faults}
    assert "no more" in told["ftjob-gone"]
    assert "characters" in told["an open job"]
    assert found[-1].cursor is None


def test_open_jobs_alone_are_resumed(api: Api) -> None:
    wanted = fill(api, "openai", 2)
    at_the_end = Cursor("openai", 1)
    known = Known(open_ids=frozenset(wanted))
    assert ids(pages(api, "openai", resume=at_the_end, known=known)) == wanted
    assert [page.cursor for page in pages(api, "openai", resume=at_the_end)] == [None]


# --- what belongs to a job


def test_a_key_that_may_not_read_checkpoints_still_gives_the_job(api: Api) -> None:
    fill(api, "openai", 0)
    api.lists[JOBS["openai"]] = [raw("openai_succeeded")]
    api.always = lambda asked: Fault(403) if asked.path.endswith("checkpoints") else None
    (page,) = pages(api, "openai")
    assert page.jobs[0].flags == ("details_missing",)
    assert {fault.where for fault in page.faults} == {"ftjob-sft"}


def test_garbage_in_what_belongs_to_a_job_still_gives_the_job(api: Api) -> None:
    fill(api, "openai", 0)
    api.lists[JOBS["openai"]] = [raw("openai_succeeded")]
    api.singles[f"{JOBS['openai']}/ftjob-sft/checkpoints"] = {"data": [{"step_number": -1}]}
    api.singles[f"{JOBS['openai']}/ftjob-sft/events"] = raw("openai_events")
    (page,) = pages(api, "openai")
    assert page.jobs[0].started_us is not None
    assert "details_missing" in page.jobs[0].flags
    assert "fine_tuned_model_checkpoint" in page.faults[0].message


def test_one_bad_job_does_not_stop_the_others(api: Api) -> None:
    wanted = fill(api, "mistral", 3)
    api.lists[JOBS["mistral"]][1]["trained_tokens"] = -5
    listed: list[Any] = api.lists[JOBS["mistral"]]
    listed.append("no job at all")
    found = pages(api, "mistral")
    assert ids(found) == [wanted[0], wanted[2]]
    faults = [fault for page in found for fault in page.faults]
    assert [fault.where for fault in faults] == [wanted[1], "entry 4"]
    assert "trained_tokens is negative" in faults[0].message


def test_together_s_checkpoints_and_azure_s_hours_are_asked_for(api: Api) -> None:
    fill(api, "together", 0)
    path = f"{JOBS['together']}/ft-0a1b"
    done = json.loads(json.dumps(raw("together_completed")))
    api.lists[JOBS["together"]] = [{k: v for k, v in done.items() if k != "events"}]
    api.singles |= {path: done, f"{path}/checkpoints": raw("together_checkpoints")}
    (page,) = pages(api, "together")
    assert page.jobs[0].started_us == DAY_US + 1_200 * S
    assert [one.name for one in page.jobs[0].checkpoints] == [
        "s3://bucket/10",
        "example/llama-mine",
    ]
    path = f"{JOBS['azure']}/ftjob-azrft"
    api.lists[JOBS["azure"]] = [raw("azure_rft")]
    api.singles |= {f"{path}/checkpoints": {"data": []}, f"{path}/events": raw("azure_events")}
    (page,) = pages(api, "azure")
    assert [(str(q.meter), str(q.amount)) for q in page.jobs[0].quantities] == [
        ("train_hour", "2.250")
    ]
    assert api.asked[-1].query["api-version"] == "2024-10-21"


def test_fireworks_lists_three_kinds_and_deployments(api: Api) -> None:
    fill(api, "fireworks", 1)
    account = "/v1/accounts/example"
    api.lists[f"{account}/dpoJobs"] = [raw("fireworks_dpo")]
    api.lists[f"{account}/reinforcementFineTuningJobs"] = [raw("fireworks_rft")]
    api.lists[f"{account}/deployments"] = [raw("fireworks_deployment"), {"name": "x"}]
    found = pages(api, "fireworks")
    assert len(ids(found)) == 3
    assert [one.units for page in found for one in page.hosting] == [6]
    assert [fault.where for page in found for fault in page.faults] == ["x"]
    assert api.asked[-1].query["showDeleted"] == "true"


# --- faults of the network


def test_retry_after_is_honoured(api: Api) -> None:
    wanted = fill(api, "openai", 1)
    date = "Sat, 31 Jan 2026 00:00:09 GMT"  # nine seconds after SEEN_US
    api.faults = {
        0: Fault(429, headers={"Retry-After": "7"}),
        1: Fault(503, headers={"Retry-After": date}),
    }
    slept: list[float] = []
    assert ids(pages(api, "openai", sleep=slept.append)) == wanted
    assert slept == [7.0, 9.0]


def test_500_is_tried_six_times_and_then_told(api: Api) -> None:
    fill(api, "openai", 1)
    api.always = lambda _asked: Fault(500, b"<html>oops</html>")
    slept: list[float] = []
    with pytest.raises(ProviderError, match="answers 500") as caught:
        pages(api, "openai", sleep=slept.append)
    assert slept == [1, 2, 4, 8, 16]
    assert len(api.asked) == 6
    assert caught.value.status == 500
    assert "run the sync again" in caught.value.remedy


def test_who_asks_for_hours_of_quiet_is_not_waited_for(api: Api) -> None:
    fill(api, "openai", 1)
    api.always = lambda _asked: Fault(429, headers={"Retry-After": "7200"})
    slept: list[float] = []
    with pytest.raises(ProviderError, match="left alone for 7200 s"):
        pages(api, "openai", sleep=slept.append)
    assert slept == []


def test_a_body_that_is_cut_off_is_asked_again(api: Api) -> None:
    wanted = fill(api, "openai", 3)
    api.faults = {0: Fault(cut=True)}
    assert ids(pages(api, "openai")) == wanted
    api.always = lambda _asked: Fault(cut=True)
    with pytest.raises(ProviderError, match=r"no whole answer \(the connection was cut"):
        pages(api, "openai")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "answers nothing"),
        (b" \n", "answers nothing"),
        (b"<html>", "no JSON"),
        (b'{"data": [', "half of it"),
        (b"\xff\xfe", "no JSON"),
        (b"[" * 200_000, "no JSON"),
        (b"[1]", "no JSON object"),
        (b'{"data": 7}', "'data' that is no list"),
        (b'{"jobs": []}', "without 'data'"),
    ],
)
def test_garbage_is_a_clear_error(api: Api, body: bytes, said: str) -> None:
    fill(api, "openai", 1)
    api.always = lambda _asked: Fault(200, body or b" ")
    with pytest.raises(ProviderError, match=said) as caught:
        pages(api, "openai")
    assert caught.value.remedy


def test_more_than_the_limit_is_not_read(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "BODY_BYTES", 1 << 20)
    fill(api, "openai", 1)
    bomb = gzip.compress(b" " * (8 << 20))
    zipped = {"Content-Encoding": "gzip"}
    for fault in (Fault(200, b" " * (2 << 20)), Fault(200, bomb, zipped)):
        api.always = always(fault)
        with pytest.raises(ProviderError, match="more than 1 MiB"):
            pages(api, "openai")
    api.always = lambda _asked: Fault(200, b"x", {"Content-Encoding": "br"})
    with pytest.raises(ProviderError, match="encoding"):
        pages(api, "openai")
    api.always = lambda _asked: Fault(200, b"no gzip at all", zipped)
    with pytest.raises(ProviderError, match="broken gzip"):
        pages(api, "openai")
    api.always = lambda _asked: Fault(200, gzip.compress(b'{"data": []}')[:-6], zipped)
    with pytest.raises(ProviderError, match="half a gzip"):
        pages(api, "openai")
    api.always = lambda _asked: Fault(200, gzip.compress(b'{"data": []}'), zipped)
    assert ids(pages(api, "openai")) == []


def test_nobody_there_is_a_clear_error(api: Api) -> None:
    access = Access("http://127.0.0.1:9", api.access("openai").keys)
    with pytest.raises(ProviderError, match="cannot be reached"):
        pages(api, "openai", access=access)


# --- keys


def test_401_and_403_say_which_variable_and_which_right(api: Api) -> None:
    for name in providers():
        fill(api, name, 1)
        for status, said in ((401, "does not know the key"), (403, "lacks a right")):
            api.always = always(Fault(status, b'{"error": {"code": "no"}}'))
            api.asked.clear()
            with pytest.raises(ProviderRefusedError, match=said) as caught:
                pages(api, name)
            assert provider(name).keys[0] in caught.value.remedy
            assert provider(name).right in caught.value.remedy
            assert len(api.asked) == 1  # not asked again


def test_training_not_available_is_told_as_what_it_is(api: Api) -> None:
    body = b'{"error": {"message": "told", "code": "training_not_available"}}'
    api.always = lambda _asked: Fault(403, body)
    with pytest.raises(ProviderRefusedError, match="cannot fine-tune any more") as caught:
        pages(api, "openai")
    assert "old jobs may still be readable" in caught.value.remedy


def test_a_redirect_does_not_get_the_key(api: Api) -> None:
    with serving() as other:
        fill(other, "openai", 1)
        to = {"Location": f"{other.url}{JOBS['openai']}"}
        api.always = lambda _asked: Fault(302, headers=to)
        with pytest.raises(ProviderError, match="leads elsewhere") as caught:
            pages(api, "openai")
        assert other.asked == []
        assert other.url not in str(caught.value)


def test_keys_are_sent_and_never_shown(
    api: Api, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    shown = []
    for name in providers():
        fill(api, name, 1)
        api.always = lambda _asked: None
        pages(api, name)
        sent = api.asked[-1].headers
        if name == "bedrock":
            assert sent["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
            assert CANARY not in json.dumps(sent)
        else:
            assert CANARY in sent.get("authorization", "") + sent.get("api-key", "")
        echo = json.dumps({"error": {"code": CANARY, "message": f"Incorrect key {CANARY}"}})
        for status in (400, 401, 403, 429, 500):
            fault = Fault(status, echo.encode())
            api.always = always(fault)
            with pytest.raises(MeterError) as caught:
                pages(api, name)
            shown += [str(caught.value), repr(caught.value)]
        shown += [repr(api.access(name)), str(api.access(name))]
    written = capfd.readouterr()
    assert CANARY not in "".join(shown) + caplog.text + written.out + written.err
    assert caplog.text  # something was written that could have had one


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org", "ftp://127.0.0.1", "https://user:pw@example.org", "example.org",
        "https://", "http://127.0.0.1.example.org", "https://[::1", "https://example.org?a=b",
    ],
)  # fmt: skip
def test_only_https_or_loopback_is_asked(url: str) -> None:
    with pytest.raises(UsageError, match="OPENAI_BASE_URL"):
        access_of(provider("openai"), VARIABLES, base_url=url)
    bare = Access(url, access_of(provider("openai"), VARIABLES).keys)
    with pytest.raises(UsageError, match="OPENAI_BASE_URL"):
        list(sync(provider("openai"), bare, None, lambda: SEEN_US))


@pytest.mark.parametrize("name", list(JOBS))
def test_addresses_of_the_providers(name: str) -> None:
    given = {"AZURE_OPENAI_ENDPOINT": "https://mine.openai.azure.com/"}
    assert (
        access_of(provider(name), VARIABLES | given).base_url
        == {
            "openai": "https://api.openai.com/v1",
            "azure": "https://mine.openai.azure.com",
            "together": "https://api.together.ai/v1",
            "fireworks": "https://api.fireworks.ai",
            "vertex": "https://us-central1-aiplatform.googleapis.com",
            "mistral": "https://api.mistral.ai",
            "bedrock": "https://bedrock.us-east-1.amazonaws.com",
        }[name]
    )


def test_a_base_url_with_v1_and_one_without_are_the_same(api: Api) -> None:
    wanted = fill(api, "openai", 1)
    for url in (api.url, f"{api.url}/v1", f"{api.url}/v1/"):
        access = access_of(provider("openai"), VARIABLES, base_url=url)
        assert ids(pages(api, "openai", access=access)) == wanted
    api.lists[f"/proxy{JOBS['openai']}"] = api.lists.pop(JOBS["openai"])
    access = access_of(provider("openai"), VARIABLES, base_url=f"{api.url}/proxy/v1")
    assert ids(pages(api, "openai", access=access)) == wanted


@pytest.mark.parametrize("name", list(JOBS))
def test_each_variable_that_is_missing_is_named(name: str) -> None:
    one = provider(name)
    places = [place.variable for place in one.places if place.default is None]
    for variable in (*one.keys, *places):
        given = {key: value for key, value in VARIABLES.items() if key != variable}
        with pytest.raises(UsageError, match=f"{variable}, and it|{variable} is not set"):
            access_of(one, given, base_url="https://example.org")
    with pytest.raises(UsageError, match="AZURE_OPENAI_ENDPOINT"):
        access_of(provider("azure"), VARIABLES)


def test_a_place_that_would_change_the_address_is_refused() -> None:
    for value in ("a/b", "evil.example.org/", "x y", "a@b", "{0}"):
        with pytest.raises(UsageError, match="FIREWORKS_ACCOUNT_ID cannot stand"):
            access_of(provider("fireworks"), VARIABLES | {"FIREWORKS_ACCOUNT_ID": value})


def test_keys_from_files(tmp_path: Any) -> None:
    path = tmp_path / "key"
    path.write_text(f"{CANARY}-file\n")
    access = access_of(provider("vertex"), VARIABLES, key_file=path)
    assert access.keys["GOOGLE_OAUTH_ACCESS_TOKEN"].reveal() == f"{CANARY}-file"
    with pytest.raises(UsageError, match="AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"):
        access_of(provider("bedrock"), VARIABLES, key_file=path)
    path.write_text('AWS_ACCESS_KEY_ID=A\nexport AWS_SECRET_ACCESS_KEY="b"\nAWS_SESSION_TOKEN=c\n')
    access = access_of(provider("bedrock"), VARIABLES, key_file=path)
    assert [secret.reveal() for secret in access.keys.values()] == ["A", "b", "c"]
    for broken in (b"", b"a\nb", b"\xff\xfe", b"x" * 9_000):
        path.write_bytes(broken)
        with pytest.raises(UsageError, match="holds no key"):
            access_of(provider("openai"), {}, key_file=path)
    with pytest.raises(UsageError, match="cannot be read"):
        access_of(provider("openai"), VARIABLES, key_file=tmp_path / "none")
    with pytest.raises(UsageError, match="OPENAI_API_KEY holds no key"):
        access_of(provider("openai"), {"OPENAI_API_KEY": "two words"})


def test_the_real_openai_client_and_this_one_read_the_same_api(api: Api) -> None:
    from openai import OpenAI

    wanted = fill(api, "openai", 5)
    api.most = 2
    with OpenAI(api_key=CANARY, base_url=f"{api.url}/v1", max_retries=0) as client:
        theirs = [job.id for job in client.fine_tuning.jobs.list(limit=2)]
    assert theirs == ids(pages(api, "openai")) == wanted
    agents = {one.headers["user-agent"].split("/")[0] for one in api.asked}
    assert agents == {"meter", "OpenAI"}
    assert api.counts() == {JOBS["openai"]: 6}
