"""Frames survive the pipe unchanged, and nonsense is refused as a source error."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meter.errors import SourceError
from meter.model import (
    Component,
    Device,
    DeviceFault,
    DeviceStatus,
    Method,
    MigInstance,
    ProcessLook,
    ProcessUse,
    Reading,
    SamplerBatch,
    TickLock,
)
from meter.sampling.frames import Hello, decode, encode_batch, encode_hello

numbers = st.integers(min_value=0, max_value=2**63)
maybe = st.none() | numbers
texts = st.text(max_size=20)
readings = st.builds(Reading, texts, numbers, maybe, maybe, maybe, maybe)
faults = st.builds(DeviceFault, st.none() | texts, numbers, texts, texts, maybe, st.booleans())
ratios = st.none() | st.floats(0, 1)


@given(
    st.builds(
        SamplerBatch,
        at_ns=numbers,
        readings=st.lists(readings, max_size=3).map(tuple),
        statuses=st.lists(
            st.builds(DeviceStatus, texts, numbers, ratios, maybe, ratios, maybe), max_size=2
        ).map(tuple),
        faults=st.lists(faults, max_size=2).map(tuple),
        locks=st.lists(st.builds(TickLock, texts, st.booleans(), maybe, numbers), max_size=2).map(
            tuple
        ),
        processes=st.none()
        | st.lists(
            st.builds(ProcessUse, texts, numbers, maybe, ratios, st.booleans()), max_size=2
        ).map(tuple),
        dropped=numbers,
        looks=st.lists(st.builds(ProcessLook, texts, numbers, maybe), max_size=2).map(tuple),
    )
)
def test_a_batch_survives_the_pipe(batch: SamplerBatch) -> None:
    line = encode_batch(batch)
    assert line.count(b"\n") == 1
    assert decode(line) == batch


def test_a_hello_survives_the_pipe_with_its_mig_instances() -> None:
    device = Device(
        "GPU-1",
        Component.GPU,
        "H100",
        Method.MEASURED,
        index=0,
        instances=(MigInstance("MIG-1", 1, 0, 3, 7),),
    )
    hello = Hello((device,), (("nvml", None), ("rapl", "not readable")), "610.1", "boot", 7)
    assert decode(encode_hello(hello)) == hello


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"[]",
        b"7",
        b"{}",
        b'{"frame":"other"}',
        b'{"frame":"batch"}',
        b'{"frame":"batch","at_ns":1,"readings":[[1,2,3,4,5,6,7,8]]}',
        b'{"frame":"hello","devices":[{}]}',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
)
def test_nonsense_is_a_source_error(line: bytes) -> None:
    with pytest.raises(SourceError):
        decode(line)
