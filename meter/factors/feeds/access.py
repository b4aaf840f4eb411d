"""Keys and passwords of providers: from the environment, else from files of their own."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from meter.errors import ConfigError
from meter.model import Notice, Severity
from meter.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from meter.config import Intensity

KEY = "METER_INTENSITY_KEY"
USER = "METER_INTENSITY_USER"
PASSWORD = "METER_INTENSITY_PASSWORD"  # noqa: S105 - the name of a variable
_LIMIT = 4_096
_OTHERS = 0o077


@dataclass(frozen=True, slots=True)
class Access:
    """What a provider is told to know who asks."""

    key: Secret | None = None
    user: str | None = None
    password: Secret | None = None


def access_of(intensity: Intensity, variables: Mapping[str, str]) -> tuple[Access, list[Notice]]:
    """Key, user and password, and what the user should know about their files.

    Raises ConfigError for a file that cannot be read or that holds no key; no message shows one.
    """
    key, notices = _secret(variables.get(KEY), KEY, intensity.key_file)
    password, more = _secret(variables.get(PASSWORD), PASSWORD, intensity.password_file)
    return Access(key, variables.get(USER) or intensity.user, password), [*notices, *more]


def _secret(
    given: str | None, variable: str, path: Path | None
) -> tuple[Secret | None, list[Notice]]:
    if given:
        return Secret(_checked(given, variable)), []
    if path is None:
        return None, []
    try:
        mode = path.stat().st_mode
        with path.open("rb") as file:
            raw = file.read(_LIMIT + 1)
    except OSError as error:
        reason = error.strerror or "it is no file"
        raise ConfigError(f"{path} cannot be read ({reason})", "check its permissions") from None
    notices = []
    if stat.S_ISREG(mode) and mode & _OTHERS:
        text = f"Others can read {path}, which holds a key: run `chmod 600 {path}`."
        notices.append(Notice("intensity_key_exposed", text, Severity.WARNING))
    return Secret(_checked(raw.decode("utf-8", "replace"), str(path))), notices


def _checked(text: str, where: str) -> str:
    """The key without the white space around it; raises ConfigError, without the key in it."""
    found = text.strip()
    if not found or len(found) > _LIMIT or not (found.isascii() and found.isprintable()):
        raise ConfigError(
            f"{where} holds no key", "write the key alone, in one line of plain characters"
        )
    return found
