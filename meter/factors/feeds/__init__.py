"""Live grid intensity: one interface, one file for each provider."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from meter.errors import ConfigError
from meter.factors.feeds.access import Access, access_of
from meter.factors.feeds.feed import About, Feed, Point
from meter.factors.feeds.quarters import factors_of_points, on_quarters

if TYPE_CHECKING:
    from collections.abc import Callable

    from meter.config import Intensity

__all__ = [
    "About",
    "Access",
    "Feed",
    "Point",
    "about_of",
    "access_of",
    "factors_of_points",
    "feed_of",
    "on_quarters",
]


def feed_of(intensity: Intensity, access: Access, now_us: Callable[[], int] | None = None) -> Feed:
    """The configured provider; nothing is asked yet.

    Raises ConfigError where it needs a key, or a user and a password, and has none.
    """
    now_us = now_us or (lambda: time.time_ns() // 1_000)
    if intensity.provider == "electricity-maps":
        return _electricity_maps(intensity, access, now_us)
    if intensity.provider == "watttime":
        return _watttime(intensity, access)
    from meter.factors.feeds import uk_carbon_intensity as uk  # noqa: PLC0415 - see below

    return uk.UkCarbonIntensity(intensity.zone, url=intensity.url or uk.URL)


def about_of(intensity: Intensity) -> About:
    """What is true of every row of a provider; asks for no key."""
    if intensity.provider == "electricity-maps":
        from meter.factors.feeds import electricity_maps as maps  # noqa: PLC0415 - see below

        return maps.about(intensity.zone, direct=intensity.direct)
    if intensity.provider == "watttime":
        from meter.factors.feeds import watttime  # noqa: PLC0415 - see below

        return watttime.about(intensity.zone, average=intensity.average)
    from meter.factors.feeds import uk_carbon_intensity as uk  # noqa: PLC0415 - see below

    return uk.about(intensity.zone)


# Imported late: ssl and urllib are for those who have a feed.


def _electricity_maps(intensity: Intensity, access: Access, now_us: Callable[[], int]) -> Feed:
    from meter.factors.feeds import electricity_maps as maps  # noqa: PLC0415

    if access.key is None:
        raise ConfigError(
            "Electricity Maps needs a key", "set METER_INTENSITY_KEY or intensity.key_file"
        )
    return maps.ElectricityMaps(
        intensity.zone,
        access.key,
        url=intensity.url or maps.URL,
        direct=intensity.direct,
        now_us=now_us,
    )


def _watttime(intensity: Intensity, access: Access) -> Feed:
    from meter.factors.feeds import watttime  # noqa: PLC0415

    if access.user is None or access.password is None:
        raise ConfigError(
            "WattTime needs a user and a password",
            "set METER_INTENSITY_USER and METER_INTENSITY_PASSWORD, or intensity.password_file",
        )
    return watttime.WattTime(
        intensity.zone,
        access.user,
        access.password,
        url=intensity.url or watttime.URL,
        average=intensity.average,
    )
