"""Every query keeps what its header says; SQL is code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from meter.ledger import texts
from meter.ledger.session import Session

FOLDER = Path(str(texts.folder()))
NAMES = sorted(
    str(path.relative_to(FOLDER).with_suffix(""))
    for path in FOLDER.rglob("*.sql")
    if path.parent.name != "schema"
)
CHANGES = [name for name in NAMES if name.startswith("write/")]
USED = re.compile(r"\$(\w+)")


@pytest.fixture(scope="module")
def con(tmp_path_factory):
    path = tmp_path_factory.mktemp("headers") / "ledger.duckdb"
    session = Session(path, memory_limit_mb=64, now_us=lambda: 1)
    yield session.con
    session.close()


def code(sql: str) -> str:
    return "\n".join(line for line in sql.splitlines() if not line.startswith("--"))


@pytest.mark.parametrize("name", NAMES)
def test_the_first_line_says_what_one_row_is(name):
    row = texts.load(name).row
    assert row.endswith("."), f"{name}: the first line is no sentence: {row!r}"
    assert len(row) > 10


@pytest.mark.parametrize("name", NAMES)
def test_declared_parameters_are_those_used(name):
    text = texts.load(name)
    assert set(text.params) == set(USED.findall(code(text.sql)))


@pytest.mark.parametrize("name", [name for name in NAMES if name not in CHANGES])
def test_declared_columns_and_types_are_those_returned(name, con):
    text = texts.load(name)
    nulls = dict.fromkeys(text.params)
    typed = USED.sub(lambda match: f"CAST(${match[1]} AS {text.params[match[1]]})", text.sql)
    described = con.execute(f"DESCRIBE {typed}", nulls).fetchall()
    assert [(row[0], row[1]) for row in described] == list(text.columns.items())


@pytest.mark.parametrize("name", CHANGES)
def test_changes_return_nothing_and_name_their_columns(name):
    text = texts.load(name)
    assert not text.columns
    assert code(text.sql).split()[0] in {"INSERT", "UPDATE", "DELETE"}


def test_no_query_asks_for_a_column_by_position_or_divides_integers():
    for name in NAMES:
        text = code(texts.load(name).sql)
        assert "//" not in text, name
        assert not re.search(r"(GROUP|ORDER) BY\s+\d", text), name
