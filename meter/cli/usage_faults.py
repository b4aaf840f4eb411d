"""Usage that was not taken, as people read it: why, and of a conflict both sides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from meter.figures import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Answer = Mapping[str, Any]

_SHOWN = 5
_ID_CHARS = 200


def say(faults: Sequence[Answer], count: int) -> None:
    """The first faults on stderr, and how many there are; ``faults`` may be the first of them."""
    for fault in faults[:_SHOWN]:
        line = fault.get("line")
        where = "" if line is None else f"line {line:,}: "
        click.echo(f"meter: not taken: {where}{reason(fault)}", err=True)
    if count > _SHOWN:
        kept = "all" if count == len(faults) else "the first"
        click.echo(f"meter: and {count - _SHOWN:,} more; --json lists {kept}", err=True)


def reason(answer: Answer) -> str:
    """Why it was not taken; of a conflict what differs."""
    said = str(answer.get("reason") or "it is wrong")
    stored, given = _sides(answer)
    if not (stored and given):
        return said
    found = [
        f"{name} {stored.get(name)} is stored, {given.get(name)} is given"
        for name in differs(answer)
    ]
    named = printable(answer.get("id"), _ID_CHARS)
    return f"id {named} stands for other content: {'; '.join(found) or 'details differ'}"


def differs(answer: Answer) -> list[str]:
    """In what the sides of a conflict differ."""
    stored, given = _sides(answer)
    names = dict.fromkeys((*given, *stored))
    return [name for name in names if given.get(name) != stored.get(name)]


def _sides(answer: Answer) -> tuple[dict[str, Any], dict[str, Any]]:
    stored, given = (_flat(answer.get(side) or {}) for side in ("stored", "given"))
    return stored, given


def _flat(side: Mapping[str, Any]) -> dict[str, Any]:
    """A conflict's side with each meter by its name."""
    plain = {name: value for name, value in side.items() if name != "quantities"}
    return {**plain, **side.get("quantities", {})}
