"""Own and hosted runs side by side, as people read them: cells of a table and its notes; pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from meter import figures
from meter.side_by_side import FACILITY, IN_PART, OWN_GPUS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    Row = Mapping[str, Any]

_DIGITS = 3
_MILLION = 1_000_000
_MANY = 10 * _MILLION
_NOT_ALL = {IN_PART: " (facility in part)", "it": " (IT)"}


def evidence(row: Row) -> str:
    """What must not pass for measured, in brackets."""
    if row.get("simulated"):
        return " (simulated)"
    return "" if row["where"] == OWN_GPUS else " (modelled)"


def tokens(row: Row) -> str:
    """Trained tokens, from ten million on in millions; - where nobody told."""
    count = row["trained_tokens"]
    if count is None:
        return "-"
    if count < _MANY:
        return f"{count:,}"
    return f"{figures.number(count / _MILLION, _DIGITS)} M"


def not_known(row: Row) -> bool:
    """Whether a job has ended of whose energy there is no estimate."""
    hosted = row["where"] != OWN_GPUS
    return hosted and row.get("status") != "running" and row["energy_kwh"] is None


def money(row: Row, *, bounds: bool = True) -> str:
    """Amounts by currency, with low and high where they differ; - where no money is known.

    What a provider says that it billed stands behind, in brackets: it is not computed.
    """
    found = [amount(one, bounds=bounds) for one in row.get("money", ())]
    if row.get("unpriced"):
        found.append("in part no price" if found else "no price")
    computed = ", ".join(found) or "-"
    told = row.get("billed")
    return f"{computed} [billed {amount(told)}]" if told else computed


def per_million(row: Row) -> str:
    """What training cost for a million trained tokens."""
    return ", ".join(amount(one, bounds=True) for one in row["per_million_tokens"]) or "-"


def energy(row: Row) -> str:
    """Energy in kWh from low to high, or its upper bound; it says where the facility is not in."""
    if not_known(row):
        return "not known"
    found = between(row["energy_kwh"], only_bound=bool(row.get("only_bound")))
    return found + _NOT_ALL.get(row.get("energy_basis") or FACILITY, "")


def carbon(row: Row) -> str:
    """Grams from low to high, or the upper bound alone."""
    if not_known(row):
        return "not known"
    return between(row["carbon_g"], only_bound=bool(row.get("only_bound")))


def break_even(row: Row) -> str:
    """Requests to the model that cost as much as its training; - where they are not known."""
    found = row.get("break_even") or ()
    counts = [figures.number(one["break_even_requests"], _DIGITS) for one in found]
    if len(counts) == 1:
        return counts[0]
    pairs = zip(counts, found, strict=True)
    return ", ".join(f"{count} ({one['currency']})" for count, one in pairs) or "-"


def notes(rows: Sequence[Row]) -> Iterator[str]:
    """What the columns are of, and what is missing in them."""
    yield (
        "kWh and gCO2e: low to high, facility included"
        f"{_but_for(rows)}; carbon is location-based. Break-even: requests to the model that cost "
        "as much as its training."
    )
    if any(row.get("only_bound") for row in rows):
        yield "<=: only an upper bound is known."
    if any(row.get("billed") for row in rows):
        yield "[billed]: the provider's own word on what a job costs; it is in no sum."
    unknown = sum(1 for row in rows if not_known(row))
    if unknown:
        yield (
            f"The energy of {unknown} hosted that ended is not known, which is no zero: "
            "`meter show RUN` says what an estimate needs."
        )
    missing = Counter(
        row["break_even_missing"]
        for row in rows
        if row.get("break_even_missing") and row["where"] != OWN_GPUS
    )
    for reason, count in sorted(missing.items()):
        yield f"No break-even of {count} hosted: {reason}."
    if any(row["where"] == OWN_GPUS for row in rows):
        yield "No break-even on own GPUs: what a request to such a model costs is not told."
    if any(row.get("unpriced") for row in rows):
        yield "Usage without a price is named by: meter usage list --unpriced"


def _but_for(rows: Sequence[Row]) -> str:
    bases = {row.get("energy_basis") for row in rows}
    if bases & _NOT_ALL.keys():
        return ", unless a row says (IT): there no PUE is known"
    return ""


def amount(one: Mapping[str, str], *, bounds: bool = True) -> str:
    """Money with its currency, and with low and high where they differ."""
    value = f"{figures.money(one['value'])} {one['currency']}"
    low, high = (figures.money(one.get(end, one["value"])) for end in ("low", "high"))
    return f"{value} ({low} to {high})" if bounds and low != high else value


def between(band: Mapping[str, float] | None, *, only_bound: bool = False) -> str:
    """From low to high, or the upper bound alone; - where nothing is known."""
    if band is None:
        return "-"
    low, high = (figures.number(band[name], 2) for name in ("low", "high"))
    if only_bound:
        return f"<= {high}"
    return low if low == high else f"{low} to {high}"
