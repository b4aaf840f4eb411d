"""deploy/Containerfile: its steps done in a fresh folder, and its process run as its image would.

No container runtime is needed: COPY and RUN work on a folder, from this checkout alone, and the
process runs as the image's user with a read-only root and its own PIDs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agent.agents import until
from deploy.containerfile import Replay, Stage, parse
from deploy.sandbox import Network, Process, contained, require_root
from meter.launch.client import request

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "deploy" / "Containerfile"
PLACES = ("build", "opt", "src", "wheels", "var", "run", "usr/local/bin")
BUILD, IMAGE = parse(FILE)


def test_the_image_runs_as_a_user_of_its_own_and_writes_to_two_folders_only() -> None:
    assert IMAGE.settings["USER"] == ["9850:9850"]
    places = IMAGE.environment
    volumes = IMAGE.words("VOLUME")
    assert volumes == [places["METER_HOME"], str(Path(places["METER_SOCKET"]).parent)]
    assert Path(places["METER_LEASE_DIR"]).parent == Path(volumes[1])


def test_nothing_of_the_build_but_the_environment_reaches_the_image() -> None:
    copies = [text for instruction, text in IMAGE.steps if instruction == "COPY"]
    assert copies == [f"--from={BUILD.name} /opt/meter /opt/meter"]
    assert BUILD.base == IMAGE.base  # the environment's python is the same one


def test_what_is_installed_is_checked_against_its_hashes_and_fetched_once() -> None:
    pips = [text for _, text in BUILD.steps if "pip" in text.split()[0]]
    assert pips
    for text in pips:
        assert ("--require-hashes" in text) != ("--no-index" in text)


def test_the_context_lets_in_what_the_steps_copy_and_nothing_more() -> None:
    ignored = (ROOT / "deploy" / "Containerfile.dockerignore").read_text().splitlines()
    let_in = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    copied = {word for kind, text in BUILD.steps if kind == "COPY" for word in text.split()[:-1]}
    assert ignored[0] == "*"
    assert let_in == copied
    assert all((ROOT / name).exists() for name in copied)


def test_an_instruction_that_the_replay_does_not_know_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "Containerfile"
    file.write_text("FROM scratch\nONBUILD RUN true\n")
    with pytest.raises(ValueError, match="ONBUILD"):
        parse(file)


@pytest.fixture(scope="module")
def image() -> Iterator[Replay]:
    """The image's root, in a folder that its user may enter (pytest's own are for one user)."""
    require_root()
    with tempfile.TemporaryDirectory(prefix="meter-image-") as folder:
        Path(folder).chmod(0o755)
        replay = Replay(Path(folder) / "root", ROOT, PLACES, os.path.realpath(sys.executable))
        for stage in (BUILD, IMAGE):
            replay.run(stage)
        yield replay


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_image_holds_meter_and_no_tool_of_its_tests(image: Replay) -> None:
    python = image.here("/opt/meter/bin/python")
    code = (
        "import importlib.metadata as m, json;"
        "print(json.dumps(sorted(d.name.lower() for d in m.distributions())))"
    )
    done = subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, cwd="/")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert {"tunemeter", "duckdb", "nvidia-ml-py"} <= set(found)
    assert not {"pytest", "mypy", "ruff", "hypothesis", "pip", "build"} & set(found)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_images_process_meters_with_a_read_only_root_and_stops_quietly(
    image: Replay, tmp_path: Path, require_tool
) -> None:
    for tool in ("ip", "unshare", "nsenter", "setpriv"):
        require_tool(tool)
    environment = {name: image.here(value) for name, value in IMAGE.environment.items()}
    environment["METER_SIMULATE"] = "1xH100"
    words = [*IMAGE.words("ENTRYPOINT"), *IMAGE.words("CMD")]
    writable = [Path(image.here(folder)) for folder in IMAGE.words("VOLUME")]
    command = contained(words, writable=writable, hidden=[ROOT], user=9850)
    network = Network(tmp_path, [])
    agent = Process([*network.inside, *command], environment, tmp_path, "agent")
    try:
        path = environment["METER_SOCKET"]

        def status() -> dict[str, object]:
            assert agent.process.poll() is None, agent.log.read_text()
            return request(path, "GET", "/v1/status")[1]

        until(lambda: status()["agent"]["fresh"], "fresh readings")
        assert status()["ledger"], "the ledger is kept"
        health = [image.here("/opt/meter/bin/python"), *IMAGE.health[1:]]
        checked = subprocess.run([*network.inside, *health], capture_output=True, text=True)
        assert checked.returncode == 0, checked.stderr
        assert agent.stop() == 0, agent.log.read_text()
        unhealthy = subprocess.run([*network.inside, *health], capture_output=True, text=True)
        assert unhealthy.returncode != 0
    finally:
        agent.kill()
        network.close()
    written = {path.name for path in Path(environment["METER_HOME"]).iterdir()}
    assert "ledger.duckdb" in written
    [ledger] = Path(environment["METER_HOME"]).glob("ledger.duckdb")
    assert ledger.stat().st_uid == 9850


def test_stages_are_read_with_their_settings() -> None:
    assert isinstance(IMAGE, Stage)
    assert IMAGE.words("ENTRYPOINT") == ["meter"]
    assert IMAGE.health[0] == "python"
