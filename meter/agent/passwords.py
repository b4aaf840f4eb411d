"""Passwords against bcrypt hashes, by the system's own crypt(3), which knows bcrypt."""

from __future__ import annotations

import ctypes
import ctypes.util
import hashlib
import hmac
import re
import secrets
import threading
from collections import OrderedDict

from meter.errors import ConfigError

HASH = re.compile(r"\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}")
MOST_COST = 14
"""A hash of this cost takes about a second; each further one twice as long."""

_KNOWN = "$2b$04$abcdefghijklmnopqrstuuPp7HPfoAs8I2dCQCQ/fW7zEJv8I8C8e"  # of the password x
_NOBODY = _KNOWN.replace("$04$", "$10$")
"""What the password of an unknown user is compared with: that takes as long as of a known one."""
_ROOM = 256 << 10  # more than any library's struct crypt_data
_KEPT = 100


class Passwords:
    """Users by their hashes. What was compared is remembered: a hash is slow on purpose.

    From any thread; a comparison that is not remembered takes as long as its hash wants, outside
    of Python's lock.
    """

    def __init__(self, users: dict[str, str]) -> None:
        self._users = users
        self._crypt = _crypt() if users else None
        self._key = secrets.token_bytes(32)
        self._kept: OrderedDict[bytes, bool] = OrderedDict()
        self._lock = threading.Lock()

    def known(self, user: str, password: str) -> bool | None:
        """Whether they belong together, None if that was not compared before."""
        with self._lock:
            return self._kept.get(self._mark(user, password))

    def verify(self, user: str, password: str) -> bool:
        """Whether they belong together."""
        found = self._users.get(user)
        same = self._same(password, found or _NOBODY) and found is not None
        with self._lock:
            self._kept[self._mark(user, password)] = same
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return same

    def _same(self, password: str, known: str) -> bool:
        if self._crypt is None or "\0" in password:  # crypt(3) would stop reading there
            return False
        return hmac.compare_digest(self._crypt(password.encode(), known), known)

    def _mark(self, user: str, password: str) -> bytes:
        """What is remembered of them: nothing that tells the password."""
        text = b"\0".join((user.encode(), self._users.get(user, "").encode(), password.encode()))
        return hmac.new(self._key, text, hashlib.sha256).digest()


class _Crypt:
    """crypt_r(3), which may be called from several threads at once."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._call = library.crypt_r
        self._call.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p]
        self._call.restype = ctypes.c_char_p

    def __call__(self, password: bytes, setting: str) -> str:
        room = ctypes.create_string_buffer(_ROOM)
        found: bytes | None = self._call(password, setting.encode(), room)
        return (found or b"").decode("ascii", "replace")


def _crypt() -> _Crypt:
    """crypt(3) that knows bcrypt. Raises ConfigError where there is none."""
    for name in ("libcrypt.so.1", "libcrypt.so.2", ctypes.util.find_library("crypt"), None):
        try:
            made = _Crypt(ctypes.CDLL(name))
        except (OSError, AttributeError):
            continue
        if made(b"x", _KNOWN) == _KNOWN:
            return made
    raise ConfigError(
        "this system has no crypt(3) that knows bcrypt, which basic_auth_users needs",
        "install libcrypt (libxcrypt), or use client certificates",
    )
