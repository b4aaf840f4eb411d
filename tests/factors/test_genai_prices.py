"""Prices of genai-prices: tiers, batches, contexts, dates; whether its data is here or made up."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from types import SimpleNamespace as Told

import pytest

from meter.factors.factor_rows import Known
from meter.factors.genai_prices import genai_rows
from meter.factors.price_rows import prices_of_rows
from meter.factors.rows import RowsError

TODAY = date(2026, 11, 23)
KNOWN = Known(frozenset(), 0, 1_795_600_000_000_000)
JUNE = date(2025, 6, 10)


def since(day: date | None):
    return None if day is None else Told(start_date=day)


def priced(**amounts):
    return Told(**{
        key: one if isinstance(one, Told) else Decimal(one) for key, one in amounts.items()
    })  # fmt: skip


def tiered(base: str, *tiers: tuple[int, str]):
    return Told(base=Decimal(base), tiers=[Told(start=n, price=Decimal(p)) for n, p in tiers])


def from_day(day: date | None, **amounts):
    return Told(constraint=since(day), prices=priced(**amounts))


def variant(when: dict[str, str], day: date | None, **amounts):
    return Told(when=when, constraint=since(day), prices=priced(**amounts))


def rows(model_prices, *variants, provider="openai", match=None):
    model = Told(
        match=match or Told(equals="m"), prices=model_prices, price_variants=list(variants) or None
    )
    sheet = genai_rows([Told(id=provider, models=[model])], version="0.2.3", today=TODAY)
    return prices_of_rows(sheet.rows, KNOWN), sheet


def day_of(us: int | None) -> date | None:
    return None if us is None else datetime.fromtimestamp(us // 1_000_000, UTC).date()


def periods(found, **wanted):
    return sorted(
        (str(day_of(p.valid_from_us)), str(day_of(p.valid_to_us)), p.value)
        for p in found
        if all(getattr(p, name) == told for name, told in wanted.items())
    )


def test_rows_carry_the_packages_version_and_a_date():
    (price,), _ = rows(priced(input_mtok="2.5"))
    assert price.source == "genai-prices 0.2.3"
    assert price.source_date == "2026-11-23"
    assert (price.meter, price.per, price.value, price.rank) == (
        "input",
        10**6,
        Decimal("2.5"),
        150,
    )


def test_a_later_price_ends_the_earlier_one():
    found, sheet = rows([from_day(None, input_mtok="10"), from_day(JUNE, input_mtok="2")])
    assert periods(found) == [("2025-06-10", "None", 2), ("None", "2025-06-10", 10)]
    assert sheet.rows[0].cells["source_date"] == "2025-06-10"


def test_n17_a_batch_price_holds_for_the_days_before_the_package_knew_it():
    found, _ = rows(
        priced(input_mtok="2"),
        variant({"processing": "batch"}, date(2026, 10, 14), input_mtok="1"),
    )
    assert periods(found, service_tier="batch") == [("None", "None", 1)]
    (batch,) = (p for p in found if p.service_tier == "batch")
    assert "taken for them too" in batch.detail


def test_of_variants_the_first_that_has_begun_counts():
    new, old = date(2027, 1, 1), date(2026, 10, 15)
    flex = {"service_tier": "flex"}
    found, _ = rows(
        priced(input_mtok="2"),
        variant(flex, new, input_mtok="3"),
        variant(flex, old, input_mtok="1"),
        variant(flex, date(2028, 1, 1), input_mtok="9"),
    )
    assert periods(found, service_tier="flex") == [
        ("2026-10-15", "2027-01-01", 1), ("2027-01-01", "None", 3),
    ]  # fmt: skip


def test_cliff_prices_become_brackets_of_the_requests_input():
    found, _ = rows(priced(output_mtok=tiered("30", (200_000, "45"), (500_000, "60"))))
    brackets = [(p.context_over, p.context_to, p.value) for p in found]
    assert brackets == [(None, 200_000, 30), (200_000, 500_000, 45), (500_000, None, 60)]


def test_what_is_not_taken_is_told():
    night = Told(constraint=Told(start_time=1, end_time=2), prices=priced(input_mtok="1"))
    _, sheet = rows(
        [from_day(None, input_mtok="2", web_searches_kcount="10"), night],
        variant({"speed": "fast"}, None, input_mtok="9"),
    )
    (said,) = sheet.notices
    assert "1 prices of hours of the day, 1 of other circumstances" in said
    assert "web_searches_kcount" in said


def test_each_exact_name_of_a_model_is_one_and_patterns_are_none():
    match = Told(or_=[Told(equals="m"), Told(equals="m-2024"), Told(starts_with="m-")])
    found, _ = rows(priced(input_mtok="1"), match=match)
    assert {p.model for p in found} == {"m", "m-2024"}
    with pytest.raises(RowsError):
        rows(priced(input_mtok="1"), match=Told(starts_with="m-"))


@pytest.mark.parametrize(("its", "ours"), [("google", "gemini"), ("aws", "bedrock"), ("x", "x")])
def test_providers_have_the_names_that_usage_has(its, ours):
    (price,), _ = rows(priced(input_mtok="1"), provider=its)
    assert price.provider == ours


def test_the_installed_package_is_taken_whole():
    data = pytest.importorskip("genai_prices.data", reason="the extra genai-prices is not here")
    sheet = genai_rows(data.providers, version="0.2.3", today=TODAY)
    found = prices_of_rows(sheet.rows, KNOWN)
    assert len(found) > 5_000
    o3 = [p for p in found if (p.provider, p.model, p.meter) == ("openai", "o3", "input")]
    assert periods(o3, service_tier=None) == [
        ("2025-06-10", "None", 2), ("None", "2025-06-10", 10),
    ]  # fmt: skip
    assert periods(o3, service_tier="batch") == [("2025-06-10", "None", 1)]
