"""Who holds a device: drawn bit by bit as holds come and end, as if all had been known at once."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from meter.metering.holdings import IDLE, REMEMBERED, REST, Holdings, Owners
from meter.model import Hold
from metering.laws import holds

changes = st.lists(
    st.one_of(
        holds().map(lambda hold: ("put", hold)),
        st.tuples(st.just("end"), st.sampled_from("rst"), st.integers(0, 150_000)),
    ),
    max_size=12,
)


@given(changes)
def test_what_comes_bit_by_bit_is_drawn_as_if_it_had_been_known_at_once(found) -> None:
    made = Holdings()
    for what, *values in found:
        if what == "put":
            made.put(values[0])
        else:
            made.end(values[0], values[1] * 1_000_000)
    known = list(made._holds.values())
    at_once = Holdings()
    for hold in known:
        at_once.put(hold)
    edges = {edge for hold in known for edge in (hold.start_ns, hold.end_ns) if edge is not None}
    for at_ns in sorted(edges | {edge - 1 for edge in edges} | {0, 10**12}):
        whose, change_ns = made.at(at_ns)
        held = [h for h in known if h.start_ns <= at_ns and (h.end_ns is None or at_ns < h.end_ns)]
        assert (whose, change_ns) == at_once.at(at_ns)
        assert whose == Owners.of(held)
        later = [edge for edge in edges if edge > at_ns]
        assert change_ns is None or change_ns in later


def test_the_oldest_holds_are_forgotten_some_at_a_time_and_nobody_is_guessed_for_them() -> None:
    made = Holdings()
    for n in range(REMEMBERED + 1):
        made.put(Hold(f"r{n}", "gpu", 2 * n, 2 * n + 1, Fraction(1)))
    left = len(made._holds)
    assert REMEMBERED // 2 < left < REMEMBERED
    assert made.at(0)[0].owners == (REST,)
    first = REMEMBERED + 1 - left
    assert made.at(2 * first)[0].owners[0].run_id == f"r{first}"
    assert made.at(2 * first + 1)[0].owners == (IDLE,)
    assert made.at(2 * REMEMBERED)[0].owners[0].run_id == f"r{REMEMBERED}"
