"""BoAmps' grades: 10, 25 and 50 % to either side, the wider counts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meter.grade import grade

ORDER = ["high", "medium", "low", None]


@pytest.mark.parametrize(
    ("low", "mid", "high", "expected"),
    [
        (90, 100, 110, "high"), (89, 100, 100, "medium"), (100, 100, 111, "medium"),
        (75, 100, 125, "medium"), (75, 100, 126, "low"), (50, 100, 150, "low"),
        (49, 100, 100, None), (0, None, 100, None), (0, 0, 0, None),
    ],
)  # fmt: skip
def test_the_wider_side_decides(low, mid, high, expected):
    assert grade(low, mid, high) == expected


@given(
    st.integers(1, 10**18), st.integers(0, 10**18), st.integers(0, 10**18), st.integers(0, 10**9)
)
def test_wider_bounds_are_never_better(mid, below, above, more):
    narrow = grade(max(mid - below, 0), mid, mid + above)
    wide = grade(max(mid - below - more, 0), mid, mid + above + more)
    assert ORDER.index(narrow) <= ORDER.index(wide)
