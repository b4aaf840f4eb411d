"""Statements: what is sealed, and the hashes over it; pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from meter.ledger.chain import canonical, instant, sha256
from meter.ledger.instants import timestamp

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from meter.ledger.rows import Row
    from meter.model import StatementDraft


@dataclass(frozen=True, slots=True)
class Link:
    """What a statement follows: the statement before it, and the newest batch."""

    number: int
    sha256: str
    batch_sha256: str


@dataclass(frozen=True, slots=True)
class Statement:
    """An issued statement; in the order of its table's columns."""

    number: int
    id: str
    subject: str
    as_of: datetime
    issued_at: datetime
    made_by: str
    method_version: str
    queries_sha256: str
    document: str
    document_sha256: str
    facts: str
    facts_sha256: str
    replaces: int | None
    reason: str | None
    batch_sha256: str
    previous_sha256: str
    sha256: str

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> Statement:
        """The statement in a row that has its columns."""
        return cls(**{name: row[name] for name in cls.__slots__})

    @classmethod
    def issue(cls, draft: StatementDraft, after: Link, issued_at: datetime) -> Statement:
        """Number a draft and seal it."""
        made = cls(
            number=after.number + 1,
            id=draft.id,
            subject=draft.subject,
            as_of=timestamp(draft.as_of_us),
            issued_at=issued_at,
            made_by=draft.made_by,
            method_version=draft.method_version,
            queries_sha256=text_sha256(draft.texts),
            document=draft.document,
            document_sha256=text_sha256(draft.document),
            facts=draft.facts,
            facts_sha256=text_sha256(draft.facts),
            replaces=draft.replaces,
            reason=draft.reason,
            batch_sha256=after.batch_sha256,
            previous_sha256=after.sha256,
            sha256="",
        )
        return cls(**{**{name: getattr(made, name) for name in cls.__slots__},
                      "sha256": made.own_sha256()})  # fmt: skip

    def own_sha256(self) -> str:
        """Hash over what the statement says; document and facts stand in it by their hashes."""
        said = [
            *("statement", self.number, self.id, self.subject),
            *(instant(self.as_of), instant(self.issued_at), self.made_by, self.method_version),
            *(self.queries_sha256, self.document_sha256, self.facts_sha256),
            *(self.replaces, self.reason, self.batch_sha256, self.previous_sha256),
        ]
        return sha256(canonical(said))

    def row(self, seq: int, recorded: datetime) -> Row:
        """Row of ``statement``."""
        return (*(getattr(self, name) for name in self.__slots__), seq, recorded)

    def parsed(self) -> dict[str, Any]:
        """The document; an empty one where somebody left no JSON there: its hash tells that."""
        return object_of(self.document)

    def json(self) -> dict[str, Any]:
        """What a report says of the statement: all but the document and the facts."""
        return {
            "number": self.number,
            "id": self.id,
            "sha256": self.sha256,
            "document_sha256": self.document_sha256,
            "as_of": instant(self.as_of),
            "issued_at": instant(self.issued_at),
            "method_version": self.method_version,
            "made_by": self.made_by,
            "queries_sha256": self.queries_sha256,
            "batch_sha256": self.batch_sha256,
            "previous_sha256": self.previous_sha256,
            "replaces": self.replaces,
            "reason": self.reason,
        }


def object_of(text: str) -> dict[str, Any]:
    """The JSON object in a text, an empty one where there is none."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def text_sha256(text: str) -> str:
    """Hash over a text as it is stored."""
    return sha256(text.encode())


def text_of(value: object) -> str:
    """Canonical JSON as a text to be stored. Raises ValueError on NaN."""
    return canonical(value).decode()
