"""Figures of a document as people read them: scaled units, bounds, honest labels.

Pure, with light imports only: the launcher prints its summary with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation, localcontext
from typing import Any

Quantity = Mapping[str, Any]

_ENERGY = ((3.6e9, 3.6e9, "MWh"), (3.6e6, 3.6e6, "kWh"), (3.6e4, 3.6e3, "Wh"), (1e3, 1e3, "kJ"))
_ENERGY_SMALLEST = (1.0, "J")
_MASS = ((1e6, 1e6, "t"), (1e3, 1e3, "kg"), (1.0, 1.0, "g"))
_MASS_SMALLEST = (1e-3, "mg")
_VOLUME = ((1.0, 1.0, "L"),)
_VOLUME_SMALLEST = (1e-3, "mL")
_COMPONENTS = {"gpu": "GPU", "cpu": "CPU", "ram": "RAM", "hosted": "hosted"}  # as shown
_COSTS = {
    "electricity": "electricity",
    "electricity_overhead": "facility overhead",
    "gpu_time": "GPU time",
    "api_training": "API training",
    "api_tokens": "API tokens",
    "hosting": "hosting",
    "storage": "storage",
}
_FACTORS = {
    "grid_intensity": "grid intensity",
    "marginal_intensity": "marginal grid intensity",
    "market_intensity": "market instrument",
    "market_excluded": "excluded instrument",
    "electricity_price": "electricity price",
    "pue": "PUE",
    "wue": "WUE",
    "tnd_uplift": "grid loss uplift",
    "gpu_hour_rate": "GPU-hour rate",
    "embodied_board": "embodied, GPU board",
    "embodied_server": "embodied, rest of server",
    "fx_rate": "exchange rate",
    "gpu_power": "GPU power",
    "gpu_compute": "GPU compute",
    "node_power": "node power",
    "household_energy": "household",
    "server_ratio": "server / its GPUs",
    "gpu_load": "mean GPU load",
    "mfu": "MFU",
    "training_flop": "training FLOP",
    "model_parameters": "model parameters",
    "model_size": "size of a served model",
    "token_energy": "energy of an output token",
    "request_energy": "energy of a request's wait",
}
_SCALED = frozenset({"J", "g", "L"})
_QUANTITY = frozenset({"value", "low", "high", "unit", "method"})
_BOUND, _UNKNOWN = "upper_bound", "not_known"
_SMALL_MONEY = Decimal("0.1")
_MOST_ZEROS = 12
_TINY = 0.1


def scale_of(size: float, unit: str) -> tuple[float, str]:
    """Divisor and unit that suit a size given in a document's unit (J, g, L, a currency)."""
    steps, smallest = {
        "J": (_ENERGY, _ENERGY_SMALLEST),
        "g": (_MASS, _MASS_SMALLEST),
        "L": (_VOLUME, _VOLUME_SMALLEST),
    }.get(unit, ((), (1.0, unit)))
    for least, divisor, name in steps:
        if abs(size) >= least:
            return divisor, name
    return smallest if size else (1.0, unit)


def decimals_of(value: float | Decimal, digits: int = 3) -> int:
    """Decimal places that show about ``digits`` significant digits."""
    size = abs(float(value))
    if not size or size >= 10 ** (digits - 1):
        return 0
    if size >= 1:
        return digits - len(str(int(size)))
    leading = 0
    while size < 10 ** -(leading + 1) and leading < _MOST_ZEROS:
        leading += 1
    return digits + leading


def number(value: float | Decimal, digits: int = 3) -> str:
    """A number with about ``digits`` significant digits, never in exponents."""
    return f"{value:,.{decimals_of(value, digits)}f}"


def _cents(amount: Decimal) -> int:
    """Decimal places of an amount: cents, or two significant digits of a small one."""
    return 2 if not amount or abs(amount) >= _SMALL_MONEY else decimals_of(amount, 2)


def money(value: Decimal | str, places: int | None = None) -> str:
    """An amount, to the cent or, below a tenth, to two significant digits; halves go up."""
    amount = decimal_of(value)
    step = Decimal(1).scaleb(-(_cents(amount) if places is None else places))
    with localcontext(prec=60):
        return f"{amount.quantize(step, ROUND_HALF_UP):,f}"


def decimal_of(value: object) -> Decimal:
    """A document's number as Decimal; zero for what is none."""
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return Decimal(0)


def only_bound(quantity: Quantity) -> bool:
    """Whether a quantity of a hosted run has an upper bound alone: its value is no estimate.

    Of own parts with such bounds, a CPU that several runs share, the value is what sums hold.
    """
    if quantity.get("method") != "assumed" or quantity["unit"] not in _SCALED:
        return False
    return float(quantity.get("low") or 0) <= 0 < float(quantity["value"])


def readable(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """The document as it is shown: what is only bound, or not known, of a hosted run says so.

    Not known is that of a job that goes on, or that has no estimate: its zero is no figure.
    """
    hosted = document.get("hosted")
    if not hosted:
        return document
    shown: dict[str, Any] = _bound_said(document)
    if not (any(one["booked"] for one in hosted["estimates"]) and has_energy(document)):
        energy = dict(shown["energy"])
        for name in ("it", "facility"):
            if energy.get(name) and not energy[name]["high"]:
                energy[name] = {**energy[name], _UNKNOWN: True}
        shown["energy"] = energy
    return shown


def has_energy(document: Mapping[str, Any]) -> bool:
    """Whether a document tells of any IT energy, be it an upper bound alone."""
    whole = document["energy"].get("it")
    return bool(whole and whole["high"])


def _bound_said(part: Any) -> Any:
    if isinstance(part, Mapping):
        said = {name: _bound_said(value) for name, value in part.items()}
        return {**said, _BOUND: True} if part.keys() >= _QUANTITY and only_bound(part) else said
    return [_bound_said(one) for one in part] if isinstance(part, list) else part


def is_bound(quantity: Quantity) -> bool:
    """Whether a quantity of a :func:`readable` document is told by its upper bound."""
    return bool(quantity.get(_BOUND))


def is_unknown(quantity: Quantity) -> bool:
    """Whether a quantity of a :func:`readable` document is not known at all."""
    return bool(quantity.get(_UNKNOWN))


def figure(quantity: Quantity, like: Quantity | None = None) -> str:
    """Value and unit: ``1.23 kWh``; in the unit of ``like``, unless that makes it tiny.

    Of what is only bound from above ``at most 2.46 kWh``: its value is no estimate.
    """
    if is_unknown(quantity):
        return "not known"
    if is_bound(quantity):
        high = {"value": quantity["high"], "unit": quantity["unit"]}
        return f"at most {figure(high, like)}"
    divisor, unit = _scale(quantity, like)
    return f"{_shown(quantity, 'value', divisor)} {unit}"


def bounds(quantity: Quantity, like: Quantity | None = None) -> str:
    """``1.17 to 1.29``, in the unit of :func:`figure`; empty where there are none."""
    low, high = quantity.get("low"), quantity.get("high")
    if low is None or high is None or decimal_of(low) == decimal_of(high):
        return ""
    if is_bound(quantity):  # as exact as the bound is shown
        quantity = {**quantity, "value": high}
    divisor, _ = _scale(quantity, like)
    return f"{_shown(quantity, 'low', divisor)} to {_shown(quantity, 'high', divisor)}"


def with_bounds(quantity: Quantity, like: Quantity | None = None) -> str:
    """``1.23 kWh (1.17 to 1.29)``; an upper bound stands alone."""
    between = "" if is_bound(quantity) else bounds(quantity, like)
    return f"{figure(quantity, like)} ({between})" if between else figure(quantity, like)


def _scale(quantity: Quantity, like: Quantity | None = None) -> tuple[float, str]:
    value = float(quantity["value"])
    if like is not None:
        divisor, unit = scale_of(_size(like), str(like["unit"]))
        if not value or abs(value) / divisor >= _TINY:
            return divisor, unit
    return scale_of(_size(quantity), str(quantity["unit"]))


def _size(quantity: Quantity) -> float:
    """What decides the unit: the value, or the upper bound where nothing more is known."""
    return float(quantity["value"]) or float(quantity.get("high") or 0)


def _shown(quantity: Quantity, part: str, divisor: float) -> str:
    """A part of a quantity, with the decimal places of its value."""
    if quantity["unit"] not in _SCALED:
        return money(quantity[part], _cents(decimal_of(quantity["value"])))
    value = float(quantity["value"]) / divisor
    return f"{float(quantity[part]) / divisor:,.{decimals_of(value)}f}"


def percent(share: float) -> str:
    """``99.7 %``; 100 % and 0 % only where they are meant."""
    if 0 < share < 0.001:
        return "< 0.1 %"
    if 0.999 < share < 1:
        return "> 99.9 %"
    return f"{share * 100:.1f} %".replace(".0 %", " %")


def duration(seconds: float) -> str:
    """``9.8 s``, ``4 min 05 s``, ``2 h 07 min``, ``3 d 04 h``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes:02} min"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours:02} h"


def instant(text: str | None) -> str:
    """An instant of a document (RFC 3339, UTC) to the second: ``2026-11-02 09:14:07 UTC``."""
    return f"{text[:10]} {text[11:19]} UTC" if text else ""


def component(name: str) -> str:
    """A component as people write it."""
    return _COMPONENTS.get(name, name)


def cost_kind(name: str) -> str:
    """A cost kind as people write it."""
    return _COSTS.get(name, name.replace("_", " "))


def factor_kind(name: str) -> str:
    """A factor kind as people write it."""
    return _FACTORS.get(name, name.replace("_", " "))


def method(name: str, *, simulated: bool) -> str:
    """A method's label; nothing that was simulated is ever called measured."""
    return "simulated" if simulated and name == "measured" else name


def measured_share(document: Mapping[str, Any]) -> float:
    """The part of the IT energy that was measured, 0 to 1."""
    energy = document["energy"]
    if (given := energy.get("measured_share")) is not None:
        return float(given)
    total = sum(float(device["energy"]["value"]) for device in energy["devices"])
    measured = sum(
        float(device["energy"]["value"])
        for device in energy["devices"]
        if device["method"] == "measured"
    )
    return measured / total if total else 0.0


def devices(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """A document's devices as people look for them: GPUs first."""
    order = [*_COMPONENTS, None]  # a device that the ledger no longer knows has none
    found: list[Mapping[str, Any]] = list(document["energy"]["devices"])
    return sorted(found, key=lambda device: order.index(device["component"]))


def household(document: Mapping[str, Any]) -> tuple[float, Mapping[str, Any]] | None:
    """Days of a household's electricity, and the factor row that says so; None without one."""
    factors = {factor["id"]: factor for factor in document.get("factors", ())}
    for equivalent in document.get("equivalents", ()):
        if equivalent["kind"] == "household_days" and equivalent["factor"] in factors:
            return float(equivalent["value"]), factors[equivalent["factor"]]
    return None


def factor_value(factor: Mapping[str, Any]) -> str:
    """A factor's value with its unit, its band where it has one: ``475 g/kWh (20 to 800)``.

    An instrument's also with the part of the consumption that it covers.
    """
    unit = "" if factor.get("unit") in {None, "", "1"} else f" {factor['unit']}"
    value, low, high = (plain(factor.get(part)) for part in ("value", "low", "high"))
    band = f" ({low} to {high})" if low and high and low != high else ""
    share = factor.get("share")
    covers = f" for {percent(float(share))}" if share not in {None, 1} else ""
    return f"{value}{unit}{band}{covers}"


def factor_source(factor: Mapping[str, Any]) -> str:
    """Where a factor is from, with the date of the source."""
    dated = factor.get("source_date")
    if dated in {None, "", "not stated"}:  # as a configuration that names no date has it
        return str(factor["source"])
    return f"{factor['source']}, {dated}"


def plain(value: object) -> str:
    """A number to six significant digits at most, without trailing zeros or exponents."""
    if value is None:
        return ""
    with localcontext(prec=6):
        return f"{(+decimal_of(value)).normalize():f}"


def printable(text: object, limit: int = 80) -> str:
    """Text of others without control characters, cut to ``limit`` characters."""
    clean = "".join(c if c.isprintable() else "?" for c in str(text))
    return clean if len(clean) <= limit else f"{clean[: limit - 3]}..."
