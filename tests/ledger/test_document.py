"""The run document: complete, valid, and right to the digit on a run of round numbers."""

from __future__ import annotations

import json

import pytest

from meter.errors import UsageError
from meter.factors import factors_of
from meter.ledger import reports
from meter.model import Interval, Kind, LedgerBatch, Mark, Method, Notice, RawReading, Severity
from run_schema import run_schema
from tests.ledger.facts import (
    BOOT_NS,
    GPUS,
    MINUTE_US,
    START_US,
    config,
    ended,
    minute,
    priced,
    registered,
    site,
)

CONTRACT = {
    "schema", "run", "energy", "cost", "carbon", "water", "as_of", "usage", "prices", "coverage",
    "per", "factors", "notices", "simulated",
}  # fmt: skip


def valid(document):
    errors = list(run_schema().iter_errors(json.loads(json.dumps(document))))
    assert not errors, errors[0]
    return document


def of(ledger, run_id="01RUN0", **options):
    with ledger.reader() as reader:
        return valid(reports.run_document(reader, run_id, **options))


def written(ledger, *batches):
    for batch in batches:
        ledger.write(batch).result(10)


def codes(document):
    return [notice["code"] for notice in document["notices"]]


def hour_of_two_gpus():
    """Two GPUs at 600 W for an hour: 1.2 kWh."""
    return LedgerBatch(
        intervals=tuple(minute(n, device=gpu) for gpu in GPUS for n in range(60)), site_id="lab"
    )


def test_an_hour_of_two_gpus_is_priced_and_turned_into_carbon_exactly(open_ledger):
    ledger = open_ledger()
    factors = tuple(factors_of(priced(), site("FRA"), START_US))
    written(ledger, registered(zone="FRA"), LedgerBatch(factors=factors), hour_of_two_gpus())
    written(ledger, ended(minutes=60))
    document = of(ledger)
    assert document.keys() >= CONTRACT
    assert document["energy"]["it"] == {
        "value": 4_320_000.0, "low": 4_104_000.0, "high": 4_536_000.0, "unit": "J",
        "method": "measured",
    }  # fmt: skip
    assert document["energy"]["facility"]["value"] == 5_184_000.0
    assert document["energy"]["facility"]["high"] == 6_350_400.0
    assert document["energy"]["facility"]["method"] == "sourced"
    costs = {cost["kind"]: cost["amount"] for cost in document["cost"]}
    assert costs["electricity"]["value"] == "0.30"
    assert costs["electricity"]["low"] == "0.2736"
    assert costs["electricity"]["high"] == "0.3276"
    assert costs["electricity_overhead"]["value"] == "0.06"
    assert costs["gpu_time"] == {
        "value": "4.00", "low": "4.00", "high": "4.00", "unit": "USD", "method": "sourced",
    }  # fmt: skip
    assert document["carbon"]["location"]["value"] == pytest.approx(1.2 * 1.2 * 56.039, abs=1e-8)
    assert document["carbon"]["overhead"]["value"] == pytest.approx(1.2 * 0.2 * 56.039, abs=1e-8)
    assert document["coverage"] == 1.0
    assert document["run"]["duration_s"] == 3600.0
    assert document["run"]["exit_code"] == 0
    assert document["run"]["tags"] == {"base": "mistral"}
    assert document["simulated"] is False
    assert not codes(document)
    assert {factor["kind"] for factor in document["factors"]} == {
        "grid_intensity", "electricity_price", "pue", "gpu_hour_rate", "household_energy",
    }  # fmt: skip
    days = document["equivalents"][0]
    assert days["kind"] == "household_days"
    assert days["value"] == pytest.approx(1.44 / (10715 / 366))
    assert days["factor"] in {factor["id"] for factor in document["factors"]}


def test_without_zone_tariff_and_pue_the_document_says_so_and_guesses_nothing(open_ledger):
    ledger = open_ledger()
    factors = tuple(factors_of(config(), site(), START_US))
    written(ledger, registered(), LedgerBatch(factors=factors), hour_of_two_gpus())
    document = of(ledger)
    location = document["carbon"]["location"]
    assert location["method"] == "assumed"
    assert location["value"] == pytest.approx(1.2 * 480.619847191)
    assert location["low"] == pytest.approx(1.2 * 0.95 * 20)
    assert location["high"] == pytest.approx(1.2 * 1.05 * 1306.025)
    assert document["carbon"]["overhead"] is None
    assert document["energy"]["facility"] is None
    assert document["cost"] == []
    assert codes(document) == ["no_zone", "no_tariff"]
    assert "[electricity]" in document["notices"][1]["text"]


def test_a_run_without_energy_yet_is_a_valid_document(open_ledger):
    ledger = open_ledger()
    written(ledger, registered())
    document = of(ledger)
    assert document["energy"]["it"]["value"] == 0.0
    assert document["coverage"] == 0.0
    assert document["carbon"]["location"] is None
    assert document["run"]["ended_at"] is None
    assert codes(document) == ["no_energy"]


def test_components_devices_and_methods_are_kept_apart(open_ledger):
    ledger = open_ledger()
    modelled = {"energy_mj": 6_000_000, "method": Method.MODELLED}
    written(
        ledger,
        registered(),
        LedgerBatch(
            intervals=(
                minute(0),
                minute(0, device="cpu-0", **modelled),
                minute(0, device="ram", covered_us=MINUTE_US // 2, **modelled),
            ),
            site_id="lab",
        ),
    )
    energy = of(ledger)["energy"]
    assert energy["it"]["method"] == "modelled"
    assert energy["measured_share"] == 0.75
    assert [device["id"] for device in energy["devices"]] == ["cpu-0", "GPU-0", "ram"]
    assert energy["by_component"]["gpu"]["method"] == "measured"
    assert energy["by_component"]["ram"]["value"] == 6000.0
    assert energy["by_component"]["hosted"]["value"] == 0.0
    assert energy["by_component"]["hosted"]["method"] == "assumed"  # nothing of it was metered
    assert [device["coverage"] for device in energy["devices"]] == [1.0, 1.0, 0.5]


def test_a_held_device_that_was_never_seen_lowers_coverage(open_ledger):
    ledger = open_ledger()
    seen = LedgerBatch(intervals=tuple(minute(n) for n in range(60)), site_id="lab")
    written(ledger, registered(), seen, ended(minutes=60))
    assert of(ledger)["coverage"] == 0.5


def test_corrections_change_energy_but_neither_coverage_nor_held_time(open_ledger):
    ledger = open_ledger()
    correction = Interval(
        GPUS[0], Kind.RUN, "01RUN0", START_US, START_US + MINUTE_US, -6_000_000, -6_000_000,
        -6_000_000, 0, -6_000_000, Method.MEASURED, correction=True,
    )  # fmt: skip
    batch = LedgerBatch(intervals=(minute(0), correction), site_id="lab")
    factors = LedgerBatch(factors=tuple(factors_of(priced(), site("FRA"), START_US)))
    written(ledger, registered(zone="FRA"), factors, batch)
    document = of(ledger)
    assert document["energy"]["it"]["value"] == 30_000.0
    assert document["coverage"] == 1.0
    costs = {cost["kind"]: cost["amount"]["value"] for cost in document["cost"]}
    assert costs["gpu_time"] == "0.033333333"


def test_a_share_of_a_gpu_costs_that_share_of_its_time(open_ledger):
    ledger = open_ledger()
    from dataclasses import replace

    half = replace(minute(0), held_us=MINUTE_US // 2)
    factors = LedgerBatch(factors=tuple(factors_of(priced(), site("FRA"), START_US)))
    batch = LedgerBatch(intervals=(half,), site_id="lab")
    written(ledger, registered(zone="FRA"), factors, batch)
    costs = {cost["kind"]: cost["amount"]["value"] for cost in of(ledger)["cost"]}
    assert costs["gpu_time"] == "0.016666667"


def test_a_report_at_an_earlier_instant_gives_the_earlier_figures(open_ledger):
    ledger = open_ledger()
    first = tuple(factors_of(priced(), site("FRA"), START_US))
    written(ledger, registered(zone="FRA"), LedgerBatch(factors=first), hour_of_two_gpus())
    before = of(ledger)
    with ledger.reader() as reader:
        then_us = reader.newest_us()
    dearer = config(zone="FRA", electricity=priced().electricity, pue=None, gpu_time=None)
    later = tuple(factors_of(dearer, site("FRA"), then_us + 1))
    written(ledger, LedgerBatch(factors=later), ended(minutes=60))
    after = of(ledger)
    assert {cost["kind"] for cost in after["cost"]} == {"electricity"}
    assert after["energy"]["facility"] is None
    assert of(ledger, as_of_us=then_us) == before


def test_steps_and_tokens_have_their_energy(open_ledger):
    ledger = open_ledger()
    marks = (
        Mark("01RUN0", START_US + 1, 6_000_000, step=10, tokens=1_000),
        Mark("01RUN0", START_US + 2, 36_000_000, step=25, tokens=6_000),
    )
    batch = LedgerBatch(intervals=(minute(0),), marks=marks, site_id="lab")
    written(ledger, registered(), batch)
    per = of(ledger)["per"]
    assert per["step"]["value"] == 2000.0
    assert per["step"]["low"] == pytest.approx(1900.0)
    assert per["token"]["value"] == 6.0


def test_what_could_be_given_to_no_run_is_shown_as_a_share(open_ledger):
    ledger = open_ledger()
    nobody = minute(0, kind=Kind.UNATTRIBUTED, energy_mj=4_000_000)
    idle = minute(1, kind=Kind.IDLE, energy_mj=99_000_000)
    batch = LedgerBatch(intervals=(minute(0), nobody, idle), site_id="lab")
    written(ledger, registered(), batch, ended(minutes=2))
    assert of(ledger)["energy"]["unattributed_share"] == pytest.approx(0.1)


def test_notices_of_the_run_and_of_its_devices_meanwhile_are_told_once(open_ledger):
    ledger = open_ledger()
    stuck = Notice("counter_stuck", "GPU-0 is stuck.", Severity.WARNING, None, GPUS[0], START_US)
    notices = (
        stuck,
        stuck,
        Notice("ambiguous_devices", "Which GPUs?", run_id="01RUN0"),
        Notice("elsewhere", "Not ours.", device_id="GPU-9", at_us=START_US),
        Notice("yesterday", "Long ago.", device_id=GPUS[0], at_us=START_US - 9 * MINUTE_US),
    )
    batch = LedgerBatch(intervals=(minute(0),), notices=notices, site_id="lab")
    written(ledger, registered(), batch, ended(minutes=1))
    document = of(ledger)
    kept = {notice["code"]: notice["times"] for notice in document["notices"]}
    assert {"counter_stuck": 2, "ambiguous_devices": 1}.items() <= kept.items()
    assert not {"elsewhere", "yesterday"} & kept.keys()


@pytest.mark.parametrize(
    ("code", "text", "left"),
    [
        ("config_error", "site.zone (/c.toml, line 2): there is no zone 'X'", ["no_tariff"]),
        ("config_error", "METER_ZONE must be a zone code, not 'F R'", ["no_tariff"]),
        ("config_error", "electricity.windows[0].from (/c.toml, line 9) is", ["no_zone"]),
        ("config_error", "project (/c.toml, line 1) must be text", ["no_zone", "no_tariff"]),
        ("config_unreadable", "/c.toml, line 1 is not TOML: invalid", []),
    ],
)
def test_what_is_set_wrongly_is_not_said_to_be_unset(open_ledger, code, text, left):
    ledger = open_ledger()
    factors = tuple(factors_of(config(), site(), START_US))
    written(ledger, registered(), LedgerBatch(factors=factors))
    notices = (Notice(code, text, Severity.WARNING, run_id="01RUN0"),)
    written(ledger, LedgerBatch(intervals=(minute(0),), notices=notices, site_id="lab"))
    assert codes(of(ledger)) == [*left, code]


def test_hours_without_a_tariff_are_called_a_part(open_ledger):
    ledger = open_ledger()
    late = priced().electricity.__class__("EUR", priced().electricity.price_per_kwh,
                                          valid_from_us=START_US + 60 * MINUTE_US)  # fmt: skip
    factors = tuple(factors_of(config(zone="FRA", electricity=late), site("FRA"), START_US))
    intervals = tuple(minute(n) for n in range(120))
    batch = LedgerBatch(intervals=intervals, site_id="lab")
    written(ledger, registered(zone="FRA"), LedgerBatch(factors=factors), batch)
    document = of(ledger)
    assert document["cost"][0]["amount"]["value"] == "0.15"
    assert "tariff_gap" in codes(document)


def test_simulated_devices_make_a_simulated_document(open_ledger):
    from dataclasses import replace

    ledger = open_ledger()
    batch = registered()
    simulated = tuple(replace(device, simulated=True) for device in batch.devices)
    written(ledger, replace(batch, devices=simulated))
    written(ledger, LedgerBatch(intervals=(minute(0),), site_id="lab"))
    document = of(ledger)
    assert document["simulated"] is True
    assert document["energy"]["devices"][0]["simulated"] is True


def test_runs_are_found_by_id_prefix_name_and_last(open_ledger):
    ledger = open_ledger()
    written(ledger, registered("01AAA1"), registered("01AAB2", started_us=START_US + 5, name="b"))
    with ledger.reader() as reader:
        assert reports.find_run(reader, "last") == "01AAB2"
        assert reports.find_run(reader, "01aab") == "01AAB2"
        assert reports.find_run(reader, "01AAA1") == "01AAA1"
        assert reports.find_run(reader, "b") == "01AAB2"
        with pytest.raises(UsageError, match="begins the id of 2 runs"):
            reports.find_run(reader, "01A")
        with pytest.raises(UsageError, match="there is no run 'x'"):
            reports.find_run(reader, "x")
        with pytest.raises(UsageError, match="there is no run"):
            reports.run_document(reader, "nobody")


def test_the_list_of_runs_is_newest_first_with_energy_and_by_project(open_ledger):
    ledger = open_ledger()
    written(ledger, registered("01A"), registered("01B", started_us=START_US + 5, project="p2"))
    written(ledger, LedgerBatch(intervals=(minute(0, run_id="01A"),), site_id="lab"))
    with ledger.reader() as reader:
        listed = reports.run_list(reader, limit=10)
        assert [run["run_id"] for run in listed] == ["01B", "01A"]
        assert [run["energy_j"] for run in listed] == [None, 36_000.0]  # not zero
        assert listed[1]["started_at"] == "2026-03-01T09:00:00.000000Z"
        assert json.dumps(listed)
        assert [run["run_id"] for run in reports.run_list(reader, project="chat", limit=9)] == [
            "01A"
        ]
        assert len(reports.run_list(reader, limit=1)) == 1


def test_a_short_runs_series_is_of_readings_and_a_long_ones_of_minutes(open_ledger):
    ledger = open_ledger()
    readings = tuple(
        RawReading(GPUS[0], START_US + s * 1_000_000, BOOT_NS + s * 10**9, 5_000 + s * 600_000,
                   BOOT_NS + s * 10**9, power_mw=590_000)
        for s in range(3)
    )  # fmt: skip
    batch = LedgerBatch(readings=readings, intervals=(minute(0),), site_id="lab")
    written(ledger, registered(), batch, ended(minutes=1))
    with ledger.reader() as reader:
        short = reports.run_series(reader, "01RUN0")
    assert [point.power_w for point in short] == [590.0, 600.0, 600.0]
    assert [point.energy_j for point in short] == [0.0, 600.0, 1200.0]
    with ledger.reader() as reader:
        known_us = reader.newest_us()
        sealed = reports.run_series(reader, "01RUN0", minutes=True, as_of_us=known_us)
    assert [point.energy_j for point in sealed] == [36_000.0]
    minutes = LedgerBatch(intervals=tuple(minute(n) for n in range(1, 90)), site_id="lab")
    written(ledger, minutes, ended(minutes=90))
    with ledger.reader() as reader:
        long = reports.run_series(reader, "01RUN0")
        as_known = reports.run_series(reader, "01RUN0", minutes=True, as_of_us=known_us)
    assert as_known == sealed
    assert len(long) == 90
    assert long[0].power_w == 600.0
    assert long[-1].energy_j == 90 * 36_000.0


def test_a_reading_stands_where_its_curve_had_settled_and_inside_the_run(open_ledger):
    ledger = open_ledger()
    lag_ns = 1_250_000_000
    readings = tuple(
        RawReading(GPUS[0], START_US + s * 1_000_000, BOOT_NS + s * 10**9, 5_000 + s * 600_000,
                   BOOT_NS + s * 10**9 - lag_ns)
        for s in range(64)
    )  # fmt: skip
    batch = LedgerBatch(readings=readings, intervals=(minute(0),), site_id="lab")
    written(ledger, registered(), batch, ended(minutes=1))
    with ledger.reader() as reader:
        points = reports.run_series(reader, "01RUN0")
    expected = [START_US + s * 1_000_000 - lag_ns // 1_000 for s in range(2, 62)]
    assert [point.at_us for point in points] == expected
    assert [point.energy_j for point in points] == [600.0 * n for n in range(60)]
    assert {point.power_w for point in points} == {600.0}
