"""The live state in the terminal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from meter.cli import status
from tests.cli.places import Place, agent

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

NOW_US = 1_793_610_847_000_000


def state(**changes: Any) -> dict[str, Any]:
    """What an agent with one GPU and one run says."""
    return {
        "agent": {
            "pid": 71,
            "version": "0.1.0",
            "private": False,
            "uptime_s": 3_700,
            "fresh": True,
            "reason": None,
        },
        "ledger": {"path": "/l", "pending": 0, "full": False, "failures": 0, "error": None},
        "sources": [{"name": "nvml", "reason": None}, {"name": "rapl", "reason": "no counters"}],
        "devices": [
            {
                "id": "GPU-1",
                "component": "gpu",
                "index": 0,
                "name": "NVIDIA H100 80GB HBM3",
                "method": "measured",
                "simulated": False,
                "power_w": 612.4,
                "utilization_ratio": 0.97,
                "memory_used_bytes": 61_000_000_000,
                "temperature_celsius": 61.0,
                "energy_j": 1.0,
            },
            {
                "id": "ram",
                "component": "ram",
                "index": None,
                "name": "256 GiB",
                "method": "modelled",
                "simulated": False,
                "power_w": None,
                "utilization_ratio": None,
                "memory_used_bytes": None,
                "temperature_celsius": None,
                "energy_j": None,
            },
        ],
        "elsewhere": [{"id": "GPU-2", "pid": 99}],
        "runs": [
            {
                "id": "01RUN",
                "name": "lora",
                "project": "chat",
                "started_us": NOW_US - 90_000_000,
                "energy_j": 52_000.0,
                "devices": ["GPU-1"],
                "ending": False,
            }
        ],
        "notices": [{"code": "c", "text": "Something to know."}],
        **changes,
    }


def test_it_shows_devices_runs_and_reasons_in_eighty_columns() -> None:
    shown = status.text(state(), NOW_US, 80)
    assert "agent 0.1.0, process 71, up 1 h 01 min, samples are fresh" in shown
    assert "GPU 0  NVIDIA H100 80GB HBM3  612 W   97%  61.0 GB  61 C  measured" in shown
    assert "1 min 30 s  14.4 Wh" in shown
    assert "rapl: no counters" in shown
    assert "GPU-2 is metered by process 99" in shown
    assert "Something to know." in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_an_idle_agent_with_a_full_disk_says_both() -> None:
    ledger = {"path": "/l", "pending": 3, "full": True, "failures": 1, "error": "no space"}
    shown = status.text(state(runs=[], ledger=ledger), NOW_US, 80)
    assert "No run is metered." in shown
    assert "NO SPACE LEFT" in shown


def test_a_ledger_in_memory_is_called_what_it_is() -> None:
    made = state()
    made["ledger"]["path"] = ":memory:"
    shown = status.text(made, NOW_US, 80)
    assert "ledger in memory: NOTHING IS KEPT" in shown
    assert ":memory:" not in shown


def test_stale_samples_are_told() -> None:
    stale = {**state()["agent"], "fresh": False, "reason": "the sampler has been silent for 9 s"}
    assert "silent for 9 s" in status.text(state(agent=stale), NOW_US, 80)


def test_status_asks_the_agent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = Place(tmp_path)
    answers = {"/healthz": (200, {}), "/v1/status": (200, state())}
    with agent(place.variables["METER_SOCKET"], answers):
        assert place.call("status", "--json") == 0
        assert json.loads(capsys.readouterr().out) == state()
        assert place.call("status") == 0
        assert "lora" in capsys.readouterr().out


def test_without_an_agent_it_says_so_and_is_content(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = Place(tmp_path)
    assert place.call("status") == 0
    assert "No agent runs at" in capsys.readouterr().out
    assert place.call("status", "--json") == 0
    assert json.loads(capsys.readouterr().out)["agent"] is None


def test_a_feed_shows_its_last_value_and_when_it_is_stale() -> None:
    feed = {
        "name": "electricity-maps",
        "zone": "FR",
        "kind": "grid_intensity",
        "last_ok_at": "2026-03-01T09:07:00Z",
        "last_value": 52.0,
        "unit": "g/kWh",
        "from": "2026-03-01T09:00:00Z",
        "to": "2026-03-01T10:00:00Z",
        "stale": False,
        "last_error": None,
    }
    said = status.text(state(feeds=[feed]), NOW_US, 80)
    assert (
        "intensity of electricity-maps, zone FR:\n  52 g/kWh for 2026-03-01T09:00 to 10:00" in said
    )
    error = (
        "api.example.org/v3/carbon-intensity/latest answers 500: nothing to do; it is asked again"
    )
    said = status.text(state(feeds=[{**feed, "stale": True, "last_error": error}]), NOW_US, 80)
    assert "STALE, last 52 g/kWh" in said
    assert "answers 500" in said
    assert max(map(len, said.splitlines())) <= 80
    nothing = {**feed, "last_value": None, "from": None, "to": None, "stale": True}
    assert "nothing yet" in status.text(state(feeds=[nothing]), NOW_US, 80)
