"""The library against the truth: thousands of readings, several processes, all presets."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace

import pytest

from standin.clock import boottime_ns
from standin.models import PRESETS, Counter, Sensor
from standin.scenario import GH200, H100, Constant, Gpu, Scenario, Square
from standin.truth import counter_mj, energy_mj, sensor_mw
from standin.units import ns
from tests.standin.nvml_client import Client
from tests.standin.standin_loads import SHAPES

EXACT = replace(
    H100,
    power=Sensor(period_s=0.02, window_s=0.01, phase_s=0.003),
    instant=Sensor(period_s=0, window_s=0),
    average=Sensor(period_s=0.1, window_s=1, gain=1.037, offset_w=-3.25),
    counter=Counter(tick_s=0),
)


def some_instants(count, seed=1):
    draw = random.Random(seed)
    return [draw.randrange(-ns(5), ns(20_000)) for _ in range(count)]


def expected(gpu, at_ns):
    model = gpu.sensor
    return [
        model.counter and counter_mj(gpu, at_ns),
        model.average and sensor_mw(gpu, model.average, at_ns),
        model.instant and sensor_mw(gpu, model.instant, at_ns),
        sensor_mw(gpu, model.power, at_ns),
    ]


def assert_true_to_1(gpu, instants, rows):
    for at_ns, row in zip(instants, rows, strict=True):
        for name, value, true in zip("EAIP", row, expected(gpu, at_ns), strict=True):
            if true is None:
                assert value is None, (name, at_ns)
            else:
                assert abs(value - true) <= 1, (name, at_ns, value, true)


def looks(client, key, clock, instants):
    client.send("clocked", str(clock.path))
    client.receive()
    client.send("looks", key, instants)
    return client.receive()


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: type(shape).__name__)
@pytest.mark.parametrize("time_scale", [1, 2.5])
def test_every_reading_is_within_1_mj_and_1_mw_of_the_truth(node, shape, time_scale):
    gpu = Gpu(power=shape, sensor=EXACT, time_scale=time_scale)
    here = node(gpu)
    instants = some_instants(400)
    assert_true_to_1(gpu, instants, looks(here.client().start(), "gpu0", here.clock, instants))


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_reads_as_its_model_says_in_both_ways_of_writing_it(node, name, tmp_path):
    gpu = Gpu(power=Square(100, 300, period_s=0.9), sensor=PRESETS[name])
    here = node(gpu)
    instants = some_instants(300)
    rows = looks(here.client().start(), "gpu0", here.clock, instants)
    assert_true_to_1(gpu, instants, rows)
    header = "\n".join(here.script.read_text().splitlines()[:2])
    load = "power square low=100W high=300W period=0.9s duty=0.5"
    short = tmp_path / "short.txt"
    short.write_text(f"{header}\ngpu\n preset {name}\n {load}\n")
    client = here.client(METER_STANDIN_SCRIPT=str(short)).start()
    assert looks(client, "gpu0", here.clock, instants) == rows
    assert client.ask("nvmlDeviceGetName", "gpu0") == PRESETS[name].name


@pytest.mark.parametrize(
    "counter",
    [
        Counter(),
        Counter(tick_s=0.02, phase_s=0.013, gain=0.95, start_j=123_456.789),
        Counter(tick_s=0.1, jitter_s=0.003, seed=9),
        Counter(tick_s=0.1, delay_s=0.03, quantum_mj=1000),
        Counter(tick_s=0.1, sampled_window_s=0.025),
        Counter(tick_s=0.1, sampled_window_s=0.025, jitter_s=0.004, gain=1.02),
    ],
)
def test_the_counter_ticks_as_its_model_says(node, counter):
    gpu = Gpu(power=Square(100, 700, period_s=0.9), sensor=H100.with_counter(counter))
    here = node(gpu)
    draw = random.Random(3)
    if counter.sampled_window_s is None:
        instants = [draw.randrange(-ns(2), ns(60)) for _ in range(300)]
    else:  # the truth sums from trace time 0 each time
        instants = [draw.randrange(-ns(2), ns(10)) for _ in range(40)]
    rows = looks(here.client().start(), "gpu0", here.clock, instants)
    for at_ns, row in zip(instants, rows, strict=True):
        true = counter_mj(gpu, at_ns)
        assert abs(row[0] - true) <= max(1, counter.quantum_mj), at_ns
        assert row[0] % counter.quantum_mj == 0


def test_a_sampled_counter_errs_where_an_exact_one_does_not(node):
    load = Square(100, 700, period_s=0.1, duty=0.2)  # its high part is what the window never sees
    blind = H100.with_counter(Counter(sampled_window_s=0.025))
    here = node(Gpu(power=load), Gpu(power=load, sensor=blind))
    here.at(100)
    client = here.client().start(gpus=2)
    truth = energy_mj(Gpu(power=load), 0, ns(100))
    assert client.energy("gpu0") == pytest.approx(truth, abs=1)
    assert client.energy("gpu1") == pytest.approx(ns(100) / ns(1) * 100_000, abs=1)


def test_four_processes_and_eight_gpus_see_one_world(node):
    gpus = [Gpu(power=shape, sensor=EXACT) for shape in SHAPES[:8]]
    here = node(*gpus)
    clients = [here.client().start(gpus=8) for _ in range(4)]
    for at_ns in some_instants(40, seed=4):
        here.clock.set(at_ns)
        for client in clients:
            client.send("ask", "nvmlDeviceGetFieldValues", f"gpu{at_ns % 8}", [83, 186])
        answers = [client.receive() for client in clients]
        assert all(answer == answers[0] for answer in answers)
        gpu = gpus[at_ns % 8]
        assert abs(answers[0][0]["value"] - counter_mj(gpu, at_ns)) <= 1


def test_processes_agree_on_the_real_clock_too(node):
    gpu = Gpu(power=Square(100, 700, period_s=0.9), sensor=EXACT)
    here = node(*[gpu] * 8, manual=False)
    clients = [here.client().start(gpus=8) for _ in range(3)]
    for turn in range(200):
        key = f"gpu{turn % 8}"
        before = boottime_ns()
        value = clients[turn % 3].energy(key)
        after = boottime_ns()
        anchor = here.scenario.anchor_ns
        assert energy_mj(gpu, anchor, before, anchor_ns=anchor) - 1 <= value
        assert value <= energy_mj(gpu, anchor, after, anchor_ns=anchor) + 1


def test_rewriting_a_scenario_does_not_move_its_load(tmp_path):
    scenario = Scenario(gpus=[Gpu(power=Constant(300))])
    first = scenario.write(tmp_path).read_text()
    assert replace(scenario, seed=0).write(tmp_path).read_text() == first


def test_field_and_sample_stamps_share_one_time_base(node):
    here = node(Gpu(power=Square(100, 700, period_s=0.9)))
    client = here.client().start()
    here.at(10)
    stamp = client.fields("gpu0", 83)[83]["at_us"]
    kind, samples = client.ask("nvmlDeviceGetSamples", "gpu0", 0, 0)
    assert kind == 1
    assert len(samples) == 100
    assert samples[-1]["at_us"] == stamp
    assert {b["at_us"] - a["at_us"] for a, b in itertools.pairwise(samples)} == {20_000}
    gpu = here.scenario.gpus[0]
    for age, sample in enumerate(reversed(samples)):
        assert abs(sample["value"] - sensor_mw(gpu, H100.instant, ns(10) - age * 20_000_000)) <= 1
    newer = client.ask("nvmlDeviceGetSamples", "gpu0", 0, samples[-4]["at_us"])[1]
    assert newer == samples[-3:]
    assert client.code("nvmlDeviceGetSamples", "gpu0", 0, stamp) == 6


def test_module_power_is_larger_than_gpu_power(node):
    here = node(Gpu(power=Constant(400), sensor=GH200), Gpu(power=Constant(400)))
    client = here.client().start(gpus=2)
    here.at(5)
    values = client.ask("nvmlDeviceGetFieldValues", "gpu0", [[186, 0], [186, 1]])
    assert [value["value"] for value in values] == [400_000, 520_000]
    assert client.ask("nvmlDeviceGetFieldValues", "gpu1", [[186, 1]])[0]["code"] == 3


def test_counts_of_calls_are_written_at_the_end(node):
    from standin import calls

    here = node(Gpu(power=Constant(400)))
    client = here.client().start()
    for _ in range(25):
        client.power()
    assert client.close() == 0
    counts = calls.read(here.folder / "calls.jsonl")[client.process.pid]
    assert counts["nvmlDeviceGetPowerUsage"].count == 25
    assert counts["nvmlDeviceGetPowerUsage"].failed == 0
    assert counts["nvmlInitWithFlags"].count == 1
    assert (
        0 < counts["nvmlDeviceGetPowerUsage"].max_ns <= counts["nvmlDeviceGetPowerUsage"].total_ns
    )


def test_a_client_needs_no_more_than_the_environment(node):
    here = node(Gpu(power=Constant(400)))
    client = Client(here.environment())
    here.clients.append(client)
    assert client.start().ask("nvmlDeviceGetCount") == 1
