"""The checks of ``meter doctor``: what was found, and what to do about it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from meter.cli.reads import LEDGER_NAME, keeping_nothing, keeps
from meter.errors import LedgerError, LedgerLockedError, MeterError
from meter.figures import plain
from meter.launch.client import NoAgentError, problem_text, request
from meter.launch.spawn import python_command

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from meter.config import Config, GpuTime

PROBE_MODULE = "meter.cli.probe"
_PROBE_TIMEOUT_S = 20.0
_AGENT_TIMEOUT_S = 3.0


class State(StrEnum):
    """How a check came out."""

    OK = "ok"
    MISSING = "missing"  # works without, but the figure lacks something
    PROBLEM = "problem"  # does not work


@dataclass(frozen=True, slots=True)
class Check:
    """One finding; ``remedy`` is empty where there is nothing to do."""

    area: str
    name: str
    state: State
    finding: str
    remedy: str = ""


MEASURING, PRICING, KEEPING = "Measuring", "Pricing", "Keeping and serving"


def all_checks(config: Config, *, python_home: bool) -> Iterator[Check]:
    """Every check that needs a configuration, in the order they are shown."""
    yield from measuring(config, python_home=python_home)
    yield from pricing(config)
    agent_check, agent_runs = agent(config)
    yield home(config.home)
    yield ledger(config, agent_runs=agent_runs)
    yield agent_check
    yield port(config, agent_runs=agent_runs)
    yield leases(config.lease_dir)


def measuring(config: Config, *, python_home: bool = False) -> Iterator[Check]:
    """Each source and device, tried in a process of its own."""
    wanted = {
        "simulate": config.simulate,
        "replay": str(config.replay) if config.replay else None,
        "host": config.host,
    }
    command = python_command(PROBE_MODULE, [json.dumps(wanted)], python_home=python_home)
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_PROBE_TIMEOUT_S, check=False
        )
        sources = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        yield Check(
            MEASURING,
            "devices",
            State.PROBLEM,
            f"a driver did not answer within {_PROBE_TIMEOUT_S:.0f} s",
            "see `nvidia-smi` and the kernel log; a hung driver needs a reset of the GPU",
        )
        return
    except ValueError:
        last = (done.stderr.strip().splitlines() or [f"exit {done.returncode}"])[-1]
        yield Check(MEASURING, "devices", State.PROBLEM, f"the probe failed ({last})", "report it")
        return
    yield from _of_sources(sources)


def _of_sources(sources: list[dict[str, Any]]) -> Iterator[Check]:
    for source in sources:
        if reason := source.get("reason"):
            name = source["name"].upper()
            yield Check(MEASURING, name, State.MISSING, reason, source["remedy"])
        elif source["name"] == "nvml":
            yield _driver(source)
        for device in source["devices"]:
            yield _device(device)


def _driver(source: dict[str, Any]) -> Check:
    if source["incomplete"]:
        return Check(
            MEASURING, "NVML", State.PROBLEM, source["incomplete"], "see `nvidia-smi` for that GPU"
        )
    count = len(source["devices"])
    driver = source["driver"] or "unknown"
    if not count:
        return Check(MEASURING, "NVML", State.MISSING, f"driver {driver} shows no GPU")
    return Check(MEASURING, "NVML", State.OK, f"driver {driver}, {count} GPU{'s' * (count > 1)}")


def _device(device: dict[str, Any]) -> Check:
    name = {"gpu": f"GPU {device['index']}", "cpu": "CPU", "ram": "RAM"}[device["component"]]
    power = "" if device["power_w"] is None else f", {device['power_w']:.0f} W now"
    label = "simulated" if device["simulated"] else device["method"]
    if device["component"] != "gpu":
        return Check(MEASURING, name, State.OK, f"{device['name']}: {label}{power}")
    if device["counter"]:
        still = "" if device["counter_moved"] else " (did not move while looked at)"
        finding = f"{device['name']}: {label}, energy counter{still}{power}"
        return Check(MEASURING, name, State.OK, finding)
    why = f" ({device['faults'][0]})" if device["faults"] else ""
    if device["power_w"] is None:
        finding = f"{device['name']}: neither counter nor power{why}"
        return Check(MEASURING, name, State.PROBLEM, finding, "see `nvidia-smi -q -d POWER`")
    finding = f"{device['name']}: no energy counter{why}; power is integrated, bounds are wider"
    return Check(MEASURING, name, State.MISSING, finding + power)


def pricing(config: Config) -> Iterator[Check]:
    """Zone, tariff, PUE, rate: what turns energy into carbon and money."""
    yield _zone(config)
    if config.electricity is None:
        yield Check(
            PRICING,
            "tariff",
            State.MISSING,
            "no electricity price, so no electricity cost",
            "set [electricity] currency and price_per_kwh in the configuration",
        )
    else:
        windows = len(config.electricity.windows)
        price = config.electricity.price_per_kwh
        base = "no base price" if price is None else f"{price.value} {config.electricity.currency}"
        plural = "s" * (windows > 1)
        zone = config.electricity.timezone
        more = f", {windows} window{plural} in {zone}" if windows else ""
        yield Check(PRICING, "tariff", State.OK, f"{base} per kWh{more}")
    yield from _of_site(config)
    if config.gpu_time:
        rate = f"{_hour_of(config.gpu_time)} {config.gpu_time.currency}"
        yield Check(PRICING, "GPU time", State.OK, f"{rate} per GPU and hour")
    if config.intensity:
        live = config.intensity
        finding = f"{live.provider}, zone {live.zone}, every {live.every_minutes} min"
        yield Check(PRICING, "intensity", State.OK, finding)


def _of_site(config: Config) -> Iterator[Check]:
    """PUE, WUE and grid losses."""
    for name, found, unit, lacking, remedy in (
        ("PUE", config.pue, "", "so only IT energy is shown",
         "set [site] pue where the site's overhead is known"),
        ("WUE", config.wue, " L/kWh", "so no water is shown",
         "set [site] wue where the water of a kWh of IT energy is known"),
        ("T&D loss", config.tnd_loss, "", "so no carbon of grid losses is shown",
         "set [site] tnd_loss, or the name of a preset such as eu"),
    ):  # fmt: skip
        if found is None:
            yield Check(PRICING, name, State.MISSING, f"not set, {lacking}", remedy)
            continue
        assumed = f", {found.origin.detail}" if found.origin else ""
        yield Check(PRICING, name, State.OK, f"{found.value}{unit}{assumed}")


def _hour_of(gpu: GpuTime) -> str:
    """The rate of a rented GPU, or what an owned one comes to."""
    if gpu.rate_per_hour is not None:
        return f"{gpu.rate_per_hour.value}"
    if gpu.owned is None:
        return "unknown"
    from meter.factors.own import hourly_cost_of  # noqa: PLC0415 - reads the books

    return plain(hourly_cost_of(gpu.owned).value)


def _zone(config: Config) -> Check:
    if config.zone is None:
        return Check(
            PRICING,
            "zone",
            State.MISSING,
            "not set, so carbon is the world's range, labelled assumed",
            "set METER_ZONE or [site] zone, for example FRA",
        )
    from meter.factors.configured import factors_of, site_of  # noqa: PLC0415 - reads the books
    from meter.model import FactorKind  # noqa: PLC0415

    try:
        site = site_of(config)
        factors = factors_of(config, site, 0)
    except MeterError as error:
        return Check(PRICING, "zone", State.PROBLEM, error.message, error.remedy)
    for factor in factors:
        if factor.kind is FactorKind.GRID_INTENSITY and factor.scope == site.zone:
            dated = f", {factor.source_date}" if factor.source_date else ""
            value = f"{plain(factor.value)} {factor.unit} ({factor.source}{dated})"
            return Check(PRICING, "zone", State.OK, f"{site.zone}: {value}")
    return Check(
        PRICING,
        "zone",
        State.PROBLEM,
        f"{config.zone} is in no factor book, so carbon is the world's range",
        "use an ISO 3166 alpha-3 code such as FRA",
    )


def home(folder: Path) -> Check:
    """Whether ledger and logs can be written."""
    existing = folder
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    if existing.is_dir() and os.access(existing, os.W_OK | os.X_OK):
        made = "" if folder.exists() else " (made when needed)"
        return Check(KEEPING, "home", State.OK, f"{folder}{made}")
    remedy = "set METER_HOME to a folder that you may write to"
    return Check(KEEPING, "home", State.PROBLEM, f"{folder} cannot be written", remedy)


def ledger(config: Config, *, agent_runs: bool) -> Check:
    """Whether the ledger opens; a running agent holds it, as it should."""
    path = config.home / LEDGER_NAME
    if not path.exists():
        return Check(KEEPING, "ledger", State.OK, f"{path} (made when needed)")
    if agent_runs:
        return Check(KEEPING, "ledger", State.OK, f"{path}, held by the agent")
    size = f"{path.stat().st_size / 1e6:.1f} MB"
    from meter.ledger import open_reader  # noqa: PLC0415 - DuckDB is imported when needed

    try:
        open_reader(path).close()
    except LedgerLockedError as error:
        holder = f"process {error.pid}" if error.pid else "another process"
        remedy = "name that agent's socket with METER_SOCKET"
        return Check(KEEPING, "ledger", State.PROBLEM, f"{path} is held by {holder}", remedy)
    except LedgerError as error:
        return Check(KEEPING, "ledger", State.PROBLEM, error.message, error.remedy)
    return Check(KEEPING, "ledger", State.OK, f"{path}, {size}")


def agent(config: Config) -> tuple[Check, bool]:
    """Whether an agent answers; none is fine, because each run can start its own."""
    try:
        status, answer = request(str(config.socket), "GET", "/healthz", timeout_s=_AGENT_TIMEOUT_S)
    except NoAgentError:
        finding = f"none at {config.socket}; each run starts its own"
        return Check(KEEPING, "agent", State.OK, finding), False
    except MeterError as error:
        return Check(KEEPING, "agent", State.PROBLEM, error.message, error.remedy), True
    if status == 200 and not _keeps(config):
        remedy = "see its log; end it, free or repair the ledger, and start it again"
        return Check(KEEPING, "agent", State.PROBLEM, keeping_nothing(config.socket), remedy), True
    if status == 200:
        finding = f"{config.socket}, samples are fresh"
        return Check(KEEPING, "agent", State.OK, finding), True
    finding = f"{config.socket}: {problem_text(status, answer)}"
    return Check(KEEPING, "agent", State.PROBLEM, finding, "see agent.log in METER_HOME"), True


def _keeps(config: Config) -> bool:
    try:
        status, answer = request(
            str(config.socket), "GET", "/v1/status", timeout_s=_AGENT_TIMEOUT_S
        )
    except MeterError:
        return True  # what it said of its health is what counts
    return status != 200 or keeps(answer)


def port(config: Config, *, agent_runs: bool) -> Check:
    """Whether ``meter agent`` could listen."""
    host, _, number = config.listen.rpartition(":")
    if agent_runs and _serves(host.strip("[]"), int(number)):
        return Check(KEEPING, "port", State.OK, f"{config.listen}, in use")
    try:
        family, kind, _, _, address = socket.getaddrinfo(
            host.strip("[]"), int(number), type=socket.SOCK_STREAM
        )[0]
        with socket.socket(family, kind) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)
    except OSError as error:
        finding = f"{config.listen} cannot be used ({error.strerror})"
        remedy = "name another with --listen or METER_LISTEN"
        return Check(KEEPING, "port", State.PROBLEM, finding, remedy)
    return Check(KEEPING, "port", State.OK, f"{config.listen} is free")


def _serves(host: str, number: int) -> bool:
    try:
        with socket.create_connection((host, number), timeout=1.0):
            return True
    except OSError:
        return False


def leases(folder: Path) -> Check:
    """Whether GPUs can be leased, so that two agents never bill one."""
    place = folder if folder.exists() else folder.parent
    while not place.exists() and place != place.parent:
        place = place.parent
    if os.access(place, os.W_OK | os.X_OK):
        return Check(KEEPING, "leases", State.OK, f"{folder}")
    remedy = "set METER_LEASE_DIR to a folder that all agents of the node can write"
    return Check(KEEPING, "leases", State.PROBLEM, f"{folder} cannot be written", remedy)


def configuration(path: Path, notices: list[str]) -> Check:
    """Whether the file can be read, and is understood."""
    area, name = "Configuration", "file"
    if notices:
        return Check(
            area, name, State.PROBLEM, "; ".join(notices), "correct or remove what is named"
        )
    if not path.exists():
        return Check(area, name, State.OK, f"none at {path}: environment and defaults hold")
    return Check(area, name, State.OK, f"{path}")
