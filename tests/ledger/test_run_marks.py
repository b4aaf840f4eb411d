"""Marks in the run document: steps, epochs, phases, each with its energy; and that they add up."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.facts import GPUS, MINUTE_US, START_US, registered
from meter.ledger import Ledger
from meter.ledger.ledger import Pace
from meter.ledger.reports import run_document
from meter.model import Interval, Kind, LedgerBatch, Mark, Method, RunState, RunStatus
from run_schema import run_schema

RUN = "01RUN0"


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
    run_schema().validate(document)
    return document


def mark(minute, energy_mj, *, sure=True, below=0, above=0, source="s", **told):
    bounds = (energy_mj * 95 // 100, energy_mj * 105 // 100, below, above) if sure else ()
    made = Mark(RUN, START_US + int(minute * MINUTE_US), energy_mj, **told)
    if not sure:
        return made
    low, high, *edges = bounds
    return Mark(
        RUN, made.at_us, energy_mj, made.step, made.epoch, made.phase, made.tokens, made.fraction,
        low, high, *edges, source=source, number=int(minute * 1_000),
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


def went_back(document):
    found = [one for one in document["notices"] if one["code"] == "steps_went_back"]
    return [(one["text"], one["times"]) for one in found]


def test_a_step_that_another_process_told_before_is_no_step_more() -> None:
    marks = [mark(1, 6_000, step=10), mark(2, 12_000, step=20),
             mark(3, 18_000, step=15, source="again"), mark(4, 24_000, step=20, source="again"),
             mark(5, 30_000, step=30, source="again")]  # fmt: skip
    document = of_marks(marks)
    steps = document["steps"]
    assert (steps["count"], steps["trainings"], steps["spans"]) == (20, 1, 2)
    assert steps["energy"]["value"] == 24.0  # what was lost before the restart is spent
    assert went_back(document) == [
        ("Steps went back once in another process, as after a restart: they count once.", 1)
    ]


def test_trainings_of_one_process_are_added_up() -> None:
    told = [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 5]  # three folds
    marks = [
        mark(n / 2, 3_000 * n, step=step, tokens=100 * step, below=10, above=20)
        for n, step in enumerate(told)
    ]
    document = of_marks(marks)
    steps = document["steps"]
    assert (steps["count"], steps["first"], steps["last"]) == (13, 0, 5)
    assert (steps["trainings"], steps["spans"], steps["duration_s"]) == (3, 13, 13 * 30)
    assert steps["energy"]["value"] == 13 * 3.0
    assert steps["energy"]["low"] == pytest.approx(13 * 3 * 0.95 - 3 * 0.03)
    assert steps["energy"]["high"] == pytest.approx(13 * 3 * 1.05 + 3 * 0.03)
    assert document["per"]["step"]["value"] == 3.0
    assert document["per"]["token"]["value"] == pytest.approx(0.03)
    text = "Steps went back 2 times in one process: 3 trainings are added up."
    assert went_back(document) == [(text, 2)]


def test_ranks_that_tell_the_same_steps_do_not_multiply_them() -> None:
    told = [0, 1, 2, 3, 0, 1, 2, 3]
    one = [mark(n, 6_000 * n, step=step, tokens=step) for n, step in enumerate(told)]
    many = [
        mark(n + rank / 100, 6_000 * n + 60 * rank, step=step, tokens=step, source=f"rank{rank}")
        for rank in range(1, 4)
        for n, step in enumerate(told)
    ]
    alone, together = of_marks(one), of_marks([*one, *many])
    assert together["steps"] == alone["steps"]
    assert together["per"] == alone["per"]


def test_marks_without_a_source_are_of_one_training() -> None:
    marks = [mark(n, 6_000 * n, step=step, source=None) for n, step in enumerate([0, 5, 0, 5, 9])]
    document = of_marks(marks)
    assert (document["steps"]["count"], document["steps"]["trainings"]) == (9, 1)
    text = "Steps went back once in marks without a source: they count once."
    assert went_back(document) == [(text, 1)]


def test_tokens_begin_anew_with_the_steps_of_their_process() -> None:
    marks = [mark(0, 0, step=0), mark(1, 6_000, step=1, tokens=100),
             mark(2, 9_000, step=2, tokens=200), mark(3, 20_000, step=0),
             mark(4, 30_000, step=1, tokens=300), mark(5, 36_000, step=2, tokens=400)]  # fmt: skip
    assert of_marks(marks)["per"]["token"]["value"] == pytest.approx(9 / 200)


def test_tokens_and_steps_of_the_same_span_have_the_same_bounds() -> None:
    marks = [mark(n, 6_000 * n, step=n, tokens=1_000 * n, below=500, above=700) for n in (1, 2)]
    step, token = (of_marks(marks)["per"][name] for name in ("step", "token"))
    for part in ("value", "low", "high"):
        assert token[part] * 1_000 == pytest.approx(step[part])
    assert step["low"] == pytest.approx(6 * 0.95 - 1.2)


def test_one_mark_alone_tells_of_no_step_and_no_token() -> None:
    assert of_marks([mark(1, 6_000, step=1_000, tokens=50_000_000)])["per"] == {}


def test_a_step_that_nobody_can_have_done_spoils_no_document() -> None:
    told = [0, 2**63 - 1, 0, 2**63 - 1, 5, 6]
    document = of_marks([mark(n, 6_000 * n, step=step) for n, step in enumerate(told)])
    assert document["steps"]["trainings"] == 3


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


def epochs_of(*marks):
    found = of_marks([mark(n, 6_000 * n, **told) for n, told in enumerate(marks, 1)])
    return [
        (e["training"], e["epoch"], e["from"], e["to"], e["energy"]["value"])
        for e in found.get("epochs", [])
    ]


@pytest.mark.parametrize("begun", ["0.5", "1", "2", "2.25"])
def test_a_training_that_goes_on_from_a_checkpoint_begins_at_its_first_mark(begun) -> None:
    start = Decimal(begun)
    end = int(start) + 1
    assert epochs_of(
        {"phase": "load"},
        {"phase": "train", "step": 40, "epoch": start},
        {"step": 41, "epoch": start + Decimal("0.25")},
        {"step": 42, "epoch": Decimal(end)},
        {"step": 46, "epoch": Decimal(end + 1)},
    ) == [(1, end, float(start), end, 12.0), (1, end + 1, end, end + 1, 6.0)]


def test_an_epoch_beyond_the_first_is_a_start_whatever_else_its_mark_tells() -> None:
    found = epochs_of({"epoch": Decimal(3)}, {"epoch": Decimal(4)})
    assert found == [(1, 4, 3.0, 4.0, 6.0)]


def test_an_evaluation_after_the_first_epoch_is_no_start() -> None:
    found = epochs_of(
        {"phase": "train"}, {"step": 1}, {"step": 9, "epoch": Decimal(1), "phase": "eval"}
    )
    assert found == [(1, 1, 0.0, 1.0, 18.0)]


def test_epochs_of_each_training_of_a_process_are_told() -> None:
    fold = [{"step": 0, "epoch": Decimal(0), "phase": "train"},
            {"step": 1, "epoch": Decimal("0.5")}, {"step": 2, "epoch": Decimal(1)}]  # fmt: skip
    assert epochs_of(*fold, *fold) == [(1, 1, 0.0, 1.0, 12.0), (2, 1, 0.0, 1.0, 12.0)]


def test_epochs_of_a_training_without_a_start_begin_where_the_one_before_came_to() -> None:
    folds = [{"step": step, "epoch": Decimal(1)} for step in (8, 7, 6)]  # one epoch each
    assert epochs_of(*folds) == [(n, 1, 0.0, 1.0, 6.0) for n in (1, 2, 3)]


def test_epochs_that_another_process_told_before_are_none_more() -> None:
    found = epochs_of(
        {"step": 0, "epoch": Decimal(0)}, {"step": 7, "epoch": Decimal("1.75")},
        {"step": 4, "epoch": Decimal(1), "phase": "train", "source": "again"},
        {"step": 8, "epoch": Decimal(2), "source": "again"},
    )  # fmt: skip
    assert found == [(1, 1, 0.0, 1.75, 6.0), (1, 2, 1.75, 2.0, 12.0)]


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
        st.sampled_from([None, "a", "b"]),
    ),
    max_size=12,
)


@settings(max_examples=25, deadline=None)
@given(told)
def test_phases_are_the_run_and_epochs_and_steps_the_time_between_marks(made) -> None:
    marks = [
        mark(
            second / 60, energy, phase=phase, step=step, epoch=epoch, tokens=step, below=edge,
            above=edge, source=source,
        )
        for second, energy, phase, step, epoch, edge, source in made
    ]  # fmt: skip
    document = of_marks(marks)
    parts = [*document.get("phases", []), *document.get("epochs", [])]
    for row in [*parts, *([document["steps"]] if "steps" in document else [])]:
        assert 0 <= row["energy"]["low"] <= row["energy"]["value"] <= row["energy"]["high"]
        assert row["energy"]["value"] <= 60.0 + 1e-6
    assert document["per"].get("token") == document["per"].get("step")  # as many were told
    if "phases" in document:
        assert sum(p["energy"]["value"] for p in document["phases"]) == pytest.approx(60.0)
        assert sum(p["duration_s"] for p in document["phases"]) == pytest.approx(600)
    epochs = document.get("epochs", [])
    for one, other in pairwise(epochs):
        if one["training"] == other["training"]:
            assert one["to"] == other["from"]
            assert one["ended_at"] == other["started_at"]
        else:
            assert one["training"] + 1 == other["training"]
            assert one["ended_at"] <= other["started_at"]
    if epochs:
        assert epochs[0]["training"] == 1
        assert sum(e["energy"]["value"] for e in epochs) <= 60.0 + 1e-6


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=2, max_size=12))
def test_steps_of_one_process_are_what_it_went_on(steps) -> None:
    document = of_marks([mark(n / 2, 3_000 * n, step=step) for n, step in enumerate(steps)])
    gained = [max(0, after - before) for before, after in pairwise(steps)]
    found = document.get("steps", {"count": 0, "spans": 0})
    assert found["count"] == sum(gained)
    assert found["spans"] == sum(map(bool, gained))
