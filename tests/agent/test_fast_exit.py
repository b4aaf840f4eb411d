"""Agents that are told to end, or are ended: in time, and no energy of a counter is lost."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.agents import agent, boot_ns, until
from meter.agent import wiring
from meter.agent.patience import SCRAPED_LINGER_NS, SCRAPED_NS
from meter.agent.reception import House, Reception
from meter.agent.server import STOP_S
from meter.agent.wiring import Countdown
from meter.units import NS_PER_S
from standin.scenario import H100, Gpu, Scenario, Square
from standin.truth import energy_mj

if TYPE_CHECKING:
    from pathlib import Path

    from agent.agents import Agent

MOST_W, TICK_S = 700, 0.1


def half_a_request(path: str) -> socket.socket:
    """A client that the agent waits for in vain."""
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(60)
    sock.connect(path)
    sock.sendall(b"POST /v1/runs HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{")
    return sock


def energy_shown(node: Agent) -> float:
    name = "meter_gpu_energy_joules_total"
    return sum(value for label, value in node.page().items() if label.startswith(name))


@pytest.mark.parametrize("hung", [False, True])
def test_sigterm_then_sigkill_a_second_later_loses_no_energy_of_the_counter(
    tmp_path: Path, require_tool: Any, *, hung: bool
) -> None:
    require_tool("cc")
    gpu = Gpu(power=Square(100, MOST_W, period_s=0.9), sensor=H100)
    scenario = Scenario(gpus=[gpu])
    scenario.write(tmp_path)
    variables = {**scenario.environment(tmp_path), "METER_SIMULATE": ""}
    with agent(tmp_path, **variables) as first:
        first.hear("reading")
        began_ns = boot_ns()
        first.begin("r1", started_ns=began_ns)
        until(lambda: energy_shown(first) > 500, "some energy")
        before = first.page()
        with half_a_request(first.socket):  # it has to wait for this one
            sampler = first.sampler()
            if hung:
                os.kill(sampler, signal.SIGSTOP)
            first.process.send_signal(signal.SIGTERM)
            with pytest.raises(subprocess.TimeoutExpired):
                first.process.wait(timeout=1)
            first.kill()
            with contextlib.suppress(ProcessLookupError):
                os.kill(sampler, signal.SIGCONT)  # it finds its agent gone, and ends
    with agent(tmp_path, **variables) as second:
        second.hear("reading")
        assert [run["id"] for run in second.ask("GET", "/v1/status")[1]["runs"]] == ["r1"]
        after = second.page()
        for counter, value in before.items():
            if "joules_total" in counter:
                assert after[counter] >= value, counter
        ended_ns = boot_ns()
        document = second.end("r1", ended_ns=ended_ns)
        second.stop()
    board = document["energy"]["by_component"]["gpu"]
    truth_j = energy_mj(gpu, began_ns, ended_ns, anchor_ns=scenario.anchor_ns) / 1_000
    assert board["low"] <= truth_j <= board["high"]
    assert board["value"] == pytest.approx(truth_j, rel=0.01, abs=2 * TICK_S * MOST_W)


def test_sigterm_ends_the_agent_under_a_hung_sampler_and_slow_clients(tmp_path: Path) -> None:
    with agent(tmp_path) as node:
        node.hear("reading")
        node.begin("r1")
        sampler = node.sampler()
        with half_a_request(node.socket), socket.socket(socket.AF_UNIX) as silent:
            silent.connect(node.socket)
            os.kill(sampler, signal.SIGSTOP)
            assert node.stop() == 0
        assert not os.path.exists(f"/proc/{sampler}")


@given(st.lists(st.floats(min_value=0, max_value=3), max_size=6), st.floats(0, 5))
def test_steps_of_the_end_take_no_more_than_they_may_together(
    steps: list[float], all_s: float
) -> None:
    """Each takes as long as it is allowed: all of them end within the whole and their leasts."""
    clock, least_s = 0.0, 0.2
    left = Countdown(all_s, least_s, now=lambda: clock)
    for most_s in steps:
        clock += left.seconds(most_s)
    assert clock <= all_s + least_s * len(steps) + 1e-9


def test_all_that_the_end_waits_for_fits_into_its_five_seconds() -> None:
    steps_s = wiring.CLOSE_S + wiring.STEPS * wiring.LEAST_S
    assert STOP_S + steps_s + wiring.REAP_S < wiring.ENDED_S == 5


class Idle:
    """A metering whose last run has ended."""

    def __init__(self, *, ended: bool = True) -> None:
        self.metering: Any = SimpleNamespace(
            runs={}, ended={"r": None} if ended else {}, idle_since_ns=0
        )
        reception = Reception(self.metering, SimpleNamespace(), House("ledger", None))
        self.patience = reception.patience

    def at(self, seconds: float) -> bool:
        return self.patience.idle(int(seconds * NS_PER_S), 30 * NS_PER_S)


def test_nobody_scrapes_so_nobody_is_waited_for() -> None:
    assert Idle().at(0)


def test_who_scrapes_a_private_agent_finds_the_ended_run_for_a_minute() -> None:
    idle = Idle()
    idle.patience.scraped_ns = -5 * NS_PER_S
    assert not idle.at(59)
    assert idle.at(60)
    assert SCRAPED_LINGER_NS == 60 * NS_PER_S


def test_a_scrape_of_long_ago_counts_for_nothing() -> None:
    idle = Idle()
    idle.patience.scraped_ns = -SCRAPED_NS - 1
    assert idle.at(0)


@pytest.mark.parametrize("seconds", [0, 7, 600])
def test_what_was_asked_for_goes_before_what_is_usual(seconds: int) -> None:
    idle = Idle()
    idle.patience.scraped_ns = 0
    idle.patience.linger_ns = seconds * NS_PER_S
    assert idle.at(seconds)
    assert not seconds or not idle.at(seconds - 1)


def test_who_has_seen_the_end_twice_needs_nobody_to_wait() -> None:
    idle = Idle()
    idle.patience.scraped(-20 * NS_PER_S)
    idle.patience.scraped(-5 * NS_PER_S)
    assert not idle.at(1)
    idle.patience.scraped(10 * NS_PER_S)
    assert not idle.at(11)
    idle.patience.scraped(25 * NS_PER_S)
    assert idle.at(26)


def test_the_linger_that_was_asked_for_ends_with_the_second_scrape_too() -> None:
    idle = Idle()
    idle.patience.linger_ns = 600 * NS_PER_S
    idle.patience.scraped(10 * NS_PER_S)
    assert not idle.at(11)
    idle.patience.scraped(25 * NS_PER_S)
    assert idle.at(26)


def test_a_private_agent_goes_once_the_end_of_its_run_was_scraped_twice(tmp_path: Path) -> None:
    with agent(tmp_path, "--private") as node:
        node.hear("reading")
        node.begin("r1")
        host, _, port = node.ask("GET", "/v1/status")[1]["agent"]["listens"][0].rpartition(":")
        node.end("r1", linger_s=3_600)
        until(lambda: node.ask("GET", "/v1/status")[1]["runs"] == [], "the run is over")
        pages = []
        for _ in range(2):
            with socket.create_connection((host, int(port)), 60) as scraper:
                scraper.sendall(
                    b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
                )
                pages.append(b"".join(iter(lambda s=scraper: s.recv(65_536), b"")))
        assert node.process.wait(60) == 0
        for page in pages:
            assert b'meter_run_end_timestamp_seconds{run="r1"}' in page
            assert b'meter_run_energy_joules_total{component="gpu"' in page


def test_a_scrape_over_tcp_keeps_a_private_agent_and_one_over_the_socket_does_not(
    tmp_path: Path,
) -> None:
    with agent(tmp_path, "--private") as node:
        node.hear("reading")
        node.begin("r1")
        node.page()
        node.end("r1")
        assert node.process.wait(60) == 0
    with agent(tmp_path, "--private") as node:
        node.hear("reading")
        node.begin("r2")
        host, _, port = node.ask("GET", "/v1/status")[1]["agent"]["listens"][0].rpartition(":")
        with socket.create_connection((host, int(port)), 60) as scraper:
            scraper.sendall(
                b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            )
            while scraper.recv(65_536):
                pass
        node.end("r2")
        until(lambda: node.ask("GET", "/v1/status")[1]["runs"] == [], "the run is over")
        node.begin("r3")  # is taken by the one that stays
        node.end("r3", linger_s=0)
        assert node.process.wait(60) == 0
