"""CPU and RAM: RAPL with its wraps, else a model whose assumptions are said."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from meter.errors import SourceAbsentError, TransientError
from meter.model import Component, Method
from meter.sampling.cpu_list import list_path, read_list, tdp_watts
from meter.sampling.host import Constants, Host
from meter.sampling.rapl import Rapl
from tests.sampling.looking import ManualClock

if TYPE_CHECKING:
    from pathlib import Path

RANGE_UJ = 262_143_328_850


def zone(root: Path, folder: str, name: str, energy_uj: int) -> Path:
    home = root / folder
    home.mkdir(parents=True)
    (home / "name").write_text(f"{name}\n")
    (home / "energy_uj").write_text(f"{energy_uj}\n")
    (home / "max_energy_range_uj").write_text(f"{RANGE_UJ}\n")
    return home / "energy_uj"


def proc(root: Path, model: str = "AMD EPYC 7742 64-Core Processor", sockets: int = 2) -> Path:
    cpus = [
        f"processor\t: {n}\nmodel name\t: {model}\nphysical id\t: {n % sockets}\n" for n in range(4)
    ]
    (root / "cpuinfo").write_text("\n".join(cpus))
    (root / "meminfo").write_text("MemTotal:       67108864 kB\nMemFree: 1 kB\n")
    (root / "stat").write_text("cpu  100 0 100 700 100 0 0 0 0 0\ncpu0 1 2 3\n")
    return root


def test_rapl_packages_and_memory_are_devices_of_their_own(tmp_path: Path) -> None:
    zone(tmp_path, "intel-rapl:0", "package-0", 1)
    zone(tmp_path, "intel-rapl:0:0", "dram", 1)
    zone(tmp_path, "intel-rapl:0:1", "core", 1)
    zone(tmp_path, "intel-rapl:1", "package-1", 1)
    zone(tmp_path, "intel-rapl:1:0", "dram", 1)
    zone(tmp_path, "intel-rapl:2", "psys", 1)
    zone(tmp_path, "intel-rapl-mmio:0", "package-0", 1)
    rapl = Rapl(tmp_path, ManualClock())
    devices = rapl.open()
    assert [device.id for device in devices] == ["cpu-0", "cpu-1", "ram"]
    assert {device.method for device in devices} == {Method.MEASURED}
    assert rapl.components() == {Component.CPU, Component.RAM}


def test_a_rapl_counter_that_wraps_loses_nothing(tmp_path: Path) -> None:
    counter = zone(tmp_path, "intel-rapl:0", "package-0", RANGE_UJ - 5_000)
    rapl = Rapl(tmp_path, ManualClock())
    rapl.open()
    assert rapl.look("cpu-0").energy_mj == 0
    counter.write_text("7000")
    assert rapl.look("cpu-0").energy_mj == 12
    counter.write_text("9000")
    assert rapl.look("cpu-0").energy_mj == 14


def test_rapl_that_is_not_there_or_not_readable_says_why(tmp_path: Path) -> None:
    with pytest.raises(SourceAbsentError, match="no RAPL"):
        Rapl(tmp_path, ManualClock()).open()
    counter = zone(tmp_path, "intel-rapl:0", "package-0", 1)
    counter.unlink()
    counter.mkdir()  # unreadable for root too
    with pytest.raises(SourceAbsentError) as caught:
        Rapl(tmp_path, ManualClock()).open()
    assert "root" in caught.value.remedy


def test_a_rapl_file_that_fails_later_is_a_fault_of_that_look(tmp_path: Path) -> None:
    counter = zone(tmp_path, "intel-rapl:0", "package-0", 1)
    rapl = Rapl(tmp_path, ManualClock())
    rapl.open()
    counter.write_text("nonsense")
    with pytest.raises(TransientError):
        rapl.look("cpu-0")
    counter.write_text("2001")
    assert rapl.look("cpu-0").energy_mj == 2


def test_a_known_cpu_is_modelled_by_its_tdp_and_load(tmp_path: Path) -> None:
    host = Host(proc(tmp_path))
    cpu, ram = host.open()
    assert (cpu.id, cpu.method, ram.id, ram.method) == (
        "cpu-0",
        Method.MODELLED,
        "ram",
        Method.MODELLED,
    )
    assert "TDP 225 W x 2" in cpu.name
    assert host.look("cpu-0").mean_mw == 126_000  # since the start a fifth of the time was busy
    (tmp_path / "stat").write_text("cpu  300 0 100 900 100 0 0 0 0 0\n")
    look = host.look("cpu-0")  # half of the time was busy
    assert look.mean_mw == 247_500
    assert look.energy_mj is None
    assert host.look("ram").mean_mw == 64 * 375
    assert (cpu.power_floor_mw, cpu.power_limit_mw) == (45_000, 450_000)
    assert (ram.power_floor_mw, ram.power_limit_mw) == (24_000, 24_000)


def test_an_unknown_cpu_is_an_assumption_and_says_so(tmp_path: Path) -> None:
    cpu = Host(proc(tmp_path, "AMD EPYC")).open()[0]
    assert cpu.method is Method.ASSUMED
    assert "4 W a thread" in cpu.name
    without_list = Host(proc(tmp_path), cpu_list=lambda: None).open()[0]
    assert without_list.method is Method.ASSUMED


def test_what_is_measured_is_not_modelled_too(tmp_path: Path) -> None:
    host = Host(proc(tmp_path), measured=lambda: frozenset({Component.CPU}))
    assert [device.id for device in host.open()] == ["ram"]


def test_a_host_without_proc_says_why(tmp_path: Path) -> None:
    with pytest.raises(SourceAbsentError, match="cannot be modelled"):
        Host(tmp_path).open()


def test_asking_again_keeps_where_the_last_look_was(tmp_path: Path) -> None:
    host = Host(proc(tmp_path))
    host.open()
    host.look("cpu-0")
    (tmp_path / "stat").write_text("cpu  300 0 100 900 100 0 0 0 0 0\n")
    host.open()
    assert host.look("cpu-0").mean_mw == 247_500


@pytest.mark.parametrize(
    ("model", "watts"),
    [
        ("AMD EPYC 7742 64-Core Processor", 225),
        ("Intel(R) Xeon(R) Gold 6248 CPU @ 2.50GHz", 150),
        ("Intel(R) Xeon(R) Gold 6248R CPU @ 3.00GHz", 205),
        ("Intel(R) Xeon(R) Platinum 8480+", 350),
        ("AMD Ryzen 9 5950X 16-Core Processor", 105),
    ],
)
def test_model_names_of_the_kernel_find_their_cpu_in_the_list(model: str, watts: int) -> None:
    file = list_path()
    assert file is not None
    found = tdp_watts(model, read_list(file))
    assert found is not None
    assert found[1] == watts


@pytest.mark.parametrize("model", ["", "AMD EPYC", "unknown CPU", "Intel(R) Xeon(R) Processor"])
def test_a_name_that_says_too_little_finds_none(model: str) -> None:
    file = list_path()
    assert file is not None
    assert tdp_watts(model, read_list(file)) is None


def test_the_constants_come_with_source_and_date() -> None:
    constants = Constants.bundled()
    assert 0 < constants.cpu_idle_share < 1
    assert constants.ram_watts_per_gib == 0.375
