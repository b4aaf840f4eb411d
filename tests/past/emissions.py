"""codecarbon's emissions.csv for tests: the columns of two releases, and a row of each."""

from __future__ import annotations

import csv
import io

NEWEST = {  # of 3.3.2, as it wrote it
    "timestamp": "2026-03-01T11:00:00",
    "project_name": "lora",
    "run_id": "1db20cbb-8991-4273-8183-26db09480857",
    "experiment_id": "5b0fa12a-3dd7-45bb-9766-cc326314d9f1",
    "duration": "7200.0181277640003827",
    "emissions": "0.115",
    "emissions_rate": "1.6e-05",
    "cpu_power": "60.5",
    "gpu_power": "700.0",
    "ram_power": "25.0",
    "cpu_energy": "0.121",
    "gpu_energy": "1.4",
    "ram_energy": "5e-02",
    "energy_consumed": "1.571",
    "water_consumed": "0.0",
    "country_name": "France",
    "country_iso_code": "FRA",
    "region": "",
    "cloud_provider": "",
    "cloud_region": "",
    "os": "Linux",
    "python_version": "3.11.7",
    "codecarbon_version": "3.3.2",
    "cpu_count": "64",
    "cpu_model": "AMD EPYC, 64 cores",
    "gpu_count": "2",
    "gpu_model": "2 x NVIDIA A100-SXM4-80GB",
    "longitude": "",
    "latitude": "",
    "ram_total_size": "23.54016876220703",
    "tracking_mode": "machine",
    "cpu_utilization_percent": "3.0",
    "gpu_utilization_percent": "97.5",
    "ram_utilization_percent": "2.9",
    "ram_used_gb": "0.69",
    "on_cloud": "N",
    "pue": "1",
    "wue": "0.0",
}
_GONE = {
    "experiment_id", "water_consumed", "cpu_utilization_percent", "gpu_utilization_percent",
    "ram_utilization_percent", "ram_used_gb", "wue", "pue",
}  # fmt: skip
EARLY = {name: cell for name, cell in NEWEST.items() if name not in _GONE} | {
    "codecarbon_version": "2.1.4"
}
QUEBEC = {
    "country_name": "Canada",
    "country_iso_code": "CAN",
    "region": "quebec",
    "longitude": "-71.2",
    "latitude": "46.8",
}
"""What codecarbon writes where it cannot find out where it is."""


def row(**changes: str) -> dict[str, str]:
    """A row of the newest release: two hours on two GPUs in France."""
    return {**NEWEST, **changes}


def file(*rows: dict[str, str]) -> bytes:
    """Rows as codecarbon writes them, under the header of the first."""
    made = io.StringIO()
    writer = csv.DictWriter(made, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return made.getvalue().encode()
