"""Live intensity in figures: hours win over years, corrections are new rows, no marginal ones."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from meter.factors import factors_of
from meter.factors.feeds import Point, factors_of_points
from meter.factors.feeds.uk_carbon_intensity import about
from meter.factors.feeds.watttime import about as marginal
from meter.ledger import Ledger, reports
from meter.ledger.ledger import Pace
from meter.ledger.synced import synced
from meter.model import LedgerBatch
from tests.ledger.facts import GPUS, HOUR_US, START_US, config, ended, minute, registered, site

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from meter.factors.feeds import About


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """An hour of one GPU, whose zone has a yearly factor."""
    with Ledger.open(tmp_path / "ledger.duckdb", pace=Pace(commit_s=0.0)) as found:
        yearly = tuple(factors_of(config(zone="FRA"), site("FRA"), START_US))
        for batch in (
            registered(zone="FRA"),
            LedgerBatch(factors=yearly),
            LedgerBatch(
                intervals=tuple(minute(n, device=GPUS[0]) for n in range(60)), site_id="lab"
            ),
            ended(minutes=60),
        ):
            found.write(batch, urgent=True).result(10)
        yield found


def halves(about: About, *values: int) -> list[Any]:
    """Rows of half hours from the run's start on."""
    half_us = HOUR_US // 2
    points = [
        Point(START_US + n * half_us, START_US + (n + 1) * half_us, Decimal(value))
        for n, value in enumerate(values)
    ]
    return factors_of_points(points, about, "lab")


def document(ledger: Ledger, as_of_us: int | None = None) -> dict[str, Any]:
    with ledger.reader() as reader:
        run = reports.find_run(reader, "last")
        return reports.run_document(reader, run, as_of_us=as_of_us)


def grams(document: dict[str, Any]) -> float:
    return float(document["carbon"]["location"]["value"])


def test_half_hours_win_over_the_year_where_they_are_known(ledger: Ledger) -> None:
    before = grams(document(ledger))
    kwh = document(ledger)["energy"]["it"]["value"] / 3.6e6
    done = synced(ledger, halves(about(), 100))
    assert (done.new, done.corrected, done.unchanged) == (1, 0, 0)
    assert grams(document(ledger)) == pytest.approx(before / 2 + kwh / 2 * 100)
    synced(ledger, halves(about(), 100, 300))
    assert grams(document(ledger)) == pytest.approx(kwh * 200)
    assert "Carbon Intensity API, zone GB" in {row["source"] for row in document(ledger)["factors"]}


def test_a_late_correction_is_a_new_row_and_the_figure_of_before_is_kept(ledger: Ledger) -> None:
    first = synced(ledger, halves(about(), 100, 100))
    known_us = max(row.recorded_us for row in first.factors)
    before = document(ledger)
    again = synced(ledger, halves(about(), 100, 100))
    assert (again.new, again.corrected, again.unchanged) == (0, 0, 2)
    late = synced(ledger, halves(about(), 100, 140))
    assert (late.new, late.corrected, late.unchanged) == (0, 1, 1)
    assert late.factors[0].recorded_us > known_us
    assert grams(document(ledger)) == pytest.approx(grams(before) * 1.2)
    assert document(ledger, known_us)["carbon"] == before["carbon"]


def test_a_marginal_intensity_is_in_no_figure(ledger: Ledger) -> None:
    before = document(ledger)
    assert synced(ledger, halves(marginal("CAISO_NORTH"), 900, 900)).new == 2
    after = document(ledger)
    assert after["carbon"] == before["carbon"]
    assert after["factors"] == before["factors"]
