"""What runs may use and how much of it they have: said once at 80 %, once at 100 %."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from meter import budgets
from meter.model import Component, Notice, Severity
from meter.reserved import OWN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from meter.agent.booking import Books, Key
    from meter.agent.months import Months
    from meter.agent.runs import LiveRun
    from meter.model import Budget

Told = tuple[str, str, str | None]
"""Code, text and run of a notice."""

Said = tuple[str, str, Severity]
"""Code, text and weight of a notice."""

EARLY = Decimal("0.8")
_SPENT = Decimal(1)
_J_PER_KWH = Decimal(3_600_000)
_ENERGY = frozenset({"meter_energy_joules_total", "meter_run_energy_joules_total"})
"""Not that of phases, which is told beside the run's and in it."""
_LOCATION = frozenset({"electricity", "electricity_overhead"})


@dataclass(frozen=True, slots=True)
class Use:
    """A budget and how much of it is used; None: nothing is booked in its unit."""

    amount: Decimal
    unit: str
    used: Decimal | None

    @property
    def ratio(self) -> Decimal:
        """The part that is used; above 1 once it is more than all."""
        return Decimal(0) if self.used is None else self.used / self.amount

    @property
    def spent(self) -> bool:
        """Whether nothing is left."""
        return self.ratio >= _SPENT

    def plain(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "unit": self.unit,
            "amount": f"{self.amount:f}",
            "used": None if self.used is None else f"{self.used:.9f}",
            "ratio": None if self.used is None else float(self.ratio),
        }


def used(totals: Mapping[Key, Decimal], unit: str) -> Decimal | None:
    """Of live counters, what counts against a budget of this unit; None if none does.

    Energy is that of IT, carbon location-based with the site's overhead, money every cost in it.
    """
    found = [part for key, value in totals.items() if (part := _part(key, value, unit)) is not None]
    return sum(found, Decimal(0)) if found else None


def _part(key: Key, value: Decimal, unit: str) -> Decimal | None:
    name, labels = key[0], dict(key[1])
    if unit == budgets.ENERGY:
        if labels.get("component") == Component.HOSTED:
            return None  # as with money below: a job may be told long after its month
        return value / _J_PER_KWH if name in _ENERGY else None
    if unit == budgets.CARBON:
        counts = labels.get("basis") == "location" and labels.get("kind") in _LOCATION
        return value.scaleb(-3) if counts and name.endswith("_emissions_grams_total") else None
    if labels.get("provider", OWN) != OWN:
        return None  # usage may be told long after its month: the ledger knows when it was
    return value if name.endswith("_cost_total") and labels.get("currency") == unit else None


def uses(live: LiveRun, books: Books) -> list[Use]:
    """The budgets of a run."""
    totals = books.of_run(live.run.id) if live.budgets else {}
    return [Use(b.amount, b.unit, used(totals, b.unit)) for b in live.budgets.values()]


def stops(live: LiveRun, books: Books) -> bool:
    """Whether the job is to be asked to end."""
    return any(
        budget.stop and use.spent
        for budget, use in zip(live.budgets.values(), uses(live, books), strict=True)
    )


class BudgetWatch:
    """Says what is to be said of budgets, each thing once, also after a restart."""

    def __init__(self, told: Iterable[Told] = ()) -> None:
        self._told = set(told)
        self.months: Months | None = None  # where projects have budgets

    def look(self, runs: Iterable[LiveRun], books: Books, at_us: int) -> list[Notice]:
        """The notices that are due now."""
        living = list(runs)
        due: list[tuple[Said, str | None]] = [
            (said, live.run.id)
            for live in living
            if live.budgets
            for said in self._of_run(live, books)
        ]
        for project, said in self._of_projects(books, at_us):
            due += [(said, live.run.id) for live in living if live.run.project == project]
            due.append((said, None))
        return [
            Notice(code, text, severity, run_id=run_id, at_us=at_us)
            for (code, text, severity), run_id in due
            if self._is_news(code, text, run_id)
        ]

    def _of_projects(self, books: Books, at_us: int) -> Iterator[tuple[str, Said]]:
        """What is to be said to each run of a project, and once to the node."""
        if self.months is None:
            return
        self.months.look(at_us, books)
        for project, use in self.months.uses:
            whole = f"budget of {budgets.words(use.amount, use.unit)} for {self.months.month} (UTC)"
            if use.ratio >= EARLY:
                text = f"80 % of the {whole} of the project {project} is used."
                yield project, ("project_budget_80", text, Severity.INFO)
            if use.spent:
                text = f"The {whole} of the project {project} is used up."
                yield project, ("project_budget_spent", text, Severity.WARNING)

    def _of_run(self, live: LiveRun, books: Books) -> Iterator[Said]:
        totals = books.of_run(live.run.id)
        for budget in live.budgets.values():
            use = Use(budget.amount, budget.unit, used(totals, budget.unit))
            whole = budgets.words(budget.amount, budget.unit)
            if use.used is None and totals:
                yield "budget_unpriced", _unpriced(whole, budget), Severity.WARNING
            if use.ratio >= EARLY:
                yield "budget_80", f"80 % of the run's budget of {whole} is used.", Severity.INFO
            if use.spent:
                end = "; its job is to be asked to end" if budget.stop else ""
                text = f"The run's budget of {whole} is used up{end}."
                yield "budget_spent", text, Severity.WARNING

    def _is_news(self, code: str, text: str, run_id: str | None) -> bool:
        news = (code, text, run_id) not in self._told
        self._told.add((code, text, run_id))
        return news


def _unpriced(whole: str, budget: Budget) -> str:
    if budgets.is_money(budget.unit):
        return (
            f"Nothing of this run costs {budget.unit} yet, so nothing counts against its budget of"
            f" {whole}: state a price in {budget.unit}, or a budget in the currency of the tariff."
        )
    return f"No factor holds for the run's budget of {whole}, so nothing counts against it yet."
