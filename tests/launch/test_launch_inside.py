"""Inside a metered job or not: what METER_LAUNCHER_PID says, and what it cannot."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from launching import joinable

from meter.launch.begin import added_variables
from meter.launch.inside import Launcher, is_inside, launcher
from meter.launch.kernel import started

pytestmark = pytest.mark.timeout(120)

OWN = os.getpid()


def variables(told: str, run: str = "tune-7") -> dict[str, str]:
    return {"METER_RUN_ID": run, "METER_LAUNCHER_PID": told}


@given(pid=st.integers(1, 2**31 - 1), start=st.none() | st.integers(0, 2**63))
def test_a_launcher_is_read_as_it_was_told(pid, start):
    found = Launcher.read(Launcher(pid, start).told())
    assert (found.pid, found.start) == (pid, start)


@pytest.mark.parametrize("text", [None, "", "x", "-1", "1:", ":1", "1:x", "1:2:3", "٣", "9" * 99])
def test_what_names_no_launcher_is_none(text):
    assert Launcher.read(text) is None


def test_a_number_that_another_process_has_now_is_no_launcher():
    named = launcher(OWN)
    assert named.is_same()
    assert named.start == started(OWN)
    assert not Launcher(OWN, named.start + 1).is_same()
    child = os.getpid()
    assert is_inside(added_variables("", "tune-7", os.getppid()), "", child)
    later = f"{os.getppid()}:{started(os.getppid()) + 1}"
    assert not is_inside(variables(later), "", child)


@pytest.mark.parametrize("start", [":1", ""])
def test_a_job_with_a_stale_variable_is_metered_as_a_run_of_its_own(place, start):
    done = place.run("--", "sh", "-c", "exit 6", variables=variables(f"{OWN}{start}", "01OLD"))
    assert done.returncode == 6
    (posted,) = place.events("POST")
    assert posted["body"]["id"] != "01OLD"
    assert b"kWh" in done.stderr


def test_without_a_start_the_launcher_counts_while_the_agent_has_the_run(place):
    agent = joinable(place)
    agent.runs["tune-7"] = {"id": "tune-7", "name": "x", "project": None, "tags": {}}
    done = place.run("--debug", "--", "sh", "-c", "exit 6", variables=variables(str(OWN)))
    assert done.returncode == 6
    assert b"inside run tune-7" in done.stderr
    assert not place.events("POST")
    done = place.run("--", "sh", "-c", "exit 6", variables=variables(str(OWN), "another"))
    assert done.returncode == 6
    assert [event["body"]["id"] != "another" for event in place.events("POST")] == [True]
    agent.server.close()
