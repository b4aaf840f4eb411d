"""One open connection for writing: a list of batches in, one transaction out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

from meter.errors import UsageError
from meter.ledger import hosted, hosted_rows, rows, statements, store
from meter.ledger.chain import BEGIN_SHA256, Batch, Content, content_sha256, instant
from meter.ledger.expansion import (
    KnownFactors,
    expanded,
    hours_of,
    learned_factor,
    learned_price,
    prices_to_write,
    statements_to_write,
)
from meter.ledger.forms import chained_forms
from meter.ledger.instants import micros, timestamp
from meter.ledger.migrations import migrate
from meter.ledger.texts import load
from meter.usage_entries import line_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime
    from pathlib import Path

    from meter.hosted_facts import UsageEntry
    from meter.model import Factor, LedgerBatch, Outcome, Price, StatementDraft

_COUNTER_ROWS = 30_000
_LINES = 2_000  # of usage, written at once


class Session:
    """The writer's connection and what it knows of the ledger's small tables."""

    def __init__(self, path: Path, *, memory_limit_mb: int, now_us: Callable[[], int]) -> None:
        self.con = store.connect(path, memory_limit_mb=memory_limit_mb)
        self._now_us = now_us
        self._counters_kept = 0
        self._content = Content(chained_forms())
        try:
            migrate(self.con, path, now_us())
            self._recall()
        except BaseException:
            self.con.close()
            raise

    def _recall(self) -> None:
        ((seq, recorded_at),) = self.con.execute(load("recovery/last_commit").sql).fetchall()
        self.seq, self.recorded_us = int(seq), micros(recorded_at)
        link = self.con.execute(load("recovery/last_batch").sql).fetchone()
        self._link_sha256 = str(link[1]) if link else BEGIN_SHA256
        node = self.con.execute(load("recovery/last_node").sql).fetchone()
        self._node_id = str(node[0]) if node else ""
        hours = self.con.execute(load("recovery/metered_hours").sql).fetchall()
        self._hours = {micros(hour) for (hour,) in hours}
        self._counter_rows = self._count_counters()
        self._old_spans = hosted.has_old_spans(self.con)
        query = load("recovery/factors")
        found = self.con.execute(query.sql, {"since_seq": rows.EVERY}).fetchall()
        self._factors = KnownFactors()
        self._factors.add(
            rows.factor_of(dict(zip(query.columns, row, strict=True))) for row in found
        )

    def commit(self, batches: Sequence[LedgerBatch]) -> list[tuple[Outcome, ...] | None]:
        """Write all batches in one transaction, or none; raises duckdb.Error.

        What became of each batch's usage, then of its charges, in their order; None where it
        brings neither.
        """
        recorded_us, seq = self._next_recorded_us(batches), self.seq + 1
        node_id = next((n.id for b in reversed(batches) for n in b.nodes), self._node_id)
        self.con.begin()
        try:
            written, hours, factors = self._write_all(batches, seq, recorded_us)
            link_sha256 = self._link(seq, node_id, timestamp(recorded_us))
            self.con.execute(
                load("write/last_commit").sql,
                {"seq": seq, "recorded_at": timestamp(recorded_us)},
            )
            self.con.commit()
        except BaseException:
            self._rollback()
            raise
        self.seq, self.recorded_us = seq, recorded_us
        self._link_sha256, self._node_id = link_sha256, node_id
        self._hours |= hours
        self._factors.add(factors)
        self._counter_rows += sum(len(batch.counters) for batch in batches)
        return written

    def rehearse(self, batch: LedgerBatch) -> None:
        """Write a batch and take it back; raises what :meth:`commit` would."""
        self.con.begin()
        try:
            self._write_all([batch], self.seq + 1, self._next_recorded_us([batch]))
        finally:
            self._rollback()

    def _next_recorded_us(self, batches: Sequence[LedgerBatch]) -> int:
        learned = [one.recorded_us for batch in batches for one in batch.factors]
        learned += [one.recorded_us for batch in batches for one in batch.prices]
        return max(self._now_us(), self.recorded_us + 1, *learned)

    def _write_all(
        self, batches: Sequence[LedgerBatch], seq: int, recorded_us: int
    ) -> tuple[list[tuple[Outcome, ...] | None], set[int], list[Factor]]:
        self._content = Content(chained_forms())
        written = self._write_hosted(batches, seq, timestamp(recorded_us))
        return written, *self._write(batches, seq, recorded_us)

    def _rollback(self) -> None:
        try:
            self.con.rollback()
        except duckdb.Error:
            return  # nothing left to roll back: the failed commit has ended the transaction

    def _write(
        self, batches: Sequence[LedgerBatch], seq: int, recorded_us: int
    ) -> tuple[set[int], list[Factor]]:
        recorded = timestamp(recorded_us)
        for batch in batches:
            self._each("write/node", (rows.node(one, seq, recorded) for one in batch.nodes))
            self._each("write/site", (rows.site(one, seq, recorded) for one in batch.sites))
            self._each("write/device", (rows.device(one, seq, recorded) for one in batch.devices))
            self._each("write/run", (rows.run(one, seq, recorded) for one in batch.runs))
        self._append("hold", [rows.hold(v, seq, recorded) for b in batches for v in b.holds])
        self._append("run_state", [rows.state(v, seq, recorded) for b in batches for v in b.states])
        self._append("mark", [rows.mark(v, seq, recorded) for b in batches for v in b.marks])
        self._append(
            "reading", [rows.reading(v, seq, recorded) for b in batches for v in b.readings]
        )
        self._append("device_use", [rows.use(v, seq) for b in batches for v in b.uses])
        self._append("notice", [rows.notice(v, seq, recorded) for b in batches for v in b.notices])
        newest = {(v.name, v.labels): v for b in batches for v in b.counters}
        self._append("counter", [rows.counter(v, seq) for v in newest.values()])
        self._append("interval", [r for b in batches for r in rows.intervals(b, seq, recorded)])
        self._append(
            "run_budget", [rows.budget(v, seq, recorded) for b in batches for v in b.budgets]
        )
        self._append("run_link", [rows.link(v, seq, recorded) for b in batches for v in b.links])
        for draft in (one for batch in batches for one in batch.statements):
            self._seal(draft, seq, recorded)
        self._append("price", [rows.price(v, seq) for v in self._new_prices(batches, recorded_us)])
        return self._expand(batches, seq, recorded_us)

    def _write_hosted(
        self, batches: Sequence[LedgerBatch], seq: int, recorded: datetime
    ) -> list[tuple[Outcome, ...] | None]:
        """Usage, charges, jobs and estimates: each only if it is news."""
        outcomes, events = hosted.sorted_usage(self.con, batches, old_spans=self._old_spans)
        self._write_usage(events, seq, instant(recorded))
        billed, charges = hosted.sorted_charges(self.con, batches, seq, recorded)
        self._append("charge", charges)
        self._append("hosted_job", hosted.new_jobs(self.con, batches, seq, recorded))
        estimates = [
            hosted_rows.estimate(one, seq, recorded)
            for batch in batches
            for one in batch.hosted_energy
        ]
        self._append("hosted_energy", estimates)
        return [((*used, *bill) or None) for used, bill in zip(outcomes, billed, strict=True)]

    def _write_usage(self, events: Sequence[UsageEntry], seq: int, recorded: str) -> None:
        """Store the canonical lines that are hashed, so that nothing is written twice."""
        lines = [line_of(head, seq, recorded) for one in events for head in one.heads]
        for start in range(0, len(lines), _LINES):
            text = "\n".join(lines[start : start + _LINES])
            self.con.execute(load("write/usage_event").sql, {"lines": text})
            self._content.lines += text.encode().split(b"\n")

    def _expand(
        self, batches: Sequence[LedgerBatch], seq: int, recorded_us: int
    ) -> tuple[set[int], list[Factor]]:
        hours = hours_of(v for b in batches for v in b.intervals) - self._hours
        given = [learned_factor(one, recorded_us) for b in batches for one in b.factors]
        factors = statements_to_write(self._factors, given)
        self._append("factor", [rows.factor(one, seq) for one in factors])
        found = [
            *expanded(self._factors.at_hours(hours), hours),
            *expanded(factors, self._hours | hours),
        ]
        self._append(
            "factor_hour", [(factor_id, timestamp(hour), part) for factor_id, hour, part in found]
        )
        return hours, factors

    def _new_prices(self, batches: Sequence[LedgerBatch], recorded_us: int) -> list[Price]:
        """The given prices without those that repeat what the ledger knew."""
        given = [learned_price(one, recorded_us) for batch in batches for one in batch.prices]
        if not given:
            return []
        query = load("recovery/prices")
        found = self.con.execute(query.sql, {"since_seq": rows.EVERY}).fetchall()
        known = [rows.price_of(dict(zip(query.columns, row, strict=True))) for row in found]
        return prices_to_write(known, given)

    def _each(self, name: str, params: Iterable[rows.Params]) -> None:
        """For the small keyed tables, whose rows are few and rare; a repetition is not written."""
        table = name.partition("/")[2]
        for values in params:
            if self.con.execute(load(name).sql, values).fetchall() == [(1,)]:
                columns = self._content.forms[table].columns
                self._content.add(table, [[values[column] for column in columns]])

    def _append(self, table: str, values: Sequence[rows.Row]) -> None:
        if not values:
            return
        appender = self.con.appender(table)
        try:
            appender.append_rows(values)
            appender.flush()
        except BaseException:
            appender.clear()  # what a refused row leaves in it is not to be flushed later
            raise
        self._content.add(table, values)

    def _link(self, seq: int, node_id: str, recorded: datetime) -> str:
        """Add the commit to the audit chain, if it brought facts; hash of the newest link."""
        lines = self._content.lines
        if not lines:
            return self._link_sha256
        content = content_sha256(lines)
        batch = Batch(seq, node_id, len(lines), content, self._link_sha256, recorded)
        self._append("batch", [batch.row()])
        return batch.sha256

    def _seal(self, draft: StatementDraft, seq: int, recorded: datetime) -> None:
        """Issue a statement; raises UsageError if it does not know of a newer one."""
        newest = self.con.execute(
            load("recovery/newest_statement").sql, {"subject": draft.subject}
        ).fetchone()
        if (newest[0] if newest else None) != draft.replaces:
            raise UsageError(
                f"another statement of {draft.subject} was issued meanwhile", "seal it again"
            )
        last = self.con.execute(load("recovery/last_statement").sql).fetchone()
        number, sha256 = last or (0, BEGIN_SHA256)
        link = statements.Link(number, sha256, self._link_sha256)
        made = statements.Statement.issue(draft, link, recorded)
        known = self.con.execute(load("recovery/query_sets").sql).fetchall()
        if (made.queries_sha256,) not in known:
            self._append("query_set", [(made.queries_sha256, draft.texts, seq, recorded)])
        self._append("statement", [made.row(seq, recorded)])

    def expire_readings(self, before_us: int) -> None:
        """Remove raw readings, and looks at who used a device, of before an instant."""
        for name in ("write/expire_readings", "write/expire_uses"):
            self.con.execute(load(name).sql, {"before": timestamp(before_us)})

    @property
    def counters_crowded(self) -> bool:
        """Whether so many rows of counters are superseded that they are worth removing."""
        return self._counter_rows > _COUNTER_ROWS + 2 * self._counters_kept

    def expire_counters(self, before_us: int) -> None:
        """Remove rows of counters that have a newer one, or whose run had ended by an instant."""
        self._counters_kept = self._counter_rows  # if this fails, the next try is not at once
        before = {"before": timestamp(before_us)}
        self.con.execute(load("write/expire_run_counters").sql, before)
        self.con.execute(load("write/expire_counters").sql)
        self._counter_rows = self._counters_kept = self._count_counters()

    def _count_counters(self) -> int:
        ((found,),) = self.con.execute(load("recovery/counter_rows").sql).fetchall()
        return int(found)

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A reader's own cursor."""
        return self.con.cursor()

    def close(self) -> None:
        """Close the connection; what was committed is in the file or its log."""
        self.con.close()
