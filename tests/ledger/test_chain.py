"""The audit chain: one canonical text however rows come, and every change of a row is named."""

from __future__ import annotations

import itertools
import json
import signal
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meter.factors import factors_of
from meter.ledger import audit, migrations, open_reader
from meter.ledger.chain import (
    BEGIN_SHA256,
    CHAINED,
    LEFT_OUT,
    Batch,
    Form,
    canonical,
    content_sha256,
)
from meter.ledger.forms import chained_forms
from meter.ledger.instants import timestamp
from meter.ledger.reader import Reader
from meter.ledger.session import Session
from meter.model import (
    Budget,
    Counter,
    Factor,
    FactorKind,
    LedgerBatch,
    Mark,
    Method,
    Node,
    Notice,
    Price,
    RawReading,
    RunLink,
    Severity,
    Site,
)
from tests.ledger.facts import GPUS, START_US, devices, ended, minute, priced, registered, site
from tests.ledger.test_robustness import python

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
amounts = st.decimals(0, 10**6, places=12, allow_nan=False)
optional = st.none() | texts


@st.composite
def factors(draw) -> Factor:
    low, value, high = sorted(draw(amounts) for _ in range(3))
    return Factor(
        draw(texts), FactorKind.GRID_INTENSITY, draw(texts), value, low, high, "g/kWh",
        draw(texts), Method.SOURCED, START_US + draw(st.integers(0, 10**9)), 200,
        detail=draw(optional), windows=None, share=draw(st.none() | st.just(Decimal("0.1234567"))),
    )  # fmt: skip


@st.composite
def batches(draw) -> LedgerBatch:
    low, value, high = sorted(draw(amounts) for _ in range(3))
    price = Price(
        draw(texts), draw(texts), "m", "input", 10**6, "USD", value, low, high, "s", START_US, 1
    )
    return LedgerBatch(
        nodes=tuple(Node(draw(texts), "b", draw(texts), draw(optional)) for _ in range(2)),
        sites=tuple(draw(st.lists(st.builds(Site, texts, texts, optional), max_size=2))),
        devices=tuple(draw(st.lists(st.sampled_from(devices()), max_size=3))),
        marks=(Mark("r", START_US, 1, epoch=draw(st.none() | amounts), phase=draw(optional)),),
        notices=(Notice(draw(texts), draw(texts), Severity.INFO, draw(optional)),),
        intervals=tuple(minute(draw(st.integers(0, 99)), energy_mj=draw(st.integers(0, 10**9)))
                        for _ in range(draw(st.integers(0, 3)))),
        factors=tuple(draw(st.lists(factors(), max_size=2, unique_by=lambda one: one.id))),
        prices=(price,) if draw(st.booleans()) else (),
        budgets=(Budget("r", draw(amounts) + 1, "kWh"),),
        links=(RunLink("r", "wandb", draw(texts)),),
        site_id="lab",
    )  # fmt: skip


def session(path=":memory:"):
    ticks = itertools.count(START_US + 10**12, 1_000_000)
    return Session(Path(path), memory_limit_mb=64, now_us=lambda: next(ticks))


def links(one: Session):
    return one.con.execute("SELECT * FROM batch ORDER BY seq").fetchall()


def findings(reader):
    """Everything that the chain finds."""
    found, after = audit.outside(reader), -1
    while (page := audit.check_batches(reader, after)) is not None:
        found += page.findings
        after = page.last
    return found


def said(path):
    with open_reader(path) as reader:
        return "\n".join(one.text for one in findings(reader))


slow = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)


@slow
@given(st.lists(batches(), min_size=1, max_size=3))
def test_what_is_hashed_before_it_is_stored_is_what_sql_reads_back(made):
    one = session()
    try:
        for batch in made:
            one.commit([batch])
        with Reader(one.cursor()) as reader:
            assert findings(reader) == []
            assert audit.chain_of(reader).batches == len(made)
    finally:
        one.close()


@slow
@given(batches(), batches(), st.booleans())
def test_neither_order_of_rows_nor_grouping_in_the_queue_changes_the_canonical_text(
    first, second, backwards
):
    def content(queue):
        one = session()
        try:
            one.commit(queue)
            return links(one)[0][2:4]
        finally:
            one.close()

    kept = [{name: getattr(each, name) for name in _FIELDS} for each in (first, second)]
    queue = [LedgerBatch(**fields, site_id="lab") for fields in kept]
    step = -1 if backwards else 1
    parts = [
        LedgerBatch(**{name: values[::step]}, site_id="lab")
        for fields in kept
        for name, values in fields.items()
    ]
    assert content(parts[::step]) == content(queue)


def test_columns_that_were_added_change_no_hash_of_a_row_without_them() -> None:
    form = chained_forms()["mark"]
    old = [*[None] * form.columns.index("seq"), 7]
    assert form.line([*old, None, None, None, None, None, None]) == canonical(["mark", *old])
    assert form.line([*old, None, 3, None, None, "s", None]) == canonical(
        ["mark", *old, None, 3, None, None, "s"]
    )


_FIELDS = ("marks", "notices", "intervals", "budgets")
"""Rows that are written however often they come; of the others the first is kept."""


@given(st.lists(st.tuples(texts, st.integers(), st.none() | st.booleans()), max_size=9))
def test_the_content_hash_does_not_know_the_order_of_rows(rows):
    form = Form.of("t", {"a": "VARCHAR", "b": "BIGINT", "c": "BOOLEAN"})
    lines = [form.line(row) for row in rows]
    assert content_sha256(lines) == content_sha256(lines[::-1])
    assert len(set(lines)) == len(set(rows))
    kept = [row[:-1] if row[-1] is None else row for row in rows]  # as if c were a later column
    assert [json.loads(line) for line in lines] == [["t", *row] for row in kept]


def test_a_line_is_json_with_the_columns_places_and_instants_in_utc():
    form = Form.of("t", {"a": "DECIMAL(18,9)", "b": "TIMESTAMP", "c": "VARCHAR", "d": "VARCHAR"})
    row = (Decimal("-0.00"), timestamp(START_US), None, "")
    line = b'["t","0.000000000","2026-03-01T09:00:00.000000Z",null,""]'
    assert form.line(row) == line


_KINDS = {
    "VARCHAR": st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(["]\n[", "\r"]),
    "BIGINT": st.integers(-(2**63), 2**63 - 1),
    "DOUBLE": st.floats(allow_nan=False, allow_infinity=False),
    "BOOLEAN": st.booleans(),
    "TIMESTAMP": st.integers(0, 2**50).map(timestamp),
    "DECIMAL(38,0)": st.integers(0, 10**38 - 1),
    "DECIMAL(18,6)": st.integers(-(10**12), 10**12) | st.decimals(-(10**9), 10**9, places=9),
}


@st.composite
def tables(draw) -> tuple[Form, list[tuple[object, ...]]]:
    kinds = draw(st.lists(st.sampled_from(sorted(_KINDS)), min_size=1, max_size=6))
    form = Form.of("t", {f"c{place}": kind for place, kind in enumerate(kinds)})
    values = st.tuples(*(st.none() | _KINDS[kind] for kind in kinds))
    return form, draw(st.lists(values, max_size=8))


def as_documented(form: Form, row: tuple[object, ...]) -> bytes:
    """A row's line, written value by value, as docs/audit.md has it."""
    values: list[object] = [form.table, *row]
    for place, step in form.special:
        if isinstance(value := row[place], datetime):
            values[place + 1] = f"{value.isoformat(timespec='microseconds')}Z"
        elif value is not None and step is not None:
            kept = Decimal(value).quantize(step, ROUND_HALF_UP, Context(prec=60))
            values[place + 1] = f"{kept:f}" if kept else f"{abs(kept):f}"
    while values[-1] is None:
        del values[-1]
    return json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode()


@given(tables())
def test_rows_that_are_written_at_once_have_the_bytes_of_rows_written_one_by_one(made):
    form, rows = made
    assert form.lines(rows) == [form.line(row) for row in rows]
    assert form.lines(rows) == [as_documented(form, row) for row in rows]


def test_many_rows_keep_their_order_and_their_number():
    form = Form.of("t", {"a": "BIGINT", "b": "VARCHAR"})
    rows = [(number, None if number % 7 else "]\n[") for number in range(2_001)]
    assert form.lines(rows) == [form.line(row) for row in rows]


def test_every_table_is_in_the_chain_or_left_out_for_a_reason_and_hashed_as_it_is():
    one = session()
    try:
        tables = {row[0] for row in one.con.execute("SHOW TABLES").fetchall()}
        assert tables == {*CHAINED, *LEFT_OUT}
        for table in CHAINED:
            described = one.con.execute(f"DESCRIBE {table}").fetchall()
            assert chained_forms()[table].columns == tuple(row[0] for row in described), table
    finally:
        one.close()


def test_a_commit_without_facts_makes_no_link_and_a_repetition_is_no_fact():
    one = session()
    try:
        one.commit([registered(zone="FRA")])
        reading = RawReading(GPUS[0], START_US, 1, 1, 1)
        one.commit([LedgerBatch(readings=(reading,), counters=(Counter("n", (), Decimal(1)),))])
        one.commit([LedgerBatch(nodes=registered().nodes, devices=devices(), sites=(site("FRA"),),
                                runs=registered().runs)])  # fmt: skip
        one.commit([ended(minutes=1)])
        made = [Batch(*row[:5], row[6]) for row in links(one)]
        assert [batch.seq for batch in made] == [1, 4]
        assert [batch.node_id for batch in made] == ["trainer-3", "trainer-3"]
        assert [batch.previous_sha256 for batch in made] == [BEGIN_SHA256, made[0].sha256]
    finally:
        one.close()


@pytest.fixture
def filled(tmp_path):
    """A ledger of several commits, and the path of it."""
    path = tmp_path / "ledger.duckdb"
    one = session(path)
    one.commit([registered(zone="FRA")])
    one.commit([LedgerBatch(factors=tuple(factors_of(priced(), site("FRA"), START_US)))])
    for number in range(4):
        intervals = (minute(number), minute(number, device=GPUS[1]))
        one.commit([LedgerBatch(intervals=intervals, site_id="lab")])
    one.commit([ended(minutes=4)])
    one.close()
    assert said(path) == ""
    return path


def change(path, statement):
    con = duckdb.connect(str(path))
    con.execute(statement)
    con.close()


CHANGES = {
    "UPDATE interval SET energy_mj = energy_mj + 1 WHERE seq = 4 AND device_id = 'GPU-0'":
        ["batch 4", "a row that it covers was changed (interval 2)"],
    "UPDATE factor SET amount = 0.1, low = 0.1, high = 0.1 WHERE kind = 'electricity_price'":
        ["batch 2", "changed (factor"],
    "DELETE FROM interval WHERE seq = 5 AND device_id = 'GPU-1'":
        ["batch 5", "covers 2 rows, and 1 are there (interval 1)"],
    "INSERT INTO interval SELECT * FROM interval WHERE seq = 3":
        ["batch 3", "covers 2 rows, and 4 are there"],
    "DELETE FROM batch WHERE seq = 4":
        ["batch 5", "does not follow", "2 rows of commit 4 in no batch"],
    "DELETE FROM batch WHERE seq = 7": ["2 rows of hold in no batch", "1 row of run_state in no"],
    "UPDATE batch SET row_count = 3 WHERE seq = 3": ["batch 3", "its own row was changed"],
    "UPDATE batch SET seq = 99 WHERE seq = 7": ["batch 99", "the ledger to 7"],
    "UPDATE run SET project = 'other'": ["batch 1", "changed"],
    "INSERT INTO notice VALUES ('c', 'm', 'info', NULL, NULL, NULL, TIMESTAMP '2026-03-01', NULL)":
        ["1 row of notice in no batch"],
    "INSERT INTO notice VALUES ('c', 'm', 'info', NULL, NULL, NULL, TIMESTAMP '2026-03-01', -7)":
        ["1 row of notice in no batch"],
    "INSERT INTO notice VALUES ('c', 'm', 'info', NULL, NULL, NULL, TIMESTAMP '2026-03-01', 999)":
        ["1 row of notice in no batch"],
}  # fmt: skip


@pytest.mark.parametrize("statement", CHANGES)
def test_a_change_of_the_file_is_named(filled, statement):
    change(filled, statement)
    found = said(filled)
    for words in CHANGES[statement]:
        assert words in found, found


def test_a_batch_forged_with_its_rows_breaks_the_link_of_the_next(filled):
    change(filled, "UPDATE interval SET energy_mj = 7 WHERE seq = 4")
    con = duckdb.connect(str(filled))
    rows = con.execute("SELECT * FROM interval WHERE seq = 4").fetchall()
    old = con.execute("SELECT * FROM batch WHERE seq = 4").fetchone()
    content = content_sha256(map(chained_forms()["interval"].line, rows))
    forged = Batch(4, old[1], 2, content, old[4], old[6])
    con.execute("UPDATE batch SET content_sha256 = ?, sha256 = ? WHERE seq = 4",
                [content, forged.sha256])  # fmt: skip
    con.close()
    assert said(filled).count("\n") == 0
    assert "batch 5" in said(filled)
    assert "does not follow" in said(filled)


def test_pages_do_not_depend_on_their_size(filled, monkeypatch):
    change(filled, "UPDATE interval SET energy_mj = 7 WHERE seq = 4")
    change(filled, "DELETE FROM batch WHERE seq = 5")
    whole = said(filled)
    monkeypatch.setattr(audit, "_ROWS", 1)
    assert said(filled) == whole
    monkeypatch.setattr(audit, "_BATCHES", 1)
    assert said(filled) == whole


def test_a_ledger_of_before_the_chain_is_covered_when_it_is_migrated(tmp_path, monkeypatch):
    path = tmp_path / "ledger.duckdb"
    con = duckdb.connect(str(path))
    con.execute(migrations.versions()[1])
    con.execute("INSERT INTO schema_version VALUES (1, TIMESTAMP '2026-03-01', 'x')")
    con.execute("INSERT INTO last_commit VALUES (9, TIMESTAMP '2026-03-01 10:00:00')")
    con.execute("INSERT INTO node VALUES ('n', 'b', 'h', NULL, TIMESTAMP '2026-03-01')")
    con.execute("INSERT INTO notice VALUES ('c','m','info',NULL,NULL,NULL,TIMESTAMP '2026-03-01')")
    for seq in (3, 5, 9):
        at = timestamp(START_US) + timedelta(minutes=seq)
        con.execute(
            "INSERT INTO interval VALUES ('GPU-0', 'run', '01RUN0', 'lab', $at, $at, $at, 1, 1, 1,"
            " 1, 1, 1, 1, 'measured', false, $seq, $at)", {"at": at, "seq": seq},
        )  # fmt: skip
    con.close()
    monkeypatch.setattr("meter.ledger.genesis._ROWS", 2)
    one = session(path)
    one.commit([ended(minutes=1)])
    made = links(one)
    one.close()
    assert [(row[0], row[1], row[2]) for row in made] == [(0, "n", 2), (5, "n", 2), (9, "n", 1),
                                                          (10, "n", 3)]  # fmt: skip
    assert said(path) == ""
    change(path, "UPDATE interval SET energy_mj = 2 WHERE seq = 3")
    assert "batch 5" in said(path)


WRITER = """
import sys
from pathlib import Path
from meter.ledger import Ledger
from meter.ledger.ledger import Pace
from meter.model import LedgerBatch, Node
from tests.ledger.facts import minute
ledger = Ledger.open(Path(sys.argv[1]), pace=Pace(commit_s=0.0))
for number in range(100_000):
    batch = LedgerBatch(nodes=(Node("n", f"boot-{number}", "h"),), intervals=(minute(number),),
                        site_id="lab")
    ledger.write(batch).result(30)
    print(number, flush=True)
"""


def test_kill_nine_leaves_the_chain_whole_and_a_new_writer_goes_on_with_it(tmp_path):
    path = tmp_path / "ledger.duckdb"
    for count in (3, 11, 26):
        with python(WRITER, path) as writer:
            for _ in range(count):
                assert writer.stdout.readline()
            writer.send_signal(signal.SIGKILL)
            writer.wait(10)
        assert said(path) == ""
    with open_reader(path) as reader:
        assert audit.chain_of(reader).batches >= 40
