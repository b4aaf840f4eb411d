"""Lines of batch output files: of OpenAI and who follows it, and of Anthropic."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from meter.hosted.responses import fields

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from meter.hosted.responses.answer import Answer

BATCH = "batch"
"""Service tier of what came in a batch, where its answers do not say so themselves."""
_OK = range(200, 300)


def openai(
    raw: Mapping[str, object], read: Callable[[Mapping[str, object]], list[Answer]]
) -> list[Answer]:
    """The answer of a line; none of a request that failed, which costs nothing.

    Answers without an id of their own, such as embeddings, get the request's.
    """
    response = fields.mapping(raw, "response")
    if fields.count(response, "status_code") not in _OK:
        return []
    request_id = fields.text(response, "request_id") or fields.text(raw, "id")
    return [
        replace(answer, id=answer.id or request_id, service_tier=BATCH)
        for answer in read(fields.mapping(response, "body"))
    ]


def anthropic(
    raw: Mapping[str, object], read: Callable[[Mapping[str, object]], list[Answer]]
) -> list[Answer]:
    """The answer of a line; none of one that errored, expired or was cancelled."""
    result = fields.mapping(raw, "result")
    if result.get("type") != "succeeded":
        return []
    return [replace(one, service_tier=BATCH) for one in read(fields.mapping(result, "message"))]
