"""Usage without a price names the row to add: filled in and imported, it prices that usage."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.places import Place

if TYPE_CHECKING:
    from pathlib import Path

HEAD = (
    "provider,model,meter,per,currency,value,region,service_tier,training,adapter,valid_from,"
    "valid_to,source,source_date,licence"
)
EVENT = {
    "id": "1", "at": "2026-11-20T10:37:00Z", "provider": "openai", "model": "gpt-4o",
    "meter": "input", "quantity": 1_000,
}  # fmt: skip
TRAINING = {
    **EVENT, "id": "2", "meter": "train_token", "training": "sft", "adapter": "lora",
    "project": "lab",
}  # fmt: skip
HOSTING = {
    **EVENT, "id": "3", "provider": "azure", "meter": "host_hour", "quantity": 24,
    "model": "gpt-4o-2024-08-06.ft-1", "region": "eu,west", "service_tier": "Standard",
}  # fmt: skip
TUNED = {**EVENT, "id": "4", "model": "ft:gpt-4o-2024-08-06:lab::x"}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def used(place: Place, folder: Path, *events: dict[str, Any]) -> None:
    path = folder / "usage.jsonl"
    path.write_text("".join(f"{json.dumps(event)}\n" for event in events))
    assert place.call("usage", "import", str(path)) == 0


def told(place: Place, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What a command writes on stderr."""
    capsys.readouterr()
    assert place.call(*words) == 0
    return capsys.readouterr().err


def rows(text: str) -> list[str]:
    """The sheet's lines within what is said."""
    lines = [line.strip() for line in text.splitlines()]
    begin = lines.index(HEAD)
    some = [line for line in lines[begin:] if line.count(",") >= HEAD.count(",")]
    return some[1:]


def added(place: Place, folder: Path, *lines: str, value: str = "2.5") -> int:
    """Exit code of an import of such rows, filled in."""
    path = folder / "prices.csv"
    filled = [
        line.replace("?,?,", f"USD,{value},", 1).replace(",?,?,?", ",our contract,2026-11,own data")
        for line in lines
    ]
    path.write_text("\n".join([HEAD, *filled]) + "\n")
    return place.call("prices", "import", str(path))


def unpriced(place: Place, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    capsys.readouterr()
    assert place.call("usage", "list", "--unpriced", "--json") == 0
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["usage"]
    return found


def test_the_rows_that_are_named_price_all_that_had_no_price(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    used(place, tmp_path, EVENT, TRAINING, HOSTING, TUNED)
    said = rows(told(place, capsys, "usage", "list"))
    assert sorted(said) == [
        'azure,ft:gpt-4o-2024-08-06,host_hour,1,?,?,"eu,west",standard,,,2026-11-20T10:00Z,,?,?,?',
        "openai,ft:gpt-4o-2024-08-06,input,1000000,?,?,,,,,2026-11-20T10:00Z,,?,?,?",
        "openai,gpt-4o,input,1000000,?,?,,,,,2026-11-20T10:00Z,,?,?,?",
        "openai,gpt-4o,train_token,1000000,?,?,,,sft,lora,2026-11-20T10:00Z,,?,?,?",
    ]
    assert added(place, tmp_path, *said) == 0
    assert unpriced(place, capsys) == []
    assert "prices are missing" not in told(place, capsys, "usage", "list")


def test_a_row_that_is_not_filled_in_is_no_price(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    used(place, tmp_path, EVENT)
    (row,) = rows(told(place, capsys, "usage", "list"))
    assert added(place, tmp_path, row, value="?") != 0
    assert len(unpriced(place, capsys)) == 1


def test_a_row_ends_where_a_price_begins_so_that_it_changes_nothing_that_has_one(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    instants = ("2026-11-20T10:37", "2026-11-20T11:20", "2026-11-20T12:00", "2026-11-22T08:50")
    used(place, tmp_path, *({**EVENT, "id": at, "at": f"{at}Z"} for at in instants))
    priced = "openai,gpt-4o,input,1000000,?,?,,,,,2026-11-20T11:15Z,2026-11-21T00:00Z,?,?,?"
    assert added(place, tmp_path, priced, value="7") == 0
    said = rows(told(place, capsys, "usage", "list"))
    assert said == [
        "openai,gpt-4o,input,1000000,?,?,,,,,2026-11-20T10:00Z,2026-11-20T11:15Z,?,?,?",
        "openai,gpt-4o,input,1000000,?,?,,,,,2026-11-22T08:00Z,,?,?,?",
    ]
    assert added(place, tmp_path, *said) == 0
    assert unpriced(place, capsys) == []
    assert place.call("usage", "list", "--json") == 0
    (row,) = json.loads(capsys.readouterr().out)["usage"]
    assert row["amount"] == "0.019"  # 2 x 0.0025 + 2 x 0.007


def test_few_rows_are_shown_unless_all_are_asked_for(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    used(place, tmp_path, *({**EVENT, "id": f"{n}", "service_tier": f"t{n}"} for n in range(7)))
    few = told(place, capsys, "usage", "list")
    assert len(rows(few)) == 5
    assert few.splitlines()[-1].startswith("meter: and 2 more rows: `meter usage list --unpriced`")
    assert len(rows(told(place, capsys, "usage", "list", "--unpriced"))) == 7


def test_projects_share_a_row_and_json_has_it_beside_each(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    later = {**EVENT, "id": "5", "project": "chat", "at": "2026-11-21T00:00:00Z"}
    used(place, tmp_path, later, EVENT)
    assert len(rows(told(place, capsys, "usage", "list"))) == 1
    found = {row["project"]: row["missing_prices"] for row in unpriced(place, capsys)}
    (row,) = found["chat"]
    assert row == {
        "provider": "openai", "model": "gpt-4o", "meter": "input", "per": 1_000_000,
        "region": None, "service_tier": None, "training": None, "adapter": None,
        "valid_from": "2026-11-21T00:00Z", "valid_to": None,
    }  # fmt: skip
    assert found["default"] == [{**row, "valid_from": "2026-11-20T10:00Z"}]


def test_a_bill_names_them_and_the_command(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    used(place, tmp_path, EVENT, TRAINING)
    span = ("bill", "show", "--from", "2026-11-20", "--to", "2026-11-21", "--project", "lab")
    assert place.call(*span) == 0
    out = capsys.readouterr().out
    words = "train_token of openai gpt-4o (training sft, adapter lora, from 2026-11-20T10:00Z)"
    assert words in " ".join(out.split())
    command = out.splitlines()[-1].strip()
    assert command == "meter usage list --unpriced --from 2026-11-20 --to 2026-11-21"
    assert max(map(len, out.splitlines())) <= 80
    (row,) = rows(told(place, capsys, *command.split()[1:], "--project", "lab"))
    assert place.call(*span, "--json") == 0
    (found,) = json.loads(capsys.readouterr().out)["missing_prices"]
    assert (found["meter"], found["training"]) == ("train_token", "sft")
    assert added(place, tmp_path, row) == 0
    capsys.readouterr()
    assert place.call(*span, "--json") == 0
    assert json.loads(capsys.readouterr().out)["missing_prices"] == []


def test_the_report_of_a_run_says_which_price_and_the_command(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place.fill(minutes=1)
    assert place.call("show", "last", "--json") == 0
    run = json.loads(capsys.readouterr().out)["run"]
    of_run = {"run": run["id"], "at": run["started_at"]}
    used(place, tmp_path, {**TUNED, **of_run, "service_tier": "flex"})
    capsys.readouterr()
    assert place.call("show", "last", "--json") == 0
    notices = json.loads(capsys.readouterr().out)["notices"]
    (text,) = [one["text"] for one in notices if one["code"] == "usage_unpriced"]
    assert "input of openai ft:gpt-4o-2024-08-06 (tier flex, from 20" in text
    assert "`meter usage list --unpriced`" in text
