"""The run document as it is, in indented JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def export(document: Mapping[str, Any], series: Sequence[Mapping[str, Any]]) -> bytes:
    """The document in UTF-8; the series is not part of it. Raises ValueError on NaN."""
    del series
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    return f"{text}\n".encode("utf-8", "backslashreplace")
