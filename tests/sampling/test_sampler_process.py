"""The sampler process: starts, talks down its pipe, ends when told or when nobody reads."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import IO, TYPE_CHECKING

import pytest

from meter.model import SamplerBatch
from meter.sampling.frames import Hello, decode
from meter.sampling.pipe import Pipe, PipeClosedError
from standin import calls
from standin.scenario import Gpu, Scenario
from standin.shapes import Constant
from tests.sampling.sessions import ROOT, environment

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE_S = 30


def start(
    config: dict[str, object], env: dict[str, str] | None = None
) -> tuple[subprocess.Popen[bytes], IO[bytes]]:
    ours, theirs = os.pipe()
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "meter.sampling",
            "--fd",
            str(theirs),
            "--config",
            json.dumps(config),
        ],
        env=env or {**os.environ, "PYTHONPATH": str(ROOT)},
        pass_fds=[theirs],
        stdin=subprocess.DEVNULL,
    )
    os.close(theirs)
    return process, os.fdopen(ours, "rb")


def test_the_first_frame_names_the_devices_and_the_second_reads_them_all() -> None:
    process, pipe = start({"simulate": "2xH100", "host": False})
    with pipe:
        hello, batch = decode(pipe.readline()), decode(pipe.readline())
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
    assert isinstance(hello, Hello)
    assert hello.pid == process.pid
    assert hello.boot_id
    assert isinstance(batch, SamplerBatch)
    ids = {device.id for device in hello.devices}
    assert {reading.device_id for reading in batch.readings} == ids


def test_the_host_follows_in_a_second_hello(tmp_path: Path) -> None:
    process, pipe = start({"simulate": "1xL4", "powercap": str(tmp_path)})
    with pipe:
        hellos = []
        while len(hellos) < 2:
            frame = decode(pipe.readline())
            if isinstance(frame, Hello):
                hellos.append(frame)
        process.terminate()
        assert process.wait(PATIENCE_S) == 0
    assert [device.id for device in hellos[1].devices][1:] == ["cpu-0", "ram"]
    reasons = dict(hellos[1].sources)
    assert reasons["simulated"] is None
    assert reasons["host"] is None
    assert "no RAPL" in (reasons["rapl"] or "")


def test_sigterm_gives_nvml_back_before_the_end(tmp_path: Path) -> None:
    env = environment(Scenario(gpus=[Gpu(power=Constant(300))]), tmp_path)
    process, pipe = start({"host": False}, env)
    with pipe:
        pipe.readline()
        process.terminate()
        assert process.wait(PATIENCE_S) == 0
    asked = next(iter(calls.read(tmp_path / "calls.jsonl").values()))
    assert asked["nvmlShutdown"].count == 1


def test_the_sampler_ends_when_nobody_reads() -> None:
    process, pipe = start({"simulate": "1xH100", "host": False})
    pipe.readline()
    pipe.close()
    assert process.wait(PATIENCE_S) == 0


def test_a_wrong_specification_is_a_reason_and_no_crash() -> None:
    process, pipe = start({"simulate": "2xBanana", "host": False})
    with pipe:
        hello = decode(pipe.readline())
        process.terminate()
        assert process.wait(PATIENCE_S) == 0
    assert isinstance(hello, Hello)
    assert hello.devices == ()
    assert "Banana" in (hello.sources[0][1] or "")


@pytest.mark.parametrize("arguments", [["--fd"], ["--banana", "1"], ["--fd", "x"]])
def test_wrong_options_are_refused(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "meter.sampling", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 2
    assert b"usage" in done.stderr


def test_neither_the_agent_nor_any_heavy_library_is_loaded() -> None:
    code = (
        "import sys, meter.sampling.process, meter.sampling.nvml\n"
        "heavy = {'duckdb', 'fastapi', 'pydantic', 'click', 'rich', 'psutil', 'argparse'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=True,
        timeout=PATIENCE_S,
    )
    assert done.stdout.strip() == b"[]"


def test_a_full_pipe_drops_whole_frames_and_counts_them() -> None:
    ours, theirs = os.pipe()
    pipe = Pipe(theirs, max_backlog_bytes=200_000)
    frames = [f"{number:06d}".encode() * 5_000 + b"\n" for number in range(20)]
    for frame in frames:
        pipe.send(frame)
    assert pipe.dropped > 0
    got = b""
    with os.fdopen(ours, "rb", buffering=0) as reader:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline and got.count(b"\n") < len(frames) - pipe.dropped:
            got += reader.read(65_536) or b""
            pipe.send(b"")
    lines = got.splitlines(keepends=True)
    assert lines == frames[: len(lines)]
    assert len(lines) == len(frames) - pipe.dropped
    with pytest.raises(PipeClosedError):
        pipe.send(b"x\n")
    os.close(theirs)
