"""Jobs and constants for tests of estimates."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

from meter.factors.hosted import hosted_factors
from meter.hosted.constants import Band, Constants, constants_of
from meter.hosted_facts import HostedJob, JobStatus, Meter, Quantity, Training
from meter.model import FactorKind

HOUR_US = 3_600_000_000
AUG_2023_US = 1_692_662_400_000_000  # 2023-08-22
KWH_MJ = 3_600_000_000
BUNDLED = constants_of(hosted_factors(0))


def job(*quantities: tuple[Meter, str | int], hours: str | int = 0, **changes) -> HostedJob:
    """A supervised job of 2023 without a duration, unless ``hours`` gives one."""
    told = HostedJob(
        provider="openai",
        id="ftjob-1",
        status=JobStatus.SUCCEEDED,
        provider_status="succeeded",
        created_us=AUG_2023_US,
        seen_us=AUG_2023_US + 30 * HOUR_US,
        ended_us=AUG_2023_US + int(Decimal(hours) * HOUR_US),
        base_model="gpt-3.5-turbo-0613",
        training=Training.SFT,
        quantities=tuple(Quantity(meter, Decimal(amount)) for meter, amount in quantities),
    )
    return replace(told, **changes)


def exactly(*numbers: tuple[FactorKind, str | None, str], base: Constants = BUNDLED) -> Constants:
    """Constants in which some bands are one number, or from one to another: ``0.3-0.43``."""
    bands = dict(base.bands)
    for kind, item, text in numbers:
        low, _, high = text.partition("-")
        ends = Fraction(low), Fraction(high or low)
        scope = "world" if kind in WORLD else "hosted:any"
        bands[kind, scope, item] = Band(ends[0], sum(ends) / 2, ends[1], f"{kind}:{item}", 2021)
    return Constants(bands)


def without(*left: FactorKind, items: tuple[str, ...] = ()) -> Constants:
    """The bundled constants without some kinds, or some items of server ratios."""
    kept = {
        key: band
        for key, band in BUNDLED.bands.items()
        if key[0] not in left and not (key[0] is FactorKind.SERVER_RATIO and key[2] in items)
    }
    return Constants(kept)


WORLD = frozenset({FactorKind.GPU_POWER, FactorKind.GPU_COMPUTE, FactorKind.NODE_POWER})


def kwh(mj: int) -> Fraction:
    """Millijoules as kWh."""
    return Fraction(mj, KWH_MJ)
