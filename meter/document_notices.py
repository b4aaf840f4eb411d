"""What a run's figures themselves make the reader ask: gaps, assumptions, what is not set; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from meter.document import RunRows

    Row = Mapping[str, Any]
    Said = dict[str, Any]


def own_notices(rows: RunRows) -> list[dict[str, Any]]:
    """Notices of a run's document, the gravest first."""
    found = []
    if not rows.devices:
        found.append(said("no_energy", "warning", "No energy was metered for this run."))
    return [*found, *_zone(rows), *_tariff(rows), *_gaps(rows), *_market(rows), *_exchange(rows)]


def _zone(rows: RunRows) -> Iterator[Said]:
    assumed = any(row["method"] == "assumed" for row in rows.amounts if row["basis"] == "location")
    if assumed and rows.run["zone"] is None and not _refused(rows.notices).zone:
        text = (
            "No grid zone is set, so carbon is the world's range of grids: set `zone` in the"
            " configuration, or METER_ZONE, to a code such as FRA or USA-CA."
        )
        yield said("no_zone", "warning", text)


def _tariff(rows: RunRows) -> Iterator[Said]:
    lines = rows.facility["lines"] or 0
    priced = rows.of_kind("electricity")
    if lines and not priced:
        text = (
            "No electricity tariff holds for this run, so there is no electricity cost: set"
            " `[electricity]` with `price_per_kwh` and `currency` in the configuration."
        )
        if not _refused(rows.notices).tariff:
            yield said("no_tariff", "info", text)
    elif priced < lines:
        text = "Some hours have no electricity tariff, so the electricity cost is a part only."
        yield said("tariff_gap", "warning", text)


def _gaps(rows: RunRows) -> Iterator[Said]:
    """Figures that hold for a part of the run only."""
    lines, gpu_lines = rows.facility["lines"] or 0, rows.facility["gpu_lines"] or 0
    if 0 < (rows.facility["with_pue"] or 0) < lines:
        text = "Some hours have no PUE, so facility energy is not given and overheads are a part."
        yield said("pue_gap", "warning", text)
    if 0 < rows.of_kind("tnd") < lines:
        text = "Some hours have no grid loss, so the loss's carbon is a part only."
        yield said("tnd_gap", "warning", text)
    if 0 < rows.of_kind("water") < lines:
        text = "Some hours have no WUE, so the water is a part only."
        yield said("wue_gap", "warning", text)
    if 0 < rows.of_kind("embodied_board") < gpu_lines:
        text = "No embodied figure is known of some GPUs, so embodied carbon is a part only."
        yield said("embodied_gap", "warning", text)


def _market(rows: RunRows) -> Iterator[Said]:
    if rows.of_kind("market_default"):
        text = (
            "Instruments cover a part of the consumption; the rest of the market-based carbon"
            " is at the grid's mean, because no residual mix is known."
        )
        yield said("market_default", "info", text)
    for row in rows.excluded:
        why = f" ({row['detail']})" if row["detail"] else ""
        text = f"An instrument does not count in market-based carbon: {row['source']}{why}."
        yield said("market_excluded", "warning", text)


def _exchange(rows: RunRows) -> Iterator[Said]:
    missing = {row["from_currency"] for row in rows.converted if row["amount"] is None}
    for currency in sorted(missing):
        text = (
            f"No exchange rate of {currency} in {rows.currency} is known for some hours, so no"
            f" sum in {rows.currency} is given: import a dated `fx_rate` (one the other way is not"
            " turned round)."
        )
        yield said("fx_missing", "warning", text)


class _Refused(NamedTuple):
    """What the configuration states, but wrongly: to say that it is not set would mislead."""

    zone: bool
    tariff: bool


def _refused(notices: Sequence[Row]) -> _Refused:
    unread = any(row["code"] == "config_unreadable" for row in notices)
    wrong = [str(row["message"]) for row in notices if row["code"] == "config_error"]
    return _Refused(
        zone=unread or any(text.startswith(("site.zone", "METER_ZONE")) for text in wrong),
        tariff=unread or any(text.startswith("electricity") for text in wrong),
    )


def said(code: str, severity: str, text: str, *, times: int = 1) -> dict[str, Any]:
    """A notice of the figures' own, on no device and of no instant."""
    return {
        "code": code, "severity": severity, "text": text, "device": None, "at": None,
        "times": times,
    }  # fmt: skip
