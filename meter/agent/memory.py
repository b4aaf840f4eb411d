"""Keeps the agent's resident memory small: it lives beside a job for weeks."""

from __future__ import annotations

import ctypes
import gc

_M_ARENA_MAX = -8  # of <malloc.h>
_ARENAS = 1


def use_one_arena() -> None:
    """Have all threads allocate from one place; call it before they start.

    By default glibc gives each thread its own, and each keeps what its own greatest moment
    needed. Our threads hold Python's lock nearly always, so they gain nothing by that. Where the
    C library has no such setting, nothing happens.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, _ARENAS)


def settle() -> None:
    """Give back what only the start needed; what was loaded stays and is not looked through."""
    gc.collect()
    gc.freeze()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
