"""The /metrics page. Rewrite the golden page with METER_GOLDEN=write and read the diff."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families

from meter.model import Component, Counter, Method
from meter.snapshot import (
    Collector,
    FactorGauge,
    ForecastView,
    GpuView,
    Health,
    HostView,
    RunView,
    Snapshot,
)
from meter_exporters.prometheus import Exposition, SnapshotCollector, families, text

if TYPE_CHECKING:
    from collections.abc import Callable

GOLDEN = Path(__file__).parent / "golden_metrics.prom"
OPEN = "application/openmetrics-text; version=1.0.0"
RUN = "01JB0000000000000000000000"


def counter(name: str, value: str, **labels: str) -> Counter:
    return Counter(name, tuple(labels.items()), Decimal(value))


def snapshot() -> Snapshot:
    """One of everything, with labels that need escaping."""
    gpu = GpuView(
        uuid="GPU-11111111-1111-1111-1111-111111111111",
        index="0",
        name='NVIDIA "H100"',
        method=Method.MEASURED,
        pci_bus_id="00000000:18:00.0",
        driver_version="580.65.06",
        power_mw=412_500,
        utilization_ratio=0.93,
        memory_used_bytes=68_719_476_736,
        temperature_celsius=61.0,
    )
    silent = GpuView("GPU-2", "1", "NVIDIA H100", Method.MODELLED, simulated=True)
    return Snapshot(
        at_ns=0,
        health=Health(
            version="0.1.0",
            collectors=(
                Collector("nvml", success=True),
                Collector("rapl", success=False),
                Collector("intensity", success=True, last_ok_us=1_764_000_000_000_000),
            ),
            gap_ns=((gpu.uuid, 1_500_000_000),),
            dropped=(("pipe", 3),),
            series_dropped=2,
            store_write_failures=1,
        ),
        gpus=(gpu, silent),
        hosts=(HostView("cpu-0", Component.CPU, "CPU", Method.MODELLED),),
        runs=(
            RunView(
                RUN,
                "llama\nsft",
                "näive",
                1_764_000_000_000_000,
                gpus=(("0", gpu.uuid),),
                forecast=ForecastView(0.25, 48_000_500, 1_764_003_600_000_000),
            ),
            RunView("over", "eval", "näive", 1_764_000_000_000_000, ended_us=1_764_000_060_500_000),
        ),
        factors=(
            FactorGauge(
                "meter_grid_intensity_grams_per_kwh",
                (("zone", "FRA"), ("source", "codecarbon")),
                Decimal("56.039"),
            ),
            FactorGauge(
                "meter_electricity_price_per_kwh",
                (("site", "default"), ("currency", "EUR"), ("source", "configuration")),
                Decimal("0.21"),
            ),
            FactorGauge(
                "meter_pue_ratio",
                (("site", "default"), ("source", "configuration")),
                Decimal("1.25"),
            ),
        ),
        counters=(
            counter("meter_gpu_energy_joules_total", "12345.678", gpu="0", uuid=gpu.uuid),
            counter("meter_host_energy_joules_total", "1000.5", component="cpu", method="modelled"),
            counter(
                "meter_energy_joules_total",
                "12000",
                project="näive",
                component="gpu",
                method="measured",
            ),
            counter(
                "meter_energy_joules_total",
                "345.678",
                project="(idle)",
                component="gpu",
                method="measured",
            ),
            counter(
                "meter_cost_total",
                "0.0007",
                project="näive",
                provider="own",
                kind="electricity",
                currency="EUR",
            ),
            counter(
                "meter_emissions_grams_total",
                "0.187",
                project="näive",
                kind="electricity",
                basis="location",
            ),
            counter(
                "meter_run_energy_joules_total",
                "12000",
                run=RUN,
                component="gpu",
                method="measured",
            ),
            counter("meter_run_cost_total", "0.0007", run=RUN, kind="electricity", currency="EUR"),
            counter(
                "meter_run_emissions_grams_total",
                "0.187",
                run=RUN,
                kind="electricity",
                basis="location",
            ),
            counter("meter_run_tokens_total", "8192", run=RUN, token_type="train"),
        ),
    )


def test_the_page_is_the_golden_page() -> None:
    page = text(snapshot())
    if os.environ.get("METER_GOLDEN") == "write":
        GOLDEN.write_bytes(page)
    assert page == GOLDEN.read_bytes()


def test_promtool_finds_nothing_to_blame(require_tool: Callable[[str], str]) -> None:
    promtool = require_tool("promtool")
    done = subprocess.run(
        [promtool, "check", "metrics"], input=text(snapshot()), capture_output=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_text_and_openmetrics_tell_the_same_without_created_series() -> None:
    exposition = Exposition(snapshot)
    plain, plain_type = exposition.render("text/plain")
    modern, modern_type = exposition.render(OPEN)
    assert plain_type.startswith("text/plain; version=0.0.4")
    assert modern_type.startswith("application/openmetrics-text; version=1.0.0")
    assert b"_created" not in plain + modern
    assert modern.endswith(b"# EOF\n")
    classic = {
        (sample.name, *sorted(sample.labels.items()), sample.value)
        for metric in text_string_to_metric_families(plain.decode())
        for sample in metric.samples
    }
    newer = {
        (sample.name, *sorted(sample.labels.items()), sample.value)
        for metric in open_metrics(modern.decode())
        for sample in metric.samples
    }
    assert classic == newer
    assert len(classic) > 20


@pytest.mark.parametrize("accept", ["application/openmetrics-text;version=x", "a,b;q=9", "", None])
def test_any_accept_header_gets_a_page(accept: str | None) -> None:
    assert b"meter_build_info" in Exposition(snapshot).render(accept)[0]


def test_names_filter_the_page() -> None:
    page, _ = Exposition(snapshot).render(None, ["meter_gpu_power_watts", "meter_cost_total"])
    names = {metric.name for metric in text_string_to_metric_families(page.decode())}
    assert names == {"meter_gpu_power_watts", "meter_cost"}


def test_what_a_gpu_does_not_tell_is_absent() -> None:
    page = text(snapshot()).decode()
    assert 'meter_gpu_power_watts{gpu="0"' in page
    assert 'meter_gpu_power_watts{gpu="1"' not in page
    assert "NaN" not in page


def test_a_page_has_a_limit_and_health_is_kept() -> None:
    crowd = tuple(counter("meter_run_tokens_total", "1", run=str(n), token_type="train")
                  for n in range(1000))  # fmt: skip
    page, _ = Exposition(lambda: replace(snapshot(), counters=crowd), limit=100).render()
    samples = [line for line in page.decode().splitlines() if not line.startswith("#")]
    assert len(samples) == 100
    assert any(line.startswith("meter_build_info") for line in samples)


def test_each_scrape_shows_the_snapshot_of_that_moment() -> None:
    shown = [snapshot(), replace(snapshot(), runs=(), counters=())]
    exposition = Exposition(lambda: shown.pop(0))
    assert RUN.encode() in exposition.render()[0]
    assert RUN.encode() not in exposition.render()[0]


def test_every_family_is_described_once_with_bounded_labels() -> None:
    known = families()
    names = [name for name, *_ in known]
    assert len(names) == len(set(names))
    for name, kind, help_text, labels in known:
        assert name.startswith("meter_")
        assert (kind == "counter") == name.endswith("_total")
        assert (kind == "info") == name.endswith("_info")
        assert help_text.endswith(".")
        assert not {"pid", "user", "host", "hostname", "instance", "job", "prompt"} & set(labels)


@pytest.mark.parametrize(
    "accept",
    [
        "",
        "text/plain;version=0.0.4",
        "text/plain;version=1.0.0;escaping=allow-utf-8",
        "application/openmetrics-text",
        OPEN,
        "application/openmetrics-text;version=2.0.0;escaping=dots",
    ],
)
def test_the_page_is_the_librarys_to_the_byte_from_scrape_to_scrape(accept: str) -> None:
    shown = [snapshot()]
    page = Exposition(lambda: shown[0])
    registry = CollectorRegistry()
    registry.register(SnapshotCollector(lambda: shown[0], 5_000))
    encoder, content_type = choose_encoder(accept)
    for change in (1, 2, 3):
        assert page.render(accept) == (encoder(registry), content_type)
        odd = counter("meter_run_tokens_total", "1e20", run=f'\\ \n "{change}"', token_type="t")
        more = tuple(replace(c, value=c.value * change) for c in shown[0].counters)
        shown[0] = replace(shown[0], counters=(*more[change:], odd))
