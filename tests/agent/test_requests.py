"""What clients may send: numbers are numbers, a mark says something, a run starts in this boot."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from meter.agent import clocks
from meter.agent.reception import _at_our_time
from meter.agent.requests import MarkList, NewMark, NewMarks, NewRun, RunEnd
from meter.marks import checked

BIGINT = 2**63 - 1
instants = st.integers(0, BIGINT)


@pytest.mark.parametrize("wrong", [True, False, "5", "x", 1.5, float("nan"), [], {}])
@pytest.mark.parametrize("name", ["step", "tokens", "at_ns"])
def test_a_count_or_an_instant_is_a_whole_number(name: str, wrong: Any) -> None:
    with pytest.raises(ValidationError):
        NewMark.model_validate({"phase": "train", name: wrong})


@pytest.mark.parametrize("wrong", [True, False, "x", "NaN", [], -1])
@pytest.mark.parametrize("name", ["epoch", "fraction"])
def test_a_part_is_a_number_or_decimal_text(name: str, wrong: Any) -> None:
    with pytest.raises(ValidationError):
        NewMark.model_validate({"phase": "train", name: wrong})
    for right in (0.5, "0.5", 1, 0):
        assert getattr(NewMark.model_validate({name: right}), name) == Decimal(right)


@pytest.mark.parametrize("empty", [{}, {"at_ns": 5}, {"step": None}])
def test_a_mark_that_says_nothing_is_refused(empty: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="says nothing"):
        NewMark.model_validate(empty)
    batch = NewMarks.model_validate({"source": "s", "first": 0, "marks": [empty, {"phase": ""}]})
    found = MarkList.of(batch)
    assert [place for place, _ in found.marks] == [1]
    assert [place for place, _ in found.invalid] == [0]


@pytest.mark.parametrize("wrong", ["x" * 1_000, "a\nb", 5])
def test_a_phase_that_is_refused_has_one_reason(wrong: Any) -> None:
    with pytest.raises(ValidationError) as refused:
        NewMark.model_validate({"phase": wrong})
    assert refused.value.error_count() == 1
    assert NewMark.model_validate({"phase": ""}).phase == ""


@pytest.mark.parametrize("wrong", [True, "5", -1, BIGINT + 1])
def test_instants_of_runs_and_numbers_of_batches_are_checked_too(wrong: Any) -> None:
    for model, more in (
        (NewRun, {"started_ns": wrong}),
        (NewRun, {"sent_ns": wrong}),
        (RunEnd, {"status": "completed", "ended_ns": wrong}),
        (NewMarks, {"source": "s", "marks": [], "first": wrong}),
        (NewMarks, {"source": "s", "marks": [], "first": 0, "dropped": {"full": wrong}}),
    ):
        with pytest.raises(ValidationError):
            model.model_validate(more)


numbers = st.one_of(
    st.none(), st.integers(), st.floats(), st.decimals(), st.booleans(), st.text(max_size=3)
)


@given(numbers, numbers, st.none() | st.text(max_size=5), numbers, numbers)
def test_what_the_client_tells_is_always_taken(step, epoch, phase, tokens, fraction) -> None:
    try:
        made = checked.told(7, step, epoch, phase, tokens, fraction)
    except checked.WrongMarkError:
        return
    taken = NewMark.model_validate(made)
    assert taken.step == made.get("step")
    assert taken.phase == made.get("phase")


@given(instants, st.none() | instants)
def test_a_run_starts_between_the_boot_and_now_whatever_clocks_say(started_ns, sent_ns) -> None:
    new = NewRun.model_validate({"started_ns": started_ns, "sent_ns": sent_ns})
    offset_ns = clocks.offset_of(new, None, new.started_ns)
    assert 0 <= _at_our_time(new, offset_ns).started_ns <= new.received_ns
