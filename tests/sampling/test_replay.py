"""A recording of the sampler's frames plays again, labelled simulated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from meter.errors import SourceAbsentError, TransientError
from meter.model import Component, Device, Method, Reading, SamplerBatch
from meter.sampling.frames import Hello, encode_batch, encode_hello
from meter.sampling.replay import Replay
from tests.sampling.looking import ManualClock, S

if TYPE_CHECKING:
    from pathlib import Path


def recording(file: Path) -> Path:
    hello = Hello(
        (Device("GPU-1", Component.GPU, "H100", Method.MEASURED, index=0),), (), "1", "boot", 1
    )
    batches = [
        SamplerBatch(at * S, (Reading("GPU-1", at * S, None, at * 100, 7, at),))
        for at in (500, 501, 503)
    ]
    file.write_bytes(encode_hello(hello) + b"".join(map(encode_batch, batches)))
    return file


def test_a_recording_plays_at_its_own_speed_from_its_first_reading(tmp_path: Path) -> None:
    clock = ManualClock()
    replay = Replay(recording(tmp_path / "run.jsonl"), clock)
    device = replay.open()[0]
    assert device.simulated
    start, seen = clock.now_ns, []
    for elapsed in (0, 0.9, 1, 2.9, 3):
        clock.now_ns = start + round(elapsed * S)
        seen.append(replay.look(device.id).energy_mj)
    assert seen == [50_000, 50_000, 50_100, 50_100, 50_300]


def test_after_its_end_a_recording_says_so(tmp_path: Path) -> None:
    clock = ManualClock()
    replay = Replay(recording(tmp_path / "run.jsonl"), clock)
    replay.open()
    clock.now_ns += 4 * S
    with pytest.raises(TransientError, match="end"):
        replay.look("GPU-1")


@pytest.mark.parametrize("content", [b"", b"nonsense\n", b'{"frame":"batch","at_ns":1}\n'])
def test_a_file_that_is_no_recording_is_an_absent_source(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "run.jsonl"
    file.write_bytes(content)
    with pytest.raises(SourceAbsentError):
        Replay(file, ManualClock()).open()
    with pytest.raises(SourceAbsentError):
        Replay(tmp_path / "missing", ManualClock()).open()
