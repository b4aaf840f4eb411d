"""Which devices a run holds: ``--gpus`` and CUDA_VISIBLE_DEVICES to device ids; pure.

The key is always the UUID. An integer is taken as the position on the PCI bus, which is what
CUDA means only with CUDA_DEVICE_ORDER=PCI_BUS_ID or where all GPUs are alike.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import takewhile
from typing import TYPE_CHECKING, NamedTuple

from meter.errors import UsageError
from meter.model import Component, Notice, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from meter.model import Device

MAX_TEXT = 4_096
MIN_PREFIX = len("GPU-") + 1

HoldShare = tuple[str, Fraction]
"""A device and the part of it that is held: 1, or a MIG instance's slices."""


class Target(NamedTuple):
    """What a word of a list names: a board, or an instance of one."""

    uuid: str
    device_id: str
    share: Fraction


@dataclass(frozen=True, slots=True)
class Selection:
    """The devices that a run holds, with the share of each."""

    holds: tuple[HoldShare, ...]
    ambiguous: bool = False
    notices: tuple[Notice, ...] = ()


def resolve(selection: str | None, devices: Sequence[Device]) -> Selection:
    """The devices of ``--gpus LIST``: ``all``, ``none``, or indices and UUIDs (whole or prefix).

    None means all GPUs. Raises UsageError naming the known devices.
    """
    gpus = _gpus(devices)
    text = "all" if selection is None else selection.strip()
    if text == "all":
        return Selection(tuple((gpu.id, Fraction(1)) for gpu in gpus))
    if text == "none":
        return Selection(())
    targets: list[Target] = []
    for word in text.split(","):
        found = _find(word.strip(), gpus)
        if len(found) != 1:
            problem = "matches several devices" if found else "is no device here"
            raise UsageError(f"--gpus: {word.strip()[:80]!r} {problem}", _known(gpus))
        targets.append(found[0])
    return Selection(_merged(targets))


def visible(
    cuda_visible_devices: str | None,
    order: str | None,
    devices: Sequence[Device],
    *,
    container: str | None = None,
    batch: bool = False,
) -> Selection:
    """The devices that CUDA shows to a job with this environment; never raises.

    The list ends at its first invalid entry, as CUDA has it. Whatever CUDA's documents leave
    open gives the notice ``ambiguous_devices``; a job that sees no GPU gives ``no_gpu_visible``.
    ``container`` lists what there is for the job, which CUDA counts anew from 0: a container's
    NVIDIA_VISIBLE_DEVICES, or what Slurm gave it. ``batch`` says that the job is Slurm's, which
    counts anew only where it keeps jobs from each other's GPUs.
    """
    gpus, own_doubts = _gpus(devices), list[str]()
    around = _around(container, gpus)
    if cuda_visible_devices is None:
        return Selection(_merged(around or map(_board, gpus)))
    if not gpus:
        return Selection(())
    text = cuda_visible_devices[:MAX_TEXT]
    if positional(text):
        gpus, own_doubts = _counted(text, gpus, around, batch=batch)
    targets, doubts = _read_list(text, order, gpus)
    doubts += own_doubts
    notices = []
    if doubts:
        notices.append(_ambiguous(cuda_visible_devices, doubts, targets))
    if not targets:
        notices.append(
            Notice(
                "no_gpu_visible",
                f"CUDA_VISIBLE_DEVICES={cuda_visible_devices[:80]!r} shows the job no GPU, "
                "so no GPU energy is counted for it.",
                Severity.INFO if not doubts else Severity.WARNING,
            )
        )
    return Selection(_merged(targets), bool(doubts), tuple(notices))


def _around(container: str | None, gpus: Sequence[Device]) -> list[Target]:
    """What there is for the job; none where the list is not what a container runtime writes."""
    if container is None:
        return []
    targets, doubts = _read_list(container[:MAX_TEXT], "PCI_BUS_ID", gpus)
    return [] if doubts else targets


def _counted(
    text: str, gpus: Sequence[Device], around: Sequence[Target], *, batch: bool
) -> tuple[list[Device], list[str]]:
    """The GPUs under the numbers that a list of numbers means, and why that is in doubt."""
    words = [_integer(word.strip()) for word in text.split(",")]
    numbers = set(takewhile(lambda number: number != -1, words))
    if not around or any(one.share < 1 for one in around):
        doubt = batch and not numbers >= {gpu.index for gpu in gpus}
        told = ["Slurm may count within the job, and does not tell its GPUs"]
        return list(gpus), told if doubt else []
    by_id = {gpu.id: gpu for gpu in gpus}
    there = [by_id[one.device_id] for one in around]
    inside = [replace(gpu, index=number) for number, gpu in enumerate(there)]
    if not batch or not numbers <= {gpu.index for gpu in there}:
        return inside, []
    if not numbers <= {gpu.index for gpu in inside}:
        return there, []
    both = [{gpu.id for gpu in some if gpu.index in numbers} for some in (there, inside)]
    told = ["Slurm may have counted within the job, as taken here, or on the node"]
    return inside, told if both[0] != both[1] else []


def positional(text: str) -> bool:
    """Whether a list counts devices, and does not name them."""
    words = [word.strip() for word in text.split(",")] if text.strip() else []
    return bool(words) and all(_integer(word) is not None for word in words)


def _gpus(devices: Iterable[Device]) -> list[Device]:
    gpus = [device for device in devices if device.component is Component.GPU]
    return sorted(gpus, key=lambda gpu: (gpu.index is None, gpu.index or 0))


def _read_list(
    text: str, order: str | None, gpus: Sequence[Device]
) -> tuple[list[Target], list[str]]:
    targets: list[Target] = []
    doubts: list[str] = []
    kinds: set[bool] = set()
    for raw in text.split(",") if text.strip() else ():
        word = raw.strip()
        if word != raw:
            doubts.append("it holds spaces")
        if _integer(word) == -1:
            break
        found = _find(word, gpus)
        if len(found) != 1:
            what = "several devices match" if found else "no device is known as"
            doubts.append(f"{what} {word[:60]!r}")
            break
        if found[0] in targets:
            doubts.append(f"{word[:60]!r} names a device again")
        kinds.add(_integer(word) is not None)
        targets.extend(found)
    doubts += _doubts_of_integers(kinds, order, gpus)
    return targets, list(dict.fromkeys(doubts))


def _doubts_of_integers(kinds: set[bool], order: str | None, gpus: Sequence[Device]) -> list[str]:
    doubts: list[str] = []
    if True not in kinds:
        return doubts
    if len(kinds) > 1:
        doubts.append("it mixes indices and UUIDs")
    if order != "PCI_BUS_ID" and len({gpu.name for gpu in gpus}) > 1:
        doubts.append(
            "indices follow CUDA's order of speed, as CUDA_DEVICE_ORDER is not PCI_BUS_ID"
        )
    if any(gpu.instances for gpu in gpus):
        doubts.append("indices do not say which MIG instance")
    return doubts


def _find(word: str, gpus: Sequence[Device]) -> list[Target]:
    """All that a word can mean."""
    number = _integer(word)
    if number is not None:
        return [_board(gpu) for gpu in gpus if gpu.index == number]
    if len(word) < MIN_PREFIX:
        return []
    folded = word.lower()
    targets = (
        _instances(gpus)
        if folded.startswith("mig-")
        else [(gpu.id.lower(), _board(gpu)) for gpu in gpus]
    )
    whole = [target for name, target in targets if name == folded]
    return whole or [target for name, target in targets if name.startswith(folded)]


def _board(gpu: Device) -> Target:
    return Target(gpu.id, gpu.id, Fraction(1))


def _instances(gpus: Sequence[Device]) -> list[tuple[str, Target]]:
    """Each MIG instance under its UUID, and under the older form by its board."""
    named = []
    for gpu in gpus:
        for instance in gpu.instances:
            share = Fraction(instance.slices, max(1, instance.of_slices))
            target = Target(instance.uuid, gpu.id, share)
            named.append((instance.uuid.lower(), target))
            path = f"mig-{gpu.id}/{instance.gpu_instance}/{instance.compute_instance}"
            if path.lower() != instance.uuid.lower():
                named.append((path.lower(), target))
    return named


def _integer(word: str) -> int | None:
    digits = word.removeprefix("-")
    if digits.isascii() and digits.isdigit() and len(word) < 10:
        return max(-1, int(word))
    return None


def _merged(targets: Iterable[Target]) -> tuple[HoldShare, ...]:
    """One entry for each device, its shares added up to at most 1."""
    shares: dict[str, Fraction] = {}
    for target in dict.fromkeys(targets):
        share = shares.get(target.device_id, Fraction(0)) + target.share
        shares[target.device_id] = min(Fraction(1), share)
    return tuple(shares.items())


def _ambiguous(text: str, doubts: Sequence[str], targets: Sequence[Target]) -> Notice:
    counted = ", ".join(dict.fromkeys(target.uuid for target in targets)) or "no GPU"
    return Notice(
        "ambiguous_devices",
        f"CUDA_VISIBLE_DEVICES={text[:80]!r} is ambiguous ({'; '.join(doubts[:3])}); counted: "
        f"{counted}. Name the devices with --gpus to be sure.",
        Severity.WARNING,
    )


def _known(gpus: Sequence[Device]) -> str:
    if not gpus:
        return "there is no GPU on this node; leave --gpus out"
    names = [f"{gpu.index} = {gpu.id} ({gpu.name})" for gpu in gpus]
    names += [instance.uuid for gpu in gpus for instance in gpu.instances]
    return f"use all, none, or a list of: {'; '.join(names[:32])}"
