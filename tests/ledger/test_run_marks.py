"""Marks in the run document: steps, epochs, phases, each with its energy; and that they add up."""

from __future__ import annotations

import json
from decimal import Decimal
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.facts import GPUS, MINUTE_US, START_US, registered
from meter.ledger import Ledger
from meter.ledger.ledger import Pace
from meter.ledger.reports import run_document
from meter.model import Interval, Kind, LedgerBatch, Mark, Method, RunState, RunStatus

RUN = "01RUN0"
SCHEMA = json.loads((files("meter") / "schemas" / "run-1.json").read_text())


def of_marks(marks, *, energy_mj=60_000, low_mj=57_000, high_mj=63_000, minutes=10):
    """The document of a run of ten minutes, of which marks were told."""
    each = energy_mj // minutes, low_mj // minutes, high_mj // minutes
    intervals = tuple(
        Interval(
            GPUS[0], Kind.RUN, RUN, START_US + n * MINUTE_US, START_US + (n + 1) * MINUTE_US,
            *each, MINUTE_US, each[0], Method.MEASURED,
        )
        for n in range(minutes)
    )  # fmt: skip
    end = RunState(RUN, RunStatus.COMPLETED, START_US + minutes * MINUTE_US)
    with Ledger.open(Path(":memory:"), pace=Pace(commit_s=0.0)) as ledger:
        ledger.write(registered())
        batch = LedgerBatch(intervals=intervals, marks=tuple(marks), states=(end,), site_id="lab")
        ledger.write(batch, urgent=True).result(10)
        with ledger.reader() as reader:
            document = run_document(reader, RUN)
    jsonschema.validate(document, SCHEMA)
    return document


def mark(minute, energy_mj, *, sure=True, below=0, above=0, **told):
    bounds = (energy_mj * 95 // 100, energy_mj * 105 // 100, below, above) if sure else ()
    made = Mark(RUN, START_US + int(minute * MINUTE_US), energy_mj, **told)
    if not sure:
        return made
    low, high, *edges = bounds
    return Mark(
        RUN, made.at_us, energy_mj, made.step, made.epoch, made.phase, made.tokens, made.fraction,
        low, high, *edges, source="s", number=int(minute * 1_000),
    )  # fmt: skip


def test_a_run_without_marks_says_nothing_of_them() -> None:
    assert not {"steps", "epochs", "phases"} & of_marks([]).keys()


def test_phases_have_their_time_energy_and_bounds() -> None:
    document = of_marks([
        mark(1, 6_000, phase="train", below=10, above=20),
        mark(6, 36_000, phase="eval", below=30, above=40),
        mark(7, 42_000, phase="train"),
        mark(9, 54_000, phase=""),
    ])  # fmt: skip
    found = {row["phase"]: row for row in document["phases"]}
    assert [row["phase"] for row in document["phases"]] == ["train", "(none)", "eval"]
    assert found["train"]["times"] == 2
    assert found["train"]["duration_s"] == 7 * 60
    assert found["train"]["energy"]["value"] == 42.0
    assert found["train"]["share"] == pytest.approx(0.7)
    evaluated = found["eval"]["energy"]
    assert evaluated["value"] == 6.0
    assert evaluated["low"] == pytest.approx(6 * 0.95 - 0.04)
    assert evaluated["high"] == pytest.approx(6 * 1.05 + 0.03)


def test_a_phase_that_is_told_again_goes_on() -> None:
    document = of_marks([mark(1, 6_000, phase="train"), mark(5, 30_000, phase="train")])
    assert [(p["phase"], p["times"]) for p in document["phases"]] == [("train", 1), ("(none)", 1)]


def test_beyond_so_many_phases_they_are_told_together() -> None:
    marks = [mark(n / 10, 600 * n, phase=f"p{n}") for n in range(1, 80)]
    phases = of_marks(marks)["phases"]
    assert len(phases) == 32
    assert sum(p["energy"]["value"] for p in phases) == pytest.approx(60.0)


def test_steps_have_a_mean_a_median_and_a_tail() -> None:
    energies = [6_000, 7_000, 8_000, 9_000, 19_000]
    marks = [mark(1 + n, mj, step=n, below=100, above=100) for n, mj in enumerate(energies)]
    document = of_marks(marks)
    steps = document["steps"]
    assert (steps["count"], steps["first"], steps["last"], steps["spans"]) == (4, 0, 4, 4)
    assert steps["duration_s"] == 240
    assert steps["median_j"] == 1.0
    assert steps["p95_j"] == pytest.approx(8.65)
    assert steps["energy"]["value"] == 13.0
    assert steps["energy"]["low"] == pytest.approx(13 * 0.95 - 0.2)
    assert document["per"]["step"]["value"] == 3.25
    assert document["per"]["step"]["high"] == pytest.approx((13 * 1.05 + 0.2) / 4)


def test_a_step_that_was_told_before_is_no_step_more() -> None:
    marks = [mark(1, 6_000, step=10), mark(2, 12_000, step=20), mark(3, 18_000, step=15),
             mark(4, 24_000, step=20), mark(5, 30_000, step=30)]  # fmt: skip
    steps = of_marks(marks)["steps"]
    assert (steps["count"], steps["spans"]) == (20, 2)
    assert steps["energy"]["value"] == 24.0  # what was lost before the restart is spent


def test_one_step_alone_tells_no_span() -> None:
    assert "steps" not in of_marks([mark(1, 6_000, step=10)])


def test_epochs_begin_with_the_run_unless_a_mark_says_where() -> None:
    ends = [mark(3, 18_000, epoch=Decimal(1)), mark(5, 30_000, epoch=Decimal(2)),
            mark(6, 36_000, epoch=Decimal("2.5"))]  # fmt: skip
    epochs = of_marks(ends)["epochs"]
    assert [(e["epoch"], e["from"], e["to"]) for e in epochs] == [
        (1, 0.0, 1.0), (2, 1.0, 2.0), (3, 2.0, 2.5),
    ]  # fmt: skip
    assert [e["energy"]["value"] for e in epochs] == [18.0, 12.0, 6.0]
    begun = of_marks([mark(1, 6_000, epoch=Decimal(0)), *ends])["epochs"]
    assert [e["energy"]["value"] for e in begun] == [12.0, 12.0, 6.0]


def test_parts_of_epochs_are_told_by_the_whole_ones() -> None:
    marks = [mark(n, 6_000 * n, epoch=Decimal(n) / 4) for n in range(1, 10)]
    epochs = of_marks(marks)["epochs"]
    assert [(e["epoch"], e["to"]) for e in epochs] == [(1, 1.0), (2, 2.0), (3, 2.25)]
    assert [e["energy"]["value"] for e in epochs] == [24.0, 24.0, 6.0]


def test_marks_of_before_bounds_were_kept_have_the_run_s_in_proportion() -> None:
    marks = [mark(1, 6_000, sure=False, phase="train"), mark(6, 36_000, sure=False, phase="eval")]
    for row in of_marks(marks)["phases"]:
        energy = row["energy"]
        assert energy["low"] == pytest.approx(0.95 * energy["value"])
        assert energy["high"] == pytest.approx(1.05 * energy["value"])


told = st.lists(
    st.tuples(
        st.integers(0, 600),  # s
        st.integers(0, 70_000),  # mJ, in whatever order, and more than the run has
        st.none() | st.sampled_from(["", "train", "eval", "save"]),
        st.none() | st.integers(0, 9),
        st.none() | st.integers(0, 40).map(lambda n: Decimal(n) / 8),
        st.integers(0, 100),
    ),
    max_size=12,
)


@settings(max_examples=25, deadline=None)
@given(told)
def test_phases_are_the_run_and_epochs_and_steps_the_time_between_marks(made) -> None:
    marks = [
        mark(second / 60, energy, phase=phase, step=step, epoch=epoch, below=edge, above=edge)
        for second, energy, phase, step, epoch, edge in made
    ]
    document = of_marks(marks)
    parts = [*document.get("phases", []), *document.get("epochs", [])]
    for row in [*parts, *([document["steps"]] if "steps" in document else [])]:
        assert 0 <= row["energy"]["low"] <= row["energy"]["value"] <= row["energy"]["high"]
    if "phases" in document:
        assert sum(p["energy"]["value"] for p in document["phases"]) == pytest.approx(60.0)
        assert sum(p["duration_s"] for p in document["phases"]) == pytest.approx(600)
    epochs = document.get("epochs", [])
    for one, other in pairwise(epochs):
        assert one["to"] == other["from"]
        assert one["ended_at"] == other["started_at"]
    if epochs:
        assert sum(e["energy"]["value"] for e in epochs) <= 60.0 + 1e-6
