"""Where files live when nobody says otherwise; imports nothing heavy."""

from __future__ import annotations

import os
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

SOCKET_LIMIT_BYTES = 107
"""The longest path that a Unix socket can be bound to."""


def user_folder(environment: Mapping[str, str]) -> Path:
    """The user's home folder; / where there is none, as for some containers."""
    return Path(environment.get("HOME") or "/")


def config_file(environment: Mapping[str, str]) -> Path:
    """The configuration file that is read when METER_CONFIG names none."""
    base = environment.get("XDG_CONFIG_HOME")
    return (Path(base) if base else user_folder(environment) / ".config") / "meter" / "config.toml"


def default_home(environment: Mapping[str, str]) -> Path:
    """The folder of ledger and logs."""
    base = environment.get("XDG_STATE_HOME")
    return (Path(base) if base else user_folder(environment) / ".local" / "state") / "meter"


def runtime_folder(environment: Mapping[str, str], uid: int | None = None) -> Path:
    """The folder for sockets: local to the node, gone after a boot."""
    base = environment.get("XDG_RUNTIME_DIR")
    if base:
        return Path(base) / "meter"
    return Path("/tmp") / f"meter-{os.getuid() if uid is None else uid}"  # noqa: S108


def socket_of(home: Path, environment: Mapping[str, str]) -> Path:
    """The agent's socket: one for each home, and short enough to be bound.

    A home that was named (METER_HOME) holds its own socket, so that a volume shared between
    containers carries both; the default home may be on a network disk, so its socket is not there.
    """
    runtime = runtime_folder(environment)
    if home == default_home(environment):
        return runtime / "agent.sock"
    inside = home / "agent.sock"
    if len(os.fsencode(inside)) <= SOCKET_LIMIT_BYTES:
        return inside
    return runtime / f"agent-{zlib.crc32(os.fsencode(home)):08x}.sock"


def lease_folder(environment: Mapping[str, str]) -> Path:
    """The folder of GPU leases: one for the whole node where that can be written."""
    node_wide = Path("/run/lock/meter")
    for folder in (node_wide, node_wide.parent):
        if folder.is_dir():
            return node_wide if os.access(folder, os.W_OK | os.X_OK) else _own(environment)
    return _own(environment)


def _own(environment: Mapping[str, str]) -> Path:
    return runtime_folder(environment) / "leases"


def ledger_file(home: Path) -> Path:
    """The ledger of a home."""
    return home / "ledger.duckdb"
