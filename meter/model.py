"""The values that the parts hand to each other; pure, frozen, units in the names."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meter.hosted_facts import Charge, Estimate, HostedJob, Usage, UsageEntry


class Component(StrEnum):
    """A part of a node whose energy is counted apart."""

    GPU = "gpu"
    CPU = "cpu"
    RAM = "ram"
    HOSTED = "hosted"


class Method(StrEnum):
    """How a figure came about, strongest first."""

    MEASURED = "measured"
    SOURCED = "sourced"
    MODELLED = "modelled"
    ASSUMED = "assumed"

    @classmethod
    def weakest(cls, methods: Iterable[Method]) -> Method:
        """Method of a sum or product: its weakest part's; MEASURED of nothing."""
        return max(methods, key=_WEAKNESS.__getitem__, default=cls.MEASURED)


_WEAKNESS = {method: rank for rank, method in enumerate(Method)}


class Basis(StrEnum):
    """What a stretch of the energy curve stands on."""

    COUNTER = "counter"  # between two ticks of the energy counter
    POWER_MEAN = "power_mean"  # 1 s mean power stood in
    POWER_INSTANT = "power_instant"  # instant power stood in, or no counter at all
    COUNTER_GAP = "counter_gap"  # nobody looked; the counter's difference bridges it
    MODEL = "model"  # load model
    UNKNOWN = "unknown"  # nothing is known: zero energy, not covered


class Kind(StrEnum):
    """Whom an interval's energy belongs to."""

    RUN = "run"
    IDLE = "idle"  # nobody held the device
    UNATTRIBUTED = "unattributed"  # somebody did, but this part cannot be given to a run


class RunStatus(StrEnum):
    """Where a run stands."""

    RUNNING = "running"
    COMPLETED = "completed"  # exit code 0
    FAILED = "failed"  # other exit code, or a signal
    ABANDONED = "abandoned"  # its launcher vanished


@dataclass(frozen=True, slots=True)
class MigInstance:
    """A MIG compute instance of a board; ``slices`` of the board's ``of_slices``."""

    uuid: str
    gpu_instance: int
    compute_instance: int
    slices: int
    of_slices: int


@dataclass(frozen=True, slots=True)
class Device:
    """Something whose energy is metered; ``id`` is the UUID for a GPU."""

    id: str
    component: Component
    name: str
    method: Method  # what its readings are at best
    index: int | None = None  # NVML index, for people only
    pci_bus_id: str | None = None
    power_limit_mw: int | None = None
    instances: tuple[MigInstance, ...] = ()
    simulated: bool = False
    power_floor_mw: int | None = None  # of a load model: what it tells without load


@dataclass(frozen=True, slots=True)
class Reading:
    """One look at a device that told something.

    ``at_ns`` is CLOCK_BOOTTIME of the first look that showed these values; ``since_ns`` that of
    the last look that still showed an older primary value (the counter; power without one), None
    if the primary value is unchanged or this is the first look. Where one look is made after each
    update of a power sensor, it may be later than that: when the update can have come at the
    earliest.
    ``energy_mj`` is the device's own cumulative counter, ``mean_mw`` the 1 s mean power,
    ``instant_mw`` power now (or of unknown kind); None is "not given", never zero.
    """

    device_id: str
    at_ns: int
    since_ns: int | None = None
    energy_mj: int | None = None
    mean_mw: int | None = None
    instant_mw: int | None = None


@dataclass(frozen=True, slots=True)
class DeviceStatus:
    """Gauges of a device, once a second; None is "not given"."""

    device_id: str
    at_ns: int
    utilization_ratio: float | None = None
    memory_used_bytes: int | None = None
    temperature_celsius: float | None = None
    sm_clock_mhz: int | None = None


@dataclass(frozen=True, slots=True)
class DeviceFault:
    """A look at a field that failed; ``device_id`` None is the whole source."""

    device_id: str | None
    at_ns: int
    field: str
    reason: str
    code: int | None = None
    lost: bool = False  # the device itself is gone, not one field


@dataclass(frozen=True, slots=True)
class ProcessUse:
    """A process with a context on a GPU, as NVML lists it (host PID).

    ``sm_ratio`` is its mean use of the GPU since the look before; None is "not given". ``ended``:
    it used the GPU since then, and is listed no more.
    """

    device_id: str
    pid: int
    memory_bytes: int | None = None
    sm_ratio: float | None = None
    ended: bool = False


@dataclass(frozen=True, slots=True)
class ProcessLook:
    """A look at all processes of a device; ``since_ns`` is the look before, None: the first."""

    device_id: str
    at_ns: int
    since_ns: int | None = None


@dataclass(frozen=True, slots=True)
class TickLock:
    """State of the sampler's lock to a device's counter, or to the updates of its power."""

    device_id: str
    locked: bool
    tick_ns: int | None = None
    looks: int = 0


@dataclass(frozen=True, slots=True)
class SamplerBatch:
    """What the sampler sends at least every 0.5 s; it is the heartbeat too."""

    at_ns: int
    readings: tuple[Reading, ...] = ()
    statuses: tuple[DeviceStatus, ...] = ()
    faults: tuple[DeviceFault, ...] = ()
    locks: tuple[TickLock, ...] = ()
    processes: tuple[ProcessUse, ...] | None = None  # None: not looked at this time
    dropped: int = 0
    looks: tuple[ProcessLook, ...] = ()  # at processes; a device without any tells nothing else


@dataclass(frozen=True, slots=True)
class Segment:
    """A settled stretch of one device's energy curve, linear inside; never revised.

    Energies are of the whole stretch, integer mJ. ``below_mj``/``above_mj`` bound by how much
    the cumulative energy at the *start* of the stretch may be lower/higher because a counter
    tells only at its ticks (the edge term of a cut here); ``end_below_mj``/``end_above_mj`` the
    same at its end; linear between. A correction is of time that was already settled and may be
    negative; its bounds are added to those of what it corrects and may take back some of their
    width. It counts as coverage only with the basis COUNTER_GAP: what was unknown is known then.
    """

    device_id: str
    start_ns: int
    end_ns: int
    energy_mj: int
    low_mj: int
    high_mj: int
    basis: Basis
    method: Method
    covered: bool = True
    correction: bool = False
    below_mj: int = 0
    above_mj: int = 0
    end_below_mj: int = 0
    end_above_mj: int = 0


@dataclass(frozen=True, slots=True)
class Hold:
    """A run's hold on a device from ``start_ns`` (CLOCK_BOOTTIME) until ``end_ns`` (None: still).

    ``share`` is the part of the device that it may claim (a MIG instance: its slices); shares of
    concurrent holds that add up to more than 1 are scaled down together.
    """

    run_id: str
    device_id: str
    start_ns: int
    end_ns: int | None = None
    share: Fraction = Fraction(1)


@dataclass(frozen=True, slots=True)
class Interval:
    """Energy of one device over [start_us, end_us) UTC, inside one minute, of one owner."""

    device_id: str
    kind: Kind
    run_id: str | None
    start_us: int
    end_us: int
    energy_mj: int
    low_mj: int
    high_mj: int
    covered_us: int
    measured_mj: int
    method: Method
    correction: bool = False
    held_us: int | None = None  # device time of the owner, shares applied; None: the whole span


class Severity(StrEnum):
    """Weight of a notice."""

    INFO = "info"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Gap:
    """``length_ns`` between two instants (CLOCK_BOOTTIME) of which nothing is known."""

    start_ns: int
    end_ns: int
    length_ns: int


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the reader of a figure has to know; ``code`` is stable, ``text`` one sentence."""

    code: str
    text: str
    severity: Severity = Severity.INFO
    run_id: str | None = None
    device_id: str | None = None
    at_us: int | None = None
    gap: Gap | None = None  # what it tells of, so that each run is told its own part


@dataclass(frozen=True, slots=True)
class Run:
    """One fine-tune as registered; times are UTC µs, the monotone start is CLOCK_BOOTTIME ns."""

    id: str
    name: str
    project: str
    started_us: int
    started_ns: int
    node_id: str
    site_id: str
    tags: tuple[tuple[str, str], ...] = ()
    origin: str = "generated"  # where the id came from
    command: str | None = None  # base name of the program only
    simulated: bool = False


@dataclass(frozen=True, slots=True)
class RunLink:
    """An id that somebody else gave a run: ``source`` is one of :data:`meter.links.SOURCES`."""

    run_id: str
    source: str
    foreign_id: str


@dataclass(frozen=True, slots=True)
class RunState:
    """A change of a run's status."""

    run_id: str
    status: RunStatus
    at_us: int
    exit_code: int | None = None


@dataclass(frozen=True, slots=True)
class Mark:
    """An instant inside a run, with the run's cumulative energy then.

    ``low_mj`` and ``high_mj`` bound that energy, but for where between two ticks the instant lies:
    by that it may be ``below_mj`` less and ``above_mj`` more. An empty phase ends the one before.
    ``number`` counts what ``source`` told; the same of both is the same mark.
    """

    run_id: str
    at_us: int
    energy_mj: int
    step: int | None = None
    epoch: Decimal | None = None
    phase: str | None = None
    tokens: int | None = None
    fraction: Decimal | None = None  # of the run that is done, 0 to 1
    low_mj: int | None = None
    high_mj: int | None = None
    below_mj: int | None = None
    above_mj: int | None = None
    source: str | None = None
    number: int | None = None


@dataclass(frozen=True, slots=True)
class Site:
    """Where energy is used: what its tariff, PUE and grid zone are looked up by.

    What the books know of the site that it is ``within`` holds here too, after what is stated of
    this one alone; of one that is ``elsewhere``, only the kinds in ANYWHERE do.
    """

    id: str
    name: str
    zone: str | None
    within: str | None = None
    elsewhere: bool | None = None


class FactorKind(StrEnum):
    """What a factor tells."""

    GRID_INTENSITY = "grid_intensity"  # g/kWh, average: what location-based carbon stands on
    MARGINAL_INTENSITY = "marginal_intensity"  # g/kWh; for when to run, never in a total
    MARKET_INTENSITY = "market_intensity"  # g/kWh of a contractual instrument, for its share
    MARKET_EXCLUDED = "market_excluded"  # g/kWh of one that fails a quality criterion: told only
    ELECTRICITY_PRICE = "electricity_price"  # currency/kWh
    PUE = "pue"  # facility energy / IT energy
    WUE = "wue"  # L/kWh of IT energy
    TND_UPLIFT = "tnd_uplift"  # energy lost in the grid / energy delivered: loss / (1 - loss)
    GPU_HOUR_RATE = "gpu_hour_rate"  # currency/h
    EMBODIED_BOARD = "embodied_board"  # g/h of a GPU held, of the board alone
    EMBODIED_SERVER = "embodied_server"  # g/h of a GPU held, of its share of the server's rest
    FX_RATE = "fx_rate"  # currency / item
    GPU_POWER = "gpu_power"  # W, of the board at its limit
    GPU_COMPUTE = "gpu_compute"  # TFLOPS, dense 16-bit peak
    NODE_POWER = "node_power"  # W, of a server with its GPUs
    HOUSEHOLD_ENERGY = "household_energy"  # kWh/day
    SERVER_RATIO = "server_ratio"  # power of a server / that of its GPUs
    GPU_LOAD = "gpu_load"  # mean power of a GPU in training / its limit
    MFU = "mfu"  # arithmetic that a model needs / the peak of the GPUs' in that time
    TRAINING_FLOP = "training_flop"  # FLOP for each token and parameter
    MODEL_PARAMETERS = "model_parameters"  # billions that a token passes through
    MODEL_SIZE = "model_size"  # billions in a served model; of item "NAME active" as above
    TOKEN_ENERGY = "token_energy"  # noqa: S105  J of a token put out, the facility not in it
    REQUEST_ENERGY = "request_energy"  # J of waiting for an answer's first token, likewise


ANYWHERE = frozenset({
    FactorKind.ELECTRICITY_PRICE, FactorKind.PUE, FactorKind.GPU_HOUR_RATE,
})  # fmt: skip
"""Kinds of a site that also hold for a run elsewhere, unless something is stated of it alone."""
HOURLY_KINDS = frozenset({
    FactorKind.GRID_INTENSITY, FactorKind.MARKET_INTENSITY, FactorKind.MARKET_EXCLUDED,
    FactorKind.ELECTRICITY_PRICE,
    FactorKind.PUE, FactorKind.WUE, FactorKind.TND_UPLIFT, FactorKind.GPU_HOUR_RATE,
    FactorKind.EMBODIED_BOARD, FactorKind.EMBODIED_SERVER, FactorKind.FX_RATE,
})  # fmt: skip
"""Kinds that lines are multiplied by, so that the ledger expands them to the hours metered."""

WHOLE_BOOKS = frozenset({"configuration", "bundled"})
"""Books that state a place whole: what they leave out they take back."""


@dataclass(frozen=True, slots=True)
class Factor:
    """A dated fact; a correction is a new row, a withdrawal one without a value.

    ``scope`` is a zone (``FRA``), a site id, or ``world``; ``item`` what it is about there: a part
    of a device's name, or the currency that an exchange rate converts. ``book`` is who states it:
    a withdrawal takes back only rows of its own book. ``windows`` names the local times a tariff
    row holds in (None: always); ``rank`` orders kinds of evidence, highest first. ``share`` is the
    part of the consumption that a contractual instrument covers. ``basis`` are words of
    :data:`meter.factors.units.BASIS`. Validity and windows begin and end on quarter hours.
    ``recorded_us`` is when the ledger learned it; of a row with 0 there the ledger makes that, and
    the id, when it writes it.
    """

    id: str
    kind: FactorKind
    scope: str
    value: Decimal | None
    low: Decimal | None
    high: Decimal | None
    unit: str
    source: str
    method: Method
    recorded_us: int
    rank: int
    currency: str | None = None
    valid_from_us: int | None = None
    valid_to_us: int | None = None
    source_date: str | None = None
    licence: str | None = None
    windows: str | None = None  # JSON, see meter.windows
    detail: str | None = None
    book: str = "configuration"
    item: str | None = None
    share: Decimal | None = None
    basis: str | None = None


@dataclass(frozen=True, slots=True)
class Price:
    """A dated price of ``per`` units of a hosted meter; without a value it is withdrawn.

    ``meter`` is a meter's name as in usage events (``train_token``), ``per`` the quantity that
    the price is of (1,000,000 tokens, 1 hour). ``model`` is the provider's own name, ``ft:`` and
    the base for what is tuned from it, or ``*`` for any. What narrows it is any where it is None:
    ``training`` and ``adapter`` are words of :mod:`meter.hosted_facts`, parameters are billions of
    the base model, context is all input of the request; brackets are above ``over`` and up to
    ``to``.
    ``recorded_us`` is as in factors: 0 leaves it, and the id, to the ledger.
    """

    id: str
    provider: str
    model: str
    meter: str
    per: int
    currency: str
    value: Decimal | None
    low: Decimal | None
    high: Decimal | None
    source: str
    recorded_us: int
    rank: int
    region: str | None = None
    service_tier: str | None = None
    valid_from_us: int | None = None
    valid_to_us: int | None = None
    source_date: str | None = None
    licence: str | None = None
    book: str = "import"
    detail: str | None = None
    training: str | None = None
    adapter: str | None = None
    parameters_over_b: Decimal | None = None
    parameters_to_b: Decimal | None = None
    context_over: int | None = None
    context_to: int | None = None


@dataclass(frozen=True, slots=True)
class Budget:
    """What a run may use: an amount of ``kWh``, ``kgCO2e`` or a currency."""

    run_id: str
    amount: Decimal
    unit: str
    stop: bool = False  # whether the job is asked to end when it is used up


@dataclass(frozen=True, slots=True)
class StatementDraft:
    """A result to be sealed; the ledger numbers it and writes the hashes.

    ``document``, ``facts`` (the factors and prices that it stands on, whole) and ``texts`` (of the
    queries, by name) are canonical JSON. ``replaces`` is the newest statement of the subject.
    """

    id: str
    subject: str
    as_of_us: int
    document: str
    facts: str
    texts: str
    method_version: str
    made_by: str
    replaces: int | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class RawReading:
    """A device's row of the 1 Hz table: what the curve was, and what the sensors said."""

    device_id: str
    at_us: int
    at_ns: int  # CLOCK_BOOTTIME
    curve_mj: int  # our cumulative curve, settled, since the device was first seen
    settled_ns: int  # instant that curve_mj holds for
    counter_mj: int | None = None
    power_mw: int | None = None
    utilization_ratio: float | None = None
    memory_used_bytes: int | None = None
    temperature_celsius: float | None = None


@dataclass(frozen=True, slots=True)
class Counter:
    """A live counter's booked total: its series and its value, as exposed to Prometheus."""

    name: str
    labels: tuple[tuple[str, str], ...]
    value: Decimal


@dataclass(frozen=True, slots=True)
class Node:
    """A machine; ``boot_id`` changes with each boot."""

    id: str
    boot_id: str
    hostname: str
    driver_version: str | None = None


@dataclass(frozen=True, slots=True)
class DeviceUse:
    """A look at who used a device that several runs hold; see ``meter.metering.activity.Use``."""

    device_id: str
    at_us: int
    from_ns: int
    at_ns: int
    runs: tuple[tuple[str, int], ...]
    others: int | None
    idle_mw: int
    idle_seen: bool


@dataclass(frozen=True, slots=True)
class RunJob:
    """A hosted job and the run that it is."""

    run_id: str
    job: HostedJob


@dataclass(frozen=True, slots=True)
class RunEstimate:
    """An estimate of a hosted run's energy; ``booked`` is the one that its energy stands on."""

    run_id: str
    estimate: Estimate
    booked: bool


@dataclass(frozen=True, slots=True)
class LedgerBatch:
    """What one commit writes: all or nothing, unless it is ``divisible``."""

    nodes: tuple[Node, ...] = ()
    sites: tuple[Site, ...] = ()
    devices: tuple[Device, ...] = ()
    runs: tuple[Run, ...] = ()
    holds: tuple[Hold, ...] = ()
    states: tuple[RunState, ...] = ()
    marks: tuple[Mark, ...] = ()
    readings: tuple[RawReading, ...] = ()
    intervals: tuple[Interval, ...] = ()
    site_id: str | None = None  # of the intervals
    factors: tuple[Factor, ...] = ()
    notices: tuple[Notice, ...] = ()
    counters: tuple[Counter, ...] = field(default=())
    prices: tuple[Price, ...] = ()
    budgets: tuple[Budget, ...] = ()
    statements: tuple[StatementDraft, ...] = ()
    links: tuple[RunLink, ...] = ()
    uses: tuple[DeviceUse, ...] = ()
    usages: tuple[Usage, ...] = ()
    entries: tuple[UsageEntry, ...] = ()  # usage that was made ready before
    charges: tuple[Charge, ...] = ()
    jobs: tuple[RunJob, ...] = ()
    hosted_energy: tuple[RunEstimate, ...] = ()
    divisible: bool = False  # a row that cannot be written costs only itself


class Outcome(StrEnum):
    """What became of something told that may have been told before."""

    STORED = "stored"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"  # its id stands for other content
    CORRECTED = "corrected"  # a charge told again with other content: the newest holds
