"""How much arithmetic a method of training takes for each token and parameter; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meter.hosted_facts import Adapter, Training
from meter.model import FactorKind

if TYPE_CHECKING:
    from meter.hosted.constants import Band, Constants
    from meter.hosted_facts import HostedJob


def flop_of(job: HostedJob, constants: Constants) -> tuple[tuple[Band, ...], str]:
    """FLOP of each way that a job may have trained, and what is said of ways that are not known.

    Nothing of reinforcement: most of its arithmetic is not in the tokens that are trained.
    """
    if job.training is Training.RFT:
        return (), ""
    methods = (job.training,) if job.training else (Training.SFT, Training.DPO)
    adapters = (job.adapter,) if job.adapter else (Adapter.LORA, Adapter.FULL)
    found = tuple(
        band
        for method in methods
        for adapter in adapters
        if (band := constants.find(FactorKind.TRAINING_FLOP, job.provider, f"{method} {adapter}"))
    )
    unknown = [
        text
        for text, told in (("SFT or DPO", job.training), ("LoRA or full", job.adapter))
        if told is None
    ]
    return found, f", {' and '.join(unknown)}: not told, both are taken" if unknown else ""
