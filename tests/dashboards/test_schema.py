"""The stored shape of a dashboard is what Grafana's own types say, made anew from its npm package.

Where npm or its registry is missing the stored one is all there is, and the test skips.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from dashboards.test_dashboards import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Callable

PINNED = Path(__file__).with_name("schema")
"""Versions of the package and of the generator, and the hashes of all that they need."""
TYPES = "node_modules/@grafana/schema/dist/types/raw/dashboard/x/types.gen.d.ts"
NAMES = {"properties", "definitions"}
"""Keys whose own keys are names, not words of JSON Schema."""

pytestmark = pytest.mark.timeout(300)


def npm(program: str, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    quick = ["--fetch-retries=0", "--fetch-timeout=20000", "--no-audit", "--no-fund"]
    return subprocess.run(
        [program, *words, *quick, "--prefer-offline"], cwd=folder, capture_output=True, text=True
    )


def package() -> str:
    asked = json.loads((PINNED / "package.json").read_text())["dependencies"]
    return f"@grafana/schema@{asked['@grafana/schema']}"


def installed(request: pytest.FixtureRequest) -> Path:
    """The folder with the packages, kept in pytest's cache; skips where npm cannot get them."""
    program = shutil.which("npm")
    if program is None or shutil.which("node") is None:
        pytest.skip("npm is not installed: the stored schema stands unproven")
    lock = (PINNED / "package-lock.json").read_bytes()
    cache = request.config.cache.mkdir("grafana-schema")
    folder = cache / hashlib.sha256(lock).hexdigest()[:16]
    if (folder / "whole").exists():
        return folder
    if (asked := npm(program, cache, "view", package(), "version")).returncode != 0:
        why = asked.stderr.partition("\n")[0]
        pytest.skip(f"npm has no registry that tells of {package()}: {why}")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(PINNED, folder)
    done = npm(program, folder, "ci", "--ignore-scripts")
    assert done.returncode == 0, done.stderr
    (folder / "whole").touch()
    return folder


@pytest.fixture(scope="module")
def generator(request: pytest.FixtureRequest) -> Callable[..., dict[str, Any]]:
    folder = installed(request)
    program = folder / "node_modules" / ".bin" / "ts-json-schema-generator"

    def made(*options: str) -> dict[str, Any]:
        words = ["--path", TYPES, "--type", "Dashboard", *options]
        done = subprocess.run([program, *words], cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return made


def bare(schema: Any, *, named: bool = False) -> Any:
    """A schema without its descriptions."""
    if isinstance(schema, list):
        return [bare(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: bare(value, named=key in NAMES and not named)
        for key, value in schema.items()
        if named or key != "description"
    }


def test_the_stored_shape_is_that_of_grafanas_types(
    generator: Callable[..., dict[str, Any]],
) -> None:
    assert bare(generator("--additional-properties")) == json.loads(SCHEMA.read_text())


def test_descriptions_go_and_what_is_only_called_so_stays() -> None:
    schema = {"description": "gone", "properties": {"description": {"description": "gone"},
                                                    "properties": {"type": "string"}}}  # fmt: skip
    assert bare(schema) == {"properties": {"description": {}, "properties": {"type": "string"}}}
