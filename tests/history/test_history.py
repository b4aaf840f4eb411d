"""History adds up to what the reports tell, rises only, and is text that parsers take."""

from __future__ import annotations

import itertools
import tracemalloc
from collections import defaultdict
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from history.day import ESTIMATED_MJ, FROM_US, HOSTED, JOB, RUNS, TO_US, make
from meter.errors import UsageError
from meter.ledger import open_reader
from meter.ledger.history import (
    FAMILIES,
    LINGER_MIN,
    STEPS_MIN,
    Asked,
    Bounds,
    Fill,
    _Grid,
    _Left,
    _told,
    samples,
)
from meter.ledger.instants import micros
from meter.ledger.reader import Reader
from meter.ledger.session import Session
from meter.model import LedgerBatch
from meter_exporters.metric_families import families
from meter_exporters.openmetrics import history
from tests.ledger.facts import HOUR_US, MINUTE_US, START_US, minute, registered
from tests.ledger.test_laws import RUNS as LAW_RUNS
from tests.ledger.test_laws import intervals

if TYPE_CHECKING:
    from collections.abc import Iterator


DAY = Asked.of(FROM_US, TO_US)
COUNTERS = {family.name for family in FAMILIES if family.fill is Fill.RISES}


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    with open_reader(make(tmp_path_factory.mktemp("day") / "ledger.duckdb")) as found:
        yield found


KEPT: dict[Asked, dict[tuple[str, ...], list[tuple[int, float]]]] = {}


def series(reader: Reader, asked: Asked = DAY) -> dict[tuple[str, ...], list[tuple[int, float]]]:
    """All series of a span; of the one ledger, so each span is read once."""
    if asked not in KEPT:
        found = KEPT[asked] = defaultdict(list)
        for one in samples(reader, asked):
            found[one.name, *one.values].append((one.at_us, one.value))
    return KEPT[asked]


def summed(found, name: str, *places: int) -> dict[tuple[str, ...], float]:
    """The last values of a counter, added up by some of its labels."""
    totals = defaultdict(float)
    for (named, *values), points in found.items():
        if named == name:
            totals[tuple(values[place] for place in places)] += points[-1][1]
    return totals


def test_families_have_the_names_and_labels_of_the_page() -> None:
    page = {name: labels for name, _, _, labels in families()}
    for family in FAMILIES:
        assert page[family.name] == family.labels


def test_counters_rise_from_zero_and_end_at_the_sums_of_the_reports(reader: Reader) -> None:
    found = series(reader)
    for (name, *_), points in found.items():
        if name in COUNTERS:
            assert all(one <= two for (_, one), (_, two) in pairwise(points))
            assert points[0][1] == 0 or name.startswith("meter_run_")
    rows = reader.rows("totals/by_project", from_=FROM_US, to=TO_US)
    exact = {(r["project"], r["kind"], r["currency"]): r["amount"] for r in rows}
    energy = summed(found, "meter_energy_joules_total", 0)
    for project in ("chat", "eval", "lab"):
        assert energy[(project,)] == pytest.approx(float(exact[project, "energy", None]) / 1e3)
    money = summed(found, "meter_cost_total", 0, 2, 3)
    for (project, kind, currency), amount in exact.items():
        if project is not None and currency is not None:
            assert money[project, kind, currency] == float(round(amount.scaleb(-9), 9)), project
    carbon = summed(found, "meter_emissions_grams_total", 0, 1, 2)
    grams = float(round(exact["chat", "location", None].scaleb(-9), 9))
    assert carbon["chat", "electricity", "location"] == grams
    market = exact["chat", "market", None] + exact["chat", "market_default", None]
    assert carbon["chat", "electricity", "market"] == float(round(market.scaleb(-9), 9))


def test_of_too_many_runs_those_that_began_last_have_series_and_no_sum_changes(
    reader: Reader,
) -> None:
    whole, left_out = series(reader), []
    for most in (0, 1, 3, 8, 9):
        told: list[int] = []
        found = defaultdict(list)
        for one in samples(reader, DAY, Bounds(runs=most, left_out=told.append)):
            found[one.name, *one.values].append((one.at_us, one.value))
        of_runs = {family.name for family in FAMILIES if family.of_runs}
        shown = {key[1] for key in found if key[0] in of_runs}
        assert found == {k: p for k, p in whole.items() if k[0] not in of_runs or k[1] in shown}
        start = "meter_run_start_timestamp_seconds"
        began = sorted((p[0][1], k[1]) for k, p in whole.items() if k[0] == start)
        assert shown == {run for _, run in began[max(0, len(began) - most) :]}
        left_out.append(told)
    assert left_out == [[8], [7], [5], [], []]


def test_too_many_series_are_refused_for_no_sum_may_be_left_out(reader: Reader) -> None:
    all_of_them = len(series(reader))
    assert sum(1 for _ in samples(reader, DAY, Bounds(series=all_of_them)))
    with pytest.raises(UsageError, match=f"more than {all_of_them - 1:,} series: ask for a short"):
        sum(1 for _ in samples(reader, DAY, Bounds(series=all_of_them - 1)))


def test_idle_and_unattributed_energy_is_there_too_and_all_is_that_of_the_devices(
    reader: Reader,
) -> None:
    found = series(reader)
    hosted = summed(found, "meter_energy_joules_total", 0, 1)["bot", "hosted"]
    by_project = summed(found, "meter_energy_joules_total", 0)
    assert by_project.pop(("bot",)) == hosted == ESTIMATED_MJ / 1e3
    devices = sum(summed(found, "meter_gpu_energy_joules_total", 1).values())
    devices += sum(summed(found, "meter_host_energy_joules_total", 0).values())
    assert set(by_project) == {("chat",), ("eval",), ("lab",), ("(idle)",), ("(unattributed)",)}
    rows = reader.rows("totals/by_hour", from_=FROM_US, to=TO_US, only_kind="energy")
    whole = sum(float(row["amount"]) for row in rows) / 1e3
    assert devices + hosted == pytest.approx(whole, rel=1e-12)
    assert sum(by_project.values()) == pytest.approx(devices, rel=1e-12)


def test_a_run_is_told_whole_also_where_it_began_before(reader: Reader) -> None:
    found = series(reader)
    rows = reader.rows("totals/by_run")
    exact = {(r["run_id"], r["kind"], r["currency"]): r["amount"] for r in rows}
    money = summed(found, "meter_run_cost_total", 0, 1, 2)
    for plan in RUNS:
        for kind in ("electricity", "electricity_overhead"):
            amount = float(round(exact[plan.id, kind, "EUR"].scaleb(-9), 9))
            assert money[plan.id, kind, "EUR"] == amount
        points = found["meter_run_start_timestamp_seconds", plan.id]
        assert points[0][1] == FROM_US / 1e6 + plan.start * 60
    training = float(round(exact[HOSTED, "api_training", "USD"].scaleb(-9), 9))
    assert money[HOSTED, "api_training", "USD"] == training
    energy = summed(found, "meter_run_energy_joules_total", 0)
    assert energy[("before",)] == float(exact["before", "energy", None]) / 1e3
    first = found["meter_run_energy_joules_total", "before", "gpu", "measured"][0]
    assert first[0] == FROM_US
    assert first[1] > 0


def test_series_of_a_run_end_soon_after_it(reader: Reader) -> None:
    found = series(reader)
    for plan in RUNS:
        points = found["meter_run_info", plan.id, f"name\nof {plan.id}", plan.project, "false"]
        start = FROM_US + max(plan.start, 0) * MINUTE_US
        assert points[0][0] == start
        end = 24 * 60 if plan.end is None else plan.end + LINGER_MIN
        assert points[-1][0] == FROM_US + end * MINUTE_US
        ended = found.get(("meter_run_end_timestamp_seconds", plan.id))
        assert (ended is None) == (plan.end is None)


def test_marks_become_tokens_steps_and_phases(reader: Reader) -> None:
    found = series(reader)
    [tokens] = [p for k, p in found.items() if k == ("meter_run_tokens_total", "long", "train")]
    assert tokens[-1][1] == 4_096 * 89
    assert tokens[0] == (FROM_US + 100 * MINUTE_US, 0)
    assert found["meter_run_steps_total", "long"][-1][1] == 8_900
    phases = summed(found, "meter_run_phase_energy_joules_total", 1)
    reported = reader.rows(
        "report/run_phases", run_id="long", as_of=reader.newest_us(), from_=FROM_US, to=TO_US
    )
    assert phases == {(row["phase"],): float(row["energy_j"]) for row in reported}


def test_gauges_are_those_of_the_step(reader: Reader) -> None:
    found = series(reader)
    power = dict(found["meter_gpu_power_watts", "0", "GPU-0"])
    assert power[FROM_US + 801 * MINUTE_US] == pytest.approx(702, abs=0.1)
    assert power[FROM_US + 950 * MINUTE_US] == pytest.approx(71, abs=0.1)
    ratio = found["meter_gpu_utilization_ratio", "1", "GPU-1"]
    assert ratio[0] == (FROM_US + 1_301 * MINUTE_US, 0.93)
    assert len(ratio) == 140
    [price] = [p for k, p in found.items() if k[0] == "meter_electricity_price_per_kwh"
               and p[0][1] == 0.17]  # fmt: skip
    assert price[-1][1] == 0.17


def test_factors_are_those_of_the_node_and_not_of_places_of_single_runs(reader: Reader) -> None:
    found = series(reader)
    assert {key[1] for key in found if key[0] == "meter_pue_ratio"} == {"lab"}
    assert {key[1] for key in found if key[0] == "meter_electricity_price_per_kwh"} == {"lab"}
    name = "meter_grid_intensity_grams_per_kwh"
    assert {key[1] for key in found if key[0] == name} == {"FRA"}


@pytest.mark.parametrize("step", STEPS_MIN)
def test_a_gpu_is_told_of_for_as_long_as_its_counter_rises(reader: Reader, step: int) -> None:
    found = series(reader, Asked.of(FROM_US, TO_US, step))
    for gpu in ("GPU-0", "GPU-1"):
        [told] = [p for k, p in found.items() if k[0] == "meter_gpu_info" and gpu in k]
        [energy] = [p for k, p in found.items() if "gpu_energy" in k[0] and gpu in k]
        assert told[-1][0] == energy[-1][0] == TO_US


def test_of_a_single_step_there_is_the_gpu_too() -> None:
    ticks = itertools.count(START_US + 9 * HOUR_US, 1_000)
    session = Session(Path(":memory:"), memory_limit_mb=64, now_us=lambda: next(ticks))
    try:
        session.commit([registered(zone="FRA")])
        session.commit([LedgerBatch(intervals=(minute(0),), site_id="lab")])
        with Reader(session.cursor()) as fresh:
            found = {one.name for one in samples(fresh, Asked.of(START_US, START_US + HOUR_US))}
    finally:
        session.close()
    assert {"meter_gpu_energy_joules_total", "meter_gpu_info"} <= found


@pytest.mark.parametrize("step", STEPS_MIN)
def test_the_step_changes_no_sum(reader: Reader, step: int) -> None:
    fine, coarse = series(reader), series(reader, Asked.of(FROM_US, TO_US, step))
    for name in COUNTERS - {"meter_run_phase_energy_joules_total"}:
        assert {k: p[-1][1] for k, p in coarse.items() if k[0] == name} == {
            k: p[-1][1] for k, p in fine.items() if k[0] == name
        }
    for points in coarse.values():
        assert all(at_us % (step * MINUTE_US) == 0 for at_us, _ in points)


def test_two_halves_are_the_whole(reader: Reader) -> None:
    middle = FROM_US + 11 * HOUR_US
    whole = summed(series(reader), "meter_cost_total", 0, 1, 2, 3)
    parts = [
        summed(series(reader, Asked.of(*span)), "meter_cost_total", 0, 1, 2, 3)
        for span in ((FROM_US, middle), (middle, TO_US))
    ]
    for key, amount in whole.items():
        assert sum(part.get(key, 0) for part in parts) == pytest.approx(amount, abs=2e-9)


def test_the_text_is_openmetrics_and_keeps_hostile_names(reader: Reader) -> None:
    target = {"job": 'a"b', "instance": "here:1"}
    text = b"".join(history(samples(reader, DAY), target)).decode()
    assert text.endswith("# EOF\n")
    parsed = list(text_string_to_metric_families(text))
    assert {family.name for family in parsed} <= {
        name.removesuffix("_total").removesuffix("_info") for name, *_ in families()
    }
    names = {
        sample.labels["run"]
        for family in parsed if family.name in {"meter_run_steps", "meter_run"}
        for sample in family.samples
    }  # fmt: skip
    assert names == {plan.id for plan in RUNS} | {HOSTED, f"openai:{JOB.id}"}
    assert all(
        sample.labels["job"] == 'a"b' and sample.labels["instance"] == "here:1"
        for family in parsed
        for sample in family.samples
    )


def test_places_of_one_zone_that_know_other_borders_are_one_series_in_order() -> None:
    def at(minute: int) -> datetime:
        return datetime(2026, 3, 1, 9) + timedelta(minutes=minute)  # noqa: DTZ001  as the ledger's

    rows = [
        {"zone": "FRA", "source": "s", "at": at(begin), "until": at(end), "amount": Decimal(56)}
        for begin, end in ((0, 15), (0, 60), (15, 30), (30, 45), (45, 60), (60, 120))
    ]
    [family] = [one for one in FAMILIES if one.name == "meter_grid_intensity_grams_per_kwh"]
    grid = _Grid(micros(at(0)), micros(at(120)), MINUTE_US)
    told = [sample.at_us for sample in _told(family, rows, grid, _Left(1))]
    assert told == [micros(at(minute)) for minute in range(120)]


def test_nothing_of_a_span_before_everything_is_an_empty_file(reader: Reader) -> None:
    early = Asked.of(FROM_US - 900 * HOUR_US, FROM_US - 800 * HOUR_US)
    assert b"".join(history(samples(reader, early), {})) == b"# EOF\n"


def test_without_runs_there_is_no_series_of_one(reader: Reader) -> None:
    found = series(reader, Asked.of(FROM_US, TO_US, runs=False))
    assert not [key for key in found if key[0].startswith("meter_run_")]
    assert summed(found, "meter_cost_total", 0) == summed(series(reader), "meter_cost_total", 0)


def test_memory_does_not_grow_with_the_span(reader: Reader) -> None:
    def most(hours: int) -> int:
        asked = Asked.of(TO_US - hours * HOUR_US, TO_US)
        tracemalloc.start()
        for _ in history(samples(reader, asked), {}):
            pass
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return peak

    most(1)
    assert most(24) < 2 * most(6)
    assert most(24) < 8 << 20


def test_a_step_that_does_not_divide_an_hour_is_refused() -> None:
    with pytest.raises(UsageError, match="7 minutes"):
        Asked.of(FROM_US, TO_US, 7)
    with pytest.raises(UsageError, match="before it begins"):
        Asked.of(TO_US, FROM_US)


@settings(max_examples=25)
@given(st.lists(intervals(), min_size=1, max_size=30), st.sampled_from(STEPS_MIN))
def test_whatever_comes_counters_only_rise_and_end_at_the_sums(given_, step: int) -> None:
    """Corrections too; only where all of one method was taken back, and more, a counter is zero."""
    ticks = itertools.count(START_US + 200 * HOUR_US, 1_000_000)
    session = Session(Path(":memory:"), memory_limit_mb=64, now_us=lambda: next(ticks))
    try:
        for run_id in LAW_RUNS:
            session.commit([registered(run_id, zone="FRA")])
        session.commit([LedgerBatch(intervals=tuple(given_), site_id="lab")])
        found = defaultdict(list)
        asked = Asked.of(START_US, START_US + 60 * HOUR_US, step)
        with Reader(session.cursor()) as reader:
            for one in samples(reader, asked):
                found[one.name, *one.values].append(one.value)
    finally:
        session.close()
    for (name, *_), points in found.items():
        if name in COUNTERS:
            assert all(one <= two for one, two in pairwise(points))
            assert points[0] >= 0
    for device in ("GPU-0", "GPU-1"):
        exact = sum(one.energy_mj for one in given_ if one.device_id == device)
        told = [p[-1] for k, p in found.items() if k[0].startswith("meter_gpu_energy")
                and k[2] == device]  # fmt: skip
        assert sum(told) == pytest.approx(max(0, exact) / 1e3)
    if all(one.energy_mj >= 0 for one in given_):
        told = [p[-1] for k, p in found.items() if k[0] == "meter_energy_joules_total"]
        assert sum(told) == pytest.approx(sum(one.energy_mj for one in given_) / 1e3)
