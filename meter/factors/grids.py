"""Yearly grid intensities from codecarbon's data files, read without importing the package."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from meter.errors import FactorError
from meter.model import Method

if TYPE_CHECKING:
    from collections.abc import Iterator

LICENCE = "MIT (codecarbon)"
G_PER_LB = Decimal("453.59237")
_NINE = Decimal("1E-9")
_OWID = "Our World in Data, by way of codecarbon"

# The shares of a Canadian province, by the name of their intensity; "other" has none.
_CANADA = {
    "naturalGas": "natural_gas",
    "nuclear": "nuclear",
    "petroleum": "petroleum",
    "biomass": "biomass",
    "coal": "coal",
    "solar": "solar",
    "wind": "wind",
    "hydro": "hydroelectricity",
}
_PROVINCES = {
    "alberta": "AB",
    "british columbia": "BC",
    "manitoba": "MB",
    "new brunswick": "NB",
    "newfoundland and labrador": "NL",
    "northwest territories": "NT",
    "nova scotia": "NS",
    "nunavut": "NU",
    "ontario": "ON",
    "prince edward island": "PE",
    "quebec": "QC",
    "saskatchewan": "SK",
    "yukon": "YT",
}
_NORDIC = {"SE": "SWE", "NO": "NOR"}
_MORE_CODES = {"GBR": ("UK",)}  # in use, though not ISO 3166


@dataclass(frozen=True, slots=True)
class Grid:
    """A zone's yearly mean intensity in gCO2e/kWh, and what the zone may be called."""

    zone: str
    intensity: Decimal
    year: str | None
    source: str
    names: tuple[str, ...]
    codes: tuple[str, ...]
    method: Method = Method.SOURCED
    detail: str | None = None
    basis: str = "average, production, life-cycle"


@dataclass(frozen=True, slots=True)
class World:
    """The world's mean intensity with the range of its grids, in gCO2e/kWh."""

    intensity: Decimal
    low: Decimal
    high: Decimal
    source: str


def data_folder() -> Path:
    """Folder of codecarbon's data files; raises FactorError if it is not installed."""
    spec = find_spec("codecarbon")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        folder = Path(place) / "data" / "private_infra"
        if folder.is_dir():
            return folder
    raise FactorError("codecarbon's data files are missing", "run `pip install codecarbon`")


@cache
def release() -> str:
    """Release of the data files, as a source names it."""
    try:
        return f"codecarbon {version('codecarbon')}"
    except PackageNotFoundError:
        return "codecarbon"


@cache
def grids() -> dict[str, Grid]:
    """Every grid known, by zone: ISO 3166-1 alpha-3, or that and a region (``USA-CA``)."""
    found = [*_countries(), *_states(), *_provinces(), *_chinese(), *_nordic()]
    return {grid.zone: grid for grid in found}


@cache
def world() -> World:
    """The world's mean, and the lowest and highest country of the mix."""
    read = _read("carbon_intensity_per_source.json")
    countries = [grid.intensity for grid in grids().values() if "-" not in grid.zone]
    return World(
        intensity=Decimal(str(read["world_average"])),
        low=min(countries),
        high=max(countries),
        source=f"IEA 2019 mean, range of countries; {release()}",
    )


def _countries() -> Iterator[Grid]:
    codes = json.loads(
        (Path(__file__).parent / "data" / "countries.json").read_text(encoding="utf-8")
    )["codes"]
    for zone, mix in _read("global_energy_mix.json").items():
        intensity = Decimal(str(mix["carbon_intensity"]))
        if intensity <= 0:
            continue  # life-cycle values are never zero: a gap in the data, not a clean grid
        yield Grid(
            zone=zone,
            intensity=_nine(intensity),
            year=str(mix["year"]),
            source=f"{_OWID} ({release()})",
            names=(mix["country_name"],),
            codes=(*codes.get(zone, "").split(), *_MORE_CODES.get(zone, ())),
            detail="yearly mean, generation, life-cycle",
        )


def _states() -> Iterator[Grid]:
    read = _read("2023/usa_emissions.json")
    origin = read["_source"]
    for name, state in read.items():
        if name.startswith("_") or name == "usa":
            continue
        code = state["regionCode"]
        yield Grid(
            zone=f"USA-{code}",
            intensity=_nine(Decimal(str(state["emissions"])) * G_PER_LB / 1000),
            year=str(origin["year"]),
            source=f"EPA eGRID{origin['year']} ({release()})",
            names=(name,),
            codes=(f"US-{code}",),
            detail=f"{state['emissions']} lbs/MWh; yearly mean, generation, direct CO2e",
            basis="average, production, direct",
        )


def _provinces() -> Iterator[Grid]:
    intensities = _read("carbon_intensity_per_source.json")
    for name, mix in _read("2023/canada_energy_mix.json").items():
        shares = {_CANADA[k]: Decimal(str(v)) for k, v in mix.items() if k in _CANADA}
        total = sum(shares.values())
        if not total:
            continue
        grams = sum(share * intensities[source] for source, share in shares.items()) / total
        code = _PROVINCES[name]
        yield Grid(
            zone=f"CAN-{code}",
            intensity=_nine(Decimal(grams)),
            year="2023",
            source=f"generation mix and intensity per source ({release()})",
            names=(name,),
            codes=(f"CA-{code}",),
            method=Method.MODELLED,
            detail="shares of generation times each source's life-cycle intensity",
        )


def _chinese() -> Iterator[Grid]:
    read = _read("2023/china_provincial_emissions.json")
    for code, province in read["data"].items():
        yield Grid(
            zone=f"CHN-{code.removeprefix('CN-')}",
            intensity=_nine(Decimal(str(province["emission_factor"]))),
            year=str(province["year"]),
            source=f"MEE and NBS of China, announcement 2025 No. 47 ({release()})",
            names=(province["description"], *province["names"]),
            codes=(code,),
            detail="yearly mean, with transfers between provinces, CO2 only",
            basis="average, consumption, direct",
        )


def _nordic() -> Iterator[Grid]:
    for code, area in _read("nordic_emissions.json")["data"].items():
        if code[:2] not in _NORDIC:
            continue  # a whole country: the mix of countries has it
        yield Grid(
            zone=f"{_NORDIC[code[:2]]}-{code}",
            intensity=_nine(Decimal(str(area["emission_factor"]))),
            year=str(area["year"]),
            source=f"ENTSO-E generation by type ({release()})",
            names=(),
            codes=(code, f"{code[:2]}-{code}"),
            method=Method.MODELLED,
            detail="yearly mean, generation, life-cycle; sources without a value count as zero",
        )


@cache
def _read(name: str) -> dict[str, Any]:
    path = data_folder() / name
    try:
        read: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FactorError(
            f"codecarbon's data file {name} cannot be read ({error})",
            "run `pip install --force-reinstall codecarbon`",
        ) from error
    return read


def _nine(value: Decimal) -> Decimal:
    return value.quantize(_NINE, rounding=ROUND_HALF_UP)
