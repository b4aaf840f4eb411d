"""Senders whose CLOCK_BOOTTIME is not this node's: containers, other time namespaces."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.agents import agent, boot_ns, until
from meter.agent import clocks

if TYPE_CHECKING:
    from pathlib import Path

HOUR_NS = 3_600 * 10**9
JOB = """
import time, meter
for step in range(5):
    meter.mark(step=step)
    time.sleep(0.5)
for attempt in range(30):
    if meter.marks.flush(30):
        break  # a busy agent may not take it the first time
else:
    raise SystemExit(str(meter.marks.dropped()))
"""


def away_ns(way: str) -> int:
    """How far another clock is from ours: an hour, or less where we have not been up for one."""
    return HOUR_NS if way == "ahead" else -min(HOUR_NS, boot_ns() * 9 // 10)


@given(
    st.integers(0, 10**18),
    st.one_of(st.none(), st.integers(-(10**15), 10**15)),
    st.integers(0, 9 * 10**9),
)
def test_instants_are_moved_by_the_clocks_difference_and_not_by_a_slow_request(
    now_ns: int, known_ns: int | None, way_ns: int
) -> None:
    theirs_ns = now_ns - (known_ns or 0)
    assert clocks.offset_ns(theirs_ns, now_ns + way_ns, known_ns) == (known_ns or 0)


def test_a_minute_on_its_way_is_none_but_an_hour_is_another_clock() -> None:
    minute_ns = 60 * 10**9
    assert clocks.offset_ns(0, minute_ns, 0) == 0  # our agent was stopped for a minute
    assert clocks.offset_ns(0, minute_ns, None) == minute_ns
    assert clocks.offset_ns(0, HOUR_NS, 0) == HOUR_NS  # a sandbox with a kernel of its own
    assert clocks.offset_ns(5, 0, 0) == -5  # nothing comes before it was sent
    assert clocks.namespace_offset_ns(os.getpid()) in (0, None)
    assert clocks.namespace_offset_ns(2**22 + 1) is None


@pytest.mark.parametrize("way", ["behind", "ahead"])
def test_a_run_by_another_clock_has_its_energy_and_its_steps(tmp_path: Path, way: str) -> None:
    ahead_ns = away_ns(way)

    def theirs() -> int:
        return boot_ns() + ahead_ns

    with agent(tmp_path) as node:
        node.hear("reading")
        node.begin("skewed", started_ns=theirs(), sent_ns=theirs())
        node.begin("right", sent_ns=boot_ns())
        until(lambda: node.ask("GET", "/v1/runs/right")[1]["energy"]["it"]["value"], "energy")
        marks = [{"step": n, "at_ns": theirs() + (n - 5) * 10**7} for n in range(5)]
        batch = {"source": "s", "first": 0, "marks": marks}
        answer = node.ask("POST", "/v1/runs/skewed/marks", {**batch, "sent_ns": theirs()})
        assert answer[1]["noted"] == 5
        end_ns = boot_ns()
        right = node.end("right", ended_ns=end_ns, sent_ns=boot_ns())
        skewed = node.end("skewed", ended_ns=end_ns + ahead_ns, sent_ns=theirs())
        node.stop()
    assert "clock_skew" in codes(skewed) - codes(right)
    assert skewed["run"]["duration_s"] == pytest.approx(right["run"]["duration_s"], abs=2)
    assert skewed["energy"]["it"]["value"] == pytest.approx(right["energy"]["it"]["value"], rel=0.5)
    assert skewed["steps"]["spans"] == 4
    assert "marks_dropped" not in codes(skewed)


@pytest.mark.parametrize("way", ["behind", "ahead"])
def test_marks_of_an_unknown_clock_are_no_steps_of_nothing(tmp_path: Path, way: str) -> None:
    ahead_ns = away_ns(way)
    marks = [{"step": n, "at_ns": boot_ns() + ahead_ns + n} for n in range(3)]
    with agent(tmp_path) as node:
        node.hear("reading")
        node.begin("r1")
        path = "/v1/runs/r1/marks"
        answer = node.ask("POST", path, {"source": "s", "first": 0, "marks": [*marks, {"step": 9}]})
        assert [wrong["place"] for wrong in answer[1]["invalid"]] == [0, 1, 2]
        assert answer[1]["noted"] == 1
        assert node.ask("POST", path, marks[0])[0] == 422
        document = node.end("r1")
        node.stop()
    (told,) = [n["text"] for n in document["notices"] if n["code"] == "marks_dropped"]
    assert told.startswith("4 marks of the run were dropped (4 clock)")


def test_a_late_registration_of_our_own_clock_begins_when_it_says(tmp_path: Path) -> None:
    with agent(tmp_path) as node:
        node.hear("reading")
        began_ns = boot_ns()
        until(lambda: boot_ns() - began_ns > 2 * 10**9, "two seconds")
        node.begin("late", started_ns=began_ns, sent_ns=boot_ns())
        document = node.end("late")
        node.stop()
    assert document["run"]["duration_s"] > 2
    assert "clock_skew" not in codes(document)


@pytest.mark.parametrize("offset_s", ["-50", "100000"])
def test_a_job_in_another_time_namespace_is_metered_whole(
    tmp_path: Path, require_tool: Any, offset_s: str
) -> None:
    require_tool("unshare")
    unshare = ["unshare", "--time", "--boottime", offset_s, "--fork"]
    if subprocess.run([*unshare, "true"], capture_output=True).returncode:
        unshare[1:1] = ["--user", "--map-root-user"]
    if subprocess.run([*unshare, "true"], capture_output=True).returncode:
        pytest.skip("no time namespace can be made here")
    told = tmp_path / "told.json"
    meter = [sys.executable, "-m", "meter", "run", "--quiet", "--summary-json", str(told)]
    with agent(tmp_path) as node:
        node.hear("reading")
        environment = {k: v for k, v in node.environment.items() if k != "METER_SIMULATE"}
        job = [*unshare, *meter, "--", sys.executable, "-c", JOB]
        assert subprocess.run(job, env=environment).returncode == 0
        document = json.loads(told.read_text())
        node.stop()
    assert document["run"]["duration_s"] >= 2.4  # all of the job
    assert document["energy"]["by_component"]["gpu"]["value"] > 0
    assert document["steps"]["spans"] == 4
    assert document["steps"]["energy"]["value"] > 0
    assert "clock_skew" in codes(document)


def codes(document: dict[str, Any]) -> set[str]:
    return {notice["code"] for notice in document["notices"]}
