"""Facts made by hand for the ledger's tests: a node, a site, two GPUs, runs with round numbers."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from meter.config import Banded, Config, Electricity, GpuTime, Window
from meter.model import (
    Component,
    Device,
    Hold,
    Interval,
    Kind,
    LedgerBatch,
    Method,
    Node,
    Run,
    RunState,
    RunStatus,
    Site,
)

START_US = int(datetime(2026, 3, 1, 9, tzinfo=UTC).timestamp()) * 1_000_000
MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
BOOT_NS = 1_000_000_000_000
GPUS = ("GPU-0", "GPU-1")

NODE = Node("trainer-3", "boot-1", "trainer-3")


def site(zone: str | None = None) -> Site:
    return Site("lab", "lab", zone)


def band(value: str, low: str | None = None, high: str | None = None) -> Banded:
    return Banded(Decimal(value), Decimal(low or value), Decimal(high or value))


def config(**changes) -> Config:
    values = {"home": Path("/h"), "socket": Path("/s"), "lease_dir": Path("/l")}
    return Config(**{**values, "site_name": "lab", **changes})


def priced(zone: str | None = "FRA", windows: tuple[Window, ...] = ()) -> Config:
    """0.25 EUR/kWh, PUE 1.2, 2 USD an hour."""
    return config(
        zone=zone,
        pue=band("1.2", "1.1", "1.4"),
        electricity=Electricity("EUR", band("0.25", "0.24", "0.26"), windows, "Europe/Paris"),
        gpu_time=GpuTime("USD", band("2")),
    )


def devices() -> tuple[Device, ...]:
    gpus = [
        Device(uuid, Component.GPU, "NVIDIA H100", Method.MEASURED, index=index)
        for index, uuid in enumerate(GPUS)
    ]
    return (
        *gpus,
        Device("cpu-0", Component.CPU, "EPYC", Method.MODELLED),
        Device("ram", Component.RAM, "256 GiB", Method.MODELLED),
    )


def run(run_id: str = "01RUN0", *, project: str = "chat", name: str = "lora", **changes) -> Run:
    values = {"started_us": START_US, "started_ns": BOOT_NS, "node_id": NODE.id, "site_id": "lab"}
    return Run(run_id, name, project, **{**values, "tags": (("base", "mistral"),), **changes})


def minute(
    number: int,
    *,
    device: str = GPUS[0],
    run_id: str | None = "01RUN0",
    energy_mj: int = 36_000_000,
    kind: Kind = Kind.RUN,
    method: Method = Method.MEASURED,
    covered_us: int = MINUTE_US,
) -> Interval:
    """A minute since START_US; 36 kJ are 600 W."""
    start = START_US + number * MINUTE_US
    return Interval(
        device_id=device,
        kind=kind,
        run_id=run_id if kind is Kind.RUN else None,
        start_us=start,
        end_us=start + MINUTE_US,
        energy_mj=energy_mj,
        low_mj=energy_mj * 95 // 100,
        high_mj=-(-energy_mj * 105 // 100),
        covered_us=covered_us,
        measured_mj=energy_mj if method is Method.MEASURED else 0,
        method=method,
    )


def registered(run_id: str = "01RUN0", *, zone: str | None = None, **changes) -> LedgerBatch:
    """The first batch of a run on both GPUs, without energy."""
    return LedgerBatch(
        nodes=(NODE,),
        sites=(site(zone),),
        devices=devices(),
        runs=(run(run_id, **changes),),
        holds=tuple(Hold(run_id, gpu, BOOT_NS) for gpu in GPUS),
        states=(RunState(run_id, RunStatus.RUNNING, START_US),),
        site_id="lab",
    )


def ended(run_id: str = "01RUN0", *, minutes: int, exit_code: int = 0) -> LedgerBatch:
    """The last batch of a run."""
    end_ns = BOOT_NS + minutes * 60_000_000_000
    status = RunStatus.COMPLETED if exit_code == 0 else RunStatus.FAILED
    at_us = START_US + minutes * MINUTE_US
    return LedgerBatch(
        holds=tuple(Hold(run_id, gpu, BOOT_NS, end_ns) for gpu in GPUS),
        states=(RunState(run_id, status, at_us, exit_code),),
    )
