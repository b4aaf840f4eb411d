"""What each kind of factor is measured in, its range, and the words of a factor's basis."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from meter.errors import FactorError
from meter.model import FactorKind

BASIS = (("average", "marginal"), ("production", "consumption"), ("life-cycle", "direct"))
"""The choices behind an intensity; a basis names at most one of each pair."""

_G_PER_LB = Decimal("453.59237")


@dataclass(frozen=True, slots=True)
class Quantity:
    """The unit that a kind is kept in, the units that it may be given in, and its range there.

    ``units`` are factors to the kept unit. A value outside [least, most] is an error of unit or
    of digit: the message names both.
    """

    unit: str
    units: dict[str, Decimal]
    least: Decimal
    most: Decimal
    money: bool = False


def _intensity(most: int) -> Quantity:
    units = {
        "g/kWh": Decimal(1), "gCO2e/kWh": Decimal(1), "gCO2eq/kWh": Decimal(1),
        "kg/MWh": Decimal(1), "kgCO2e/MWh": Decimal(1), "t/GWh": Decimal(1),
        "kg/kWh": Decimal(1000), "kgCO2e/kWh": Decimal(1000), "t/MWh": Decimal(1000),
        "tCO2e/MWh": Decimal(1000),
        "lb/MWh": _G_PER_LB / 1000, "lbs/MWh": _G_PER_LB / 1000,
        "g/MJ": Decimal("3.6"), "gCO2e/MJ": Decimal("3.6"),
    }  # fmt: skip
    return Quantity("g/kWh", units, Decimal(0), Decimal(most))


_ONE = Decimal(1)
QUANTITIES: dict[FactorKind, Quantity] = {
    FactorKind.GRID_INTENSITY: _intensity(3_000),
    FactorKind.MARGINAL_INTENSITY: _intensity(3_000),
    FactorKind.MARKET_INTENSITY: _intensity(3_000),
    FactorKind.MARKET_EXCLUDED: _intensity(3_000),
    FactorKind.ELECTRICITY_PRICE: Quantity(
        "/kWh", {"/kWh": _ONE, "/MWh": Decimal("0.001")}, Decimal(-1_000), Decimal(99_999),
        money=True,
    ),
    FactorKind.PUE: Quantity("1", {"1": _ONE}, _ONE, Decimal(5)),
    FactorKind.WUE: Quantity("L/kWh", {"L/kWh": _ONE, "m3/MWh": _ONE}, Decimal(0), Decimal(50)),
    FactorKind.TND_UPLIFT: Quantity("1", {"1": _ONE}, Decimal(0), _ONE),
    FactorKind.GPU_HOUR_RATE: Quantity("/h", {"/h": _ONE}, Decimal(0), Decimal(99_999), money=True),
    FactorKind.EMBODIED_BOARD: Quantity("g/h", {"g/h": _ONE}, Decimal(0), Decimal(10_000)),
    FactorKind.EMBODIED_SERVER: Quantity("g/h", {"g/h": _ONE}, Decimal(0), Decimal(10_000)),
    FactorKind.FX_RATE: Quantity("", {"": _ONE}, Decimal("0.000001"), Decimal(99_999)),
    FactorKind.GPU_POWER: Quantity(
        "W", {"W": _ONE, "kW": Decimal(1000)}, _ONE, Decimal(5_000)
    ),
    FactorKind.GPU_COMPUTE: Quantity("TFLOPS", {"TFLOPS": _ONE}, _ONE, Decimal(99_999)),
    FactorKind.NODE_POWER: Quantity(
        "W", {"W": _ONE, "kW": Decimal(1000)}, _ONE, Decimal(99_999)
    ),
    FactorKind.HOUSEHOLD_ENERGY: Quantity(
        "kWh/day", {"kWh/day": _ONE}, Decimal("0.01"), Decimal(1_000)
    ),
    FactorKind.SERVER_RATIO: Quantity("1", {"1": _ONE}, _ONE, Decimal(10)),
    FactorKind.GPU_LOAD: Quantity("1", {"1": _ONE}, Decimal("0.01"), _ONE),
    FactorKind.MFU: Quantity("1", {"1": _ONE}, Decimal("0.001"), _ONE),
    FactorKind.TRAINING_FLOP: Quantity("FLOP", {"FLOP": _ONE}, _ONE, Decimal(100)),
    FactorKind.MODEL_PARAMETERS: Quantity(
        "billion", {"billion": _ONE, "million": Decimal("0.001")}, Decimal("0.001"), Decimal(99_999)
    ),
    FactorKind.MODEL_SIZE: Quantity(
        "billion", {"billion": _ONE, "million": Decimal("0.001")}, Decimal("0.001"), Decimal(99_999)
    ),
    FactorKind.TOKEN_ENERGY: Quantity(
        "J/token", {"J/token": _ONE, "Wh/token": Decimal(3600)}, Decimal(0), Decimal(10_000)
    ),
    FactorKind.REQUEST_ENERGY: Quantity(
        "J/request", {"J/request": _ONE, "Wh/request": Decimal(3600)}, Decimal(0), Decimal(99_999)
    ),
}  # fmt: skip


def basis_of(text: str) -> str | None:
    """A basis in its one form, ``average, production, life-cycle``; None of nothing.

    Raises FactorError for a word that is none, or for two that exclude each other.
    """
    words = [word for word in text.lower().replace(",", " ").replace(";", " ").split() if word]
    words = ["life-cycle" if word in {"lifecycle", "life_cycle", "lca"} else word for word in words]
    known = {word for pair in BASIS for word in pair}
    for word in words:
        if word not in known:
            raise FactorError(
                f"{word[:40]!r} is no basis", f"name some of {', '.join(sorted(known))}"
            )
    for pair in BASIS:
        if all(word in words for word in pair):
            raise FactorError(f"a basis is {' or '.join(pair)}, not both", "name one")
    found = [word for pair in BASIS for word in pair if word in words]
    return ", ".join(found) or None
