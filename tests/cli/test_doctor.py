"""What ``meter doctor`` finds, and what it tells to do."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any

import pytest

from meter import settings
from meter.cli import checks
from meter.cli.checks import Check, State
from tests.cli.places import Place, agent

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path, METER_SIMULATE="2xH100")


def found(place: Place, capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, Any]]:
    """The findings by name."""
    place.call("doctor", "--json")
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "meter.doctor/1"
    return {check["name"]: check for check in document["checks"]}


def config_of(place: Place) -> Any:
    return settings.load(place.variables)[0]


def test_without_anything_it_names_what_is_missing_and_what_to_do(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    checks_ = found(place, capsys)
    assert checks_["zone"]["state"] == "missing"
    assert "METER_ZONE" in checks_["zone"]["remedy"]
    assert checks_["tariff"]["state"] == "missing"
    assert checks_["home"]["state"] == "ok"
    assert checks_["agent"]["state"] == "ok"
    assert checks_["file"]["state"] == "ok"
    assert {"CPU", "RAM"} <= checks_.keys()


def test_simulated_gpus_are_called_simulated(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    checks_ = found(place, capsys)
    for name in ("GPU 0", "GPU 1"):
        assert checks_[name]["state"] == "ok"
        assert "simulated, energy counter" in checks_[name]["finding"]
        assert "measured" not in checks_[name]["finding"]


def test_the_page_fits_eighty_columns_and_says_how_it_went(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    assert place.call("doctor") == 0
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 80
    assert shown.startswith("meter ")
    assert "Nothing is broken" in shown.splitlines()[-1]


def test_a_known_zone_shows_its_factor_and_an_unknown_one_is_a_problem(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    place.variables["METER_ZONE"] = "FRA"
    assert found(place, capsys)["zone"]["finding"].startswith("FRA: 56.039 g/kWh (")
    place.variables["METER_ZONE"] = "XQZ"
    assert found(place, capsys)["zone"]["state"] == "problem"
    assert place.call("doctor") == 1


def test_a_broken_file_is_one_finding_among_the_others(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "m.toml").write_text("[site]\npue = 0.5\n")
    place.variables["METER_CONFIG"] = str(tmp_path / "m.toml")
    checks_ = found(place, capsys)
    assert checks_["file"]["state"] == "problem"
    assert "line 2" in checks_["file"]["finding"]
    assert "GPU 0" in checks_


def test_an_unknown_key_is_a_finding(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "m.toml").write_text("[electricty]\ncurrency = 'EUR'\n")
    place.variables["METER_CONFIG"] = str(tmp_path / "m.toml")
    assert "electricty" in found(place, capsys)["file"]["finding"]


def test_a_full_configuration_is_shown(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "m.toml").write_text(
        '[site]\nzone = "FRA"\npue = 1.2\nwue = 0.3\ntnd_loss = "eu"\n'
        '[electricity]\ncurrency = "EUR"\nprice_per_kwh = 0.25\n'
        '[[electricity.windows]]\nfrom = "22:00"\nto = "06:00"\nprice_per_kwh = 0.17\n'
        '[gpu_time]\ncurrency = "USD"\nrate_per_hour = 2\n'
    )
    place.variables["METER_CONFIG"] = str(tmp_path / "m.toml")
    checks_ = found(place, capsys)
    assert checks_["tariff"]["finding"] == "0.25 EUR per kWh, 1 window in UTC"
    assert checks_["GPU time"]["finding"] == "2 USD per GPU and hour"
    assert checks_["PUE"]["finding"] == "1.2"
    assert checks_["WUE"]["finding"] == "0.3 L/kWh"
    assert "preset eu, an assumption" in checks_["T&D loss"]["finding"]


def test_what_a_site_does_not_state_is_missing(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    checks_ = found(place, capsys)
    for name, key in (("PUE", "pue"), ("WUE", "wue"), ("T&D loss", "tnd_loss")):
        assert checks_[name]["state"] == "missing"
        assert f"[site] {key}" in checks_[name]["remedy"]


def test_live_intensity_is_shown_without_asking_it(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "live.toml"
    file.write_text('[intensity]\nprovider = "electricity-maps"\nzone = "FR"\n')
    place.variables |= {"METER_CONFIG": str(file), "METER_INTENSITY_KEY": "k3y-that-nobody-may-see"}
    place.call("doctor")
    shown = capsys.readouterr().out
    assert "electricity-maps, zone FR, every 10 min" in shown
    assert "k3y" not in shown


def test_a_port_that_is_taken_is_a_problem(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        place.variables["METER_LISTEN"] = f"127.0.0.1:{taken.getsockname()[1]}"
        port = found(place, capsys)["port"]
    assert port["state"] == "problem"
    assert "--listen" in port["remedy"]


def test_an_agent_that_answers_is_seen(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    with agent(place.variables["METER_SOCKET"], {"/healthz": (200, {"status": "ok"})}):
        checks_ = found(place, capsys)
    assert "samples are fresh" in checks_["agent"]["finding"]


def test_a_dead_socket_is_no_agent(place: Place, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(place.variables["METER_SOCKET"])
    check, runs = checks.agent(config_of(place))
    assert (check.state, runs) == (State.OK, False)


def test_an_agent_that_is_ill_is_a_problem(place: Place) -> None:
    with agent(place.variables["METER_SOCKET"], {"/healthz": (503, {"title": "stale"})}):
        check, runs = checks.agent(config_of(place))
    assert (check.state, runs) == (State.PROBLEM, True)
    assert check.finding.endswith("stale")


def test_a_home_that_cannot_be_made_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert checks.home(tmp_path / "file" / "home").state is State.PROBLEM
    assert checks.home(tmp_path / "new" / "home").state is State.OK


def test_a_damaged_ledger_is_a_problem(place: Place) -> None:
    place.home.mkdir()
    (place.home / "ledger.duckdb").write_bytes(b"garbage" * 1_000)
    check = checks.ledger(config_of(place), agent_runs=False)
    assert check.state is State.PROBLEM
    assert check.remedy


def test_a_probe_that_hangs_or_fails_is_told(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "PROBE_MODULE", "json.tool_that_is_not_there")
    (check,) = checks.measuring(config_of(place))
    assert check.state is State.PROBLEM
    assert "the probe failed" in check.finding
    monkeypatch.setattr(checks, "PROBE_MODULE", "tests.cli.hanging")
    monkeypatch.setattr(checks, "_PROBE_TIMEOUT_S", 0.5)
    (check,) = checks.measuring(config_of(place))
    assert "did not answer within" in check.finding


def sources(**gpu: Any) -> list[dict[str, Any]]:
    """What the probe says of one GPU."""
    device = {
        "id": "GPU-1",
        "name": "Tesla T4",
        "component": "gpu",
        "index": 0,
        "method": "measured",
        "simulated": False,
        "mig_instances": 0,
        "counter": True,
        "counter_moved": True,
        "power_w": 27.1,
        "faults": [],
        **gpu,
    }
    return [{"name": "nvml", "devices": [device], "driver": "570.1", "incomplete": None}]


def gpu_check(**gpu: Any) -> Check:
    return list(checks._of_sources(sources(**gpu)))[-1]


def test_a_gpu_with_a_counter_is_fine() -> None:
    driver, gpu = checks._of_sources(sources())
    assert driver.finding == "driver 570.1, 1 GPU"
    assert gpu == Check(
        "Measuring", "GPU 0", State.OK, "Tesla T4: measured, energy counter, 27 W now"
    )


def test_a_gpu_without_a_counter_is_measured_by_its_power() -> None:
    check = gpu_check(counter=False, counter_moved=False, faults=["energy: Not Supported"])
    assert check.state is State.MISSING
    assert "no energy counter (energy: Not Supported); power is integrated" in check.finding


def test_a_gpu_that_tells_nothing_is_a_problem() -> None:
    assert gpu_check(counter=False, power_w=None).state is State.PROBLEM


def test_a_gpu_that_fell_off_is_a_problem() -> None:
    (broken,) = sources()
    broken |= {"incomplete": "GPU 1: GPU is lost", "devices": []}
    (check,) = checks._of_sources([broken])
    assert (check.state, check.finding) == (State.PROBLEM, "GPU 1: GPU is lost")
