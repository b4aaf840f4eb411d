"""What the configuration states of a site by single values: PUE, water, losses, GPUs."""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

from meter.config import Embodied, GpuTime, Owned
from meter.settings_values import Limits, band, currency, dated, plain_number, shown, text

if TYPE_CHECKING:
    from meter.config import Banded
    from meter.settings_values import Values

_PERCENT = "write a share: 0.05 is 5 %"
_SITE = {
    "pue": Limits(Decimal(1), Decimal(5), remedy="a PUE is facility energy / IT energy"),
    "wue": Limits(most=Decimal(50), remedy="a WUE is litres of water for a kWh of IT energy"),
    "tnd_loss": Limits(most=Decimal("0.5"), below=True, remedy=_PERCENT),
}
_YEARS = Limits(most=Decimal(30), above=True, remedy="give years of use, such as 4")
_USE = Limits(most=Decimal(1), above=True, remedy="write a share: 0.7 is 70 %")
_PRICE = Limits(most=Decimal(10) ** 9, above=True)  # in any currency
_KILOGRAMS = Limits(most=Decimal(50_000), remedy="give kg of CO2e for one GPU")

_OWNED = ("price", "lifetime_years", "utilisation")


def site_value(values: Values, key: str) -> Banded | None:
    """``pue``, ``wue`` or ``tnd_loss`` of the site: a number, a band, or a preset's name.

    Raises ConfigError, with the nearest names for a preset that there is not.
    """
    name = f"site.{key}"
    found = values.get(name)
    if not isinstance(found, str) or plain_number(found) is not None:
        return band(values, name, _SITE[key])
    if "%" in found:
        raise values.wrong(name, f"must be a number, not {shown(found)}", _SITE[key].remedy)
    from meter.errors import FactorError  # noqa: PLC0415 - only named assumptions pay for the books
    from meter.factors.presets import preset  # noqa: PLC0415

    try:
        return preset(key, found)
    except FactorError as error:
        raise values.wrong(name, f"is refused: {error.message}", error.remedy) from None


def gpu_time(values: Values) -> GpuTime | None:
    """What an hour of a GPU costs, rented or owned; raises ConfigError."""
    rate_name = "gpu_time.rate_per_hour"
    given = [f"gpu_time.{key}" for key in _OWNED if values.get(f"gpu_time.{key}") is not None]
    if values.get(rate_name) is None:
        if not given:
            return None
        return _owned(values)
    if given:
        raise values.wrong(
            given[0],
            "is given beside rate_per_hour",
            "give a rate, or price, lifetime_years and utilisation of an owned GPU",
        )
    rate = values.tried(partial(band, values, rate_name, Decimal(0)), None)
    code = values.tried(partial(currency, values, "gpu_time.currency", rate_name), None)
    source = text(values, "gpu_time.source") or "configuration"
    when = values.tried(partial(dated, values, "gpu_time.source_date"), None)
    if rate is None or code is None:
        return None
    return GpuTime(code, rate, source, source_date=when)


def _owned(values: Values) -> GpuTime | None:
    limits = (_PRICE, _YEARS, _USE)
    parts = [
        values.tried(partial(_needed, values, f"gpu_time.{key}", limit), None)
        for key, limit in zip(_OWNED, limits, strict=True)
    ]
    code = values.tried(partial(currency, values, "gpu_time.currency", "gpu_time.price"), None)
    source = text(values, "gpu_time.source") or "configuration"
    when = values.tried(partial(dated, values, "gpu_time.source_date"), None)
    price, years, use = parts
    if price is None or years is None or use is None or code is None:
        return None
    return GpuTime(code, None, source, Owned(price, years, use), when)


def _needed(values: Values, name: str, limits: Limits) -> Banded:
    found = band(values, name, limits)
    if found is None:
        raise values.wrong(
            name, "is missing", "an owned GPU needs price, lifetime_years and utilisation"
        )
    return found


def embodied(values: Values) -> Embodied | None:
    """The site's own embodied carbon of a GPU and its share of the server; raises ConfigError."""
    before = len(values.faults)
    kilograms, server = (
        values.tried(partial(band, values, f"embodied.{key}", _KILOGRAMS), None)
        for key in ("kg_per_gpu", "server_kg_per_gpu")
    )
    years = values.tried(partial(band, values, "embodied.lifetime_years", _YEARS), None)
    source = text(values, "embodied.source") or "configuration"
    when = values.tried(partial(dated, values, "embodied.source_date"), None)
    if len(values.faults) > before:  # the rest of it is another amount
        return None
    if kilograms is None and server is None:
        if years is not None:
            raise values.wrong(
                "embodied.lifetime_years",
                "is given without an amount",
                "give kg_per_gpu, server_kg_per_gpu or both",
            )
        return None
    return Embodied(kilograms, server, years, source, when)
