"""What is known of a feed: which rows are news, what was last good, and whether it is stale."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from meter.model import Factor, FactorKind, Notice, Severity
from meter.snapshot import FeedView
from meter.units import US_PER_HOUR

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meter.errors import FeedError
    from meter.factors.feeds import About

STALE = "intensity_stale"
BACK = "intensity_back"
REFUSED = "intensity_refused"
_KEPT_US = 72 * US_PER_HOUR
_TEXT_LIMIT = 300


@dataclass(slots=True)
class FeedWatch:
    """One feed's state; owned by the feeding thread, read by others through :meth:`view`.

    ``grace_us`` is how long after the end of the newest row it may be late without being stale:
    each new hour becomes known a little after it began.
    """

    about: About
    started_us: int
    grace_us: int
    stale: bool = False
    refused: bool = False
    error: str | None = None
    failing: bool = False
    last_ok_us: int | None = None
    _known: dict[tuple[int, int], Factor] = field(default_factory=dict)
    _last: Factor | None = None

    def recall(self, factors: Iterable[Factor]) -> None:
        """Take what the ledger has of this feed, in the order in which it was learned."""
        own = [factor for factor in factors if self._is_own(factor)]
        self._take(sorted(own, key=lambda factor: factor.recorded_us))

    def news(self, factors: Iterable[Factor]) -> list[Factor]:
        """The rows that say something else than what is known of their time."""
        return [
            factor
            for factor in factors
            if (known := self._known.get(_time(factor))) is None or _said(known) != _said(factor)
        ]

    def keep(self, factors: Iterable[Factor], now_us: int) -> None:
        """Know these from now on."""
        self._take(factors)
        self._forget(now_us)

    def heard(self, now_us: int) -> None:
        """Note that the provider gave something of use."""
        self.last_ok_us, self.error, self.refused = now_us, None, False
        self.failing = False

    def rested(self, now_us: int) -> None:
        """Note that nothing need be asked: the ledger has the row of the present."""
        present = self._present(now_us)
        if present is not None:
            self.last_ok_us = min(present.recorded_us, now_us)

    def failed(self, error: FeedError, *, refused: bool) -> None:
        """Note a failure: without a row of the present it is stale at once, or refused."""
        self.error = str(error)[:_TEXT_LIMIT]
        self.refused = self.refused or refused
        self.failing = not self.refused

    def left_us(self, now_us: int) -> int | None:
        """How long the row of the present still holds; None if there is none."""
        present = self._present(now_us)
        return None if present is None else (present.valid_to_us or now_us) - now_us

    def look(self, now_us: int) -> list[Notice]:
        """What is wrong now, and whether it is stale."""
        if self.stale or self.failing:
            self.stale = self._present(now_us) is None
        else:
            self.stale = now_us >= self._until_us(now_us) + self.grace_us
        wrong = []
        if self.stale:
            wrong.append(self._stale_notice(now_us))
        if self.refused:
            wrong.append(self._refused_notice(now_us))
        return wrong

    def without(self, from_us: int, to_us: int) -> Notice | None:
        """What is to be said of a time that no row holds in; None if one does, or is just due."""
        if any(start < to_us and end > from_us for start, end in self._known):
            return None
        if self.refused:
            return self._refused_notice(to_us)
        if self._last is None or self.failing or to_us >= _time(self._last)[1] + self.grace_us:
            return self._stale_notice(to_us)
        return None

    def back(self, now_us: int) -> Notice:
        """That it is not stale any more."""
        return Notice(BACK, f"Live grid intensity of {self.about.source} is back.", at_us=now_us)

    def view(self) -> FeedView:
        """What is shown of it."""
        last = self._last
        return FeedView(
            name=self.about.book,
            zone=self.about.zone,
            kind=self.about.kind.value,
            last_ok_us=self.last_ok_us,
            value=last.value if last else None,
            value_from_us=last.valid_from_us if last else None,
            value_to_us=last.valid_to_us if last else None,
            stale=self.stale,
            error=self.error,
        )

    def _take(self, factors: Iterable[Factor]) -> None:
        for factor in factors:
            self._known[_time(factor)] = factor
            if self._last is None or _time(factor) >= _time(self._last):
                self._last = factor

    def _is_own(self, factor: Factor) -> bool:
        """Whether it is of this provider, zone and signal: another zone's is not the present."""
        own = self.about
        said = factor.book, factor.kind, factor.source, factor.basis
        return said == (own.book, own.kind, own.source, own.basis)

    def _forget(self, now_us: int) -> None:
        """Drop what is so old that no answer of a poll tells of it; the ledger keeps it."""
        for time in [time for time in self._known if time[1] < now_us - _KEPT_US]:
            del self._known[time]

    def _present(self, now_us: int) -> Factor | None:
        if self._last is not None and _time(self._last)[0] <= now_us < _time(self._last)[1]:
            return self._last
        for (start_us, end_us), factor in self._known.items():
            if start_us <= now_us < end_us:
                return factor
        return None

    def _until_us(self, now_us: int) -> int:
        """End of the newest row, or the start of this agent where there is none."""
        if self._last is None:
            return self.started_us
        return max(self.started_us, min(_time(self._last)[1], max(now_us, self.started_us)))

    def _stale_notice(self, now_us: int) -> Notice:
        return Notice(STALE, self._stale_text(), Severity.WARNING, at_us=now_us)

    def _refused_notice(self, now_us: int) -> Notice:
        text = f"Live grid intensity is refused: {self.error}."
        return Notice(REFUSED, text, Severity.WARNING, at_us=now_us)

    def _stale_text(self) -> str:
        why = f" ({self.error})" if self.error else ""
        marginal = self.about.kind is FactorKind.MARGINAL_INTENSITY
        instead = "" if marginal else "; the yearly factor is used until it is back"
        last = self._last
        if last is None or last.value is None or last.valid_from_us is None:
            return f"{self.about.source} has given no grid intensity yet{why}{instead}."
        value = f"{last.value.normalize():f} g/kWh"
        return (
            f"{self.about.source} is stale{why}: the last was {value} for {_hour(last)}{instead}."
        )


def _time(factor: Factor) -> tuple[int, int]:
    return factor.valid_from_us or 0, factor.valid_to_us or 0


def _said(factor: Factor) -> Factor:
    return replace(factor, id="", recorded_us=0)


def _hour(factor: Factor) -> str:
    from datetime import UTC, datetime  # noqa: PLC0415 - only when something is said

    start, end = (datetime.fromtimestamp(us // 1_000_000, UTC) for us in _time(factor))
    return f"{start:%Y-%m-%d %H:%M} to {end:%H:%M} UTC"
