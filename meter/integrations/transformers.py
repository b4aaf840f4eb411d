"""A callback for the ``Trainer`` of transformers, which those of TRL are too.

``Trainer(…, callbacks=[MeterCallback()])``; not by ``report_to``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meter.integrations.hooks import EVALUATE, PREDICT, SAVE, Phases, recorded

try:
    from transformers import TrainerCallback
except ImportError as error:
    raise ImportError("MeterCallback needs transformers: pip install transformers") from error

if TYPE_CHECKING:
    from transformers import TrainerControl, TrainerState, TrainingArguments

__all__ = ["MeterCallback"]


class MeterCallback(TrainerCallback):
    """Marks steps, epochs, tokens and phases of a training, from its first process only.

    Without ``meter run`` around the job it does nothing. What fails in here is counted in
    ``failures``, by hook, and never raised. An evaluation or a checkpoint after a step counts from
    the end of that step, as the trainer announces it; one by hand from its first batch.
    """

    def __init__(self) -> None:
        self.failures: dict[str, int] = {}
        self._phases = Phases()

    @recorded
    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **more: Any
    ) -> None:
        """Mark where training begins, which is not 0 after a checkpoint."""
        if state.is_world_process_zero:
            self._phases.begin(**_progress(state))

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
            self._phases.to(self._phases.rest)

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
        """Mark an evaluation or prediction that nobody has announced."""
        if state.is_world_process_zero and self._phases.now not in {EVALUATE, PREDICT}:
            self._phases.to(EVALUATE if self._phases.training else PREDICT)

    @recorded
    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **more: Any
    ) -> None:
        """Mark the end of an evaluation."""
        if state.is_world_process_zero:
            self._phases.to(SAVE if control.should_save else self._phases.rest)

    @recorded
    def on_predict(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **more: Any
    ) -> None:
        """Mark the end of a prediction."""
        if state.is_world_process_zero:
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

    def _next(self, control: TrainerControl) -> str:
        """What a trainer does after a step or an epoch, in its order."""
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
