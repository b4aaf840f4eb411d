"""MeterOutput with real trackers of codecarbon: one run in the ledger, once, or none at all."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from meter.integrations import codecarbon
from meter.integrations.codecarbon import MeterOutput
from tests.cli.places import Place
from tests.past.emissions import NEWEST

JOB = """
from codecarbon import OfflineEmissionsTracker
from meter.integrations.codecarbon import MeterOutput

output = MeterOutput(project="chat")
tracker = OfflineEmissionsTracker(
    country_iso_code="FRA", measure_power_secs=0.2, allow_multiple_runs=True, pue=1.25,
    project_name="lora", log_level="error", output_handlers=[output],
)
tracker.start()
tracker.flush()
tracker.stop()
print(output.failures)
"""


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path, PYTHONPATH=str(Path(__file__).resolve().parents[2]), TZ="Asia/Tokyo")


def track(place: Place, folder: Path, **variables: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", JOB],
        env={**place.variables, **variables},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stdout.splitlines()[-1:]) == (0, ["{}"]), done.stderr


def listed(place: Place, capsys: pytest.CaptureFixture[str]) -> list[dict]:
    capsys.readouterr()
    assert place.call("runs", "--json") == 0
    return json.loads(capsys.readouterr().out)["runs"]


def test_a_trackers_run_is_booked_once_and_importing_its_file_adds_nothing(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    track(place, tmp_path)
    (run,) = listed(place, capsys)
    assert (run["project"], run["method"]) == ("chat", "modelled")
    file = tmp_path / "emissions.csv"
    assert (
        place.call("runs", "import", str(file), "--project", "chat", "--timezone=Asia/Tokyo") == 0
    )
    assert "No news" in capsys.readouterr().out
    assert listed(place, capsys) == [run]
    assert place.call("show", "last", "--json") == 0
    energy = json.loads(capsys.readouterr().out)["energy"]
    assert energy["facility"]["value"] == pytest.approx(1.25 * energy["it"]["value"], abs=0.01)


@pytest.mark.parametrize(
    "variables", [{"METER_RUN_ID": "live"}, {"LOCAL_RANK": "1"}, {"SLURM_LOCALID": "3"}]
)
def test_nothing_is_booked_where_meter_watches_or_another_process_of_the_node_books(
    place: Place, tmp_path: Path, variables: dict[str, str]
) -> None:
    track(place, tmp_path, **variables)
    assert (tmp_path / "emissions.csv").exists()
    assert not place.home.exists()


def stopped(output: MeterOutput, **changes: object) -> MeterOutput:
    """An output whose tracker found something and stopped."""
    output.out(SimpleNamespace(values={**NEWEST, **changes}), None)
    output.exit()
    return output


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch, place: Place) -> None:
    for name in ("METER_RUN_ID", "LOCAL_RANK", "SLURM_LOCALID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in place.variables.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("alone")
def test_what_meter_refuses_is_counted_and_logged_and_never_raised(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert stopped(MeterOutput(), pue="0.5").failures == {"meter runs import": 1}
    assert "pue: '0.5' is not from 1 to 5" in caplog.text


@pytest.mark.usefixtures("alone")
def test_a_meter_that_cannot_be_started_or_hangs_does_not_fail_the_training(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(codecarbon.sys, "executable", "/nonexistent/python")
        assert stopped(MeterOutput()).failures == {"exit": 1}
    assert stopped(MeterOutput(timeout_s=0)).failures == {"exit": 1}


@pytest.mark.usefixtures("alone")
def test_a_tracker_that_is_stopped_twice_books_once(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    output = stopped(MeterOutput())
    output.exit()
    assert output.failures == {}
    assert len(listed(place, capsys)) == 1
