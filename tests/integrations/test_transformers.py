"""MeterCallback in a Trainer's order of hooks: steps, what follows them, the first process only."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace

import pytest

import meter
from meter import marks
from tests.integrations.hearing import Base, heard, imported

MODULE = "meter.integrations.transformers"


@pytest.fixture
def callback(monkeypatch):
    with imported(monkeypatch, MODULE, transformers__TrainerCallback=Base) as module:
        yield module.MeterCallback()


def state(step=0, **more):
    told = {
        "global_step": step, "max_steps": 4, "epoch": step / 2, "num_input_tokens_seen": 0,
        "is_world_process_zero": True,
    }  # fmt: skip
    return SimpleNamespace(**{**told, **more})


def control(*, evaluate=False, save=False):
    return SimpleNamespace(should_evaluate=evaluate, should_save=save)


def train(callback, *, steps=4, save=True, **more):
    """A Trainer's hooks: two steps an epoch, an evaluation and a checkpoint after each epoch."""
    callback.on_train_begin(None, state(**more), control())
    for step in range(1, steps + 1):
        now = state(step, **more)
        callback.on_step_begin(None, state(step - 1, **more), control())
        callback.on_step_end(None, now, control())
        if step % 2 == 0:
            after = control(evaluate=True, save=save)
            callback.on_epoch_end(None, now, after)
            callback.on_prediction_step(None, now, after)
            after.should_evaluate = False
            callback.on_evaluate(None, now, after)
            if save:
                callback.on_save(None, now, after)
    callback.on_train_end(None, state(steps, **more), control())


def test_a_training_is_told_by_steps_with_their_epochs_and_phases(callback, monkeypatch):
    told = heard(monkeypatch)
    train(callback)
    assert [one["step"] for one in told if "step" in one] == [0, 1, 2, 3, 4]
    assert [one["epoch"] for one in told if "epoch" in one] == [0, 0.5, 1, 1.5, 2]
    assert [one["fraction"] for one in told if "fraction" in one] == [0, 0.25, 0.5, 0.75, 1]
    phases = [one["phase"] for one in told if "phase" in one]
    assert phases == ["train", "eval", "save", "train", "eval", "save", "train", ""]
    assert callback.failures == {}


def test_tokens_are_told_where_the_trainer_counts_them(callback, monkeypatch):
    told = heard(monkeypatch)
    train(callback)
    assert not any("tokens" in one for one in told)
    train(callback, num_input_tokens_seen=640)
    assert told[-2].get("tokens", 640) == 640
    assert any(one.get("tokens") == 640 for one in told)


def test_a_step_is_told_with_the_evaluation_that_it_announces_in_one_mark(callback, monkeypatch):
    told = heard(monkeypatch)
    callback.on_train_begin(None, state(), control())
    callback.on_step_end(None, state(1), control(evaluate=True))
    assert told[-1] == {"phase": "eval", "step": 1, "epoch": 0.5, "fraction": 0.25}


def evaluate(callback, *, fails=False, end="on_evaluate", **more):
    """An evaluation of two batches, from a loader of its own."""
    loader = object()
    LOADERS.append(loader)  # so that no other is at its place
    for _ in range(2):
        callback.on_prediction_step(None, state(), control(), eval_dataloader=loader)
    if not fails:
        getattr(callback, end)(more.pop("args", None), state(), control(), **more)


LOADERS = []


@pytest.mark.parametrize("end", ["on_evaluate", "on_predict"])
def test_an_evaluation_by_hand_is_told_from_its_first_batch(callback, monkeypatch, end):
    told = heard(monkeypatch)
    evaluate(callback, end=end)
    assert told == [{"phase": "eval"}, {"phase": ""}]


def test_a_phase_that_the_script_names_around_it_stays(callback, monkeypatch):
    told = heard(monkeypatch)
    with meter.phase("predict"):
        evaluate(callback, end="on_predict")
    assert told == [{"phase": "predict"}, {"phase": ""}]


def broken_in_a_step(callback):
    callback.on_step_begin(None, state(), control())


def broken_in_an_evaluation(callback):
    callback.on_step_end(None, state(1), control(evaluate=True))
    evaluate(callback, fails=True)


def broken_in_a_second_evaluation(callback):
    callback.on_step_end(None, state(1), control(evaluate=True))
    evaluate(callback)
    evaluate(callback, fails=True)


def broken_in_a_checkpoint(callback):
    callback.on_step_begin(None, state(), control())
    callback.on_step_end(None, state(1), control(save=True))


FAILURES = [
    broken_in_a_step, broken_in_an_evaluation, broken_in_a_second_evaluation,
    broken_in_a_checkpoint,
]  # fmt: skip


@pytest.mark.parametrize("broken", FAILURES)
def test_an_evaluation_after_a_failed_training_ends_in_no_phase(callback, monkeypatch, broken):
    told = heard(monkeypatch)
    callback.on_train_begin(None, state(), control())
    broken(callback)
    evaluate(callback)
    assert told[-2:] == [{"phase": "eval"}, {"phase": ""}]


@pytest.mark.parametrize("broken", FAILURES)
def test_a_phase_around_a_training_ends_with_its_failure(callback, monkeypatch, broken):
    told = heard(monkeypatch)
    with contextlib.suppress(MemoryError), meter.phase("train"):
        callback.on_train_begin(None, state(), control())
        broken(callback)
        raise MemoryError
    assert told[-1] == {"phase": ""}
    evaluate(callback)
    train(callback)
    assert [one["phase"] for one in told if "phase" in one][-11:] == [
        "", "eval", "", "train", "eval", "save", "train", "eval", "save", "train", "",
    ]  # fmt: skip


def test_evaluations_of_several_sets_are_followed_by_training(callback, monkeypatch):
    told = heard(monkeypatch)
    callback.on_train_begin(None, state(), control())
    callback.on_step_end(None, state(1), control(evaluate=True))
    for _ in range(2):
        evaluate(callback)
    phases = [one["phase"] for one in told if "phase" in one]
    assert phases == ["train", "eval", "train", "eval", "train"]


def test_training_goes_on_after_an_evaluation_before_it(callback, monkeypatch):
    told = heard(monkeypatch)
    callback.on_train_begin(None, state(), control())
    evaluate(callback)
    callback.on_epoch_begin(None, state(), control())
    assert [one["phase"] for one in told] == ["train", "eval", "", "train"]


@pytest.mark.parametrize(
    ("greater", "metric", "best", "value", "saves"),
    [
        (False, "loss", None, 2.0, True),
        (False, "eval_loss", 2.0, 1.5, True),
        (False, "loss", 2.0, 2.0, False),
        (True, "accuracy", 0.5, 0.6, True),
        (True, "accuracy", 0.5, 0.4, False),
        (True, "accuracy", None, float("nan"), False),
        (False, "another", None, 2.0, False),
        (False, None, None, 2.0, False),
    ],
)
def test_a_best_checkpoint_is_told_where_the_evaluation_was_the_best(
    callback, monkeypatch, greater, metric, best, value, saves
):
    told = heard(monkeypatch)
    args = SimpleNamespace(
        save_strategy="best", metric_for_best_model=metric, greater_is_better=greater
    )
    callback.on_train_begin(args, state(), control())
    callback.on_step_end(args, state(1), control(evaluate=True))
    now = state(1, best_metric=best)
    callback.on_evaluate(
        args, now, control(save=True), metrics={"eval_loss": value, "eval_accuracy": value}
    )
    assert told[-1] == {"phase": "save" if saves else "train"}
    callback.on_save(args, now, control())
    assert told[-1] == {"phase": "train"}


def test_a_training_from_a_checkpoint_begins_at_its_step(callback, monkeypatch):
    told = heard(monkeypatch)
    callback.on_train_begin(None, state(2), control())
    assert told[0]["step"] == 2


@pytest.mark.parametrize(
    "hook",
    ["on_train_begin", "on_epoch_begin", "on_step_begin", "on_step_end", "on_epoch_end",
     "on_prediction_step", "on_evaluate", "on_predict", "on_save", "on_train_end"],
)  # fmt: skip
def test_other_processes_than_the_first_are_silent(callback, monkeypatch, hook):
    told = heard(monkeypatch)
    callback._phases.now = "whatever was before"
    getattr(callback, hook)(None, state(is_world_process_zero=False), control(evaluate=True))
    assert told == []
    getattr(callback, hook)(None, state(), control(evaluate=True))
    assert told
    assert callback.failures == {}


def test_what_fails_in_here_is_counted_told_once_and_never_raised(callback, monkeypatch, caplog):
    def broken(**_):
        raise OSError("gone")

    monkeypatch.setattr(marks, "mark", broken)
    train(callback)
    assert callback.failures["on_step_end"] == 4
    assert caplog.text.count("on_step_end failed (OSError: gone); training goes on") == 1


def test_a_state_of_another_version_stops_no_training(callback, monkeypatch):
    heard(monkeypatch)
    callback.on_step_end(None, SimpleNamespace(is_world_process_zero=True), control())
    assert callback.failures == {"on_step_end": 1}


def test_without_a_known_end_no_part_of_it_is_told(callback, monkeypatch):
    told = heard(monkeypatch)
    callback.on_step_end(None, state(3, max_steps=0, epoch=None), control())
    assert told == [{"step": 3, "epoch": 0}]


def test_without_transformers_its_import_says_what_to_install(monkeypatch):
    with (
        pytest.raises(ImportError, match="pip install transformers"),
        imported(monkeypatch, MODULE),
    ):
        pass
