"""Ids that others gave a run: found by them, told by the document, known as of an instant."""

from __future__ import annotations

import pytest

from meter.cli.show import text
from meter.errors import UsageError
from meter.ledger import recovery, reports
from meter.ledger.instants import micros
from meter.model import LedgerBatch, RunLink, RunStatus
from tests.ledger.facts import MINUTE_US, START_US, ended, registered
from tests.ledger.test_document import of, written

WANDB, SLURM = RunLink("01RUN0", "wandb", "w1"), RunLink("01RUN0", "slurm", "17")


def found(ledger, text):
    with ledger.reader() as reader:
        return reports.find_run(reader, text)


def test_a_run_is_found_by_an_id_of_others_alone_or_with_its_source(open_ledger):
    ledger = open_ledger()
    written(ledger, registered(), LedgerBatch(links=(WANDB, SLURM)))
    for asked in ("w1", "wandb:w1", "17", "slurm:17"):
        assert found(ledger, asked) == "01RUN0"
    for asked in ("wandb:17", "w", "slurm:", "w1 "):
        with pytest.raises(UsageError):
            found(ledger, asked)


def test_its_own_id_and_name_go_before_an_id_of_others(open_ledger):
    ledger = open_ledger()
    written(ledger, registered(), registered("02", name="w1", started_us=START_US + 1))
    written(ledger, LedgerBatch(links=(WANDB, RunLink("01RUN0", "custom", "02"))))
    assert found(ledger, "02") == "02"
    assert found(ledger, "w1") == "02"
    assert found(ledger, "wandb:w1") == "01RUN0"


def test_of_several_runs_with_one_id_of_others_the_newest_is_meant(open_ledger):
    ledger = open_ledger()
    written(ledger, registered(), registered("00", started_us=START_US + 1))
    written(ledger, LedgerBatch(links=(WANDB, RunLink("00", "wandb", "w1"))))
    assert found(ledger, "w1") == "00"


def test_the_document_tells_links_once_and_only_what_was_known_then(open_ledger):
    ledger = open_ledger()
    written(ledger, registered(), LedgerBatch(links=(SLURM,)))
    with ledger.reader() as reader:
        before_us = reader.newest_us()
    written(ledger, LedgerBatch(links=(WANDB,)), LedgerBatch(links=(SLURM, WANDB)))
    told = of(ledger)["run"]["links"]
    assert [(link["source"], link["id"]) for link in told] == [("slurm", "17"), ("wandb", "w1")]
    shown = text(of(ledger), columns=80).splitlines()
    assert [line.split() for line in shown if "w1" in line] == [["wandb", "w1"]]
    then = of(ledger, as_of_us=before_us)["run"]["links"]
    assert then == told[:1]
    with ledger.reader() as reader:
        assert recovery.links(reader, "01RUN0") == {SLURM, WANDB}
        assert micros(reader.one("report/run_links", run_id="01RUN0")["recorded_at"]) <= before_us


def test_a_run_without_links_has_none_in_its_document(open_ledger):
    ledger = open_ledger()
    written(ledger, registered())
    assert "links" not in of(ledger)["run"]


def test_attempts_are_runs_of_that_id_with_a_number_behind_it(open_ledger):
    ledger = open_ledger()
    written(ledger, *(registered(run_id) for run_id in ("17", "17.2", "171", "1")))
    written(ledger, ended("17", minutes=1, exit_code=1))
    with ledger.reader() as reader:
        assert recovery.attempts(reader, "17") == {
            "17": ("generated", RunStatus.FAILED, START_US + MINUTE_US),
            "17.2": ("generated", RunStatus.RUNNING, None),
        }
        assert recovery.attempts(reader, "9") == {}
