"""When a provider may be asked next, kept beside the ledger: short agents share one pace.

The file holds a provider, a zone and an instant, and nothing else; never a key.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from meter.factors.http_get import LONGEST_WAIT_S
from meter.units import US_PER_S

NAME = "intensity.next.json"
_SIZE_LIMIT_BYTES = 4_096


@dataclass(frozen=True, slots=True)
class Rest:
    """The file of one home, for one provider and zone."""

    home: Path
    provider: str
    zone: str

    def until_us(self, now_us: int) -> int:
        """The instant before which it is left alone; 0 where none is known, or none can be."""
        try:
            with (self.home / NAME).open("rb") as file:
                found = json.loads(file.read(_SIZE_LIMIT_BYTES))
        except (OSError, ValueError, RecursionError):
            return 0
        if not isinstance(found, dict) or not self._is_mine(found):
            return 0
        until_us = found.get("not_before_us")
        if isinstance(until_us, bool) or not isinstance(until_us, int):
            return 0
        return until_us if until_us - now_us <= LONGEST_WAIT_S * US_PER_S else 0

    def keep(self, until_us: int) -> None:
        """Note the instant; where that cannot be, the next agent asks at its start."""
        kept = {"provider": self.provider, "zone": self.zone, "not_before_us": until_us}
        with contextlib.suppress(OSError):
            fd, name = tempfile.mkstemp(prefix=f".{NAME}.", dir=self.home)  # mode 0600
            try:
                with os.fdopen(fd, "w", encoding="utf-8") as file:
                    json.dump(kept, file)
                Path(name).replace(self.home / NAME)
            except OSError:
                Path(name).unlink(missing_ok=True)

    def _is_mine(self, found: dict[str, object]) -> bool:
        return found.get("provider") == self.provider and found.get("zone") == self.zone
