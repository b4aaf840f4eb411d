"""MeterCallback in a Trainer's order of hooks: steps, what follows them, the first process only."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

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


def test_an_evaluation_that_nobody_announced_is_told_from_its_first_batch(callback, monkeypatch):
    told = heard(monkeypatch)
    callback.on_prediction_step(None, state(), control())
    callback.on_prediction_step(None, state(), control())
    callback.on_predict(None, state(), control())
    assert told == [{"phase": "predict"}, {"phase": ""}]


def test_a_training_from_a_checkpoint_begins_at_its_step(callback, monkeypatch):
    told = heard(monkeypatch)
    callback.on_train_begin(None, state(2), control())
    assert told[0]["step"] == 2


@pytest.mark.parametrize(
    "hook",
    ["on_train_begin", "on_step_begin", "on_step_end", "on_epoch_end", "on_prediction_step",
     "on_evaluate", "on_predict", "on_save", "on_train_end"],
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
