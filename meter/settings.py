"""Reads the configuration: flags, then environment, then file, then defaults.

The file is TOML. A wrong value is a ConfigError naming key, file and line; an unknown key is a
notice naming the nearest known one.
"""

from __future__ import annotations

import os
import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from meter import environment as places
from meter.config import PAGE_RUNS, Config
from meter.errors import ConfigError, UsageError
from meter.metering.activity import IdlePolicy
from meter.model import Notice, Severity
from meter.reserved import refuse
from meter.settings_budgets import known_names, project_budgets
from meter.settings_file import Document, read
from meter.settings_intensity import intensity
from meter.settings_keys import KEYS, Key
from meter.settings_market import excluded_notice, instruments
from meter.settings_site import embodied, gpu_time, site_value
from meter.settings_tariff import electricity
from meter.settings_values import Values, dated, flag, path, shown, text, whole

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["DEFAULT_LISTEN", "KEYS", "Key", "load", "load_leniently"]

DEFAULT_LISTEN = "127.0.0.1:9850"
_LAST_PORT = 65_535
_DAYS = 30
_PUBLIC_URL = re.compile(
    r"https?://(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+)(:\d{1,5})?(/[A-Za-z0-9._~/-]*)?"
)


def load(
    environment: Mapping[str, str],
    flags: Mapping[str, object] | None = None,
) -> tuple[Config, list[Notice]]:
    """The configuration, and what the user should know about it.

    ``flags`` are keyed like the file (``"site.zone"``); None is "not given". Raises ConfigError.
    """
    uid = os.getuid()
    document, notices = _document(environment, uid)
    values = Values(document, environment, flags or {})
    config = _config(values, environment, uid)
    return config, [*notices, *_excluded(config)]


def load_leniently(
    environment: Mapping[str, str], flags: Mapping[str, object] | None = None
) -> tuple[Config, list[Notice]]:
    """Like ``load`` without what is wrong, a notice for each wrong key instead of an error.

    One wrong price leaves out the whole tariff: the rest of it would be another tariff.
    Raises ConfigError for the socket's path only, which nothing can stand in for.
    """
    uid = os.getuid()
    document: Document | None = None
    notices: list[Notice] = []
    try:
        document, notices = _document(environment, uid)
    except ConfigError as error:
        notices = [Notice("config_unreadable", str(error), Severity.WARNING)]
    values = Values(document, environment, flags or {}, lenient=True)
    config = _config(values, environment, uid)
    faults = dict.fromkeys(map(str, values.faults))  # a time zone is read twice
    wrong = [Notice("config_error", fault, Severity.WARNING) for fault in faults]
    return config, [*notices, *wrong, *_excluded(config)]


def _excluded(config: Config) -> list[Notice]:
    notice = excluded_notice(config.instruments)
    return [notice] if notice else []


def _document(environment: Mapping[str, str], uid: int) -> tuple[Document | None, list[Notice]]:
    path = Path(places.config_file(environment, uid))
    document = read(path, must_exist=bool(environment.get("METER_CONFIG")))
    if document is None:
        return None, []
    known = [key.name for key in KEYS if key.in_file] + known_names(document.get("budgets"))
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
        listen=values.tried(partial(_listen, values), DEFAULT_LISTEN),
        web_config=values.tried(partial(path, values, "web_config"), None),
        public_url=values.tried(partial(_public_url, values), None),
        site_name=values.tried(partial(text, values, "site.name"), None) or "default",
        zone=values.tried(partial(_zone, values), None),
        zone_from=values.where("site.zone"),
        pue=values.tried(partial(site_value, values, "pue"), None),
        wue=values.tried(partial(site_value, values, "wue"), None),
        tnd_loss=values.tried(partial(site_value, values, "tnd_loss"), None),
        site_source_date=values.tried(partial(dated, values, "site.source_date"), None),
        electricity=values.tried(partial(electricity, values), None),
        gpu_time=values.tried(partial(gpu_time, values), None),
        embodied=values.tried(partial(embodied, values), None),
        instruments=values.tried(partial(instruments, values), ()),
        project=values.tried(partial(_project, values), None),
        simulate=values.tried(partial(text, values, "simulate"), None),
        replay=values.tried(partial(path, values, "replay"), None),
        host=values.tried(partial(flag, values, "host", default=True), True),  # noqa: FBT003
        retention_days=values.tried(
            partial(whole, values, "retention_days", default=_DAYS, least=1), _DAYS
        ),
        page_runs=values.tried(
            partial(whole, values, "metrics.runs", default=PAGE_RUNS, least=0), PAGE_RUNS
        ),
        idle=values.tried(partial(_idle, values), IdlePolicy.OWNER),
        job_map=values.tried(partial(path, values, "attribution.job_map"), None),
        budgets=values.tried(partial(project_budgets, values), ()),
        intensity=values.tried(partial(intensity, values), None),
    )


def _project(values: Values) -> str | None:
    found = text(values, "project")
    try:
        return None if found is None else refuse("the project", found)
    except UsageError as error:
        raise values.wrong("project", f"is wrong: {error.message}", error.remedy) from None


def _socket(values: Values) -> Path | None:
    found = path(values, "socket")
    if found is not None and len(os.fsencode(found)) > places.SOCKET_LIMIT_BYTES:
        raise values.wrong(
            "socket", f"is longer than the {places.SOCKET_LIMIT_BYTES} bytes of a Unix socket path"
        )
    return found


def _public_url(values: Values) -> str | None:
    found = text(values, "public_url")
    if found is not None and _PUBLIC_URL.fullmatch(found) is None:
        raise values.wrong("public_url", "is no URL such as https://meter.example/gpu7")
    return None if found is None else found.rstrip("/")


def _listen(values: Values) -> str:
    found = text(values, "listen")
    if found is None:
        return DEFAULT_LISTEN
    host, colon, port = found.rpartition(":")
    if not (colon and host and port.isascii() and port.isdigit() and int(port) <= _LAST_PORT):
        raise values.wrong("listen", f"must be HOST:PORT, not {shown(found)}")
    return found


def _idle(values: Values) -> IdlePolicy:
    found = text(values, "attribution.idle")
    try:
        return IdlePolicy(found or IdlePolicy.OWNER)
    except ValueError:
        known = ", ".join(IdlePolicy)
        problem = f"must be one of {known}, not {shown(found)}"
        raise values.wrong("attribution.idle", problem) from None


def _zone(values: Values) -> str | None:
    found = text(values, "site.zone")
    if found is not None and not all(c.isalnum() or c in "-_" for c in found):
        raise values.wrong("site.zone", f"must be a zone code, not {shown(found)}")
    return found
