"""The NVML source and the looker on the stand-in: faults hit a field, a device, a tick; no more."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from standin import calls, faults, models, truth
from standin.scenario import Gpu, MigInstance, Process, Scenario
from standin.shapes import Constant, Square
from tests.sampling.sessions import S, sample

if TYPE_CHECKING:
    from pathlib import Path

A = "GPU-aaaaaaaa-0000-0000-0000-000000000000"
B = "GPU-bbbbbbbb-0000-0000-0000-000000000000"
LOAD = Square(high_w=700, low_w=100, period_s=0.9)


def gpu(uuid: str = A, *what: faults.Fault, **more: object) -> Gpu:
    return Gpu(**{"power": LOAD, "uuid": uuid, "faults": what, **more})  # type: ignore[arg-type]


def node(*gpus: Gpu, **more: object) -> Scenario:
    return Scenario(gpus=gpus, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(("tick_s", "jitter_s"), [(0.1, 0), (0.02, 0), (0.05, 0.001), (0.1, 0.003)])
def test_every_point_lies_between_real_looks_around_its_tick(
    tmp_path: Path, tick_s: float, jitter_s: float
) -> None:
    counter = replace(models.H100.counter, tick_s=tick_s, jitter_s=jitter_s, phase_s=0.013)
    board = gpu(power=Constant(600), sensor=models.H100.with_counter(counter))
    session = sample(node(board), tmp_path, 12)
    points = [r for r in session.readings(A) if r.since_ns is not None]
    assert len(points) > 9 / max(tick_s, 0.1)
    for point in points:
        assert truth.counter_mj(board, point.at_ns) == point.energy_mj
        assert point.since_ns is not None
        assert truth.counter_mj(board, point.since_ns) < truth.counter_mj(board, point.at_ns)
    locks = [lock for lock in session.locks if lock.locked]
    assert locks[0].looks <= 150
    assert abs((locks[-1].tick_ns or 0) - tick_s * S) < 0.01 * tick_s * S
    widths = sorted(p.at_ns - (p.since_ns or 0) for p in points[20:])
    assert widths[len(widths) // 2] < 3_000_000 + 3 * jitter_s * S


def test_mean_and_instant_power_come_with_the_counter(tmp_path: Path) -> None:
    session = sample(node(gpu(power=Constant(500))), tmp_path, 4)
    last = session.readings(A)[-1]
    assert (last.mean_mw, last.instant_mw) == (500_000, 500_000)
    assert session.longest_pause_s(A) <= 1


def test_a_gpu_without_counter_is_followed_by_power_and_not_asked_again(tmp_path: Path) -> None:
    board = gpu(sensor=models.H100.without_counter())
    session = sample(node(board), tmp_path, 5)
    readings = session.readings(A)
    assert all(reading.energy_mj is None for reading in readings)
    assert len([r for r in readings if r.since_ns is not None]) >= 12
    assert session.longest_pause_s(A) <= 1
    assert len([fault for fault in session.faults if fault.field == "energy"]) == 1
    asked = next(iter(calls.read(tmp_path / "calls.jsonl").values()))
    assert asked["nvmlDeviceGetTotalEnergyConsumption"].count == 1


def test_the_older_calls_stand_in_for_fields_that_are_off(tmp_path: Path) -> None:
    session = sample(node(gpu(power=Constant(400), fields_off=(83, 185, 186))), tmp_path, 4)
    last = session.readings(A)[-1]
    assert last.energy_mj
    assert (last.mean_mw, last.instant_mw) == (400_000, None)
    assert any(lock.locked for lock in session.locks)


def test_a_driver_without_field_values_is_metered_by_the_older_calls(tmp_path: Path) -> None:
    board = gpu(power=Constant(400), sensor=models.V100)
    session = sample(node(board), tmp_path, 4, without=["nvmlDeviceGetFieldValues"])
    last = session.readings(A)[-1]
    assert last.energy_mj
    assert (last.mean_mw, last.instant_mw) == (None, 400_000)


def test_unknown_on_five_percent_of_calls_loses_no_device(tmp_path: Path) -> None:
    session = sample(node(gpu(A, faults.unknown(0.05)), gpu(B)), tmp_path, 10)
    assert [device.id for device in session.hellos[-1].devices] == [A, B]
    assert not any(fault.lost for fault in session.faults)
    assert any(fault.code == 999 for fault in session.faults)
    assert session.longest_pause_s(A) <= 1.1
    assert session.longest_pause_s(B) <= 1


@pytest.mark.parametrize("stale", [False, True])
def test_a_lost_gpu_comes_back_by_its_uuid_while_the_others_go_on(
    tmp_path: Path, *, stale: bool
) -> None:
    scenario = node(gpu(A, faults.lost(3, 5, stale=stale)), gpu(B))
    session = sample(scenario, tmp_path, 14)
    present = [[device.id for device in hello.devices] for hello in session.hellos]
    assert present[0] == [A, B]
    assert [B] in present
    assert present[-1] == [A, B]
    assert any(fault.lost and fault.device_id == A for fault in session.faults)
    back_ns = min(r.at_ns for r in session.readings(A) if r.at_ns > 4 * S)
    assert 8 * S <= back_ns < 11 * S
    assert session.longest_pause_s(B) <= 1.1


def test_a_counter_that_falls_back_is_told_at_once(tmp_path: Path) -> None:
    session = sample(node(gpu(A, faults.reset(4))), tmp_path, 6)
    values = [(r.at_ns, r.energy_mj or 0) for r in session.readings(A)]
    fell = [at for (_, a), (at, b) in itertools.pairwise(values) if b < a]
    assert len(fell) == 1
    assert 4 * S <= fell[0] <= 4.2 * S


def test_a_stuck_counter_is_followed_by_power_until_it_moves_again(tmp_path: Path) -> None:
    session = sample(node(gpu(A, faults.stuck(4, 4))), tmp_path, 12)
    locked = [lock.locked for lock in session.locks]
    assert locked[0]
    assert False in locked
    assert locked[-1]
    stuck = [r for r in session.readings(A) if 5.5 * S < r.at_ns < 7.9 * S]
    assert len({r.energy_mj for r in stuck}) == 1
    assert len({r.instant_mw for r in stuck}) >= 2
    assert len(stuck) >= 8


def test_nan_and_absurd_power_are_faults_and_no_readings(tmp_path: Path) -> None:
    scenario = node(
        gpu(A, faults.nan(2, 1), faults.spike(4, 1, calls="field:185")), gpu(B, power=Constant(1))
    )
    session = sample(scenario, tmp_path, 6)
    told = {(fault.field, fault.reason.split()[0]) for fault in session.faults}
    assert ("instant", "nan") in told
    assert ("mean", "4000000000") in told
    assert max(r.mean_mw or 0 for r in session.readings(A)) <= 700_000
    assert any(r.instant_mw is None and 2 * S < r.at_ns < 3 * S for r in session.readings(A))


def test_no_driver_is_a_reason_and_the_gpus_appear_when_it_is_loaded(tmp_path: Path) -> None:
    session = sample(node(gpu(), faults=[faults.init_fails(start_s=0, duration_s=3)]), tmp_path, 8)
    first, last = session.hellos[0], session.hellos[-1]
    assert first.devices == ()
    assert "Driver Not Loaded" in (first.sources[0][1] or "")
    assert [device.id for device in last.devices] == [A]
    assert last.sources == (("nvml", None),)
    assert len([fault for fault in session.faults if fault.field == "nvml"]) == 1


def test_a_library_that_was_shut_down_under_us_is_started_again(tmp_path: Path) -> None:
    fault = faults.fails("UNINITIALIZED", 3, 1)
    session = sample(node(gpu(), faults=[fault]), tmp_path, 9)
    assert [device.id for device in session.hellos[-1].devices] == [A]
    assert session.readings(A)[-1].at_ns > 8 * S


def test_indices_dealt_anew_change_no_device(tmp_path: Path) -> None:
    scenario = node(
        gpu(A, power=Constant(100)),
        gpu(B, power=Constant(600)),
        faults=[faults.order_changes((1, 0), 3)],
    )
    session = sample(scenario, tmp_path, 8)
    assert {r.mean_mw for r in session.readings(A) if r.at_ns > 2 * S} == {100_000}
    assert {r.mean_mw for r in session.readings(B) if r.at_ns > 2 * S} == {600_000}


def test_processes_are_listed_every_ten_seconds(tmp_path: Path) -> None:
    process = Process(pid=4242, memory_bytes=1 << 30, sm_percent=60)
    session = sample(node(gpu(processes=[process])), tmp_path, 12)
    assert len(session.processes) == 2
    use = session.processes[1][0]
    assert (use.device_id, use.pid, use.memory_bytes) == (A, 4242, 1 << 30)


def test_processes_that_share_a_gpu_are_looked_at_every_two_seconds(tmp_path: Path) -> None:
    two = [Process(pid=4242, sm_percent=60), Process(pid=4243)]
    session = sample(node(gpu(A, processes=two), gpu(B)), tmp_path, 9)
    looks = [look for batch in session.batches for look in batch.looks]
    assert [look.device_id for look in looks].count(A) >= 4
    assert [look.device_id for look in looks].count(B) == 1
    own = [look for look in looks if look.device_id == A]
    assert [look.since_ns for look in own] == [None, *(look.at_ns for look in own[:-1])]
    used = {use.pid: use.sm_ratio for use in session.processes[-1]}
    assert used == {4242: 0.6, 4243: 0.0}


def test_two_lists_that_number_processes_differently_tell_no_use(tmp_path: Path) -> None:
    process = Process(pid=7, usage_pid=40_007, sm_percent=60)
    session = sample(node(gpu(processes=[process])), tmp_path, 12)
    assert {(use.pid, use.sm_ratio) for use in session.processes[-1]} == {(7, None)}


def test_use_of_a_process_that_is_listed_no_more_comes_with_the_look_after(tmp_path: Path) -> None:
    two = [Process(pid=7, usage_pid=8, sm_percent=60), Process(pid=9, sm_percent=10)]
    session = sample(node(gpu(processes=two)), tmp_path, 6)
    first, *others = session.processes
    assert {(use.pid, use.ended) for use in first} == {(7, False), (9, False)}
    told = {(use.pid, use.sm_ratio, use.ended) for found in others for use in found}
    assert (8, 0.6, True) in told
    assert {pid for pid, _, ended in told if not ended} == {7, 9}


def test_processes_of_mig_instances_tell_no_use(tmp_path: Path) -> None:
    board = gpu(
        mig=True,
        instances=[MigInstance(uuid="MIG-1", gpu_instance=1, slices=3)],
        processes=[Process(pid=7, sm_percent=60, gpu_instance=1)],
    )
    session = sample(node(board), tmp_path, 12)
    assert {use.sm_ratio for found in session.processes for use in found} <= {None}


def test_forbidden_process_lists_are_told_once_and_not_asked_again(tmp_path: Path) -> None:
    session = sample(node(gpu(A, faults.no_permission())), tmp_path, 25)
    assert len([fault for fault in session.faults if fault.field == "processes"]) == 1
    asked = next(iter(calls.read(tmp_path / "calls.jsonl").values()))
    assert asked["nvmlDeviceGetComputeRunningProcesses_v3"].count == 1


def test_gauges_come_once_a_second(tmp_path: Path) -> None:
    session = sample(node(gpu()), tmp_path, 5)
    statuses = [status for batch in session.batches for status in batch.statuses]
    assert 4 <= len(statuses) <= 6
    assert statuses[-1].sm_clock_mhz
    assert statuses[-1].memory_used_bytes is not None
    assert statuses[-1].temperature_celsius
    assert 0 <= (statuses[-1].utilization_ratio or 0) <= 1


def test_missing_gauges_are_not_given_and_the_rest_is(tmp_path: Path) -> None:
    session = sample(node(gpu(A, faults.not_supported("memory,utilization"))), tmp_path, 4)
    status = next(status for batch in session.batches for status in batch.statuses)
    assert status.memory_used_bytes is None
    assert status.utilization_ratio is None
    assert status.temperature_celsius is not None


def test_mig_instances_are_listed_with_their_board(tmp_path: Path) -> None:
    instances = [
        MigInstance(uuid="MIG-11111111-0000-0000-0000-000000000000", gpu_instance=1, slices=3),
        MigInstance(uuid="MIG-22222222-0000-0000-0000-000000000000", gpu_instance=2, slices=4),
    ]
    session = sample(node(gpu(mig=True, instances=instances)), tmp_path, 3)
    device = session.hellos[0].devices[0]
    assert [(i.slices, i.of_slices, i.gpu_instance) for i in device.instances] == [
        (3, 7, 1),
        (4, 7, 2),
    ]
    assert session.readings(A)[-1].energy_mj


def test_looks_stay_inside_their_budget(tmp_path: Path) -> None:
    boards = [
        Gpu(
            power=LOAD,
            sensor=models.H100.with_counter(
                replace(models.H100.counter, tick_s=0.02, phase_s=0.0023 * index)
            ),
        )
        for index in range(8)
    ]
    sample(node(*boards), tmp_path, 20)
    asked = next(iter(calls.read(tmp_path / "calls.jsonl").values()))
    assert asked["nvmlDeviceGetFieldValues"].count <= 20 * 250 + 8 * 150


def test_the_driver_version_is_told(tmp_path: Path) -> None:
    session = sample(node(gpu(), driver_version="610.57.04"), tmp_path, 1)
    assert session.hellos[0].driver_version == "610.57.04"
