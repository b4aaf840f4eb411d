"""The demo: the real path on simulated GPUs, in processes of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from meter.cli import demo, demo_job
from meter.settings import load

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(240)


def variables_of(folder: Path) -> dict[str, str]:
    return {
        "HOME": str(folder),
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "METER_ZONE": "XQZ",  # the user's settings do not show through
        "METER_CONFIG": "/nowhere/meter.toml",
    }


@pytest.fixture(scope="module")
def shown(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, subprocess.CompletedProcess[str]]:
    folder = tmp_path_factory.mktemp("demo")
    done = subprocess.run(
        [sys.executable, "-m", "meter", "demo", "--dir", "d", "--seconds", "4"],
        cwd=folder,
        env=variables_of(folder),
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    return folder, done


def test_the_demo_says_where_the_report_is_and_that_it_is_simulated(
    shown: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    folder, done = shown
    assert "SIMULATED" in done.stderr.splitlines()[2]
    assert "Everything above is SIMULATED" in done.stdout
    assert "Report:  d/report.html" in done.stdout
    report = (folder / "d" / "report.html").read_text()
    assert "No device was measured" in report
    assert 'class="badge measured"' not in report
    assert report.count("<svg") == 2


def test_the_demo_has_a_hosted_job_and_its_usage_beside_the_gpu_run(
    shown: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    folder, done = shown
    assert "Jobs: 1 new" in done.stdout
    assert "Usage: 40 new" in done.stdout
    variables = variables_of(folder) | {"METER_HOME": str(folder / "d" / "home")}
    del variables["METER_CONFIG"], variables["METER_ZONE"]
    told = subprocess.run(
        [sys.executable, "-m", "meter", "runs", "--costs", "--json"],
        env=variables,
        capture_output=True,
        check=True,
    )
    by_place = {row["where"]: row for row in json.loads(told.stdout)["costs"]}
    hosted = by_place["openai"]
    assert hosted["trained_tokens"] == 300_000
    assert [one["value"] for one in hosted["money"]] == ["0.9"]
    assert 0 < hosted["energy_kwh"]["low"] < hosted["energy_kwh"]["high"]
    assert by_place["own GPUs"]["energy_kwh"]["value"] > 0


def test_the_demos_document_is_simulated_and_has_energy_cost_and_carbon(
    shown: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    document = json.loads((shown[0] / "d" / "run.json").read_text())
    assert document["schema"] == "meter.run/1"
    assert document["simulated"] is True
    assert document["run"]["status"] == "completed"
    assert document["energy"]["by_component"]["gpu"]["value"] > 500
    assert {"electricity", "gpu_time"} <= {cost["kind"] for cost in document["cost"]}
    assert document["carbon"]["location"]["value"] > 0


def test_the_ledger_of_the_demo_can_be_asked_afterwards(
    shown: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    variables = variables_of(shown[0]) | {"METER_HOME": str(shown[0] / "d" / "home")}
    del variables["METER_CONFIG"], variables["METER_ZONE"]
    done = subprocess.run(
        [sys.executable, "-m", "meter", "runs"],
        env=variables,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "(simulated)" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_the_user_s_settings_do_not_show_through(tmp_path: Path) -> None:
    place = demo._prepare(tmp_path / "d", "1xH100")
    own = {"HOME": "/h", "METER_ZONE": "USA", "METER_SOCKET": "/s", "PATH": "/bin"}
    own["METER_LISTEN"] = "127.0.0.1:0"
    variables = demo._variables(own, place)
    assert "METER_ZONE" not in variables
    assert "METER_SOCKET" not in variables
    assert variables["METER_LISTEN"] == "127.0.0.1:0"
    config, notices = load(variables)
    assert notices == []
    assert (config.simulate, config.zone) == ("1xH100", "FRA")
    assert config.home == tmp_path / "d" / "home"


def test_the_job_is_an_ordinary_program_that_knows_no_meter() -> None:
    assert 1 < demo_job.train(0.05) < 8
    assert "meter" not in demo_job.__dict__
