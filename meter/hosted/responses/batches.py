"""Lines of batch output files: of OpenAI and who follows it, Anthropic, Google and Bedrock."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING

from meter.errors import UsageError
from meter.hosted.responses import fields
from meter.hosted.responses.answer import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Read = Callable[[Mapping[str, object]], list[Answer]]

BATCH = "batch"
"""Service tier of what came in a batch, where its answers do not say so themselves."""
_OK = range(200, 300)
_ANSWERED = frozenset({"usage", "object", "choices"})
"""What an answer has, each of them in some form."""
_ID_DIGITS = 40


def openai(raw: Mapping[str, object], read: Read) -> list[Answer]:
    """The answer of a line; none of a request that failed, which costs nothing.

    Answers without an id of their own, such as embeddings, get the request's.
    """
    response = fields.mapping(raw, "response")
    if response.get("status_code") is None:
        return _bare(raw, response, read)
    if fields.count(response, "status_code") not in _OK:
        return []
    request_id = fields.text(response, "request_id") or fields.text(raw, "id")
    return [
        replace(answer, id=answer.id or request_id, service_tier=BATCH)
        for answer in read(fields.mapping(response, "body"))
    ]


def _bare(raw: Mapping[str, object], response: Mapping[str, object], read: Read) -> list[Answer]:
    """The answer of a line that has it without status and body, as Fireworks' have."""
    if "usage" not in response and (not response or raw.get("error") or response.get("error")):
        return []
    if not _ANSWERED & response.keys():
        raise UsageError(
            "the line of a batch has neither status_code nor an answer in its response",
            "post it as it came; if that was so, its form is new: tell the answer in it by itself",
        )
    told_id = fields.text(raw, "id")
    return [
        replace(
            answer,
            id=answer.id or told_id or _id(raw.get("custom_id"), response, answer.at),
            service_tier=BATCH,
        )
        for answer in read(response)
    ]


def anthropic(raw: Mapping[str, object], read: Read) -> list[Answer]:
    """The answer of a line; none of one that errored, expired or was cancelled."""
    result = fields.mapping(raw, "result")
    if result.get("type") != "succeeded":
        return []
    return [replace(one, service_tier=BATCH) for one in read(fields.mapping(result, "message"))]


def gemini(raw: Mapping[str, object], read: Read) -> list[Answer]:
    """The answer of a line; none of one that has an error instead."""
    if not fields.mapping(raw, "response"):
        return []
    return _of_line(raw, "gemini", raw.get("key"), read(fields.mapping(raw, "response")))


def vertex(raw: Mapping[str, object], read: Read) -> list[Answer]:
    """The answer of a line, at the time when it was processed; none where a status says why."""
    if raw.get("status") or not fields.mapping(raw, "response"):
        return []
    answers = read(fields.mapping(raw, "response"))
    named = [
        replace(
            one,
            at=fields.moment(raw, "processed_time") if one.at is None else one.at,
            model=one.model and one.model.removesuffix("@default"),
        )
        for one in answers
    ]
    return _of_line(raw, "vertex", raw.get("request"), named)


def bedrock(raw: Mapping[str, object], read: Read | None) -> list[Answer]:
    """The answer of a line; none of one that has an error instead.

    Some makers' models tell no counts, so that nothing can ``read`` them: their use is unknown.
    """
    output = fields.mapping(raw, "modelOutput")
    if not output:
        return []
    answers = [Answer("bedrock", None)] if read is None else read(output)
    return _of_line(raw, "bedrock", raw.get("recordId"), answers)


def _of_line(
    raw: Mapping[str, object], provider: str, name: object, answers: list[Answer]
) -> list[Answer]:
    """Answers at the batch's tier; one without an id has the same one whenever it is told.

    That is a hash over the line's name, which repeats in other files, and what was answered: the
    name may be any text of a user's, and is not kept.
    """
    return [
        replace(
            one,
            provider=provider,
            certain=True,
            id=one.id or _id(name, raw.get("modelOutput") or raw.get("response"), one.at),
            service_tier=BATCH,
        )
        for one in answers
    ]


def _id(*said: object) -> str:
    text = json.dumps(said, sort_keys=True, default=str)
    return f"batch:{hashlib.sha256(text.encode()).hexdigest()[:_ID_DIGITS]}"
