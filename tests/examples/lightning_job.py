"""A training with Lightning: 2 epochs of 8 batches, two batches a step; fails where asked to."""

from __future__ import annotations

import sys

import torch
from lightning.pytorch import LightningModule, Trainer
from torch.utils.data import DataLoader, TensorDataset

from meter.integrations.lightning import MeterCallback


class Line(LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def training_step(self, batch, batch_idx):
        if "fail" in sys.argv and self.global_step == 3:
            raise RuntimeError("out of luck")
        (x,) = batch
        return torch.nn.functional.mse_loss(self.layer(x), 3 * x + 2)

    def validation_step(self, batch, batch_idx):
        self.training_step(batch, batch_idx)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def main() -> None:
    points = DataLoader(TensorDataset(torch.linspace(0, 1, 32).view(-1, 1)), batch_size=4)
    meter = MeterCallback()
    trainer = Trainer(
        max_epochs=2,
        accumulate_grad_batches=2,
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[meter],
    )
    try:
        trainer.fit(Line(), points, points)
    finally:
        print(f"steps {trainer.global_step}, failures {meter.failures}")


if __name__ == "__main__":
    main()
