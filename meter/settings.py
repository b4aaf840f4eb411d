"""Reads the configuration: flags, then environment, then file, then defaults.

The file is TOML. A wrong value is a ConfigError naming key, file and line; an unknown key is a
notice naming the nearest known one.
"""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from meter import environment as places
from meter.config import Config, GpuTime
from meter.model import Notice, Severity
from meter.settings_file import Document, read
from meter.settings_keys import KEYS, Key
from meter.settings_tariff import electricity
from meter.settings_values import Values, band, currency, flag, path, shown, text, whole

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["DEFAULT_LISTEN", "KEYS", "Key", "load"]

DEFAULT_LISTEN = "127.0.0.1:9850"
_LAST_PORT = 65_535


def load(
    environment: Mapping[str, str],
    flags: Mapping[str, object] | None = None,
    *,
    read_file: bool = True,
) -> tuple[Config, list[Notice]]:
    """The configuration, and what the user should know about it.

    ``flags`` are keyed like the file (``"site.zone"``); None is "not given". ``read_file=False``
    leaves the file out: for those who must go on after a ConfigError. Raises ConfigError.
    """
    uid = os.getuid()
    document, notices = _document(environment, uid) if read_file else (None, [])
    values = Values(document, environment, flags or {})
    return _config(values, environment, uid), notices


def _document(environment: Mapping[str, str], uid: int) -> tuple[Document | None, list[Notice]]:
    path = Path(places.config_file(environment, uid))
    document = read(path, must_exist=bool(environment.get("METER_CONFIG")))
    if document is None:
        return None, []
    known = [key.name for key in KEYS if key.in_file]
    unknown = document.unknown(known, {key.name: key.variable for key in KEYS if not key.in_file})
    return document, [
        Notice("config_unknown_key", sentence, Severity.WARNING) for sentence in unknown
    ]


def _config(values: Values, environment: Mapping[str, str], uid: int) -> Config:
    home = path(values, "home") or Path(places.default_home(environment, uid))
    socket = places.socket_path(environment, uid, home_dir=str(home))
    return Config(
        home=home,
        socket=_socket(values) or Path(socket),
        lease_dir=path(values, "lease_dir") or Path(places.lease_dir(environment, uid)),
        listen=_listen(values),
        site_name=text(values, "site.name") or "default",
        zone=_zone(values),
        pue=band(values, "site.pue", Decimal(1)),
        electricity=electricity(values),
        gpu_time=_gpu_time(values),
        project=text(values, "project"),
        simulate=text(values, "simulate"),
        replay=path(values, "replay"),
        host=flag(values, "host", default=True),
        retention_days=whole(values, "retention_days", default=30, least=1),
    )


def _socket(values: Values) -> Path | None:
    found = path(values, "socket")
    if found is not None and len(os.fsencode(found)) > places.SOCKET_LIMIT_BYTES:
        raise values.wrong(
            "socket", f"is longer than the {places.SOCKET_LIMIT_BYTES} bytes of a Unix socket path"
        )
    return found


def _listen(values: Values) -> str:
    found = text(values, "listen")
    if found is None:
        return DEFAULT_LISTEN
    host, colon, port = found.rpartition(":")
    if not (colon and host and port.isascii() and port.isdigit() and int(port) <= _LAST_PORT):
        raise values.wrong("listen", f"must be HOST:PORT, not {shown(found)}")
    return found


def _zone(values: Values) -> str | None:
    found = text(values, "site.zone")
    if found is not None and not all(c.isalnum() or c in "-_" for c in found):
        raise values.wrong("site.zone", f"must be a zone code, not {shown(found)}")
    return found


def _gpu_time(values: Values) -> GpuTime | None:
    name = "gpu_time.rate_per_hour"
    rate = band(values, name, Decimal(0))
    if rate is None:
        return None
    return GpuTime(
        currency=currency(values, "gpu_time.currency", name),
        rate_per_hour=rate,
        source=text(values, "gpu_time.source") or "configuration",
    )
