"""The hours of factors are in no batch: verifying makes them again, and sealing needs them."""

from __future__ import annotations

import duckdb
import pytest

from meter.errors import LedgerError
from meter.factors import factors_of
from meter.ledger import Ledger, open_reader
from meter.ledger.auditor import Auditor
from meter.ledger.hours import check_hours
from meter.ledger.sealing import seal
from meter.model import LedgerBatch
from tests.ledger.facts import ended, minute, priced, registered, site

PUE = "FROM factor_hour WHERE factor_id LIKE 'pue:%'"
ADDED = "INSERT INTO factor_hour SELECT factor_id, hour + INTERVAL 5 HOUR, 3 "
CHANGED = {
    "deleted": (f"DELETE {PUE}", "3 missing, the first at 2026-03-01 09:00"),
    "inserted": (f"{ADDED} {PUE}", "3 too many, the first at 2026-03-01 14:00"),
    "twice": (
        f"INSERT INTO factor_hour SELECT * {PUE} AND hour = TIMESTAMP '2026-03-01 10:00'",
        "1 too many, the first at 2026-03-01 10:00",
    ),
    "to a quarter": (
        "UPDATE factor_hour SET quarter = 2 WHERE factor_id LIKE 'pue:%' AND hour(hour) = 11",
        "1 missing and 1 too many, the first at 2026-03-01 11:00",
    ),
}


@pytest.fixture
def path(open_ledger):
    """A closed ledger with a run of three hours."""
    made = open_ledger()
    factors = tuple(factors_of(priced(), site("FRA"), 0))
    for batch in (
        registered(zone="FRA"),
        LedgerBatch(factors=factors),
        LedgerBatch(intervals=tuple(minute(n) for n in range(180)), site_id="lab"),
        ended(minutes=180),
    ):
        made.write(batch, urgent=True).result(10)
    made.close()
    return made.path


def change(path, statement):
    con = duckdb.connect(str(path))
    con.execute(statement)
    con.close()


def test_the_hours_as_written_are_those_made_again(path):
    with open_reader(path) as reader:
        assert check_hours(reader) == []
        assert reader.rows("audit/factor_hours")


@pytest.mark.parametrize("what", CHANGED)
def test_changed_hours_are_named_and_nothing_is_sealed(path, what):
    statement, said = CHANGED[what]
    change(path, statement)
    with open_reader(path) as reader:
        (found,) = Auditor(reader).overview()["findings"]
    assert found["what"] == "hours"
    assert found["where"].startswith("pue:")
    assert said in found["text"]
    with Ledger.open(path) as ledger:
        with pytest.raises(LedgerError, match="nothing is sealed"):
            seal(ledger, "last")
        with ledger.reader() as reader:
            assert Auditor(reader).statements() == []


def test_hours_of_no_factor_and_of_a_broken_one_are_told(path):
    change(path, "UPDATE factor SET kind = 'nonsense' WHERE kind = 'pue'")
    change(path, "INSERT INTO factor_hour VALUES ('none', TIMESTAMP '2026-03-01 09:00', NULL)")
    with open_reader(path) as reader:
        said = "\n".join(one.text for one in check_hours(reader))
    assert "cannot be made again ('nonsense' is not" in said
    assert "factor none: the hours" in said


def test_many_changed_factors_are_counted(path):
    change(
        path,
        "INSERT INTO factor_hour SELECT 'x' || r, TIMESTAMP '2026-03-01 09:00', NULL"
        " FROM range(30) AS t(r)",
    )
    with open_reader(path) as reader:
        found = check_hours(reader)
    assert len(found) == 21
    assert "10 more factors" in found[-1].text
