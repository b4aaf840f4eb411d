from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PIN = re.compile(r"^(?P<name>[a-z0-9._-]+)==(?P<version>\S+) \\\n(?P<hashes>(?:    --hash=.*\n)+)")


def entries() -> list[str]:
    text = (ROOT / "constraints.txt").read_text()
    body = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("#"))
    return re.split(r"\n(?=\S)", body)


def pins() -> dict[str, str]:
    found = [PIN.match(entry + "\n") for entry in entries()]
    return {canonicalize_name(pin["name"]): pin["version"] for pin in found if pin}


def declared() -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    return [Requirement(text) for group in (project["dependencies"], *extras) for text in group]


def test_every_entry_is_one_pinned_version_with_hashes() -> None:
    assert len(entries()) > 50
    assert [entry for entry in entries() if not PIN.match(entry + "\n")] == []


def test_every_hash_is_a_sha256() -> None:
    hashes = re.findall(r"--hash=(\S+)", (ROOT / "constraints.txt").read_text())
    assert [text for text in hashes if not re.fullmatch(r"sha256:[0-9a-f]{64}", text)] == []


def test_no_registry_and_no_path_of_a_machine_is_named() -> None:
    text = (ROOT / "constraints.txt").read_text()
    for trace in ("://", "--index", "--extra-index", "--find-links", "--trusted-host", " @ ", "/"):
        assert trace not in text


@pytest.mark.parametrize("requirement", declared(), ids=lambda requirement: requirement.name)
def test_what_the_project_declares_is_pinned_within_its_bounds(requirement: Requirement) -> None:
    version = pins()[canonicalize_name(requirement.name)]
    assert requirement.specifier.contains(version)
