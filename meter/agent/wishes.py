"""Which devices a run gets: by ``--gpus``, the job map, or what its environment shows it."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from meter.model import Component, Notice, Severity
from meter.sampling import identity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meter.agent.job_map import JobMap, Mapped
    from meter.agent.runs import LiveRun
    from meter.model import Device
    from meter.sampling.identity import Selection

_WHOLE = Fraction(1)


def selection_of(live: LiveRun, known: Sequence[Device], job_map: JobMap | None) -> Selection:
    """The devices that a run asked for; all of the host's. Raises UsageError."""
    found = _gpus_of(live, known, job_map)
    host = tuple((device.id, _WHOLE) for device in known if device.component is not Component.GPU)
    return replace(found, holds=found.holds + host)


def _gpus_of(live: LiveRun, known: Sequence[Device], job_map: JobMap | None) -> Selection:
    wanted = live.wanted
    if wanted.gpus is not None:
        return identity.resolve(wanted.gpus, known)
    found = identity.visible(
        wanted.visible,
        wanted.order,
        known,
        container=wanted.container,
        batch=bool(live.jobs),
    )
    if job_map is None or not live.jobs:
        return found
    mapped = job_map.of(live.jobs, known)
    by_name = wanted.visible is not None and not identity.positional(wanted.visible)
    if not mapped.holds or by_name:
        unlisted = () if mapped.holds else _unlisted(found, mapped)
        return replace(found, notices=(*found.notices, *mapped.notices, *unlisted))
    notices = mapped.notices
    if wanted.visible is not None and set(mapped.holds) != set(found.holds):
        text = (
            f"The job map gives the job other GPUs than CUDA_VISIBLE_DEVICES="
            f"{wanted.visible[:80]!r}, which counts inside the job; the map was followed."
        )
        notices = (*notices, Notice("job_map_followed", text))
    return identity.Selection(mapped.holds, notices=notices)


def _unlisted(found: Selection, mapped: Mapped) -> tuple[Notice, ...]:
    """That the map gives a job's GPUs to others, and does not know the job."""
    taken = sorted({device_id for device_id, _ in found.holds} & mapped.others)
    if not taken:
        return ()
    text = (
        f"The job map lists other jobs on {', '.join(taken[:3])}, and this one nowhere; its GPUs "
        "were taken from its environment. Name them with --gpus to be sure."
    )
    return (Notice("job_map_unlisted", text, Severity.WARNING),)
