"""Which runs had a part of a device only, and the notice that says so; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meter.model import Component, Kind, Notice

if TYPE_CHECKING:
    from collections.abc import Iterable
    from fractions import Fraction

    from meter.metering.holdings import ByUse
    from meter.metering.stretch import Stretch
    from meter.metering.wall import WallAnchor
    from meter.model import Device

SHARED_CODE = "shared_device"
BY_USE_CODE = "shared_by_use"
MIG_CODE = "mig_share"


@dataclass(frozen=True, slots=True)
class Split:
    """A run that had a part of a device, from ``at_us`` on (UTC µs).

    ``runs`` is how many had one; ``scaled`` whether they claimed more than there is, so that
    nobody said who gets what; ``by_use`` whether it was known who used it.
    """

    run_id: str
    device_id: str
    at_us: int
    share: Fraction
    runs: int
    scaled: bool
    by_use: ByUse | None = None


def splits_of(device_id: str, stretches: Iterable[Stretch], anchor: WallAnchor) -> list[Split]:
    """The splits of a device's stretches, the first of each run and kind."""
    found: dict[tuple[str, bool, bool], Split] = {}
    for stretch in stretches:
        owners = stretch.owners
        if not any(owners.split):
            continue
        at_us, runs, use = anchor.us(stretch.start_ns), owners.runs, owners.by_use
        for owner, share, split in zip(owners.owners, owners.shares, owners.split, strict=True):
            key = (owner.run_id or "", owners.scaled, use is not None)
            if split and owner.kind is Kind.RUN and owner.run_id and key not in found:
                found[key] = Split(owner.run_id, device_id, at_us, share, runs, owners.scaled, use)
    return list(found.values())


def notice_of(split: Split, device: Device | None) -> Notice:
    """What the reader of the run's figures has to know; None: the device was not named yet."""
    name = split.device_id if device is None else device.name
    if device and device.component is Component.GPU and device.index is not None:
        name = f"GPU {device.index}"
    if split.by_use is not None:
        code = BY_USE_CODE
        text = (
            f"{name} was held by several runs at once; its energy above idle was split by "
            f"their use of it{_idle(split.by_use)}, which is a model."
        )
    elif split.scaled:
        code = SHARED_CODE
        how = "equally" if split.share.denominator == split.runs else "by what each claims"
        text = (
            f"{name} was held by several runs at once; its energy was split {how}, which is "
            "an assumption."
        )
    else:
        code = MIG_CODE
        text = (
            f"The run held {split.share} of {name} (MIG); only the whole board is measured, and "
            "its energy was split by slices, which is an assumption."
        )
    return Notice(code, text, run_id=split.run_id, device_id=split.device_id, at_us=split.at_us)


def _idle(use: ByUse) -> str:
    if use.idle_mw is None:
        return ""
    how = "the least seen while nobody used it" if use.idle_seen else "assumed from its limit"
    return f" (idle: {use.idle_mw / 1_000:.0f} W, {how})"
