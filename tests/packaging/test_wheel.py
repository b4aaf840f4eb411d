"""The built wheel, installed outside the checkout: what users get."""

from __future__ import annotations

import configparser
import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    [path] = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def names(wheel: Path) -> list[str]:
    return zipfile.ZipFile(wheel).namelist()


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of a fresh environment with the wheel; dependencies are those of this one."""
    folder = tmp_path_factory.mktemp("fresh") / "venv"
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    done = subprocess.run(
        [*pip, "--no-deps", "--no-index", str(wheel)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    [site] = folder.glob("lib/python*/site-packages")
    # A path file adds this folder without reading the path files in it, so the checkout, which is
    # installed there in editable mode, stays out of sight.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin"


@pytest.fixture
def elsewhere(tmp_path: Path) -> dict[str, str]:
    """An environment that knows neither the checkout nor this user's files."""
    kept = {key: value for key, value in os.environ.items() if key in {"PATH", "LANG", "TERM"}}
    return {
        **kept,
        "HOME": str(tmp_path),
        "METER_HOME": str(tmp_path / "home"),
        "METER_LEASE_DIR": str(tmp_path / "leases"),
        "METER_LISTEN": "127.0.0.1:0",
    }


def tracked(folder: str, pattern: str) -> set[str]:
    return {str(path.relative_to(ROOT / folder)) for path in (ROOT / folder).rglob(pattern)}


def test_the_wheel_brings_no_generic_top_level_name(names: list[str]) -> None:
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"meter", "meter_exporters"}


def test_the_wheel_holds_every_query(names: list[str]) -> None:
    inside = {name.removeprefix("meter/queries/") for name in names if name.endswith(".sql")}
    assert inside == tracked("queries", "*.sql")
    assert inside


def test_the_wheel_holds_every_module_and_data_file(names: list[str]) -> None:
    for folder, top in (("meter", "meter"), ("exporters/meter_exporters", "meter_exporters")):
        expected = {
            f"{top}/{name}"
            for name in tracked(folder, "*")
            if (ROOT / folder / name).is_file() and "__pycache__" not in name
        }
        assert expected - set(names) == set()


def test_the_wheel_holds_what_grafana_export_writes_and_not_what_makes_it(names: list[str]) -> None:
    inside = {name.removeprefix("meter/grafana/") for name in names if "/grafana/" in name}
    assert inside == {
        *(f"dashboards/{name}" for name in tracked("grafana/dashboards", "*.json")),
        *(f"runbooks/{name}" for name in tracked("docs/runbooks", "*.md")),
        *(f"provisioning/{name}" for name in tracked("grafana/provisioning", "*.yml")),
        "rules/alerts.yml",
        "rules/recording.yml",
    }


def test_grafana_export_writes_the_same_from_the_wheel_as_from_the_checkout(
    installed: Path, elsewhere: dict[str, str], tmp_path: Path
) -> None:
    for program in (installed / "meter", Path(sys.executable).with_name("meter")):
        export = [
            program,
            "grafana",
            "export",
            "shown",
            "--dashboards",
            "/d",
            "--runbooks",
            "http://r",
        ]
        folder = tmp_path / program.parent.parent.name
        folder.mkdir()
        done = subprocess.run(export, cwd=folder, env=elsewhere, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    one, other = [
        {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
        for folder in sorted(path.parent for path in tmp_path.glob("*/shown"))
    ]
    assert one == other
    assert len(one) > 20


def test_the_wheel_leaves_tests_and_tools_behind(names: list[str]) -> None:
    unwanted = {"tests", "standin", "benchmarks", "docs", "deploy", "examples", "__pycache__"}
    assert [name for name in names if unwanted & set(name.split("/"))] == []


def test_the_wheel_carries_its_licence_and_its_entry_points(wheel: Path, names: list[str]) -> None:
    assert [name for name in names if name.endswith("licenses/LICENSE")]
    [path] = [name for name in names if name.endswith("entry_points.txt")]
    entries = configparser.ConfigParser()
    entries.read_string(zipfile.ZipFile(wheel).read(path).decode())
    assert dict(entries["console_scripts"]) == {"meter": "meter.__main__:main"}
    assert {"html", "json", "prometheus"} <= set(entries["meter.exporters"])


def test_the_package_is_imported_from_the_wheel(
    installed: Path, elsewhere: dict[str, str], tmp_path: Path
) -> None:
    code = "import meter, meter_exporters; print(meter.__file__); print(meter_exporters.__path__)"
    done = subprocess.run(
        [installed / "python", "-c", code],
        cwd=tmp_path, env=elsewhere, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert str(ROOT) not in done.stdout


def test_the_demo_runs_from_the_wheel_outside_the_checkout(
    installed: Path, elsewhere: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "somewhere"
    folder.mkdir()
    demo = [installed / "meter", "demo", "--seconds", "3", "--dir", "shown"]
    done = subprocess.run(demo, cwd=folder, env=elsewhere, capture_output=True, text=True)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "CO2e" in said
    assert "simulated" in said.lower()
    report = (folder / "shown" / "report.html").read_text()
    assert "<svg" in report
    assert "simulated" in report.lower()


def test_a_metered_run_from_the_wheel_writes_its_document(
    installed: Path, elsewhere: dict[str, str], tmp_path: Path
) -> None:
    summary = tmp_path / "summary.json"
    command = [installed / "meter", "run", "--summary-json", summary, "--", "sleep", "1"]
    done = subprocess.run(command, cwd=tmp_path, env=elsewhere, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    document = json.loads(summary.read_text())
    assert document["schema"] == "meter.run/1"
    assert document["run"]["status"] == "completed"
