"""What differs between two documents is named by what it is, not by where it stands."""

from __future__ import annotations

import copy

from hypothesis import given
from hypothesis import strategies as st

from meter.difference import differences

trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda one: st.lists(one, max_size=3) | st.dictionaries(st.text(max_size=2), one, max_size=3),
    max_leaves=12,
)
documents = st.dictionaries(st.text(max_size=2), trees, max_size=4)


def test_a_document_does_not_differ_from_itself_even_in_another_order():
    cost = [{"kind": "a", "currency": "EUR", "v": 1}, {"kind": "a", "currency": "USD", "v": 2}]
    assert differences({"cost": cost}, {"cost": cost[::-1]}) == []


def test_leaves_that_differ_have_their_path_and_both_values():
    old = {
        "run": {"name": "a"},
        "cost": [{"kind": "x", "currency": "EUR", "amount": {"value": "1"}}],
    }
    new = copy.deepcopy(old)
    new["cost"][0]["amount"]["value"] = "2"
    assert differences(old, new) == [{"path": "cost[x EUR].amount.value", "old": "1", "new": "2"}]


def test_what_is_added_or_gone_stands_there_whole():
    old, new = {"factors": [{"id": "f1", "value": 1}], "a": 1}, {"factors": [{"id": "f2"}]}
    assert differences(old, new) == [
        {"path": "factors[f1]", "old": {"id": "f1", "value": 1}},
        {"path": "factors[f2]", "new": {"id": "f2"}},
        {"path": "a", "old": 1},
    ]
    assert differences({"as_of": 1}, {"as_of": 2}, without=frozenset({"as_of"})) == []


def test_zero_of_another_type_is_another_value():
    assert differences({"a": 0}, {"a": False}) == [{"path": "a", "old": 0, "new": False}]


@given(documents, documents)
def test_no_difference_is_found_only_between_equals(old, new):
    assert differences(old, copy.deepcopy(old)) == []
    if not differences(old, new):
        assert old == new
