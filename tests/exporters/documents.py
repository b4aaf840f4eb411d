"""Run documents made by hand, for the summary and the exporters."""

from __future__ import annotations

import copy
import math
from typing import Any

MINUTE_US = 60_000_000
START_US = 1_793_610_847_000_000  # 2026-11-02T09:14:07Z


def quantity(
    value: float | str, low: float | str, high: float | str, unit: str, method: str
) -> dict[str, Any]:
    """A quantity of a document."""
    return {"value": value, "low": low, "high": high, "unit": unit, "method": method}


def document(*, simulated: bool = False, **changes: Any) -> dict[str, Any]:
    """A run of 20 minutes on two GPUs, with a tariff, a PUE and a zone."""
    gpu0 = quantity(684_120.4, 649_914.4, 718_326.5, "J", "measured")
    gpu1 = quantity(671_874.9, 638_281.2, 705_468.7, "J", "measured")
    cpu = quantity(96_410.2, 48_205.1, 144_615.3, "J", "modelled")
    ram = quantity(28_800.0, 14_400.0, 43_200.0, "J", "modelled")
    it = quantity(1_481_205.5, 1_350_800.8, 1_611_610.5, "J", "modelled")
    made: dict[str, Any] = {
        "schema": "meter.run/1",
        "run": {
            "id": "01K92F5D4RZ8Q7XW3M6T1VBN0C",
            "name": "mistral-7b-lora",
            "project": "support-chat",
            "tags": {"base": "mistral-7b", "stage": "sft"},
            "status": "completed",
            "started_at": "2026-11-02T09:14:07.000000Z",
            "ended_at": "2026-11-02T09:34:07.400000Z",
            "duration_s": 1200.4,
            "exit_code": 0,
            "nodes": ["trainer-3"],
        },
        "energy": {
            "it": it,
            "facility": quantity(1_777_446.6, 1_553_420.9, 2_095_093.7, "J", "modelled"),
            "by_component": {
                "gpu": quantity(1_355_995.3, 1_288_195.6, 1_423_795.2, "J", "measured"),
                "cpu": cpu,
                "ram": ram,
                "hosted": quantity(0.0, 0.0, 0.0, "J", "assumed"),
            },
            "devices": [
                _device("GPU-6f1c2a7e-4b1d-9c55-22aa-7d0e5b9a1f01", "gpu", gpu0, 1.0),
                _device("GPU-a90b54d3-08f2-7e61-91c4-3b7f6e2d8c02", "gpu", gpu1, 0.968),
                _device("cpu-0", "cpu", cpu, 1.0, "AMD EPYC 9354 32-Core Processor"),
                _device("ram", "ram", ram, 1.0, "251 GiB"),
            ],
            "measured_share": 0.915467,
            "unattributed_share": 0.004,
        },
        "cost": [
            _cost("electricity", "EUR", "0.102861", "0.093806", "0.111917"),
            _cost("electricity_overhead", "EUR", "0.020572", "0.014071", "0.033575"),
            _cost("gpu_time", "USD", "1.400467", "1.400467", "1.400467"),
        ],
        "carbon": {
            "location": quantity(27.668, 21.764, 35.874, "g", "modelled"),
            "market": None,
            "overhead": quantity(4.611, 2.839, 8.279, "g", "modelled"),
            "tnd": None,
            "embodied": None,
        },
        "water": None,
        "as_of": "2026-11-02T09:34:09.120000Z",
        "usage": [],
        "prices": [],
        "coverage": 0.992,
        "per": {"step": quantity(2_962.4, 2_701.6, 3_223.2, "J", "modelled")},
        "factors": factors(),
        "equivalents": [{"kind": "household_days", "value": 0.0509005, "factor": "household-eu"}],
        "notices": [
            {
                "code": "counter_gap",
                "severity": "warning",
                "device": "GPU-a90b54d3-08f2-7e61-91c4-3b7f6e2d8c02",
                "at": "2026-11-02T09:25:47.000000Z",
                "times": 1,
                "text": "GPU 1 was not seen for 38 s; its counter bridges the gap.",
            },
            {
                "code": "ram_modelled",
                "severity": "info",
                "device": None,
                "at": None,
                "times": 1,
                "text": "RAM is modelled: 0.375 W per GB of installed memory.",
            },
        ],
        "simulated": simulated,
    }
    for device in made["energy"]["devices"]:
        device["simulated"] = simulated and device["component"] == "gpu"
    made.update(copy.deepcopy(changes))
    return made


def _device(
    identity: str,
    component: str,
    energy: dict[str, Any],
    coverage: float,
    name: str = "NVIDIA H100 80GB HBM3",
) -> dict[str, Any]:
    return {
        "id": identity,
        "component": component,
        "name": name,
        "energy": energy,
        "coverage": coverage,
        "method": energy["method"],
        "simulated": False,
    }


def _cost(kind: str, currency: str, value: str, low: str, high: str) -> dict[str, Any]:
    amount = quantity(value, low, high, currency, "modelled")
    return {"kind": kind, "currency": currency, "amount": amount}


def factors() -> list[dict[str, Any]]:
    """The factor rows of the document."""
    rows = [
        ("grid-FRA-2023", "grid_intensity", "56.039", "g/kWh", "Our World in Data", "2023"),
        ("own-tariff", "electricity_price", "0.25", "EUR/kWh", "configuration", None),
        ("own-pue", "pue", "1.2", "1", "configuration", None),
        ("own-gpu-hour", "gpu_hour_rate", "2.10", "USD/h", "offer of 2026-03-02", None),
        ("household-eu", "household_energy", "9.7", "kWh/day", "Eurostat", "2022"),
    ]
    return [
        {
            "id": identity,
            "kind": kind,
            "scope": "default",
            "value": value if "EUR" in unit or "USD" in unit else float(value),
            "low": value if "EUR" in unit or "USD" in unit else float(value),
            "high": value if "EUR" in unit or "USD" in unit else float(value),
            "unit": unit,
            "method": "sourced",
            "source": source,
            "source_date": source_date,
            "licence": None,
            "valid_from": None,
            "valid_to": None,
            "recorded_at": "2026-11-02T09:14:07.000000Z",
        }
        for identity, kind, value, unit, source, source_date in rows
    ]


def series(document_: dict[str, Any], step_s: int = 1) -> list[dict[str, Any]]:
    """A second-by-second trace of the document's devices; GPU 1 is unseen for 38 s."""
    duration = int(document_["run"]["duration_s"])
    points: list[dict[str, Any]] = []
    for index, device in enumerate(document_["energy"]["devices"]):
        powers = [_power(index, second, duration) for second in range(0, duration + 1, step_s)]
        total = sum(powers) * step_s
        scale = device["energy"]["value"] / total
        energy = 0.0
        for number, power in enumerate(powers):
            second = number * step_s
            energy += power * step_s * scale
            if index == 1 and 700 < second < 738:
                continue
            points.append(
                {
                    "device_id": device["id"],
                    "at_us": START_US + second * 1_000_000,
                    "power_w": power * scale,
                    "energy_j": energy,
                }
            )
    return points


def _power(index: int, second: int, duration: int) -> float:
    """Loading, steps with a dip every two minutes for a checkpoint, evaluation at the end."""
    if index >= 2:
        return 80.0 + 6 * math.sin(second / 50) if index == 2 else 24.0
    if second < 45:
        return 90 + second
    if second > duration - 60:
        return 380 + 20 * math.sin(second / 3)
    wobble = 25 * math.sin(second * 1.7 + index) + 12 * math.sin(second / 4.1)
    return 230 if second % 150 < 12 else 640 + wobble - 12 * index


def marked(**changes: Any) -> dict[str, Any]:
    """The sample with steps, epochs and phases."""

    def spent(joules: float, share: float, duration_s: float) -> dict[str, Any]:
        energy = quantity(joules, joules * 0.9, joules * 1.1, "J", "modelled")
        return {"duration_s": duration_s, "energy": energy, "share": share}

    ends = {
        "started_at": "2026-11-02T09:00:00.000000Z",
        "ended_at": "2026-11-02T09:10:00.000000Z",
    }
    return document(
        steps={
            "count": 500, "first": 0, "last": 500, "trainings": 1, "spans": 500,
            "duration_s": 2_000.0, "energy": quantity(1.4e6, 1.3e6, 1.5e6, "J", "modelled"),
            "median_j": 2_900.0, "p95_j": 3_400.0,
        },
        epochs=[
            {"training": 1, "epoch": 1, "from": 0.0, "to": 1.0, **ends, **spent(7.0e5, 0.4, 800.0)},
            {"training": 1, "epoch": 2, "from": 1.0, "to": 1.5, **ends, **spent(3.5e5, 0.2, 400.0)},
        ],
        phases=[
            {"phase": "train", "times": 3, **spent(1.2e6, 0.7, 1_500.0)},
            {"phase": "<eval>", "times": 1, **spent(3.0e5, 0.2, 300.0)},
        ],
        **changes,
    )  # fmt: skip
