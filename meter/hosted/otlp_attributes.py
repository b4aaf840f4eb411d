"""Attributes of OTLP/HTTP JSON, taken by allow-listed names; pure."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from meter.errors import UsageError
from meter.hosted import numbers, providers
from meter.hosted.normalised import LABEL_CHARS
from meter.hosted.responses import fields
from meter.hosted_facts import TELEMETRY
from meter.limits import check_name, check_run_id
from meter.reserved import check_label

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SOURCE: Final = TELEMETRY
NS_PER_US: Final = 1_000
PROVIDER: Final = ("gen_ai.provider.name", "gen_ai.system")
MODEL: Final = ("gen_ai.response.model", "gen_ai.request.model")
OPERATION: Final = "gen_ai.operation.name"
PROJECT: Final = "meter.project"
RUN: Final = "meter.run"
TIER: Final = (
    "openai.response.service_tier",
    "gen_ai.openai.response.service_tier",
)
"""Of the response only: what was asked for is not what was given."""
Attributes = dict[str, object]


def attributes(raw: Mapping[str, object], allowed: frozenset[str]) -> Attributes:
    """The allow-listed attributes of a span, data point or resource that are text or numbers."""
    found: Attributes = {}
    for one in fields.objects(raw, "attributes"):
        key, value = one.get("key"), one.get("value")
        if isinstance(key, str) and key in allowed and isinstance(value, dict):
            plain = next((value[kind] for kind in _KINDS if kind in value), None)
            if isinstance(plain, str | int | float | Decimal) and not isinstance(plain, bool):
                found[key] = plain
    return found


_KINDS = ("stringValue", "intValue", "doubleValue")


def text(found: Attributes, *names: str) -> str | None:
    """The first text of these attributes."""
    return next(
        (value for name in names if isinstance(value := found.get(name), str) and value), None
    )


def provider_and_model(found: Attributes) -> tuple[str, str]:
    """Whose model it was, in the one spelling; raises UsageError where that is not told."""
    provider, model = text(found, *PROVIDER), text(found, *MODEL)
    if provider is None or model is None:
        raise UsageError(
            f"no {PROVIDER[0] if provider is None else MODEL[0]} is told",
            "let the instrumentation set it",
        )
    return providers.spelled(provider), check_label("the model", model)


def tier(found: Attributes) -> str | None:
    """The service tier of the response."""
    told = text(found, *TIER)
    return (
        None if told in {None, "auto"} else check_name("the tier", told or "", LABEL_CHARS).lower()
    )


def project(found: Attributes) -> str | None:
    """The project that the sender names in ``meter.project``."""
    told = text(found, PROJECT)
    return told if told is None else check_label(PROJECT, told)


def run(found: Attributes) -> str | None:
    """The run that the sender names in ``meter.run``."""
    told = text(found, RUN)
    return told if told is None else check_run_id(RUN, told)


def us_of(raw: Mapping[str, object], name: str) -> int | None:
    """An instant in µs, told in ns as a number or as text; None if it is absent or zero."""
    number = numbers.number_of(raw.get(name))
    if number is None or not number.is_finite() or not 0 < number < 10**20:
        return None
    return int(number) // NS_PER_US


def scoped(
    body: object, of: str, within: str, items: str
) -> Iterator[tuple[Mapping[str, object], Mapping[str, object]]]:
    """Each item of a request with its resource; raises UsageError for what is no such request."""
    if not isinstance(body, dict) or not isinstance(body.get(of), list):
        raise UsageError(f"the body has no {of}", "send OTLP/HTTP in JSON, not protobuf")
    for group in fields.objects(body, of):
        resource = fields.mapping(group, "resource")
        for scope in fields.objects(group, within):
            for item in fields.objects(scope, items):
                yield resource, item
