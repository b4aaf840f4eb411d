"""Bills as an agent answers for them; any thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meter.billing import Asked, bill_document_of, take_charges
from meter.errors import LedgerError
from meter.hosted.bills.rows import BillError
from meter.hosted.bills.wire import charge_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from meter.hosted_facts import Charge
    from meter.ledger import Ledger

INVALID = "invalid"
_TWICE = "has the id of an earlier one of this request, and says something else: send one"


class BillsDesk:
    """Takes charges, and compares them with usage."""

    def __init__(self, ledger: Ledger, now_us: Callable[[], int], *, keeps: bool = True) -> None:
        self._ledger = ledger
        self._now_us = now_us
        self._keeps = keeps

    def take(self, told: Sequence[object]) -> list[dict[str, Any]]:
        """What became of each charge, once those that are right are durable in one commit.

        Raises LedgerError.
        """
        if not self._keeps:
            raise LedgerError(
                "this agent has its ledger in memory and would forget what it is told",
                "try again when its run has ended",
            )
        now_us = self._now_us()
        answers: list[dict[str, Any]] = []
        charges: list[Charge] = []
        said: dict[tuple[str, str], Charge] = {}
        for one in told:
            answers.append(_named(one))
            try:
                charge = charge_of(one, now_us)
            except BillError as error:
                answers[-1] |= {"status": INVALID, "errors": _errors(error)}
                continue
            if said.setdefault((charge.source, charge.id), charge) != charge:
                answers[-1] |= {"status": INVALID, "errors": [{"field": "id", "reason": _TWICE}]}
                continue
            charges.append(charge)
        outcomes = iter(take_charges(self._ledger, charges))
        for answer in answers:
            if "status" not in answer:
                answer["status"] = next(outcomes).value
        return answers

    def document(self, asked: Mapping[str, str]) -> dict[str, Any]:
        """What was billed beside what was computed. Raises UsageError, LedgerError."""
        with self._ledger.question() as reader:
            return bill_document_of(reader, Asked.of_query(asked, self._now_us()))


def _named(told: object) -> dict[str, Any]:
    """Source and id, as far as they can be told again."""
    if not isinstance(told, dict):
        return {}
    found = {name: told.get(name) for name in ("source", "id")}
    return {
        name: value
        for name, value in found.items()
        if isinstance(value, str) and value.isprintable()
    }


def _errors(error: BillError) -> list[dict[str, Any]]:
    return [{"field": fault.column, "reason": fault.reason} for fault in error.faults]
