"""The client of a job: what it tells, what it drops, and that no job ever notices."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import threading
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import meter
from marks.fake_agent import FakeAgent, fake_agent
from meter import limits, marks
from meter.launch import client
from meter.marks import checked, sender

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[FakeAgent]:
    with fake_agent(tmp_path) as server:
        yield server


@pytest.fixture
def told(agent: FakeAgent, monkeypatch: pytest.MonkeyPatch) -> FakeAgent:
    """The agent of this process's run."""
    monkeypatch.setenv("METER_RUN_ID", "r1")
    monkeypatch.setenv("METER_SOCKET", agent.path)
    monkeypatch.setattr(sender._Process, "senders", {})
    monkeypatch.setattr(sender._Process, "phase", "")
    monkeypatch.setattr(sender._Process, "registered", True)
    return agent


def run(script: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """A job of its own."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-W", "error", "-c", script]
    return subprocess.run(
        command, env={**environment, **variables}, cwd=folder, capture_output=True, text=True
    )


def of(agent: FakeAgent) -> dict[str, str]:
    return {"METER_RUN_ID": "r1", "METER_SOCKET": agent.path}


def test_importing_meter_loads_nothing_and_marking_only_the_standard_library(
    tmp_path: Path, agent: FakeAgent
) -> None:
    script = (
        "import sys\n"
        "before = set(sys.modules)\n"
        "import meter\n"
        "print(sorted(set(sys.modules) - before))\n"
        "meter.mark(step=1)\n"
        "own = {n.partition('.')[0] for n in set(sys.modules) - before}\n"
        "print(sorted(own - set(sys.stdlib_module_names)))\n"
    )
    done = run(script, tmp_path, **of(agent))
    assert done.stdout.splitlines() == ["['meter']", "['meter']"]


def test_marks_are_told_in_order_with_the_instant_of_the_call(told: FakeAgent) -> None:
    before = sender.now_ns()
    meter.mark(step=1, epoch=0.25, tokens=512, fraction=0.1)
    meter.mark(step=2, phase="eval")
    after = sender.now_ns()
    assert marks.flush(60)
    first, second = told.marks
    assert before <= first.pop("at_ns") <= second.pop("at_ns") <= after
    assert first == {"step": 1, "epoch": "0.250000", "tokens": 512, "fraction": "0.100000000"}
    assert second == {"step": 2, "phase": "eval"}
    assert told.batches[0]["path"] == "/v1/runs/r1/marks"


def test_marks_are_told_without_anybody_asking_for_it(told: FakeAgent) -> None:
    meter.mark(step=1)
    assert told.await_marks(1)[0]["step"] == 1


def test_a_phase_ends_with_its_block_and_the_one_before_goes_on(told: FakeAgent) -> None:
    with meter.phase("train"):
        with pytest.raises(KeyError), meter.phase("eval"):
            raise KeyError
        meter.mark(step=1)
    assert marks.flush(60)
    assert [m.get("phase") for m in told.marks] == ["train", "eval", "train", None, ""]


def test_batches_are_numbered_so_that_the_agent_knows_them_again(told: FakeAgent) -> None:
    told.answers += [(503, {}), (202, {"invalid": []})]
    meter.mark(step=1)
    meter.mark(step=2)
    marks.flush(60)
    assert marks.flush(60)
    meter.mark(step=3)
    assert marks.flush(60)
    again, last = told.batches[-2:]
    assert told.batches[0]["first"] == again["first"] == 0
    assert [m["step"] for m in again["marks"]] == [1, 2]
    assert (last["first"], [m["step"] for m in last["marks"]]) == (2, [3])
    assert len({batch["source"] for batch in told.batches}) == 1


def test_a_run_that_is_not_registered_yet_is_waited_for(told: FakeAgent) -> None:
    told.answers.append((404, {}))
    meter.mark(step=1)
    marks.flush(60)
    assert marks.flush(60)
    assert [batch["status"] for batch in told.batches] == [404, 202]
    assert marks.dropped() == {}


def test_a_run_that_has_ended_is_told_nothing_more(told: FakeAgent) -> None:
    told.answers.append((409, {}))
    meter.mark(step=1)
    assert not marks.flush(60)
    meter.mark(step=2)
    marks.flush(60)
    assert len(told.batches) == 1
    assert marks.dropped() == {"ended": 2}


@pytest.mark.parametrize("status", [400, 403, 413, 421, 422])
def test_what_the_agent_refuses_is_counted_told_and_keeps_no_later_mark_back(
    told: FakeAgent, status: int
) -> None:
    told.answers.append((status, {}))
    meter.mark(step=1)
    assert not marks.flush(60)
    assert marks.dropped() == {"refused": 1}
    assert told.batches[-1]["dropped"] == {"refused": 1}  # by itself, for no mark may follow
    meter.mark(step=2)
    assert marks.flush(60)
    assert [m["step"] for m in told.batches[-1]["marks"]] == [2]


def test_an_agent_that_refuses_all_is_not_asked_again_and_again(told: FakeAgent) -> None:
    told.answers += [(403, {})] * 3
    meter.mark(step=1)
    assert not marks.flush(60)
    assert [len(batch["marks"]) for batch in told.batches] == [1, 0]
    assert marks.flush(60)
    assert len(told.batches) == 2


@pytest.mark.parametrize("status", [404, 408, 429, 500, 503])
def test_what_may_pass_is_tried_again(told: FakeAgent, status: int) -> None:
    told.answers.append((status, {}))
    meter.mark(step=1)
    marks.flush(60)
    assert marks.flush(60)
    assert [batch["status"] for batch in told.batches] == [status, 202]
    assert marks.dropped() == {}


def test_a_batch_that_is_too_large_is_told_in_halves(told: FakeAgent) -> None:
    told.answers += [(413, {}), (413, {})]
    for step in range(8):
        meter.mark(step=step)
    assert marks.flush(60)
    sent = [(batch["first"], len(batch["marks"])) for batch in told.batches]
    whole = sent.index((0, 8))  # the thread may have looked while they were made
    assert sent[whole:] == [(0, 8), (0, 4), (0, 2), (2, 2), (4, 2), (6, 2)]
    taken = [m["step"] for b in told.batches if b["status"] == 202 for m in b["marks"]]
    assert taken == list(range(8))
    assert marks.dropped() == {}


def test_the_longest_batch_is_below_the_agents_limit() -> None:
    longest = max(
        (checked.told(2**63 - 1, limits.STEPS, 999_999, char * 200, limits.TRAINED_TOKENS, 1)
         for char in ("\U0001f600", '"', "\\", "é")),
        key=lambda mark: len(client._request_bytes("POST", "/", mark)),
    )  # fmt: skip
    body = {"source": "x" * 64, "first": 2**63 - 1, "marks": [longest] * sender.BATCH}
    assert len(client._request_bytes("POST", "/v1/runs/r/marks", body)) < limits.BODY_BYTES


@pytest.mark.parametrize("run_id", ["bad id", "r/../x", "é", "r\r\nX: 1", "x" * 129])
def test_for_what_cannot_be_a_run_nothing_is_sent_and_marks_are_counted(
    told: FakeAgent, monkeypatch: pytest.MonkeyPatch, run_id: str
) -> None:
    monkeypatch.setenv("METER_RUN_ID", run_id)
    meter.mark(step=1)
    meter.link("wandb", "x")
    assert not marks.flush(60)
    assert (marks.dropped(), told.batches) == ({"refused": 1, "link": 1}, [])


def test_threads_that_mark_first_at_once_share_one_sender(
    told: FakeAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = threading.Barrier(2)

    def slow_id() -> str:
        both.wait(60)  # each makes its sender before the other has one
        return "s"

    monkeypatch.setattr(sender, "new_id", slow_id)
    threads = [threading.Thread(target=meter.mark, kwargs={"step": n}) for n in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert marks.flush(60)
    assert sorted(m["step"] for m in told.marks) == [1, 2]


def test_a_signal_while_the_thread_is_begun_begins_no_second_one(
    told: FakeAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = []

    def start(function: object, arguments: object) -> None:
        begun.append(function)
        if len(begun) == 1:
            meter.mark(step=2)

    monkeypatch.setattr(sender._thread, "start_new_thread", start)
    meter.mark(step=1)
    assert len(begun) == 1


@pytest.mark.parametrize(
    ("values", "told_as"),
    [
        ({"step": math.nan}, None),
        ({"step": math.inf}, None),
        ({"step": -1}, None),
        ({"step": True}, None),
        ({"step": 1.5}, None),
        ({"step": 2**63}, None),
        ({"step": "3"}, None),
        ({"step": [3]}, None),
        ({"tokens": Decimal("NaN")}, None),
        ({"tokens": Decimal("sNaN")}, None),
        ({"epoch": -0.1}, None),
        ({"epoch": 10**6}, None),
        ({"epoch": 10**400}, None),
        ({"fraction": 1.1}, None),
        ({"phase": 3}, None),
        ({"phase": "a\nb"}, None),
        ({"phase": "  "}, None),
        ({"phase": "x" * 201}, None),
        ({"phase": "\ud800"}, None),
        ({"stp": 3}, None),
        ({}, None),
        ({"step": 3.0}, {"step": 3}),
        ({"tokens": Decimal(7)}, {"tokens": 7}),
        ({"epoch": Decimal("1.5")}, {"epoch": "1.500000"}),
        ({"fraction": 1}, {"fraction": "1.000000000"}),
        ({"phase": "eval é"}, {"phase": "eval é"}),
    ],
)
def test_a_wrong_value_is_dropped_and_counted(told: FakeAgent, values, told_as) -> None:
    meter.mark(**values)
    assert marks.flush(60)
    found = [{key: m[key] for key in m if key != "at_ns"} for m in told.marks]
    assert found == ([] if told_as is None else [told_as])
    assert marks.dropped() == ({"invalid": 1} if told_as is None else {})
    if told_as is None:
        assert told.batches[0]["dropped"] == {"invalid": 1}


def test_a_value_by_its_place_is_dropped_and_counted(told: FakeAgent) -> None:
    meter.mark(3)
    assert marks.dropped() == {"invalid": 1}


class Tensor:
    """Asking it for its number would wait for a device."""

    shape = ()

    def item(self) -> int:
        raise AssertionError("it was asked")

    __int__ = __index__ = __float__ = item


def test_a_tensor_is_not_asked_for_its_value(told: FakeAgent) -> None:
    meter.mark(step=Tensor())
    assert marks.dropped() == {"invalid": 1}


def test_numbers_of_numpy_are_taken(told: FakeAgent) -> None:
    numpy = pytest.importorskip("numpy")
    meter.mark(step=numpy.int64(3), epoch=numpy.float32(0.5), tokens=numpy.uint16(9))
    meter.mark(step=numpy.bool_(True))
    meter.mark(step=numpy.array([1]))
    assert marks.flush(60)
    (only,) = told.marks
    assert (only["step"], only["epoch"], only["tokens"]) == (3, "0.500000", 9)
    assert marks.dropped() == {"invalid": 2}


anything = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.decimals(), st.text(), st.binary(),
    st.complex_numbers(), st.lists(st.integers()), st.just(object()),
)  # fmt: skip


@example((1_000_000_000_001, None, None, None, None))
@example((None, None, None, 10**13 + 1, None))
@given(st.tuples(anything, anything, anything, anything, anything))
def test_whatever_is_marked_is_a_mark_that_the_agent_takes_or_a_wrong_one(values) -> None:
    from meter.agent.requests import NewMark

    try:
        made = checked.told(1, *values)
    except checked.WrongMarkError:
        return
    assert NewMark.model_validate(made).at_ns == 1


def test_without_a_run_or_a_socket_nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender._Process, "senders", {})
    for name in ("METER_RUN_ID", "METER_SOCKET"):
        monkeypatch.delenv(name, raising=False)
    meter.mark(step=1)
    with meter.phase("eval"):
        meter.mark(nonsense=1)
    assert marks.flush()
    assert marks.dropped() == {}
    assert sender._Process.senders == {}


def test_where_no_agent_answers_the_newest_are_dropped_and_the_job_is_not_kept(
    tmp_path: Path,
) -> None:
    script = (
        "import meter\n"
        "from meter.marks import sender\n"
        "for n in range(sender.MOST_WAITING + sender.BATCH + 7): meter.mark(step=n)\n"
        "found = meter.marks.dropped()\n"
        "print(list(found), 0 < found['full'] <= sender.BATCH + 7)\n"
        "print(meter.marks.flush(60))\n"
    )
    done = run(script, tmp_path, METER_RUN_ID="r1", METER_SOCKET=str(tmp_path / "none"))
    assert done.stdout.splitlines() == ["['full'] True", "False"]
    assert (done.returncode, done.stderr) == (0, "")


def test_what_was_marked_last_is_told_when_the_job_ends(tmp_path: Path, agent: FakeAgent) -> None:
    script = "import meter\nfor n in range(1_200): meter.mark(step=n)\nraise SystemExit(7)\n"
    done = run(script, tmp_path, **of(agent))
    assert (done.returncode, done.stdout, done.stderr) == (7, "", "")
    assert [m["step"] for m in agent.marks] == list(range(1_200))


def test_a_child_of_a_fork_tells_its_own_marks_only(tmp_path: Path, agent: FakeAgent) -> None:
    script = (
        "import os, meter\n"
        "with meter.phase('train'):\n"
        "    meter.mark(step=1)\n"
        "    child = os.fork()\n"
        "    if child == 0:\n"
        "        with meter.phase('load'): meter.mark(step=2)\n"
        "        os._exit(0 if meter.marks.flush(60) else 1)\n"
        "    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    done = run(script, tmp_path, **of(agent))
    assert done.stdout == "0\n"
    found: dict[str, list] = {}
    for batch in agent.batches:
        told = [m.get("phase", m.get("step")) for m in batch["marks"]]
        found.setdefault(batch["source"], []).extend(told)
    assert sorted(found.values(), key=str) == [["load", 2, "train"], ["train", 1, ""]]


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_workers_of_multiprocessing_tell_what_they_marked_last(
    tmp_path: Path, agent: FakeAgent, method: str
) -> None:
    (tmp_path / "job.py").write_text(
        "import multiprocessing, meter\n"
        "def work(n): meter.mark(step=n)\n"
        "if __name__ == '__main__':\n"
        f"    context = multiprocessing.get_context('{method}')\n"
        "    meter.mark(step=0)\n"
        "    workers = [context.Process(target=work, args=(n,)) for n in (1, 2)]\n"
        "    for worker in workers: worker.start()\n"
        "    for worker in workers: worker.join()\n"
    )
    done = run("import runpy; runpy.run_path('job.py', run_name='__main__')", tmp_path, **of(agent))
    if method != "fork":  # they import the job by its file
        agent.batches.clear()
        command = [sys.executable, "job.py"]
        environment = {"PYTHONPATH": os.pathsep.join(sys.path), **of(agent)}
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(m["step"] for m in agent.marks) == [0, 1, 2]


def test_a_mark_in_a_signal_handler_does_not_hang(tmp_path: Path, agent: FakeAgent) -> None:
    script = (
        "import signal, meter\n"
        "seen = []\n"
        "def save(*_):\n"
        "    seen.append(1)\n"
        "    meter.mark(phase='save')\n"
        "signal.signal(signal.SIGALRM, save)\n"
        "signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)\n"
        "n = 0\n"
        "while len(seen) < 200:\n"
        "    meter.mark(step=n)\n"
        "    n += 1\n"
        "signal.setitimer(signal.ITIMER_REAL, 0)\n"
        "meter.marks.flush(60)\n"
        "print(n - meter.marks.dropped().get('full', 0))\n"
    )
    done = run(script, tmp_path, **of(agent))
    assert (done.returncode, done.stderr) == (0, "")
    assert len([m for m in agent.marks if "step" in m or "phase" in m]) >= int(done.stdout)


def test_a_mark_while_marks_are_being_loaded_does_no_harm(tmp_path: Path, agent: FakeAgent) -> None:
    script = (
        "import sys, types, meter\n"
        "sys.modules['meter.marks'] = types.ModuleType('meter.marks')\n"
        "meter.mark(step=1)\n"
        "with meter.phase('eval'): pass\n"
        "meter.marks.flush(0.5)\n"
        "del sys.modules['meter.marks']\n"
        "meter.mark(step=2)\n"
    )
    done = run(script, tmp_path, **of(agent))
    assert (done.returncode, done.stderr) == (0, "")
    assert [m["step"] for m in agent.marks] == [2]


def test_the_end_of_a_process_waits_once_whoever_calls_for_it(
    tmp_path: Path, agent: FakeAgent
) -> None:
    script = (
        "import multiprocessing.util, time, meter\n"
        "from meter.marks import sender\n"
        "meter.mark(step=1)\n"
        "def hang(timeout_s):\n"
        "    print(timeout_s)\n"
        "    time.sleep(timeout_s)\n"
        "sender.flush = hang\n"
    )
    done = run(script, tmp_path, **of(agent))
    assert (done.returncode, done.stderr) == (0, "")
    assert [float(line) for line in done.stdout.split()] == [sender.EXIT_S, 0]


def test_an_agent_that_hangs_does_not_keep_the_job(tmp_path: Path) -> None:
    import socket

    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(tmp_path / "deaf"))
        deaf.listen()
        done = run(
            "import meter, os, signal\nmeter.mark(step=1)\nos.kill(os.getpid(), signal.SIGTERM)\n",
            tmp_path, METER_RUN_ID="r1", METER_SOCKET=str(tmp_path / "deaf"),
        )  # fmt: skip
        assert done.returncode == -signal.SIGTERM
        done = run("import meter\nmeter.mark(step=1)", tmp_path,
                   METER_RUN_ID="r1", METER_SOCKET=str(tmp_path / "deaf"))  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
