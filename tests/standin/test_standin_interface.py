"""The binary interface and its protocols: what pynvml expects of a driver."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys

import pynvml
import pytest

from standin import build
from standin.scenario import A100, H100, VGPU, Constant, Gpu, MigInstance, Process

LOAD = Constant(100)
GIB = 1 << 30


@pytest.mark.parametrize(
    ("struct", "size"),
    [
        (pynvml.c_nvmlProcessInfo_v2_t, 24),
        (pynvml.c_nvmlProcessInfo_v3_t, 24),
        (pynvml.c_nvmlProcessDetail_v1_t, 32),
        (pynvml.c_nvmlProcessDetailList_v1_t, 24),
        (pynvml.c_nvmlFieldValue_t, 40),
        (pynvml.c_nvmlSample_t, 16),
        (pynvml.c_nvmlProcessUtilizationSample_t, 32),
        (pynvml.c_nvmlProcessUtilizationInfo_v1_t, 40),
        (pynvml.c_nvmlProcessesUtilizationInfo_v1_t, 24),
        (pynvml.c_nvmlMemory_t, 24),
        (pynvml.c_nvmlMemory_v2_t, 40),
        (pynvml.nvmlPciInfo_t, 68),
        (pynvml.c_nvmlTemperature_v1_t, 12),
        (pynvml.c_nvmlDeviceAttributes, 40),
    ],
)
def test_the_binding_has_the_sizes_that_the_library_asserts(struct, size):
    assert ctypes.sizeof(struct) == size


def test_the_library_needs_the_c_library_only(library):
    shown = subprocess.run(["readelf", "-d", str(library)], capture_output=True, text=True)
    needed = {
        line.split("[")[1].rstrip("]") for line in shown.stdout.splitlines() if "NEEDED" in line
    }
    assert needed <= {"libc.so.6", "libm.so.6", "ld-linux-x86-64.so.2"}
    assert "soname: [libnvidia-ml.so.1]" in shown.stdout


def test_nothing_but_nvml_is_exported(library):
    shown = subprocess.run(
        ["nm", "-D", "--defined-only", str(library)], capture_output=True, text=True
    )
    names = [line.split()[-1] for line in shown.stdout.splitlines()]
    assert "nvmlInitWithFlags" in names
    assert all(name.startswith("nvml") for name in names)


def test_a_device_tells_who_it_is(node):
    client = node(Gpu(power=LOAD, uuid="GPU-me"), Gpu(power=LOAD, sensor=A100)).client()
    client.start(gpus=2)
    assert client.ask("nvmlDeviceGetName", "gpu0") == H100.name
    assert client.ask("nvmlDeviceGetUUID", "gpu0") == "GPU-me"
    assert client.ask("nvmlDeviceGetArchitecture", "gpu0") == 9
    assert client.ask("nvmlDeviceGetBrand", "gpu0") == 14
    assert client.ask("nvmlDeviceGetCudaComputeCapability", "gpu1") == [8, 0]
    assert client.ask("nvmlDeviceGetIndex", "gpu1") == 1
    assert client.ask("nvmlDeviceGetMinorNumber", "gpu1") == 1
    assert client.ask("nvmlDeviceGetPciInfo", "gpu1")["busId"] == "00000000:02:00.0"
    assert client.ask("nvmlSystemGetDriverVersion") == "580.65.06"
    assert client.ask("nvmlSystemGetNVMLVersion") == "13.580.65.06"
    assert client.ask("nvmlSystemGetCudaDriverVersion") == 13000
    assert client.ask("nvmlErrorString", 15) == "GPU is lost"


def test_a_device_is_found_by_uuid_serial_and_bus(node):
    client = node(Gpu(power=LOAD), Gpu(power=LOAD, uuid="GPU-me")).client().start(gpus=2)
    serial = client.ask("nvmlDeviceGetSerial", "gpu1")
    for function, key in [
        ("nvmlDeviceGetHandleByUUID", "GPU-me"),
        ("nvmlDeviceGetHandleBySerial", serial),
        ("nvmlDeviceGetHandleByPciBusId", "00000000:02:00.0"),
        ("nvmlDeviceGetHandleByPciBusId", "0000:02:00.0"),
    ]:
        client.keep("found", function, key)
        assert client.ask("nvmlDeviceGetUUID", "found") == "GPU-me"
        assert client.code(function, "none of these") == 6
    assert client.code("nvmlDeviceGetHandleByIndex", 2) == 2


def test_limits_memory_and_gauges(node):
    gpu = Gpu(
        power=Constant(700),
        processes=[Process(pid=7, memory_bytes=30 * GIB), Process(pid=8)],
        lines=["gauges temperature=61 memory=33"],
    )
    client = node(gpu).client().start()
    limits = [client.fields("gpu0", number)[number]["value"] for number in range(187, 193)]
    assert limits == [200_000, 700_000, 700_000, 700_000, 0, 700_000]
    assert client.ask("nvmlDeviceGetEnforcedPowerLimit", "gpu0") == 700_000
    assert client.ask("nvmlDeviceGetPowerManagementLimitConstraints", "gpu0") == [200_000, 700_000]
    reserved = 80 * GIB // 128
    assert client.ask("nvmlDeviceGetMemoryInfo", "gpu0")["used"] == 30 * GIB + reserved
    second = client.ask("nvmlDeviceGetMemoryInfo", "gpu0", pynvml.nvmlMemory_v2)
    assert (second["used"], second["reserved"]) == (30 * GIB, reserved)
    assert second["free"] == 50 * GIB - reserved
    assert client.code("nvmlDeviceGetMemoryInfo", "gpu0", 0x01000028) == 25
    assert client.ask("nvmlDeviceGetUtilizationRates", "gpu0") == {"gpu": 100, "memory": 33}
    assert client.ask("nvmlDeviceGetTemperature", "gpu0", 0) == 61
    assert client.ask("nvmlDeviceGetTemperatureV", "gpu0", 0) == 61
    assert client.ask("nvmlDeviceGetClockInfo", "gpu0", 1) == 1980
    assert client.ask("nvmlDeviceGetPerformanceState", "gpu0") == 0
    assert client.ask("nvmlDeviceGetPersistenceMode", "gpu0") == 1


def test_setters_are_refused(node):
    client = node(Gpu(power=LOAD)).client().start()
    assert client.code("nvmlDeviceSetPowerManagementLimit", "gpu0", 300_000) == 4
    assert client.code("nvmlDeviceSetMigMode", "gpu0", 1) == 4


def test_nothing_works_before_init_and_after_shutdown(node):
    client = node(Gpu(power=LOAD)).client()
    assert client.code("nvmlDeviceGetCount") == 1
    client.start()
    client.ask("nvmlInit")
    client.ask("nvmlShutdown")
    assert client.code("nvmlDeviceGetCount") == 0  # initialised twice, shut down once
    client.ask("nvmlShutdown")
    assert client.code("nvmlDeviceGetPowerUsage", "gpu0") == 1


def test_a_forked_child_must_initialise_again(node):
    here = node(Gpu(power=LOAD))
    program = (
        "import os, pynvml\n"
        "pynvml.nvmlInit()\n"
        "if os.fork() == 0:\n"
        "    try: pynvml.nvmlDeviceGetCount()\n"
        "    except pynvml.NVMLError as error: os._exit(error.value)\n"
        "    os._exit(99)\n"
        "status = os.waitstatus_to_exitcode(os.wait()[1])\n"
        "print(status, pynvml.nvmlDeviceGetCount())\n"
    )
    environment = {**os.environ, **here.environment()}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True
    )
    assert done.stdout.split() == ["1", "1"]


def test_functions_that_an_older_driver_lacks_are_absent(node, tmp_path):
    missing = ["nvmlDeviceGetSamples", "nvmlDeviceGetComputeRunningProcesses_v3"]
    older = build.library(tmp_path, without=missing)
    client = node(Gpu(power=LOAD)).client(LD_LIBRARY_PATH=str(older.parent)).start()
    assert client.code("nvmlDeviceGetSamples", "gpu0", 0, 0) == 13
    assert client.code("nvmlDeviceGetComputeRunningProcesses_v3", "gpu0") == 13
    assert client.code("nvmlDeviceGetComputeRunningProcesses", "gpu0") == "mismatch"
    assert client.code("nvmlDeviceGetComputeRunningProcesses_v2", "gpu0") == 0
    assert client.code("nvmlDeviceGetNvLinkState", "gpu0", 0) == 13  # not modelled at all


def test_the_library_is_compiled_once(tmp_path):
    first = build.library(tmp_path)
    stamp = first.stat().st_mtime_ns
    assert build.library(tmp_path) == first
    assert first.stat().st_mtime_ns == stamp
    with pytest.raises(build.BuildError, match="not installed"):
        build.library(tmp_path / "elsewhere", compiler="no-such-compiler")


def test_process_lists_keep_their_kinds_apart(node):
    processes = [
        Process(pid="self", memory_bytes=5 * GIB),
        Process(pid="env:JOB", memory_bytes=GIB),
        Process(pid=77, type="G"),
        Process(pid=78, type="M"),
        Process(pid=79, start_s=5, duration_s=1, memory_bytes=1),
        Process(pid=80, start_s=6),
    ]
    here = node(Gpu(power=LOAD, processes=processes))
    client = here.client(JOB="4711").start()
    own = client.process.pid
    listed = client.ask("nvmlDeviceGetComputeRunningProcesses", "gpu0")
    assert [(row["pid"], row["usedGpuMemory"]) for row in listed] == [(own, 5 * GIB), (4711, GIB)]
    assert listed[0]["gpuInstanceId"] == 0xFFFFFFFF
    second = client.ask("nvmlDeviceGetComputeRunningProcesses_v2", "gpu0")
    assert [row["pid"] for row in second] == [own, 4711]
    graphics = client.ask("nvmlDeviceGetGraphicsRunningProcesses", "gpu0")
    assert [row["pid"] for row in graphics] == [77]
    mps = client.ask("nvmlDeviceGetMPSComputeRunningProcesses", "gpu0")
    assert [row["pid"] for row in mps] == [78]
    here.at(5)
    details = client.ask(
        "nvmlDeviceGetRunningProcessDetailList", "gpu0", pynvml.nvmlProcessDetailList_v1, 0
    )
    assert [row["pid"] for row in details] == [own, 4711, 79]
    here.at(6)
    listed = client.ask("nvmlDeviceGetComputeRunningProcesses", "gpu0")
    assert (listed[-1]["pid"], listed[-1]["usedGpuMemory"]) == (80, None)


def test_a_process_may_come_from_a_file(node, tmp_path):
    path = tmp_path / "job pid"
    client = node(Gpu(power=LOAD, processes=[Process(pid=f"file:{path}")])).client().start()
    assert client.ask("nvmlDeviceGetComputeRunningProcesses", "gpu0") == []
    path.write_text("4242\n")
    assert client.ask("nvmlDeviceGetComputeRunningProcesses", "gpu0")[0]["pid"] == 4242


def test_utilisation_samples_have_their_own_view_of_pids_and_tell_new_things_only(node):
    busy = Process(pid=7, usage_pid=12345, sm_percent=60, memory_percent=20)
    here = node(Gpu(power=LOAD, processes=[busy, Process(pid=8)]))
    client = here.client().start()
    here.at(5.4)
    (sample,) = client.ask("nvmlDeviceGetProcessUtilization", "gpu0", 0)
    assert (sample["pid"], sample["smUtil"], sample["memUtil"]) == (12345, 60, 20)
    (info,) = client.ask("nvmlDeviceGetProcessesUtilizationInfo", "gpu0", 0)
    assert (info["pid"], info["timeStamp"]) == (12345, sample["timeStamp"])
    assert client.code("nvmlDeviceGetProcessUtilization", "gpu0", sample["timeStamp"]) == 6
    here.at(6)
    (later,) = client.ask("nvmlDeviceGetProcessUtilization", "gpu0", sample["timeStamp"])
    assert later["timeStamp"] - sample["timeStamp"] == 1_000_000


@pytest.fixture
def mig(node):
    instances = [
        MigInstance(uuid="MIG-a", gpu_instance=1, slices=3, memory_bytes=40 * GIB),
        MigInstance(uuid="MIG-b", gpu_instance=2, slices=4, memory_bytes=40 * GIB),
    ]
    processes = [
        Process(pid=7, gpu_instance=1, memory_bytes=GIB),
        Process(pid=8, gpu_instance=2, sm_percent=50),
    ]
    here = node(Gpu(power=LOAD, sensor=A100, mig=True, instances=instances, processes=processes))
    client = here.client().start()
    client.keep("a", "nvmlDeviceGetMigDeviceHandleByIndex", "gpu0", 0)
    client.keep("b", "nvmlDeviceGetHandleByUUID", "MIG-b")
    return client


def test_mig_instances_have_handles_slices_and_memory(mig):
    assert mig.ask("nvmlDeviceGetMigMode", "gpu0") == [1, 1]
    assert mig.ask("nvmlDeviceGetMaxMigDeviceCount", "gpu0") == 7
    assert mig.code("nvmlDeviceGetMigDeviceHandleByIndex", "gpu0", 2) == 6
    assert mig.ask("nvmlDeviceGetUUID", "a") == "MIG-a"
    assert mig.ask("nvmlDeviceGetName", "a") == f"{A100.name} MIG 3g.40gb"
    assert mig.ask("nvmlDeviceGetGpuInstanceId", "b") == 2
    assert mig.ask("nvmlDeviceGetComputeInstanceId", "b") == 0
    assert mig.ask("nvmlDeviceGetAttributes", "b")["gpuInstanceSliceCount"] == 4
    assert mig.ask("nvmlDeviceGetMemoryInfo", "a")["total"] == 40 * GIB
    assert mig.ask("nvmlDeviceIsMigDeviceHandle", "a") == 1
    mig.keep("board", "nvmlDeviceGetDeviceHandleFromMigDeviceHandle", "a")
    assert mig.ask("nvmlDeviceGetUUID", "board") == mig.ask("nvmlDeviceGetUUID", "gpu0")


def test_only_the_board_has_power_and_nobody_utilisation_in_mig_mode(mig):
    assert mig.power() == 100_000
    assert mig.code("nvmlDeviceGetPowerUsage", "a") == 3
    assert mig.code("nvmlDeviceGetTotalEnergyConsumption", "a") == 3
    assert mig.fields("a", 83)[83]["code"] == 3
    assert mig.code("nvmlDeviceGetUtilizationRates", "gpu0") == 3
    assert mig.code("nvmlDeviceGetProcessUtilization", "gpu0", 0) == 3


def test_process_lists_of_instances_and_of_the_board(mig):
    def listed(handle):
        rows = mig.ask("nvmlDeviceGetComputeRunningProcesses", handle)
        return [(row["pid"], row["gpuInstanceId"]) for row in rows]

    assert listed("gpu0") == [(7, 1), (8, 2)]
    assert listed("a") == [(7, 1)]
    assert listed("b") == [(8, 2)]


def test_a_vgpu_has_no_counter_no_fields_of_power_and_no_buffer(node):
    client = node(Gpu(power=Constant(40), sensor=VGPU)).client().start()
    assert client.power() == 40_000
    assert [row["code"] for row in client.fields("gpu0", 83, 185, 186).values()] == [3, 3, 3]
    assert client.code("nvmlDeviceGetSamples", "gpu0", 0, 0) == 3
    assert client.code("nvmlDeviceGetMigMode", "gpu0") == 3
