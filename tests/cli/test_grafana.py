"""``meter grafana export``: whole, in place, and at nobody's expense."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from meter.cli import grafana_files
from tests.cli.places import Place

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "grafana"


def listed(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


def test_all_dashboards_rules_runbooks_and_provisioning_are_written(place, folder) -> None:
    assert place.call("grafana", "export", str(folder)) == 0
    boards = {f"dashboards/{p.name}" for p in (ROOT / "grafana/dashboards").glob("*.json")}
    pages = {f"runbooks/{p.name}" for p in (ROOT / "docs/runbooks").glob("*.md")}
    assert listed(folder) == boards | pages | {
        "rules/alerts.yml", "rules/recording.yml", "provisioning/datasources/meter.yml",
        "provisioning/dashboards/meter.yml", grafana_files.MANIFEST,
    }  # fmt: skip
    for name in boards:
        assert (folder / name).read_bytes() == (ROOT / "grafana" / name).read_bytes()


def test_provisioning_names_the_places_that_were_given(place, folder) -> None:
    words = ("--prometheus", "http://prom:9", "--alertmanager", "http://am:1",
             "--scrape-interval", "30s", "--dashboards", "/boards")  # fmt: skip
    assert place.call("grafana", "export", str(folder), *words) == 0
    read = yaml.safe_load((folder / "provisioning/datasources/meter.yml").read_text())
    first, second = read["datasources"]
    assert (first["url"], first["jsonData"]["timeInterval"]) == ("http://prom:9", "30s")
    assert second["url"] == "http://am:1"
    [provider] = yaml.safe_load((folder / "provisioning/dashboards/meter.yml").read_text())[
        "providers"
    ]
    assert provider["options"]["path"] == "/boards"


def test_by_default_all_is_found_in_the_folder_and_no_alertmanager_is_claimed(
    place, folder, monkeypatch
) -> None:
    monkeypatch.chdir(folder.parent)
    assert place.call("grafana", "export", "grafana") == 0
    [source] = yaml.safe_load((folder / "provisioning/datasources/meter.yml").read_text())[
        "datasources"
    ]
    assert source["type"] == "prometheus"
    [provider] = yaml.safe_load((folder / "provisioning/dashboards/meter.yml").read_text())[
        "providers"
    ]
    assert list(Path(provider["options"]["path"]).glob("*.json"))
    alerts = (folder / "rules/alerts.yml").read_text()
    pages = re.findall(r"runbook_url: (\S+)", alerts)
    assert pages
    assert all(Path(page).is_file() for page in pages)


def test_runbooks_may_be_elsewhere_and_lead_to_no_page_that_is_not_there(place, folder) -> None:
    assert place.call("grafana", "export", str(folder), "--runbooks", "https://wiki.org/m/") == 0
    alerts = (folder / "rules/alerts.yml").read_text()
    assert "runbook_url: https://wiki.org/m/MeterAgentDown.md" in alerts
    for page in (folder / "runbooks").iterdir():
        for link in re.findall(r"\]\(([^)]+)\)", page.read_text()):
            assert (page.parent / link).is_file()


def test_promtool_takes_the_exported_rules(place, folder, require_tool) -> None:
    assert place.call("grafana", "export", str(folder)) == 0
    command = [require_tool("promtool"), "check", "rules", *(folder / "rules").iterdir()]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_an_export_replaces_what_an_earlier_one_wrote(place, folder) -> None:
    assert place.call("grafana", "export", str(folder)) == 0
    manifest = json.loads((folder / grafana_files.MANIFEST).read_text())
    gone = folder / "dashboards" / "gone.json"
    gone.write_text("old")
    manifest["dashboards/gone.json"] = grafana_files._hash(b"old")
    (folder / grafana_files.MANIFEST).write_text(json.dumps(manifest))
    assert place.call("grafana", "export", str(folder), "--prometheus", "http://other:9090") == 0
    assert "other" in (folder / "provisioning/datasources/meter.yml").read_text()
    assert not gone.exists()


@pytest.mark.parametrize("name", ["dashboards/run.json", "rules/alerts.yml"])
def test_what_somebody_changed_stays_unless_it_is_forced(place, folder, capsys, name) -> None:
    assert place.call("grafana", "export", str(folder)) == 0
    (folder / name).write_text("mine")
    untouched = (folder / "provisioning/datasources/meter.yml").read_bytes()
    capsys.readouterr()
    assert place.call("grafana", "export", str(folder), "--prometheus", "http://other:9090") == 2
    said = capsys.readouterr().err
    assert name in said
    assert "--force" in said
    assert (folder / name).read_text() == "mine"
    assert (folder / "provisioning/datasources/meter.yml").read_bytes() == untouched
    assert place.call("grafana", "export", str(folder), "--force") == 0
    assert (folder / name).read_text() != "mine"


def test_a_file_of_others_in_the_folder_is_neither_read_nor_removed(place, folder) -> None:
    (folder / "dashboards").mkdir(parents=True)
    (folder / "dashboards" / "own.json").write_text("{}")
    assert place.call("grafana", "export", str(folder)) == 0
    assert place.call("grafana", "export", str(folder)) == 0
    assert (folder / "dashboards" / "own.json").read_text() == "{}"


@pytest.mark.parametrize("manifest", ["", "[]", '{"a": 1}', "{", '{"../../outside": "x"}'])
def test_a_manifest_that_says_nothing_of_use_loses_nothing(place, folder, manifest) -> None:
    outside = folder.parent.parent / "outside"
    folder.mkdir()
    (folder / grafana_files.MANIFEST).write_text(manifest)
    assert place.call("grafana", "export", str(folder)) == 0
    assert not outside.exists()


def test_a_manifest_cannot_name_a_file_outside(place, folder) -> None:
    folder.mkdir()
    victim = folder.parent / "victim"
    victim.write_text("kept")
    known = {"../victim": grafana_files._hash(b"kept")}
    (folder / grafana_files.MANIFEST).write_text(json.dumps(known))
    assert place.call("grafana", "export", str(folder)) == 0
    assert victim.read_text() == "kept"


@pytest.mark.parametrize(
    "words",
    [
        ("--prometheus", "localhost:9090"), ("--alertmanager", "x"), ("--runbooks", "ftp://a"),
        ("--scrape-interval", "0s"), ("--scrape-interval", "often"),
    ],
)  # fmt: skip
def test_what_is_no_url_or_interval_is_told(place, folder, capsys, words) -> None:
    assert place.call("grafana", "export", str(folder), *words) == 2
    assert words[1] in capsys.readouterr().err
    assert not folder.exists()


def test_a_folder_that_is_a_file_is_told_in_one_line(place, folder, capsys) -> None:
    folder.write_text("a file")
    assert place.call("grafana", "export", str(folder)) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "cannot be written" in said
