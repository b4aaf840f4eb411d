"""Ids that sort by the time they were made (ULID: 48 bits of milliseconds, 80 of chance)."""

from __future__ import annotations

import os
import time

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32
_TIME_BITS = 48
_CHANCE_BYTES = 10
_CHARS = 26


def ulid(at_ms: int, chance: bytes) -> str:
    """The id of an instant in UTC ms and 10 bytes of chance."""
    number = (at_ms & ((1 << _TIME_BITS) - 1)) << (8 * _CHANCE_BYTES)
    number |= int.from_bytes(chance[:_CHANCE_BYTES], "big")
    return "".join(_ALPHABET[number >> 5 * place & 31] for place in reversed(range(_CHARS)))


def new_id() -> str:
    """A fresh id: from the wall clock and the system's source of chance."""
    return ulid(time.time_ns() // 1_000_000, os.urandom(_CHANCE_BYTES))
