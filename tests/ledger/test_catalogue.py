"""What the file defines is what the schema defines: a macro or a view would change every figure."""

from __future__ import annotations

import duckdb
import pytest

from meter.errors import LedgerError
from meter.factors import factors_of
from meter.ledger import Ledger, open_reader
from meter.ledger.auditor import Auditor
from meter.ledger.catalogue import check_catalogue
from meter.ledger.sealing import seal
from meter.model import LedgerBatch
from tests.ledger.facts import ended, minute, priced, registered, site

CHANGED = {
    "a macro before a function": (
        ["CREATE MACRO round(a, b) AS cast(a * 0.5 AS DECIMAL(38, 9))"],
        "macro main.round was added",
    ),
    "a macro that hides macros": (
        ["CREATE MACRO duckdb_functions() AS TABLE SELECT 1 AS internal"],
        "macro main.duckdb_functions was added",
    ),
    "a view before a table": (
        ["ALTER TABLE mark RENAME TO mark2", "CREATE VIEW mark AS FROM mark2"],
        "view main.mark was added",
    ),
    "a column": (["ALTER TABLE run_budget ADD COLUMN x INTEGER"], "column main.run_budget.x"),
    "a type": (
        ["ALTER TABLE mark ALTER COLUMN step TYPE INTEGER"],
        "column main.mark.step is not as the schema has it",
    ),
    "a schema": (["CREATE SCHEMA system2"], "schema system2 was added"),
    "another schema's text": (
        ["UPDATE schema_version SET sha256 = 'x' WHERE version = 2"],
        "the schema's version 2 is not the one known here",
    ),
}


@pytest.fixture
def path(open_ledger):
    """A closed ledger with a run."""
    made = open_ledger()
    for batch in (
        registered(zone="FRA"),
        LedgerBatch(factors=tuple(factors_of(priced(), site("FRA"), 0))),
        LedgerBatch(intervals=(minute(0),), site_id="lab"),
        ended(minutes=1),
    ):
        made.write(batch, urgent=True).result(10)
    made.close()
    return made.path


def test_a_ledger_as_it_was_made_has_the_schemas_definitions(path):
    with open_reader(path) as reader:
        assert check_catalogue(reader) == []
        assert len(reader.rows("audit/catalogue")) > 100


@pytest.mark.parametrize("what", CHANGED)
def test_other_definitions_are_named_and_nothing_is_sealed(path, what):
    statements, said = CHANGED[what]
    con = duckdb.connect(str(path))
    for statement in statements:
        con.execute(statement)
    con.close()
    with open_reader(path) as reader:
        found = Auditor(reader).overview()["findings"]
    assert {one["what"] for one in found} == {"catalogue"}
    assert any(said in one["text"] for one in found), found
    with Ledger.open(path) as ledger, pytest.raises(LedgerError, match="nothing is sealed"):
        seal(ledger, "last")
