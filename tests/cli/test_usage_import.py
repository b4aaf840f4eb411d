"""A long file is read by a second process: what comes of it is the same, also where it ends."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meter.cli import output, usage_import, usage_lines
from meter.cli.usage_opening import one_a_line
from meter.errors import UsageError
from meter.usage_entries import entry, named
from meter.usage_records import Record, events_text, record_of, wrong_text
from tests.agent.agents import PATIENCE_S
from tests.cli.places import Place
from tests.cli.test_usage import EVENT, counted, events, file, recorded, text, told
from tests.hosted.test_usage_entries import usages

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MIXED = text(
    *events(300), "[1]", {**EVENT, "id": "é→"}, '{"id": ', {**EVENT, "quantity": -1}, "",
    *recorded(["openai_batch_line", "openai_batch_line_failed", "anthropic_message"]),
    {**EVENT, "quantity": 5}, *events(300),
)  # fmt: skip
SAID: Mapping[str, str] = {"provider": "openai", "region": "eu"}


def stable(texts: list[str]) -> list[Record]:
    """Records without those that have no time of their own."""
    found = [record_of(one) for one in texts]
    return [one for one in found if not any('"at_received' in e.heads[0] for e in one.entries)]


@given(st.integers(1, 10**9), st.lists(usages.map(entry), max_size=3))
def test_a_record_comes_through_a_text_as_it_was(line, told_by_it) -> None:
    made = events_text(line, told_by_it)
    assert record_of(made) == Record(line, tuple(told_by_it))
    assert "\n" not in made


@given(usages)
def test_an_event_tells_its_name(usage) -> None:
    assert named(entry(usage)) == (usage.source, usage.id)


@pytest.mark.parametrize("line", [None, 7])
def test_a_wrong_record_says_why(line) -> None:
    wrong = {"reason": "x\ty\n\x1e", "id": "é"}
    assert record_of(wrong_text(line, wrong)) == Record(line, wrong=wrong)


@pytest.mark.parametrize("packed", [False, True])
def test_a_second_process_reads_what_this_one_reads(tmp_path: Path, packed: bool) -> None:
    path = file(tmp_path, gzip.compress(MIXED)[:-4] if packed else MIXED)
    read = []
    for apart_bytes in (0, 1 << 40):
        with (
            Path(path).open("rb") as opened,
            usage_lines.records(opened, SAID, "chat", apart_bytes) as found,
        ):
            read.append(stable(list(found)))
    assert read[0] == read[1]
    assert len(read[0]) > 600
    wrong = [one.line for one in read[0] if one.wrong]
    assert wrong == [301, 303, 304, 308] + [None] * packed


def test_whoever_wants_no_more_leaves_no_reader_behind(tmp_path: Path) -> None:
    path = file(tmp_path, text(*events(20_000)))
    before = set(psutil.Process().children())
    with Path(path).open("rb") as opened, usage_lines.records(opened, {}, None, 0) as found:
        next(found)
        (reader,) = set(psutil.Process().children()) - before
    assert not reader.is_running()


def test_a_reader_that_dies_is_an_error_and_no_end_of_the_file(tmp_path: Path) -> None:
    path = file(tmp_path, text(*events(20_000)))
    before = set(psutil.Process().children())
    with Path(path).open("rb") as opened, usage_lines.records(opened, {}, None, 0) as found:
        next(found)
        (reader,) = set(psutil.Process().children()) - before
        reader.kill()
        with pytest.raises(UsageError, match="to its end"):
            list(found)


def test_a_long_file_is_taken_once_and_its_faults_have_their_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = Place(tmp_path)
    changed = {**EVENT, "id": "7", "quantity": 2}
    path = file(tmp_path, text(*events(9_000), "[1]", changed, *events(30_000)))
    assert Path(path).stat().st_size >= usage_lines.APART_BYTES
    found = told(place, capsys, "usage", "import", path, code=1)
    assert (found["stored"], found["duplicate"]) == (30_000, 9_000)
    wrong, conflict = found["faults"]
    assert (wrong["line"], conflict["line"]) == (9_001, 9_002)
    assert (conflict["id"], conflict["source"]) == ("7", "openai")
    assert conflict["stored"]["quantities"] == {"input": "1000"}
    assert conflict["given"] == {**conflict["stored"], "quantities": {"input": "2"}}
    assert counted(place, capsys) == {"input": 30_000_000}


def test_an_import_that_is_interrupted_goes_on_when_it_is_started_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = Place(tmp_path)
    path = file(tmp_path, text(*events(60_000)))
    variables = {**place.variables, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "meter", "usage", "import", path]
    with subprocess.Popen(
        command, env=variables, start_new_session=True, stderr=subprocess.PIPE, text=True
    ) as importing:
        reader = first_child(importing.pid)
        os.killpg(importing.pid, signal.SIGINT)  # as a terminal does
        _, err = importing.communicate(timeout=PATIENCE_S)
    assert importing.returncode != 0
    assert "Traceback" not in err
    psutil.wait_procs([reader], PATIENCE_S)
    assert not reader.is_running()
    assert place.call("usage", "import", path) == 0
    capsys.readouterr()
    assert counted(place, capsys) == {"input": 60_000_000}


def first_child(pid: int) -> psutil.Process:
    """The first child of a process, once it has one."""
    for _ in range(int(PATIENCE_S / 0.01)):
        if found := psutil.Process(pid).children():
            return found[0]
        time.sleep(0.01)
    raise AssertionError("nobody reads")


def test_a_line_that_is_long_is_still_one_record(tmp_path: Path) -> None:
    event = {**EVENT, "id": "x" * 256}
    padded = json.dumps(event)[:-1] + " " * 300_000 + "}"
    path = file(tmp_path, text(padded, *events(2)))
    with Path(path).open("rb") as opened, usage_lines.records(opened, {}, None, 0) as found:
        assert [record_of(one).line for one in found] == [1, 2, 3]


def test_of_many_faults_the_first_are_kept_and_all_are_counted(tmp_path, capsys) -> None:
    place = Place(tmp_path)
    wrong = 2 * usage_import.FAULTS_KEPT
    path = file(tmp_path, b"{}\n" * wrong)
    assert place.call("usage", "import", path) == 1
    assert f"not taken: {wrong:,} of the lines" in capsys.readouterr().err
    assert place.call("usage", "import", path, "--json") == 1
    found = json.loads(capsys.readouterr().out)
    assert found["invalid"] == wrong
    assert [one["line"] for one in found["faults"]] == list(range(1, usage_import.FAULTS_KEPT + 1))


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    "whole",
    [
        json.dumps(EVENT, indent=1), json.dumps([EVENT, EVENT], indent=2), json.dumps([EVENT]),
        "\n[\r\n" + ",\r\n".join(map(json.dumps, [EVENT, EVENT])) + "\r\n]\r\n",
    ],
)  # fmt: skip
def test_a_file_that_is_one_json_text_is_one_fault_that_says_what_to_do(
    tmp_path: Path, whole: str, packed: bool
) -> None:
    text = gzip.compress(whole.encode()) if packed else whole.encode()
    with Path(file(tmp_path, text)).open("rb") as opened:
        (told,) = usage_lines.Lines(opened)
    assert told.number == (2 if whole.startswith("\n") else 1)
    assert "write one object a line" in str(told.fault)


@pytest.mark.parametrize("begin", ["{", "[", "x"])
def test_a_first_line_that_was_torn_costs_no_other(tmp_path: Path, begin: str) -> None:
    path = file(tmp_path, text(begin, *events(2)))
    with Path(path).open("rb") as opened:
        assert [line.fault is None for line in usage_lines.Lines(opened)] == [False, True, True]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    "torn",
    [
        ("{", '{"id": "2", "quant'), ("[", '{"id": "2", "quant'), ("x", "y"), ("{", "}"),
        ("[", '{"id": "2"},'), ("[]", "x"), ("{", '"id": "2",', '"quantity": 1'), ("[", "1,", "2"),
    ],
)  # fmt: skip
def test_first_lines_that_were_torn_cost_no_other(
    tmp_path: Path, torn: tuple[str, ...], packed: bool
) -> None:
    whole = text(*torn, *events(2))
    path = file(tmp_path, gzip.compress(whole) if packed else whole)
    with Path(path).open("rb") as opened:
        found = list(usage_lines.Lines(opened))
    assert [line.number for line in found] == list(range(1, len(torn) + 3))
    assert [line.fault is None for line in found][-2:] == [True, True]
    assert all(line.fault or not isinstance(line.value, dict) for line in found[:-2])


@pytest.mark.parametrize(
    ("begin", "wrong"),
    [
        ("[\n{", [True]), ('{\n "id": "1",', [True]), ('[\n{"id": "1"},\n{"id": "2"},', [True]),
        ('[\n{"id": "1"},\n{"id": "2"}', [True, True, False]),
    ],
)  # fmt: skip
def test_an_array_that_is_cut_off_is_one_fault_unless_a_line_is_whole(
    tmp_path: Path, begin: str, wrong: list[bool]
) -> None:
    with Path(file(tmp_path, begin.encode())).open("rb") as opened:
        assert [line.fault is not None for line in usage_lines.Lines(opened)] == wrong


class Broken:
    """A file that breaks after some lines."""

    def __init__(self, *rows: bytes) -> None:
        self._rows = list(rows)

    def readline(self, most: int, /) -> bytes:
        if not self._rows:
            raise EOFError(f"no {most} bytes more")
        return self._rows.pop(0)


def test_lines_that_were_looked_at_are_told_before_the_file_breaks() -> None:
    found = one_a_line(Broken(b"[\n", b'{"id": "1"},\n', b'{"id": "2"}\n'))
    assert [next(found).number for _ in range(3)] == [1, 2, 3]
    with pytest.raises(EOFError, match="bytes more"):
        next(found)


@pytest.mark.parametrize("count", [2, 40, 5_000])
@pytest.mark.parametrize("indent", [0, 2])
def test_a_long_array_is_one_fault_and_so_are_indented_texts_in_a_row(
    tmp_path: Path, count: int, indent: int
) -> None:
    array = json.dumps(events(count), indent=indent)
    row = "\n".join(json.dumps(one, indent=indent) for one in events(count))
    for whole in (array, row):
        with Path(file(tmp_path, whole.encode())).open("rb") as opened:
            (told,) = usage_lines.Lines(opened)
        assert "write one object a line" in str(told.fault)


class Repeated:
    """A gzip of some MiB more than is unpacked in vain, all of one line."""

    def __init__(self, line: bytes, folder: Path) -> None:
        self.path = folder / "bomb.jsonl.gz"
        with gzip.open(self.path, "wb") as file:
            file.write(text(EVENT))
            for _ in range(80):
                file.write(line * ((1 << 20) // len(line)))
            file.write(text({**EVENT, "id": "last"}))


@pytest.mark.parametrize(
    "line", [b"\n", b"x" * 4_096 + b"\n", b"[1]" + b" " * 4_096 + b"\n", text({**EVENT, "id": "é"})]
)
def test_a_gzip_of_endless_lines_of_no_use_is_given_up(tmp_path: Path, line: bytes) -> None:
    path = Repeated(line, tmp_path).path
    with path.open("rb") as file:
        told = [record_of(one) for one in usage_lines.texts(file, {}, None)]
    assert named(told[0].entries[0])[1] == EVENT["id"]
    assert told[-1].line is None
    assert "read no further" in told[-1].wrong["reason"]
    assert not any(named(one)[1] == "last" for each in told for one in each.entries)


def test_an_agent_is_not_asked_endlessly_of_a_gzip_of_wrong_lines(tmp_path: Path) -> None:
    line = b'{"wrong":"' + b"x" * (1 << 16) + b'"}\n'
    asked: list[object] = []

    def refuse(values: Sequence[object]) -> list[dict[str, object]]:
        asked.extend(values)
        return [{"status": "invalid", "reason": "no event"} for _ in values]

    told = usage_import.Told()
    with Repeated(line, tmp_path).path.open("rb") as file:
        list(usage_import.by_agent(file, {}, refuse, told))
    assert len(asked) < 1_100
    (whole,) = [one for one in told.faults if one["line"] is None]
    assert "read no further" in whole["reason"]


@pytest.mark.parametrize("wrong", [0, 10])
def test_a_gzip_of_a_thousandth_of_its_events_is_read_whole(tmp_path: Path, wrong: int) -> None:
    path = tmp_path / "responses.jsonl.gz"
    with gzip.open(path, "wb") as file:
        for number in range(100):
            event = json.dumps({**EVENT, "id": str(number)})[:-1]
            file.write(f"{event}{' ' * (1 << 20)}}}\n".encode())
            file.write(b"[1]\n" * wrong)
    assert path.stat().st_size * 500 < 100 << 20
    with path.open("rb") as file:
        told = [record_of(one) for one in usage_lines.texts(file, {}, None)]
    assert sum(len(one.entries) for one in told) == 100
    assert all(one.line for one in told)


@pytest.mark.parametrize("apart_bytes", [0, 1 << 40])
@pytest.mark.parametrize("packed", [False, True])
def test_how_much_of_a_file_was_read_is_known_whoever_reads_it(
    tmp_path: Path, packed: bool, apart_bytes: int
) -> None:
    content = text(*events(20_000))
    path = file(tmp_path, gzip.compress(content) if packed else content)
    with Path(path).open("rb") as opened:
        share = output.share_read(opened)
        assert share() == 0
        with usage_lines.records(opened, {}, None, apart_bytes) as found:
            next(found)
            assert 0 < (share() or 0) <= 1
            list(found)
        assert share() == 1


def test_of_a_pipe_nobody_knows_how_much_was_read() -> None:
    reading, writing = os.pipe()
    os.close(writing)
    with open(reading, "rb") as opened:
        assert output.share_read(opened)() is None


def test_progress_says_how_much_of_all_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setattr(output, "_QUIET_S", 0.0)
    monkeypatch.setattr(output, "_AGAIN_S", 0.0)
    with output.counting("events", lambda: 0.5) as show:
        show(1_000)
    assert "1,000 events,  50%" in capsys.readouterr().err
