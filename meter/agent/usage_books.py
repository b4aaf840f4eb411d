"""Hosted usage in the live counters: each event once, at the price known when it is booked.

What was booked is known by the number of the newest commit that was looked at, which is kept
beside the counters and written with them.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from meter.agent.booking import (
    COST,
    RUN_COST,
    RUN_TOKENS,
    TOKENS,
    TRAIN,
    Account,
    Books,
    key_of,
)
from meter.hosted_facts import TOKEN_METERS, Meter
from meter.reserved import OTHER

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping

    from meter.agent.booking import Key

UNPRICED = "meter_usage_unpriced_total"
HOSTING = "meter_hosting_seconds_total"
BOOKED_SEQ = key_of("meter_usage_booked_seq")
"""Counter that is kept and not shown: number of the commit up to which usage is booked."""
MAX_MODELS = 100
"""Models of providers that have a name of their own."""
MAX_PAIRS = 1_000
"""Models that have one in a project, all projects together: a page has room for so many."""

_NANO = -9
_S_PER_HOUR = 3_600


@dataclass(frozen=True, slots=True)
class UsageSum:
    """Usage of one meter of a model; ``amount`` in the currency, None where no price is known."""

    run_id: str | None
    project: str
    provider: str
    model: str
    meter: Meter
    kind: str
    currency: str | None
    quantity: Decimal | None
    events: int
    amount: Decimal | None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> UsageSum:
        """One row of ``report/usage_to_book``."""
        amount = row["amount"]
        return cls(
            row["run_id"], row["project"], row["provider"], row["model"], Meter(row["meter"]),
            row["kind"], row["currency"], row["quantity"], int(row["event_count"]),
            None if amount is None else amount.scaleb(_NANO),
        )  # fmt: skip


class UsageBooks:
    """Books usage into the counters; for the metering thread."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._models: set[tuple[str, str]] = set()
        self._pairs: set[tuple[str, str, str]] = set()
        for (name, _), labels in ((key, dict(key[1])) for key in books.totals()):
            if name in (TOKENS, UNPRICED, HOSTING) and labels["model"]:
                self._models.add((labels["provider"], labels["model"]))
                self._pairs.add((labels["project"], labels["provider"], labels["model"]))

    @property
    def seq(self) -> int | None:
        """Number of the newest commit whose usage is booked; None: usage never was."""
        found = self._books.total(BOOKED_SEQ)
        return None if found is None else int(found)

    @property
    def providers(self) -> set[str]:
        """Who has a series of their own."""
        return {provider for provider, _ in self._models}

    def announce(self, sums: Iterable[UsageSum], runs: Container[str]) -> bool:
        """Show at zero what these will raise and is not shown yet; whether there was any.

        ``runs`` are those that have series; usage of others counts for its project alone.
        A series that is first seen with its amount shows no increase.
        """
        new = [key for key in self._amounts(sums, runs) if self._books.total(key) is None]
        for key in new:
            self._books.add(key, Decimal(0))
        return bool(new)

    def book(self, sums: Iterable[UsageSum], runs: Container[str], seq: int) -> None:
        """Add usage that came with commits up to ``seq``, and after those booked before."""
        sums = list(sums)
        for key, amount in self._amounts(sums, runs).items():
            self._books.add(key, amount)
        self._note_runs(sums)
        self._books.add(BOOKED_SEQ, Decimal(seq - (self.seq or 0)))

    def _note_runs(self, sums: Iterable[UsageSum]) -> None:
        """Of what projects paid and used, which run it was for; it may be over, or a job's."""
        found: defaultdict[tuple[Key, str], Decimal] = defaultdict(Decimal)
        for one in sums:
            if one.run_id is not None:
                for key, amount in self._of(one, ()):
                    if key[0] in (COST, TOKENS):
                        found[key, one.run_id] += amount
        for (key, run), amount in found.items():
            self._books.exemplars.note(key, run, amount)

    def _amounts(self, sums: Iterable[UsageSum], runs: Container[str]) -> dict[Key, Decimal]:
        found: defaultdict[Key, Decimal] = defaultdict(Decimal)
        for one in sums:
            for key, amount in self._of(one, runs):
                found[key] += amount
        return found

    def _of(self, one: UsageSum, runs: Container[str]) -> Iterable[tuple[Key, Decimal]]:
        project = self._books.named(one.project)
        provider, model = self._named_in(project, one.provider, one.model)
        run_id = one.run_id if one.run_id in runs else None
        if run_id is not None and not self._books.exposes(Account(run_id, one.project)):
            run_id = None
        if one.meter in TOKEN_METERS and one.quantity is not None:
            sort = TRAIN if one.meter is Meter.TRAIN_TOKEN else one.meter.value
            labels = {"project": project, "provider": provider, "model": model}
            yield key_of(TOKENS, **labels, token_type=sort), one.quantity
            if run_id is not None:
                yield key_of(RUN_TOKENS, run=run_id, token_type=sort), one.quantity
        if one.meter is Meter.HOST_HOUR and one.quantity is not None:
            labels = {"project": project, "provider": provider, "model": model}
            yield key_of(HOSTING, **labels), one.quantity * _S_PER_HOUR
        if one.amount is not None and one.currency is not None:
            money = {"kind": one.kind, "currency": one.currency}
            yield key_of(COST, project=project, provider=provider, **money), one.amount
            if run_id is not None:
                yield key_of(RUN_COST, run=run_id, **money), one.amount
        elif one.quantity is not None:
            labels = {"project": project, "provider": provider, "model": model}
            yield key_of(UNPRICED, **labels), Decimal(one.events)

    def _named_in(self, project: str, provider: str, model: str) -> tuple[str, str]:
        named = self._named(provider, model)
        if (project, *named) in self._pairs or named == (OTHER, OTHER):
            return named
        if len(self._pairs) >= MAX_PAIRS:
            self._books.refuse(f"model {provider} {model} of {project}")
            return OTHER, OTHER
        self._pairs.add((project, *named))
        return named

    def _named(self, provider: str, model: str) -> tuple[str, str]:
        if (provider, model) in self._models:
            return provider, model
        if len(self._models) >= MAX_MODELS:
            self._books.refuse(f"model {provider} {model}")
            return OTHER, OTHER
        self._models.add((provider, model))
        return provider, model
