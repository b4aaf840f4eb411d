"""Money and money back that cancel each other: no usage explains them."""

from __future__ import annotations

import pytest

from meter.reconciliation import Reason, reconciled
from tests.hosted.bills.test_reconciliation import NAMES, billed, computed


def told(bills, uses) -> dict[tuple[int, str], Reason]:
    rows = reconciled(bills, uses, NAMES).rows
    first = min(row.start_us for row in rows)
    return {((row.start_us - first) // 86_400_000_000, row.line.text()): row.reason for row in rows}


def money_back(amount="-5", day=0, line="m, output"):
    return billed(amount, day, line, credits=1)


def test_a_day_of_money_and_money_back_without_usage_agrees_with_nothing() -> None:
    assert told([billed("5"), money_back()], []) == {
        (0, "m, input"): Reason.NOTHING_COMPUTED, (0, "m, output"): Reason.CREDIT,
    }  # fmt: skip


def test_it_does_not_beside_a_line_that_agrees() -> None:
    found = told(
        [billed("3", line="m, cached input"), billed("5"), money_back()],
        [computed("3", meter="cached_input")],
    )
    assert found == {
        (0, "m, cached_input"): Reason.EXACT,
        (0, "m, input"): Reason.NOTHING_COMPUTED, (0, "m, output"): Reason.CREDIT,
    }  # fmt: skip


@pytest.mark.parametrize("line", ["m, input", "m, output"])
def test_nor_does_money_back_on_the_next_day(line: str) -> None:
    assert told([billed("5"), money_back(day=1, line=line)], []) == {
        (0, "m, input"): Reason.NOTHING_COMPUTED, (1, line): Reason.CREDIT,
    }  # fmt: skip


def test_usage_that_is_free_explains_nothing_either() -> None:
    found = told([billed("5"), money_back()], [computed("0", meter="cached_input")])
    assert found[0, "m, output"] is Reason.CREDIT
    assert Reason.WHOLE_DAY not in found.values()


def test_a_credit_that_makes_a_day_of_usage_agree_is_part_of_it() -> None:
    found = told([billed("15", line="training"), money_back()], [computed("10")])
    assert set(found.values()) == {Reason.WHOLE_DAY}
