"""Totals and the parts inside them, split into meters of which none holds another's; pure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from meter.hosted_facts import Meter, Quantity

if TYPE_CHECKING:
    from collections.abc import Iterable

CONTRADICTION = "contradiction"
"""Flag: parts are more than their total, or totals do not add up; ``told`` has the numbers."""
USAGE_UNKNOWN = "usage_unknown"
"""Flag: tokens were used, the provider did not say how many."""
UNKNOWN = Quantity(Meter.UNKNOWN, None)
Shares = tuple[tuple[Meter, int], ...]


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a provider told, brought to one form: totals, and parts that are inside them.

    ``written`` is what went to a cache, None where only ``write_parts`` of it are told; what of
    it no part names is kept for as long as the provider does by default.
    """

    input: int | None
    output: int | None
    cached: int = 0
    written: int | None = None
    write_parts: Shares = ()
    input_audio: int = 0
    output_audio: int = 0
    total: int | None = None


@dataclass(frozen=True, slots=True)
class Split:
    """Disjoint quantities; ``told`` has what was told where that contradicts itself."""

    quantities: tuple[Quantity, ...]
    context_tokens: int | None
    flags: tuple[str, ...] = ()
    told: tuple[tuple[str, int], ...] = ()


def split(tokens: Tokens) -> Split:
    """The meters of a request, without those that are zero; their sum is the totals' sum."""
    whole_input, whole_output = _totals(tokens)
    writes, writes_fit = _shares(_written(tokens), Meter.CACHE_WRITE, tokens.write_parts)
    inputs, inputs_fit = _shares(
        whole_input,
        Meter.INPUT,
        ((Meter.CACHED_INPUT, tokens.cached), *writes, (Meter.INPUT_AUDIO, tokens.input_audio)),
    )
    outputs, outputs_fit = _shares(
        whole_output, Meter.OUTPUT, ((Meter.OUTPUT_AUDIO, tokens.output_audio),)
    )
    unknown = whole_input is None or whole_output is None
    fits = writes_fit and inputs_fit and outputs_fit and _adds_up(tokens, whole_input, whole_output)
    counted = (*inputs, *outputs) or (() if unknown else ((Meter.INPUT, 0),))
    return Split(
        quantities=tuple(Quantity(meter, Decimal(count)) for meter, count in counted)
        + ((UNKNOWN,) if unknown else ()),
        context_tokens=whole_input,
        flags=((CONTRADICTION,) * (not fits)) + ((USAGE_UNKNOWN,) * unknown),
        told=() if fits else _told(tokens),
    )


def _totals(tokens: Tokens) -> tuple[int | None, int | None]:
    """Input and output; one that was not told follows from the total, if that was."""
    whole_input, whole_output, total = tokens.input, tokens.output, tokens.total
    if total is not None and whole_output is None and whole_input is not None:
        return whole_input, max(total - whole_input, 0)
    if total is not None and whole_input is None and whole_output is not None:
        return max(total - whole_output, 0), whole_output
    return whole_input, whole_output


def _written(tokens: Tokens) -> int:
    if tokens.written is not None:
        return tokens.written
    return sum(count for _, count in tokens.write_parts)


def _shares(
    whole: int | None, rest: Meter, parts: Iterable[tuple[Meter, int]]
) -> tuple[Shares, bool]:
    """Parts and rest of a total that are not zero, and whether the parts fit; else they are cut."""
    if whole is None:
        return (), not any(count for _, count in parts)
    left, fits = whole, True
    found: list[tuple[Meter, int]] = []
    for meter, count in parts:
        share = min(count, left)
        fits = fits and share == count
        left -= share
        if share:
            found.append((meter, share))
    return (((rest, left),) if left else ()) + tuple(found), fits


def _adds_up(tokens: Tokens, whole_input: int | None, whole_output: int | None) -> bool:
    if tokens.total is None or whole_input is None or whole_output is None:
        return True
    return whole_input + whole_output == tokens.total


def _told(tokens: Tokens) -> tuple[tuple[str, int], ...]:
    found = {
        "input_tokens": tokens.input,
        "output_tokens": tokens.output,
        "total_tokens": tokens.total,
        "cached_tokens": tokens.cached,
        "cache_write_tokens": tokens.written,
        "input_audio_tokens": tokens.input_audio,
        "output_audio_tokens": tokens.output_audio,
        **{f"{meter.value}_tokens": count for meter, count in tokens.write_parts},
    }
    return tuple((name, count) for name, count in found.items() if count)
