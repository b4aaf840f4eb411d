"""A callback for Lightning's ``Trainer``: ``Trainer(…, callbacks=[MeterCallback()])``.

It serves ``lightning`` as well as the older ``pytorch_lightning``.
"""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Any

from meter.integrations.hooks import EVALUATE, NONE, PREDICT, SAVE, Phases, note, recorded

if "pytorch_lightning" in sys.modules and "lightning" not in sys.modules:
    from pytorch_lightning import Callback
else:
    try:
        from lightning.pytorch import Callback
    except ImportError:
        try:
            from pytorch_lightning import Callback
        except ImportError as error:
            raise ImportError("MeterCallback needs Lightning: pip install lightning") from error

if TYPE_CHECKING:
    from lightning.pytorch import LightningModule, Trainer

__all__ = ["MeterCallback"]


class MeterCallback(Callback):
    """Marks steps, epochs and phases of a training, from its first process only.

    A step is one of the optimizer. Without ``meter run`` around the job it does nothing. What
    fails in here is counted in ``failures``, by hook, and never raised. Lightning tells when a
    checkpoint begins, not when it is written: it counts until the next batch begins.
    """

    def __init__(self) -> None:
        self.failures: dict[str, int] = {}
        self._phases = Phases()
        self._step = -1
        self._most = math.inf

    @recorded
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Mark where training begins, which is not 0 after a checkpoint."""
        if trainer.is_global_zero:
            self._step = trainer.global_step
            self._most = self._steps_in_all(trainer)
            self._phases.begin(step=self._step, epoch=trainer.current_epoch, **self._fraction())

    @recorded
    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, *batch: Any, **more: Any
    ) -> None:
        """Go on with training, whatever was before."""
        if trainer.is_global_zero:
            self._phases.to(self._phases.rest)

    @recorded
    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        **more: Any,
    ) -> None:
        """Mark a step, if the batch completed one."""
        if trainer.is_global_zero and trainer.global_step != self._step:
            self._step = trainer.global_step
            epoch = _epoch(trainer, batch_idx)
            self._phases.to(self._phases.rest, step=self._step, **epoch, **self._fraction())

    @recorded
    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Mark the start of a validation; the trial before training is one too."""
        self._to(trainer, EVALUATE)

    @recorded
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Mark its end."""
        self._to(trainer, self._phases.rest)

    @recorded
    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Mark the start of a test."""
        self._to(trainer, EVALUATE)

    @recorded
    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Mark its end."""
        self._to(trainer, self._phases.rest)

    @recorded
    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Mark the start of a prediction."""
        self._to(trainer, PREDICT)

    @recorded
    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Mark its end."""
        self._to(trainer, self._phases.rest)

    @recorded
    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Mark the start of a checkpoint; after the training it is in its caller's phase."""
        if trainer.state.status == "running":
            self._to(trainer, SAVE)

    @recorded
    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """End the phase in which the training failed."""
        self._end(trainer)

    @recorded
    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Mark the end of training."""
        self._end(trainer)

    @recorded
    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """End a checkpoint that was the last thing done."""
        self._to(trainer, NONE)

    def _to(self, trainer: Trainer, phase: str) -> None:
        if trainer.is_global_zero:
            self._phases.to(phase)

    def _end(self, trainer: Trainer) -> None:
        if trainer.is_global_zero:
            self._phases.end()

    def _steps_in_all(self, trainer: Trainer) -> float:
        """How many steps the training will have; infinite where Lightning cannot tell."""
        try:
            return float(trainer.estimated_stepping_batches)
        except Exception as error:  # noqa: BLE001  steps are told without it
            note(self, "estimated_stepping_batches", error)
            return math.inf

    def _fraction(self) -> dict[str, float]:
        """The part of all steps that is done; not told where there is no end."""
        if not math.isfinite(self._most) or self._most <= 0:
            return {}
        return {"fraction": min(self._step / self._most, 1.0)}


def _epoch(trainer: Trainer, batch_idx: int) -> dict[str, float]:
    """Epochs that are done, the part of this one included; not told of an endless one."""
    batches = trainer.num_training_batches
    if not math.isfinite(batches) or batches <= 0:
        return {}
    return {"epoch": trainer.current_epoch + min((batch_idx + 1) / batches, 1.0)}
