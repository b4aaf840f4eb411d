"""WattTime, API v3: marginal or average emissions, every five minutes, in lbs/MWh.

Source: https://docs.watttime.org (2026): 3,000 requests in five minutes, 100 of them to log in; at
most 32 days at once; a token lives for 30 minutes.
"""

from __future__ import annotations

import base64
import time
from typing import TYPE_CHECKING

from meter.errors import ASKED_AGAIN, FeedError, FeedRefusedError
from meter.factors.feeds.feed import About, Point, entries, grams, instant_us, iso_seconds, steps
from meter.factors.http_get import Asked, get_json
from meter.model import FactorKind
from meter.secret import Secret
from meter.units import US_PER_HOUR, US_PER_MINUTE, US_PER_QUARTER, US_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable

URL = "https://api.watttime.org"
BOOK = "watttime"
_UNIT = "lbs_co2_per_mwh"
_TOKEN_S = 25 * 60.0  # it lives for 30 minutes
_LONGEST_US = 30 * 24 * US_PER_HOUR
_RECENT_US = US_PER_HOUR
_RECENT_AVERAGE_US = 24 * US_PER_HOUR  # for accounts, not for the moment: it may come late
_STEP_US = 5 * US_PER_MINUTE
_LONGEST_STEP_US = US_PER_HOUR
_FORECAST = "forecast by the provider"


def about(zone: str, *, average: bool = False) -> About:
    """What is true of a region's rows."""
    return About(
        book=BOOK,
        name="WattTime",
        zone=zone,
        kind=FactorKind.GRID_INTENSITY if average else FactorKind.MARGINAL_INTENSITY,
        basis="average, direct" if average else "marginal, direct",
        licence="terms of WattTime",
    )


class WattTime:
    """A region of WattTime; user and password go to ``/login`` only, the token everywhere else."""

    def __init__(
        self,
        zone: str,
        user: str,
        password: Secret,
        *,
        url: str = URL,
        average: bool = False,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._user = user
        self._password = password
        self._url = url
        self._clock_s = clock_s
        self._token: Secret | None = None
        self._token_until_s = 0.0
        self._forecasting = not average  # of the average there is only what has been
        self._forecasts = self._forecasting
        self._signal = "co2_aoer" if average else "co2_moer"
        self.about = about(zone, average=average)

    def fetch(self, now_us: int) -> list[Point]:
        """What came lately, and the forecast of what is left of this quarter hour.

        A plan without forecasts gives none: the present is known some minutes later then.
        """
        recent_us = _RECENT_US if self._forecasting else _RECENT_AVERAGE_US
        first_us = now_us - now_us % US_PER_QUARTER - recent_us
        points = {point.start_us: point for point in self._forecast(now_us)}
        points |= {point.start_us: point for point in self._historical(first_us, now_us)}
        if not points:
            raise FeedError(
                f"WattTime has nothing new for {self.about.zone}",
                ASKED_AGAIN,
            )
        return list(points.values())

    def past(self, from_us: int, to_us: int) -> list[Point]:
        """Five minutes after five minutes of the past."""
        found: list[Point] = []
        first_us = from_us - from_us % US_PER_QUARTER
        for start, end in steps(first_us, to_us, _LONGEST_US):
            found += self._historical(start, end)
        return found

    def _historical(self, from_us: int, to_us: int) -> list[Point]:
        query = {"start": iso_seconds(from_us), "end": iso_seconds(to_us)}
        points = self._points(self._get("/v3/historical", query), "")
        return [point for point in points if from_us <= point.start_us < to_us]

    def _forecast(self, now_us: int) -> list[Point]:
        if not self._forecasts:
            return []
        try:
            answer = self._get("/v3/forecast", {"horizon_hours": "1"})
        except FeedRefusedError:
            self._forecasts = False  # the plan has none: what has been is asked for all the same
            return []
        start_us = now_us - now_us % US_PER_QUARTER
        end_us = start_us + US_PER_QUARTER
        points = self._points(answer, _FORECAST)
        return [p for p in points if start_us <= p.start_us and p.end_us <= end_us]

    def _points(self, answer: object, state: str) -> list[Point]:
        meta = answer.get("meta") if isinstance(answer, dict) else None
        if not isinstance(meta, dict):
            raise FeedError("WattTime answers without 'meta'", "check intensity.url")
        self._check(meta)
        step_us = _step_of(meta)
        points = []
        for entry in entries(answer, "data", "WattTime"):
            start_us = instant_us(entry.get("point_time"), "WattTime")
            value = grams(entry.get("value"), "lbs/MWh", self.about, start_us)
            if value is not None:
                points.append(Point(start_us, start_us + step_us, value, state))
        return points

    def _check(self, meta: dict[str, object]) -> None:
        """Refuse another region, signal or unit than was asked for."""
        wanted = {"region": self.about.zone, "signal_type": self._signal, "units": _UNIT}
        for name, value in wanted.items():
            said = meta.get(name, value if name != "units" else None)
            if said != value:
                raise FeedError(
                    f"WattTime answers with another {name} than {value}", "check intensity.zone"
                )

    def _get(self, path: str, more: dict[str, str]) -> object:
        query = {"region": self.about.zone, "signal_type": self._signal, **more}
        kept = self._token is not None and self._clock_s() < self._token_until_s
        try:
            return get_json(Asked(self._url + path, query, self._bearer()))
        except FeedRefusedError:
            if not kept:
                raise
        self._token = None  # it may have been withdrawn before its time
        return get_json(Asked(self._url + path, query, self._bearer()))

    def _bearer(self) -> dict[str, str]:
        if self._token is None or self._clock_s() >= self._token_until_s:
            self._token = self._login()
            self._token_until_s = self._clock_s() + _TOKEN_S
        return {"Authorization": f"Bearer {self._token.reveal()}"}

    def _login(self) -> Secret:
        pair = base64.b64encode(f"{self._user}:{self._password.reveal()}".encode()).decode()
        answer = get_json(Asked(f"{self._url}/login", {}, {"Authorization": f"Basic {pair}"}))
        token = answer.get("token") if isinstance(answer, dict) else None
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise FeedError("WattTime gives no token", "check the user and the password")
        return Secret(token)


def _step_of(meta: dict[str, object]) -> int:
    """How long a point is, in µs."""
    said = meta.get("data_point_period_seconds", _STEP_US // US_PER_S)
    if isinstance(said, bool) or not isinstance(said, int):
        said = 0
    if not 0 < said * US_PER_S <= _LONGEST_STEP_US:
        raise FeedError("WattTime gives points of an absurd length", "check intensity.url")
    return said * US_PER_S
