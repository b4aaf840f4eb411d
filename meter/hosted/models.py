"""From the name of a tuned model to the model it was tuned from; pure."""

from __future__ import annotations

_TUNED = "ft:"
_AZURE_TUNED = ".ft-"
_OLD_TUNED = ":ft-"  # davinci:ft-ORG-DATE, before 2023-08
_BEDROCK_TUNED = ":custom-model/"
_CHECKPOINT = ":ckpt-step-"


def base_model(model: str) -> str | None:
    """The base of a tuned model, None where the name tells of none.

    Read are ``ft:BASE:ORG:SUFFIX:ID`` (also with an empty suffix, also of a checkpoint), the
    older ``BASE:ft-ORG``, Azure's ``BASE.ft-HASH`` and Bedrock's ARNs of custom models.
    """
    if "ft" not in model and _BEDROCK_TUNED not in model:
        return None  # most models, and quickly
    name = model.rpartition("/")[2] if f"/{_TUNED}" in model else model
    if name.startswith(_TUNED):
        return name[len(_TUNED) :].partition(":")[0] or None
    if _BEDROCK_TUNED in name:
        return name.partition(_BEDROCK_TUNED)[2].partition("/")[0] or None
    for mark in (_AZURE_TUNED, _OLD_TUNED):
        base, found, _ = name.partition(mark)
        if found:
            return base.rpartition("/")[2] or None
    return None


def checkpoint_step(model: str) -> int | None:
    """The step of a checkpoint's own name (``…:ckpt-step-90``), None of a final model."""
    step = model.rpartition(_CHECKPOINT)[2] if _CHECKPOINT in model else ""
    return int(step) if step.isascii() and step.isdecimal() and len(step) < 10 else None
