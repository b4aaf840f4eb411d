"""MeterCallback in Lightning's order of hooks.

The library is a stand-in with its documented hooks; ``tests/examples`` has the real one.
"""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tests.integrations.hearing import Base, heard, imported

MODULE = "meter.integrations.lightning"


@pytest.fixture(params=["lightning__pytorch__Callback", "pytorch_lightning__Callback"])
def callback(request, monkeypatch):
    with imported(monkeypatch, MODULE, **{request.param: Base}) as module:
        yield module.MeterCallback()


def trainer(**changes):
    told = {
        "is_global_zero": True, "global_step": 0, "current_epoch": 0, "num_training_batches": 4,
        "estimated_stepping_batches": 4, "state": SimpleNamespace(status="running"),
    }  # fmt: skip
    return SimpleNamespace(**{**told, **changes})


def fit(callback, one):
    """Two epochs of four batches, two of them a step."""
    callback.on_validation_start(one, None)  # the trial
    callback.on_validation_end(one, None)
    callback.on_train_start(one, None)
    for epoch in range(2):
        one.current_epoch = epoch
        for batch in range(4):
            callback.on_train_batch_start(one, None, None, batch)
            one.global_step += batch % 2
            callback.on_train_batch_end(one, None, None, None, batch)
        callback.on_validation_start(one, None)
        callback.on_validation_end(one, None)
        callback.on_save_checkpoint(one, None, {})
    callback.on_train_end(one, None)
    callback.teardown(one, None, "fit")


def test_a_checkpoint_by_hand_after_the_fit_is_in_its_callers_phase(callback, monkeypatch):
    one = trainer()
    fit(callback, one)
    told = heard(monkeypatch)
    one.state.status = "finished"
    callback.on_save_checkpoint(one, None, {})
    assert told == []


def test_a_fit_is_told_by_the_optimizers_steps_with_epochs_and_phases(callback, monkeypatch):
    told = heard(monkeypatch)
    fit(callback, trainer())
    assert [one["step"] for one in told if "step" in one] == [0, 1, 2, 3, 4]
    assert [one["epoch"] for one in told if "epoch" in one] == [0, 0.5, 1, 1.5, 2]
    assert [one["fraction"] for one in told if "fraction" in one] == [0, 0.25, 0.5, 0.75, 1]
    assert [one["phase"] for one in told if "phase" in one] == [
        "eval", "", "train", "eval", "train", "save", "train", "eval", "train", "save", "",
    ]  # fmt: skip
    assert callback.failures == {}


@pytest.mark.parametrize("kind", ["test", "predict"])
def test_tests_and_predictions_are_phases(callback, monkeypatch, kind):
    told = heard(monkeypatch)
    getattr(callback, f"on_{kind}_start")(trainer(), None)
    getattr(callback, f"on_{kind}_end")(trainer(), None)
    assert told == [{"phase": {"test": "eval"}.get(kind, kind)}, {"phase": ""}]


def test_a_training_that_fails_ends_its_phase(callback, monkeypatch):
    told = heard(monkeypatch)
    callback.on_train_start(trainer(), None)
    callback.on_exception(trainer(), None, RuntimeError("out of memory"))
    assert told[-1] == {"phase": ""}


def test_other_processes_than_the_first_are_silent(callback, monkeypatch):
    told = heard(monkeypatch)
    fit(callback, trainer(is_global_zero=False))
    callback.on_exception(trainer(is_global_zero=False), None, RuntimeError())
    assert told == []
    assert callback.failures == {}


def test_an_endless_training_tells_steps_but_no_part_of_an_end(callback, monkeypatch):
    told = heard(monkeypatch)
    one = trainer(num_training_batches=float("inf"), estimated_stepping_batches=float("inf"))
    fit(callback, one)
    assert [each["step"] for each in told if "step" in each] == [0, 1, 2, 3, 4]
    assert not any("fraction" in each for each in told)


def test_where_lightning_cannot_tell_the_end_steps_are_told_all_the_same(callback, monkeypatch):
    class Unsure(SimpleNamespace):
        @property
        def estimated_stepping_batches(self):
            raise RuntimeError("accumulate_grad_batches differs by epoch")

    told = heard(monkeypatch)
    known = vars(trainer())
    del known["estimated_stepping_batches"]
    fit(callback, Unsure(**known))
    assert [each["step"] for each in told if "step" in each] == [0, 1, 2, 3, 4]
    assert callback.failures == {"estimated_stepping_batches": 1}


def test_without_lightning_its_import_says_what_to_install(monkeypatch):
    with (
        pytest.raises(ImportError, match="pip install lightning"),
        imported(monkeypatch, MODULE),
    ):
        pass
