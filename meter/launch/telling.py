"""Where a run's last counters go when it has ended: a textfile, a Pushgateway. Only if asked.

The job has ended by then. Nothing here changes its exit code, and none of it takes long.
"""

from __future__ import annotations

import os

from meter.errors import ConfigError, UsageError
from meter.launch.say import say

TYPE_CHECKING = False  # `typing` would be paid by each job's start
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from meter.environment import Environment
    from meter.launch.options import Options

SUFFIX = ".prom"
"""node_exporter reads no other files."""
GROUP = "job/meter-push/instance/pushed/run"
"""A run's own figures, beside those of agents; dashboards match an instance, so there is one."""
PUSH_S = 3.0
"""How long a push may keep the end of `meter run`, whatever the network does."""
_MODE = 0o644


def check_textfile(what: str, value: str) -> str:
    """An absolute path; raises UsageError for one that node_exporter would not read."""
    if not (value.endswith(SUFFIX) or os.path.isdir(value)):
        raise UsageError(
            f"{what} {value[:80]!r} is neither a folder nor a name that ends in {SUFFIX}",
            "node_exporter reads only those",
        )
    return os.path.abspath(value)


def _check_absolute(what: str, value: str) -> str:
    """The same from a file, which is for jobs of many folders."""
    if not os.path.isabs(value):
        raise UsageError(f"{what} is no absolute path", "begin it with /")
    return check_textfile(what, value)


def check_push(what: str, value: str) -> str:
    """The URL of a Pushgateway; raises UsageError, which never repeats a password."""
    scheme, colon, rest = value.partition("://")
    host = rest.partition("/")[0].rpartition("@")[2]
    if not colon or scheme not in ("http", "https") or not host or not value.isprintable():
        raise UsageError(f"{what} is no URL", "write it like http://pushgateway:9091")
    return value.rstrip("/")


def take_variables(options: Options, environment: Environment) -> list[str]:
    """Take from the environment what no flag says; what is wrong there is said, not fatal."""
    said = []
    for name, variable, check in (
        ("textfile", "METER_TEXTFILE", check_textfile),
        ("push", "METER_PUSH", check_push),
    ):
        value = getattr(environment, name)
        if getattr(options, name) is None and value is not None:
            try:
                setattr(options, name, check(variable, value))
            except UsageError as error:
                said.append(f"not told: {error}")
    return said


def take_file(options: Options, environment: Environment) -> None:
    """Take from the configuration file what neither flag nor variable says; once the job is over.

    What is wrong there is said.
    """
    keys = (
        ("textfile", _check_absolute, "no textfile is written"),
        ("push", check_push, "nothing is pushed"),
    )
    left = [
        key for key in keys if getattr(options, key[0]) is None and not getattr(environment, key[0])
    ]
    if not left or not os.path.exists(environment.config_file):
        return
    from pathlib import Path

    from meter.settings_file import read

    for name, check, otherwise in left:
        try:
            file = read(Path(environment.config_file), must_exist=False)
            value = file and file.get(name)
            if file is not None and value is not None:
                word = value if isinstance(value, str) else ""
                setattr(options, name, check(file.where(name), word))
        except (ConfigError, UsageError) as error:
            say(f"meter: {otherwise} by the configuration file: {error}")


def tell(document: Mapping[str, Any], options: Options) -> None:
    """Write and push what was asked for; say what went wrong."""
    if options.textfile is None and options.push is None:
        return
    from meter.launch import counters

    page, run = counters.text(document), str(document["run"]["id"])
    if options.textfile is not None:
        try:
            _write(options.textfile, run, page)
        except OSError as error:
            say(f"meter: --textfile {options.textfile}: {error.strerror}")
    if options.push is not None:
        fault = _in_time(options.push, run, page)
        if fault:
            say(f"meter: nothing was pushed: {fault}")


def _write(place: str, run: str, page: bytes) -> None:
    """Replace the file at once: node_exporter finds the old one or the new. Raises OSError."""
    path = os.path.join(place, f"meter_{run}{SUFFIX}") if os.path.isdir(place) else place
    draft = f"{path}.{os.getpid()}.tmp"
    try:
        fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE)
        with os.fdopen(fd, "wb") as file:
            os.fchmod(fd, _MODE)  # whatever the umask: it is another user who reads
            file.write(page)
        os.replace(draft, path)
    except OSError:
        if os.path.exists(draft):
            os.unlink(draft)
        raise


def _in_time(url: str, run: str, page: bytes) -> str | None:
    """Why it could not be pushed, None if it was; a resolver, which knows no limit, is left."""
    import threading

    found: list[str | None] = []
    thread = threading.Thread(target=lambda: found.append(_push(url, run, page)), daemon=True)
    thread.start()
    thread.join(PUSH_S)
    return found[0] if found else f"no answer within {PUSH_S:g} s"


def _push(url: str, run: str, page: bytes) -> str | None:
    """PUT replaces all of the group of the run: told twice, it is there once."""
    import base64
    import http.client
    from urllib.parse import unquote, urlsplit

    headers = {"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
    try:
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=PUSH_S)
        if parts.username is not None:
            known = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
            headers["Authorization"] = "Basic " + base64.b64encode(known).decode()
        connection.request("PUT", f"{parts.path}/metrics/{GROUP}/{run}", page, headers)
        status = connection.getresponse().status
        connection.close()
    except (OSError, ValueError, http.client.HTTPException) as error:
        return getattr(error, "strerror", None) or type(error).__name__
    return None if 200 <= status < 300 else f"the gateway answered {status}"
