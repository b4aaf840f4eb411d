"""What a hosted job is estimated to have used, and where, by the books."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from meter.factors.books import grid_factor, world_factor
from meter.factors.hosted import hosted_factors
from meter.hosted.constants import Band, Constants, constants_of
from meter.hosted.energy import estimates
from meter.hosted.regions import zone_of_region
from meter.identified import identified
from meter.ledger import recovery
from meter.model import FactorKind
from meter.past.facts import BOOK
from meter.past.hosted import Judged, run_id_of, site_id_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from meter.hosted_facts import HostedJob
    from meter.ledger import Ledger
    from meter.model import Factor

_ONE = Band(Fraction(1), Fraction(1), Fraction(1))


def judge_of(ledger: Ledger) -> Callable[[HostedJob], Judged]:
    """How jobs are judged by what comes with meter, and what the ledger's books say instead."""
    with ledger.reader() as reader:
        rows = (*hosted_factors(0), *recovery.factors(reader))
    return lambda job: judged(job, rows)


def judged(job: HostedJob, rows: Sequence[Factor]) -> Judged:
    """Each estimate of a job, the one that is booked apart from its facility; pure."""
    constants = constants_of(rows, job.created_us)
    shown = estimates(job, constants)
    bare = [one for one in estimates(job, _without_facility(constants)) if one.has_number]
    bare.sort(key=lambda one: one.mid_mj is None)  # a bound alone is the last resort
    zone = zone_of_region(job.provider, job.region)
    by_id = {row.id: row for row in rows}
    pue = constants.find(FactorKind.PUE, job.provider)
    facility = [] if pue is None or not bare else [_of_site(by_id[str(pue.factor_id)], job)]
    used = {id_ for one in shown for id_ in one.factor_ids}
    grid = [grid_factor(zone, 0) if zone else world_factor(0)]
    return Judged(
        estimates=shown,
        energy=bare[0] if bare else None,
        zone=zone,
        factors=(*grid, *facility, *_kept(used, by_id)),
    )


def _kept(used: set[str], by_id: Mapping[str, Factor]) -> list[Factor]:
    """The facts behind estimates, so that the ledger has them too."""
    return [by_id[id_] for id_ in sorted(used)]


def _without_facility(constants: Constants) -> Constants:
    """The same without what the facility adds: that is a factor of the run's place."""
    return Constants({
        key: _ONE if key[0] is FactorKind.PUE else band for key, band in constants.bands.items()
    })  # fmt: skip


def _of_site(row: Factor, job: HostedJob) -> Factor:
    """A provider's PUE as that of the place of one job."""
    scope = site_id_of(run_id_of(job.provider, job.id))
    return identified(replace(row, id="", scope=scope, item=None, recorded_us=0, book=BOOK))
