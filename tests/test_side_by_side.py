"""Own and hosted runs side by side: which energy is an upper bound alone."""

from __future__ import annotations

from decimal import Decimal

import pytest

from meter.side_by_side import OWN_GPUS, Sides, table
from meter.side_told import energy


@pytest.mark.parametrize(
    ("provider", "where", "told"),
    [(None, OWN_GPUS, "0 to 0.020"), ("fireworks", "fireworks", "<= 0.020")],
)
def test_only_of_a_hosted_run_an_upper_bound_hides_the_middle(provider, where, told) -> None:
    """An own run on half of a CPU that was assumed has such bounds too, and half is its part."""
    line = {"run_id": "a", "kind": "energy", "currency": None, "amount": Decimal(36_000_000),
            "low": Decimal(0), "high": Decimal(72_000_000), "method": "assumed"}  # fmt: skip
    tokens = {"run_id": "a", "provider": provider, "tokens": None}
    (row,) = table(Sides([{"run_id": "a", "method": "assumed"}], [line], [tokens]))
    assert row["where"] == where
    assert row["only_bound"] == (provider is not None)
    assert energy({**row, "energy_basis": "facility"}) == told


def test_the_method_of_a_figure_is_the_weakest_of_all_that_is_in_it() -> None:
    """A measured energy is not measured any more with a facility's PUE, nor is its carbon."""
    parts = {"energy": "measured", "energy_overhead": "modelled", "location": "sourced",
             "location_overhead": "assumed"}  # fmt: skip
    lines = [
        {"run_id": "a", "kind": kind, "currency": None, "amount": Decimal(1), "low": Decimal(1),
         "high": Decimal(1), "method": method}
        for kind, method in parts.items()
    ]  # fmt: skip
    (row,) = table(Sides([{"run_id": "a", "method": "measured"}], lines, []))
    assert (row["energy_method"], row["carbon_method"]) == ("modelled", "assumed")
    (bare,) = table(Sides([{"run_id": "a", "method": "measured"}], lines[:1], []))
    assert (bare["energy_method"], bare["carbon_method"]) == ("measured", None)
