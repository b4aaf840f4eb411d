"""When a training has paid off: by requests of which each is told, never by sums of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from meter.ledger import Ledger
from meter.otlp_intake import OtlpIntake
from tests.cli.places import Place
from tests.factors.sheets import PRICE, table
from tests.hosted.jobs.recorded import SHAPES

if TYPE_CHECKING:
    from pathlib import Path

BASE, TUNED = "gpt-4o-mini-2024-07-18", "ft:gpt-4o-mini-2024-07-18:example::abc"
AT_S = 1_795_132_800
DAY_S = 86_400
PRICES = (
    {"model": BASE, "meter": "train_token", "value": "3"},
    {"model": f"ft:{BASE}", "meter": "input", "value": "0.3"},
    {"model": f"ft:{BASE}", "meter": "output", "value": "1.2"},
)
RESULT = {
    "object": "organization.usage.completions.result", "input_tokens": 100_000,
    "output_tokens": 10_000, "input_cached_tokens": 0, "num_model_requests": 100,
    "project_id": "proj_a", "model": TUNED, "batch": False, "service_tier": "default",
}  # fmt: skip
PAGE = {
    "object": "page", "has_more": False,
    "data": [{"object": "bucket", "start_time": AT_S, "end_time": AT_S + DAY_S,
              "results": [RESULT]}],
}  # fmt: skip


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A tuned model whose training and requests have prices."""
    made = Place(tmp_path)
    sheet = tmp_path / "prices.csv"
    sheet.write_bytes(table(*({**PRICE, "provider": "openai", **row} for row in PRICES)))
    job = SHAPES / "openai_succeeded.json"
    assert made.call("prices", "import", str(sheet)) == 0
    assert made.call("jobs", "import", str(job), "--provider", "openai") == 0
    return made


def answered(place: Place, folder: Path, count: int) -> None:
    """So many requests, of which each is told."""
    response = {
        "object": "chat.completion", "created": AT_S + 60, "model": TUNED,
        "usage": {"prompt_tokens": 1_000, "completion_tokens": 500, "total_tokens": 1_500},
    }  # fmt: skip
    file = folder / "answers.jsonl"
    file.write_text("".join(json.dumps({**response, "id": f"c{n}"}) + "\n" for n in range(count)))
    assert place.call("usage", "import", str(file)) == 0


def counted_by_the_provider(place: Place, folder: Path) -> None:
    file = folder / "usage.json"
    file.write_text(json.dumps(PAGE))
    assert place.call("bill", "import", str(file), "--provider", "openai") == 0


def counted_by_telemetry(place: Place, _folder: Path) -> None:
    """A histogram of a hundred requests."""
    said = {"gen_ai.provider.name": "openai", "gen_ai.response.model": TUNED}
    points = [
        {
            "attributes": [
                {"key": key, "value": {"stringValue": value}}
                for key, value in {**said, "gen_ai.token.type": kind}.items()
            ],
            "startTimeUnixNano": f"{AT_S}000000000", "timeUnixNano": f"{AT_S + 60}000000000",
            "count": "100", "sum": tokens,
        }
        for kind, tokens in (("input", 100_000), ("output", 10_000))
    ]  # fmt: skip
    data = {"aggregationTemporality": 2, "dataPoints": points}
    metrics = [{"name": "gen_ai.client.token.usage", "histogram": data}]
    body = {"resourceMetrics": [{"resource": {}, "scopeMetrics": [{"metrics": metrics}]}]}
    with Ledger.open(place.home / "ledger.duckdb") as ledger:
        assert OtlpIntake(ledger, None).metrics(body, (AT_S + 120) * 1_000_000).refused == ()


def costs(place: Place, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    capsys.readouterr()
    assert place.call("runs", "--costs", "--json") == 0
    (row,) = json.loads(capsys.readouterr().out)["costs"]
    return row


def test_requests_of_which_each_is_told_are_counted(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answered(place, tmp_path, 4)
    (found,) = costs(place, capsys)["break_even"]
    assert (found["requests"], found["currency"]) == (4, "USD")


@pytest.mark.parametrize("told", [counted_by_the_provider, counted_by_telemetry])
@pytest.mark.parametrize("each", [0, 4])
def test_a_sum_of_requests_is_no_request(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str], told: Any, each: int
) -> None:
    told(place, tmp_path)
    if each:
        answered(place, tmp_path, each)
    row = costs(place, capsys)
    assert row["break_even"] == []
    assert "told in sums" in row["break_even_missing"]
    assert place.call("show", "openai:ftjob-sft", "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["hosted"]["break_even"] == []
    assert "requests_summed" in {one["code"] for one in shown["notices"]}
