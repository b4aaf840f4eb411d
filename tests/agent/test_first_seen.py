"""New series of own runs are seen at zero before anything of them is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agent.test_metering import GPUS, POWER_MW, S, World, durable
from meter.agent.runs import SHOWN_NS
from meter.errors import LedgerError
from meter.model import SamplerBatch
from meter.sampling.frames import Hello

if TYPE_CHECKING:
    from pathlib import Path

OF_PROJECT, OF_RUN = "meter_energy_joules_total", "meter_run_energy_joules_total"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def values(world: World) -> dict[str, float]:
    """Energy of the run and of its project, as far as it is shown."""
    return {
        counter.name: float(counter.value)
        for counter in durable(world.metering)
        if {("project", "p"), ("run", "r1")} & set(counter.labels)
        and counter.name in (OF_PROJECT, OF_RUN)
    }


ZEROS = {OF_PROJECT: 0.0, OF_RUN: 0.0}


def test_a_run_and_its_project_are_shown_at_zero_when_the_run_is_registered(world: World) -> None:
    world.go(5)
    assert values(world) == {}
    world.store.held = []
    world.begin("r1")
    assert values(world) == ZEROS  # and nothing was written yet
    world.go(5)
    assert values(world) == ZEROS  # nor is anything of its energy durable
    for future in world.store.held:
        future.set_result(None)
    joules = world.metering.books.of_run("r1")
    assert values(world)[OF_RUN] == float(next(iter(joules.values()))) > 0


def test_a_run_that_began_before_the_sampler_named_its_devices_is_seen_at_zero(
    tmp_path: Path,
) -> None:
    world = World(tmp_path, gpus=())
    world.begin("r1")
    world.go(8)
    world.gpus = GPUS
    world.metering.take(Hello(GPUS, (("nvml", None),), "580", "b", 1), world.now_ns)
    world.metering.take(SamplerBatch(world.now_ns, tuple(world._look())), world.now_ns)
    assert values(world) == ZEROS
    world.go(5)
    assert values(world)[OF_PROJECT] > 2 * 3 * POWER_MW / 1000


def test_what_was_announced_is_never_shown_in_place_of_what_is_durable(world: World) -> None:
    """A second run of a project, and a second launcher of a run, announce what stands already."""
    world.begin("r1", gpus="0")
    world.go(5)
    before = values(world)
    assert min(before.values()) > 0
    world.begin("r2", gpus="0")
    world.metering.attach(world.metering.runs["r1"])
    assert values(world) == before


def test_a_run_whose_figures_were_never_durable_leaves_the_page_like_another(world: World) -> None:
    world.store.held = []
    live = world.begin("r1")
    world.go(3)
    world.end(live, world.now_ns)
    world.go(3)
    assert values(world) == ZEROS
    for future in world.store.held:
        future.set_exception(LedgerError("refused"))
    world.store.held = None
    world.now_ns += SHOWN_NS + S
    world.go(2)
    assert OF_RUN not in values(world)
