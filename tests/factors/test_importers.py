"""Files that others define, by their documented shapes; the rows in them are made up."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meter.errors import UsageError
from meter.factors.imports import Wanted, factor_sheet, price_sheet
from meter.model import FactorKind
from tests.factors.sheets import PRICE, factors, faults, prices, table

REGIONS = """\
year,cloud-provider,cloud-region,em-zone-id,location,power-usage-effectiveness,\
water-usage-effectiveness,provider-carbon-intensity-market-annual,\
grid-carbon-intensity-average-consumption-annual,\
grid-carbon-intensity-marginal-consumption-annual,grid-carbon-intensity-average-production-annual
2023,Amazon Web Services,us-test-1,US-X,"Testville, USA",1.21,0.2,0.0,400.5,600.25,390
2024,Amazon Web Services,us-test-1,US-X,"Testville, USA",1.2,0.1,0.0,380.5,,370
2024,Google Cloud,test-west1,XX,Testland,,,,,,44.5
"""


def us(*date: int) -> int:
    return int(datetime(*date, tzinfo=UTC).timestamp()) * 1_000_000


def test_cloud_regions_become_factors_of_their_region_and_year():
    found = factors(REGIONS)
    assert len(found) == 5 + 4 + 1
    by = {(one.kind, one.scope, one.source_date): one for one in found}
    pue = by[FactorKind.PUE, "aws:us-test-1", "2023"]
    assert (pue.value, pue.valid_from_us, pue.valid_to_us) == (
        Decimal("1.21"), us(2023, 1, 1), us(2024, 1, 1),
    )  # fmt: skip
    newest = by[FactorKind.GRID_INTENSITY, "aws:us-test-1", "2024"]
    assert (newest.value, newest.valid_to_us) == (Decimal("380.5"), None)
    assert newest.basis == "average, consumption, life-cycle"
    production = by[FactorKind.GRID_INTENSITY, "gcp:test-west1", "2024"]
    assert production.basis == "average, production, life-cycle"
    assert by[FactorKind.MARGINAL_INTENSITY, "aws:us-test-1", "2023"].value == Decimal("600.25")
    claim = by[FactorKind.MARKET_EXCLUDED, "aws:us-test-1", "2024"]
    assert claim.value == 0  # told, and never counted


def test_a_region_may_be_taken_for_a_site():
    found = factors(REGIONS, region="aws:us-test-1", site="lab")
    assert {one.scope for one in found} == {"lab"}
    assert {one.rank for one in found} == {250}
    assert len(found) == 9
    (fault,) = faults(REGIONS, region="aws:eu-test-9", site="lab")
    assert "aws:us-test-1" in fault.reason
    with pytest.raises(UsageError, match="--region"):
        factor_sheet(REGIONS.encode(), Wanted(site="lab"))


def test_a_wrong_cell_of_a_region_is_told_with_its_line():
    found = faults(REGIONS.replace("1.21", "12.1").replace("2024,Google", "soon,Google"))
    assert [(fault.line, fault.column) for fault in found] == [(4, "year")]
    (fault,) = faults(REGIONS.replace("1.21", "12.1"))
    assert (fault.line, fault.column) == (2, "power-usage-effectiveness")


def test_a_region_that_stands_twice_in_a_year_is_left_out_unless_its_rows_are_equal():
    twice = REGIONS + "2023,Amazon Web Services,us-test-1,US-Y,Elsewhere,1.4,,,90,,\n"
    sheet = factor_sheet(twice.encode(), Wanted())
    assert {row.cells["scope"] for row in sheet.rows} == {"gcp:test-west1"}
    assert sheet.notices == ("Left out, because their rows of one year differ: aws:us-test-1.",)
    assert len(factors(twice)) == 1
    (fault,) = faults(twice, region="aws:us-test-1", site="lab")
    assert "rows of one year that differ (lines 2, 5)" in fault.reason
    again = REGIONS + REGIONS.splitlines()[1].replace("Testville", "Test City") + "\n"
    assert factors(again) == factors(REGIONS)
    assert factor_sheet(again.encode(), Wanted()).notices == ()


BILLS = """\
first_day,last_day,kwh,amount,currency,source,detail
2026-01-01,2026-01-31,1200,264.00,EUR,Stadtwerk,no. 17
2026-02-01,2026-02-28,1000,230.00,EUR,Stadtwerk,no. 18
"""


def test_bills_tell_what_a_kwh_cost_in_their_days():
    january, february = factors(BILLS, site="lab", timezone="Europe/Berlin")
    assert (january.value, january.unit, january.currency) == (Decimal("0.22"), "EUR/kWh", "EUR")
    assert january.valid_to_us == february.valid_from_us == us(2026, 1, 31, 23)
    assert (january.rank, january.licence, january.source_date) == (420, "own data", "2026-01-31")
    assert january.detail == "264.00 EUR for 1200 kWh; no. 17"
    (said,) = factor_sheet(BILLS.encode(), Wanted(site="lab")).notices
    assert "2,200 kWh are not compared" in said


@pytest.mark.parametrize(
    ("bill", "column", "says"),
    [
        ("2026-01-01,2026-01-31,0,1,EUR,,", "kwh", "not above 0"),
        ("2026-01-31,2026-01-01,5,1,EUR,,", "last_day", "before first_day"),
        ("31.01.2026,2026-01-31,5,1,EUR,,", "first_day", "no day"),
        ("2026-01-01,2026-01-31,5,,EUR,,", "amount", "missing"),
        ('2026-01-01,2026-01-31,5,"1,5",EUR,,', "amount", "comma"),
        ("2026-01-01,2026-01-31,5,1,,,", "currency", "missing"),
        ("2026-01-01,2026-01-31,1,1e99,EUR,,", "amount", "absurd"),
        ("2026-01-01,2026-01-31,1e-20,1,EUR,,", "amount", "absurd"),
        ("2026-01-01,9999-12-31,1,1,EUR,,", "last_day", "in no year"),
        ("0001-01-01,2026-01-31,1,1,EUR,,", "first_day", "in no year"),
        ("2026-09-01,2026-12-31,5,1,EUR,,", "last_day", "still to come"),
        ("2026-01-01,2026-01-31,5,1,Euro,,", "currency", "no currency code"),
        ("2026-01-01,2026-01-31,1,9999999,EUR,,", "amount", "above"),
        ("2026-01-01,2026-01-31,5,1,UDS,,", "currency", "did you mean USD"),
        ("2026-01-01,2026-01-31,1200,-264,EUR,,", "amount", "a credit"),
    ],
)
def test_a_wrong_bill_is_told(bill, column, says):
    (fault,) = faults(BILLS.splitlines()[0] + "\n" + bill + "\n", site="lab")
    assert (fault.line, fault.column) == (2, column)
    assert says in fault.reason


CELLS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.decimals(allow_nan=False, allow_infinity=False).map(str),
    st.builds("{}e{}".format, st.integers(0, 99), st.integers(-99, 99)),
    st.dates().map(str),
    st.sampled_from(["EUR", "9999-12-31", "0001-01-01", "1970-01-01", "NaN", "-0"]),
)


@given(
    st.fixed_dictionaries(
        {
            "first_day": st.just("2026-01-01") | CELLS,
            "last_day": st.just("2026-01-31") | CELLS,
            "kwh": st.just("5") | CELLS,
            "amount": st.just("1") | CELLS,
            "currency": st.just("EUR") | CELLS,
            "source": CELLS,
            "detail": CELLS,
        }
    ),
    st.sampled_from(["UTC", "Asia/Tokyo", "America/Los_Angeles", "Africa/Monrovia"]),
)
def test_whatever_stands_in_a_bill_is_a_row_or_a_fault(bill, timezone):
    content = table(bill)
    found = faults(content, site="lab", timezone=timezone)
    assert found or len(factors(content, site="lab", timezone=timezone)) == 1
    assert {fault.column for fault in found} <= {*bill, None}


def test_bills_need_their_site_and_a_time_zone_that_is_one():
    with pytest.raises(UsageError, match="--site"):
        factor_sheet(BILLS.encode(), Wanted())
    (fault,) = faults(BILLS, site="lab", timezone="Mars/Base")
    assert "no time zone" in fault.reason


def test_bills_of_the_same_days_are_refused():
    (fault,) = faults(BILLS + "2026-01-15,2026-02-14,100,20,EUR,,\n", site="lab")[:1]
    assert "holds at the same time" in fault.reason


MIX = """\
zone,year,g_per_kwh,source,licence
Germany,2023,610.5,AIB residual mixes,by permission
Germany,2024,600,AIB residual mixes,by permission
Austria,2024,0,AIB residual mixes,by permission
"""


def test_a_residual_mix_is_market_based_and_zero_is_none():
    sheet = factor_sheet(MIX.encode(), Wanted())
    assert sheet.notices == ("Left out, because a residual mix of 0 is none: Austria.",)
    old, new = factors(MIX)
    assert (new.kind, new.scope, new.value) == (FactorKind.MARKET_INTENSITY, "DEU", 600)
    assert (new.rank, new.share, new.basis) == (210, 1, "average, direct")
    assert (old.valid_to_us, new.valid_from_us) == (us(2024, 1, 1), us(2024, 1, 1))


LITELLM = json.dumps(
    {
        "sample_spec": {"input_cost_per_token": 0.0, "litellm_provider": "one of"},
        "maker-large": {
            "litellm_provider": "maker", "mode": "chat", "max_tokens": 4096,
            "input_cost_per_token": 2.5e-06, "output_cost_per_token": 1e-05,
            "cache_read_input_token_cost": 1.25e-06, "input_cost_per_token_batches": 1.25e-06,
            "input_cost_per_token_above_200k_tokens": 5e-06,
        },
        "maker-picture": {"litellm_provider": "maker", "output_cost_per_image": 0.04},
    },
    indent=4,
)  # fmt: skip


def test_litellm_prices_are_of_a_million_tokens_exactly():
    found = prices(LITELLM, told={"source_date": "2026-06-01"})
    assert {(one.meter, one.service_tier): str(one.value.normalize()) for one in found} == {
        ("input", None): "2.5", ("output", None): "1E+1", ("cached_input", None): "1.25",
        ("input", "batch"): "1.25",
    }  # fmt: skip
    assert {(one.provider, one.model, one.per, one.currency) for one in found} == {
        ("maker", "maker-large", 1_000_000, "USD")
    }
    assert {one.valid_from_us for one in found} == {us(2026, 6, 1)}
    sheet = price_sheet(LITELLM.encode(), Wanted(told={"source_date": "2026-06-01"}))
    assert sheet.rows[0].line == 6
    assert "1 models without a price of tokens, and 2 prices of other things" in sheet.notices[0]


def test_litellm_needs_a_date_and_a_price():
    with pytest.raises(UsageError, match="--source-date"):
        price_sheet(LITELLM.encode(), Wanted())
    (fault,) = faults(
        '{"a": {"litellm_provider": "x"}}', prices, told={"source_date": "2026-06-01"}
    )
    assert fault.reason == "has no price of a token"


@pytest.mark.parametrize(
    ("changes", "column", "says"),
    [
        ({"per": "0"}, "per", "no whole number"),
        ({"per": ""}, "per", "missing"),
        ({"value": "-1"}, "value", "below 0"),
        ({"currency": ""}, "currency", "missing"),
        ({"provider": ""}, "provider", "missing"),
        ({"tier": "batch"}, "tier", "no column"),
        ({"value": "1e9"}, "value", "absurd"),
    ],
)
def test_a_wrong_price_is_told_with_its_column(changes, column, says):
    found = {f.column: f.reason for f in faults(table({**PRICE, **changes}), prices)}
    assert says in found[column]


def test_two_prices_of_the_same_thing_are_refused():
    (fault,) = faults(table(PRICE, {**PRICE, "value": "3"}), prices)
    assert "same as line 2" in fault.reason
    assert len(prices(table(PRICE, {**PRICE, "service_tier": "batch"}))) == 2


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ("Narnia,2024,600,AIB,own data", "zone"),
        ("Germany,2024,1e9,AIB,own data", "g_per_kwh"),
        ("Germany,2099,600,AIB,own data", "year"),
        ("Germany,1950,600,AIB,own data", "year"),
    ],
)
def test_a_fault_of_a_residual_mix_names_the_file_s_own_column(row, column):
    found = faults(f"{MIX.splitlines()[0]}\n{row}\n")
    assert {(fault.line, fault.column) for fault in found} == {(2, column)}
