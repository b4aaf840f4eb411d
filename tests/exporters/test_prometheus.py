"""The /metrics page. Rewrite the golden page with METER_GOLDEN=write and read the diff."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families

from meter.model import Component, Counter, Method
from meter.snapshot import (
    BudgetView,
    Collector,
    Exemplar,
    FactorGauge,
    ForecastView,
    GpuView,
    Health,
    HostView,
    RunView,
    Snapshot,
)
from meter_exporters.metric_families import families
from meter_exporters.prometheus import Exposition, SnapshotCollector, text

if TYPE_CHECKING:
    from collections.abc import Callable

GOLDEN = Path(__file__).parent / "golden_metrics.prom"
OPEN = "application/openmetrics-text; version=1.0.0"
RUN = "01JB0000000000000000000000"
UNITS = {"joules", "watts", "grams", "ratio", "bytes", "celsius", "seconds"}


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
            dropped=(("pipe", 3),),
            series_dropped=2,
            series_left_out=1,
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
            FactorGauge(
                "meter_price_book_timestamp_seconds",
                (("provider", "openai"),),
                Decimal(1_764_000_000),
            ),
        ),
        counters=(
            counter("meter_gpu_energy_joules_total", "12345.678", gpu="0", uuid=gpu.uuid),
            counter("meter_energy_gap_seconds_total", "1.5", uuid=gpu.uuid),
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


def test_openmetrics_tells_the_unit_of_what_has_one() -> None:
    page = Exposition(snapshot).render(OPEN)[0].decode()
    told = {family.name: family.unit for family in open_metrics(page)}
    assert "# UNIT meter_gpu_energy_joules joules\n" in page
    assert told["meter_gpu_power_watts"] == "watts"
    assert told["meter_emissions_grams"] == "grams"
    assert told["meter_grid_intensity_grams_per_kwh"] == "grams_per_kwh"
    assert told["meter_run_start_timestamp_seconds"] == "seconds"
    without = {name for name, unit in told.items() if not unit}
    assert not {name for name in without if name.rpartition("_")[2] in UNITS}
    assert {"meter_cost", "meter_run_cost", "meter_run_tokens", "meter_run"} <= without
    assert b"# UNIT" not in Exposition(snapshot).render("text/plain")[0]


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


@given(st.lists(st.tuples(st.integers(0, 9), st.none() | st.integers(10, 99)), max_size=8),
       st.integers(0, 5))  # fmt: skip
def test_of_many_runs_the_page_has_some_and_counts_the_series_of_the_others(
    times: list[tuple[int, int | None]], most: int
) -> None:
    runs = tuple(
        replace(
            snapshot().runs[number % 2],
            id=f"r{number}",
            started_us=began,
            ended_us=ended,
            gpus=tuple((str(gpu), f"GPU-{gpu}") for gpu in range(number % 3)),
            budgets=tuple(
                BudgetView(f"U{n}", Decimal(1), used)
                for n, used in enumerate((None, Decimal(0))[: number % 3])
            ),
        )
        for number, (began, ended) in enumerate(times)
    )
    of_runs = {run.id: (counter("meter_run_steps_total", "1", run=run.id),) for run in runs}
    quiet = replace(snapshot(), runs=(), counters=())
    crowded = replace(quiet, runs=runs, of_runs=of_runs)

    def page(shown: Snapshot, most: int | None = None) -> dict[str, float]:
        text, _ = Exposition(lambda: shown, runs=most).render()
        return dict(line.rsplit(" ", 1) for line in text.decode().splitlines() if line[0] != "#")

    dropped = "meter_series_dropped_total"
    found, whole = page(crowded, most), page(crowded)
    assert float(found[dropped]) - float(whole[dropped]) == len(whole) - len(found)
    kept = {run.id for run in runs if f'meter_run_steps_total{{run="{run.id}"}}' in found}
    assert len(kept) == min(most, len(runs))
    assert {name for name in whole if "run=" not in name} <= found.keys()
    for run in runs:  # whoever has no place is not before one that has
        for other in runs:
            if run.id in kept and other.id not in kept:
                assert run.ended_us is None or other.ended_us is not None
                if run.ended_us is None and other.ended_us is None:
                    assert run.started_us <= other.started_us
                if run.ended_us is not None and other.ended_us is not None:
                    assert run.ended_us >= other.ended_us


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
        "application/openmetrics-text;version=1.0.0;escaping=underscores",
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


def told(run: str, amount: str = "300", at_us: int = 1_764_000_000_123_456) -> Snapshot:
    """The page's snapshot, with the run that raised the project's money."""
    series = ("meter_cost_total", ("näive", "own", "electricity", "EUR"))
    return replace(snapshot(), exemplars={series: Exemplar(run, Decimal(amount), at_us)})


@given(st.text(st.characters(blacklist_categories=("Cs",)), max_size=125))
def test_an_exemplar_names_its_run_as_the_library_writes_it(run: str) -> None:
    """Any text, though an id is none of it; the library's parser cannot read all of that."""
    shown = told(run)
    page = Exposition(lambda: shown).render(OPEN)[0]
    registry = CollectorRegistry(auto_describe=False)
    registry.register(SnapshotCollector(lambda: shown, 5_000))
    encoder, _ = choose_encoder(OPEN)
    assert page == encoder(registry)


@given(st.from_regex(r"[A-Za-z0-9._:-]{1,125}", fullmatch=True))
def test_an_exemplar_is_read_as_it_was_meant(run: str) -> None:
    page = Exposition(lambda: told(run)).render(OPEN)[0]
    [found] = [
        sample.exemplar
        for family in open_metrics(page.decode())
        for sample in family.samples
        if sample.exemplar is not None
    ]
    assert (found.labels, found.value) == ({"run": run}, 300.0)
    assert float(found.timestamp) == pytest.approx(1_764_000_000.123456, abs=1e-6)


def test_there_are_no_exemplars_in_the_text_format_and_of_series_that_are_not_shown() -> None:
    plain = [Exposition(lambda s=shown: s).render()[0] for shown in (told(RUN), snapshot())]
    assert plain[0] == plain[1]
    assert text(told(RUN)) == text(snapshot())
    shown = replace(told(RUN), counters=())
    assert b"} # {" not in Exposition(lambda: shown).render(OPEN)[0]
    filtered = Exposition(lambda: told(RUN)).render(OPEN, ("meter_cost_total",))[0]
    assert f'# {{run="{RUN}"}} 300.0 1764000000.123456'.encode() in filtered


def test_a_crowd_of_models_takes_no_room_from_gpus_energy_and_money() -> None:
    crowd = [
        counter(name, "1", project=f"p{number % 60}", provider="openai", model=f"m{number}", **more)
        for number in range(90)
        for name, more in (
            ("meter_usage_unpriced_total", {}),
            ("meter_hosting_seconds_total", {}),
            ("meter_tokens_total", {"token_type": "input"}),
        )
    ]
    shown = replace(snapshot(), counters=(*crowd, *snapshot().counters))
    plain = Exposition(snapshot).render()[0].decode()
    kept = [
        line for line in plain.splitlines()
        if not line.startswith(("#", "meter_run", "meter_series")) and "model=" not in line
    ]  # fmt: skip
    page = Exposition(lambda: shown, limit=len(kept) + 50).render()[0].decode().splitlines()
    assert set(kept) <= set(page)
    assert sum("model=" in line for line in page) > 20


@pytest.mark.parametrize("way", ["dots", "values", "underscores", "allow-utf-8"])
def test_however_names_are_to_be_escaped_ours_are_plain_and_fit_their_units(way: str) -> None:
    accept = f"application/openmetrics-text;version=1.0.0;escaping={way}"
    page, content_type = Exposition(snapshot).render(accept)
    assert "escaping=dots" not in content_type
    found = {family.name for family in open_metrics(page.decode())}
    assert {"meter_gpu_power_watts", "meter_grid_intensity_grams_per_kwh"} <= found
