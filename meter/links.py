"""Who else names a run, and what is taken of such names; pure."""

from __future__ import annotations

from meter import limits

CUSTOM = "custom"
SOURCES = ("wandb", "mlflow", "slurm", "torchelastic", "kubernetes", CUSTOM)
"""Who gave an id, as :class:`meter.model.RunLink` and documents have it."""

SOURCE_OF_ORIGIN = {
    "METER_RUN_ID": CUSTOM,
    "WANDB_RUN_ID": "wandb",
    "MLFLOW_RUN_ID": "mlflow",
    "TORCHELASTIC_RUN_ID": "torchelastic",
    "SLURM_JOB_ID": "slurm",
    "METER_K8S_JOB_UID": "kubernetes",
    "METER_K8S_JOB_NAME": "kubernetes",
    "METER_K8S_POD_UID": "kubernetes",
}
"""Origins of run ids that come from outside, in the order in which they are asked."""

GENERATED = "generated"
FOREIGN_ID_CHARS = 256


def check_foreign_id(value: str) -> str:
    """An id as others gave it; raises LimitError or UsageError."""
    return limits.check_name("the id", value, FOREIGN_ID_CHARS)
