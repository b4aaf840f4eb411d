"""Statements: sealed once, restated with a reason, proved again to the digit, tampering named."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from meter.errors import LedgerError, MeterError, UsageError
from meter.factors import factors_of
from meter.ledger import method, open_reader, proof
from meter.ledger.chain import BEGIN_SHA256
from meter.ledger.sealing import newest_of, seal
from meter.ledger.statements import text_of, text_sha256
from meter.ledger.texts import Library, load
from meter.model import LedgerBatch
from tests.ledger.conftest import ledgers
from tests.ledger.facts import GPUS, band, ended, minute, priced, registered, site
from tests.ledger.test_chain import findings

RUN = "01RUN0"


def tariff(price="0.25"):
    config = priced()
    changed = replace(config, electricity=replace(config.electricity, price_per_kwh=band(price)))
    return LedgerBatch(factors=tuple(factors_of(changed, site("FRA"), 0)))


def write(ledger, *batches):
    for batch in batches:
        ledger.write(batch, urgent=True).result(10)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Two closed ledgers to copy: a run that has ended, the same with two statements of it."""
    folder = tmp_path_factory.mktemp("made")
    kept = folder / "kept.duckdb"
    intervals = tuple(minute(n, device=gpu) for gpu in GPUS for n in range(60))
    with ledgers(folder) as opener:
        ledger = opener()
        write(ledger, registered(RUN, zone="FRA"), tariff())
        write(ledger, LedgerBatch(intervals=intervals, site_id="lab"), ended(RUN, minutes=60))
        ledger.close()
        shutil.copy(ledger.path, kept)
        ledger = opener()
        seal(ledger, RUN)
        write(ledger, tariff("0.30"))
        seal(ledger, RUN, reason="corrected tariff")
    return kept, ledger.path


@pytest.fixture
def ledger(made, tmp_path, open_ledger):
    """A ledger with a run that has ended, an hour long on two GPUs."""
    return open_ledger(Path(shutil.copy(made[0], tmp_path)))


def proofs(ledger):
    """Every statement proved, and all that is found."""
    with ledger.reader() as reader:
        found = [*findings(reader), *proof.links(reader)]
        made = [
            proof.check_statement(reader, row["number"]) for row in proof.statement_list(reader)
        ]
        return made, [*found, *(one for each in made for one in each.findings)]


def test_a_statement_keeps_the_document_and_is_derived_again_to_the_digit(ledger):
    first = seal(ledger, "last")
    assert first.issued
    statement = first.statement
    assert (statement.number, statement.subject, statement.previous_sha256) == (
        1,
        RUN,
        BEGIN_SHA256,
    )
    assert statement.sha256 == statement.own_sha256()
    assert statement.document == text_of(statement.parsed())
    kept = json.loads(statement.facts)["factor"]
    assert {fact["id"] for fact in kept} == {one["id"] for one in statement.parsed()["factors"]}
    (made,), found = proofs(ledger)
    assert found == []
    assert (made.derived, made.today, made.changed_queries) == (proof.SAME, (), ())


def test_sealing_again_issues_nothing_while_the_figures_are_the_same(ledger):
    first = seal(ledger, RUN)
    write(
        ledger, registered("01RUN1", name="other", zone="FRA")
    )  # the newest commit is another one now
    again = seal(ledger, RUN, reason="none needed")
    assert not again.issued
    assert again.statement == first.statement
    assert len(proofs(ledger)[0]) == 1


def test_a_corrected_factor_needs_a_reason_and_makes_a_restatement_with_the_difference(ledger):
    seal(ledger, RUN)
    write(ledger, tariff("0.30"))
    with pytest.raises(UsageError, match=r"statement 1 of this run says something else .*--reason"):
        seal(ledger, RUN)
    second = seal(ledger, RUN, reason="corrected tariff")
    changed = {one["path"]: one for one in second.difference}
    assert changed["cost[electricity EUR].amount.value"]["old"] == "0.30"
    assert changed["cost[electricity EUR].amount.value"]["new"] == "0.36"
    assert (second.statement.replaces, second.statement.reason) == (1, "corrected tariff")
    assert second.statement.previous_sha256 == newest(ledger, 1).sha256
    made, found = proofs(ledger)
    assert found == []  # the first statement holds: by what was known then
    assert [one.derived for one in made] == [proof.SAME, proof.SAME]
    assert made[1].restated == second.difference


def test_late_energy_restates_a_run_and_leaves_the_older_statement_true(ledger):
    seal(ledger, RUN)
    late = replace(minute(3, energy_mj=-1_000_000), correction=True, low_mj=-1_000_000,
                   high_mj=-900_000, covered_us=0, measured_mj=-1_000_000)  # fmt: skip
    write(ledger, LedgerBatch(intervals=(late,), site_id="lab"))
    second = seal(ledger, RUN, reason="late correction")
    changed = {one["path"]: (one["old"], one["new"]) for one in second.difference}
    assert changed["energy.it.value"] == (4_320_000.0, 4_319_000.0)
    made, found = proofs(ledger)
    assert found == []
    assert [one.derived for one in made] == [proof.SAME, proof.SAME]


def newest(ledger, number):
    with ledger.reader() as reader:
        return proof.check_statement(reader, number).statement


def test_an_earlier_instant_may_be_sealed_first_but_not_after_a_later_one(ledger):
    with ledger.reader() as reader:
        before_us = reader.newest_us()
    write(ledger, tariff("0.30"))
    first = seal(ledger, RUN, as_of_us=before_us)
    assert cost(first) == "0.30"
    second = seal(ledger, RUN, reason="corrected tariff")
    assert cost(second) == "0.36"
    with pytest.raises(UsageError, match="known later"):
        seal(ledger, RUN, as_of_us=before_us, reason="back again")


def cost(sealed):
    document = sealed.statement.parsed()
    (row,) = [row for row in document["cost"] if row["kind"] == "electricity"]
    return row["amount"]["value"]


def test_a_run_that_goes_on_is_not_sealed_and_a_first_statement_needs_no_reason(ledger):
    write(ledger, registered("01RUN1", name="other", zone="FRA"))
    with pytest.raises(UsageError, match="has not ended"):
        seal(ledger, "01RUN1")
    with pytest.raises(UsageError, match="no statement of this run yet"):
        seal(ledger, RUN, reason="why not")
    with pytest.raises(UsageError, match="there is no run"):
        seal(ledger, "nothing")
    assert proofs(ledger) == ([], [])


def test_of_several_that_seal_at_once_one_issues(ledger):
    def attempt(_):
        try:
            return seal(ledger, RUN)
        except MeterError as error:
            return error

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(attempt, range(8)))
    made, wrong = proofs(ledger)
    assert wrong == []
    assert len(made) == 1
    assert [one for one in found if not isinstance(one, Exception) and one.issued]
    assert all(isinstance(one, UsageError | LedgerError) or one.statement == made[0].statement
               for one in found)  # fmt: skip


def test_statements_of_several_runs_make_one_chain(ledger):
    write(ledger, registered("01RUN1", name="other", zone="FRA"), ended("01RUN1", minutes=5))
    made = [seal(ledger, run).statement for run in (RUN, "01RUN1")]
    assert [one.number for one in made] == [1, 2]
    assert made[1].previous_sha256 == made[0].sha256
    assert proofs(ledger)[1] == []


@pytest.fixture
def sealed(made, tmp_path):
    """A closed ledger with two statements of one run."""
    return Path(shutil.copy(made[1], tmp_path))


def tampered(path, *statements):
    """What is found after changes of the file."""
    con = duckdb.connect(str(path))
    for statement in statements:
        con.execute(statement)
    con.close()
    with open_reader(path) as reader:
        found = [*findings(reader), *proof.links(reader)]
        for row in proof.statement_list(reader):
            made = proof.check_statement(reader, row["number"])
            assert json.loads(json.dumps(made.json()))["number"] == row["number"]
            found += made.findings
    return found


DEAR = "SET amount = 0.5, low = 0.5, high = 0.5"
TAMPERED = {
    "an interval": (
        [("UPDATE interval SET energy_mj = energy_mj * 2"
         " WHERE start_at = TIMESTAMP '2026-03-01 09:00'")],
        ["batch 3 ", "statement 1: its own queries give other figures", "statement 2: its own"],
    ),
    "a factor": (
        [f"UPDATE factor {DEAR} WHERE kind = 'electricity_price' AND amount = 0.25"],
        ["batch 2 ", "which statement 1 stands on, was changed", "statement 1: its own queries"],
    ),
    "a factor removed": (
        ["DELETE FROM factor WHERE kind = 'pue'"],
        ["which statement 1 stands on, is gone", "which statement 2 stands on, is gone"],
    ),
    "a document": (
        [("UPDATE statement SET document = replace(document, '\"0.30\"', '\"0.03\"')"
         " WHERE number = 1")],
        ["batch 5 ", "statement 1: its document was changed", "statement 1: its own queries give"],
    ),
    "a reason": (
        ["UPDATE statement SET reason = 'fine' WHERE number = 2"],
        ["statement 2: its own row was changed"],
    ),
    "facts": (
        ["""UPDATE statement SET facts = replace(facts, '0.250000000', '0.200000000')
            WHERE number = 1"""],
        ["statement 1: the facts that it keeps were changed", "stands on, was changed"],
    ),
    "a statement removed": (
        ["DELETE FROM statement WHERE number = 1"],
        ["statement 1 is missing", "statement 2: does not follow", "statement 1, which it repl"],
    ),
    "two statements swapped": (
        ["UPDATE statement SET number = 9 WHERE number = 1",
         "UPDATE statement SET number = 1 WHERE number = 2",
         "UPDATE statement SET number = 2 WHERE number = 9"],
        ["statement 1: its own row was changed", "statement 2: its own row was changed"],
    ),
    "query texts": (
        ["UPDATE query_set SET texts = replace(texts, 'SELECT', 'select')"],
        ["statement 1: its query texts are changed"],
    ),
    "all texts": (
        [
            "UPDATE statement SET document = 'gone', facts = '[]'",
            "UPDATE query_set SET texts = '{'",
        ],
        ["1: its document was changed", "2: the facts that it keeps", "query texts are changed"],
    ),
    "no query texts": (["DELETE FROM query_set"], ["statement 2: its query texts are missing"]),
    "a run": (["DELETE FROM run"], ["batch 1 ", "statement 1: cannot be derived again"]),
    "a run's tags": (
        ["UPDATE run SET tags = tags || 'x'"],
        ["batch 1 ", "statement 1: cannot be derived again"],
    ),
    "the past before a statement": (
        ["UPDATE batch SET sha256 = repeat('0', 64) WHERE seq = 4"],
        ["statement 1: the batch that it was issued after is another now"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", TAMPERED)
def test_tampering_is_named(sealed, what):
    statements, words = TAMPERED[what]
    found = tampered(sealed, *statements)
    said = "\n".join(one.text for one in found)
    for word in words:
        assert word in said, said


GARBAGE = [
    "UPDATE run SET tags = '}{'",
    "UPDATE device SET instances = '}{'",
    "UPDATE device SET method = '}{'",
    "UPDATE factor SET windows = '}{'",
    "UPDATE factor SET kind = '}{'",
]
"""Texts that are read as something, where the table itself takes any."""


@pytest.mark.parametrize("statement", GARBAGE)
def test_garbage_in_a_text_that_is_read_is_a_finding_and_no_defect(sealed, statement):
    try:
        found = tampered(sealed, statement)
    except duckdb.ConstraintException:
        pytest.fail("the table refuses it: take it from the list")
    assert any(one.what == "batch" for one in found)


TESEK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["factor", "price", "run", "id", "nosuch"]) | st.text(max_size=3),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
).map(json.dumps)


@given(facts=TESEK, document=TESEK)
@example(facts='{"factor":[{}]}', document='{"run":5}')
@example(facts='{"factor":5}', document='{"run":[1]}')
@example(facts='{"nosuch":[{"id":"x"}]}', document='{"run":"x"}')
@example(facts='{"factor":[5, {"id": 5}, {"id": "x", "kind": []}]}', document='{"factors":5}')
@settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whatever_json_is_left_in_a_statement_is_a_finding(sealed, facts, document):
    con = duckdb.connect(str(sealed))
    con.execute("UPDATE statement SET facts = ?, document = ?", [facts, document])
    con.close()
    said = "\n".join(one.text for one in tampered(sealed))
    for number in (1, 2):
        assert f"statement {number}: its document was changed" in said
        assert f"statement {number}: the facts that it keeps were changed" in said


def test_what_was_not_tampered_with_is_not_accused(sealed):
    assert tampered(sealed) == []
    one = tampered(
        sealed, f"UPDATE factor {DEAR} WHERE kind = 'electricity_price' AND amount = 0.3"
    )
    assert not [each for each in one if each.where == 1]
    (figures,) = [each for each in one if "its own queries" in each.text]
    assert {"path": "cost[electricity EUR].amount.value", "old": "0.36", "new": "0.60"} in [
        dict(each) for each in figures.differs
    ]


def test_a_statement_of_older_queries_is_derived_by_them_and_todays_figures_stand_beside(
    ledger, monkeypatch
):
    document, sources = derive(ledger)
    name = "report/run_energy"
    assert "energy_mj" in sources[name]
    older = sources | {name: sources[name].replace("sum(l.energy_mj)", "sum(l.high_mj)")}
    if older == sources:
        pytest.fail("the query has changed: change this test")
    real = method.Library
    with monkeypatch.context() as patch:
        patch.setattr(method, "Library", lambda given=None: real(older if given is None else given))
        first = seal(ledger, RUN).statement
    assert first.parsed()["energy"]["it"]["value"] > document["energy"]["it"]["value"]
    (made,), found = proofs(ledger)
    assert found == []
    assert made.derived == proof.SAME
    assert made.changed_queries == (name,)
    today = {one["path"]: one for one in made.today}
    assert today["energy.it.value"]["new"] == document["energy"]["it"]["value"]
    assert today["energy.it.value"]["old"] == first.parsed()["energy"]["it"]["value"]


def derive(ledger):
    with ledger.reader() as reader:
        return method.derived(reader, RUN, reader.newest_us())


def test_a_statement_of_another_method_is_not_derived_but_its_seal_and_facts_are_checked(
    ledger, monkeypatch
):
    with monkeypatch.context() as patch:
        patch.setattr("meter.ledger.sealing.METHOD_VERSION", "0")
        seal(ledger, RUN)
    (made,), found = proofs(ledger)
    assert found == []
    assert made.derived == proof.NOT_DERIVED
    assert "method 0" in made.note


def test_a_set_of_query_texts_is_kept_once(ledger):
    write(ledger, registered("01RUN1", name="other", zone="FRA"), ended("01RUN1", minutes=5))
    first, second = (seal(ledger, run).statement for run in (RUN, "01RUN1"))
    assert first.queries_sha256 == second.queries_sha256
    with ledger.reader() as reader:
        (kept,) = reader.rows("recovery/query_sets")
        texts = reader.rows("audit/query_set_of", sha256=kept["sha256"])[0]["texts"]
    assert text_sha256(texts) == first.queries_sha256
    assert (
        Library(json.loads(texts)).load("report/run_amounts").sql == load("report/run_amounts").sql
    )


def test_a_library_of_given_texts_has_no_others():
    with pytest.raises(LedgerError, match="no query named 'report/run'"):
        Library({}).load("report/run")


FORGED = (
    "WITH gone AS (DELETE FROM interval RETURNING *) SELECT * FROM gone",
    "COMMIT; DELETE FROM interval; SELECT 1",
    "DELETE FROM interval",
    "ATTACH ':memory:' AS other",
)


@pytest.mark.parametrize("forged", FORGED)
def test_query_texts_that_somebody_forged_can_only_read(ledger, forged):
    _, texts = derive(ledger)
    header = texts["report/run"].partition("SELECT")[0]
    with ledger.reader() as reader:
        with pytest.raises(
            LedgerError, match=r"report/run (failed|is no single SELECT)|of the query"
        ):
            method.derived(
                reader, RUN, reader.newest_us(), {**texts, "report/run": header + forged}
            )
        assert len(list(reader.plain("audit/interval", after=-1, until=99))) == 120
        document, _ = method.derived(reader, RUN, reader.newest_us())  # the cursor is of use
        assert document["energy"]["it"]["value"] > 0


def test_newest_statement_of_a_subject_without_one_is_none(ledger):
    with ledger.reader() as reader:
        assert newest_of(reader, RUN) is None
        assert proof.check_statement(reader, 1) is None
