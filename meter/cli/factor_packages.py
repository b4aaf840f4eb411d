"""Factors that a package brings: those of ecologits, where it is installed."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.metadata import version
from importlib.util import find_spec
from typing import TYPE_CHECKING

from meter.errors import UsageError
from meter.factors.inference import Registry, inference_rows

if TYPE_CHECKING:
    from meter.factors.rows import Sheet

PACKAGE = "ecologits"
INSTALL = f"pip install 'tunemeter[{PACKAGE}]'"
IMPORT = "`meter factors import --ecologits`"


def ecologits_sheet() -> Sheet:
    """What the installed package knows. Raises UsageError where there is none."""
    return inference_rows(registry(), today=f"{datetime.now(UTC).date()}")


def registry() -> Registry:
    """The installed package's models and function. Raises UsageError where there is none."""
    try:
        from ecologits.impacts import llm  # noqa: PLC0415 - an extra
        from ecologits.model_repository import models  # noqa: PLC0415
        from ecologits.tracers.utils import PROVIDER_CONFIG_MAP  # noqa: PLC0415
    except ImportError:
        raise UsageError(f"the package {PACKAGE} is not installed", INSTALL) from None
    return Registry(
        version=version(PACKAGE),
        models=models.list_models(),
        pue={name: one.datacenter_pue for name, one in PROVIDER_CONFIG_MAP.items()},
        impacts=llm.compute_llm_impacts,
        taken=(
            f"batches of {llm.BATCH_SIZE}, {llm.MODEL_QUANTIZATION_BITS} bits, GPUs of "
            f"{llm.GPU_MEMORY} GB, {llm.SERVER_POWER:g} kW a server of {llm.SERVER_GPUS} GPUs "
            "without them"
        ),
    )


def how_to() -> str:
    """What to do for estimates of inference, by whether the package is there."""
    try:
        there = find_spec(PACKAGE) is not None
    except ImportError:  # something refuses its name
        there = False
    return IMPORT if there else f"{INSTALL}, then {IMPORT}"
