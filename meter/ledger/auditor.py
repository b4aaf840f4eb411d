"""What an auditor asks of a ledger, answered ready for JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meter.errors import UsageError
from meter.ledger import audit, proof
from meter.ledger.catalogue import check_catalogue
from meter.ledger.hours import check_hours
from meter.ledger.sealing import Sealed, restated, statement_of

if TYPE_CHECKING:
    from meter.ledger.reader import Reader


class Auditor:
    """Answers from one reader, a stretch at a time, so that a long check can show how far it is."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def overview(self) -> dict[str, Any]:
        """How far the chains go, and what is wrong with them as a whole."""
        found = [
            *check_catalogue(self._reader),
            *audit.outside(self._reader),
            *check_hours(self._reader),
            *proof.links(self._reader),
        ]
        return {
            "chain": audit.chain_of(self._reader).json(),
            "statements": self.statements(),
            "findings": [one.json() for one in found],
        }

    def batches(self, after: int) -> dict[str, Any]:
        """The next batches after a commit, checked; ``last`` is None where there are none."""
        page = audit.check_batches(self._reader, after) or audit.Page(0, 0, None, (), ())
        return page.json()

    def statements(self) -> list[dict[str, Any]]:
        """Statements in the order of issue, without their documents."""
        return proof.statement_list(self._reader)

    def statement(self, number: int) -> dict[str, Any]:
        """A statement with its document. Raises UsageError if there is none of this number."""
        found = statement_of(self._reader, number)
        if found is None:
            raise _none(number)
        return Sealed(found, issued=False, difference=restated(self._reader, found)).json()

    def proof(self, number: int) -> dict[str, Any]:
        """A statement, checked. Raises UsageError if there is none of this number."""
        found = proof.check_statement(self._reader, number)
        if found is None:
            raise _none(number)
        return found.json()


def _none(number: int) -> UsageError:
    return UsageError(f"there is no statement {number}", "`meter verify` lists them")
