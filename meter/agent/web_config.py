"""Prometheus' web configuration file: TLS and passwords of the agent's TCP address.

The format is that of Prometheus' exporter-toolkit, as far as Python's TLS can do what it says;
what it cannot do is an error, never less protection than was asked for.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from meter.agent.passwords import HASH, MOST_COST
from meter.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

_VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
_CLIENTS = {
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}
_TLS = {
    "cert_file", "key_file", "client_ca_file", "client_auth_type", "min_version", "max_version",
    "prefer_server_cipher_suites",
}  # fmt: skip
_ALL = {"tls_server_config", "basic_auth_users", "http_server_config"}


@dataclass(frozen=True, slots=True)
class Tls:
    """Files and demands of the encrypted address."""

    cert_file: Path
    key_file: Path
    client_ca_file: Path | None = None
    clients: ssl.VerifyMode = ssl.CERT_NONE
    least: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2
    most: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED


@dataclass(frozen=True, slots=True)
class WebConfig:
    """What the file says."""

    tls: Tls | None = None
    users: dict[str, str] = field(default_factory=dict)

    @property
    def asks_who(self) -> bool:
        """Whether everybody has to say who they are, unseen by others."""
        return self.tls is not None and (bool(self.users) or self.tls.clients is ssl.CERT_REQUIRED)

    def files(self) -> tuple[Path, ...]:
        """Files that it names."""
        named = () if self.tls is None else (self.tls.cert_file, self.tls.key_file)
        authority = None if self.tls is None else self.tls.client_ca_file
        return named if authority is None else (*named, authority)


def read(path: Path) -> WebConfig:
    """The file. Raises ConfigError, which never repeats a hash."""
    try:
        given = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except OSError as error:
        raise _wrong(path, f"cannot be read ({error.strerror})", "name another file") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        line = getattr(getattr(error, "problem_mark", None), "line", None)
        where = "" if line is None else f" (line {line + 1})"
        raise _wrong(path, f"is no YAML{where}", "see docs/deploy.md") from None
    _known(path, "", given, _ALL)
    http = given.get("http_server_config") or {}
    _known(path, "http_server_config.", http, {"http2"})
    tls = given.get("tls_server_config")
    found = WebConfig(None if tls is None else _tls(path, tls), _users(path, given))
    if found.tls is not None:
        context(found.tls)
    return found


def context(tls: Tls) -> ssl.SSLContext:
    """The server's side of TLS. Raises ConfigError where a file cannot be used."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version, made.maximum_version = tls.least, tls.most
    made.set_alpn_protocols(["http/1.1"])
    file = tls.cert_file
    try:
        made.load_cert_chain(tls.cert_file, tls.key_file, password=_no_password)
        if tls.client_ca_file is not None:
            file = tls.client_ca_file
            made.load_verify_locations(file)
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
        beside = f" with {tls.key_file}" if file is tls.cert_file else ""
        raise ConfigError(
            f"the certificate {file}{beside} cannot be used ({reason})", "check both files"
        ) from None
    made.verify_mode = tls.clients
    return made


def _no_password() -> str:
    raise ValueError("the key has a password")


def _tls(path: Path, given: Any) -> Tls:
    _known(path, "tls_server_config.", given, _TLS)
    authority = given.get("client_ca_file")
    clients = _one_of(path, "client_auth_type", given.get("client_auth_type"), _CLIENTS)
    if clients not in (None, ssl.CERT_NONE) and not authority:
        raise _wrong(path, "wants certificates of clients by no authority", "give client_ca_file")
    if authority and clients in (None, ssl.CERT_NONE):
        raise _wrong(
            path, "has a client_ca_file that nobody is checked by",
            "give client_auth_type: RequireAndVerifyClientCert",
        )  # fmt: skip
    named = {}
    for key in ("cert_file", "key_file"):
        if not isinstance(given.get(key), str) or not given[key]:
            raise _wrong(path, f"has no {key}", f"name it under tls_server_config.{key}")
        named[key] = path.parent / given[key]
    least = _one_of(path, "min_version", given.get("min_version"), _VERSIONS)
    most = _one_of(path, "max_version", given.get("max_version"), _VERSIONS)
    return Tls(
        **named,
        client_ca_file=path.parent / str(authority) if authority else None,
        clients=clients or ssl.CERT_NONE,
        least=least or ssl.TLSVersion.TLSv1_2,
        most=most or ssl.TLSVersion.MAXIMUM_SUPPORTED,
    )


def _users(path: Path, given: dict[str, Any]) -> dict[str, str]:
    users = given.get("basic_auth_users") or {}
    if not isinstance(users, dict):
        raise _wrong(path, "has basic_auth_users that are no users", "write NAME: HASH")
    for name, known in users.items():
        match = HASH.fullmatch(known) if isinstance(known, str) else None
        if match is None or not isinstance(name, str) or ":" in name:
            raise _wrong(
                path, f"has for the user {str(name)[:40]!r} no bcrypt hash",
                "make one with `htpasswd -nBC 10 NAME`",
            )  # fmt: skip
        if not 4 <= int(match[1]) <= MOST_COST:
            raise _wrong(
                path, f"has for the user {name[:40]!r} a hash of cost {match[1]}",
                f"make one of cost 10 to {MOST_COST}",
            )  # fmt: skip
    return dict(users)


def _one_of(path: Path, key: str, value: object, known: dict[str, Any]) -> Any:
    if value is None or value == "":
        return None
    if value not in known:
        shown = str(value)[:40]
        raise _wrong(path, f"has {key}: {shown!r}", f"give one of {', '.join(known)}")
    return known[str(value)]


def _known(path: Path, place: str, given: object, known: set[str]) -> None:
    if not isinstance(given, dict):
        raise _wrong(path, f"has no keys under {place or 'its root'}", "see docs/deploy.md")
    for key in given:
        if key not in known:
            raise _wrong(
                path, f"has {place}{str(key)[:40]}, which the agent cannot do",
                f"leave it out; it knows {', '.join(sorted(known))}",
            )  # fmt: skip


def _wrong(path: Path, what: str, remedy: str) -> ConfigError:
    return ConfigError(f"the web configuration {path} {what}", remedy)
