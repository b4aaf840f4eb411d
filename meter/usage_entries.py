"""Events of usage made ready to be kept: key, hash, and the audit chain's lines; pure.

The hash of an event is over what it says, not over how we judged it: flags are left out, since a
later version may see more. A line is written field by field, in the order of the table's columns,
because a million of them must be written in seconds; ``ledger.chain`` writes the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from meter.decimals import decimal_text
from meter.hosted_facts import Meter, UsageEntry
from meter.instants import instant
from meter.limits import DEFAULT_PROJECT
from meter.units import US_PER_HOUR, US_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from meter.hosted_facts import Usage

AT_RECEIVED = "at_received"
"""Flag of an event that nobody told the time of."""
AFTER_UNKNOWN = "after_unknown"
"""Flag of an event that was told before without its amounts: what was told so counts no more."""
TOLD_AS_OPENAI = "told_as_openai"
"""Flag of an event of Azure whose id OpenAI's answers had already: it counts twice."""
_BETWEEN = "\x1f"
_TABLE = '["usage_event","'  # what each line begins with, before the key
_FLAGGED = '"[\\"'  # how a list of flags begins in a line
_UNKNOWN = f'"{Meter.UNKNOWN.value}",null,'  # how a row without an amount has its meter
_FIELDS = 14  # of an event, beside its quantities and what else was told
_KEY_BYTES = 15  # of a hash: as much as 38 digits hold
_METERS = MappingProxyType({meter: meter.value for meter in Meter})  # an enum is slow to write
_TO_SECONDS = 19  # characters of an instant before its fraction
_SIX = Decimal("0.000001")
_NINE = Decimal("0.000000001")
_COLUMNS = (
    *("event_key", "source", "event_id", "used_at", "hour", "provider", "model", "base_model"),
    *("meter", "quantity", "region", "service_tier", "training", "adapter", "parameters_b"),
    *("context_tokens", "project", "run_id", "flags", "told", "content_sha256"),
)
_decode = json.JSONDecoder().raw_decode
_written = json.JSONEncoder(ensure_ascii=False).encode
_often = lru_cache(maxsize=4_096)(_written)  # what many events say alike


def entries(usages: Iterable[Usage]) -> list[UsageEntry]:
    """Events as they are kept, in their order."""
    return [entry(one) for one in usages]


def entry(value: Usage) -> UsageEntry:
    """An event as it is kept."""
    key, sha256 = event_key(value.source, value.id), usage_sha256(value)
    return UsageEntry(key, sha256, tuple(_heads(value, key, sha256)))


def entry_of(heads: tuple[str, ...]) -> UsageEntry:
    """The event that has these heads, in which its key and its hash stand."""
    first = heads[0]
    begin = len(_TABLE)
    return UsageEntry(first[begin : first.index('"', begin)], first[-65:-1], heads)


def said_of(head: str) -> dict[str, Any]:
    """The row of a head by its columns, as canonical JSON has its values."""
    return dict(zip(_COLUMNS, json.loads(f"{head}]")[1:], strict=True))


def named(event: UsageEntry) -> tuple[str, str]:
    """Source and id of an event."""
    text, begin = event.heads[0], len(_TABLE)
    source, after = _decode(text, text.index(",", begin) + 1)
    event_id, _ = _decode(text, after + 1)
    return source, event_id


def flags_of(event: UsageEntry) -> tuple[str, ...]:
    """What was odd about an event; of most nothing was, which is seen without reading it."""
    head = event.heads[0]
    told = said_of(head)["flags"] if _FLAGGED in head else None
    return tuple(json.loads(told)) if told else ()


def tells_amounts(event: UsageEntry) -> bool:
    """Whether an event tells how much of anything; a part of a stream often does not."""
    head = event.heads[0]
    if len(event.heads) > 1 or _UNKNOWN not in head:
        return True
    return bool(said_of(head)["meter"] != Meter.UNKNOWN)  # a model may be called unknown, too


def flagged(event: UsageEntry, flag: str) -> UsageEntry:
    """The event with one more flag; its hash leaves flags out."""
    return event._replace(heads=tuple(_flagged(head, flag) for head in event.heads))


def _flagged(head: str, flag: str) -> str:
    cells = json.loads(f"{head}]")
    place = _COLUMNS.index("flags") + 1
    flags = json.loads(cells[place]) if cells[place] else []
    cells[place] = _list(sorted({*flags, flag}))
    return f"[{','.join(map(_written, cells))}"


def line_of(head: str, seq: int, recorded: str) -> str:
    """The canonical line of a row with this head, brought by a commit."""
    return f'{head},{seq},"{recorded}"]'


def event_key(source: str, event_id: str) -> str:
    """What stands for an event, whatever it says: digits."""
    digest = hashlib.sha256(f"{source}\0{event_id}".encode()).digest()
    return str(int.from_bytes(digest[:_KEY_BYTES]))


def usage_sha256(value: Usage) -> str:
    """Hash over what an event says: its fields one after the other, none running into the next."""
    # when it came is no word of whoever told it, and another one each time
    at = "" if AT_RECEIVED in value.flags else value.at_us
    context = "" if value.context_tokens is None else value.context_tokens
    text = (
        f"{value.source}\x1f{value.id}\x1f{at}\x1f{value.provider}\x1f{value.model}\x1f"
        f"{value.base_model or ''}\x1f{value.project or ''}\x1f{value.run_id or ''}\x1f"
        f"{value.region or ''}\x1f{value.service_tier or ''}\x1f{context}\x1f"
        f"{value.training or ''}\x1f{value.adapter or ''}\x1f{_digits(value.parameters_b)}"
    )
    for one in value.quantities:
        text += f"\x1f{_METERS[one.meter]}\x1f{_digits(one.amount)}"
    for name, told in value.told:
        text += f"\x1f{name}\x1f{told}"
    parts = _FIELDS + 2 * (len(value.quantities) + len(value.told))
    if text.count(_BETWEEN) >= parts:  # a field has the sign that parts fields
        text = f"{','.join(str(len(field)) for field in _fields(value, at))}{_BETWEEN}{text}"
    return hashlib.sha256(text.encode()).hexdigest()


def _fields(value: Usage, at: object) -> Iterator[str]:
    """All that an event says, field by field."""
    said: tuple[Any, ...] = (
        value.source, value.id, at, value.provider, value.model, value.base_model, value.project,
        value.run_id, value.region, value.service_tier, value.context_tokens, value.training,
        value.adapter, _digits(value.parameters_b),
    )  # fmt: skip
    yield from ("" if one is None else str(one) for one in said)
    for one in value.quantities:
        yield from (one.meter, _digits(one.amount))
    for pair in value.told:
        yield from pair


def _heads(value: Usage, key: str, sha256: str) -> Iterator[str]:
    """Canonical lines of an event's rows, one for each meter, up to what a commit adds."""
    seconds, us = divmod(value.at_us, US_PER_S)
    at, hour = _instants(seconds)
    before = (
        f'{_TABLE}{key}",{_often(value.source)},{_written(value.id)},"{at}.{us:06}Z","{hour}",'
        f"{_often(value.provider)},{_often(value.model)},{_often(value.base_model)}"
    )
    billions = value.parameters_b
    parameters = "null" if billions is None else f'"{decimal_text(billions, _NINE)}"'
    after = (
        f"{_often(value.region)},{_often(value.service_tier)},{_often(value.training)},"
        f"{_often(value.adapter)},{parameters},"
        f"{'null' if value.context_tokens is None else value.context_tokens},"
        f"{_often(value.project or value.pays or DEFAULT_PROJECT)},{_often(value.run_id)},"
        f"{_often(_list(value.flags)) if value.flags else 'null'},"
        f"{_written(_list(dict(value.told))) if value.told else 'null'},"
        f'"{sha256}"'
    )
    for one in value.quantities:
        yield f"{before},{_often(one.meter)},{_amount(one.amount)},{after}"


@lru_cache(maxsize=1_024)
def _instants(seconds: int) -> tuple[str, str]:
    """A second without its fraction, and the instant of its hour."""
    at_us = seconds * US_PER_S
    return instant(at_us)[:_TO_SECONDS], instant(at_us - at_us % US_PER_HOUR)


def _amount(value: Decimal | None) -> str:
    if value is None:
        return "null"
    text = str(value)
    return f'"{text}.000000"' if text.isdecimal() else f'"{decimal_text(value, _SIX)}"'


def _digits(value: Decimal | None) -> str:
    """A number's digits, however many zeros were told behind it."""
    if value is None:
        return ""
    text = str(value)
    return text if text.isdecimal() else f"{value.normalize():f}"


def _list(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
