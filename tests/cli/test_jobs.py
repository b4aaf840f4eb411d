"""``meter jobs``: each job of a file or an API is booked once, and an interrupted sync goes on."""

from __future__ import annotations

import json
import time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from meter.past.hosted_taking import LATER
from tests.agent.agents import agent
from tests.cli.places import Place
from tests.hosted.jobs.apis import CANARY, VARIABLES, Api, Fault, serving
from tests.hosted.jobs.recorded import SHAPES, raw
from tests.run_schema import run_schema

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

JOBS = "/v1/fine_tuning/jobs"
STAYS = {"Retry-After": "0"}  # so that no test waits
RUN = "openai:ftjob-sft"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path, **VARIABLES)


@pytest.fixture
def api() -> Iterator[Api]:
    with serving() as served:
        yield served


def plain(name: str, **changed: Any) -> dict[str, Any]:
    """A recorded job as JSON has it."""
    found: dict[str, Any] = json.loads(json.dumps({**raw(name), **changed}, default=float))
    return found


def file(folder: Path, *entries: object) -> str:
    """A file of JSON lines."""
    path = folder / "jobs.jsonl"
    lines = (one if isinstance(one, str) else json.dumps(one) for one in entries)
    path.write_text("".join(f"{line}\n" for line in lines))
    return str(path)


def told(place: Place, capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> Any:
    """What a command tells with --json."""
    capsys.readouterr()
    assert place.call(*words, "--json") == code
    return json.loads(capsys.readouterr().out)


def tokens(place: Place, capsys: pytest.CaptureFixture[str]) -> int | None:
    """All trained tokens of the ledger."""
    rows = told(place, capsys, "usage", "list")["usage"]
    return sum(int(row["quantity"]) for row in rows if row["meter"] == "train_token")


def served(api: Api, *jobs: dict[str, Any]) -> None:
    """Put jobs behind the list, and each behind its own address with what belongs to it."""
    api.lists[JOBS] = list(jobs)
    for job in jobs:
        api.singles[f"{JOBS}/{job['id']}"] = job
        for kind in ("checkpoints", "events"):
            api.singles[f"{JOBS}/{job['id']}/{kind}"] = {"data": [], "has_more": False}


# --- import


def test_a_job_is_new_then_known_and_costs_once(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = file(tmp_path, plain("openai_succeeded"))
    assert place.call("jobs", "import", path, "--provider", "openai") == 0
    out, err = capsys.readouterr()
    assert out == f"Jobs: 1 new, 0 updated, 0 known. See: meter show {RUN}\n"
    assert err == ""
    assert place.call("jobs", "import", path, "--provider", "openai") == 0
    assert capsys.readouterr().out == "Jobs: 0 new, 0 updated, 1 known.\n"
    assert tokens(place, capsys) == 300_000


def test_a_running_job_that_has_ended_is_updated_and_gets_its_tokens(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("jobs", "import", file(tmp_path, plain("openai_running")), "--provider", "openai")
    assert told(place, capsys, *words)["new"] == ["openai:ftjob-run"]
    assert tokens(place, capsys) == 0
    (run,) = told(place, capsys, "runs")["runs"]
    assert run["status"] == "running"
    file(tmp_path, plain("openai_succeeded", id="ftjob-run"))
    assert told(place, capsys, *words)["updated"] == ["openai:ftjob-run"]
    (run,) = told(place, capsys, "runs")["runs"]
    assert (run["status"], run["ended_at"]) == ("completed", "2026-01-01T01:00:00.000000Z")
    assert tokens(place, capsys) == 300_000


def test_what_is_whole_is_booked_and_each_fault_is_named(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = file(
        tmp_path, plain("openai_succeeded"), '{"id": "half', plain("openai_rft", created_at="x"),
        plain("openai_failed"),
    )  # fmt: skip
    assert place.call("jobs", "import", path, "--provider", "openai") == 1
    out, err = capsys.readouterr()
    assert out.startswith("Jobs: 2 new, 0 updated, 0 known.")
    first, second, last = err.splitlines()
    assert first.startswith("meter: not taken: line 2: no JSON, or half of it")
    assert second.startswith("meter: not taken: line 3: ")
    assert "not taken: 2 of the entries" in last
    found = told(place, capsys, "jobs", "import", path, "--provider", "openai", code=1)
    assert (found["known"], len(found["faults"])) == (2, 2)


def test_jobs_of_another_provider_are_not_booked_as_this_one_s(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = file(tmp_path, plain("together_completed"))
    assert place.call("jobs", "import", path, "--provider", "openai") == 1
    assert "line 1: " in capsys.readouterr().err
    assert told(place, capsys, "runs")["runs"] == []


@pytest.mark.parametrize(
    "name",
    ["openai_succeeded", "azure_rft", "together_completed", "fireworks_sft", "vertex_succeeded",
     "mistral_success", "bedrock_completed"],
)  # fmt: skip
def test_each_provider_s_job_is_a_run_that_is_shown(
    place: Place, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    provider = name.partition("_")[0]
    words = ("jobs", "import", str(SHAPES / f"{name}.json"), "--provider", provider)
    (run_id,) = told(place, capsys, *words)["new"]
    assert place.call("show", run_id) == 0
    out = capsys.readouterr().out
    assert "completed" in out
    assert max(map(len, out.splitlines())) <= 80
    shown = told(place, capsys, "show", run_id)["hosted"]
    assert (shown["provider"], shown["status"]) == (provider, "succeeded")


def test_deployments_are_hours_of_hosting_once(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(SHAPES / "fireworks_deployment.json")
    words = ("jobs", "import", path, "--provider", "fireworks", "--hosting")
    assert place.call(*words) == 0
    assert capsys.readouterr().out == "Jobs: 0 new, 0 updated, 0 known; 1 day(s) of hosting.\n"
    assert told(place, capsys, *words)["hosting_days"] == 0
    (row,) = told(place, capsys, "usage", "list")["usage"]
    assert (row["meter"], row["quantity"]) == ("host_hour", "144")  # a day, 3 replicas of 2 GPUs


def test_a_plain_model_at_azure_costs_nothing_by_the_hour_and_a_tuned_one_does(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain_model = {"model": {"format": "OpenAI", "name": "gpt-4o", "version": "1"}}
    path = file(
        tmp_path,
        plain("azure_deployment", id="/d/1", properties=plain_model),
        plain("azure_deployment"),
    )
    assert place.call("prices", "import", "--bundled") == 0
    words = ("jobs", "import", path, "--provider", "azure", "--hosting")
    assert told(place, capsys, *words)["without_hours"] == 1
    assert place.call(*words) == 0
    assert "1 deployment(s) of plain models" in capsys.readouterr().err
    (row,) = told(place, capsys, "usage", "list")["usage"]
    assert row["model"] == "gpt-4o-mini-2024-07-18.ft-0123"
    assert Decimal(row["amount"]) == Decimal(row["quantity"]) * Decimal("1.7")


def test_what_was_booked_and_priced_by_the_hour_at_azure_loses_its_price(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As an earlier version left it: hours of a plain model, and a price of every model."""
    rows = tmp_path / "earlier.csv"
    rows.write_text(
        "provider,model,meter,per,currency,value,service_tier,source,source_date,licence,rank\n"
        "azure,*,host_hour,1,USD,1.7,GlobalStandard,page,2026-02-11,fact of a public page,100\n"
    )
    assert place.call("prices", "import", str(rows)) == 0
    hours = ("--model", "gpt-4o", "--meter", "host_hour", "--quantity", "144", "--id", "1")
    tier = ("--provider", "azure", "--service-tier", "GlobalStandard")
    assert place.call("usage", "record", *tier, *hours) == 0
    (row,) = told(place, capsys, "usage", "list")["usage"]
    assert Decimal(row["amount"]) == Decimal("244.80")
    assert place.call("prices", "import", "--bundled") == 0
    (row,) = told(place, capsys, "usage", "list")["usage"]
    assert row["amount"] is None


def test_deployments_of_a_provider_without_any_are_refused(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = file(tmp_path, plain("openai_succeeded"))
    assert place.call("jobs", "import", path, "--provider", "openai", "--hosting") == 2
    assert "those of azure, fireworks can" in capsys.readouterr().err


DEPLOYMENTS = (
    "/subscriptions/0000-1111/resourceGroups/rg_of(us)/providers/Microsoft.CognitiveServices"
    "/accounts/acc/deployments"
)


def test_azure_s_deployments_are_fetched_with_a_token_and_counted_once(
    place: Place, api: Api, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    running = file(tmp_path, plain("azure_pending"))
    assert place.call("jobs", "import", running, "--provider", "azure") == 0
    plain_model = {"model": {"name": "gpt-4o"}}
    api.most = 1
    api.lists[DEPLOYMENTS] = [
        plain("azure_deployment"), plain("azure_deployment", id="/d/1", properties=plain_model),
        plain("azure_deployment", id="/d/2", systemData={"createdAt": "1970-01-01"}),
    ]  # fmt: skip
    token = tmp_path / "token"
    token.write_text("token-CANARY-of-a-file\n")
    words = ("jobs", "sync", "--provider", "azure", "--hosting", "--base-url", api.url,
             "--key-file", str(token))  # fmt: skip
    found = told(place, capsys, *words, code=1)
    assert found["hosting_days"] > 300
    assert found["without_hours"] == 1
    assert [fault.partition(":")[0] for fault in found["faults"]] == ["/d/2"]
    assert {asked.path for asked in api.asked} == {DEPLOYMENTS}  # no job is asked for there
    assert {a.headers["authorization"] for a in api.asked} == {"Bearer token-CANARY-of-a-file"}
    assert told(place, capsys, *words, code=1)["hosting_days"] == 0
    (row,) = told(place, capsys, "usage", "list")["usage"]
    assert (row["meter"], row["service_tier"]) == ("host_hour", "GlobalStandard")
    assert b"CANARY" not in (place.home / "ledger.duckdb").read_bytes()


def test_a_file_and_the_management_plane_are_the_same_hours(
    place: Place, api: Api, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = file(tmp_path, plain("azure_deployment"))
    assert place.call("jobs", "import", path, "--provider", "azure", "--hosting") == 0
    api.lists[DEPLOYMENTS] = [plain("azure_deployment")]
    words = ("jobs", "sync", "--provider", "azure", "--hosting", "--base-url", api.url)
    assert told(place, capsys, *words)["hosting_days"] == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--provider", "openai", "--hosting"), "those of azure and fireworks are"),
        (("--provider", "azure", "--hosting", "--since", "2026-01-01"), "--since is of jobs"),
    ],
)
def test_a_sync_of_deployments_that_cannot_be_is_wrong_usage(
    place: Place, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    assert place.call("jobs", "sync", *words) == 2
    assert said in capsys.readouterr().err


def test_a_page_of_several_is_booked_and_the_others_are_asked_for(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = {"object": "list", "data": [plain("openai_succeeded")], "has_more": True}
    words = ("jobs", "import", file(tmp_path, page), "--provider", "openai")
    assert place.call(*words) == 0
    assert "the last page in the file says that there are more" in capsys.readouterr().err
    assert told(place, capsys, *words)["more_pages"] is True
    file(tmp_path, page | {"has_more": False})
    assert place.call(*words) == 0
    assert capsys.readouterr().err == ""


def test_the_project_of_the_command_pays(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = file(tmp_path, plain("openai_succeeded"))
    assert place.call("jobs", "import", path, "--provider", "openai", "--project", "chat") == 0
    (row,) = told(place, capsys, "usage", "list", "--project", "chat")["usage"]
    assert (row["project"], row["quantity"]) == ("chat", "300000")


def test_the_project_of_the_command_goes_before_the_one_that_a_job_names(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = file(tmp_path, plain("vertex_succeeded"))
    assert place.call("jobs", "import", path, "--provider", "vertex", "--project", "chat") == 0
    (row,) = told(place, capsys, "usage", "list")["usage"]
    (run,) = told(place, capsys, "runs")["runs"]
    assert (row["project"], run["project"]) == ("chat", "chat")


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff\xfe{"])
def test_a_file_without_a_job_says_so(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    path = tmp_path / "jobs.json"
    path.write_bytes(content)
    assert place.call("jobs", "import", str(path), "--provider", "openai") in {1, 2}
    err = capsys.readouterr().err
    assert "no UTF-8" in err if content.startswith(b"\xff") else "there is no job in it" in err
    assert "Traceback" not in err


def test_beside_an_agent_the_agent_books(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with agent(tmp_path) as node:
        node.hear("reading")
        place = Place(tmp_path, METER_HOME=str(node.home), METER_SOCKET=node.socket)
        path = file(tmp_path, plain("openai_succeeded"), plain("openai_rft"))
        words = ("jobs", "import", path, "--provider", "openai")
        assert told(place, capsys, *words)["new"] == [RUN, "openai:ftjob-rft"]
        assert told(place, capsys, *words)["known"] == 2
        assert tokens(place, capsys) == 300_000  # RFT is billed by the hour
        path = file(tmp_path, plain("vertex_succeeded"))
        words = ("jobs", "import", path, "--provider", "vertex", "--project", "chat")
        assert len(told(place, capsys, *words)["new"]) == 1
        assert len(told(place, capsys, "usage", "list", "--project", "chat")["usage"]) == 1


def test_what_a_provider_tells_after_a_job_has_ended_is_added_by_importing_it_again(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("jobs", "import", file(tmp_path, plain("openai_succeeded", trained_tokens=None)))
    words = (*words, "--provider", "openai")
    assert told(place, capsys, *words)["new"] == [RUN]
    before = told(place, capsys, "show", RUN)
    assert "usage_unknown" in [one["code"] for one in before["notices"]]
    file(tmp_path, plain("openai_succeeded"))
    found = told(place, capsys, *words)
    assert (found["updated"], found["changed"]) == ([RUN], [])
    assert tokens(place, capsys) == 300_000
    after = told(place, capsys, "show", RUN)
    assert "usage_unknown" not in [one["code"] for one in after["notices"]]
    assert len(after["hosted"]["estimates"]) >= len(before["hosted"]["estimates"])
    assert after["hosted"]["estimates"] != before["hosted"]["estimates"]
    assert told(place, capsys, *words)["known"] == 1
    assert tokens(place, capsys) == 300_000
    file(tmp_path, plain("openai_succeeded", trained_tokens=5))
    assert told(place, capsys, *words, code=1)["changed"] == [RUN]
    assert tokens(place, capsys) == 300_000


def test_what_an_earlier_version_booked_of_a_job_beside_an_unknown_amount_counts_once(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("jobs", "import", file(tmp_path, plain("openai_succeeded", trained_tokens=None)))
    words = (*words, "--provider", "openai")
    assert told(place, capsys, *words)["new"] == [RUN]
    later = {
        "source": "jobs:openai", "id": f"ftjob-sft{LATER}", "at": "2026-11-02T10:00:00Z",
        "provider": "openai", "model": "gpt-4o-mini-2024-07-18", "meter": "train_token",
        "quantity": 300_000, "run": RUN,
    }  # fmt: skip
    path = tmp_path / "later.jsonl"
    path.write_text(json.dumps(later))
    assert told(place, capsys, "usage", "import", str(path))["stored"] == 1
    assert tokens(place, capsys) == 300_000
    file(tmp_path, plain("openai_succeeded"))
    assert told(place, capsys, *words)["updated"] == [RUN]
    assert tokens(place, capsys) == 300_000


def test_a_job_of_odd_words_is_told_so_where_it_is_booked_and_shown(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    late = plain(
        "openai_succeeded", id="late", finished_at=plain("openai_running")["created_at"] - 5
    )
    late["created_at"] = late["finished_at"] + 9
    odd = plain("openai_running", id="odd", status="meditating")
    path = file(tmp_path, odd, late)
    found = told(place, capsys, "jobs", "import", path, "--provider", "openai")
    assert [line.partition(":")[0] for line in found["odd"]] == ["odd", "late"]
    assert '"meditating"' in found["odd"][0]
    assert place.call("jobs", "import", path, "--provider", "openai") == 0
    assert '"meditating"' in capsys.readouterr().err
    for run, code in (("openai:odd", "unknown_status"), ("openai:late", "times_out_of_order")):
        (notice,) = [
            one for one in told(place, capsys, "show", run)["notices"] if one["code"] == code
        ]
        assert notice["severity"] == "warning"
        assert ("meditating" in notice["text"]) == (run == "openai:odd")


def test_a_cancelled_job_is_called_so_in_list_and_document(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = {"stopped": "cancelled", "broken": "failed", "done": "succeeded"}
    jobs = [plain("openai_succeeded", id=name, status=word) for name, word in names.items()]
    assert place.call("jobs", "import", file(tmp_path, *jobs), "--provider", "openai") == 0
    rows = told(place, capsys, "runs")["runs"]
    wanted = {"openai:stopped": "cancelled", "openai:broken": "failed", "openai:done": "completed"}
    assert {row["run_id"]: row["status"] for row in rows} == wanted
    document = told(place, capsys, "show", "openai:stopped")
    assert not list(run_schema().iter_errors(document))
    assert document["run"]["status"] == "cancelled"
    assert place.call("runs") == 0
    assert "cancelled" in capsys.readouterr().out


# --- sync


def sync(place: Place, api: Api, *words: str) -> int:
    return place.call("jobs", "sync", "--provider", "openai", "--base-url", api.url, *words)


def stopped(place: Place, api: Api) -> Path:
    """A sync of four jobs that stopped after two; the file of its cursor."""
    served(api, *(plain("openai_succeeded", id=f"ftjob-{n}") for n in range(4)))
    api.most = 2
    api.always = lambda asked: Fault(500, b"{}", STAYS) if "after" in asked.query else None
    assert sync(place, api) == 1
    (cursor,) = place.home.glob("*.cursor")
    return cursor


def test_all_pages_are_booked_and_asked_again_only_what_is_open(
    place: Place, api: Api, capsys: pytest.CaptureFixture[str]
) -> None:
    jobs = [plain("openai_succeeded", id=f"ftjob-{n}") for n in range(5)]
    served(api, *jobs, plain("openai_running"))
    api.most = 2
    assert sync(place, api) == 0
    assert capsys.readouterr().out.startswith("Jobs: 6 new, 0 updated, 0 known.")
    assert tokens(place, capsys) == 5 * 300_000
    served(api, *jobs, plain("openai_succeeded", id="ftjob-run"))
    assert sync(place, api) == 0
    assert capsys.readouterr().out.startswith("Jobs: 0 new, 1 updated, 0 known.")
    assert tokens(place, capsys) == 6 * 300_000


def test_an_interrupted_sync_goes_on_and_books_nothing_twice(
    place: Place, api: Api, capsys: pytest.CaptureFixture[str]
) -> None:
    jobs = [plain("openai_succeeded", id=f"ftjob-{n}") for n in range(6)]
    served(api, *jobs)
    api.most = 2
    stays = Fault(500, b"{}", STAYS)
    api.always = lambda asked: stays if asked.query.get("after") == "ftjob-1" else None
    assert sync(place, api) == 1
    out, err = capsys.readouterr()
    assert (out, "answers 500" in err) == ("", True)
    assert "it goes on from where it was" in err
    assert "booked before the error: Jobs: 2 new" in err
    (cursor,) = place.home.glob("*.cursor")
    assert CANARY not in cursor.read_text()
    assert tokens(place, capsys) == 2 * 300_000
    api.always = lambda _asked: None
    api.asked.clear()
    assert sync(place, api) == 0
    assert capsys.readouterr().out.startswith("Jobs: 4 new, 0 updated, 0 known.")
    listed = [asked.query for asked in api.asked if asked.path == JOBS]
    assert [query.get("after") for query in listed] == ["ftjob-1", "ftjob-3"]
    assert not cursor.exists()
    assert tokens(place, capsys) == 6 * 300_000
    assert sync(place, api) == 0
    assert tokens(place, capsys) == 6 * 300_000


def test_a_place_that_the_provider_knows_no_more_is_left_for_the_beginning(
    place: Place, api: Api, capsys: pytest.CaptureFixture[str]
) -> None:
    """Page tokens expire, and jobs are deleted: the same command must not fail for ever."""
    stopped(place, api)
    gone = Fault(400, b'{"error": {"code": "invalid_request"}}')
    api.always = lambda asked: gone if asked.query.get("after") == "ftjob-1" else None
    api.lists[JOBS] = api.lists[JOBS][:2]
    assert sync(place, api) == 0
    assert capsys.readouterr().out == "Jobs: 0 new, 0 updated, 0 known.\n"
    assert not list(place.home.glob("*.cursor"))


@pytest.mark.parametrize(
    "words", [("--since", "2020-01-01"), ("--base-url", "other"), ("--again", "30")]
)
def test_another_question_begins_at_the_beginning(
    place: Place, api: Api, capsys: pytest.CaptureFixture[str], words: tuple[str, str]
) -> None:
    stopped(place, api)
    capsys.readouterr()
    api.always = lambda _asked: None
    api.asked.clear()
    others = [api.url + "/v1" if word == "other" else word for word in words]
    assert sync(place, api, *others) == 0
    assert capsys.readouterr().out.startswith("Jobs: 2 new")
    assert "after" not in api.asked[0].query


def test_a_cursor_that_is_none_is_left_aside(
    place: Place, api: Api, capsys: pytest.CaptureFixture[str]
) -> None:
    cursor = stopped(place, api)
    first = cursor.read_bytes().splitlines()[0]
    api.always = lambda _asked: None
    for text in (b"", b"\xff", b'["together",0,null]', b"[[[["):
        for before in (b"", first + b"\n"):
            cursor.write_bytes(before + text)
            assert sync(place, api) == 0
    assert "Jobs: 2 new" in capsys.readouterr().out


def test_since_leaves_out_what_ended_before(
    place: Place, api: Api, capsys: pytest.CaptureFixture[str]
) -> None:
    served(api, plain("openai_succeeded"), plain("openai_running"))
    assert sync(place, api, "--since", "2026-02-01") == 0
    assert "meter show openai:ftjob-run" in capsys.readouterr().out
    assert tokens(place, capsys) == 0
    assert sync(place, api, "--since", "yesterday") == 2
    assert "--since" in capsys.readouterr().err


def test_an_entry_that_cannot_be_read_is_named_and_the_others_booked(
    place: Place, api: Api, capsys: pytest.CaptureFixture[str]
) -> None:
    served(api, plain("openai_succeeded"), {**plain("openai_failed"), "status": 7})
    assert sync(place, api) == 1
    out, err = capsys.readouterr()
    assert out.startswith("Jobs: 1 new")
    assert "meter: not taken: " in err
    assert "not taken: 1 of the entries" in err


def test_a_list_that_may_not_be_read_does_not_bar_the_others_for_good(
    place: Place, api: Api, capsys: pytest.CaptureFixture[str]
) -> None:
    lists = {"supervisedFineTuningJobs": "sft", "reinforcementFineTuningJobs": "rft",
             "deployments": "deployment"}  # fmt: skip
    for kind, name in lists.items():
        api.lists[f"/v1/accounts/example/{kind}"] = [plain(f"fireworks_{name}")]
    api.always = lambda asked: Fault(403) if asked.path.endswith("dpoJobs") else None
    words = ("jobs", "sync", "--provider", "fireworks", "--base-url", api.url)
    found = told(place, capsys, *words, code=1)
    assert (len(found["new"]), found["hosting_days"]) == (2, 1)
    assert [fault.partition(":")[0] for fault in found["faults"]] == ["dpoJobs"]
    api.always = lambda _asked: None
    api.lists["/v1/accounts/example/dpoJobs"] = [plain("fireworks_dpo")]
    assert len(told(place, capsys, *words)["new"]) == 1


def test_a_job_whose_details_may_not_be_read_is_booked_and_told(
    place: Place, api: Api, capsys: pytest.CaptureFixture[str]
) -> None:
    served(api, plain("openai_succeeded"))
    del api.singles[f"{JOBS}/ftjob-sft/checkpoints"]
    assert sync(place, api) == 0
    out, err = capsys.readouterr()
    assert out.startswith("Jobs: 1 new")
    assert "booked, but not all that belongs to it could be read: ftjob-sft: OpenAI" in err
    assert "details_missing" in told(place, capsys, "show", RUN)["hosted"]["flags"]


def ended(days_ago: float, **changed: Any) -> dict[str, Any]:
    """A job that ended so many days before now."""
    at = int(time.time() - days_ago * 86_400)
    return plain("openai_succeeded", created_at=at - 3_600, finished_at=at, **changed)


def test_what_a_provider_tells_late_of_a_job_that_ended_is_in_the_next_sync(
    place: Place, api: Api, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("jobs", "sync", "--provider", "openai", "--base-url", api.url)
    served(api, ended(2, id="late", trained_tokens=None), ended(30, id="old", trained_tokens=None))
    assert len(told(place, capsys, *words)["new"]) == 2
    served(api, ended(2, id="late"), ended(30, id="old"))
    assert told(place, capsys, *words, "--again", "0")["updated"] == []
    assert told(place, capsys, *words, "--since", "2200-01-01")["updated"] == []
    found = told(place, capsys, *words)
    assert (found["updated"], found["known"], found["changed"]) == (["openai:late"], 0, [])
    assert tokens(place, capsys) == 300_000
    for _ in range(2):
        found = told(place, capsys, *words, "--again", "60")
    assert (found["updated"], found["known"], found["again"]) == ([], 2, [])
    assert tokens(place, capsys) == 600_000


def test_what_cannot_be_read_any_more_of_a_job_stays_as_it_was_told(
    place: Place, api: Api, capsys: pytest.CaptureFixture[str]
) -> None:
    served(api, ended(1, trained_tokens=None))
    checkpoints = f"{JOBS}/ftjob-sft/checkpoints"
    api.singles[checkpoints] = plain("openai_checkpoints")
    assert sync(place, api) == 0
    before = told(place, capsys, "show", RUN)["hosted"]
    assert before["checkpoints"]
    served(api, ended(1))
    del api.singles[checkpoints]
    assert sync(place, api) == 0
    out, err = capsys.readouterr()
    assert out.startswith("Jobs: 0 new, 1 updated, 0 known")
    assert "not all that belongs to it could be read: ftjob-sft" in err
    after = told(place, capsys, "show", RUN)["hosted"]
    assert after["checkpoints"] == before["checkpoints"]
    assert "details_missing" not in after["flags"]
    assert tokens(place, capsys) == 300_000
    assert sync(place, api) == 0
    assert capsys.readouterr().out.startswith("Jobs: 0 new, 0 updated, 1 known")


def test_without_a_key_its_variable_is_named(
    tmp_path: Path, api: Api, capsys: pytest.CaptureFixture[str]
) -> None:
    place = Place(tmp_path)
    assert sync(place, api) == 2
    assert "OPENAI_API_KEY is not set" in capsys.readouterr().err
    assert api.asked == []


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_without_rights_is_told_what_it_needs(
    place: Place, api: Api, capsys: pytest.CaptureFixture[str], status: int
) -> None:
    api.always = lambda _asked: Fault(status, json.dumps({"error": {"message": CANARY}}).encode())
    assert sync(place, api) == 1
    out, err = capsys.readouterr()
    assert "api.fine_tuning.jobs.read" in err
    assert CANARY not in out + err


@pytest.mark.parametrize("words", [(), ("--json",), ("--debug",)])
def test_the_key_is_in_no_output_and_in_no_file(
    tmp_path: Path, api: Api, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    key = tmp_path / "key"
    key.write_text(f"{CANARY}\n")
    place = Place(tmp_path)
    served(api, *(plain("openai_succeeded", id=f"ftjob-{n}") for n in range(4)))
    api.most = 2
    api.always = lambda asked: Fault(500, b"{}", STAYS) if "after" in asked.query else None
    assert sync(place, api, "--key-file", str(key), *words) == 1
    first = capsys.readouterr()
    kept = [path.read_bytes() for path in place.home.rglob("*") if path.is_file()]
    api.always = lambda _asked: None
    assert sync(place, api, "--key-file", str(key), *words) == 0
    second = capsys.readouterr()
    kept += [path.read_bytes() for path in place.home.rglob("*") if path.is_file()]
    assert all(asked.headers["authorization"] == f"Bearer {CANARY}" for asked in api.asked)
    assert len(kept) >= 3  # ledger and cursor, then the ledger
    assert all(CANARY.encode() not in content for content in kept)
    assert CANARY not in first.out + first.err + second.out + second.err


def test_beside_an_agent_its_home_needs_no_folder_of_ours(
    tmp_path: Path, api: Api, capsys: pytest.CaptureFixture[str]
) -> None:
    served(api, *(plain("openai_succeeded", id=f"ftjob-{n}") for n in range(4)))
    api.most = 2
    (tmp_path / "node").mkdir()
    with agent(tmp_path / "node") as node:
        node.hear("reading")
        place = Place(tmp_path, METER_SOCKET=node.socket, **VARIABLES)
        assert not place.home.exists()
        assert sync(place, api) == 0
        assert capsys.readouterr().out.startswith("Jobs: 4 new")
        assert sync(place, api) == 0
        assert capsys.readouterr().out.startswith("Jobs: 0 new")
        assert tokens(place, capsys) == 4 * 300_000


def test_an_address_without_https_is_asked_nothing(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("jobs", "sync", "--provider", "openai", "--base-url", "http://example.org")
    assert place.call(*words) == 2
    assert "https" in capsys.readouterr().err


def test_an_unknown_provider_is_wrong_usage(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    assert place.call("jobs", "sync", "--provider", "nobody") == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_corrected_assumption_makes_estimates_again_when_jobs_are_imported_again(
    place, tmp_path, capsys
) -> None:
    jobs = file(tmp_path, plain("openai_succeeded"))
    assert told(place, capsys, "jobs", "import", jobs, "--provider", "openai")["again"] == []
    before = told(place, capsys, "show", RUN)["energy"]["by_component"]["hosted"]
    sheet = tmp_path / "mine.csv"
    sheet.write_text(
        "kind,scope,value,low,high,unit,source,source_date,licence,rank\n"
        "mfu,hosted:openai,0.01,0.01,0.01,1,my own,2026-11-01,own data,400\n"
    )
    assert place.call("factors", "import", str(sheet)) == 0
    found = told(place, capsys, "jobs", "import", jobs, "--provider", "openai")
    assert (found["known"], found["again"]) == (1, [RUN])
    after = told(place, capsys, "show", RUN)["energy"]["by_component"]["hosted"]
    assert after["high"] > before["high"]
    assert told(place, capsys, "jobs", "import", jobs, "--provider", "openai")["again"] == []


def test_a_job_alone_in_a_ledger_has_the_worlds_range_of_carbon_and_says_so(
    place, tmp_path, capsys
) -> None:
    jobs = file(tmp_path, plain("openai_succeeded"))
    assert place.call("jobs", "import", jobs, "--provider", "openai") == 0
    document = told(place, capsys, "show", RUN)
    location = document["carbon"]["location"]
    assert location["low"] < location["value"] < location["high"]
    assert location["method"] == "assumed"
    assert "no_zone" in [one["code"] for one in document["notices"]]


@pytest.mark.parametrize("shape", ["openai_succeeded", "openai_rft", "openai_failed"])
def test_a_jobs_document_alone_comes_out_of_a_sum_as_it_went_in(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str], shape: str
) -> None:
    words = ("jobs", "import", file(tmp_path, plain(shape)), "--provider", "openai")
    [run] = told(place, capsys, *words)["new"]
    document = told(place, capsys, "show", run)
    path, out = tmp_path / "job.json", tmp_path / "sum.json"
    path.write_text(json.dumps(document))
    assert place.call("report", "--sum", str(path), "-o", str(out)) == 0
    assert json.loads(out.read_text()) == document
