"""``meter usage`` and ``meter runs --costs``: each event counts once, and shows its cost."""

from __future__ import annotations

import gzip
import json
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.agent.agents import agent
from tests.cli.places import Place
from tests.factors.sheets import PRICE, table
from tests.hosted.jobs.recorded import SHAPES

if TYPE_CHECKING:
    from collections.abc import Iterable

RESPONSES = Path(__file__).parents[1] / "hosted" / "responses"
CANARY = "CANARY-7f3a"
EVENT = {
    "id": "1", "at": "2026-11-20T10:00:00Z", "provider": "openai", "model": "gpt-4o",
    "meter": "input", "quantity": 1_000,
}  # fmt: skip


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def events(count: int, **changed: Any) -> list[dict[str, Any]]:
    """So many events of their own."""
    return [{**EVENT, "id": f"{n}", **changed} for n in range(count)]


def text(*entries: object) -> bytes:
    """JSON lines; a text is a line as it is."""
    lines = (one if isinstance(one, str) else json.dumps(one) for one in entries)
    return "".join(f"{line}\n" for line in lines).encode()


def file(folder: Path, content: bytes, name: str = "usage.jsonl") -> str:
    path = folder / name
    path.write_bytes(content)
    return str(path)


def told(place: Place, capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> Any:
    """What a command tells with --json."""
    capsys.readouterr()
    assert place.call(*words, "--json") == code
    return json.loads(capsys.readouterr().out)


def counted(place: Place, capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, int]:
    """Quantities by meter."""
    rows = told(place, capsys, "usage", "list", *words)["usage"]
    found: Counter[str] = Counter()
    for row in rows:
        found[row["meter"]] += int(row["quantity"])
    return dict(found)


def recorded(names: Iterable[str]) -> list[str]:
    """Recorded responses as lines."""
    return [(RESPONSES / f"{name}.json").read_text().strip() for name in names]


def priced(place: Place, folder: Path, *rows: dict[str, str]) -> None:
    """A book of prices."""
    path = file(
        folder, table(*({**PRICE, "provider": "openai", **row} for row in rows)), "prices.csv"
    )
    assert place.call("prices", "import", path) == 0


# --- import


@pytest.mark.parametrize("packed", [False, True])
def test_lines_are_counted_once_also_of_a_gzip(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str], packed: bool
) -> None:
    content = text(*events(12))
    path = file(tmp_path, gzip.compress(content) if packed else content)
    assert place.call("usage", "import", path) == 0
    assert capsys.readouterr() == ("Usage: 12 new, 0 known already.\n", "")
    assert place.call("usage", "import", path) == 0
    assert capsys.readouterr() == ("Usage: 0 new, 12 known already.\n", "")
    assert counted(place, capsys) == {"input": 12000}


def test_half_a_file_is_taken_as_far_as_it_is_whole_and_goes_on_once_the_rest_is_there(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = text(*events(10))
    path = file(tmp_path, whole[:-40])
    assert place.call("usage", "import", path) == 1
    out, err = capsys.readouterr()
    assert out == "Usage: 9 new, 0 known already.\n"
    assert "meter: not taken: line 10: cut off" in err
    assert "not taken: 1 of the lines" in err
    file(tmp_path, whole)
    assert place.call("usage", "import", path) == 0
    assert capsys.readouterr().out == "Usage: 1 new, 9 known already.\n"
    assert counted(place, capsys) == {"input": 10000}


@pytest.mark.parametrize("harm", ["cut", "broken", "tail"])
def test_a_gzip_that_is_broken_gives_what_came_before_and_says_so(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str], harm: str
) -> None:
    packed = gzip.compress(text(*events(5)))
    more = gzip.compress(text(*events(5, provider="azure")))
    middle = len(more) // 2
    content = {
        "cut": packed + more[:middle],
        "broken": packed + more[:middle] + b"\xff" * 9 + more[middle + 9 :],
        "tail": packed + b"no gzip",
    }[harm]
    path = file(tmp_path, content)
    assert place.call("usage", "import", path) == 1
    out, err = capsys.readouterr()
    assert "Usage: " in out
    assert "the gzip is broken or cut off" in err
    assert "Traceback" not in err
    found = counted(place, capsys)
    assert found["input"] >= 5_000
    file(tmp_path, packed + more)
    assert place.call("usage", "import", path) == 0
    assert counted(place, capsys) == {"input": 10000}


def test_each_wrong_line_is_named_and_the_others_count(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = [
        '{"id": 1', {**EVENT, "quantity": -1}, {**EVENT, "quantity": 2**63}, "[1]", '"text"',
        json.dumps(EVENT).replace("1000", "NaN"), json.dumps(EVENT).replace("1000", "1e400"),
        {**EVENT, "at": "1970-01-01T00:00:00Z"}, {**EVENT, "at": "2100-01-01T00:00:00Z"},
        {**EVENT, "meter": "tokens"},
    ]  # fmt: skip
    first, last = events(2)
    path = file(tmp_path, text(first, *bad, last) + b"\xff\xfe\n")
    found = told(place, capsys, "usage", "import", path, code=1)
    assert (found["stored"], found["invalid"]) == (2, len(bad) + 1)
    lines = [fault["line"] for fault in found["faults"]]
    assert sorted(lines) == [*range(2, len(bad) + 2), len(bad) + 3]
    assert all(fault["reason"] for fault in found["faults"])
    assert counted(place, capsys) == {"input": 2000}
    assert place.call("usage", "import", path) == 1
    err = capsys.readouterr().err
    assert f"meter: and {len(bad) + 1 - 5} more; --json lists all" in err
    assert err.index("line 2:") < err.index("line 3:")


def test_an_empty_file_has_no_usage(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert place.call("usage", "import", file(tmp_path, b"\n \n")) == 0
    assert capsys.readouterr().out == "Usage: 0 new, 0 known already.\n"


def test_a_batch_output_file_counts_at_the_batch_tier_and_failures_cost_nothing(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ("openai_batch_line", "openai_batch_line_failed", "openai_batch_line_expired")
    path = file(tmp_path, text(*recorded(names)))
    words = ("usage", "import", path, "--provider", "openai", "--project", "chat")
    assert told(place, capsys, *words) == {
        "stored": 1, "duplicate": 0, "conflict": 0, "invalid": 0, "unused": 2, "faults": [],
    }  # fmt: skip
    rows = told(place, capsys, "usage", "list")["usage"]
    assert {row["service_tier"] for row in rows} == {"batch"}
    assert {row["project"] for row in rows} == {"chat"}
    found = {row["meter"]: int(row["quantity"]) for row in rows}
    assert sum(found.values()) == 2_300
    assert place.call(*words) == 0
    said = "Usage: 0 new, 1 known already, 2 that used nothing.\n"
    assert capsys.readouterr().out == said


def test_answers_of_all_providers_are_taken_and_no_text_is_kept(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = (
        "openai_chat", "openai_responses", "anthropic_message", "gemini_rest", "vertex_rest",
        "mistral_chat", "together_chat", "fireworks_chat", "azure_chat", "litellm_payload",
        "anthropic_batch_line",
    )  # fmt: skip
    given = dict(zip(names, recorded(names), strict=True))
    alone = {"mistral_chat": "mistral", "together_chat": "together", "azure_chat": "azure",
             "fireworks_chat": "fireworks", "vertex_rest": "vertex"}  # fmt: skip
    for name, line in given.items():
        told_by = ("--provider", alone[name]) if name in alone else ()
        path = file(tmp_path, text(line))
        found = told(place, capsys, "usage", "import", path, *told_by)
        assert found["stored"] == 1, name
    providers = {row["provider"] for row in told(place, capsys, "usage", "list")["usage"]}
    assert providers >= {"openai", "anthropic", "gemini", "vertex", "mistral", "azure"}
    kept = [path.read_bytes() for path in place.home.rglob("*") if path.is_file()]
    assert kept
    assert all(CANARY.encode() not in content for content in kept)
    out, err = capsys.readouterr()
    assert CANARY not in out + err


@pytest.mark.parametrize("name", ["litellm_payload", "openai_responses_event"])
def test_the_project_pays_for_responses_that_hold_a_response(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    path = file(tmp_path, text(*recorded([name])))
    assert place.call("usage", "import", path, "--project", "chat") == 0
    rows = told(place, capsys, "usage", "list")["usage"]
    assert {row["project"] for row in rows} == {"chat"}


def test_a_response_without_a_model_gets_the_one_that_is_named(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = file(tmp_path, text(*recorded(["bedrock_converse"])))
    assert place.call("usage", "import", path) == 1
    assert "line 1: the response names no model" in capsys.readouterr().err
    words = ("usage", "import", path, "--model", "amazon.nova-lite-v1:0")
    assert told(place, capsys, *words)["stored"] == 1
    assert told(place, capsys, *words)["duplicate"] == 1
    rows = told(place, capsys, "usage", "list")["usage"]
    assert {row["model"] for row in rows} == {"amazon.nova-lite-v1:0"}


def test_a_response_without_a_time_counts_once(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = file(tmp_path, text(*recorded(["anthropic_message"])))
    assert told(place, capsys, "usage", "import", path)["stored"] == 1
    assert told(place, capsys, "usage", "import", path)["duplicate"] == 1


def test_of_a_conflict_both_sides_are_shown_and_the_first_holds(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert place.call("usage", "import", file(tmp_path, text(EVENT))) == 0
    path = file(tmp_path, text({**EVENT, "quantity": 2_000}))
    assert place.call("usage", "import", path) == 1
    err = capsys.readouterr().err
    assert "line 1: id 1 stands for other content" in err
    assert "input 1000 is stored, 2000 is given" in err
    found = told(place, capsys, "usage", "import", path, code=1)
    (fault,) = found["faults"]
    assert fault["stored"]["quantities"] == {"input": "1000"}
    assert fault["given"]["quantities"] == {"input": "2000"}
    assert counted(place, capsys) == {"input": 1000}


def test_beside_an_agent_the_agent_takes_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with agent(tmp_path) as node:
        node.hear("reading")
        place = Place(tmp_path, METER_HOME=str(node.home), METER_SOCKET=node.socket)
        path = file(tmp_path, text(*events(3), *recorded(["openai_batch_line_failed"])))
        found = told(place, capsys, "usage", "import", path)
        assert (found["stored"], found["unused"]) == (3, 1)
        assert told(place, capsys, "usage", "import", path)["duplicate"] == 3
        path = file(tmp_path, text({**EVENT, "id": "0", "quantity": 2_000}))
        assert place.call("usage", "import", path) == 1
        assert "input 1000 is stored, 2000 is given" in capsys.readouterr().err
        assert counted(place, capsys) == {"input": 3000}


# --- record


RECORD = (
    "usage", "record", "--provider", "openai", "--model", "gpt-4o-mini-2024-07-18", "--meter",
    "train_token", "--id", "job-1", "--at", "2026-11-20T10:00:00Z",
)  # fmt: skip


def test_what_was_counted_by_hand_is_recorded_once(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    assert place.call(*RECORD, "--quantity", "300000") == 0
    assert capsys.readouterr().out == "Recorded.\n"
    assert place.call(*RECORD, "--quantity", "300000") == 0
    assert capsys.readouterr().out == "Known already: nothing was counted twice.\n"
    assert place.call(*RECORD, "--quantity", "400000") == 2
    err = capsys.readouterr().err
    assert "train_token 300000 is stored, 400000 is given" in err
    assert "give another --id" in err
    assert counted(place, capsys) == {"train_token": 300000}


def test_told_again_without_an_instant_it_still_counts_once(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (*RECORD[:-2], "--quantity", "300000")
    assert place.call(*words) == 0
    first = told(place, capsys, "usage", "list")["usage"]
    time.sleep(1.1)  # a later second
    assert place.call(*words) == 0
    assert capsys.readouterr().out == "Known already: nothing was counted twice.\n"
    assert told(place, capsys, "usage", "list")["usage"] == first
    assert place.call(*words[:-1], "5") == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--quantity", "-1"), "quantity"),
        (("--quantity", "many"), "quantity"),
        (("--quantity", "1e400"), "quantity"),
        (("--quantity", "0.5"), "quantity"),
        (("--quantity", "1", "--unit", "hours"), "unit"),
        (("--quantity", "1", "--at", "yesterday"), "at"),
        (("--quantity", "1", "--meter", "tokens"), "train_token"),
    ],
)
def test_a_wrong_record_says_what_is_wrong(
    place: Place, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    assert place.call(*RECORD, *words) == 2
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
    assert said in err


def test_hours_may_be_given_in_minutes_and_belong_to_a_run(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(SHAPES / "openai_rft.json")
    assert place.call("jobs", "import", path, "--provider", "openai") == 0
    hours = ("--meter", "host_hour", "--quantity", "90", "--unit", "minutes")
    assert place.call(*RECORD, *hours, "--run", "openai:ftjob-rft") == 0
    shown = told(place, capsys, "show", "openai:ftjob-rft")["usage"]
    assert ("host_hour", 1.5) in {(row["meter"], row["quantity"]) for row in shown}


# --- list


def test_the_list_prices_what_has_a_price_and_says_what_has_none(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    priced(place, tmp_path, {"model": "gpt-4o", "meter": "input", "value": "2.5"})
    path = file(tmp_path, text(*events(400), *events(1, model="x" * 90, provider="nobody")))
    assert place.call("usage", "import", path) == 0
    capsys.readouterr()
    assert place.call("usage", "list") == 0
    out, err = capsys.readouterr()
    assert max(map(len, out.splitlines())) <= 80
    assert "400,000" in out
    assert "1.00 USD" in out
    assert "no price" in out
    assert err.startswith(f"meter: no price of input of nobody {'x' * 90}: add a row")
    (row,) = told(place, capsys, "usage", "list", "--unpriced")["usage"]
    assert (row["provider"], row["unpriced"], row["amount"]) == ("nobody", 1, None)
    first, _ = told(place, capsys, "usage", "list")["usage"]
    assert (first["model"], first["amount"], first["currency"]) == ("gpt-4o", "1", "USD")


def test_a_price_that_comes_later_prices_what_was_stored_before(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert place.call("usage", "import", file(tmp_path, text(*events(400)))) == 0
    assert len(told(place, capsys, "usage", "list", "--unpriced")["usage"]) == 1
    priced(place, tmp_path, {"model": "gpt-4o", "meter": "input", "value": "2.5"})
    assert told(place, capsys, "usage", "list", "--unpriced")["usage"] == []


def test_tiers_and_regions_are_told_apart_and_a_model_is_asked_for_once(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told_apart = [{**EVENT, "id": tier, "service_tier": tier, "region": "eu"} for tier in "abc"]
    assert place.call("usage", "import", file(tmp_path, text(*told_apart))) == 0
    capsys.readouterr()
    assert place.call("usage", "list") == 0
    out, err = capsys.readouterr()
    assert len(set(out.splitlines())) == len(out.splitlines()) == 5
    assert all(f"eu, {tier}" in out for tier in "abc")
    assert len(err.splitlines()) == 1


def test_the_list_may_be_of_a_span_and_a_project(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told_apart = [EVENT, {**EVENT, "id": "2", "at": "2026-11-21T10:00:00Z", "project": "chat"}]
    assert place.call("usage", "import", file(tmp_path, text(*told_apart))) == 0
    assert counted(place, capsys, "--from", "2026-11-21", "--project", "chat") == {"input": 1000}
    assert counted(place, capsys, "--to", "2026-11-20") == {}
    assert place.call("usage", "list", "--from", "soon") == 2
    assert "from" in capsys.readouterr().err


def test_without_usage_the_list_says_how_to_bring_some(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    place.fill(minutes=1)
    assert place.call("usage", "list") == 0
    assert capsys.readouterr().out == "No such usage. Bring some: meter usage import FILE\n"


# --- runs side by side


def test_own_and_hosted_runs_are_one_table(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place.fill()
    priced(
        place, tmp_path,
        {"model": "gpt-4o-mini-2024-07-18", "meter": "train_token", "value": "3"},
    )  # fmt: skip
    for name in ("openai_succeeded", "openai_running"):
        path = str(SHAPES / f"{name}.json")
        assert place.call("jobs", "import", path, "--provider", "openai") == 0
    capsys.readouterr()
    assert place.call("runs", "--costs") == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    assert "own GPUs" in out
    assert "300,000" in out
    assert "0.90 USD" in out
    assert "3.00 USD" in out
    hosted = told(place, capsys, "runs", "--costs")["costs"]
    (own,) = (row for row in hosted if row["where"] == "own GPUs")
    money = {"EUR": "0.36", "USD": "4"}  # electricity, and the GPUs' rent
    assert own["trained_tokens"] is None
    assert own["per_million_tokens"] == []
    assert own["energy_kwh"]["value"] == pytest.approx(1.2, rel=1e-6)
    assert {one["currency"]: one["value"] for one in own["money"]} == money
    (job,) = (row for row in hosted if row["run_id"] == "openai:ftjob-sft")
    assert (job["base_model"], job["trained_tokens"]) == ("gpt-4o-mini-2024-07-18", 300_000)
    assert job["money"] == [{"currency": "USD", "value": "0.9", "low": "0.9", "high": "0.9"}]
    assert job["per_million_tokens"] == [{"currency": "USD", "value": "3.000000"}]
    running = told(place, capsys, "show", "openai:ftjob-run")
    assert (running["run"]["status"], running["usage"]) == ("running", [])


def test_costs_are_of_a_project_and_at_most_so_many(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    place.fill(minutes=2)
    path = str(SHAPES / "openai_succeeded.json")
    words = ("jobs", "import", path, "--provider", "openai", "--project", "tuned")
    assert place.call(*words) == 0
    (row,) = told(place, capsys, "runs", "--costs", "--project", "tuned")["costs"]
    assert row["project"] == "tuned"
    assert len(told(place, capsys, "runs", "--costs", "--limit", "1")["costs"]) == 1
    assert place.call("runs", "--costs", "--project", "nobody") == 0
    assert capsys.readouterr().out.startswith("No runs")


def test_a_hosted_job_is_shown_with_what_it_made_and_used(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = {"model": "gpt-4o-mini-2024-07-18", "meter": "train_token", "value": "3"}
    priced(place, tmp_path, row)
    path = str(SHAPES / "openai_succeeded.json")
    assert place.call("jobs", "import", path, "--provider", "openai") == 0
    capsys.readouterr()
    assert place.call("show", "openai:ftjob-sft") == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    said = " ".join(out.split())
    assert "ft:gpt-4o-mini-2024-07-18:example::abc, succeeded" in said
    assert "300,000 trained tokens" in said
    assert "0.90 USD" in said
    shown = told(place, capsys, "show", "openai:ftjob-sft")
    assert shown["hosted"]["epochs"] == "3"  # told, and not multiplied: N08
    (used,) = shown["usage"]
    assert (used["quantity"], used["unpriced"]) == (300_000, 0)
