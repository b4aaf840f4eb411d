"""Jobs from files of any of the forms that users have."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hosted.jobs.recorded import SEEN_US, raw
from meter.hosted.jobs import azure, importing
from meter.hosted.jobs.importing import Pages, hostings_of, jobs_of
from meter.hosted.jobs.registry import provider

OPENAI = provider("openai")


def one(number: int) -> dict[str, Any]:
    return {**json.loads(json.dumps(raw("openai_succeeded"))), "id": f"ftjob-{number}"}


def forms(jobs: list[dict[str, Any]]) -> list[Any]:
    """The same jobs in each form of a file."""
    lines = [json.dumps(job) for job in jobs]
    return [
        json.dumps(jobs),
        json.dumps(jobs, indent=2),
        json.dumps(jobs, indent=2).splitlines(keepends=True),
        json.dumps({"object": "list", "data": jobs, "has_more": False}),
        json.dumps({"jobs": jobs}, indent=1),
        json.dumps({"tuningJobs": jobs}),
        "\n".join(lines),
        "\n\n".join(lines) + "\n",
        [line + "\n" for line in lines],
        [json.dumps({"data": [job]}) for job in jobs],
    ]


@given(st.integers(1, 6))
def test_every_form_gives_the_same_jobs(count: int) -> None:
    jobs = [one(number) for number in range(count)]
    wanted = [OPENAI.job(job, SEEN_US) for job in jobs]
    for form in forms(jobs):
        assert jobs_of(form, OPENAI, SEEN_US) == (wanted, [])


@given(st.integers(2, 6), st.data())
def test_half_a_jsonl_gives_what_is_whole_and_names_the_line(
    count: int, data: st.DataObject
) -> None:
    lines = [json.dumps(one(number)) for number in range(count)]
    broken = data.draw(st.integers(0, count - 1))
    lines[broken] = lines[broken][: data.draw(st.integers(1, len(lines[broken]) - 1))]
    found, faults = jobs_of("\n".join(lines), OPENAI, SEEN_US)
    assert [job.id for job in found] == [f"ftjob-{n}" for n in range(count) if n != broken]
    assert [(fault.place, fault.what) for fault in faults] == [(broken + 1, "line")]
    assert "half of it" in faults[0].message


def test_one_object_is_one_job() -> None:
    for text in (json.dumps(one(1)), json.dumps(one(1), indent=2)):
        found, faults = jobs_of(text, OPENAI, SEEN_US)
        assert [job.id for job in found] == ["ftjob-1"]
        assert faults == []


def test_what_the_aws_command_prints_is_read() -> None:
    found, faults = jobs_of(
        json.dumps(raw("bedrock_completed"), indent=4, default=float), provider("bedrock"), SEEN_US
    )
    assert found[0].epochs == 2
    assert faults == []
    page = json.dumps({"modelCustomizationJobSummaries": [raw("bedrock_summary")]}, default=float)
    assert jobs_of(page, provider("bedrock"), SEEN_US)[0][0].name == "bad"


def test_a_bad_job_is_named_and_the_others_are_taken() -> None:
    jobs = [one(1), {**one(2), "model": None}, 7]
    found, faults = jobs_of(json.dumps(jobs, indent=1), OPENAI, SEEN_US)
    assert [job.id for job in found] == ["ftjob-1"]
    assert [(fault.place, fault.what) for fault in faults] == [(2, "entry"), (3, "entry")]
    assert "model is missing" in faults[0].message
    assert "no JSON object" in faults[1].message


@pytest.mark.parametrize("text", ["", "\n \n", "[]", '{"data": []}', "hello", "\x00", "NaN"])
def test_a_file_without_jobs_says_so(text: str) -> None:
    found, faults = jobs_of(text, OPENAI, SEEN_US)
    assert found == []
    assert faults


def test_a_line_that_is_too_long_is_named_and_the_next_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importing, "LINE_CHARS", 3_000)
    lines = [json.dumps(one(1)), json.dumps({**one(2), "note": "x" * 4_000}), json.dumps(one(3))]
    found, faults = jobs_of(lines, OPENAI, SEEN_US)
    assert [job.id for job in found] == ["ftjob-1", "ftjob-3"]
    assert (faults[0].place, "longer" in faults[0].message) == (2, True)
    monkeypatch.setattr(importing, "TEXT_CHARS", 500)
    _, faults = jobs_of(json.dumps([one(1)], indent=1), OPENAI, SEEN_US)
    assert "longer" in faults[0].message


def test_numbers_stay_exact() -> None:
    text = json.dumps(raw("mistral_success"), default=float).replace("5.24", "0.1000000001")
    found, _ = jobs_of(text, provider("mistral"), SEEN_US)
    assert found[0].billed is not None
    assert str(found[0].billed.amount) == "0.1000000001"


def test_deployments_of_the_az_command_are_read() -> None:
    text = json.dumps([raw("azure_deployment"), {"name": "x"}], indent=2)
    found, faults = hostings_of(text, azure.hosting)
    assert [one.service_tier for one in found] == ["GlobalStandard"]
    assert [fault.place for fault in faults] == [2]


@pytest.mark.parametrize(
    ("name", "pages", "more"),
    [
        ("openai", [{"data": [one(1)], "has_more": True}], True),
        ("openai", [{"data": [one(1)], "has_more": False}], False),
        ("openai", [{"data": [one(1)], "has_more": True}, {"data": [one(2)]}], False),
        ("openai", [{"data": [one(1)]}, {"data": [one(2)], "has_more": True}], True),
        ("openai", [one(1), one(2)], False),
        ("vertex", [{"tuningJobs": [raw("vertex_succeeded")], "nextPageToken": "abc"}], True),
        ("vertex", [{"tuningJobs": [raw("vertex_succeeded")], "nextPageToken": ""}], False),
        ("mistral", [{"data": [raw("mistral_success")], "total": 2}], True),
        ("mistral", [{"data": [raw("mistral_success")], "total": 1}], False),
    ],
)
def test_a_list_of_which_pages_are_missing_is_known(
    name: str, pages: list[Any], more: bool
) -> None:
    seen = Pages()
    lines = [json.dumps(page, default=float) for page in pages]
    found, faults = jobs_of(lines, provider(name), SEEN_US, seen)
    assert (len(found), faults, seen.more) == (len(pages), [], more)


def test_deployments_on_further_pages_are_known_of() -> None:
    seen = Pages()
    page = {"value": [raw("azure_deployment")], "nextLink": "https://management.azure.com/x"}
    hostings_of(json.dumps(page, indent=1), azure.hosting, seen)
    assert seen.more
