"""When a silent counter speaks again: take its jump, or keep what power told."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from meter.model import Basis
from meter.units import mj_of

if TYPE_CHECKING:
    from meter.sampling.curve_notices import Notices
    from meter.sampling.curve_output import Output
    from meter.sampling.curve_standin import Piece, StandIn

AGREES_MEAN, AGREES_INSTANT = 0.25, 0.5
"""A jump of the counter agrees with power when they differ by less than this part: sensors differ
by their gains and by what they do not see, a counter that did not catch up by nearly all."""


def settle(pieces: list[Piece], stand: StandIn | None, out: Output, notices: Notices) -> int:
    """Settle what power tells, and have the stand-in remember it; its energy as settled."""
    total = 0
    for piece in pieces:
        start = out.settled_ns or piece.start_ns
        settled = out.power(piece.end_ns, piece.energy, piece.basis)
        total += settled
        if stand is not None:
            stand.book(start, piece.end_ns, settled)
        if piece.basis is Basis.UNKNOWN:
            notices.gap(start, piece.end_ns)
    return total


def took_jump(
    stand: StandIn,
    rest: list[Piece],
    jump_mj: int,
    agrees_part: float,
    out: Output,
    notices: Notices,
) -> bool:
    """Book the counter's jump over the time that power stood in for, if that may be.

    ``rest`` is the end of that time, which is not settled yet; without the jump it stays so.
    """
    if stand.unknown_ns:
        return _bridged(stand, rest, jump_mj, out, notices)
    rest_mj = sum(piece.energy.value for piece in rest)
    power_mj = stand.booked_mj + rest_mj
    if not power_mj or abs(jump_mj - power_mj) > agrees_part * power_mj:
        return False
    notices.tell("counter_caught_up", out.settled_ns or 0)
    booked_mj = stand.booked_mj
    over = round((jump_mj - power_mj) * booked_mj / power_mj)
    _correct(stand, over, out)
    part = (jump_mj - booked_mj - over) / rest_mj if rest_mj else 0.0
    scaled = [replace(piece, energy=piece.energy.scaled(part)) for piece in rest]
    settled_mj = settle(scaled, stand, out, notices)
    if stand.booked:
        left = jump_mj - booked_mj - over - settled_mj
        out.correct(stand.booked[0].start_ns, stand.at_ns, left)
    return True


def _correct(stand: StandIn, over_mj: int, out: Output) -> None:
    """Spread a correction like what it corrects, so that no part of it falls below zero."""
    total, done, spread = stand.booked_mj, 0, 0
    for one in stand.booked:
        done += one.energy_mj
        upto = over_mj * done // total if total else 0
        out.correct(one.start_ns, one.end_ns, upto - spread)
        spread = upto


def _bridged(
    stand: StandIn, rest: list[Piece], jump_mj: int, out: Output, notices: Notices
) -> bool:
    """Some of the time was unknown: what power does not explain was used there."""
    told = [piece for piece in rest if piece.basis is not Basis.UNKNOWN]
    over = round(jump_mj - stand.booked_mj - sum(piece.energy.value for piece in told))
    gaps = [(one.start_ns, one.end_ns) for one in stand.booked if not one.energy_mj]
    settled = len(gaps)
    gaps += [(one.start_ns, one.end_ns) for one in rest if one.basis is Basis.UNKNOWN]
    span = sum(end - start for start, end in gaps)
    if not 0 <= over <= mj_of(out.most_mw, span):
        return False
    notices.tell("gap_bridged", out.settled_ns or 0)
    done_ns = spread = 0
    for index, (start_ns, end_ns) in enumerate(gaps):
        done_ns += end_ns - start_ns
        upto = over * done_ns // span
        if index < settled:
            out.correct(start_ns, end_ns, upto - spread, gap=True)
        else:
            out.stretch(end_ns, upto - spread, Basis.COUNTER_GAP)
        spread = upto
    settle(told, stand, out, notices)
    return True
