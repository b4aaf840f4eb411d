"""Electricity Maps, API v3: average intensity of what a zone consumes, by the hour.

Source: https://app.electricitymaps.com/developer-hub/api/reference (2026).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from meter.errors import ASKED_AGAIN, FeedError
from meter.factors.feeds.feed import (
    About,
    Point,
    entries,
    grams,
    instant_us,
    iso_seconds,
    steps,
    word,
)
from meter.factors.http_get import Asked, get_json
from meter.model import FactorKind
from meter.units import US_PER_HOUR, US_PER_MINUTE

if TYPE_CHECKING:
    from collections.abc import Callable

    from meter.secret import Secret

URL = "https://api.electricitymaps.com"
BOOK = "electricity-maps"
_LENGTHS = {
    "5_minutes": 5 * US_PER_MINUTE,
    "15_minutes": 15 * US_PER_MINUTE,
    "hourly": US_PER_HOUR,
}
_LONGEST_US = 240 * US_PER_HOUR  # of one request, hourly
_HISTORY_US = 24 * US_PER_HOUR


def about(zone: str, *, direct: bool = False) -> About:
    """What is true of a zone's rows."""
    return About(
        book=BOOK,
        name="Electricity Maps",
        zone=zone,
        kind=FactorKind.GRID_INTENSITY,
        basis=f"average, consumption, {'direct' if direct else 'life-cycle'}",
        licence="terms of Electricity Maps (free plan: not commercial)",
    )


class ElectricityMaps:
    """A zone of Electricity Maps; the key goes into the header ``auth-token``."""

    def __init__(
        self,
        zone: str,
        key: Secret,
        *,
        url: str = URL,
        direct: bool = False,
        now_us: Callable[[], int],
    ) -> None:
        self._key = key
        self._url = f"{url}/v3/carbon-intensity"
        self._type = "direct" if direct else "lifecycle"
        self._now_us = now_us
        self.about = about(zone, direct=direct)

    def fetch(self, now_us: int) -> list[Point]:
        """The present hour, which is often estimated."""
        del now_us
        answer = self._get("latest", {})
        if not isinstance(answer, dict):
            raise FeedError(f"{self.about.name} answers no object", "check intensity.url")
        return self._points([answer], answer)

    def past(self, from_us: int, to_us: int) -> list[Point]:
        """Hours of the past: the last 24 are in every plan, older ones are not."""
        if from_us >= self._now_us() - _HISTORY_US:
            answer = self._get("history", {})
            found = self._points(entries(answer, "history", self.about.name), answer)
        else:
            found = []
            for start, end in steps(from_us, to_us, _LONGEST_US):
                answer = self._get(
                    "past-range", {"start": iso_seconds(start), "end": iso_seconds(end)}
                )
                found += self._points(entries(answer, "data", self.about.name), answer)
        return [point for point in found if from_us < point.end_us and point.start_us < to_us]

    def _get(self, what: str, more: dict[str, str]) -> object:
        query = {
            "zone": self.about.zone,
            "emissionFactorType": self._type,
            "temporalGranularity": "hourly",
            # else a zone that it does not know becomes the place of whoever asks
            "shouldUseFallbackCallerLookup": "false",
            **more,
        }
        headers = {"auth-token": self._key.reveal()}
        return get_json(Asked(f"{self._url}/{what}", query, headers))

    def _points(self, found: list[dict[str, object]], answer: object) -> list[Point]:
        outer = answer if isinstance(answer, dict) else {}
        self._check(outer)
        points = [self._point(entry, outer) for entry in found]
        kept = [point for point in points if point is not None]
        if not kept:
            raise FeedError(
                f"{self.about.name} has no intensity for {self.about.zone}",
                ASKED_AGAIN,
            )
        return kept

    def _check(self, entry: dict[str, object]) -> None:
        """Refuse what is of another zone or of another kind of emission factors."""
        zone, kind = entry.get("zone"), entry.get("emissionFactorType")
        if zone is not None and zone != self.about.zone:
            raise FeedError(
                f"{self.about.name} answers for another zone than {self.about.zone}",
                "check intensity.zone",
            )
        if kind is not None and kind != self._type:
            raise FeedError(
                f"{self.about.name} answers with other emission factors than {self._type}",
                "check intensity.emissions and your plan",
            )

    def _point(self, entry: dict[str, object], outer: dict[str, object]) -> Point | None:
        self._check(entry)
        start_us = instant_us(entry.get("datetime"), self.about.name)
        value = grams(entry.get("carbonIntensity"), "gCO2eq/kWh", self.about, start_us)
        length_us = self._length(entry, outer)
        start_us -= start_us % length_us  # an instant means the hour that it is in
        if value is None:
            return None
        state = ""
        if entry.get("isEstimated") is True:
            how = word(entry.get("estimationMethod"))
            state = f"estimated by the provider{f' ({how})' if how else ''}"
        return Point(start_us, start_us + length_us, value, state)

    def _length(self, entry: dict[str, object], outer: dict[str, object]) -> int:
        said = entry.get("temporalGranularity", outer.get("temporalGranularity", "hourly"))
        length_us = _LENGTHS.get(said) if isinstance(said, str) else None
        if length_us is None:
            raise FeedError(
                f"{self.about.name} answers in another granularity than hours",
                "check intensity.url",
            )
        return length_us
