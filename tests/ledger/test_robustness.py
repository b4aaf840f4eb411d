"""Kills, full disks, locks, newer versions: the acknowledged is there, errors have a remedy."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from meter.errors import (
    LedgerDamagedError,
    LedgerError,
    LedgerLockedError,
    LedgerTooNewError,
)
from meter.ledger import Ledger, open_reader, recovery
from meter.ledger.ledger import Pace
from meter.ledger.session import Session
from meter.model import LedgerBatch, Node, RawReading
from tests.ledger.facts import minute
from volumes import fill, remount, volume

ROOT = Path(__file__).parents[2]
KILLS = 8

# Writes numbered batches of two devices and prints a number only once it is durable.
WRITER = """
import sys
from decimal import Decimal
from pathlib import Path
from meter.ledger import Ledger, session
from meter.ledger.ledger import Pace
from meter.model import Counter, LedgerBatch, Node
from tests.ledger.facts import GPUS, minute
session._COUNTER_ROWS = 3  # so that a kill meets the removal of superseded rows too
ledger = Ledger.open(Path(sys.argv[1]), pace=Pace(commit_s=0.0))
number = int(sys.argv[2])
print("open", flush=True)
while True:
    batch = LedgerBatch(
        nodes=(Node("n", f"boot-{number}", "h"),),
        intervals=tuple(minute(number, device=gpu, energy_mj=number) for gpu in GPUS),
        site_id="lab",
        counters=(Counter("written_total", (), Decimal(number)),),
    )
    ledger.write(batch).result(30)
    print(number, flush=True)
    number += 1
"""

HOLDER = """
import sys
from pathlib import Path
from meter.ledger import Ledger
ledger = Ledger.open(Path(sys.argv[1]))
print("open", flush=True)
sys.stdin.read()
"""


@contextmanager
def python(code, *arguments, **options):
    """A Python of its own that runs a piece of code."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'exporters'}"}
    process = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, **options,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def stored(path):
    """The batches in the ledger: number -> intervals of it."""
    with open_reader(path) as reader:
        found: dict[int, int] = {}
        for row in reader.rows("totals/by_device"):
            assert row["kind"] == "energy"
        boots = {row["boot_id"] for row in reader.rows("recovery/nodes")}
        rows = reader._con.execute("SELECT energy_mj FROM interval").fetchall()
        for (number,) in rows:
            found[number] = found.get(number, 0) + 1
        counters = {int(counter.value) for counter in recovery.counters(reader)}
    assert {f"boot-{number}" for number in found} == boots, "a batch is torn"
    assert counters == ({max(found)} if found else set()), "a counter is not of the last batch"
    return found


def test_after_kill_nine_at_any_moment_every_acknowledged_batch_is_there_once(tmp_path):
    path, choice = tmp_path / "ledger.duckdb", random.Random(4)
    acknowledged, number = set(), 1
    for _ in range(KILLS):
        with python(WRITER, path, number) as writer:
            assert writer.stdout.readline() == "open\n"
            time.sleep(choice.uniform(0.0, 0.25))
            writer.send_signal(signal.SIGKILL)
            told = writer.stdout.read()
        acknowledged |= {int(line) for line in told.split("\n")[:-1] if line}
        found = stored(path)
        assert acknowledged <= found.keys()
        assert set(found.values()) == {2} or not found
        number = max(found, default=0) + 1
    assert len(acknowledged) > KILLS


def test_a_killed_first_opening_can_be_opened_again(tmp_path):
    path = tmp_path / "ledger.duckdb"
    path.touch()
    Ledger.open(path).close()
    with open_reader(path) as reader:
        assert reader.newest_us() > 0


def test_a_held_ledger_is_refused_with_its_holders_pid(tmp_path):
    path = tmp_path / "ledger.duckdb"
    with python(HOLDER, path) as holder:
        assert holder.stdout.readline() == "open\n"
        for opening in (Ledger.open, open_reader):
            with pytest.raises(LedgerLockedError, match=f"process {holder.pid}") as caught:
                opening(path)
            assert caught.value.pid == holder.pid
            assert "--socket" in caught.value.remedy
        holder.stdin.close()
        holder.wait(10)
    Ledger.open(path).close()


def test_a_ledger_of_a_newer_schema_is_refused_with_what_to_do(tmp_path):
    path = tmp_path / "ledger.duckdb"
    Ledger.open(path).close()
    con = duckdb.connect(str(path))
    con.execute("INSERT INTO schema_version VALUES (99, now()::TIMESTAMP, 'x')")
    con.close()
    for opening in (Ledger.open, open_reader):
        with pytest.raises(LedgerTooNewError, match=r"schema version 99.*upgrade"):
            opening(path)


def test_a_database_without_tables_is_no_ledger_until_a_writer_makes_one_of_it(tmp_path):
    path = tmp_path / "ledger.duckdb"
    duckdb.connect(str(path)).close()
    with pytest.raises(LedgerError, match="older version"):
        open_reader(path)
    Ledger.open(path).close()
    with open_reader(path) as reader:
        assert reader.rows("recovery/schema_version")[0]["version"] > 0


def test_a_file_of_a_newer_duckdb_is_refused_with_what_to_do(tmp_path):
    path = tmp_path / "ledger.duckdb"
    Ledger.open(path).close()
    content = bytearray(path.read_bytes())
    content[12:20] = (9_999).to_bytes(8, "little")  # the version in the file's main header
    path.write_bytes(content)
    with pytest.raises((LedgerTooNewError, LedgerDamagedError)) as caught:
        Ledger.open(path)
    assert caught.value.remedy


def test_garbage_is_called_damaged_and_left_as_it_is(tmp_path):
    path = tmp_path / "ledger.duckdb"
    path.write_bytes(b"not a ledger" * 1000)
    with pytest.raises(LedgerDamagedError, match="cannot be opened"):
        Ledger.open(path)
    assert path.read_bytes() == b"not a ledger" * 1000


def test_a_missing_ledger_is_not_made_by_reading(tmp_path):
    path = tmp_path / "none" / "ledger.duckdb"
    with pytest.raises(LedgerError, match="there is no ledger"):
        open_reader(path)
    assert not path.parent.exists()


def test_a_home_that_cannot_be_written_is_refused_naming_meter_home(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(LedgerError, match="set METER_HOME"):
        Ledger.open(tmp_path / "file" / "ledger.duckdb")


def test_a_read_only_home_is_refused_naming_meter_home(tmp_path):
    with volume(tmp_path / "home", "4m") as home:
        remount(home, "ro")
        with pytest.raises(LedgerError, match="set METER_HOME"):
            Ledger.open(home / "ledger.duckdb")


def settled(condition, timeout_s=20.0):
    """Whether a condition comes true in time."""
    end = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def test_a_full_disk_keeps_batches_waiting_and_goes_on_when_there_is_room(tmp_path):
    with volume(tmp_path / "small", "3m") as folder:
        path = folder / "ledger.duckdb"
        ledger = Ledger.open(path, pace=Pace(commit_s=0.0, retry_s=0.05))
        futures = [ledger.write(LedgerBatch(nodes=(Node("n", "first", "h"),)))]
        futures[0].result(10)
        fill(folder / "filler")
        number = 0
        while not ledger.health().full and number < 3000:
            futures.append(
                ledger.write(
                    LedgerBatch(
                        intervals=tuple(minute(number, energy_mj=number) for _ in range(50)),
                        site_id="lab",
                    )
                )
            )
            number += 1
            if not settled(lambda: futures[-1].done() or ledger.health().full, 10):
                break
        health = ledger.health()
        assert health.full
        assert health.failures > 0
        assert health.pending > 0
        with ledger.reader() as reader:  # reading goes on
            assert reader.rows("recovery/nodes")[0]["boot_id"] == "first"
        remount(folder, "size=64m")
        for future in futures:
            future.result(40)
        assert not ledger.health().full
        ledger.close()
        with open_reader(path) as reader:
            rows = reader._con.execute("SELECT energy_mj, count(*) FROM interval GROUP BY ALL")
            assert {count for _, count in rows.fetchall()} == {50}
            assert len(reader.rows("recovery/metered_hours")) >= 1


def test_a_checkpoint_that_does_not_fit_kills_the_engine_but_nothing_that_was_written(tmp_path):
    noise = random.Random(1)

    def batch(number):
        rows = (
            RawReading(f"GPU-{n % 8}", now_us, *(noise.randrange(10**15) for _ in range(5)))
            for n in range(5_000)
        )
        return LedgerBatch(readings=tuple(rows), nodes=(Node("n", f"boot-{number}", "h"),))

    now_us = time.time_ns() // 1_000
    with volume(tmp_path / "small", "20m") as folder:
        path = folder / "ledger.duckdb"
        ledger = Ledger.open(path, pace=Pace(commit_s=0.0, retry_s=0.05))
        written = 0
        while not ledger.health().full:  # about when the log has 16 MiB
            future = ledger.write(batch(written))
            written += 1
            assert settled(lambda one=future: one.done() or ledger.health().full)
        assert "FATAL" in ledger.health().last_error
        remount(folder, "size=96m")
        future.result(60)
        ledger.close()
        with open_reader(path) as reader:
            assert len(reader.rows("recovery/nodes")) == written
            counted = reader._con.execute("SELECT count(*) FROM reading").fetchone()
        assert counted == (5_000 * written,)


def test_closing_on_a_full_disk_ends_in_time_and_tells_what_was_not_written(tmp_path):
    with volume(tmp_path / "small", "1m") as folder:
        ledger = Ledger.open(folder / "ledger.duckdb", pace=Pace(commit_s=0.0, retry_s=0.05))
        ledger.write(LedgerBatch(nodes=(Node("n", "first", "h"),))).result(10)
        intervals = tuple(minute(n % 60, energy_mj=n * 7919) for n in range(100_000))
        lost = ledger.write(LedgerBatch(intervals=intervals, site_id="lab"))
        assert settled(lambda: ledger.health().full)
        ledger.close(timeout_s=10)
        with pytest.raises(LedgerError, match="could not be written"):
            lost.result(60)  # of a busy machine the last attempt may outlast the closing


class Dying(Session):
    """A session whose engine dies in the given commits, before or after the commit is durable."""

    deaths: list[str]
    refusals: list[str]

    def __init__(self, *arguments, **options):
        if self.refusals:
            raise duckdb.IOException(self.refusals.pop())
        super().__init__(*arguments, **options)

    def commit(self, batches):
        when = self.deaths.pop(0) if self.deaths else "never"
        if when == "after, and cannot be opened":
            self.refusals.append("No space left on device")
            when = "after"
        if when == "before":
            raise duckdb.FatalException("Failed: database has been invalidated")
        before = self.seq
        outcomes = super().commit(batches)
        if when == "after":
            self.seq = before
            raise duckdb.FatalException("Transaction COMMIT succeeded and is durable, but ...")
        return outcomes


@pytest.mark.parametrize(
    "deaths",
    [
        ["before"],
        ["after"],
        ["after", "before", "after"],
        ["after, and cannot be opened"],
        ["before", "after, and cannot be opened", "before"],
    ],
)
def test_a_dead_engine_is_opened_again_and_nothing_is_written_twice_or_lost(
    tmp_path, monkeypatch, deaths
):
    monkeypatch.setattr("meter.ledger.ledger.Session", Dying)
    monkeypatch.setattr(Dying, "deaths", list(deaths), raising=False)
    monkeypatch.setattr(Dying, "refusals", [], raising=False)
    path = tmp_path / "ledger.duckdb"
    ledger = Ledger.open(path, pace=Pace(commit_s=0.0, retry_s=0.01))
    old = ledger.reader()
    for number in range(5):
        batch = LedgerBatch(intervals=(minute(number, energy_mj=10**number),), site_id="lab")
        ledger.write(batch).result(20)
    with ledger.reader() as reader:
        assert reader.rows("totals/by_run")[0]["amount"] == 11_111
    with pytest.raises(LedgerError):
        old.rows("recovery/nodes")
    ledger.close()
