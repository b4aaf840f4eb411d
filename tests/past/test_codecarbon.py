"""emissions.csv as runs: energy by component, PUE taken out, no place believed that is none."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meter.factors.rows import RowsError
from meter.ledger import reports
from meter.past import RowsTold, take_runs
from meter.past.codecarbon import runs_of_rows, sheet_of
from tests.ledger.facts import config, priced
from tests.past.emissions import EARLY, QUEBEC, file, row
from tests.past.statements import NOW_US, codes, ledger

ID = "codecarbon:1db20cbb-8991-4273-8183-26db09480857"


def take(opened, *rows, configured=None, **told):
    sheet = sheet_of(file(*rows))
    return take_runs(opened, RowsTold(sheet.rows, **told), configured or config(), NOW_US)


def document(*rows, run=ID, configured=None, **told):
    with ledger() as opened:
        take(opened, *rows, configured=configured, **told)
        with opened.reader() as reader:
            return reports.run_document(reader, run)


def runs(*rows, **told):
    return runs_of_rows(sheet_of(file(*rows)).rows, **told)


def faults(*rows, **told) -> list[str]:
    with pytest.raises(RowsError) as wrong:
        runs(*rows, **told)
    return wrong.value.told("emissions.csv")


def joules(found) -> dict[str, float]:
    return {name: one["value"] for name, one in found["energy"]["by_component"].items() if one}


def test_energy_is_the_rows_by_component_and_none_of_it_claims_to_be_measured():
    found = document(row())
    assert {name: value for name, value in joules(found).items() if value} == {
        "cpu": 435_600,
        "gpu": 5_040_000,
        "ram": 180_000,
    }
    assert found["energy"]["it"]["value"] == 5_655_600
    assert found["energy"]["it"]["method"] == "modelled"
    assert (found["energy"]["measured_share"], found["coverage"]) == (0, 0)
    assert "not_metered" in codes(found)
    assert {one["name"] for one in found["energy"]["devices"]} == {
        "AMD EPYC, 64 cores (codecarbon)",
        "2 x NVIDIA A100-SXM4-80GB (codecarbon)",
        "RAM (codecarbon)",
    }


def test_a_run_ends_when_its_row_was_written_and_has_the_rows_names():
    found = document(row())["run"]
    assert (found["id"], found["name"], found["project"]) == (ID, "lora 1db20cbb", "lora")
    assert found["ended_at"] == "2026-03-01T11:00:00.000000Z"
    assert found["started_at"] == "2026-03-01T08:59:59.981873Z"
    assert found["tags"] == {"codecarbon": "3.3.2"}


def test_the_place_is_the_rows_and_its_carbon_is_computed_anew():
    found = document(row(emissions="999"), configured=priced(zone="DEU"))
    (grid,) = [one for one in found["factors"] if one["kind"] == "grid_intensity"]
    assert grid["scope"] == "FRA"
    assert found["carbon"]["location"]["value"] < 1_000


@pytest.mark.parametrize(
    ("country", "region", "zone"),
    [
        ("USA", "california", "USA-CA"),
        ("USA", "", "USA"),
        ("USA", "georgia", "USA-GA"),
        ("CAN", "quebec", "CAN-QC"),
        ("DEU", "bavaria", "DEU"),
        ("XYZ", "", None),
        ("", "", None),
    ],
)
def test_a_region_is_a_zone_where_its_grid_is_known(country, region, zone):
    (run,) = runs(row(country_iso_code=country, region=region)).runs
    assert run.statement.zone == zone
    assert ("codecarbon_zone" in {one.code for one in run.notices}) == (country == "XYZ")


def test_the_place_that_codecarbon_falls_back_to_is_not_taken_and_flagged():
    found = document(row(**QUEBEC))
    assert "codecarbon_fallback" in codes(found)
    assert found["carbon"]["location"]["method"] == "assumed"
    assert "no_zone" in codes(found)


@pytest.mark.parametrize(
    "changes",
    [{"latitude": "46.9"}, {"longitude": "-71.3"}, {"region": "ontario"}, {"latitude": ""}],
)
def test_another_place_in_canada_is_taken(changes):
    (run,) = runs(row(**{**QUEBEC, **changes})).runs
    assert run.statement.zone in {"CAN-QC", "CAN-ON"}
    assert "codecarbon_fallback" not in {one.code for one in run.notices}


def test_its_pue_is_taken_out_of_the_energy_and_stated():
    plain, multiplied = (
        document(row()),
        document(
            row(
                pue="1.25", cpu_energy="0.15125", gpu_energy="1.75", ram_energy="0.0625",
                energy_consumed="1.96375",
            )
        ),
    )  # fmt: skip
    assert joules(multiplied) == joules(plain)
    assert multiplied["energy"]["facility"]["value"] == pytest.approx(1.25 * 5_655_600)
    assert plain["energy"]["facility"] is None
    assert "codecarbon_pue" in codes(multiplied)
    assert "codecarbon_pue" not in codes(plain)


def test_a_version_that_tells_no_pue_is_taken_with_a_notice():
    found = document(EARLY)
    assert joules(found) == joules(document(row()))
    assert "codecarbon_pue" in codes(found)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"gpu_energy": "0", "energy_consumed": "0.171"}, "codecarbon_gpu"),
        ({"tracking_mode": "process"}, "codecarbon_process"),
        ({"energy_consumed": "2"}, "codecarbon_sum"),
    ],
)
def test_what_is_odd_about_a_row_is_said(changes, code):
    assert code in codes(document(row(**changes)))
    assert code not in codes(document(row()))


def test_a_computer_without_gpus_has_no_device_for_them():
    changes = {"gpu_energy": "0", "gpu_count": "0", "gpu_model": "", "energy_consumed": "0.171"}
    found = document(row(**changes))
    assert {one["component"] for one in found["energy"]["devices"]} == {"cpu", "ram"}


def test_gpus_count_for_their_hours_where_an_hour_has_a_price():
    found = document(row(), configured=priced())
    (cost,) = [one for one in found["cost"] if one["kind"] == "gpu_time"]
    hour = document(row(gpu_count="1", gpu_model="1 x A100"), configured=priced())
    (half,) = [one for one in hour["cost"] if one["kind"] == "gpu_time"]
    assert Decimal(cost["amount"]["value"]) == pytest.approx(
        2 * Decimal(half["amount"]["value"]), abs=Decimal("0.02")
    )


def test_local_time_is_of_the_zone_that_is_named_and_utc_is_said_to_be_a_guess():
    (summer,) = runs(row(timestamp="2026-07-01T11:00:00"), timezone="Europe/Paris").runs
    (utc,) = runs(row(timestamp="2026-07-01T09:00:00+00:00")).runs
    assert summer.span == utc.span
    assert "--timezone" in runs(row()).notices[0]
    assert runs(row(timestamp="2026-03-01T11:00:00+01:00")).notices == ()
    assert runs(row(), timezone="Europe/Paris").notices == ()


def test_a_project_can_be_named_instead_of_the_files():
    (run,) = runs(row(), project="chat").runs
    assert run.statement.project == "chat"


def test_of_the_rows_that_a_tracker_writes_meanwhile_the_longest_is_the_run():
    first = row(duration="60", gpu_energy="0.01", cpu_energy="0.001", ram_energy="0.001")
    for rows in ((first, row()), (row(), first), (first, first, row(), row())):
        found = runs(*rows, timezone="Europe/Paris")
        (run,) = found.runs
        assert run.parts == runs(row()).runs[0].parts
        assert "left out" in found.notices[0]


def test_two_rows_of_one_run_that_disagree_are_refused():
    (fault,) = faults(row(), row(gpu_energy="1.5"))
    assert fault.startswith("emissions.csv:3: is about the same run as an earlier row")


def test_importing_again_books_nothing_and_other_figures_of_a_run_are_refused():
    other = row(run_id="other")
    with ledger() as opened:
        assert take(opened, row()).ids == [ID]
        again = take(opened, row(), other)
        assert (again.ids, again.known) == (["codecarbon:other"], 1)
        with pytest.raises(RowsError) as wrong:
            take(opened, row(run_id="third"), row(gpu_energy="1.5"))
        assert "there is a run" in wrong.value.told("f")[0]
        assert wrong.value.faults[0].line == 3
        with opened.reader() as reader:
            assert len(reports.run_list(reader, limit=100)) == 2


def test_rows_of_early_versions_without_an_id_are_told_apart_by_what_they_say():
    early = {name: cell for name, cell in EARLY.items() if name != "run_id"}
    later = {**early, "timestamp": "2026-03-02T11:00:00"}
    one, two = runs(early, later).runs
    assert one.id != two.id
    assert runs(later, early).runs[1].id == one.id


@pytest.mark.parametrize(
    ("changes", "column", "said"),
    [
        ({"timestamp": "yesterday"}, "timestamp", "is no instant"),
        ({"timestamp": "1960-01-01T00:00:00"}, "timestamp", "is before 1970"),
        ({"timestamp": ""}, "timestamp", "is missing"),
        ({"duration": "-1"}, "duration", "is not from 0"),
        ({"duration": "1e9"}, "duration", "is not from 0"),
        ({"cpu_energy": "nan"}, "cpu_energy", "is no number"),
        ({"gpu_energy": "-0.1"}, "gpu_energy", "is not from 0"),
        ({"gpu_energy": "1e30"}, "gpu_energy", "is not from 0"),
        ({"ram_energy": "0,5"}, "ram_energy", "has a comma"),
        ({"ram_energy": ""}, "ram_energy", "is missing"),
        ({"energy_consumed": "inf"}, "energy_consumed", "is no number"),
        ({"pue": "0.5"}, "pue", "is not from 1 to 5"),
        ({"gpu_count": "-2"}, "gpu_count", "is not from 0"),
        ({"project_name": "a\x07b"}, "project_name", "cannot be printed"),
        ({"latitude": "north", **{k: v for k, v in QUEBEC.items() if k != "latitude"}},
         "latitude", "is no number"),
    ],
)  # fmt: skip
def test_a_wrong_cell_is_told_with_its_line_and_column(changes, column, said):
    (fault,) = faults(row(run_id="fine"), row(**changes))
    assert fault.startswith(f"emissions.csv:3:{column}: ")
    assert said in fault


def test_a_file_of_no_such_columns_is_refused_with_each_that_is_missing():
    old = {name: cell for name, cell in EARLY.items() if name not in {"cpu_energy", "duration"}}
    with pytest.raises(RowsError) as wrong:
        sheet_of(file(old))
    assert [one.column for one in wrong.value.faults] == ["duration", "cpu_energy"]
    assert {one.line for one in wrong.value.faults} == {1}


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"{}", b"a,b\n1,2\n", file(row())[:-2000]])
def test_what_is_no_such_table_is_refused(content):
    with pytest.raises(RowsError):
        sheet_of(content)


def test_what_is_no_time_zone_is_refused():
    assert "is no time zone" in faults(row(), timezone="Mars/Olympus")[0]


def test_columns_of_other_versions_are_ignored_and_their_order_is_free():
    more = {"colour": "red", **dict(reversed(row().items()))}
    assert runs(more).runs[0].parts == runs(row()).runs[0].parts


def test_a_run_that_lies_in_the_future_is_refused_by_its_line():
    with ledger() as opened:
        with pytest.raises(RowsError) as wrong:
            take(opened, row(run_id="fine"), row(timestamp="2999-01-01T00:00:00"))
        assert wrong.value.told("f")[0].startswith("f:3: the run lies in the future")
        with opened.reader() as reader:
            assert reports.run_list(reader, limit=100) == []


ENERGY = st.decimals(0, 1_000, places=12)


@settings(max_examples=20)
@given(
    rows=st.lists(st.tuples(ENERGY, ENERGY, ENERGY, st.integers(0, 9_000)), max_size=4, min_size=1),
    pue=st.sampled_from(["1", "1.1", "1.5", "2"]),
    order=st.randoms(use_true_random=False),
)  # fmt: skip
def test_runs_add_up_to_their_rows_in_any_order_and_once_however_often_imported(rows, pue, order):
    told = [
        row(
            run_id=str(n), duration=str(seconds), pue=pue, energy_consumed="",
            cpu_energy=f"{cpu:f}", gpu_energy=f"{gpu:f}", ram_energy=f"{ram:f}",
        )
        for n, (cpu, gpu, ram, seconds) in enumerate(rows)
    ]  # fmt: skip
    shuffled = order.sample(told, len(told))
    with ledger() as opened:
        take(opened, *told)
        assert take(opened, *shuffled).known == len(told)
        with opened.reader() as reader:
            listed = reports.run_list(reader, limit=100)
    expected = sum(sum(one[:3]) for one in rows) * 3_600_000 / Decimal(pue)
    found = sum(Decimal(str(one["energy_j"])) for one in listed)
    assert abs(found - expected) <= Decimal("0.0015") * 3 * len(rows)
