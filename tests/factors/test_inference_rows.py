"""Energy of inference by ecologits as rows: its own figures, made again from what is stored."""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from types import SimpleNamespace as Told

import pytest
from ecologits.tracers.utils import llm_impacts
from ecologits.utils.range_value import RangeValue
from hypothesis import given
from hypothesis import strategies as st

from meter.cli.factor_packages import registry
from meter.factors.books import YEARLY
from meter.factors.factor_rows import Known, factors_of_rows
from meter.factors.inference import ACTIVE, ITEM, RANK, Registry, inference_rows, joules
from meter.factors.rows import RowsError
from meter.model import FactorKind, Method
from meter.units import J_PER_KWH

TODAY = "2026-11-23"
KNOWN = Known(frozenset(), 0, 1_795_600_000_000_000)
ECOLOGITS = registry()
MODELS = list(ECOLOGITS.models)
ROWS = factors_of_rows(inference_rows(ECOLOGITS, today=TODAY).rows, KNOWN)
BY = {(row.kind, row.scope, row.item): row for row in ROWS}
PINNED = {
    ("openai", "gpt-4o-mini"): (0.02602, 0.03148),
    ("openai", "gpt-3.5-turbo"): (0.02903, 0.17077),
    ("openai", "gpt-4o"): (0.57887, 0.96371),
    ("mistral", "mistral-large-latest"): (1.15075, 1.15075),
    ("anthropic", "claude-sonnet-4-5"): (0.57870, 0.97084),
    ("gemini", "gemini-2.5-pro"): (4.62787, 10.98344),
}
"""Wh of 400 output tokens, as ecologits 0.11.3 was measured to say."""
IN_A_SECOND = (0.51618, 0.90101)
"""The same of gpt-4o, told that the answer took one second."""
models = st.sampled_from(MODELS)


def ends(told) -> tuple[float, float]:
    return (told.min, told.max) if isinstance(told, RangeValue) else (told, told)


def ours(provider: str) -> str:
    return {"google_genai": "gemini", "mistralai": "mistral"}.get(provider, provider)


def row_of(kind: FactorKind, provider: str, item: str):
    return BY.get((kind, f"hosted:{ours(provider)}", item))


def wh(provider: str, model: str, tokens: int) -> tuple[float, float]:
    """What the rows say of one request."""
    token = row_of(FactorKind.TOKEN_ENERGY, provider, model)
    wait = row_of(FactorKind.REQUEST_ENERGY, provider, model)
    pue = row_of(FactorKind.PUE, provider, ITEM)
    return tuple(
        float((tokens * getattr(token, end) + (getattr(wait, end) if wait else 0))
              * getattr(pue, end) / 3600)
        for end in ("low", "high")
    )  # fmt: skip


@pytest.mark.parametrize(("provider", "model"), PINNED)
def test_400_tokens_have_the_pinned_energy(provider, model):
    assert ECOLOGITS.version == "0.11.3"
    assert wh(provider, model, 400) == pytest.approx(PINNED[provider, model], rel=0, abs=6e-6)


def test_rows_are_of_answers_whose_time_nobody_told_and_a_short_one_would_use_less():
    """The package caps what servers use by the time that an answer took; a row has no such time."""
    found = llm_impacts("openai", "gpt-4o", 400, 1.0).energy.value
    in_a_second = [kwh * 1000 for kwh in ends(found)]
    assert in_a_second == pytest.approx(IN_A_SECOND, rel=0, abs=6e-6)
    pairs = zip(in_a_second, wh("openai", "gpt-4o", 400), strict=True)
    assert all(shorter < any_time for shorter, any_time in pairs)


@given(models, st.integers(1, 10**6))
def test_rows_say_what_the_package_says_of_any_request_of_any_model(model, tokens):
    found = llm_impacts(model.provider.value, model.name, tokens, math.inf).energy.value
    expected = [kwh * 1000 for kwh in ends(found)]
    assert wh(model.provider.value, model.name, tokens) == pytest.approx(expected, rel=1e-6)


@given(models)
def test_a_models_energy_can_be_made_again_from_its_stored_sizes_alone(model):
    provider, name = model.provider.value, model.name
    total = row_of(FactorKind.MODEL_SIZE, provider, name)
    active = row_of(FactorKind.MODEL_SIZE, provider, f"{name} {ACTIVE}") or total
    spans = [RangeValue(min=float(row.low), max=float(row.high)) for row in (active, total)]
    pace = model.deployment
    found = joules(ECOLOGITS, *spans, output_token_count=1, tps=pace and pace.tps)
    token = row_of(FactorKind.TOKEN_ENERGY, provider, name)
    assert (float(token.low), float(token.high)) == pytest.approx(ends(found), rel=1e-6)
    if pace and pace.tps:
        assert f"{pace.tps:g} tokens/s" in token.detail
    if pace and pace.ttft:
        assert f"{pace.ttft:g} s to the first" in token.detail


def test_every_model_and_provider_is_there_with_source_and_licence_behind_a_users_own():
    tokens = [row for row in ROWS if row.kind is FactorKind.TOKEN_ENERGY]
    assert len(tokens) == len(MODELS)
    assert {row.kind for row in ROWS} == {
        FactorKind.TOKEN_ENERGY, FactorKind.REQUEST_ENERGY, FactorKind.MODEL_SIZE, FactorKind.PUE
    }  # fmt: skip
    assert {(row.source, row.licence) for row in ROWS} == {
        ("ecologits 0.11.3", "MPL-2.0 (ecologits)")
    }
    assert {row.rank for row in ROWS} == {int(RANK)}
    assert int(RANK) < YEARLY
    assert {row.item for row in ROWS if row.kind is FactorKind.PUE} == {ITEM}
    methods = {row.method for row in tokens}
    assert methods == {Method.MODELLED}


def test_only_a_maker_who_tells_a_size_is_taken_for_its_source():
    closed = row_of(FactorKind.MODEL_SIZE, "openai", "gpt-4o")
    told = row_of(FactorKind.MODEL_SIZE, "mistral", "mistral-large-latest")
    assert (closed.method, told.method) == (Method.ASSUMED, Method.SOURCED)


# -- a registry that is made up -------------------------------------------------------------------


def made_up(*named: tuple[str, object]) -> Registry:
    """Models of 2 J a token and 3 J a request for each billion of active parameters."""

    def impacts(*, model_active_parameter_count, output_token_count, ttft=None, **_):
        count = 2 * output_token_count + 3 * (ttft or 0)
        return Told(energy=Told(value=model_active_parameter_count * (count / J_PER_KWH)))

    return Registry(
        version="9", pue={"openai": 1.5, "cohere": 1.1}, impacts=impacts, taken="by nobody",
        models=[
            Told(provider=Told(value="openai"), name=name, warnings=[],
                 architecture=Told(parameters=sizes), deployment=None)
            for name, sizes in named
        ],
    )  # fmt: skip


def made(*named: tuple[str, object], today: str = TODAY):
    return factors_of_rows(inference_rows(made_up(*named), today=today).rows, KNOWN)


def test_a_model_that_tells_no_pace_has_no_wait_and_only_its_provider_a_pue():
    rows = made(("m", 7.0))
    assert [(row.kind.value, row.item, row.value) for row in rows] == [
        ("model_size", "m", 7), ("token_energy", "m", 14), ("pue", ITEM, Decimal("1.5")),
    ]  # fmt: skip


def test_active_parameters_are_what_counts_and_a_range_has_its_middle():
    sizes = Told(total=440.0, active=RangeValue(min=44, max=132))
    rows = {(row.kind.value, row.item): row for row in made(("m", sizes))}
    assert rows["model_size", "m"].value == 440
    assert (rows["model_size", "m active"].low, rows["model_size", "m active"].high) == (44, 132)
    token = rows["token_energy", "m"]
    assert [Fraction(one) for one in (token.low, token.value, token.high)] == [88, 176, 264]
    assert "44 to 132 billion parameters of 440 are active" in token.detail


def test_the_source_is_as_new_as_the_newest_date_of_a_model_that_has_come():
    names = [("a-2025-03-01", 1.0), ("b-2026-02-03", 1.0), ("c-2031-01-01", 1.0)]
    assert {row.source_date for row in made(*names)} == {"2026-02-03"}
    assert {row.source_date for row in made(("a", 1.0), today="2026-05-06")} == {"2026-05-06"}


def test_a_registry_without_models_is_refused():
    with pytest.raises(RowsError, match="no model"):
        inference_rows(replace(made_up(), models=[]), today=TODAY)
