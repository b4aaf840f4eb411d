"""A callback for the ``Trainer`` of transformers, which those of TRL are too.

``Trainer(…, callbacks=[MeterCallback()])``; not by ``report_to``.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from meter.integrations.hooks import EVALUATE, SAVE, TRAIN, Phases, recorded

try:
    from transformers import TrainerCallback
except ImportError as error:
    raise ImportError("MeterCallback needs transformers: pip install transformers") from error

if TYPE_CHECKING:
    from collections.abc import Mapping

    from transformers import TrainerControl, TrainerState, TrainingArguments

__all__ = ["MeterCallback"]


class MeterCallback(TrainerCallback):
    """Marks steps, epochs, tokens and phases of a training, from its first process only.

    Without ``meter run`` around the job it does nothing. What fails in here is counted in
    ``failures``, by hook, and never raised. An evaluation or a checkpoint after a step counts from
    the end of that step, as the trainer announces it; one by hand from its first batch, and what
    follows it belongs to no phase: it may be that the training before has failed, which no hook
    is told.
    """

    def __init__(self) -> None:
        self.failures: dict[str, int] = {}
        self._phases = Phases()
        self._announced = False
        self._loader: int | None = None  # of the evaluation that goes on

    @recorded
    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **more: Any
    ) -> None:
        """Mark where training begins, which is not 0 after a checkpoint."""
        if state.is_world_process_zero:
            self._announced, self._loader = False, None
            self._phases.begin(**_progress(state))

    @recorded
    def on_epoch_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **more: Any
    ) -> None:
        """Go on with training, whatever was before."""
        if state.is_world_process_zero:
            self._train()

    @recorded
    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **more: Any
    ) -> None:
        """Mark a step, and what follows it."""
        if state.is_world_process_zero:
            self._phases.to(self._next(control), **_progress(state))

    @recorded
    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **more: Any
    ) -> None:
        """Go on with training, whatever was before."""
        if state.is_world_process_zero:
            self._train()

    @recorded
    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **more: Any
    ) -> None:
        """Mark what follows an epoch; its last step was marked."""
        if state.is_world_process_zero:
            self._phases.to(self._next(control))

    @recorded
    def on_prediction_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **more: Any
    ) -> None:
        """Mark an evaluation or prediction that nobody has announced, unless the script names it.

        Which of the two it is the trainer tells at its end only.
        """
        loader = id(more.get("eval_dataloader"))
        if not state.is_world_process_zero or loader == self._loader:
            return
        # another one before the end of the last: that one has failed, and the training with it
        expected, self._loader = self._announced and self._loader is None, loader
        ours = self._phases.ours
        if not expected:
            self._phases.forget()
        if ours:
            self._phases.to(EVALUATE)

    @recorded
    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **more: Any
    ) -> None:
        """Mark the end of an evaluation."""
        if state.is_world_process_zero:
            self._loader = None
            saves = self._phases.training and _saves(args, state, control, more)
            self._phases.to(SAVE if saves else self._phases.rest)

    @recorded
    def on_predict(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **more: Any
    ) -> None:
        """Mark the end of a prediction."""
        if state.is_world_process_zero:
            self._loader = None
            self._phases.to(self._phases.rest)

    @recorded
    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **more: Any
    ) -> None:
        """Mark the end of a checkpoint."""
        if state.is_world_process_zero:
            self._phases.to(self._phases.rest)

    @recorded
    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **more: Any
    ) -> None:
        """Mark the end of training."""
        if state.is_world_process_zero:
            self._phases.end()

    def _train(self) -> None:
        self._announced, self._loader = False, None
        self._phases.training = True
        self._phases.to(TRAIN)

    def _next(self, control: TrainerControl) -> str:
        """What a trainer does after a step or an epoch, in its order."""
        self._announced, self._loader = control.should_evaluate, None
        if control.should_evaluate:
            return EVALUATE
        return SAVE if control.should_save else self._phases.rest


def _progress(state: TrainerState) -> dict[str, Any]:
    """How far training is; tokens where the trainer counts them."""
    step, most = state.global_step, state.max_steps
    told: dict[str, Any] = {"step": step, "epoch": state.epoch or 0}
    if state.num_input_tokens_seen:
        told["tokens"] = int(state.num_input_tokens_seen)
    if most > 0:
        told["fraction"] = min(step / most, 1.0)
    return told


def _saves(
    args: TrainingArguments, state: TrainerState, control: TrainerControl, more: Mapping[str, Any]
) -> bool:
    """Whether a checkpoint follows an evaluation.

    Where only the best are kept the trainer finds out after it has told of the evaluation; this
    is how it does.
    """
    if getattr(args, "save_strategy", None) != "best":
        return bool(control.should_save)
    name = args.metric_for_best_model or ""
    value = more.get("metrics", {}).get(name if name.startswith("eval_") else f"eval_{name}")
    if value is None:
        return False
    worst = -math.inf if args.greater_is_better else math.inf
    best = worst if state.best_metric is None else state.best_metric
    return bool(value > best if args.greater_is_better else value < best)
