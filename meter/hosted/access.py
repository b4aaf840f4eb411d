"""Address and keys of a provider: from variables, the key also from a file."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from meter.errors import UsageError
from meter.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from meter.hosted.jobs.provider import Provider

_KEY_CHARS = 8_192  # session tokens of clouds are long
_PLACE = re.compile(r"[A-Za-z0-9_(][A-Za-z0-9._:()-]{0,127}")  # groups of Azure have brackets
_LINE = re.compile(r"\s*(?:export\s+)?([A-Z][A-Z0-9_]*)\s*=\s*(\S+)\s*")


@dataclass(frozen=True, slots=True)
class Access:
    """Where a provider is asked and with which keys; no key is ever shown."""

    base_url: str
    keys: Mapping[str, Secret] = field(repr=False)
    places: Mapping[str, str] = field(default_factory=dict)


def access_of(
    provider: Provider,
    variables: Mapping[str, str],
    *,
    key_file: Path | None = None,
    base_url: str | None = None,
) -> Access:
    """Access from variables; a file gives the key alone, or lines ``NAME=value`` of several.

    What a file says goes before the variables. Raises UsageError naming the variable that is
    missing or the address that is not taken; no message holds a key.
    """
    filed = {} if key_file is None else _filed(provider, key_file)
    keys = {}
    for name in (*provider.keys, *provider.optional_keys):
        text = filed.get(name) or variables.get(name, "")
        if text.strip():
            keys[name] = _secret(text, name)
        elif name in provider.keys:
            raise UsageError(
                f"{provider.title} needs a key, and {name} is not set",
                f"set {name} to a key that {provider.right}, or name a file of it",
            )
    places = {place.variable: _place(provider, place.variable, place.default, variables)
              for place in provider.places}  # fmt: skip
    return Access(_base_url(provider, variables, places, base_url), keys, places)


def loopback(host: str | None) -> bool:
    """Whether a host is this machine."""
    try:
        return host is not None and ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _filed(provider: Provider, path: Path) -> dict[str, str]:
    try:
        with path.open("rb") as file:
            raw = file.read(2 * _KEY_CHARS + 1)
    except OSError as error:
        reason = error.strerror or "it is no file"
        raise UsageError(f"{path} cannot be read ({reason})", "check its permissions") from None
    text = raw.decode("utf-8", "replace")
    pairs = [_LINE.fullmatch(line) for line in text.splitlines() if line.strip()]
    if pairs and all(pair is not None for pair in pairs):
        return {pair.group(1): pair.group(2).strip("\"'") for pair in pairs if pair is not None}
    if len(provider.keys) > 1:
        raise UsageError(
            f"{path} does not hold {' and '.join(provider.keys)}",
            "write each in a line of its own, as NAME=value",
        )
    return {provider.keys[0]: _checked(text, str(path))}


def _secret(text: str, where: str) -> Secret:
    return Secret(_checked(text, where))


def _checked(text: str, where: str) -> str:
    """The key without white space around it; raises UsageError, without the key in it."""
    found = text.strip()
    plain = found.isascii() and found.isprintable() and not any(c.isspace() for c in found)
    if not found or len(found) > _KEY_CHARS or not plain:
        raise UsageError(f"{where} holds no key", "write the key alone, in plain characters")
    return found


def _place(
    provider: Provider, variable: str, default: str | None, variables: Mapping[str, str]
) -> str:
    found = variables.get(variable, "").strip() or default
    if not found:
        raise UsageError(f"{provider.title} needs {variable}, and it is not set", f"set {variable}")
    if not _PLACE.fullmatch(found):
        raise UsageError(f"{variable} cannot stand in an address", "set it to the plain name")
    return found


def _base_url(
    provider: Provider, variables: Mapping[str, str], places: Mapping[str, str], given: str | None
) -> str:
    name = provider.url_variable
    url = given or variables.get(name, "").strip() or provider.base_url.format_map(places)
    if not url:
        raise UsageError(
            f"{provider.title} has an address for each customer, and {name} is not set",
            f"set {name} to yours, such as https://NAME.openai.azure.com",
        )
    return checked_url(url, name).rstrip("/")


def checked_url(url: str, name: str) -> str:
    """An address that keys may be sent to; raises UsageError, without the address, for others."""
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        raise UsageError(f"{name} is no address", "write https://host") from None
    if parts.scheme not in {"http", "https"} or not host or parts.query or parts.fragment:
        raise UsageError(f"{name} is no address of a provider", "write https://host")
    if parts.username is not None or parts.password is not None:
        raise UsageError(f"{name} has a user or a password in it", "write https://host alone")
    if parts.scheme != "https" and not loopback(host):
        raise UsageError(f"{name} is not asked without https", "give an https address")
    return url
