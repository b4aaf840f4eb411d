"""Questions keep to the memory that an agent's ledger may use, however much there is of all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pytest

from meter.errors import LedgerError
from meter.ledger import store
from meter.ledger.migrations import migrate
from meter.ledger.reader import BEGIN, END, Reader

if TYPE_CHECKING:
    from pathlib import Path

JOBS = 100_000
AGENT_MB = 64
MADE = """
INSERT INTO run (
    id, name, project, started_at, started_boot_ns, node_id, site_id, tags, origin, simulated,
    recorded_at
)
SELECT 'openai:ftjob-' || i, 'a name of ' || i, 'chat', TIMESTAMP '2026-01-01' + to_minutes(i), 0,
    'node', 'default', '{}', 'hosted', FALSE, TIMESTAMP '2026-06-01'
FROM range($jobs) AS t (i);
INSERT INTO run_state (run_id, status, happened_at, seq, recorded_at)
SELECT r.id, 'completed', r.started_at, 1, r.recorded_at FROM run AS r;
INSERT INTO hosted_job (
    run_id, provider, job_id, status, created_at, base_model, detail, content_sha256, seq,
    recorded_at
)
SELECT r.id, 'openai', r.name, 'succeeded', r.started_at, 'gpt-4o-mini-2024-07-18', '{}', r.id, 1,
    r.recorded_at
FROM run AS r;
"""


def test_a_list_of_runs_does_not_grow_with_the_jobs_of_providers(tmp_path: Path) -> None:
    path = tmp_path / "ledger.duckdb"
    made = store.connect(path, memory_limit_mb=512)
    migrate(made, path, 1_795_600_000_000_000)
    for statement in MADE.split(";\n")[:-1]:
        made.execute(statement, {"jobs": JOBS} if "$jobs" in statement else {})
    made.close()
    con = store.connect(path, memory_limit_mb=AGENT_MB // 2, read_only=True)
    with Reader(con) as reader:
        found = reader.rows("report/runs", project=None, from_=BEGIN, to=END, limit=10)
    assert [row["run_id"] for row in found][:1] == [f"openai:ftjob-{JOBS - 1}"]
    assert {row["status"] for row in found} == {"completed"}


SITES = 1_000
SPREAD = """
INSERT INTO site (id, name, recorded_at)
SELECT 'hosted:' || i, 'openai', TIMESTAMP '2026-06-01' FROM range($sites) AS t (i);
INSERT INTO factor (
    id, kind, scope, amount, low, high, unit, source, method, evidence_rank, recorded_at, book
)
SELECT kind || ':world', kind, 'world', 1.5, 1, 2, 'unit', 'a source', 'assumed', 100,
    TIMESTAMP '2026-06-01', 'bundled'
FROM (VALUES ('grid_intensity'), ('pue')) AS t (kind);
INSERT INTO factor_hour (factor_id, hour)
SELECT f.id, TIMESTAMP '2026-01-01' + to_hours(i) FROM factor AS f, range($sites) AS t (i);
INSERT INTO interval (
    device_id, kind, run_id, site_id, start_at, end_at, hour, energy_mj, low_mj, high_mj,
    measured_mj, duration_us, covered_us, held_us, method, correction, seq, recorded_at
)
SELECT 'hosted', 'run', 'openai:' || i, 'hosted:' || i, t.hour, t.hour, t.hour, 3600000, 3600000,
    3600000, 0, 0, 0, 0, 'modelled', FALSE, 1, TIMESTAMP '2026-06-01'
FROM (SELECT i, TIMESTAMP '2026-01-01' + to_hours(i) AS hour FROM range($sites) AS t (i)) AS t;
"""


def test_sums_of_many_hosted_jobs_take_no_rates_of_hours_that_are_not_theirs(
    tmp_path: Path,
) -> None:
    """Each has a site of its own: a rate for each site and hour of all would be a million."""
    path = tmp_path / "ledger.duckdb"
    made = store.connect(path, memory_limit_mb=256)
    migrate(made, path, 1_795_600_000_000_000)
    for statement in SPREAD.split(";\n")[:-1]:
        made.execute(statement, {"sites": SITES} if "$sites" in statement else {})
    made.close()
    con = store.connect(path, memory_limit_mb=AGENT_MB, read_only=True)
    with Reader(con) as reader:
        found = reader.rows("totals/by_run", as_of=END)
    nanograms = [round(row["amount"]) for row in found if row["kind"] == "location"]
    assert nanograms == [1_500_000] * SITES  # each 1 Wh at 1.5 g/kWh


class Crowded:
    """A cursor whose end of a transaction finds no memory, as where others hold all of it."""

    def execute(self, *_: object) -> None:
        """Begin."""

    def rollback(self) -> None:
        raise duckdb.OutOfMemoryException("Out of Memory Error: could not allocate\nPossible: …")


def test_a_snapshot_that_cannot_end_is_an_error_of_ours() -> None:
    reader = Reader(Crowded())  # type: ignore[arg-type]
    with pytest.raises(LedgerError, match="Out of Memory"), reader.snapshot():
        pass
