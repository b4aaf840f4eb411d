"""Live counters: what each flush adds, at the rates in force now; restored, never lowered.

The totals here are ahead of the ledger by what is being written; the page shows them only once
they are durable, so that no counter goes back after a crash.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Protocol

from meter.agent.exemplars import Exemplars
from meter.model import Component, Counter, Kind, Method
from meter.reserved import IDLE, NO_PHASE, OTHER, OWN, UNATTRIBUTED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from meter.factors.live import Booked
    from meter.metering.part import Part
    from meter.model import Device

PHASES = "meter_run_phase_energy_joules_total"
TOKENS, RUN_TOKENS = "meter_tokens_total", "meter_run_tokens_total"
COST, RUN_COST = "meter_cost_total", "meter_run_cost_total"
ENERGY, EMISSIONS = "meter_energy_joules_total", "meter_emissions_grams_total"
GPU_ENERGY = "meter_gpu_energy_joules_total"
GAP = "meter_energy_gap_seconds_total"
TRAIN = "train"
"""Type of the tokens that a training has gone over."""

MAX_PROJECTS = 200
MAX_PHASES = 16
"""Of one run, with a name of their own."""
MAX_RUNS = 2_000
"""With counters, of which the page shows some; 100,000 runs a day are a thousand at once."""
MAX_REFUSED = 100_000
"""So many that get no series are told apart; whoever comes after them is not counted."""
_NO_PROJECT = {Kind.IDLE: IDLE, Kind.UNATTRIBUTED: UNATTRIBUTED}

_NOTHING = Decimal(0)
_NANO = -9

Key = tuple[str, tuple[tuple[str, str], ...]]


class Pricing(Protocol):
    """The rates in force now."""

    def of_energy(self, energy_mj: int) -> Sequence[Booked]:
        """What energy costs and emits."""

    def of_gpu_time(self, held_us: int) -> Sequence[Booked]:
        """What holding a GPU costs."""


@dataclass(frozen=True, slots=True)
class Account:
    """The run that parts of a flush belong to."""

    run_id: str
    project: str


@dataclass(slots=True)
class _Sum:
    energy_mj: int = 0
    held_us: int = 0

    def take(self, other: _Sum) -> None:
        """Add another."""
        self.energy_mj += other.energy_mj
        self.held_us += other.held_us


_Share = tuple[str, bool, Component, Method]
"""Of a project: whether runs used it, or nobody that is known."""


class Books:
    """Totals of every live counter."""

    def __init__(
        self, restored: Iterable[Counter] = (), now_us: Callable[[], int] | None = None
    ) -> None:
        self.exemplars = Exemplars(now_us)
        self._totals: dict[Key, Decimal] = {(c.name, c.labels): c.value for c in restored}
        self._owed: dict[Key, Decimal] = {}
        self._changed: set[Key] = set()
        self._gone: set[str] = set()
        self._projects = {
            value for _, labels in self._totals for name, value in labels if name == "project"
        }
        self._runs: dict[str, set[Key]] = {}
        self._by_project: dict[str, set[Key]] = {}
        self._refused: set[int] = set()
        self._lately: dict[int, int] = {}  # the same things, by the span they were last there in
        self._span = 0
        for key in self._totals:
            self._index(key)

    @property
    def dropped(self) -> int:
        """Projects and runs that have no series of their own."""
        return len(self._refused)

    @property
    def left_out(self) -> int:
        """Those of them that were there in this span or the one before."""
        return len(self._lately)

    def turn(self) -> None:
        """Begin another span of what is left out lately."""
        self._lately = {what: at for what, at in self._lately.items() if at == self._span}
        self._span += 1

    def open(self, account: Account, devices: Iterable[Device], pricing: Pricing) -> None:
        """Show every series of a run at zero, so that rates see its first increase."""
        for device in devices:
            share = (self.named(account.project), True, device.component, device.method)
            self._of_project(share, _Sum(), pricing)
            self._of_run(account, device.component, device.method, _Sum(), pricing)

    def opened(self, account: Account) -> list[Key]:
        """The series of a run and of its project."""
        of_run, project = self._runs.get(account.run_id, ()), self.named(account.project)
        return [*of_run, *self._by_project.get(project, ())]

    def forget(self, run_id: str) -> None:
        """Take a run's series off the page; the projects' keep what it added."""
        self._gone.add(run_id)
        for key in self._runs.pop(run_id, set()):
            self._totals.pop(key, None)
            self._owed.pop(key, None)
            self._changed.discard(key)

    def of_run(self, run_id: str) -> dict[Key, Decimal]:
        """The counters of a run."""
        return {key: self._totals[key] for key in self._runs.get(run_id, ())}

    def total(self, key: Key) -> Decimal | None:
        """What a counter stands at, None if there is none."""
        return self._totals.get(key)

    def refuse(self, what: str) -> None:
        """Note something that gets no series of its own."""
        number = hash(what)
        if len(self._refused) < MAX_REFUSED:
            self._refused.add(number)
        if number in self._lately or len(self._lately) < MAX_REFUSED:
            self._lately[number] = self._span

    def of_project(self, name: str) -> dict[Key, Decimal]:
        """The counters of a project."""
        return {key: self._totals[key] for key in self._by_project.get(name, ())}

    def book(
        self,
        parts: Iterable[Part],
        devices: Mapping[str, Device],
        accounts: Mapping[str, Account],
        pricing: Pricing,
    ) -> None:
        """Add a flush's parts; corrections are the reports' business."""
        by_device: defaultdict[str, int] = defaultdict(int)
        by_owner: defaultdict[tuple[Kind, str | None, Component, Method], _Sum] = defaultdict(_Sum)
        kept = [p for p in parts if not p.correction and p.device_id in devices]
        for part in kept:
            component = devices[part.device_id].component
            by_device[part.device_id] += part.energy_mj
            owner = by_owner[part.kind, part.run_id, component, part.method]
            owner.energy_mj += part.energy_mj
            if component is Component.GPU and part.run_id is not None:
                owner.held_us += part.held_us
        for device_id, energy_mj in by_device.items():
            self._device(devices[device_id], energy_mj)
        by_project: defaultdict[_Share, _Sum] = defaultdict(_Sum)
        spent: defaultdict[tuple[Key, str], Decimal] = defaultdict(Decimal)
        for (kind, run_id, component, method), amount in by_owner.items():
            account = accounts.get(run_id or "", Account("", _NO_PROJECT.get(kind, OTHER)))
            project = self.named(account.project)
            by_project[project, bool(account.run_id), component, method].take(amount)
            for each in self._of_run(account, component, method, amount, pricing):
                if not each.carbon:
                    spent[_amount_of_project(project, each), account.run_id] += each.value
        for (key, run), money in spent.items():
            self.exemplars.note(key, run, money)
        for share, amount in by_project.items():  # rates are exact: of a sum as of its parts
            self._of_project(share, amount, pricing)

    def tokens(self, account: Account, total: int) -> None:
        """Note how many tokens a run says it has seen; less than before is no news."""
        if not self.exposes(account):
            return
        key = key_of(RUN_TOKENS, run=account.run_id, token_type=TRAIN)
        before = self._totals.get(key, Decimal(0))
        self._raise_to(key, Decimal(total))
        of_project = key_of(
            TOKENS, project=self.named(account.project), provider=OWN, model="", token_type=TRAIN
        )
        more = max(total - before, Decimal(0))
        self.add(of_project, more)
        self.exemplars.note(of_project, account.run_id, more)

    def steps(self, account: Account, done: int) -> None:
        """Note how many steps a run says it has done; less than before is no news."""
        if self.exposes(account):
            self._raise_to(key_of("meter_run_steps_total", run=account.run_id), Decimal(done))

    def phase(self, account: Account, phase: str, energy_mj: Decimal) -> None:
        """Add energy to a phase of a run; beyond so many phases, to the others."""
        if not self.exposes(account):
            return
        known = {labels for name, labels in self._runs.get(account.run_id, ()) if name == PHASES}
        _, labels = key = key_of(PHASES, run=account.run_id, phase=phase or NO_PHASE)
        if labels not in known and len(known) >= MAX_PHASES:
            key = key_of(PHASES, run=account.run_id, phase=OTHER)
        self.add(key, energy_mj.scaleb(-3))

    def gap(self, device_id: str, gap_ns: int) -> None:
        """Add time of which nothing is known of a device's power; 0 shows the counter."""
        self.add(key_of(GAP, uuid=device_id), Decimal(gap_ns).scaleb(_NANO))

    def phased_mj(self, run_id: str) -> Decimal:
        """Energy of a run that is booked to its phases."""
        found = (self._totals[key] for key in self._runs.get(run_id, ()) if key[0] == PHASES)
        return sum(found, Decimal(0)).scaleb(3)

    @property
    def has_gpus(self) -> bool:
        """Whether a GPU was ever counted."""
        return any(name == GPU_ENERGY for name, _ in self._totals)

    def changed(self) -> tuple[Counter, ...]:
        """The counters that changed since they were last asked for."""
        keys, self._changed = self._changed, set()
        return tuple(Counter(*key, self._totals[key]) for key in sorted(keys))

    def gone(self) -> set[str]:
        """The runs whose counters were forgotten since they were last asked for."""
        gone, self._gone = self._gone, set()
        return gone

    def all(self) -> tuple[Counter, ...]:
        """Every counter as it stands, in order."""
        return tuple(Counter(*key, value) for key, value in sorted(self._totals.items()))

    def totals(self) -> dict[Key, Decimal]:
        """The same, cheaper to take."""
        return dict(self._totals)

    def _device(self, device: Device, energy_mj: int) -> None:
        """Of the whole device, whose method no split among runs weakens."""
        joules = _joules(energy_mj)
        if device.component is Component.GPU:
            index = "" if device.index is None else str(device.index)
            self.add(key_of(GPU_ENERGY, gpu=index, uuid=device.id), joules)
            return
        labels = {"component": device.component.value, "method": device.method.value}
        self.add(key_of("meter_host_energy_joules_total", **labels), joules)

    def _of_project(self, share: _Share, amount: _Sum, pricing: Pricing) -> None:
        project, by_runs, component, method = share
        labels = {"component": component.value, "method": method.value}
        key = key_of(ENERGY, project=project, **labels)
        self.add(key, _joules(amount.energy_mj))
        for each in _amounts(component, amount, pricing, by_runs=by_runs):
            self.add(_amount_of_project(project, each), each.value)

    def _of_run(
        self,
        account: Account,
        component: Component,
        method: Method,
        amount: _Sum,
        pricing: Pricing,
    ) -> list[Booked]:
        """Book what a run used; its money and carbon."""
        if not self.exposes(account):
            return []
        labels = {"component": component.value, "method": method.value}
        key = key_of("meter_run_energy_joules_total", run=account.run_id, **labels)
        self.add(key, _joules(amount.energy_mj))
        found = _amounts(component, amount, pricing, by_runs=True)
        for each in found:
            self.add(_amount_of_run(account.run_id, each), each.value)
        return found

    def named(self, name: str) -> str:
        """A project's label; beyond so many projects, one for the others."""
        if name in self._projects:
            return name
        if len(self._projects) >= MAX_PROJECTS:
            self.refuse(f"project {name}")
            return OTHER
        self._projects.add(name)
        return name

    def exposes(self, account: Account) -> bool:
        """Whether a run has series of its own."""
        if not account.run_id:
            return False
        if account.run_id not in self._runs and len(self._runs) >= MAX_RUNS:
            self.refuse(f"run {account.run_id}")
            return False
        return True

    def add(self, key: Key, amount: Decimal) -> None:
        """Raise a counter, from zero if there is none.

        What a late change of hands takes back is held against later gains.
        """
        amount -= self._owed.pop(key, _NOTHING)
        if amount < 0:
            self._owed[key] = -amount
            amount = _NOTHING
        if amount or key not in self._totals:
            self._raise_to(key, self._totals.get(key, _NOTHING) + amount)

    def _raise_to(self, key: Key, total: Decimal) -> None:
        before = self._totals.get(key)
        if before is None:
            self._index(key)
        elif total <= before:
            return
        self._totals[key] = total
        self._changed.add(key)

    def _index(self, key: Key) -> None:
        for name, value in key[1]:
            if name == "run":
                self._runs.setdefault(value, set()).add(key)
            elif name == "project":
                self._by_project.setdefault(value, set()).add(key)


def key_of(name: str, /, **labels: str) -> Key:
    """A counter's name with its labels, in their order."""
    return name, tuple(labels.items())


def _joules(energy_mj: int) -> Decimal:
    return Decimal(energy_mj).scaleb(-3)


def _amounts(
    component: Component, amount: _Sum, pricing: Pricing, *, by_runs: bool
) -> list[Booked]:
    found = list(pricing.of_energy(amount.energy_mj))
    if by_runs and component is Component.GPU:
        found += pricing.of_gpu_time(amount.held_us)
    return found


def _amount_of_project(project: str, amount: Booked) -> Key:
    if amount.carbon:
        return key_of(EMISSIONS, project=project, kind=amount.kind, basis=amount.unit)
    return key_of(COST, project=project, provider=OWN, kind=amount.kind, currency=amount.unit)


def _amount_of_run(run_id: str, amount: Booked) -> Key:
    if amount.carbon:
        return key_of(
            "meter_run_emissions_grams_total", run=run_id, kind=amount.kind, basis=amount.unit
        )
    return key_of(RUN_COST, run=run_id, kind=amount.kind, currency=amount.unit)
