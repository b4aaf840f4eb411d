"""Past runs in the ledger: modelled and said so, once however often added, equal in every sum."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meter.config import Electricity, Window
from meter.errors import ConflictError
from meter.factors.imports import Wanted, factor_sheet
from meter.identified import identified
from meter.instants import parse_us
from meter.intake import take_factors
from meter.ledger import reports
from meter.model import Factor, FactorKind, LedgerBatch, Method
from tests.ledger.facts import HOUR_US, START_US, band, config, minute, priced, registered
from tests.ledger.test_laws import TOTALS, totals
from tests.past.statements import add, codes, document, ledger, stated

WALL = {"gpu_hours": None, "wall_hours": "10", "count": "8"}


def joules(found: dict) -> tuple[float, float, float]:
    it = found["energy"]["it"]
    return it["low"], it["value"], it["high"]


def test_energy_is_gpu_hours_times_watts_within_the_bounds_of_the_watts():
    found = document(stated(gpu_hours="1000", watts="400:300:450"))
    assert joules(found) == (1.08e9, 1.44e9, 1.62e9)


def test_wall_hours_times_count_and_start_to_end_are_gpu_hours():
    (wall,), (dated,) = (
        {joules(document(stated(**WALL, watts="300")))},
        {
            joules(
                document(
                    stated(**{**WALL, "wall_hours": None}, watts="300", end="2026-03-01T19:00Z")
                )
            )
        },
    )
    assert wall == dated == (80 * 300 * 3600.0,) * 3


def test_an_end_and_wall_hours_tell_the_start():
    found = document(stated(start=None, end="2026-03-01T19:00Z", wall_hours="10"))
    assert found["run"]["started_at"] == "2026-03-01T09:00:00.000000Z"


def test_nothing_of_it_claims_to_be_measured():
    found = document(stated(wall_hours="10", pue="1.1", intensity="385"))
    assert found["coverage"] == 0
    assert found["energy"]["measured_share"] == 0
    assert found["simulated"] is False
    (device,) = found["energy"]["devices"]
    assert (device["method"], device["coverage"]) == ("modelled", 0)
    assert "(modelled)" in device["name"]
    methods = {found["energy"][part]["method"] for part in ("it", "facility")}
    assert {*methods, found["carbon"]["location"]["method"]} == {"modelled"}
    assert "not_metered" in codes(found)
    assert (found["run"]["status"], found["run"]["exit_code"]) == ("completed", None)


def test_the_name_of_the_device_counts_the_gpus_where_that_is_known():
    (counted,) = document(stated(**WALL))["energy"]["devices"]
    (uncounted,) = document(stated())["energy"]["devices"]
    assert (counted["name"], uncounted["name"]) == ("8 x GPU (modelled)", "GPUs (modelled)")


def test_what_is_stated_is_a_factor_of_the_run_with_its_bounds():
    found = document(stated(wall_hours="10", pue="1.1:1.05:1.2", intensity="385:300:450"))
    rows = {row["kind"]: row for row in found["factors"]}
    assert (rows["pue"]["low"], rows["pue"]["value"], rows["pue"]["high"]) == (1.05, 1.1, 1.2)
    assert rows["grid_intensity"]["value"] == 385
    assert {rows[kind]["source"] for kind in ("pue", "grid_intensity")} == {"stated with the run"}
    location = found["carbon"]["location"]
    kwh = 400.0
    assert location["value"] == pytest.approx(kwh * 1.1 * 385, rel=1e-9)
    assert location["low"] == pytest.approx(kwh * 1.05 * 300, rel=1e-9)
    assert location["high"] == pytest.approx(kwh * 1.2 * 450, rel=1e-9)


def test_prices_are_each_in_their_currency():
    found = document(stated(wall_hours="10", pue="1.5", price="0.2", gpu_rate="2", currency="EUR"))
    assert {cost["kind"]: cost["amount"]["value"] for cost in found["cost"]} == {
        "electricity": "80.00",
        "electricity_overhead": "40.00",
        "gpu_time": "2000.00",
    }


def test_without_zone_or_intensity_carbon_is_the_worlds_range_and_assumed():
    found = document(stated())
    assert found["carbon"]["location"]["method"] == "assumed"
    assert "no_zone" in codes(found)
    assert found["energy"]["facility"] is None


def test_what_is_not_stated_is_the_configurations_and_a_notice_names_it():
    found = document(stated(wall_hours="10"), priced())
    rows = {row["kind"]: row for row in found["factors"]}
    assert rows["pue"]["value"] == 1.2
    assert rows["grid_intensity"]["scope"] == "FRA"
    (notice,) = [n for n in found["notices"] if n["code"] == "from_configuration"]
    assert all(word in notice["text"] for word in ("zone FRA", "PUE", "tariff", "GPU-hour rate"))


def test_what_is_stated_goes_before_the_configuration():
    found = document(
        stated(wall_hours="10", pue="1.1", zone="sweden", price="0.1", currency="SEK"), priced()
    )
    rows = {row["kind"]: row for row in found["factors"]}
    assert (rows["pue"]["value"], rows["grid_intensity"]["scope"]) == (1.1, "SWE")
    assert {c["currency"] for c in found["cost"] if c["kind"] == "electricity"} == {"SEK"}
    (notice,) = [n for n in found["notices"] if n["code"] == "from_configuration"]
    assert notice["text"].endswith("configured: GPU-hour rate.")


def test_a_configured_tariff_prices_each_hour_of_the_run_by_its_window():
    night = Window((0, 1, 2, 3, 4, 5, 6), 22 * 60, 6 * 60, band("0.1"))
    tariff = Electricity("EUR", band("0.3"), (night,), "Asia/Kolkata")  # half an hour off
    told = stated(gpu_hours="24", wall_hours="24", watts="1000", start="2026-03-01T00:00Z")
    found = document(told, config(electricity=tariff))
    (cost,) = [cost for cost in found["cost"] if cost["kind"] == "electricity"]
    assert Decimal(cost["amount"]["value"]) == 8 * Decimal("0.1") + 16 * Decimal("0.3")


def test_a_run_whose_hours_are_not_known_stands_in_the_hour_of_its_start():
    found = document(stated(gpu_hours="30000000", watts="400", start="2026-03-01T09:20Z"))
    assert joules(found)[1] == 30_000_000 * 400 * 3600.0
    assert found["run"]["started_at"] == found["run"]["ended_at"]
    assert "hours_unknown" in codes(found)


def test_a_run_without_a_date_has_just_ended_and_says_so():
    found = document(stated(wall_hours="10", start=None))
    assert found["run"]["ended_at"] == "2027-04-05T09:00:00.000000Z"
    assert found["run"]["duration_s"] == 36_000
    assert "start_unknown" in codes(found)
    assert "start_unknown" not in codes(document(stated(wall_hours="10")))


def test_a_past_run_changes_nothing_of_another_run():
    with ledger() as opened:
        for batch in (registered(zone="FRA"), minute_of_a_run()):
            opened.write(batch, urgent=True).result(10)
        before = others(opened)
        add(opened, stated(gpu_hours="9", watts="999", pue="1.7", intensity="900"))
        assert others(opened) == before


def minute_of_a_run():
    from meter.factors import factors_of
    from meter.model import LedgerBatch
    from tests.ledger.facts import site

    factors = tuple(factors_of(priced(), site("FRA"), START_US))
    return LedgerBatch(intervals=(minute(0),), site_id="lab", factors=factors)


def others(opened) -> dict:
    from meter.ledger import reports

    with opened.reader() as reader:
        found = reports.run_document(reader, "01RUN0")
    del found["as_of"]
    return found


def test_equal_statements_of_one_id_are_one_run():
    told = {"id": "old-1", "wall_hours": "10", "pue": "1.1", "tags": (("a", "1"), ("b", "2"))}
    with ledger() as opened:
        first, news = add(opened, stated(**told))
        again, repeated = add(opened, stated(**{**told, "tags": (("b", "2"), ("a", "1"))}))
        assert (news, repeated) == (True, False)
        assert {**first, "as_of": None} == {**again, "as_of": None}


def test_a_statement_written_otherwise_or_under_another_configuration_is_the_same():
    with ledger() as opened:
        told = {"id": "old-1", "pue": "1.1", "wall_hours": "10"}
        first, news = add(opened, stated(**told))
        again, repeated = add(
            opened,
            stated(**{**told, "pue": "1.10", "watts": "400.0", "gpu_hours": "1e3"}),
            priced(),
        )
        assert (news, repeated) == (True, False)
        assert again["factors"] == first["factors"]


def test_without_a_date_too():
    with ledger() as opened:
        told = stated(id="old-1", start=None, wall_hours="3")
        assert [add(opened, told)[1] for _ in range(2)] == [True, False]


@pytest.mark.parametrize(
    "changes",
    [
        {"gpu_hours": "1001"},
        {"watts": "401"},
        {"watts": "400:399:401"},
        {"pue": "1.2"},
        {"name": "other"},
        {"project": "other"},
        {"start": "2026-03-02"},
        {"wall_hours": "11"},
        {"zone": "SWE"},
        {"tags": (("a", "1"),)},
    ],
)
def test_the_same_id_with_other_content_is_a_conflict_and_nothing_is_written(changes):
    with ledger() as opened:
        first, _ = add(opened, stated(id="old-1", wall_hours="10"))
        with pytest.raises(ConflictError, match="there is a run old-1 already"):
            add(opened, stated(**{"id": "old-1", "wall_hours": "10", **changes}))
        again, _ = add(opened, stated(id="old-1", wall_hours="10"))
        assert first["energy"] == again["energy"]


def test_the_id_of_a_metered_run_is_a_conflict():
    with ledger() as opened:
        opened.write(registered("01RUN0"), urgent=True).result(10)
        with pytest.raises(ConflictError):
            add(opened, stated(id="01RUN0"))


def test_without_an_id_each_is_another_run():
    with ledger() as opened:
        ids = {add(opened, stated())[0]["run"]["id"] for _ in range(2)}
        assert len(ids) == 2


def test_an_agent_that_starts_on_the_ledger_takes_nothing_up_from_it():
    from meter.agent.recovery import recover
    from meter.metering.wall import WallAnchor
    from tests.ledger.facts import NODE

    with ledger() as opened:
        add(opened, stated(wall_hours="10"))
        with opened.reader() as reader:
            found = recover(reader, NODE, {}, WallAnchor(0, 0))
    assert (found.runs, found.abandoned, found.intervals, dict(found.starts)) == ((), (), (), {})


slow = settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
minutes = st.integers(0, 24 * 60)


@slow
@given(
    st.lists(st.tuples(minutes, minutes, st.integers(1, 10**4)), min_size=1, max_size=2), minutes
)
def test_sums_by_run_device_project_hour_and_day_are_equal_whenever_the_runs_were(runs, shift):
    def found(later: int) -> dict:
        with ledger() as opened:
            for number, (start, length, hours) in enumerate(runs):
                wall = {"wall_hours": str(Decimal(length) / 60)[:12]} if length else {}
                told = stated(
                    gpu_hours=str(hours),
                    start=instant(start + later),
                    id=f"r{number}",
                    pue="1.2",
                    intensity="385:300:450",
                    price="0.123456789",
                    gpu_rate="2.1",
                    currency="EUR",
                    **wall,
                )
                add(opened, told)
            with opened.reader() as reader:
                return {name: totals(reader, name) for name in TOTALS}

    here, there = found(0), found(shift)
    for name in TOTALS:
        assert here[name] == here["run"], name
    assert here == there
    assert here["run"]["energy", None][0] == sum(hours for *_, hours in runs) * 400 * 3_600_000


def instant(minute_: int) -> str:
    from datetime import UTC, datetime, timedelta

    start = datetime.fromtimestamp((START_US - 96 * HOUR_US) / 1e6, UTC)
    return (start + timedelta(minutes=minute_)).isoformat()


BILL = "first_day,last_day,kwh,amount,currency\n2026-03-01,2026-03-31,1000,{},EUR\n"


def imports(opened, content: str, **wanted) -> None:
    sheet = factor_sheet(content.encode(), Wanted(site="lab", **wanted))
    take_factors(opened, sheet.rows, ["lab"])


def test_what_was_imported_for_the_site_is_taken_into_account_the_newest_first():
    grid = (
        "kind,value,unit,source,source_date,licence,valid_from\n"
        "grid_intensity,{},g/kWh,operator,2026,own,{}\n"
    )
    with ledger() as opened:
        for amount in ("500", "490"):
            imports(opened, BILL.format(amount))
        imports(opened, grid.format(70, "2026-01-01"))
        imports(opened, grid.format(60, "2026-02-01"))
        imports(opened, grid.format(900, "2026-06-01"))
        found, _ = add(opened, stated(wall_hours="10"), priced(), known=opened)
        (notice,) = [n for n in found["notices"] if n["code"] == "from_books"]
        rows = {row["kind"]: row for row in found["factors"]}
        held = (rows["electricity_price"]["value"], rows["grid_intensity"]["value"])
        assert (Decimal(held[0]), held[1]) == (Decimal("0.49"), 60)
        assert notice["text"].endswith("known of the site: electricity tariff, grid intensity.")
        own = stated(wall_hours="10", price="0.1", currency="SEK", zone="sweden")
        found, _ = add(opened, own, priced(), known=opened)
        rows = {row["kind"]: row for row in found["factors"]}
        assert rows["electricity_price"]["source"] == "stated with the run"
        assert rows["grid_intensity"]["scope"] == "SWE"
        assert "from_books" not in codes(found)


def test_a_correction_for_the_run_goes_before_what_was_imported_for_its_site():
    bill = "kind,scope,value,unit,source,source_date,licence\n"
    with ledger() as opened:
        imports(opened, BILL.format("500"))
        found, _ = add(opened, stated(wall_hours="10", id="old-1"), priced(), known=opened)
        imports(opened, f"{bill}electricity_price,past:old-1,0.3,EUR/kWh,invoice,2026,own\n")
        with opened.reader() as reader:
            found = reports.run_document(reader, "old-1")
        rows = {row["kind"]: row for row in found["factors"]}
        assert Decimal(rows["electricity_price"]["value"]) == Decimal("0.3")


PRICE = (
    "kind,scope,value,unit,source,source_date,licence,valid_from\n"
    "electricity_price,lab,{},EUR/kWh,invoice,2026,own,{}\n"
)


def test_of_many_imports_the_one_of_the_runs_time_holds_as_it_does_for_a_metered_run():
    with ledger() as opened:
        for year in range(2014, 2026):
            imports(opened, PRICE.format(f"0.{year - 2000}", f"{year}-01-01"))
        for year in range(2014, 2026):
            told = stated(start=f"{year}-06-01", wall_hours="100", gpu_hours="1000", watts="1000")
            found, _ = add(opened, told, known=opened)
            (cost,) = [one for one in found["cost"] if one["kind"] == "electricity"]
            assert Decimal(cost["amount"]["value"]) == (year - 2000) * 10, year


def test_a_correction_of_the_sites_book_reaches_past_runs_as_it_does_metered_ones():
    with ledger() as opened:
        imports(opened, PRICE.format("0.3", "2026-01-01"))
        told = stated(id="old-1", gpu_hours="10", wall_hours="1")
        found, _ = add(opened, told, known=opened)
        before = found["as_of"]
        imports(opened, PRICE.format("0.6", "2026-01-01"))
        with opened.reader() as reader:
            now = reports.run_document(reader, "old-1")
            then = reports.run_document(reader, "old-1", as_of_us=parse_us(before, "as_of"))
        amounts = [Decimal(one["cost"][0]["amount"]["value"]) for one in (found, then, now)]
        assert amounts == [Decimal("1.2"), Decimal("1.2"), Decimal("2.4")]


def test_hours_that_a_feed_told_of_go_before_the_year_in_a_past_run_too():
    with ledger() as opened:
        hour = Factor(
            id="", kind=FactorKind.GRID_INTENSITY, scope="lab", value=Decimal(45), low=Decimal(45),
            high=Decimal(45), unit="g/kWh", source="feed", method=Method.SOURCED, recorded_us=0,
            rank=300, book="uk", valid_from_us=START_US, valid_to_us=START_US + HOUR_US,
        )  # fmt: skip
        opened.write(LedgerBatch(factors=(identified(hour),)), urgent=True).result(10)
        start = instant(96 * 60)
        told = stated(start=start, gpu_hours="10", wall_hours="0.25", watts="400")
        found, _ = add(opened, told, config(zone="FRA"), known=opened)
        assert found["carbon"]["location"]["value"] == pytest.approx(4 * 45)
        (notice,) = [n for n in found["notices"] if n["code"] == "from_books"]
        assert "grid intensity" in notice["text"]
        elsewhere = stated(start=start, gpu_hours="10", wall_hours="0.25", watts="400", zone="FRA")
        found, _ = add(opened, elsewhere, config(zone="FRA"), known=opened)
        assert found["carbon"]["location"]["value"] == pytest.approx(4 * 56.039, rel=1e-4)
