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


def test_a_field_that_a_provider_has_changed_is_named_and_the_rest_counts(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (raw,) = map(json.loads, recorded(["openai_chat"]))
    raw["usage"]["prompt_tokens_details"] = [{"kind": CANARY, "tokens": 7}]
    raw["service_tier"] = {"name": CANARY}
    path = file(tmp_path, text(raw))
    assert told(place, capsys, "usage", "import", path)["stored"] == 1
    assert told(place, capsys, "usage", "import", path)["duplicate"] == 1
    assert counted(place, capsys)["input"] == 2_000
    flags = told(place, capsys, "usage", "list")["usage"][0]["flags"]
    assert flags == {"field_changed:prompt_tokens_details": 1, "field_changed:service_tier": 1}
    assert place.call("usage", "list") == 0
    assert "field_changed" in capsys.readouterr().out
    kept = [path.read_bytes() for path in place.home.rglob("*") if path.is_file()]
    assert all(CANARY.encode() not in content for content in kept)


@pytest.mark.parametrize(
    ("provider", "names", "model", "tokens"),
    [
        ("gemini", ["gemini_batch_line", "gemini_batch_line_failed"], "gemini-2.5-pro", 2_350),
        ("vertex", ["vertex_batch_line", "vertex_batch_line_failed"], "gemini-2.5-flash", 2_300),
        ("bedrock", ["bedrock_batch_line_titan", "bedrock_batch_line_failed"], "amazon.titan", 764),
    ],
)
def test_batches_of_google_and_bedrock_have_the_batch_price_once(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str], provider: str,
    names: list[str], model: str, tokens: int,
) -> None:  # fmt: skip
    row = {"provider": provider, "model": model, "meter": "output"}
    priced(place, tmp_path, {**row, "value": "10"}, {**row, "value": "5", "service_tier": "batch"})
    path = file(tmp_path, text(*recorded(names)))
    words = ("usage", "import", path, "--provider", provider, "--model", model)
    found = told(place, capsys, *words)
    assert (found["stored"], found["unused"], found["faults"]) == (1, 1, [])
    found = told(place, capsys, *words)
    assert (found["duplicate"], found["unused"]) == (1, 1)
    rows = told(place, capsys, "usage", "list")["usage"]
    assert sum(int(one["quantity"]) for one in rows) == tokens
    assert [one["amount"] for one in rows if one["meter"] == "output"] == ["0.0015"]
    kept = [path.read_bytes() for path in place.home.rglob("*") if path.is_file()]
    assert all(CANARY.encode() not in content for content in kept)


def test_answers_of_all_providers_are_taken_and_no_text_is_kept(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = (
        "openai_chat", "openai_responses", "anthropic_message", "gemini_rest", "vertex_rest",
        "mistral_chat", "together_chat", "fireworks_chat", "azure_chat", "litellm_payload",
        "anthropic_batch_line", "gemini_batch_line", "vertex_batch_line", "bedrock_batch_line",
        "bedrock_batch_line_titan", "bedrock_batch_line_converse",
    )  # fmt: skip
    given = dict(zip(names, recorded(names), strict=True))
    alone = {"mistral_chat": "mistral", "together_chat": "together", "azure_chat": "azure",
             "fireworks_chat": "fireworks", "vertex_rest": "vertex"}  # fmt: skip
    for name, line in given.items():
        told_by = ("--provider", alone[name]) if name in alone else ("--model", "m")
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


def test_the_parts_of_a_stream_in_a_file_count_once_in_any_order(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    part, last = map(json.loads, recorded(["openai_chunk_without_usage", "openai_chunk_last"]))
    del part["usage"]  # as nobody has asked for it, or as Mistral tells
    quiet = {"type": "content_block_stop", "index": 0}
    path = file(tmp_path, text(part, quiet, part))
    words = ("usage", "import", path)
    found = told(place, capsys, *words)
    assert (found["stored"], found["unused"], found["duplicate"]) == (1, 1, 1)
    (row,) = told(place, capsys, "usage", "list")["usage"]
    assert (row["meter"], row["quantity"], row["flags"]) == ("unknown", None, {"usage_unknown": 1})
    file(tmp_path, text(part, quiet, last, part))
    for stored in (1, 0):
        found = told(place, capsys, *words)
        assert (found["stored"], found["conflict"], found["unused"]) == (stored, 0, 1)
        assert counted(place, capsys) == {"input": 10, "output": 5}
    rows = told(place, capsys, "usage", "list")["usage"]
    assert [(row["meter"], row["flags"]) for row in rows] == [("input", {}), ("output", {})]


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


def test_every_recorded_answer_is_the_same_by_an_agent_and_by_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Fractions too, such as a temperature, a cost or hours: the file must know all of it."""
    lines = tmp_path / "lines"
    lines.mkdir()
    alone = {"mistral": "mistral", "together": "together", "azure": "azure",
             "fireworks": "fireworks", "vertex": "vertex"}  # fmt: skip
    paths: list[tuple[str, ...]] = []
    for shape in sorted(RESPONSES.glob("*.json")):
        if not shape.stem.startswith("otlp"):
            provider = alone.get(shape.stem.partition("_")[0])
            answer = {**json.loads(shape.read_text()), "temperature": 0.7, "top_p": 1.0}
            path = file(lines, text(answer), f"{shape.stem}.jsonl")
            paths.append((path, *(("--provider", provider) if provider else ())))
    hours = {**EVENT, "id": "hours", "meter": "train_hour", "quantity": 1.25}
    paths.append((file(lines, text(hours), "hours.jsonl"),))

    def taken(place: Place) -> list[tuple[int, ...]]:
        found = []
        for words in paths:
            assert place.call("usage", "import", *words, "--json") in {0, 1}
            one = json.loads(capsys.readouterr().out)
            found.append((one["stored"], one["duplicate"], one["unused"]))
        return found

    with agent(tmp_path) as node:
        node.hear("reading")
        by_agent = taken(Place(tmp_path, METER_HOME=str(node.home), METER_SOCKET=node.socket))
        node.stop()
    again = Place(tmp_path, METER_HOME=str(node.home))
    assert sum(stored for stored, _, _ in by_agent) > 15
    assert [(0, new + known, none) for new, known, none in by_agent] == taken(again)


# --- record


RECORD = (
    "usage", "record", "--provider", "openai", "--model", "gpt-4o-mini-2024-07-18", "--meter",
    "train_token", "--id", "job-1", "--at", "2026-11-20T10:00:00Z",
)  # fmt: skip


def test_hours_of_training_that_were_counted_by_hand_have_the_price_of_their_kind(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    assert place.call("prices", "import", "--bundled") == 0
    hours = ("usage", "record", "--provider", "openai", "--model", "o4-mini-2025-04-16",
             "--meter", "train_hour", "--quantity", "2", "--at", "2026-01-01")  # fmt: skip
    assert place.call(*hours, "--id", "untold") == 0
    assert place.call(*hours, "--id", "told", "--training", "rft") == 0
    assert place.call(*hours, "--id", "wrong", "--training", "magic") == 2
    rows = told(place, capsys, "usage", "list")["usage"]
    assert [row["amount"] for row in rows if row["amount"] is not None] == ["200"]


def test_tokens_of_training_have_the_price_of_the_models_size(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    assert place.call("prices", "import", "--bundled") == 0
    tokens = ("usage", "record", "--provider", "fireworks", "--model", "some-model",
              "--meter", "train_token", "--quantity", "2000000", "--at", "2026-11-20",
              "--training", "sft", "--parameters-b")  # fmt: skip
    for size, amount in (("8", "1"), ("70", "6")):
        assert place.call(*tokens, size, "--id", size, "--project", size) == 0
        rows = told(place, capsys, "usage", "list", "--project", size)["usage"]
        assert [row["amount"] for row in rows] == [amount]


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
    assert err.startswith("meter: prices are missing: put these rows in a file, fill in each `?`")
    assert f"nobody,{'x' * 90},input,1000000,?,?," in err
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


def test_tiers_and_regions_are_told_apart_and_each_is_asked_for_once(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told_apart = [{**EVENT, "id": tier, "service_tier": tier, "region": "eu"} for tier in "abc"]
    assert place.call("usage", "import", file(tmp_path, text(*told_apart))) == 0
    capsys.readouterr()
    assert place.call("usage", "list") == 0
    out, err = capsys.readouterr()
    assert len(set(out.splitlines())) == len(out.splitlines()) == 5
    assert all(f"eu, {tier}" in out for tier in "abc")
    assert [err.count(f",eu,{tier},") for tier in "abc"] == [1, 1, 1]
    assert len(err.splitlines()) == 2 + 3


def test_flags_are_counted_in_the_list_once_for_each_event(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = {
        "object": "chat.completion", "created": 1_790_000_000, "model": "gpt-4o",
        "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 1, "news": 3},
    }  # fmt: skip
    path = file(tmp_path, text(EVENT, *({**odd, "id": each} for each in "ab")))
    assert place.call("usage", "import", path) == 0
    rows = told(place, capsys, "usage", "list")["usage"]
    wanted = {"contradiction": 2, "unknown_fields": 2}
    assert [row["flags"] for row in rows if row["meter"] == "output"] == [wanted]
    assert sum(row["flags"].get("contradiction", 0) for row in rows) == 4  # of two meters
    assert place.call("usage", "list") == 0
    out = capsys.readouterr().out
    assert "contradiction" in out
    assert max(map(len, out.splitlines())) <= 80


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
    assert own["energy_kwh"]["value"] == pytest.approx(1.2 * 1.2, rel=1e-6)  # IT times PUE
    assert (own["energy_basis"], own["energy_j"]) == ("facility", pytest.approx(1.2 * 3.6e6))
    assert {one["currency"]: one["value"] for one in own["money"]} == money
    (job,) = (row for row in hosted if row["run_id"] == "openai:ftjob-sft")
    assert (job["base_model"], job["trained_tokens"]) == ("gpt-4o-mini-2024-07-18", 300_000)
    assert job["money"] == [{"currency": "USD", "value": "0.9", "low": "0.9", "high": "0.9"}]
    (per_million,) = job["per_million_tokens"]
    assert (per_million["currency"], per_million["value"]) == ("USD", "3.000000")
    shown = told(place, capsys, "show", "openai:ftjob-sft")
    assert job["energy_kwh"]["high"] == pytest.approx(shown["energy"]["facility"]["high"] / 3.6e6)
    assert job["carbon_g"]["high"] == pytest.approx(shown["carbon"]["location"]["high"])
    assert job["break_even_missing"] == "no requests to its model are told"
    assert "(0.30 to" in out  # money with its bounds
    assert "No break-even of 1 hosted: no requests to its model are told." in " ".join(out.split())
    running = told(place, capsys, "show", "openai:ftjob-run")
    assert (running["run"]["status"], running["usage"]) == ("running", [])


def test_what_a_provider_says_that_it_billed_stands_beside_what_is_computed(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for provider, name in (("together", "completed"), ("mistral", "success"), ("openai", "rft")):
        path = str(SHAPES / f"{provider}_{name}.json")
        assert place.call("jobs", "import", path, "--provider", provider) == 0

    def rows() -> dict[str, Any]:
        return {row["where"]: row for row in told(place, capsys, "runs", "--costs")["costs"]}

    before = rows()
    assert {name: row["billed"] for name, row in before.items()} == {
        "together": {"currency": "USD", "value": "4.25"},
        "mistral": {"currency": "EUR", "value": "5.24"},
        "openai": None,
    }
    assert [row["money"] for row in before.values()] == [[], [], []]
    assert place.call("runs", "--costs") == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    assert "[billed" in out
    assert "[billed]: the provider's own word" in out
    model = before["together"]["base_model"]
    price = {"provider": "together", "model": model, "meter": "train_token", "value": "2"}
    priced(place, tmp_path, price)
    after = rows()["together"]
    assert [one["value"] for one in after["money"]] == ["1.7"]  # 850,000 tokens
    assert after["billed"] == before["together"]["billed"]


def test_the_list_of_runs_has_their_money_in_80_columns(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place.fill()
    priced(
        place, tmp_path,
        {"model": "gpt-4o-mini-2024-07-18", "meter": "train_token", "value": "3"},
    )  # fmt: skip
    for name in ("openai_succeeded", "openai_rft"):
        path = str(SHAPES / f"{name}.json")
        assert place.call("jobs", "import", path, "--provider", "openai") == 0
    capsys.readouterr()
    assert place.call("runs", "--costs") == 0
    wide = capsys.readouterr().out
    assert "<=: only an upper bound is known." in wide
    assert max(map(len, wide.splitlines())) <= 80
    assert place.call("runs") == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    heads, _, *lines = out.splitlines()
    assert "IT ENERGY" in heads
    assert "COST" in heads
    assert "0.90 USD" in out
    assert "0.36 EUR" in out
    assert any("<= " in line for line in lines)  # of the RFT job only its hours are known
    assert any(line.endswith(" -") for line in lines)  # nor what it cost
    rows = {row["run_id"]: row for row in told(place, capsys, "runs")["runs"]}
    assert [one["value"] for one in rows["openai:ftjob-sft"]["money"]] == ["0.9"]


def test_a_training_is_paid_off_by_so_many_requests_to_its_model(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base, tuned = "gpt-4o-mini-2024-07-18", "ft:gpt-4o-mini-2024-07-18:example::abc"
    prices = [
        {"model": base, "meter": "train_token", "value": "3"},
        {"model": f"ft:{base}", "meter": "input", "value": "0.3"},
        {"model": f"ft:{base}", "meter": "output", "value": "1.2"},
    ]
    priced(place, tmp_path, *prices[:1])
    path = str(SHAPES / "openai_succeeded.json")
    assert place.call("jobs", "import", path, "--provider", "openai") == 0
    response = {
        "object": "chat.completion", "created": 1_795_168_800, "model": tuned,
        "usage": {"prompt_tokens": 1_000, "completion_tokens": 500, "total_tokens": 1_500},
    }  # fmt: skip
    file = tmp_path / "answers.jsonl"
    file.write_text("".join(json.dumps({**response, "id": f"c{n}"}) + "\n" for n in range(4)))
    assert place.call("usage", "import", str(file)) == 0
    (row,) = told(place, capsys, "runs", "--costs")["costs"]
    assert (row["break_even"], row["break_even_missing"]) == (
        [], "requests to its model have no price"
    )  # fmt: skip
    priced(place, tmp_path, *prices[1:])
    (row,) = told(place, capsys, "runs", "--costs")["costs"]
    (found,) = row["break_even"]
    assert (found["requests"], found["currency"]) == (4, "USD")
    assert found["break_even_requests"] == pytest.approx(0.9 / 0.0009)
    shown = told(place, capsys, "show", "openai:ftjob-sft")["hosted"]["break_even"]
    assert found == shown[0]
    assert place.call("runs", "--costs") == 0
    assert "1,000" in capsys.readouterr().out


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
