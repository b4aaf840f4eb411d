"""History as OpenMetrics text with timestamps, for `promtool tsdb create-blocks-from openmetrics`.

Families, help and labels are those of the /metrics page. Written as it is read: what is kept is
one block of text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.openmetrics.exposition import generate_latest

from meter.units import US_PER_S
from meter_exporters.metric_families import FAMILIES
from meter_exporters.metrics_page import sample_start, written_header

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from meter.ledger.history import Sample

END = "# EOF\n"
_BLOCK = 64 << 10
_FAMILIES = {family.name: family for family in FAMILIES}


def history(samples: Iterable[Sample], target: Mapping[str, str]) -> Iterator[bytes]:
    """Blocks of the file; each series has the labels of ``target`` too, such as job."""
    lines: list[str] = []
    size = 0
    for line in _lines(samples, target):
        lines.append(line)
        size += len(line)
        if size >= _BLOCK:
            yield "".join(lines).encode()
            lines, size = [], 0
    yield "".join([*lines, END]).encode()


def _lines(samples: Iterable[Sample], target: Mapping[str, str]) -> Iterator[str]:
    name, values, start = "", None, ""
    for sample in samples:
        if sample.name != name:
            name, values = sample.name, None
            yield written_header(_FAMILIES[name], generate_latest, END)
        if sample.values != values:
            values = sample.values
            start = sample_start(_FAMILIES[name], values, target)
        yield f"{start}{sample.value!r} {_seconds(sample.at_us)}\n"


def _seconds(at_us: int) -> str:
    whole, rest = divmod(at_us, US_PER_S)
    return f"{whole}.{rest:06d}" if rest else f"{whole}"
