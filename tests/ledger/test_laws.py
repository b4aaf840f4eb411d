"""It all adds up: every grouping has the same total to the digit, in whatever order facts come."""

from __future__ import annotations

import itertools
from collections import defaultdict
from decimal import Decimal, localcontext
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meter.config import Window
from meter.factors import Rates, factors_of
from meter.identified import identified
from meter.ledger.instants import hour_of
from meter.ledger.reader import Reader
from meter.ledger.session import Session
from meter.metering.intervals import IntervalBuilder
from meter.metering.wall import WallAnchor
from meter.model import (
    Basis,
    Component,
    Factor,
    FactorKind,
    Hold,
    Interval,
    Kind,
    LedgerBatch,
    Method,
    Segment,
)
from tests.ledger.facts import (
    BOOT_NS,
    HOUR_US,
    MINUTE_US,
    START_US,
    band,
    devices,
    priced,
    registered,
    site,
)

RUNS = ("01RUN0", "01RUN1", "01RUN2")
IDS = tuple(device.id for device in devices())
GPUS = {device.id for device in devices() if device.component is Component.GPU}
TOTALS = ("run", "device", "project", "hour", "day")

owners = st.one_of(
    st.sampled_from(RUNS).map(lambda run_id: (Kind.RUN, run_id)),
    st.sampled_from([(Kind.IDLE, None), (Kind.UNATTRIBUTED, None)]),
)


@st.composite
def intervals(draw) -> Interval:
    kind, run_id = draw(owners)
    start = START_US + draw(st.integers(0, 3_000)) * MINUTE_US
    energy = draw(st.integers(0, 10**12))
    low = energy - draw(st.integers(0, energy))
    high = energy + draw(st.integers(0, 10**11))
    correction = draw(st.booleans())
    sign = -1 if correction and draw(st.booleans()) else 1
    low, energy, high = sorted((sign * low, sign * energy, sign * high))
    return Interval(
        draw(st.sampled_from(IDS)),
        kind,
        run_id,
        start,
        start + MINUTE_US,
        energy,
        low,
        high,
        0,
        0,
        draw(st.sampled_from(Method)),
        correction=correction,
    )


tariffs = st.builds(
    lambda night: priced(windows=(Window((0, 1, 2, 3, 4, 5, 6), 22 * 60, 6 * 60, band(night)),)),
    st.decimals(0, 99, places=9).map(str),
)


def ledger_of(batches, read):
    """Writes batches, one commit each, into a ledger in memory and reads from it."""
    ticks = itertools.count(START_US, 1_000_000)
    session = Session(Path(":memory:"), memory_limit_mb=64, now_us=lambda: next(ticks))
    try:
        for batch in batches:
            session.commit([batch])
        with Reader(session.cursor()) as reader:
            return read(reader)
    finally:
        session.close()


def totals(reader, name):
    found = defaultdict(lambda: (Decimal(0), Decimal(0), Decimal(0)))
    for row in reader.rows(f"totals/by_{name}"):
        key = row["kind"], row["currency"]
        parts = row["amount"], row["low"], row["high"]
        with localcontext(prec=60):
            found[key] = tuple(a + b for a, b in zip(found[key], parts, strict=True))
    return dict(found)


def facts(config, made):
    registrations = [registered(run_id, zone="FRA", project=f"p{i % 2}") for i, run_id in
                     enumerate(RUNS)]  # fmt: skip
    factors = tuple(factors_of(config, site("FRA"), START_US))
    written = [LedgerBatch(intervals=(one,), site_id="lab") for one in made]
    return [*registrations, LedgerBatch(factors=factors), *written], factors


slow = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)


@slow
@given(tariffs, st.lists(intervals(), max_size=12))
def test_totals_by_run_device_project_hour_and_day_are_equal_to_the_digit(config, made):
    batches, _ = facts(config, made)

    def read(reader):
        return {name: totals(reader, name) for name in TOTALS}

    found = ledger_of(batches, read)
    for name in TOTALS:
        assert found[name] == found["run"], name
    energy = sum((one.energy_mj for one in made), 0)
    assert found["run"].get(("energy", None), (0, 0, 0))[0] == energy


@slow
@given(tariffs, st.lists(intervals(), max_size=8), st.randoms(use_true_random=False))
def test_neither_order_of_arrival_nor_registering_twice_changes_a_total(config, made, random):
    batches, _ = facts(config, made)
    once = ledger_of(batches, lambda reader: totals(reader, "hour"))
    shuffled = [*batches, *batches[: len(RUNS) + 1]]
    random.shuffle(shuffled)
    assert ledger_of(shuffled, lambda reader: totals(reader, "hour")) == once


@st.composite
def instruments(draw) -> Factor:
    value, rank = Decimal(draw(st.integers(0, 900))), draw(st.sampled_from([440, 430, 210]))
    first = START_US + draw(st.integers(0, 50)) * HOUR_US
    return identified(Factor(
        "", FactorKind.MARKET_INTENSITY, "lab", value, value, value, "g/kWh", "test",
        Method.SOURCED, START_US, rank, book="import", item=draw(st.sampled_from("abc")),
        share=Decimal(draw(st.integers(1, 1_000_000))).scaleb(-6), valid_from_us=first,
        valid_to_us=first + draw(st.integers(1, 30)) * HOUR_US,
    ))  # fmt: skip


@slow
@given(
    tariffs,
    st.lists(intervals(), min_size=1, max_size=8),
    st.lists(instruments(), max_size=4, unique_by=lambda one: (one.item, one.rank)),
)
def test_live_booking_and_the_lines_of_reports_are_equal_to_the_digit(config, made, given_):
    batches, factors = facts(config, made)
    batches, factors = [*batches, LedgerBatch(factors=tuple(given_))], (*factors, *given_)
    booked = defaultdict(Decimal)
    for one in made:
        rates = Rates.at(factors, site("FRA"), hour_of(one.start_us))
        amounts = list(rates.of_energy(one.energy_mj))
        if one.device_id in GPUS and one.kind is Kind.RUN and not one.correction:
            amounts += rates.of_gpu_time(one.end_us - one.start_us)
        for each in amounts:
            kind = each.kind.replace("electricity", each.unit) if each.carbon else each.kind
            with localcontext(prec=60):
                booked[kind, None if each.carbon else each.unit] += each.value.scaleb(9)
    found = ledger_of(batches, lambda reader: totals(reader, "run"))
    lines = defaultdict(Decimal)
    for (kind, currency), row in found.items():
        if not kind.startswith("energy"):
            with localcontext(prec=60):
                lines[kind.replace("_default", ""), currency] += row[0]
    assert {k: v for k, v in lines.items() if v} == {k: v for k, v in booked.items() if v}


@slow
@given(
    st.lists(st.fractions(0, 1, max_denominator=7), min_size=2, max_size=3),
    st.lists(st.tuples(st.integers(1, 90 * 10**9), st.integers(0, 10**8)), max_size=9),
    st.integers(0, 8),
)
def test_live_booking_and_reports_agree_on_a_gpu_that_runs_share(shares, pieces, late):
    anchor = WallAnchor(BOOT_NS, START_US - 3 * MINUTE_US)  # an hour ends within
    builder, at_ns, parts, made = IntervalBuilder(anchor), BOOT_NS, [], []
    for number, (span_ns, energy) in enumerate(pieces):
        segment = Segment(
            IDS[0], at_ns, at_ns + span_ns, energy, energy, energy, Basis.COUNTER, Method.MEASURED
        )
        parts += builder.add(segment)
        at_ns += span_ns
        if number == late:
            parts += builder.release(RUNS[0], at_ns - span_ns // 3)
            made += builder.close(at_ns, run_id=RUNS[0])
        if number == 0:
            for run_id, share in zip(RUNS, shares, strict=False):
                parts += builder.hold(Hold(run_id, IDS[0], at_ns, None, share))
    made += builder.close_all()
    batches, factors = facts(priced(), made)
    booked = defaultdict(Decimal)
    for part in parts:
        if part.run_id is not None:
            rates = Rates.at(factors, site("FRA"), START_US)
            for each in rates.of_gpu_time(part.held_us):
                with localcontext(prec=60):
                    booked[each.kind, each.unit] += each.value.scaleb(9)
    found = ledger_of(batches, lambda reader: totals(reader, "run"))
    lines = {key: row[0] for key, row in found.items() if key[0] == "gpu_time"}
    assert {k: v for k, v in lines.items() if v} == {k: v for k, v in booked.items() if v}


@slow
@given(st.lists(intervals(), min_size=1, max_size=6))
def test_bounds_of_every_line_contain_its_value(made):
    batches, _ = facts(priced(), made)
    for low, value, high in (
        (row[1], row[0], row[2])
        for row in ledger_of(batches, lambda reader: totals(reader, "device")).values()
    ):
        assert low <= value <= high


def test_factors_that_arrive_after_the_energy_rate_it_all_the_same():
    energy = [Interval(IDS[0], Kind.RUN, RUNS[0], START_US + h * HOUR_US, START_US + h * HOUR_US
                       + MINUTE_US, 10**6, 10**6, 10**6, 0, 0, Method.MEASURED)
              for h in range(30)]  # fmt: skip
    batches, _ = facts(priced(), energy)
    late = [*batches[: len(RUNS)], *batches[len(RUNS) + 1 :], batches[len(RUNS)]]
    early = ledger_of(batches, lambda reader: totals(reader, "run"))
    assert early == ledger_of(late, lambda reader: totals(reader, "run"))
    assert early["electricity", "EUR"][0] > 0
