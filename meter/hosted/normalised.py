"""Normalised events of usage: one quantity of one meter, as whoever counted it says; pure."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from meter.errors import UsageError
from meter.hosted import moments, numbers, providers
from meter.hosted.models import base_model
from meter.hosted.tokens import UNKNOWN, USAGE_UNKNOWN
from meter.hosted_facts import (
    MOST_OTHER,
    TOKEN_METERS,
    Adapter,
    Meter,
    Quantity,
    Training,
    Usage,
    as_told,
)
from meter.limits import NAME_CHARS, check_name, check_run_id
from meter.reserved import refuse

if TYPE_CHECKING:
    from collections.abc import Mapping
    from enum import StrEnum
    from typing import TypeVar

    Word = TypeVar("Word", bound=StrEnum)

ID_CHARS: Final = 256
LABEL_CHARS: Final = 64
ROUNDED: Final = "rounded"
"""Flag: the quantity had more than the six decimals that are kept."""
_USUAL = frozenset({
    "id", "at", "provider", "model", "meter", "quantity", "source",
    "project", "run", "region", "service_tier", "unit",
})  # fmt: skip
_RARE = frozenset({
    "base_model", "context_tokens", "training", "adapter", "parameters_b", "flags", "told",
})  # fmt: skip
USAGE_TYPE_GUESSED: Final = "usage_type_guessed"
"""Flag: taken for training by a word in its usage type."""
_FLAGS = frozenset({USAGE_TYPE_GUESSED})  # that whoever tells may raise
_TOLD = frozenset({"usage_type", "accelerator_type"})  # kept as told: no field for free text
_KNOWN = _USUAL | _RARE
_METERS = MappingProxyType({meter.value: meter for meter in Meter})
_TOKEN_UNITS = MappingProxyType(
    {
        "token": Decimal(1),
        "tokens": Decimal(1),
        "1000_tokens": Decimal(1_000),
        "1000000_tokens": Decimal(1_000_000),
    }
)
_HOURS_OF = MappingProxyType({
    "hour": (1, 1), "hours": (1, 1), "minute": (1, 60), "minutes": (1, 60),
    "second": (1, 3600), "seconds": (1, 3600),
})  # fmt: skip
_SECONDS_OF = MappingProxyType({
    "hour": (3600, 1), "hours": (3600, 1), "minute": (60, 1), "minutes": (60, 1),
    "second": (1, 1), "seconds": (1, 1),
})  # fmt: skip


class _Said(NamedTuple):
    """What many events say alike, checked."""

    source: str
    provider: str
    model: str
    base_model: str | None
    project: str | None
    region: str | None
    service_tier: str | None


def normalised(raw: Mapping[str, object], now_us: int, pays: str | None = None) -> Usage:
    """Usage of a normalised event; raises UsageError naming the field that is wrong.

    ``pays`` is the project of an event that names none. A million of them must be read in
    seconds, so what is rare is looked at apart, and what they say alike is checked once.
    """
    get = raw.get
    said = _alike(
        get("source"), get("provider"), get("model"), get("project"), get("region"),
        get("service_tier"),
    )  # fmt: skip
    at_us, flags = moments.told_us(_needed(get("at"), "at"), now_us, '"at"')
    quantity, rounded = _quantity(raw)
    if rounded or quantity is UNKNOWN:
        flags += (ROUNDED if rounded else USAGE_UNKNOWN,)
    run = get("run")
    usage = Usage(
        said.source,
        _needed_text(get("id"), "id", ID_CHARS),
        at_us,
        said.provider,
        said.model,
        (quantity,),
        said.base_model,
        said.project,
        None if run is None else _run_id(run),
        said.region,
        said.service_tier,
        flags=flags,
        pays=pays,
    )
    return usage if raw.keys() <= _USUAL else _with_rare(usage, raw)


def _alike(*told: object) -> _Said:
    try:
        return _said_once(*told)
    except TypeError:  # a list or an object, which no cache can hold
        return _said(*told)


def _said(*told: object) -> _Said:
    source, provider, model, project, region, service_tier = told
    spelled = providers.spelled(_needed(provider, "provider"))
    named = refuse('"model"', _needed_text(model, "model", NAME_CHARS))
    return _Said(
        _text(source, "source", NAME_CHARS) or spelled,
        spelled,
        named,
        base_model(named),
        _project(project),
        _lower(_text(region, "region", LABEL_CHARS)),
        _lower(_text(service_tier, "service_tier", LABEL_CHARS)),
    )


def _project(told: object) -> str | None:
    named = _text(told, "project", NAME_CHARS)
    return None if named is None else refuse('"project"', named)


_said_once = lru_cache(maxsize=1_024)(_said)


def _with_rare(usage: Usage, raw: Mapping[str, object]) -> Usage:
    """The usage with what few events tell: what prices of training depend on."""
    if not raw.keys() <= _KNOWN:
        raise _unknown(raw)
    context, parameters = raw.get("context_tokens"), raw.get("parameters_b")
    return usage._replace(
        base_model=_text(raw.get("base_model"), "base_model", NAME_CHARS) or usage.base_model,
        context_tokens=None if context is None else numbers.count(context, '"context_tokens"'),
        training=_word(raw, "training", Training),
        adapter=_word(raw, "adapter", Adapter),
        parameters_b=None
        if parameters is None
        else numbers.kept(numbers.amount(parameters, '"parameters_b"'))[0],
        flags=usage.flags + _flags(raw.get("flags")),
        told=_told(raw.get("told")),
    )


def _flags(told: object) -> tuple[str, ...]:
    if told is None:
        return ()
    if not isinstance(told, list) or not all(
        isinstance(one, str) and one in _FLAGS for one in told
    ):
        raise UsageError('"flags" has a word that is not known', f"known: {', '.join(_FLAGS)}")
    return tuple(dict.fromkeys(told))


def _told(told: object) -> tuple[tuple[str, str], ...]:
    if told is None:
        return ()
    if not isinstance(told, dict) or not told.keys() <= _TOLD:
        raise UsageError('"told" has a field that is not kept', f"kept: {', '.join(sorted(_TOLD))}")
    return as_told({name: _text(value, f"told.{name}", NAME_CHARS) for name, value in told.items()})


def _quantity(raw: Mapping[str, object]) -> tuple[Quantity, bool]:
    name = _needed(raw.get("meter"), "meter")
    meter = _METERS.get(name) if isinstance(name, str) else None
    if meter is None:
        raise UsageError('"meter" is none that is known', f"give one of {', '.join(_METERS)}")
    value, unit = raw.get("quantity"), raw.get("unit")
    if meter is Meter.UNKNOWN:
        if value is not None:
            raise UsageError('"quantity" of meter unknown is told', "name the meter, or give null")
        return UNKNOWN, False
    if unit is None and type(value) is int and meter in TOKEN_METERS:
        return Quantity(meter, Decimal(numbers.count(value, '"quantity"'))), False
    told = numbers.amount(value, '"quantity"')
    amount, rounded = numbers.kept(told if unit is None else _in_unit(told, meter, unit))
    if meter not in TOKEN_METERS and amount >= MOST_OTHER:
        raise UsageError('"quantity" is beyond 1,000,000,000', "give what the provider told")
    if meter in TOKEN_METERS or meter is Meter.REQUEST:
        numbers.count(amount, f'"quantity" of {meter.value}')
    return Quantity(meter, amount), rounded


def _in_unit(amount: Decimal, meter: Meter, unit: object) -> Decimal:
    """The amount in the meter's own unit; raises UsageError where the units do not fit."""
    if isinstance(unit, str):
        if meter in TOKEN_METERS and unit in _TOKEN_UNITS:
            return amount * _TOKEN_UNITS[unit]
        if meter in {Meter.TRAIN_HOUR, Meter.HOST_HOUR} and unit in _HOURS_OF:
            times, by = _HOURS_OF[unit]
            return amount * times / by
        if meter is Meter.GPU_SECOND and unit in _SECONDS_OF:
            return amount * _SECONDS_OF[unit][0]
        if (meter, unit) in {(Meter.STORAGE_GB_MONTH, "gb_month"), (Meter.REQUEST, "requests")}:
            return amount
    raise UsageError(
        f'"unit" does not fit meter {meter.value}',
        "leave it out, or give tokens, 1000_tokens, seconds, minutes or hours",
    )


def _needed(value: object, name: str) -> object:
    if value is None:
        raise UsageError(f'"{name}" is missing', "give id, at, provider, model, meter, quantity")
    return value


def _needed_text(value: object, name: str, most: int) -> str:
    return _text(value, name, most) or str(_needed(value, name))


def _text(value: object, name: str, most: int) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise UsageError(f'"{name}" is no text', "write it in quotes")
    if 0 < len(value) <= most and value.isprintable() and not value.isspace():
        return value
    return check_name(f'"{name}"', value, most)


def _run_id(told: object) -> str:
    return check_run_id('"run"', _needed_text(told, "run", ID_CHARS))


def _lower(value: str | None) -> str | None:
    return value if value is None else value.lower()


def _word(raw: Mapping[str, object], name: str, words: type[Word]) -> Word | None:
    value = raw.get(name)
    if value is None:
        return None
    found = next((word for word in words if word.value == value), None)
    if found is None:
        raise UsageError(f'"{name}" is none that is known', f"give one of {', '.join(words)}")
    return found


def _unknown(raw: Mapping[str, object]) -> UsageError:
    """Which field is not known; its name is shown only if it is a name and no text of a user."""
    name = min(raw.keys() - _KNOWN)
    shown = f'"{name}"' if name.isidentifier() and name.isascii() and len(name) <= 32 else "a field"
    return UsageError(f"{shown} is not known", f"known are {', '.join(sorted(_KNOWN))}")
