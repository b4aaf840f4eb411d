"""What a summary says of hosted work: the job, its tokens, each tier of evidence; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meter import figures

if TYPE_CHECKING:
    from collections.abc import Mapping

_METERS = {
    "train_token": "trained tokens", "train_hour": "hours of training", "host_hour": "hours hosted",
    "gpu_second": "GPU-seconds", "input": "input tokens", "cached_input": "cached input tokens",
    "output": "output tokens", "request": "requests", "storage_gb_month": "GB-months stored",
}  # fmt: skip
_SHOWN = 4


def job(document: Mapping[str, Any]) -> str:
    """Which model was tuned, how, and what came of it."""
    hosted = document.get("hosted")
    if not hosted:
        return ""
    how = " ".join(word for word in (hosted["training"], hosted["adapter"]) if word)
    made = figures.printable(hosted["tuned_model"], 80) if hosted["tuned_model"] else "no model"
    base = figures.printable(hosted["base_model"], 60)
    what = f"{base} ({how})" if how else base
    return f"{hosted['provider']} {what} -> {made}, {hosted['status']}"


def usage(document: Mapping[str, Any]) -> str:
    """How much was used, and what a million trained tokens cost."""
    parts = []
    for row in document.get("usage", ())[:_SHOWN]:
        if row["quantity"] == "unknown":
            parts.append("usage not told")
        else:
            name = _METERS.get(row["meter"], row["meter"].replace("_", " "))
            parts.append(f"{row['quantity']:,} {name}")
    more = len(document.get("usage", ())) - _SHOWN
    parts += [f"{more} more"] if more > 0 else []
    hosted = document.get("hosted") or {}
    for each in hosted.get("cost_per_million_trained_tokens", ()):
        value = figures.number(float(each["value"]), 3)
        parts.append(f"{value} {each['currency']} a million trained")
    for each in hosted.get("break_even", ()):
        count = figures.number(each["break_even_requests"], 3)
        parts.append(f"training cost as much as {count} requests to the model")
    return ", ".join(parts)


def evidence(document: Mapping[str, Any]) -> str:
    """Energy by each tier of evidence, facility included; the run's stands on the first."""
    found = (document.get("hosted") or {}).get("estimates", ())
    return "; ".join(_tier(one) for one in found)


def inference(document: Mapping[str, Any]) -> str:
    """Modelled energy of the run's requests, facility included, which is in no sum."""
    found = document.get("inference", ())
    known = [one for one in found if one["high_j"] is not None]
    parts = []
    if known:
        low, high = (
            figures.figure({"value": sum(one[end] for one in known), "unit": "J"})
            for end in ("low_j", "high_j")
        )
        parts.append(f"{low} to {high}, modelled from output tokens, in no sum")
    missing = len(found) - len(known)
    parts += [f"{missing} not known"] if missing else []
    return "; ".join(parts)


def _tier(one: Mapping[str, Any]) -> str:
    if one["high_j"] == 0:
        return f"tier {one['tier']}: nothing known"
    high = figures.figure({"value": one["high_j"], "unit": "J"})
    if one["mid_j"] is None:
        return f"tier {one['tier']}: at most {high}"
    low = figures.figure({"value": one["low_j"], "unit": "J"})
    quality = one["boamps_quality"]
    graded = f", quality {quality} (BoAmps)" if quality else ""
    return f"tier {one['tier']}: {low} to {high}{graded}"
