"""When a silent counter speaks again: take its jump, or keep what power told."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from meter.model import Basis, Gap
from meter.sampling.curve_standin import Booked
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
        unknown = out.unknown_mj(piece.end_ns) if piece.basis is Basis.UNKNOWN else None
        settled = out.power(piece.end_ns, piece.energy, piece.basis)
        total += settled
        if stand is not None:
            stand.book(Booked(start, piece.end_ns, settled, unknown))
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
    if not stand.wrong:
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
    unknown = [piece for piece in rest if piece.basis is Basis.UNKNOWN]
    told_mj = stand.booked_mj + sum(piece.energy.value for piece in told)
    over = round(jump_mj - told_mj)
    gaps = [(one.start_ns, one.end_ns) for one in stand.booked if one.unknown_mj is not None]
    gaps += [(piece.start_ns, piece.end_ns) for piece in unknown]
    span = sum(end - start for start, end in gaps)
    if not gaps or not 0 <= over <= mj_of(out.most_mw, span):
        return False
    if any(one.unknown_mj is not None for one in stand.booked):
        settle(unknown, stand, out, notices)  # nobody knows what of it was used in which of both
        _bridge(stand, over, told_mj, out)
    else:
        out.stretch(gaps[-1][1], over, Basis.COUNTER_GAP)
    notices.bridged(Gap(gaps[0][0], gaps[-1][1], span), out.settled_ns or 0)
    settle(told, stand, out, notices)
    return True


def _bridge(stand: StandIn, over_mj: int, told_mj: float, out: Output) -> None:
    """Spread what was used over all the time that was settled as unknown."""
    gaps = [one for one in stand.booked if one.unknown_mj is not None]
    span = sum(one.end_ns - one.start_ns for one in gaps)
    done_ns = spread = 0
    for one in gaps:
        done_ns += one.end_ns - one.start_ns
        upto = over_mj * done_ns // span
        out.bridge(one, upto - spread, told_mj)
        spread = upto
