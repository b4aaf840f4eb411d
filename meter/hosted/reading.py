"""From what was posted to usage: raw responses of any known shape, and normalised events; pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from meter.errors import UsageError
from meter.hosted import moments, providers
from meter.hosted.models import base_model
from meter.hosted.normalised import ID_CHARS, LABEL_CHARS, normalised
from meter.hosted.responses import changes, shapes
from meter.hosted.responses.answer import PROVIDER_GUESSED
from meter.hosted.tokens import UNKNOWN, USAGE_UNKNOWN, Split, split
from meter.hosted_facts import Usage, as_told
from meter.limits import NAME_CHARS, check_name, check_run_id
from meter.reserved import check_label

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meter.hosted.responses.answer import Answer

__all__ = ["AT_RECEIVED", "BESIDE", "ID_DERIVED", "Context", "normalised", "read"]

AT_RECEIVED = "at_received"
"""Flag: nobody told the time, so it is when the event came; of a repeat it is another."""
ID_DERIVED = "id_derived"
"""Flag: nobody told an id, so it is made from the content and the time."""
BESIDE = frozenset({
    "source", "id", "at", "provider", "model", "response", "project", "run", "region",
    "service_tier",
})  # fmt: skip
"""What may stand beside a response; what has other fields is a response itself."""
_ID_DIGITS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What the poster says beside a response; the response's own word on itself goes first.

    Only ``id`` and ``source`` name the event for the poster, so there the poster's word does.
    """

    now_us: int
    source: str | None = None
    id: str | None = None
    provider: str | None = None
    at_us: int | None = None
    project: str | None = None
    run_id: str | None = None
    region: str | None = None
    service_tier: str | None = None
    model: str | None = None


def read(raw: Mapping[str, object], context: Context) -> list[Usage]:
    """Usage of a raw response; empty for a line of a batch whose request failed.

    A known field of another form than it is known to have is left out, and flagged.
    Raises UsageError for an unknown shape, another provider's, or a number that is none.
    """
    shape = shapes.find(raw)
    given = None if context.provider in {None, "litellm"} else providers.spelled(context.provider)
    if given is not None:
        shapes.check(shape, given)
    answers = changes.read(raw, shape.read)
    return [_usage(_flagged(given, one), _provider(given, one), context) for one in answers]


def _flagged(given: str | None, answer: Answer) -> Answer:
    """The answer, flagged if its provider is no more than a guess."""
    if given is not None or not answer.guessed:
        return answer
    return replace(answer, flags=(*answer.flags, PROVIDER_GUESSED))


def _usage(answer: Answer, provider: str, context: Context) -> Usage:
    counted = _split(answer)
    at_us, at_flags = _at(answer, context)
    model = check_label("the model", answer.model or context.model or _no_model(), NAME_CHARS)
    tier = _label("service tier", answer.service_tier)
    tier = tier if tier and tier != "auto" else _label("service tier", context.service_tier)
    content = (provider, model, tier, at_us, counted.quantities, as_told(answer.told))
    told_id = context.id or answer.id
    if told_id is None and AT_RECEIVED in at_flags:
        raise UsageError(
            "the response has neither an id nor a time, so a repeat would count twice",
            'give "id" or "at" beside it',
        )
    told = {**answer.told, **dict(counted.told)}
    if answer.id and answer.id != told_id:
        told["response_id"] = check_name("the response's id", answer.id, ID_CHARS)
    flags = {*answer.flags, *counted.flags, *at_flags, *(() if told_id else (ID_DERIVED,))}
    return Usage(
        source=check_name("the source", context.source or provider, NAME_CHARS),
        id=check_name("the id", told_id or _derived(content), ID_CHARS),
        at_us=at_us,
        provider=provider,
        model=model,
        quantities=counted.quantities,
        base_model=base_model(model),
        project=context.project and check_label("the project", context.project),
        run_id=context.run_id and check_run_id("the run", context.run_id),
        region=_label("region", answer.region or context.region),
        service_tier=tier,
        context_tokens=counted.context_tokens,
        flags=tuple(sorted(flags)),
        told=as_told(told),
    )


def _split(answer: Answer) -> Split:
    if answer.tokens is None:
        return Split((UNKNOWN,), None, (USAGE_UNKNOWN,))
    return split(answer.tokens)


def _provider(given: str | None, answer: Answer) -> str:
    if given is not None and answer.certain and answer.provider not in {None, given}:
        raise UsageError(
            f"provider {given} is given, but the answer is from {answer.provider}",
            f"name {answer.provider}, or leave the provider out",
        )
    provider = given or answer.provider
    if provider is None:
        raise UsageError(
            "the response does not tell whose it is: many providers answer like this",
            'give "provider" beside it, for example together',
        )
    return provider


def _no_model() -> str:
    raise UsageError("the response names no model", 'give "model" beside it')


def _at(answer: Answer, context: Context) -> tuple[int, tuple[str, ...]]:
    if answer.at is not None:
        return moments.told_us(answer.at, context.now_us, "the response's time")
    if context.at_us is not None:
        return moments.checked_us(context.at_us, context.now_us)
    return context.now_us, (AT_RECEIVED,)


def _label(what: str, value: str | None) -> str | None:
    """A word of the provider's in lower case, so that prices are found by it."""
    return check_name(f"the {what}", value, LABEL_CHARS).lower() if value else None


def _derived(content: tuple[object, ...]) -> str:
    return f"sha256:{hashlib.sha256(repr(content).encode()).hexdigest()[:_ID_DIGITS]}"
