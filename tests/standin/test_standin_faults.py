"""Every fault, by what a program sees of it."""

from __future__ import annotations

import signal
from dataclasses import replace

import pytest

from standin import faults
from standin.models import Counter
from standin.scenario import A100, H100, Constant, Gpu, MigInstance, Process

FIELDS = (83, 185, 186)
LOAD = Constant(100)  # 100 J a second: a counter that ticks each 0.1 s gains 10 J a tick


def on(node, *broken, **options):
    return node(Gpu(power=LOAD, faults=broken, **options), Gpu(power=LOAD))


def energies(here, client, *seconds):
    values = []
    for instant in seconds:
        here.at(instant)
        values.append(client.energy() / 1000)
    return values


def test_a_lost_gpu_comes_back_and_leaves_the_others_alone(node):
    here = on(node, faults.lost(5, 2))
    client = here.client().start(gpus=2)
    here.at(6)
    assert client.code("nvmlDeviceGetPowerUsage", "gpu0") == 15
    assert client.code("nvmlDeviceGetFieldValues", "gpu0", FIELDS) == 15
    assert client.code("nvmlDeviceGetHandleByIndex", 0) == 15
    assert client.ask("nvmlDeviceGetCount") == 2
    assert client.power("gpu1") == 100_000
    assert energies(here, client, 7) == [700]


def test_handles_from_before_a_loss_can_stay_dead(node):
    here = on(node, faults.lost(5, 2, stale=True))
    client = here.client().start()
    here.at(8)
    assert client.code("nvmlDeviceGetPowerUsage", "gpu0") == 2
    client.keep("gpu0", "nvmlDeviceGetHandleByIndex", 0)
    assert client.power() == 100_000


def test_a_reset_counter_starts_again(node):
    here = on(node, faults.reset(5.05))
    assert energies(here, here.client().start(), 5, 5.05, 5.1, 7) == [500, 0, 5, 195]


def test_a_counter_can_fall_back_for_a_moment_or_for_good(node):
    here = on(node, faults.backwards(30, 5, 1), faults.backwards(200, 8))
    assert energies(here, here.client().start(), 4.9, 5, 6, 8, 9) == [490, 470, 600, 600, 700]


def test_a_counter_sticks_for_good(node):
    here = on(node, faults.stuck(5))
    client = here.client().start()
    assert energies(here, client, 4.9, 5, 5.1, 500) == [490, 500, 500, 500]
    assert client.power() == 100_000


def test_a_stuck_counter_catches_up(node):
    here = on(node, faults.stuck(5, 3))
    assert energies(here, here.client().start(), 7.9, 8, 9) == [500, 800, 900]


def test_a_stuck_counter_may_never_count_what_it_missed(node):
    here = on(node, faults.stuck(5, 3, catches_up=False))
    assert energies(here, here.client().start(), 7.9, 8, 9) == [500, 500, 600]


def test_a_reset_ends_what_was_wrong_with_the_counter(node):
    here = on(node, faults.stuck(5), faults.reset(7))
    assert energies(here, here.client().start(), 6.9, 7, 8) == [500, 0, 100]


def test_a_counter_that_is_lost_and_reset_starts_again_when_it_is_back(node):
    here = on(node, faults.lost(5, 2), faults.reset(6))
    assert energies(here, here.client().start(), 4.9, 7) == [490, 100]


def test_ticks_jitter_while_the_fault_lasts(node):
    def offsets(client, here, start):
        found = []
        for tick in range(1, 11):
            nominal = start + tick / 10
            for offset_ms in range(-30, 31):
                here.at(nominal + offset_ms / 1000)
                if client.energy() > (nominal - 0.05) * 100_000:
                    found.append(offset_ms)
                    break
        return found

    here = node(Gpu(power=LOAD, faults=[faults.jitter(0.02, 10, 5)]))
    client = here.client().start()
    assert offsets(client, here, 5) == [0] * 10
    shaken = offsets(client, here, 11)
    assert len(set(shaken)) > 3
    assert all(-20 <= offset <= 21 for offset in shaken)


def test_power_spikes_to_an_impossible_value(node):
    here = on(node, faults.spike(5, 1))
    client = here.client().start()
    here.at(5)
    fields = client.fields("gpu0", *FIELDS)
    assert (client.power(), fields[185]["value"], fields[186]["value"]) == (4_000_000_000,) * 3
    assert fields[83]["value"] == 500_000
    here.at(6)
    assert client.power() == 100_000


def test_a_gpu_without_counter_says_so_on_every_path(node):
    here = on(node, faults.not_supported())
    client = here.client().start()
    assert client.code("nvmlDeviceGetTotalEnergyConsumption", "gpu0") == 3
    fields = client.fields("gpu0", *FIELDS)
    assert [fields[number]["code"] for number in FIELDS] == [3, 0, 0]


def test_fields_can_be_off_one_by_one(node):
    here = on(node, fields_off=[185])
    codes = [row["code"] for row in here.client().start().fields("gpu0", *FIELDS).values()]
    assert codes == [0, 3, 0]


def test_process_lists_may_be_forbidden(node):
    here = on(node, faults.no_permission(), processes=[Process(pid=7)])
    client = here.client().start(gpus=2)
    assert client.code("nvmlDeviceGetComputeRunningProcesses", "gpu0") == 4
    assert client.power() == 100_000
    assert client.ask("nvmlDeviceGetComputeRunningProcesses", "gpu1") == []


def test_unknown_errors_come_with_their_probability_and_the_same_each_time(node):
    def codes(client):
        return [client.code("nvmlDeviceGetPowerUsage", "gpu0") for _ in range(400)]

    here = on(node, faults.unknown(0.2, calls="power"))
    first, second = codes(here.client().start()), codes(here.client().start())
    assert first == second
    assert set(first) == {0, 999}
    assert 40 <= first.count(999) <= 130


def test_a_fault_may_strike_one_field_alone(node):
    here = on(node, faults.fails("NOT_READY", calls="field:186"))
    fields = here.client().start().fields("gpu0", *FIELDS)
    assert [fields[number]["code"] for number in FIELDS] == [0, 0, 27]


def test_any_code_on_any_call_for_a_time(node):
    fault = faults.fails(16, 5, 1, calls="nvmlDeviceGetMemoryInfo,temperature")
    here = on(node, fault)
    client = here.client().start()
    for instant, code in ((4.9, 0), (5, 16), (5.9, 16), (6, 0)):
        here.at(instant)
        assert client.code("nvmlDeviceGetMemoryInfo", "gpu0") == code
        assert client.code("nvmlDeviceGetTemperature", "gpu0", 0) == code
        assert client.code("nvmlDeviceGetPowerUsage", "gpu0") == 0


def test_a_fault_of_the_node_strikes_all_gpus(node):
    here = node(*[Gpu(power=LOAD)] * 3, faults=[faults.fails("TIMEOUT", 5, 1)])
    client = here.client().start(gpus=3)
    here.at(5)
    assert [client.code("nvmlDeviceGetUUID", f"gpu{number}") for number in range(3)] == [10] * 3
    assert client.ask("nvmlDeviceGetCount") == 3


def test_readings_may_be_late_or_missing(node):
    here = on(node, faults.late(0.3, 5, 1), faults.no_data(8, 1))
    client = here.client().start()
    assert energies(here, client, 4.9, 5.5, 6) == [490, 520, 600]
    here.at(8)
    assert client.code("nvmlDeviceGetTotalEnergyConsumption", "gpu0") == 21
    assert [row["code"] for row in client.fields("gpu0", *FIELDS).values()] == [21] * 3
    assert client.code("nvmlDeviceGetMemoryInfo", "gpu0") == 0


def test_a_field_comes_as_a_double_that_is_no_number(node):
    here = on(node, faults.nan(5, 1))
    client = here.client().start()
    here.at(5)
    field = client.fields("gpu0", 186)[186]
    assert (field["code"], field["type"], field["value"]) == (0, 0, None)


def test_latency_passes_time_on_the_clock_of_the_test(node):
    here = on(node, faults.latency(0.25, calls="nvmlDeviceGetTotalEnergyConsumption"))
    client = here.client().start(gpus=2)
    here.at(5)
    assert client.energy() == 520_000  # read when the call ends
    assert here.clock.now_ns() == 5_250_000_000
    assert client.energy("gpu1") == 520_000
    assert here.clock.now_ns() == 5_250_000_000


def test_a_hang_of_some_seconds_ends(node):
    here = on(node, faults.hang(5, 1, by_s=30))
    client = here.client().start()
    here.at(5.5)
    assert client.power() == 100_000
    assert here.clock.now_ns() == 35_500_000_000


def test_a_hang_for_ever_ends_with_a_kill_only(node):
    here = on(node, faults.hang(5, calls="power"))
    client, other = here.client().start(), here.client().start()
    here.at(5)
    client.send("ask", "nvmlDeviceGetPowerUsage", "gpu0")
    # The others do not hang, and what they see tells that the clock goes on.
    assert other.energy() == 500_000
    client.process.send_signal(signal.SIGKILL)
    assert client.process.wait(timeout=30) == -signal.SIGKILL


def test_init_fails_at_first_and_then_succeeds(node):
    here = node(Gpu(power=LOAD), faults=[faults.init_fails(first=2)])
    client = here.client()
    assert [client.code("nvmlInit") for _ in range(3)] == [9, 9, 0]
    assert client.ask("nvmlDeviceGetCount") == 1


def test_init_fails_until_the_driver_is_there(node):
    broken = faults.init_fails("LIB_RM_VERSION_MISMATCH", start_s=0, duration_s=5)
    here = node(Gpu(power=LOAD), faults=[broken])
    client = here.client()
    assert client.code("nvmlInit") == 18
    here.at(5)
    assert client.code("nvmlInit") == 0


def test_a_new_driver_has_another_version_and_new_counters(node):
    here = node(*[Gpu(power=LOAD)] * 2, faults=[faults.driver_changes("590.44.01", 5)])
    client = here.client().start(gpus=2)
    here.at(4.9)
    assert client.ask("nvmlSystemGetDriverVersion") == "580.65.06"
    here.at(6)
    assert client.ask("nvmlSystemGetDriverVersion") == "590.44.01"
    assert [client.energy("gpu0"), client.energy("gpu1")] == [100_000, 100_000]


def test_indices_are_dealt_anew_but_handles_stay_with_their_gpu(node):
    gpus = [Gpu(power=Constant(watts), uuid=f"GPU-{watts}") for watts in (100, 200, 300)]
    here = node(*gpus, faults=[faults.order_changes((2, 0), 5)])
    client = here.client().start(gpus=3)
    here.at(5)
    for index in range(3):
        client.keep(f"now{index}", "nvmlDeviceGetHandleByIndex", index)
    uuids = [client.ask("nvmlDeviceGetUUID", f"now{index}") for index in range(3)]
    assert uuids == ["GPU-300", "GPU-100", "GPU-200"]
    assert client.ask("nvmlDeviceGetUUID", "gpu0") == "GPU-100"
    assert client.ask("nvmlDeviceGetIndex", "gpu0") == 1


def test_another_board_in_the_slot_has_another_uuid(node):
    here = on(node, faults.uuid_changes("GPU-new", 5), uuid="GPU-old")
    client = here.client().start()
    here.at(5)
    assert client.ask("nvmlDeviceGetUUID", "gpu0") == "GPU-new"
    assert client.code("nvmlDeviceGetHandleByUUID", "GPU-old") == 6
    assert client.code("nvmlDeviceGetHandleByUUID", "GPU-new") == 0


def test_gpus_are_added_and_taken_away(node):
    here = node(
        Gpu(power=LOAD, uuid="GPU-a", duration_s=8), Gpu(power=LOAD, uuid="GPU-b", start_s=5)
    )
    client = here.client().start()
    counts = []
    for instant in (0, 5, 8):
        here.at(instant)
        counts.append(client.ask("nvmlDeviceGetCount"))
    assert counts == [1, 2, 1]
    assert client.code("nvmlDeviceGetPowerUsage", "gpu0") == 15
    client.keep("first", "nvmlDeviceGetHandleByIndex", 0)
    assert client.ask("nvmlDeviceGetUUID", "first") == "GPU-b"


def test_mig_is_switched_on_and_off(node):
    instances = [MigInstance(uuid="MIG-a", gpu_instance=1, slices=3)]
    fault = faults.mig_switches(5, 5, on=True)
    here = node(Gpu(power=LOAD, sensor=A100, instances=instances, faults=[fault]))
    client = here.client().start()
    modes = []
    for instant in (4, 6, 11):
        here.at(instant)
        modes.append(client.ask("nvmlDeviceGetMigMode", "gpu0")[0])
        if instant == 6:
            client.keep("mig", "nvmlDeviceGetMigDeviceHandleByIndex", "gpu0", 0)
            assert client.code("nvmlDeviceGetName", "mig") == 0
    assert modes == [0, 1, 0]
    assert client.code("nvmlDeviceGetName", "mig") == 2
    assert client.code("nvmlDeviceGetMigDeviceHandleByIndex", "gpu0", 0) == 6


@pytest.mark.parametrize("seconds", [5, 50, 5000])
def test_faults_of_the_counter_hold_for_a_sampled_counter_too(node, seconds):
    model = replace(H100, counter=Counter(sampled_window_s=0.025))
    broken = [faults.stuck(2, 1, catches_up=False), faults.reset(4)]
    here = node(Gpu(power=LOAD, sensor=model, faults=broken))
    client = here.client().start()
    assert energies(here, client, 3.5) == [250]
    assert energies(here, client, seconds) == [pytest.approx((seconds - 4) * 100)]
