"""No project, run, model, provider or phase is called as metrics call what has no name."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from meter import reserved, settings
from meter.environment import Environment
from meter.errors import ConfigError, UsageError
from meter.hosted.otlp_attributes import project as otlp_project
from meter.hosted.otlp_attributes import provider_and_model
from meter.hosted.wire import job_json, job_of
from meter.launch import begin
from meter.launch.options import parse
from meter.ledger import Ledger
from meter.ledger.ledger import Pace
from meter.marks import checked
from meter.model import LedgerBatch
from tests.agent.agents import Agent, agent
from tests.cli.places import Place
from tests.hosted.jobs.recorded import job
from tests.ledger.facts import ended, minute, registered
from tests.past.emissions import NEWEST

if TYPE_CHECKING:
    from collections.abc import Iterator

QUERIES = Path(__file__).parents[1] / "queries"
BOARDS = Path(__file__).parents[1] / "grafana" / "boards"
EVENT = {
    "id": "1", "at": "2026-11-20T10:00:00Z", "provider": "openai", "model": "gpt-4o",
    "meter": "input", "quantity": 1_000,
}  # fmt: skip
ANSWER = {
    "id": "chatcmpl-1", "object": "chat.completion", "created": 1_763_900_000, "model": "gpt-4o",
    "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120},
}  # fmt: skip
JOB = job_json(job("openai_succeeded"))
TOLD = {"source": "codecarbon", "rows": [NEWEST]}
PAST = {"name": "old", "gpu_hours": "1", "watts": "400"}
ADD = ("runs", "add", "--gpu-hours", "1", "--watts", "400")
RECORD = (
    "usage", "record", "--model", "gpt-4o", "--meter", "input", "--quantity", "1", "--id", "1",
)  # fmt: skip


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    with agent(tmp_path_factory.mktemp("node")) as made:
        made.hear("reading")
        yield made


def test_every_such_word_of_a_query_or_a_board_is_reserved() -> None:
    texts = [path.read_text() for path in (*QUERIES.rglob("*.sql"), *BOARDS.glob("*.py"))]
    written = {word for text in texts for word in re.findall(r"""['"](\([a-z]+\))['"]""", text)}
    assert written == set(reserved.WORDS)


@pytest.mark.parametrize("word", [*reserved.WORDS, " (Idle) "])
def test_a_reserved_word_is_no_label_and_the_error_says_what_to_do(word: str) -> None:
    with pytest.raises(UsageError, match=r"the project cannot be .*: give another name"):
        reserved.check_label("the project", word)


@pytest.mark.parametrize("name", ["idle", "(idle) too", "other", "(none of these)", "own"])
def test_a_name_that_only_looks_like_one_is_taken(name: str) -> None:
    assert reserved.check_label("the project", name) == name


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/runs", {"project": "(idle)"}),
        ("/v1/runs", {"name": "(unattributed)"}),
        ("/v1/runs/past", {**PAST, "project": "(other)"}),
        ("/v1/runs/past", {**PAST, "name": "(other)"}),
        ("/v1/runs/import", {**TOLD, "project": "(idle)"}),
        (
            "/v1/runs/import",
            {"source": "codecarbon", "rows": [{**NEWEST, "project_name": "(idle)"}]},
        ),
        ("/v1/runs/live/marks", {"phase": "(none)"}),
        ("/v1/usage", {**EVENT, "project": "(idle)"}),
        ("/v1/usage", {**EVENT, "model": "(other)"}),
        ("/v1/usage", {**EVENT, "provider": "own"}),
        ("/v1/usage", {"provider": "openai", "project": "(idle)", "response": ANSWER}),
        ("/v1/usage", {"provider": "openai", "response": {**ANSWER, "model": "(other)"}}),
        ("/v1/jobs", {"jobs": [JOB], "project": "(unattributed)"}),
        ("/v1/jobs", {"jobs": [{**JOB, "project": "(idle)"}]}),
        ("/v1/jobs", {"jobs": [{**JOB, "base_model": "(other)"}]}),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_the_agent_refuses_it(node: Agent, path: str, body: dict[str, Any]) -> None:
    if path.startswith("/v1/runs/live"):
        node.ask("POST", "/v1/runs", {"id": "live"})
    status, answer = node.ask("POST", path, body)
    assert status == 422, answer
    assert "cannot be '" in json.dumps(answer)


@pytest.mark.parametrize(
    "words",
    [
        (*ADD, "--name", "old", "--project", "(idle)"),
        (*ADD, "--name", "(other)"),
        (*RECORD, "--provider", "openai", "--project", "(idle)"),
        (*RECORD, "--provider", "Own"),
        ("jobs", "import", "/dev/null", "--provider", "openai", "--project", "(other)"),
        ("bill", "import", "/dev/null", "--provider", "openai", "--project", "(idle)"),
        ("bill", "import", "/dev/null", "--provider", "openai", "--map-project", "p=(idle)"),
    ],
    ids=" ".join,
)
def test_the_command_line_refuses_it(
    place: Place, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    assert place.call(*words) == 2
    said = capsys.readouterr()
    assert "cannot be '" in said.err
    assert "give another name" in said.err


def test_of_a_file_of_usage_the_line_is_named(
    place: Place, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "usage.jsonl"
    path.write_text(f"{json.dumps({**EVENT, 'project': '(idle)'})}\n{json.dumps(EVENT)}\n")
    assert place.call("usage", "import", str(path)) == 1
    said = capsys.readouterr()
    assert said.out.startswith("Usage: 1 new")
    assert "line 1" in said.err
    assert "\"project\" cannot be '(idle)'" in said.err


@pytest.mark.parametrize("flag", ["--project", "--name"])
def test_a_run_is_refused_before_it_starts(flag: str) -> None:
    with pytest.raises(UsageError, match="cannot be"):
        parse("run", [flag, "(idle)", "--", "true"])


@pytest.mark.parametrize(
    ("text", "variables"),
    [
        ('project = "(idle)"', {}),
        ("", {"METER_PROJECT": "(other)"}),
        ('[budgets."(idle)"]\nmonth = ["5EUR"]', {}),
    ],
)
def test_a_configuration_says_where_it_stands(
    tmp_path: Path, text: str, variables: dict[str, str]
) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f"{text}\n")
    given = {"HOME": str(tmp_path), "METER_CONFIG": str(file), **variables}
    with pytest.raises(ConfigError, match=r"(project|PROJECT|budgets).* cannot be"):
        settings.load(given)
    config, notices = settings.load_leniently(given)  # an agent starts all the same
    assert (config.project, config.budgets) == (None, ())
    assert [notice.code for notice in notices] == ["config_error"]


def test_a_variable_never_keeps_a_run_from_being_booked_but_is_told_of() -> None:
    said: list[str] = []
    link = begin.link_for(
        parse("run", ["--", "/bin/(idle)"]), Environment({"METER_PROJECT": "(idle)"}, 1), 1,
        nested_over=False, tell=said.append, spawn=lambda _: pytest.fail("not asked"),
    )  # fmt: skip
    assert (link.spec["project"], link.spec["name"]) == (None, "job")
    assert [line for line in said if "METER_PROJECT cannot be '(idle)'" in line] == said != []


def test_a_job_cannot_mark_it_and_a_span_cannot_tell_it() -> None:
    for phase in ("(none)", " (Other)"):
        with pytest.raises(checked.WrongMarkError):
            checked.told(1, None, None, phase, None, None)
    with pytest.raises(UsageError, match="cannot be"):
        otlp_project({"meter.project": "(idle)"})
    with pytest.raises(UsageError, match="cannot be"):
        provider_and_model({"gen_ai.provider.name": "own", "gen_ai.request.model": "gpt-4o"})


def test_a_job_of_the_wire_may_be_called_anything_else() -> None:
    assert job_of({**JOB, "project": "chat"}).project == "chat"


def test_a_ledger_that_has_such_rows_is_read(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    with Ledger.open(place.home / "ledger.duckdb", pace=Pace(commit_s=0.0)) as ledger:
        for batch in (
            registered(project="(idle)", name="(other)"),
            LedgerBatch(intervals=(minute(0),), site_id="lab"),
            ended(minutes=1),
        ):
            ledger.write(batch, urgent=True).result(10)
    assert place.call("runs", "--json", "--project", "(idle)") == 0
    (listed,) = json.loads(capsys.readouterr().out)["runs"]
    assert place.call("show", "last", "--json") == 0
    shown = json.loads(capsys.readouterr().out)["run"]
    assert (listed["project"], shown["project"], shown["name"]) == ("(idle)", "(idle)", "(other)")
