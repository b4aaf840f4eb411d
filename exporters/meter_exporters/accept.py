"""Which of the formats of a page an Accept header likes best, by RFC 9110; pure.

prometheus_client takes the first that it knows and leaves out weights.
"""

from __future__ import annotations

import re
from collections.abc import Mapping  # noqa: TC003  a NamedTuple looks at it
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

TEXT = "text/plain"
OPENMETRICS = "application/openmetrics-text"
_FORMATS = ((TEXT, "0.0.4"), (OPENMETRICS, "1.0.0"), (TEXT, "1.0.0"))
"""What there is, best known first: that is taken where a client likes several alike."""
_UTF8 = "allow-utf-8"
_PIECE = r'(?:[^{0}"]|"(?:\\.|[^"\\])*")+'  # quoted text may have the sign that parts others
_RANGES, _PARAMETERS = re.compile(_PIECE.format(",")), re.compile(_PIECE.format(";"))
_WEIGHT = re.compile(r"0(\.\d*)?|1(\.0*)?", re.ASCII)


class _Range(NamedTuple):
    """What a client takes, and how gladly: 0 (not at all) to 1."""

    media: str
    parameters: Mapping[str, str]
    weight: float

    def fits(self, media: str, version: str) -> int:
        """How narrowly it names a format, 0 if it does not."""
        if self.media == media:
            asked = self.parameters.get("version")
            return 3 if asked is None else 4 * (asked == version)
        if self.media == f"{media.partition('/')[0]}/*":
            return 2
        return int(self.media == "*/*")


def preferred(accept: str) -> str:
    """The format that a client likes best, as an Accept header of it alone.

    Empty if it likes none of ours: a page that it may not read says more than none.
    """
    ranges = list(_ranges(accept))
    liked = []
    for media, version in _FORMATS:
        fits = [(one.fits(media, version), -place) for place, one in enumerate(ranges)]
        narrowest, place = max(fits, default=(0, 0))
        if narrowest and (one := ranges[-place]).weight:
            liked.append(((one.weight, narrowest, place), _asked(media, version, one)))
    return max(liked, key=lambda each: each[0], default=(None, ""))[1]


def _asked(media: str, version: str, one: _Range) -> str:
    """A format as a range asks for it.

    Whatever escaping it asks for, our names are as they are: other ways would change them, and the
    library then tells units that do not fit.
    """
    named = "version" in one.parameters or (media, version) == (TEXT, "1.0.0")
    asked = f"{media};version={version}" if named else media
    plain = one.media != media or one.parameters.get("escaping") != _UTF8
    return asked if plain else f"{asked};escaping={_UTF8}"


def _ranges(accept: str) -> Iterator[_Range]:
    """What can be read of a header; the rest says nothing."""
    for text in _RANGES.findall(accept):
        media, *rest = _PARAMETERS.findall(text) or [""]
        pairs = (part.partition("=") for part in rest)
        parameters = {name.strip().lower(): _unquoted(value) for name, _, value in pairs}
        weight = parameters.pop("q", "1")
        if _WEIGHT.fullmatch(weight):
            yield _Range(media.strip().lower(), parameters, float(weight))


def _unquoted(value: str) -> str:
    found = value.strip()
    return re.sub(r"\\(.)", r"\1", found[1:-1]) if found[:1] == '"' else found
