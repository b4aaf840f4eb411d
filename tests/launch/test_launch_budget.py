from __future__ import annotations

import json
import os
import signal
import sys

import pytest
from launching import HERE, eventually

from meter.launch.options import help_text, parse

pytestmark = pytest.mark.timeout(120)

COUNTER = [sys.executable, str(HERE / "signal_counter.py"), "signals"]
STOPPING = ("--budget", "20 kWh", "--stop-over-budget")


def counted(place):
    return [int(line) for line in (place.folder / "signals").read_text().split()]


def polls(place):
    return [event for event in place.events("GET") if event["path"].endswith("/budgets")]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--budget", "0USD"), "not above zero"),
        (("--budget", "-1kWh"), "not above zero"),
        (("--budget", "NaN USD"), "does not begin with an amount"),
        (("--budget", "5"), "no unit that is known"),
        (("--budget", "5usd"), "USD"),
        (("--budget", "5UDS"), "did you mean USD"),
        (("--budget", "5XYZ"), "no currency code of ISO 4217"),
        (("--budget", "0x10kWh"), "no unit that is known"),
        (("--budget", "5KWH"), "write kWh"),
        (("--budget", "5 Joule"), "no unit that is known"),
        (("--budget", "5kWh", "--budget", "5MWh"), "given twice in kWh"),
        (("--stop-over-budget",), "add for example --budget"),
    ],
)
def test_a_wrong_budget_ends_with_2_before_the_job_starts(place, words, said):
    done = place.run(*words, "--", "touch", "ran")
    assert done.returncode == 2
    assert said in done.stderr.decode()
    assert len(done.stderr.decode().splitlines()) == 1
    assert not (place.folder / "ran").exists()
    assert place.events() == []


def test_exec_refuses_to_stop_a_job_that_it_becomes(place):
    done = place.run(*STOPPING, "--", "touch", "ran", mode="exec")
    assert (done.returncode, done.stderr.decode().count("use `meter run`")) == (2, 1)
    assert not (place.folder / "ran").exists()
    assert "--stop-over-budget" not in help_text("exec")
    assert "--stop-over-budget" in help_text("run")


@pytest.mark.parametrize("mode", ["run", "exec"])
def test_the_agent_is_told_budgets_in_the_units_that_are_kept(place, mode):
    words = ("--budget", "1500 Wh", "--budget=5tCO2e", "--budget", "0.10EUR")
    assert place.run(*words, "--", "true", mode=mode).returncode == 0
    (post,) = eventually(lambda: place.events("POST"))
    kept = [("kWh", "1.5"), ("kgCO2e", "5000"), ("EUR", "0.1")]
    assert post["body"]["budgets"] == [{"amount": a, "unit": unit} for unit, a in kept]
    assert post["body"]["stop_over_budget"] is False


def test_without_a_budget_an_agent_is_asked_nothing_of_it(place):
    assert place.run("--", "sleep", "1.2").returncode == 0
    (post,) = place.events("POST")
    assert not {"budgets", "stop_over_budget"} & set(post["body"])
    assert polls(place) == []


def test_a_budget_alone_is_not_asked_for_and_ends_nothing(place):
    done = place.run("--budget", "20kWh", "--", "sh", "-c", "sleep 1.5; exit 3", ways="spent")
    assert done.returncode == 3
    assert polls(place) == []


def test_a_job_over_its_budget_gets_sigterm_exactly_once_and_chooses_its_exit_code(place):
    script = "n=0; trap 'n=$((n+1)); echo $n >> terms' TERM; touch on; "
    script += "while [ $n -lt 1 ]; do sleep 0.1; done; sleep 2.5; exit 7"
    done = place.run(*STOPPING, "--", "sh", "-c", script, ways="spent")
    assert done.returncode == 7
    assert (place.folder / "terms").read_text().split() == ["1"]
    assert b"the job is asked to end (SIGTERM)" in done.stderr
    assert len(polls(place)) == 1
    (patch,) = place.events("PATCH")
    assert patch["body"]["exit_code"] == 7


def test_a_job_that_does_not_trap_it_ends_by_sigterm_and_so_does_the_launcher(place):
    done = place.run(*STOPPING, "--quiet", "--", "sleep", "60", ways="spent")
    assert done.returncode == -signal.SIGTERM
    assert done.stderr == b""


def test_a_signal_of_the_users_still_reaches_the_job_beside_ours(place):
    running = place.start(*STOPPING, "--quiet", "--", *COUNTER)
    eventually((place.folder / "signals.ready").exists)
    running.send_signal(signal.SIGUSR1)
    eventually(lambda: polls(place))
    running.send_signal(signal.SIGTERM)
    running.communicate(timeout=30)
    assert running.returncode == 42
    assert counted(place) == [signal.SIGUSR1, signal.SIGTERM]


@pytest.mark.parametrize("ways", ["", "hang_budgets", "die", "crash", "error"])
def test_a_job_within_its_budget_or_without_an_agent_goes_on(place, ways):
    done = place.run(*STOPPING, "--", "sh", "-c", "sleep 2.5; exit 5", ways=ways)
    assert done.returncode == 5


def test_a_job_whose_agent_is_killed_goes_on_and_the_next_agent_is_asked(place):
    running = place.start(*STOPPING, "--", "sh", "-c", "while [ ! -e go ]; do sleep 0.1; done")
    first = eventually(lambda: polls(place))[0]
    os.kill(first["pid"], signal.SIGKILL)
    eventually(lambda: {event["pid"] for event in polls(place)} - {first["pid"]})
    assert running.poll() is None
    (place.folder / "go").touch()
    running.communicate(timeout=30)
    assert running.returncode == 0
    last = place.events("POST")[-1]["body"]
    assert (last["resume"], last["stop_over_budget"]) == (True, True)


def test_inside_a_metered_job_the_budget_is_said_to_be_the_outer_ones(place):
    inner = [*place.command("--budget", "1kWh"), "--", "true"]
    done = place.run("--", *inner)
    assert done.returncode == 0
    assert b"--budget is not watched here" in done.stderr


def test_budgets_go_through_json_as_they_are():
    options = parse("run", ["--budget", "0.000000001 EUR", "--", "true"])
    assert json.loads(json.dumps(options.budgets)) == {"EUR": "0.000000001"}
