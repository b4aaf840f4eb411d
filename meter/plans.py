"""A document's budgets and forecast as people read them; pure, with light imports only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meter import figures

if TYPE_CHECKING:
    from collections.abc import Mapping


def budget(found: Mapping[str, Any]) -> str:
    """``1.20 of 15 kWh used (8 %)``."""
    whole = f"{figures.plain(found['amount'])} {found['unit']}"
    if found["used"] is None:
        return f"nothing counts against {whole} yet"
    used = figures.number(figures.decimal_of(found["used"]))
    return f"{used} of {whole} used ({figures.percent(found['ratio'])})"


def budgets(document: Mapping[str, Any]) -> str:
    """Every budget of a run."""
    return ", ".join(budget(found) for found in document.get("budgets", ()))


def forecast(document: Mapping[str, Any]) -> str:
    """``12.3 kWh (11.0 to 14.1) at the end, about 17:40 UTC; 82 % of the budget of 15 kWh``."""
    found = document.get("forecast")
    if not found:
        return ""
    parts = [figures.with_bounds(found["energy"])]
    parts += [figures.figure(cost["amount"]) for cost in found["cost"]]
    if found["carbon"]:
        parts.append(f"{figures.figure(found['carbon'])} CO2e")
    done = figures.percent(found["fraction"])
    about = "" if found["ends_at"] is None else f", about {figures.instant(found['ends_at'])}"
    text = f"{', '.join(parts)} at the end{about}; {done} is done, modelled"
    return text + "".join(f"; {share}" for share in _shares(document, found))


def _shares(document: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """How much of each budget the end will have used."""
    now = float(document["energy"]["it"]["value"])
    grown = float(found["energy"]["value"]) / now if now else 0.0
    return [
        f"{figures.percent(each['ratio'] * grown)} of the budget of"
        f" {figures.plain(each['amount'])} {each['unit']}"
        for each in document.get("budgets", ())
        if each["ratio"] is not None
    ]
