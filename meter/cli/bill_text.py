"""Bills beside usage as people read them, in 80 columns."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from itertools import groupby
from typing import TYPE_CHECKING, Any

from meter.cli import output
from meter.figures import printable
from meter.missing_prices import LISTED_BY, named

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MOST = 200  # rows that people read
_AGREE = frozenset({"exact", "rounding", "within"})
_TELL = (
    "Ask streams for their usage (OpenAI: stream_options.include_usage), fetch jobs again "
    "(`meter jobs sync`), or take the provider's own count: `meter bill sync --usage`, "
    "`meter usage record`."
)
_HEADS = ("DAY", "LINE", "BILLED", "COMPUTED", "DIFFERENCE", "WHY")


def shown(found: Mapping[str, Any], *, everything: bool = False) -> str:
    """The document as text: rows by payer, totals, prices to add, idle models."""
    parts = [f"Bills and usage from {found['from']} to {_before(found['to'])}, UTC days"]
    rows = found["rows"]
    told = [row for row in rows if everything or row["reason"] not in _AGREE]
    parts += _payers(told[:_MOST])
    if len(told) > _MOST:
        parts.append(f"{len(told) - _MOST:,} more lines: --json has all")
    if not rows:
        parts.append("Nothing was billed or computed. Bring a bill: meter bill import FILE")
    elif len(told) < len(rows):
        parts.append(_agreeing(len(rows) - len(told)))
    parts += [_totals(found["totals"])] if found["totals"] else []
    parts += [_unpriced(found)] if found["unpriced"] else []
    parts += [_uncounted(found["uncounted"])] if found["uncounted"] else []
    parts += [_idle(found["idle"])] if found["idle"] else []
    unclear = found.get("idle_not_known")  # an agent of an earlier version does not say
    parts += [_unclear(unclear)] if unclear else []
    return "\n\n".join(parts)


def _agreeing(count: int) -> str:
    return f"{count:,} line{' agrees' if count == 1 else 's agree'}: --all shows them."


def _payers(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """A table for each provider, project and currency."""

    def payer(row: Mapping[str, Any]) -> tuple[str, str, str]:
        return row["provider"], row["project"], row["currency"]

    return [
        f"{printable(provider, 30)}, project {printable(project, 30)}, {currency}\n"
        + _table(list(some))
        for (provider, project, currency), some in groupby(sorted(rows, key=payer), payer)
    ]


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    cells = [
        [
            _days(row),
            printable(row["line"], 200),
            _money(row["billed"]),
            _money(row["computed"]),
            _money(row["difference"]),
            printable(row["says"], 200),
        ]
        for row in rows
    ]
    return output.table(_HEADS, cells, right=(2, 3, 4), wrap=(1, 5))


def _days(row: Mapping[str, Any]) -> str:
    first, last = row["from"], _before(row["to"])
    return first if first == last else f"{first[5:]}..{last[5:]}"


def _before(day: str) -> str:
    return (date.fromisoformat(day) - timedelta(days=1)).isoformat()


def _money(text: str | None) -> str:
    """Money to the cent, or as many digits as it takes to see something."""
    if text is None:
        return "-"
    value = Decimal(text)
    cents = value == round(value, 2) or abs(value) >= Decimal("0.1")
    places = 2 if cents else 6
    return f"{value:,.{places}f}"


def _totals(totals: Sequence[Mapping[str, Any]]) -> str:
    cells = [
        [one["currency"], *(_money(one[name]) for name in ("billed", "computed", "difference")),
         _money(one["unexplained"])]
        for one in totals
    ]  # fmt: skip
    heads = ("TOTAL", "BILLED", "COMPUTED", "DIFFERENCE", "NOT EXPLAINED")
    return output.table(heads, cells, right=(1, 2, 3, 4))


def _unpriced(found: Mapping[str, Any]) -> str:
    """Prices that are missing, each once, and the command that writes their rows to fill in."""
    said = [named(row) for row in found["missing_prices"]]
    lines = [line for one in said[:_MOST] for line in output.wrapped(printable(one, 300), "  ")]
    command = f"{LISTED_BY} --from {found['from']} --to {found['to']}"
    add = ["Their rows, to fill in and to give to `meter prices import`:", f"  {command}"]
    return "\n".join(["Usage without a price:", *lines, *add])


def _uncounted(uncounted: Sequence[Mapping[str, Any]]) -> str:
    """Models that were used without saying how much, each once, and what can be done."""
    names = sorted({(one["provider"], one["model"]) for one in uncounted})
    said = [f"{printable(provider, 30)} {printable(model, 80)}" for provider, model in names]
    head = "Used, but not told how much, so no price helps:"
    lines = [line for one in said[:_MOST] for line in output.wrapped(one, "  ")]
    return "\n".join([head, *lines, *output.wrapped(_TELL, "")])


def _idle(idle: Sequence[Mapping[str, Any]]) -> str:
    said = [
        _hosting_text(one) + (", and it served nothing" if one["amount"] is not None else "")
        for one in idle[:_MOST]
    ]
    return _listed("Hosted models that were asked nothing:", said)


def _unclear(unclear: Sequence[Mapping[str, Any]]) -> str:
    """Hosting beside requests whose names leave it open which deployment they went to."""
    said = [f"{_hosting_text(one)}; whether it served is not known" for one in unclear[:_MOST]]
    return _listed("Hosted models that may have been asked, or not:", said)


def _listed(head: str, said: Sequence[str]) -> str:
    lines = [line for one in said for line in output.wrapped(one, "  ", hanging="  ")]
    return "\n".join([head, *lines])


def _hosting_text(one: Mapping[str, Any]) -> str:
    span = one["from"] if one["days"] == 1 else f"{one['from']} to {_before(one['to'])}"
    what = f"{printable(one['provider'], 30)} {printable(one['model'], 120)}, {span}"
    hours = f"{Decimal(one['hours']):,f} hours"
    if one["amount"] is None:
        return f"{what}: {hours} that have no price"
    money = f"{_money(one['amount'])} {one['currency']}"
    each = f"{_money(one['per_hour'])} {one['currency']} an hour"
    return f"{what}: {hours} at {each} = {money}"
