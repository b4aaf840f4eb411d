"""The commands that read: through the agent, else from the file; JSON alone; one-line errors."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from meter.cli import app, exporters, output, runs
from meter.environment import Environment
from meter.errors import ReportError
from tests.cli.places import Place, agent
from tests.exporters.documents import document, series

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Place:
    made = Place(tmp_path_factory.mktemp("filled"))
    made.fill()
    return made


def fails(place: Place, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """Exit code and the one line on stderr."""
    code = place.call(*words)
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert said.err.startswith("meter: ")
    assert "Traceback" not in said.err
    return code, said.err


def in_process(place: Place, *words: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """``meter WORDS`` as a process of its own."""
    variables = {**place.variables, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-m", "meter", *words]
    return subprocess.run(command, env=variables, capture_output=True, text=True, **options)


def test_help_lists_every_command_without_importing_any(place: Place) -> None:
    code = (
        "import sys; from meter.cli import main; main(['--help'])\n"
        "wrong = {m for m in sys.modules if m.startswith('meter.cli.')} - {'meter.cli.app',"
        " 'meter.cli.session'}\n"
        "print(sorted(wrong | ({'duckdb', 'fastapi', 'rich', 'jinja2'} & set(sys.modules))))"
    )
    variables = {**place.variables, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
    for name in app.COMMANDS:
        assert f"\n  {name} " in done.stdout


@pytest.mark.parametrize("name", [n for n in app.COMMANDS if n not in {"run", "exec", "attach"}])
def test_every_help_has_an_example(
    place: Place, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert place.call(name, "--help") == 0
    shown = capsys.readouterr().out
    assert f"Example:\n    meter {name}" in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_every_command_is_named_like_its_entry() -> None:
    group = app.Commands()
    for name in app.COMMANDS:
        command = group.get_command(None, name)  # type: ignore[arg-type]
        assert command is not None
        assert command.name == name


def test_version_and_bare_call_answer(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert place.call("--version") == 0
    assert capsys.readouterr().out.startswith("meter ")
    assert place.call() == 0
    assert "Usage: meter" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["shw"], "did you mean `meter show`?"),
        (["x" * 500], "see `meter --help`"),
        (["show", "--nope"], "see `meter show --help`"),
        (["show", "a", "b"], "see `meter show --help`"),
        (["runs", "--limit", "0"], "see `meter runs --help`"),
        (["runs", "--limit", "x"], "see `meter runs --help`"),
        (["report", "--format", "pdf"], "not available in this version: use --format html or json"),
        (["report", "--format", "bogus"], "there is no format 'bogus'"),
        (["report", "-o", "x.csv"], "the format csv is not available in this version"),
        (["report", "a", "--project", "p"], "give one or the other"),
        (["demo", "--seconds", "0"], "see `meter demo --help`"),
    ],
)
def test_wrong_usage_is_one_line_with_a_remedy_and_exit_2(
    place: Place, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    code, line = fails(place, capsys, *words)
    assert code == 2
    assert said in line


def test_without_a_ledger_the_remedy_is_named(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    code, line = fails(place, capsys, "runs")
    assert code == 1
    assert "meter run -- COMMAND" in line


def test_an_unknown_run_is_wrong_usage(filled: Place, capsys: pytest.CaptureFixture[str]) -> None:
    code, line = fails(filled, capsys, "show", "nobody")
    assert code == 2
    assert "there is no run 'nobody'" in line


@pytest.mark.parametrize("words", [["runs"], ["show"], ["status"], ["report", "-o", "r.html"]])
def test_a_broken_configuration_is_told_and_keeps_nobody_from_reading(
    filled: Place,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.toml").write_text("[site]\npue = 0.5\n")
    broken = Environment({**filled.variables, "METER_CONFIG": str(tmp_path / "m.toml")}, 0)
    assert app.run(words, broken) == 0
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith("meter: warning: site.pue (")
    assert "line 2" in said[0]


def test_debug_shows_the_traceback_before_the_line(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (["--debug", "runs"], ["runs", "--debug"]):
        assert place.call(*words) == 1
        said = capsys.readouterr().err
        assert "Traceback" in said
        assert said.splitlines()[-1].startswith("meter: there is no ledger")


def test_a_defect_is_one_line_too(
    place: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("two\nlines")

    monkeypatch.setattr(app.app, "main", broken)
    code, line = fails(place, capsys, "runs")
    assert code == 1
    assert "this is a defect (RuntimeError: two lines)" in line


def test_interruption_is_quiet(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(app.app, "main", interrupted)
    assert place.call("runs") == 130


def test_json_is_the_only_thing_on_stdout(
    filled: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    for words, key in ((["runs"], "runs"), (["show"], "schema"), (["status"], "agent")):
        assert filled.call(*words, "--json") == 0
        assert key in json.loads(capsys.readouterr().out)


def test_json_stays_alone_where_the_configuration_has_notices(
    filled: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "m.toml").write_text("priject = 'x'\n")
    noisy = Place(tmp_path)
    noisy.variables = {**filled.variables, "METER_CONFIG": str(tmp_path / "m.toml")}
    assert noisy.call("runs", "--json") == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["runs"][0]["run_id"] == "01RUN0"
    assert "did you mean project?" in said.err


def test_runs_fit_the_terminal(filled: Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert filled.call("runs") == 0
    shown = capsys.readouterr().out
    assert "01RUN0" in shown
    assert "1.20 kWh" in shown
    assert max(map(len, shown.splitlines())) <= 80
    assert filled.call("runs", "--project", "nobody") == 0
    assert "No runs of project 'nobody' yet" in capsys.readouterr().out


def test_run_ids_are_cut_to_what_tells_them_apart() -> None:
    ids = ["01M84VY0H7WBZMGAEA5CQMM0ZB", "01M84VY0H7WBZMXAEA5CQMM0ZB"]
    rows = [
        {"run_id": i, "name": "n", "project": "p" * 40, "energy_j": 5e6, "status": "completed",
         "started_at": "2026-11-23T18:50:00.000000Z", "simulated": True}
        for i in ids
    ]  # fmt: skip
    shown = runs.text(rows, 80)
    assert "01M84VY0H7WBZMG " in shown
    assert "01M84VY0H7WBZMX " in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_show_prints_figures_devices_and_factors(
    filled: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    for run in ("last", "01RUN", "lora"):
        assert filled.call("show", run) == 0
        shown = capsys.readouterr().out
        assert "1.20 kWh (1.14 to 1.26), 100 % measured" in shown
        assert "NVIDIA H100" in shown
        assert "grid intensity" in shown
        assert max(map(len, shown.splitlines())) <= 80


def test_an_agent_that_answers_is_asked_instead_of_the_file(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    made = document()
    answers = {
        "/healthz": (200, {"status": "ok"}),
        "/v1/runs/a%2Fb": (200, made),
        "/v1/runs?limit=20": (200, {"runs": []}),
    }
    with agent(place.variables["METER_SOCKET"], answers) as asked:
        assert place.call("show", "a/b", "--json") == 0
        assert json.loads(capsys.readouterr().out) == made
        assert place.call("runs") == 0
        assert "No runs yet" in capsys.readouterr().out
        code, line = fails(place, capsys, "show", "nobody")
        assert (code, "see `meter runs`" in line) == (2, True)
    assert "/v1/runs/a%2Fb" in asked


def test_an_unhealthy_agent_is_asked_all_the_same(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = {"/healthz": (503, {"title": "stale"}), "/v1/runs?limit=20": (200, {"runs": []})}
    with agent(place.variables["METER_SOCKET"], answers):
        assert place.call("runs", "--json") == 0
        assert json.loads(capsys.readouterr().out) == {"runs": []}


def test_socket_can_be_named(place: Place, tmp_path: Path) -> None:
    other = str(tmp_path / "other.sock")
    answers = {"/healthz": (200, {}), "/v1/runs?limit=20": (200, {"runs": []})}
    with agent(other, answers) as asked:
        assert place.call("runs", "--socket", other) == 0
    assert asked[:2] == ["/healthz", "/v1/runs?limit=20"]


MEMORY = {"path": ":memory:", "pending": 0, "full": False, "failures": 0, "error": None}


@pytest.mark.parametrize("ledger", [MEMORY, {**MEMORY, "path": "/l", "keeps": False}])
def test_an_agent_that_keeps_nothing_is_told(
    place: Place, capsys: pytest.CaptureFixture[str], ledger: dict[str, Any]
) -> None:
    socket = place.variables["METER_SOCKET"]
    answers = {
        "/healthz": (200, {}),
        "/v1/runs?limit=20": (200, {"runs": []}),
        "/v1/runs/last": (200, document()),
        "/v1/status": (200, {"ledger": ledger}),
    }
    with agent(socket, answers):
        assert place.call("runs") == 0
        assert f"the agent at {socket} has its ledger in memory" in capsys.readouterr().err
        assert place.call("show") == 0
        assert "nothing of this run is kept" in capsys.readouterr().out
        assert place.call("doctor") == 1
        shown = " ".join(capsys.readouterr().out.split())
        assert "!! agent" in shown
        assert "has its ledger in memory" in shown


@pytest.mark.parametrize(
    ("words", "place_", "code", "said"),
    [
        ("runs", "&-", 0, ""),
        ("show", "&-", 0, ""),
        ("show nobody", "&-", 2, "there is no run 'nobody'"),
        ("report -o -", "&-", 0, ""),
        ("--help", "&-", 0, ""),
        ("show", "/dev/full", 1, "stdout: No space left on device"),
        ("report -o -", "/dev/full", 1, "stdout: No space left on device"),
        ("runs --json", "/dev/full", 1, "stdout: No space left on device"),
    ],
)
def test_a_stdout_that_takes_nothing_is_no_defect(
    filled: Place, words: str, place_: str, code: int, said: str
) -> None:
    variables = {**filled.variables, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = f"exec {sys.executable} -m meter {words} >{place_}"
    done = subprocess.run(["sh", "-c", command], env=variables, capture_output=True, text=True)
    assert done.returncode == code
    assert said in done.stderr
    assert done.stderr.count("\n") == (1 if said else 0)


def test_a_held_ledger_names_its_holder_and_the_socket_option(
    place: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("meter.cli.reads.CLOSING_S", 0.0)
    place.fill(1)
    code = (
        "import sys, pathlib; from meter.ledger import Ledger\n"
        "held = Ledger.open(pathlib.Path(sys.argv[1])); print('held', flush=True)\n"
        "sys.stdin.read()"
    )
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(
        [sys.executable, "-c", code, str(place.home / "ledger.duckdb")],
        env=variables,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        status, line = fails(place, capsys, "runs")
        holder.communicate()
    assert status == 1
    assert f"process {holder.pid}" in line
    assert "--socket" in line


def test_report_writes_html_by_default_and_says_where(
    filled: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "r.html"
    target.write_text("old")
    assert filled.call("report", "-o", str(target)) == 0
    assert "Content-Security-Policy" in target.read_text()
    assert "<svg" in target.read_text()
    assert capsys.readouterr().err == f"wrote {target}\n"
    assert [path.name for path in tmp_path.iterdir()] == ["r.html"]


def test_report_takes_the_format_from_the_name_and_json_is_the_document(
    filled: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "r.json"
    assert filled.call("report", "01RUN0", "-o", str(target)) == 0
    capsys.readouterr()
    assert filled.call("show", "--json") == 0
    assert json.loads(target.read_text()) == json.loads(capsys.readouterr().out)


def test_report_to_stdout_is_the_report_alone(filled: Place) -> None:
    done = in_process(filled, "report", "-o", "-")
    assert done.returncode == 0
    assert done.stdout.startswith("<!doctype html>")
    assert done.stderr == ""


def test_several_runs_go_into_a_folder(filled: Place, tmp_path: Path) -> None:
    folder = tmp_path / "reports"
    assert filled.call("report", "last", "lora", "--format", "json", "-o", str(folder)) == 0
    assert [path.name for path in folder.iterdir()] == ["01RUN0.json"]


def test_a_place_that_cannot_be_written_is_named(
    filled: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    code, line = fails(filled, capsys, "report", "-o", "/proc/none/r.html")
    assert code == 1
    assert "/proc/none/r.html cannot be written" in line


def test_a_reader_that_goes_away_is_no_error(filled: Place) -> None:
    command = f"{sys.executable} -m meter show --json | head -c 1"
    variables = {**filled.variables, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        ["bash", "-c", command], env=variables, capture_output=True, text=True, check=True
    )
    assert done.stdout == "{"
    assert done.stderr == ""


def test_closed_standard_streams_do_not_matter(filled: Place) -> None:
    command = f"{sys.executable} -m meter nonsense >&- 2>&-; echo $?"
    variables = {**filled.variables, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        ["bash", "-c", command], env=variables, capture_output=True, text=True, check=True
    )
    assert done.stdout == "2\n"


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "r.html"
    output.write_file(target, b"new")
    assert target.read_bytes() == b"new"
    assert target.stat().st_mode & 0o777 == 0o666 & ~output._umask()
    with pytest.raises(ReportError, match="is a folder"):
        output.write_file(tmp_path, b"x")
    assert [path.name for path in tmp_path.iterdir()] == ["r.html"]


def test_tables_wrap_one_column_and_keep_the_width() -> None:
    rows = [["a", "word " * 40, "1"], ["b", "x" * 200, "22"]]
    shown = output.table(("A", "TEXT", "N"), rows, right=(2,), wrap=1, columns=60)
    assert max(map(len, shown.splitlines())) <= 60
    assert output.table(("A",), [["\x1b[2J"]]).splitlines()[-1] == "?[2J"


def test_every_bundled_exporter_is_an_entry_point_of_the_project() -> None:
    for name in exporters.AVAILABLE:
        export = exporters.exporter(name)
        made = document()
        assert export(made, series(made, 120))


def test_run_and_exec_are_handed_to_the_launcher(place: Place) -> None:
    done = in_process(place, "--debug", "run", "--help")
    assert done.returncode == 0
    assert "Usage: meter run" in done.stdout + done.stderr


def test_a_session_reads_its_own_environment(place: Place) -> None:
    assert app.run(["status"], Environment(place.variables, os.getuid())) == 0
