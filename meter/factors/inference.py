"""Energy of inference by the package ecologits as factor rows; pure: its registry in, rows out.

Its function has no part that is not proportional to tokens or to requests as long as nobody tells
how long an answer took, so two numbers of a model stand for it. The sizes that it was given are
rows too: what was estimated once can be computed again when a model is gone from the registry.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from meter.factors.rows import Cell, Row, Sheet, refused
from meter.units import J_PER_KWH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

RANK = "150"
"""Below a user's own rows."""
ITEM = "inference"
"""Item of the PUE that a provider is taken to have where it answers."""
ACTIVE = "active"
"""What stands after a model's name where its active parameters are told."""

_PROVIDERS = {"google_genai": "gemini", "mistralai": "mistral"}
"""Its names of providers that have others here."""
_LICENCE = "MPL-2.0 (ecologits)"
_DATE = re.compile(r"20\d\d-[01]\d-[0-3]\d")
_NOT_TOLD = "model-arch-not-released"
_NOTHING = {
    f"if_electricity_mix_{name}": 0.0 for name in ("adpe", "pe", "gwp", "wue")
} | {"datacenter_wue": 0.0}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Registry:
    """What the package knows: models, PUE by its providers, and the function that counts.

    ``impacts`` is its ``compute_llm_impacts``, whose answer has the energy in kWh; ``taken`` says
    in words which servers and batches it takes.
    """

    version: str
    models: Iterable[Any]
    pue: Mapping[str, Any]
    impacts: Callable[..., Any]
    taken: str


def inference_rows(registry: Registry, *, today: str) -> Sheet:
    """Sizes, energy of a token and of a request of every model, and the PUE of every provider.

    The source's date is the newest that its models name and that has come, ``today`` if none
    does. Raises RowsError.
    """
    models = list(registry.models)
    if not models:
        raise refused("has no model")
    shared: dict[str, Cell] = {
        "source": f"ecologits {registry.version}",
        "source_date": _newest(models, today),
        "licence": _LICENCE,
        "rank": RANK,
    }
    rows = [cells for model in models for cells in _of_model(model, registry)]
    told = {model.provider.value for model in models}
    rows += [_pue(name, registry.pue[name]) for name in sorted(told & registry.pue.keys())]
    return Sheet(tuple(Row({**shared, **cells}) for cells in rows))


def joules(registry: Registry, active: Any, total: Any, **request: Any) -> Any:
    """Energy of a request in J without the facility, a number or a range of the package's."""
    found = registry.impacts(
        model_active_parameter_count=active,
        model_total_parameter_count=total,
        request_latency=math.inf,
        datacenter_pue=1.0,
        **_NOTHING,
        **request,
    )
    return found.energy.value * J_PER_KWH


def _of_model(model: Any, registry: Registry) -> Iterator[dict[str, Cell]]:
    sizes = model.architecture.parameters
    total, active = getattr(sizes, "total", sizes), getattr(sizes, "active", sizes)
    tps, wait = _pace(model)
    closed = any(warning.code == _NOT_TOLD for warning in model.warnings)
    about: dict[str, Cell] = {"scope": _scope(model.provider.value), "item": model.name}
    size: dict[str, Cell] = {
        **about, "kind": "model_size", "unit": "billion",
        "method": "assumed" if closed else "sourced",
        "detail": "the maker does not say" if closed else "as the maker tells",
    }  # fmt: skip
    yield {**size, **_bounds(total)}
    if active is not total:
        yield {**size, "item": f"{model.name} {ACTIVE}", **_bounds(active)}
    energy = {**about, "method": "modelled", "detail": _detail(active, total, model, registry)}
    token = joules(registry, active, total, output_token_count=1, tps=tps)
    yield {**energy, "kind": "token_energy", "unit": "J/token", **_bounds(token)}
    if wait:
        request = joules(registry, active, total, output_token_count=0, tps=tps, ttft=wait)
        yield {**energy, "kind": "request_energy", "unit": "J/request", **_bounds(request)}


def _detail(active: Any, total: Any, model: Any, registry: Registry) -> str:
    tps, wait = _pace(model)
    of = "" if active is total else f" of {_text(total)} are active"
    told = [f"{_text(active)} billion parameters{of}"]
    told += [f"{tps:g} tokens/s"] if tps else []
    told += [f"{wait:g} s to the first"] if wait else []
    return f"{', '.join(told)}; {registry.taken}; facility not in it"


def _pace(model: Any) -> tuple[float | None, float | None]:
    """Tokens a second, and seconds to the first, as far as they are told."""
    deployment = model.deployment
    return (None, None) if deployment is None else (deployment.tps, deployment.ttft)


def _pue(provider: str, pue: Any) -> dict[str, Cell]:
    return {
        "kind": "pue", "scope": _scope(provider), "item": ITEM, "unit": "1", "method": "assumed",
        "detail": "a constant of the package for the provider", **_bounds(pue),
    }  # fmt: skip


def _scope(provider: str) -> str:
    return f"hosted:{_PROVIDERS.get(provider, provider)}"


def _bounds(told: Any) -> dict[str, Cell]:
    """A number, or a range with its middle."""
    low, high = _ends(told)
    return {"value": f"{(low + high) / 2:.9f}", "low": f"{low:.9f}", "high": f"{high:.9f}"}


def _ends(told: Any) -> tuple[float, float]:
    return float(getattr(told, "min", told)), float(getattr(told, "max", told))


def _text(told: Any) -> str:
    low, high = _ends(told)
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def _newest(models: Iterable[Any], today: str) -> str:
    days = (day for model in models for day in _DATE.findall(model.name))
    return max((day for day in days if day <= today), default=today)
