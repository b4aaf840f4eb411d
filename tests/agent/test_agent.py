"""Real agents, real samplers, simulated GPUs."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from agent.agents import Agent, agent, boot_ns, configured, metered_before, until
from meter.agent.booking import GAP, GPU_ENERGY
from meter.launch.spawn import ALREADY_RUNNING
from meter.ledger import recovery
from meter.ledger.reader import open_reader
from meter.model import FactorKind
from meter.sampling.bus import has_board
from standin.scenario import H100, Gpu, Scenario, Square
from standin.truth import energy_mj

if TYPE_CHECKING:
    from pathlib import Path


def test_the_first_reading_is_told_before_anything_heavy_is_loaded(tmp_path: Path) -> None:
    script = (
        "import sys, time\n"
        "from meter.agent import boot\n"
        "from meter.environment import Environment\n"
        "options, environment = boot.parse(['--private']), Environment.of_process()\n"
        "booted, _ = boot.boot(options, environment, boot.Ready(1))\n"
        "boot.await_first_reading(booted, 30.0)\n"
        "heavy = {'fastapi', 'duckdb', 'uvicorn', 'pydantic', 'asyncio', 'prometheus_client'}\n"
        "print(sorted(heavy & set(sys.modules)), flush=True)\n"
        "booted.supervisor.stop()\n"
    )
    environment = {
        "PYTHONPATH": os.pathsep.join(sys.path),
        "METER_HOME": str(tmp_path),
        "METER_SOCKET": str(tmp_path / "s"),
        "METER_SIMULATE": "1xH100",
    }
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True
    )
    assert done.stdout.splitlines() == [f"listening {tmp_path / 's'}", "reading", "[]"]
    assert done.stderr == ""


def test_a_run_is_metered_from_its_start_to_its_document(tmp_path: Path) -> None:
    with agent(tmp_path, "--private", METER_ZONE="FRA") as node:
        assert node.hear("reading") == f"listening {node.socket}\nreading\n"
        answer = node.begin("r1", tags={"model": "tiny"})
        assert [device["component"] for device in answer["devices"]].count("gpu") == 2
        assert answer["agent_pid"] == node.process.pid
        assert answer["faults"] == []
        node.ask("POST", "/v1/runs/r1/marks", {"step": 1, "tokens": 512})
        time.sleep(1)
        node.ask("POST", "/v1/runs/r1/marks", {"step": 2, "tokens": 1024})
        name = 'meter_run_energy_joules_total{component="gpu",method="measured",run="r1"}'
        until(lambda: node.page().get(name, 0) > 0, "energy of the run on the page")
        status, live = node.ask("GET", "/v1/runs/last")
        assert (status, live["run"]["status"]) == (200, "running")
        document = node.end("r1")
        assert document["run"]["status"] == "completed"
        assert document["simulated"] is True
        assert document["run"]["tags"] == {"model": "tiny"}
        gpu = document["energy"]["by_component"]["gpu"]
        assert 0 < gpu["low"] <= gpu["value"] <= gpu["high"]
        assert document["coverage"] > 0.5
        assert document["per"]
        assert node.process.wait(60) == 0  # its last run has ended
    assert not (tmp_path / "agent.sock").exists()


def test_live_counters_and_the_report_agree(tmp_path: Path) -> None:
    with agent(tmp_path, METER_ZONE="FRA") as node:
        node.hear("reading")
        node.begin("r1", started_ns=boot_ns() + 2_000_000_000)
        time.sleep(3)
        document = node.end("r1")
        page = node.page()
        energy = sum(
            value for name, value in page.items()
            if name.startswith("meter_run_energy_joules_total") and 'run="r1"' in name
        )  # fmt: skip
        grams = 'meter_run_emissions_grams_total{basis="location",kind="electricity",run="r1"}'
        assert energy == pytest.approx(document["energy"]["it"]["value"], abs=0.01)
        assert page[grams] == pytest.approx(document["carbon"]["location"]["value"], rel=1e-4)
        node.stop()


def test_a_second_agent_at_the_same_socket_stands_back(tmp_path: Path) -> None:
    with agent(tmp_path, "--private") as first:
        first.hear("listening")
        with agent(tmp_path, "--private") as second:
            assert second.hear("error") == ""  # its launcher connects to the first
            assert second.process.wait(60) == ALREADY_RUNNING
        assert first.ask("GET", "/healthz")[0] in (200, 503)


OUTAGE_S = 2.5
"""Longer than a sampler may be silent without its being a gap."""


@pytest.fixture
def stand_in(tmp_path: Path, require_tool: Any) -> tuple[Gpu, int, dict[str, str]]:
    """A GPU behind NVML, when its load began, and the variables that lead there."""
    require_tool("cc")
    gpu = Gpu(power=Square(100, 700, period_s=0.9), sensor=H100)
    scenario = Scenario(gpus=[gpu])
    scenario.write(tmp_path)
    variables = {**scenario.environment(tmp_path), "METER_SIMULATE": ""}
    return gpu, scenario.anchor_ns, variables


def test_killed_in_a_run_nothing_acknowledged_is_lost_and_the_gap_is_booked(
    tmp_path: Path, stand_in: tuple[Gpu, int, dict[str, str]]
) -> None:
    gpu, anchor_ns, variables = stand_in
    name = "meter_gpu_energy_joules_total"
    with agent(tmp_path, "--private", **variables) as first:
        first.hear("reading")
        began_ns = boot_ns()
        first.begin("r1", started_ns=began_ns)
        until(
            lambda: [v for n, v in first.page().items() if n.startswith(name) and v > 500],
            "some energy",
        )
        before = first.page()
        first.kill()
    with agent(tmp_path, "--private", **variables) as second:
        second.hear("reading")
        second.begin("r1", started_ns=began_ns, resume=True)
        after = second.page()
        for counter, value in before.items():
            if "joules_total" in counter or "grams_total" in counter:
                assert after[counter] >= value, counter
        ended_ns = boot_ns()
        document = second.end("r1", ended_ns=ended_ns)
    assert document["run"]["status"] == "completed"
    assert "gap_bridged" in {notice["code"] for notice in document["notices"]}
    board = document["energy"]["by_component"]["gpu"]
    truth_j = energy_mj(gpu, began_ns, ended_ns, anchor_ns=anchor_ns) / 1_000
    assert board["low"] <= truth_j <= board["high"]
    assert board["value"] == pytest.approx(truth_j, rel=0.05)


def test_gaps_of_two_crashes_add_up_and_are_shown_before_anything_is_asked(
    tmp_path: Path, stand_in: tuple[Gpu, int, dict[str, str]]
) -> None:
    _, _, variables = stand_in

    def gaps(node: Agent) -> dict[str, float]:
        return {name: v for name, v in node.page().items() if name.startswith(GAP)}

    before: dict[str, float] = {}
    lost_s, killed_ns = 0.0, 0
    for _ in range(3):
        with agent(tmp_path, **variables) as node:
            node.hear("reading")
            restored = until(lambda: gaps(node), "the counter")
            assert all(restored[name] >= value for name, value in before.items())
            if killed_ns:
                lost_s += (boot_ns() - killed_ns) / 1e9
            until(
                lambda was=before: all(gaps(node)[n] >= v + OUTAGE_S for n, v in was.items()),
                "the time without an agent",
            )
            time.sleep(1.2)  # rows of all that was said
            before = gaps(node)
            assert len(before) == 3  # GPU, CPU and memory, from the start
            node.kill()
            killed_ns = boot_ns()
        time.sleep(OUTAGE_S)
    assert all(2 * OUTAGE_S <= value <= lost_s + 3 for value in before.values())


def test_a_host_without_gpus_has_no_failing_nvml_and_one_that_lost_them_has(
    tmp_path: Path, stand_in: tuple[Gpu, int, dict[str, str]]
) -> None:
    nvml = 'meter_last_collect_success{collector="nvml"}'
    if has_board():
        pytest.skip("this machine has a GPU")

    def told(folder: Path, **variables: str) -> dict[str, float]:
        with agent(folder, **{**variables, "METER_SIMULATE": ""}) as node:
            node.hear("reading")
            host = 'meter_last_collect_success{collector="host"}'
            until(lambda: node.page().get(host) == 1, "all sources")
            if variables:
                until(lambda: GPU_ENERGY in " ".join(node.page()), "a GPU that is counted")
            return node.page()

    bare = tmp_path / "bare"
    bare.mkdir()
    assert nvml not in told(bare)
    assert told(tmp_path, **stand_in[2])[nvml] == 1
    assert told(tmp_path)[nvml] == 0


def test_a_run_goes_on_by_itself_where_its_launcher_outlived_the_agent(tmp_path: Path) -> None:
    with agent(tmp_path) as first:
        first.hear("reading")
        first.begin("lives")
        gone = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        first.begin("gone", launcher_pid=gone.pid)
        until(lambda: first.ask("GET", "/v1/runs/gone")[0] == 200, "both are stored")
        first.kill()
        gone.kill()
        gone.wait()
    with agent(tmp_path) as second:
        second.hear("reading")
        until(
            lambda: second.ask("GET", "/v1/runs/gone")[1]["run"]["status"] == "abandoned",
            "the run without a launcher is abandoned",
        )
        live = second.ask("GET", "/v1/status")[1]["runs"]
        assert [run["id"] for run in live] == ["lives"]
        assert second.end("lives")["run"]["status"] == "completed"
        second.stop()


def test_a_launcher_that_vanishes_ends_its_run(tmp_path: Path) -> None:
    launcher = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    with agent(tmp_path) as node:
        node.hear("reading")
        node.begin("r1", launcher_pid=launcher.pid)
        launcher.kill()
        launcher.wait()
        until(
            lambda: node.ask("GET", "/v1/runs/r1")[1]["run"]["status"] == "abandoned",
            "the run is given up",
        )
        run = node.ask("GET", "/v1/runs/r1")[1]["run"]
        assert run["ended_at"] is not None
        assert run["exit_code"] is None
        node.stop()


def test_a_hung_sampler_is_replaced_and_the_run_told_of_it(tmp_path: Path) -> None:
    with agent(tmp_path) as node:
        node.hear("reading")
        until(lambda: node.ask("GET", "/healthz")[0] == 200, "healthy")
        node.begin("r1")
        first = node.sampler()
        os.kill(first, signal.SIGSTOP)
        until(lambda: node.sampler() not in (0, first), "another sampler")
        until(lambda: node.ask("GET", "/healthz")[0] == 200, "healthy again")
        document = node.end("r1")
        assert "sampler_hung" in {notice["code"] for notice in document["notices"]}
        assert document["energy"]["by_component"]["gpu"]["value"] > 0
        node.stop()


def test_sigterm_ends_the_agent_cleanly_with_runs_left_for_the_next(tmp_path: Path) -> None:
    with agent(tmp_path) as first:
        first.hear("reading")
        first.begin("r1")
        sampler = first.sampler()
        assert first.stop() == 0
        assert not os.path.exists(f"/proc/{sampler}")
        assert not os.path.exists(first.socket)
    with agent(tmp_path) as second:
        second.hear("reading")
        assert [run["id"] for run in second.ask("GET", "/v1/status")[1]["runs"]] == ["r1"]
        second.stop()
        assert "Traceback" not in second.log.read_text()


@pytest.mark.parametrize("killed", [True, False])
def test_a_restarted_agent_shows_runs_that_had_ended_with_the_same_figures(
    tmp_path: Path, killed: bool
) -> None:
    """For the rest of their 15 minutes, and neither forecasts nor what they held."""
    config = tmp_path / "meter.toml"
    config.write_text('[electricity]\ncurrency = "EUR"\nprice_per_kwh = 0.25\n')
    variables = {"METER_CONFIG": str(config), "METER_ZONE": "FRA"}
    with agent(tmp_path, **variables) as first:
        first.hear("reading")
        first.begin("r1", budgets=[{"amount": "1", "unit": "EUR"}])
        first.begin("r2", gpus="1")
        mark = {"step": 3, "tokens": 4096, "phase": "train"}
        assert first.ask("POST", "/v1/runs/r1/marks", mark)[0] == 202
        energy = "meter_run_energy_joules_total"
        until(lambda: [v for n, v in of_run(first, "r1").items() if energy in n and v], "energy")
        first.end("r1")
        before = until(lambda: with_end(of_run(first, "r1")), "its end on the page")
        projects = sums(first)
        if killed:
            first.kill()
        else:
            first.stop()
    assert {name.partition("{")[0] for name in before} == {
        energy, "meter_run_cost_total", "meter_run_emissions_grams_total",
        "meter_run_tokens_total", "meter_run_phase_energy_joules_total", "meter_run_steps_total",
        "meter_run_info", "meter_run_start_timestamp_seconds", "meter_run_end_timestamp_seconds",
        "meter_run_budget", "meter_run_budget_used_ratio",
    }  # fmt: skip
    with agent(tmp_path, **variables) as second:
        second.hear("reading")
        assert until(lambda: with_end(of_run(second, "r1")), "the run again") == before
        assert all(sums(second)[name] >= value for name, value in projects.items())
        assert second.ask("GET", "/v1/runs/r1")[0] == 200
        second.end("r2")
        second.stop()


def of_run(node: Agent, run_id: str) -> dict[str, float]:
    return {name: value for name, value in node.page().items() if f'run="{run_id}"' in name}


def with_end(found: dict[str, float]) -> dict[str, float]:
    """What is shown of a run once its end is; nothing before."""
    ended = any(name.startswith("meter_run_end_timestamp_seconds") for name in found)
    return found if ended else {}


def sums(node: Agent) -> dict[str, float]:
    return {name: value for name, value in node.page().items() if "project=" in name}


def test_a_private_agent_is_no_less_patient_with_a_run_that_ended_before(tmp_path: Path) -> None:
    """Runs that ended under another one are not its own: that which it was started for comes."""
    metered_before(tmp_path)
    with agent(tmp_path, "--private") as second:
        second.hear("reading")
        until(lambda: with_end(of_run(second, "r1")), "the run again")
        time.sleep(2)
        second.begin("r2")
        assert second.end("r2")["run"]["status"] == "completed"


def test_two_agents_never_meter_the_same_host(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    leases = str(tmp_path / "leases")
    with agent(tmp_path) as one:
        one.hear("reading")
        until(lambda: len(one.ask("GET", "/v1/status")[1]["devices"]) == 4, "all devices")
        with agent(tmp_path / "b", "--private", METER_LEASE_DIR=leases) as two:
            two.hear("reading")
            two.begin("r1")
            elsewhere = until(
                lambda: two.ask("GET", "/v1/status")[1]["elsewhere"], "devices elsewhere"
            )
            assert {each["pid"] for each in elsewhere} == {one.process.pid}
            document = two.end("r1")
            assert "device_leased" in {notice["code"] for notice in document["notices"]}
            assert {d["component"] for d in document["energy"]["devices"]} == {"gpu"}


def test_that_another_agent_has_the_gpu_of_a_run_is_a_fault_that_strict_heeds(
    tmp_path: Path, stand_in: tuple[Gpu, int, dict[str, str]]
) -> None:
    (tmp_path / "b").mkdir()
    _, _, variables = stand_in
    with agent(tmp_path, **variables) as one:
        one.hear("reading")
        assert one.begin("r1", gpus="0")["faults"] == []
        variables["METER_LEASE_DIR"] = str(tmp_path / "leases")
        with agent(tmp_path / "b", "--private", **variables) as two:
            two.hear("reading")
            (fault,) = two.begin("r2", check=True, expected=200, gpus="0")["faults"]
            assert fault["code"] == "device_leased"
            assert f"process {one.process.pid}" in fault["text"]


@pytest.mark.parametrize("fault", ["unwritable", "locked", "damaged"])
def test_without_its_ledger_a_private_agent_meters_in_memory(tmp_path: Path, fault: str) -> None:
    home = tmp_path / "home"
    home.mkdir()
    holder = None
    if fault == "unwritable":
        home = tmp_path / "file" / "home"
        (tmp_path / "file").write_text("")
    elif fault == "damaged":
        (home / "ledger.duckdb").write_bytes(b"not a ledger" * 1000)
    else:
        script = f"import duckdb,sys; c = duckdb.connect({str(home / 'ledger.duckdb')!r})\n"
        holder = subprocess.Popen(
            [sys.executable, "-c", script + "print('held', flush=True); sys.stdin.read()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
    with agent(tmp_path, "--private", home=home) as node:
        node.hear("reading")
        answer = node.begin("r1", expected=202)  # nothing will ever be durable here
        assert "ledger_unavailable" in {fault["code"] for fault in answer["faults"]}
        if holder is not None:
            assert str(holder.pid) in str(answer["faults"])
        document = node.end("r1")
        assert document["energy"]["by_component"]["gpu"]["value"] > 0
        assert "ledger_unavailable" in {notice["code"] for notice in document["notices"]}
        assert node.process.wait(60) == 0
    if holder is not None:
        holder.communicate()


def test_a_wrong_configuration_stops_a_node_agent_and_only_warns_a_private_one(
    tmp_path: Path,
) -> None:
    wrong = configured(tmp_path, "[site]\nzone = 5\n")
    with agent(tmp_path, **wrong) as node:
        assert "error" in node.hear("error")
        assert node.process.wait(60) == 2
    with agent(tmp_path, "--private", **wrong) as private:
        private.hear("reading")
        assert "config_error" in {fault["code"] for fault in private.begin("r1")["faults"]}


def test_a_private_agent_leaves_out_the_wrong_keys_only(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    price = '[electricity]\ncurrency = "EUR"\nprice_per_kwh = 0.25\n'
    config.write_text(f'[site]\nzone = "Frence"\npue = 0.2\n{price}')
    with agent(tmp_path, "--private", METER_CONFIG=str(config)) as private:
        private.hear("reading")
        told = [fault["text"].partition(")")[0] for fault in private.begin("r1")["faults"]]
        assert [f"site.pue ({config}, line 3", f"site.zone ({config}, line 2"] == told
        document = private.end("r1")
        assert [cost["currency"] for cost in document["cost"]] == ["EUR"]
        codes = [notice["code"] for notice in document["notices"]]
        assert codes.count("config_error") == 2
        assert {"no_zone", "no_tariff"}.isdisjoint(codes), document["notices"]


def test_a_private_agent_serves_prometheus_too(tmp_path: Path) -> None:
    with agent(tmp_path, "--private") as private:
        private.hear("reading")
        private.begin("r1")
        (where,) = private.ask("GET", "/v1/status")[1]["agent"]["listens"]
        with urllib.request.urlopen(f"http://{where}/metrics", timeout=60) as answer:
            assert b"meter_build_info" in answer.read()


def test_a_taken_port_stops_a_node_agent_and_only_warns_a_private_one(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        with agent(tmp_path, "--listen", listen) as node:
            assert "cannot listen" in node.hear("error")
            assert node.process.wait(60) == 1
        with agent(tmp_path, "--private", METER_LISTEN=listen) as private:
            private.hear("reading")
            assert "port_taken" in {fault["code"] for fault in private.begin("r1")["faults"]}
            (notice,) = [n for n in private.end("r1")["notices"] if n["code"] == "port_taken"]
            assert listen in notice["text"]
            assert "METER_LISTEN" in notice["text"]


def test_remote_addresses_need_a_word(tmp_path: Path) -> None:
    with agent(tmp_path, "--listen", "0.0.0.0:0") as node:
        assert "--allow-remote" in node.hear("error")
        assert node.process.wait(60) == 2


def test_unknown_devices_are_refused_naming_the_known(tmp_path: Path) -> None:
    with agent(tmp_path, "--private") as node:
        node.hear("reading")
        body = {"id": "r1", "started_ns": boot_ns(), "started_us": 1, "gpus": "7"}
        status, problem = node.ask("POST", "/v1/runs", body)
        assert status == 422
        assert "GPU-51b00000" in problem["detail"]
        one = node.begin("r2", gpus="1")
        gpus = [d["id"] for d in one["devices"] if d["component"] == "gpu"]
        assert gpus == ["GPU-51b00001-0000-4000-8000-000000000000"]


def test_a_sampler_that_started_before_the_file_was_read_does_what_the_file_says(
    tmp_path: Path,
) -> None:
    with agent(tmp_path, "--private", **configured(tmp_path, "host = false\n")) as node:
        node.hear("reading")
        devices = node.begin("r1")["devices"]
        assert [device["component"] for device in devices] == ["gpu", "gpu"]


def test_a_run_that_is_only_checked_does_not_begin(tmp_path: Path) -> None:
    with agent(tmp_path, "--private") as node:
        node.hear("reading")
        body = {"id": "r1", "started_ns": boot_ns(), "started_us": 1, "check": True}
        status, answer = node.ask("POST", "/v1/runs", {**body, "gpus": "1"})
        assert status == 200
        assert node.ask("GET", "/v1/runs/r1")[0] == 404
        assert node.ask("POST", "/v1/runs", {**body, "gpus": "7"})[0] == 422
        assert {**node.begin("r1", gpus="1"), "agent_pid": 0} == {**answer, "agent_pid": 0}
        assert node.ask("POST", "/v1/runs", body)[0] == 200  # a rank of it, about to join


def test_several_launchers_make_one_run(tmp_path: Path) -> None:
    sleeper = [sys.executable, "-c", "import time; time.sleep(600)"]
    with subprocess.Popen(sleeper) as other, agent(tmp_path) as node:
        node.hear("reading")
        node.begin("r1", gpus="0")
        joined = node.begin("r1", gpus="1", launcher_pid=other.pid)
        assert len([d for d in joined["devices"] if d["component"] == "gpu"]) == 2
        assert node.end("r1")["run"]["status"] == "running"
        other.kill()
        other.wait()
        until(
            lambda: node.ask("GET", "/v1/runs/r1")[1]["run"]["status"] == "abandoned",
            "the last launcher ends it",
        )
        node.stop()


def test_the_configuration_file_decides_what_is_sampled(tmp_path: Path) -> None:
    said = configured(tmp_path, 'simulate = "1xA100"\nhost = false\n')
    with agent(tmp_path, "--private", **said, METER_SIMULATE="") as node:
        node.hear("reading")
        devices = node.begin("r1")["devices"]
        assert [device["component"] for device in devices] == ["gpu"]
        assert "A100" in devices[0]["name"]


def test_a_killed_sampler_is_replaced_and_the_run_told_of_it(tmp_path: Path) -> None:
    with agent(tmp_path) as node:
        node.hear("reading")
        node.begin("r1")
        first = node.sampler()
        os.kill(first, signal.SIGKILL)
        until(lambda: node.sampler() not in (0, first), "another sampler")
        document = node.end("r1")
        assert "sampler_died" in {notice["code"] for notice in document["notices"]}
        node.stop()


def test_an_instrument_that_leaves_the_configuration_is_withdrawn(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    words = ("attribute", "unique", "retired", "vintage", "market", "residual")
    quality = "".join(f"quality.{word} = true\n" for word in words)
    wind = f'[[market.instruments]]\ntype = "certificate"\ng_per_kwh = 0\nshare = 0.5\n{quality}'
    mix = '[[market.instruments]]\ntype = "supplier"\ng_per_kwh = 250\nshare = 0.4\n'
    told = []
    for number, text in enumerate((wind + mix, wind, "", wind)):
        config.write_text(text)
        with agent(tmp_path, METER_CONFIG=str(config), METER_ZONE="FRA") as node:
            node.hear("reading")
            told.append([fault["code"] for fault in node.begin(f"r{number}")["faults"]])
            document = node.end(f"r{number}")
            notices = [notice["code"] for notice in document["notices"]]
            assert notices.count("market_excluded") == int(not number)
            assert node.stop() == 0
    assert told == [["market_excluded"], [], [], []]
    with open_reader(tmp_path / "ledger.duckdb") as reader:
        rows = [row for row in recovery.factors(reader) if row.kind.startswith("market_")]
    said = [(row.kind, row.item, row.value) for row in rows]
    assert set(said[:2]) == {
        (FactorKind.MARKET_INTENSITY, "certificate 1", 0),
        (FactorKind.MARKET_EXCLUDED, "supplier 1", 250),
    }
    assert said[2:] == [
        (FactorKind.MARKET_EXCLUDED, "supplier 1", None),
        (FactorKind.MARKET_INTENSITY, "certificate 1", None),
        (FactorKind.MARKET_INTENSITY, "certificate 1", 0),
    ]
