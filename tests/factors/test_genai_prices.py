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
        id="m",
        match=match or Told(equals="m"),
        prices=model_prices,
        price_variants=list(variants) or None,
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


def model_of(name: str, match: Told, price: str = "1") -> Told:
    return Told(id=name, match=match, prices=priced(input_mtok=price), price_variants=None)


def named(*providers: Told) -> dict[tuple[str, str], Decimal | None]:
    sheet = genai_rows(providers, version="0.2.3", today=TODAY)
    return {(one.provider, one.model): one.value for one in prices_of_rows(sheet.rows, KNOWN)}


def test_a_model_is_called_by_its_id_and_by_each_exact_name():
    match = Told(or_=[Told(equals="m"), Told(equals="m-2024"), Told(starts_with="m-")])
    assert set(named(Told(id="p", models=[model_of("mine", match)]))) == {
        ("p", "mine"), ("p", "m"), ("p", "m-2024"),
    }  # fmt: skip


def test_a_model_that_a_pattern_alone_finds_has_its_id_and_what_others_write_out():
    """The package finds it by them as well; the first model that is found counts."""
    haiku = model_of("haiku-4-5", Told(or_=[Told(starts_with="haiku-4-5")]), "1")
    every = model_of("haiku", Told(contains="HAIKU"), "9")
    dated = model_of("x", Told(or_=[Told(equals="haiku-4-5-20251001"), Told(equals="a.haiku-3")]))
    found = named(Told(id="a", models=[haiku, every]), Told(id="b", models=[dated]))
    assert found == {
        ("a", "haiku-4-5"): 1, ("a", "haiku-4-5-20251001"): 1,
        ("a", "haiku"): 9, ("a", "a.haiku-3"): 9,
        ("b", "haiku-4-5-20251001"): 1, ("b", "a.haiku-3"): 1, ("b", "x"): 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("clause", "takes"),
    [
        (Told(starts_with="a-"), {"a-b-1"}), (Told(ends_with="-1"), {"a-b-1", "c-1"}),
        (Told(contains="B"), {"a-b-1"}), (Told(regex="^c-[0-9]$"), {"c-1"}),
        (Told(and_=[Told(ends_with="1"), Told(contains="b")]), {"a-b-1"}),
        (Told(or_=[Told(and_=[Told(equals="c-1"), Told(contains="c")])]), {"c-1"}),
        (Told(of_a_later_version=1), set()),
    ],
)  # fmt: skip
def test_patterns_take_names_as_in_the_package(clause, takes):
    written = Told(id="b", models=[model_of(name, Told(equals=name)) for name in ("a-b-1", "c-1")])
    found = named(Told(id="a", models=[model_of("mine", clause)]), written)
    assert {model for provider, model in found if provider == "a"} == {"mine", *takes}


def test_an_id_that_finds_another_model_is_the_other_s():
    first = model_of("m-latest", Told(or_=[Told(starts_with="m")]), "1")
    second = model_of("m-old", Told(equals="old"), "2")
    assert named(Told(id="p", models=[first, second])) == {
        ("p", "m-latest"): 1, ("p", "m-old"): 1, ("p", "old"): 2,
    }  # fmt: skip


def test_a_beginning_that_ends_with_a_date_is_a_name():
    match = Told(or_=[Told(starts_with="m-20251001"), Told(starts_with="m-2025"),
                      Told(starts_with="M-2025-10-01")])  # fmt: skip
    found = named(Told(id="p", models=[model_of("m", match)]))
    assert {model for _, model in found} == {"m", "m-20251001", "M-2025-10-01"}


def test_which_models_have_more_names_is_told():
    some = Told(id="google", models=[model_of("m", Told(starts_with="m")),
                                     model_of("n", Told(equals="n"))])  # fmt: skip
    sheet = genai_rows([some], version="0.2.3", today=TODAY)
    assert "models that have such: gemini 1." in sheet.notices[1]


def test_a_package_without_models_is_refused():
    with pytest.raises(RowsError):
        genai_rows([Told(id="p", models=[])], version="0.2.3", today=TODAY)


def test_what_is_left_out_is_counted_once_whatever_names_a_model_has():
    match = Told(or_=[Told(equals="m"), Told(equals="n")])
    _, sheet = rows(priced(input_mtok="1"), variant({"speed": "fast"}, None), match=match)
    assert "1 of other circumstances" in sheet.notices[0]


@pytest.mark.parametrize(("its", "ours"), [("google", "gemini"), ("aws", "bedrock"), ("x", "x")])
def test_providers_have_the_names_that_usage_has(its, ours):
    (price,), _ = rows(priced(input_mtok="1"), provider=its)
    assert price.provider == ours


def has_price(model) -> bool:
    told = model.prices if isinstance(model.prices, list) else [model]
    return any(one.prices.input_mtok is not None for one in told)


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
    names = {(p.provider, p.model) for p in found}
    wanted = {
        "anthropic": "claude-haiku-4-5 claude-haiku-4-5-20251001 claude-sonnet-4-5-20250929",
        "gemini": "gemini-2.5-pro gemini-2.0-flash",
    }
    assert {(who, one) for who, some in wanted.items() for one in some.split()} <= names
    for one in data.providers:
        who = {"google": "gemini", "aws": "bedrock"}.get(one.id, one.id)
        ids = {model.id for model in one.models if has_price(model)}
        assert ids <= {name for by, name in names if by == who}
