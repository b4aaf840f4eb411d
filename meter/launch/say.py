"""Lines for people on stderr that can never hold up or break a job."""

from __future__ import annotations

import os
import select

_STDERR = 2
_WAIT_MS = 2_000
_PIECE_BYTES = 512  # never blocks once poll() said that there is room


def say(text: str) -> None:
    """Write text to stderr; given up silently when nobody reads it for 2 s, or it is closed."""
    left = text.rstrip("\n").encode(errors="backslashreplace") + b"\n"
    try:
        room = select.poll()
        room.register(_STDERR, select.POLLOUT)
        while left:
            ready = room.poll(_WAIT_MS)
            if not ready or ready[0][1] & (select.POLLNVAL | select.POLLERR):
                return
            left = left[os.write(_STDERR, left[:_PIECE_BYTES]) :]
    except OSError:
        return  # nobody is left to be told


def keep_standard_descriptors() -> None:
    """Put /dev/null where stdin, stdout or stderr are closed, for us only.

    Otherwise a socket of ours would take the number, and be written to as if it were stderr. It
    is not inherited, so that the job finds them closed as without us.
    """
    while True:
        fd = os.open(os.devnull, os.O_RDWR)
        if fd > _STDERR:
            os.close(fd)
            return
