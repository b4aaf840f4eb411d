"""Opening of the DuckDB file: limits, pinned storage version, errors with their remedy."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import duckdb

from meter.errors import (
    LedgerDamagedError,
    LedgerError,
    LedgerFullError,
    LedgerLockedError,
    LedgerTooNewError,
)

if TYPE_CHECKING:
    from pathlib import Path

STORAGE_VERSION = "v2.0.0"  # pinned: a newer DuckDB must not make files that this one cannot read
_LOG_LIMIT = "4MB"  # what is in the log only is in memory too: about as much again

_HOLDER = re.compile(r"\(PID (\d+)\)")
_NO_SPACE = ("no space left", "file too large", "quota exceeded", "could not write", "enospc")


def connect(
    path: Path, *, memory_limit_mb: int, read_only: bool = False
) -> duckdb.DuckDBPyConnection:
    """Connection to the file, with limits set and locked, and without access to other files.

    Raises LedgerLockedError, LedgerTooNewError, LedgerDamagedError, LedgerFullError or
    LedgerError.
    """
    if not read_only:
        _prepare(path)
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": f"{memory_limit_mb}MB",
        "threads": 1,
        "enable_external_access": False,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "allow_community_extensions": False,
        "catalog_error_max_schemas": 0,  # of a missing table, no search for names like it
        "lock_configuration": True,
    }
    if not read_only:
        config["storage_compatibility_version"] = STORAGE_VERSION
        config["wal_autocheckpoint"] = _LOG_LIMIT
    try:
        return duckdb.connect(str(path), read_only=read_only, config=config)
    except duckdb.Error as error:
        raise opening_error(path, error) from error


def _prepare(path: Path) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.is_file() and path.stat().st_size == 0:
            path.unlink()  # left by a process killed while it made the file
    except OSError as error:
        raise _unwritable(path, error.strerror or str(error)) from error


def _unwritable(path: Path, reason: str) -> LedgerError:
    return LedgerError(
        f"cannot write the ledger {path} ({reason})",
        "set METER_HOME to a folder that you may write to",
    )


def opening_error(path: Path, error: duckdb.Error) -> LedgerError:
    """What a failed opening means, and what to do."""
    text = str(error)
    low = text.lower()
    if "could not set lock" in low:
        return _locked(path, text)
    if "different configuration than existing" in low:
        return LedgerLockedError(
            f"this process has the ledger {path} open already", "use the open ledger's reader"
        )
    if "version number" in low or "newer version" in low:
        return LedgerTooNewError(
            f"the ledger {path} was written by a newer DuckDB",
            "upgrade with `pip install --upgrade tunemeter duckdb`, or set METER_HOME elsewhere",
        )
    if any(sign in low for sign in _NO_SPACE):
        return LedgerFullError(
            f"no space left for the ledger {path}", "free some space on that volume"
        )
    if "permission denied" in low or "read-only file system" in low:
        return _unwritable(path, "permission denied" if "permission" in low else "read-only")
    if "does not exist" in low or "no such file" in low:
        return LedgerError(f"there is no ledger {path}", "meter a run first, or set METER_HOME")
    return LedgerDamagedError(
        f"the ledger {path} cannot be opened ({text.splitlines()[0]})",
        "move the file and its .wal away together, or put back a backup",
    )


def _locked(path: Path, text: str) -> LedgerLockedError:
    match = _HOLDER.search(text)
    pid = int(match.group(1)) if match else None
    holder = f"process {pid}" if pid else "another process"
    return LedgerLockedError(
        f"the ledger {path} is held by {holder}",
        "ask that agent (`--socket`), or set METER_HOME elsewhere",
        pid=pid,
    )


def is_full(error: BaseException) -> bool:
    """Whether an error says that the volume has no space left."""
    low = str(error).lower()
    return any(sign in low for sign in _NO_SPACE)
