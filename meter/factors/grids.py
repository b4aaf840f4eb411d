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
_MIX = "global_energy_mix.json"
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
    year: str
    detail: str


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
    """The mean of the countries, each by what it generates, and the lowest and highest of them."""
    countries = list(_mixes())
    total = sum((mix.generated_twh for mix in countries), Decimal(0))
    grams = sum((mix.generated_twh * mix.intensity for mix in countries), Decimal(0))
    years = sorted({mix.year for mix in countries})
    return World(
        intensity=_nine(grams / total),
        low=min(mix.intensity for mix in countries),
        high=max(mix.intensity for mix in countries),
        source=f"mean by generation of {_MIX} ({release()})",
        year=years[-1],
        detail=(
            f"{len(countries)} countries, each by its total TWh of its newest year, "
            f"{years[0]} to {years[-1]}; low and high are the cleanest and the dirtiest of them"
        ),
    )


@dataclass(frozen=True, slots=True)
class _Mix:
    zone: str
    name: str
    intensity: Decimal
    generated_twh: Decimal
    year: str


def _mixes() -> Iterator[_Mix]:
    for zone, mix in _read(_MIX).items():
        intensity = Decimal(str(mix["carbon_intensity"]))
        if intensity <= 0:
            continue  # life-cycle values are never zero: a gap in the data, not a clean grid
        yield _Mix(
            zone=zone,
            name=mix["country_name"],
            intensity=_nine(intensity),
            generated_twh=Decimal(str(mix["total_TWh"])),
            year=str(mix["year"]),
        )


def _countries() -> Iterator[Grid]:
    codes = json.loads(
        (Path(__file__).parent / "data" / "countries.json").read_text(encoding="utf-8")
    )["codes"]
    for mix in _mixes():
        yield Grid(
            zone=mix.zone,
            intensity=mix.intensity,
            year=mix.year,
            source=f"{_OWID} ({release()})",
            names=(mix.name,),
            codes=(*codes.get(mix.zone, "").split(), *_MORE_CODES.get(mix.zone, ())),
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
