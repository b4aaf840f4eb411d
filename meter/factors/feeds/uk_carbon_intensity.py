"""Carbon Intensity API of Great Britain's system operator: half hours, no key.

Source: https://carbon-intensity.github.io/api-definitions/ and
https://github.com/carbon-intensity/terms (2026). The figures include imports and the losses of
transmission and distribution; of a region only the forecast is given.
"""

from __future__ import annotations

from meter.errors import ASKED_AGAIN, FeedError
from meter.factors.feeds.feed import About, Point, entries, grams, instant_us, iso, steps
from meter.factors.http_get import Asked, get_json
from meter.model import FactorKind
from meter.units import US_PER_HOUR

URL = "https://api.carbonintensity.org.uk"
BOOK = "uk-carbon-intensity"
NATIONAL = "GB"
_LONGEST_US = 14 * 24 * US_PER_HOUR  # of one request
_NAME = "Carbon Intensity API"
_ESTIMATED = "estimated by the provider"
_FORECAST = "forecast by the provider"


def about(zone: str = NATIONAL) -> About:
    """What is true of the rows of the country or of a region."""
    return About(
        book=BOOK,
        name=_NAME,
        zone=zone,
        kind=FactorKind.GRID_INTENSITY,
        basis="average, consumption, direct",
        licence="CC BY 4.0 (National Energy System Operator)",
        detail="losses of the grid included",
    )


class UkCarbonIntensity:
    """Great Britain, or one of its regions by its number."""

    def __init__(self, zone: str = NATIONAL, *, url: str = URL) -> None:
        self._url = url
        self.about = about(zone)

    def fetch(self, now_us: int) -> list[Point]:
        """The present half hour: what was estimated of it, else its forecast."""
        del now_us
        national = self.about.zone == NATIONAL
        path = "/intensity" if national else f"/regional/regionid/{self.about.zone}"
        return self._points(get_json(Asked(self._url + path)))

    def past(self, from_us: int, to_us: int) -> list[Point]:
        """Half hours of the past."""
        found: list[Point] = []
        for start, end in steps(from_us, to_us, _LONGEST_US):
            path = f"/intensity/{iso(start)}/{iso(end)}"
            if self.about.zone != NATIONAL:
                path = f"/regional{path}/regionid/{self.about.zone}"
            found += self._points(get_json(Asked(self._url + path)))
        # it gives the half hour before the first one too
        return [point for point in found if from_us < point.end_us and point.start_us < to_us]

    def _points(self, answer: object) -> list[Point]:
        points = [self._point(entry) for entry in self._half_hours(answer)]
        kept = [point for point in points if point is not None]
        if not kept:
            raise FeedError(f"{_NAME} has no intensity", ASKED_AGAIN)
        return kept

    def _half_hours(self, answer: object) -> list[dict[str, object]]:
        if self.about.zone == NATIONAL:
            return entries(answer, "data", _NAME)
        # a region's half hours lie in an object of the region, or in a list of one such object
        region = answer.get("data") if isinstance(answer, dict) else None
        if isinstance(region, list) and len(region) == 1:
            region = region[0]
        if isinstance(region, dict) and str(region.get("regionid")) != self.about.zone:
            raise FeedError(
                f"{_NAME} answers for another region than {self.about.zone}", "check intensity.zone"
            )
        return entries(region, "data", _NAME)

    def _point(self, entry: dict[str, object]) -> Point | None:
        start_us = instant_us(entry.get("from"), _NAME)
        end_us = instant_us(entry.get("to"), _NAME)
        if not 0 < end_us - start_us <= US_PER_HOUR:
            raise FeedError(f"{_NAME} gives a half hour that is none", "check intensity.url")
        said = entry.get("intensity")
        if not isinstance(said, dict):
            raise FeedError(f"{_NAME} gives no intensity for {iso(start_us)}", ASKED_AGAIN)
        value = grams(said.get("actual"), "g/kWh", self.about, start_us)
        state = _ESTIMATED
        if value is None:
            value = grams(said.get("forecast"), "g/kWh", self.about, start_us)
            state = _FORECAST
        return None if value is None else Point(start_us, end_us, value, state)
