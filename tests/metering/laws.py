"""Curves, holds and sums that laws of metering are tested with."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from itertools import pairwise

from hypothesis import strategies as st

from meter.metering.wall import WallAnchor
from meter.model import Basis, Hold, Method, Segment
from meter.units import NS_PER_MS

ANCHOR = WallAnchor(boot_ns=123, wall_us=59_999_000_001)
DEVICES = ("gpu-a", "gpu-b")
SPAN_MS = 150_000

instants = st.integers(0, SPAN_MS).map(lambda ms: ms * NS_PER_MS)
shares = st.fractions(min_value=Fraction(1, 8), max_value=1, max_denominator=8)


@st.composite
def curves(draw, device):
    """Contiguous segments over the whole span."""
    inner = draw(st.sets(st.integers(1, SPAN_MS - 1), max_size=12))
    marks = [0, *sorted(inner), SPAN_MS]
    made = []
    for start, end in pairwise(marks):
        energy = draw(st.integers(0, 10**7))
        made.append(
            Segment(
                device,
                start * NS_PER_MS,
                end * NS_PER_MS,
                energy,
                energy - energy // 20,
                energy + energy // 20,
                Basis.COUNTER,
                draw(st.sampled_from([Method.MEASURED, Method.MODELLED])),
                covered=draw(st.booleans()),
            )
        )
    return made


@st.composite
def holds(draw):
    start, end = sorted((draw(instants), draw(instants)))
    return Hold(
        draw(st.sampled_from("rst")),
        draw(st.sampled_from(DEVICES)),
        start,
        draw(st.sampled_from([None, end])),
        draw(shares),
    )


hold_lists = st.lists(holds(), max_size=5, unique_by=lambda h: (h.run_id, h.device_id, h.start_ns))
two_curves = st.tuples(*(curves(device) for device in DEVICES))


def owners(intervals):
    """Everything that is summed, by device, owner and minute."""
    found = Counter()
    for i in intervals:
        key = (i.device_id, i.kind, i.run_id, i.start_us // 60_000_000)
        found[key, "energy"] += i.energy_mj
        found[key, "covered"] += i.covered_us
        found[key, "held"] += i.held_us
        found[key, "measured"] += i.measured_mj
    return {key: value for key, value in found.items() if value}
