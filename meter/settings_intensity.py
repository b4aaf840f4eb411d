"""The settings of live grid intensity: provider, zone, pace, and where its key is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meter.config import Intensity
from meter.settings_values import path, shown, text, whole

if TYPE_CHECKING:
    from meter.settings_values import Values

PROVIDERS = ("electricity-maps", "watttime", "uk")
_UK = "uk"
_UK_ZONE = "GB"
_UK_REGIONS = range(1, 18)
_EVERY, _LEAST, _MOST = 10, 5, 15
_SECRETS = {"intensity.key": "key_file", "intensity.password": "password_file"}


def intensity(values: Values) -> Intensity | None:
    """Live grid intensity, None where no provider is named.

    Raises ConfigError for a wrong value, and for a key that stands in the file itself.
    """
    _refuse_secrets(values)
    provider = text(values, "intensity.provider")
    if provider is None:
        return None
    if provider not in PROVIDERS:
        from difflib import get_close_matches  # noqa: PLC0415 - only for who misspells

        near = get_close_matches(provider, PROVIDERS, 1)
        remedy = f"did you mean {near[0]}?" if near else f"name one of {', '.join(PROVIDERS)}"
        raise values.wrong("intensity.provider", f"is no known provider: {shown(provider)}", remedy)
    return Intensity(
        provider=provider,
        zone=_zone(values, provider),
        every_minutes=_every(values),
        url=_url(values),
        key_file=path(values, "intensity.key_file"),
        user=text(values, "intensity.user"),
        password_file=path(values, "intensity.password_file"),
        average=_choice(values, "intensity.signal", ("marginal", "average")),
        direct=_choice(values, "intensity.emissions", ("life-cycle", "direct")),
    )


def loopback(host: str) -> bool:
    """Whether a host is this machine."""
    import ipaddress  # noqa: PLC0415 - only those who have a feed pay for it

    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _refuse_secrets(values: Values) -> None:
    for name, other in _SECRETS.items():
        if values.written(name):
            variable = f"METER_{name.upper().replace('.', '_')}"
            raise values.wrong(
                name,
                "is not read from this file, which others may read and which is kept in backups",
                f"take it out, and set {variable} or name a file of mode 0600 with {other}",
            )


def _zone(values: Values, provider: str) -> str:
    zone = text(values, "intensity.zone")
    if provider == _UK:
        zone = zone or _UK_ZONE
        known = zone == _UK_ZONE or (zone.isascii() and zone.isdigit() and int(zone) in _UK_REGIONS)
        if not known:
            raise values.wrong(
                "intensity.zone",
                f"must be GB or a region from 1 to {_UK_REGIONS[-1]}, not {shown(zone)}",
            )
    if zone is None:
        raise values.wrong("intensity.zone", f"is missing; {provider} needs its own name of a zone")
    if not all(c.isascii() and (c.isalnum() or c in "-_") for c in zone):
        raise values.wrong("intensity.zone", f"must be letters, digits, - and _, not {shown(zone)}")
    return zone


def _every(values: Values) -> int:
    found = whole(values, "intensity.every_minutes", default=_EVERY, least=_LEAST)
    if found > _MOST:
        raise values.wrong("intensity.every_minutes", f"must be at most {_MOST}, not {found}")
    return found


def _url(values: Values) -> str | None:
    found = text(values, "intensity.url")
    if found is None:
        return None
    from urllib.parse import urlsplit  # noqa: PLC0415 - only those who name an address pay for it

    try:
        parts = urlsplit(found)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.query or parts.fragment:
        raise values.wrong("intensity.url", "must be an address such as https://host/path")
    if parts.username is not None or parts.password is not None:
        raise values.wrong(
            "intensity.url", "has a user or password in it", "take it out; the file is no safe"
        )
    if parts.scheme != "https" and not (parts.scheme == "http" and loopback(host)):
        raise values.wrong(
            "intensity.url", "must begin with https://, so that nobody reads the key"
        )
    return found.rstrip("/")


def _choice(values: Values, name: str, words: tuple[str, str]) -> bool:
    """Whether the second of two words was chosen."""
    found = text(values, name)
    if found is not None and found not in words:
        raise values.wrong(name, f"must be {words[0]} or {words[1]}, not {shown(found)}")
    return found == words[1]
