"""The founding example: every figure of its page is computed here, and none besides is there."""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

from meter.hosted.constants import short
from meter.hosted.energy import estimates
from meter.hosted_facts import Gpus, Meter
from meter.model import FactorKind
from tests.hosted.jobs_told import BUNDLED, exactly, job, kwh, without
from tests.hosted.priced import cost, usage

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "founding-example.md").read_text()
HOUSEHOLDS = Fraction(10_500, 365) * 10
TOKENS = Decimal(300) / 8 * 10**6
NARROW = exactly(
    (FactorKind.SERVER_RATIO, "A100", "1.6"), (FactorKind.PUE, None, "1.2"),
    (FactorKind.MFU, None, "0.3-0.43"), base=without(items=("H100", "H200", "B200")),
)  # fmt: skip
AROUND = Fraction("1.6") * Fraction("1.2")


def estimate(tier: int, constants=BUNDLED, **changes):
    told = job((Meter.TRAIN_TOKEN, TOKENS), hours=24, **changes)
    (found,) = (one for one in estimates(told, constants) if one.tier == tier)
    return found


def rounded(number: Fraction, digits: int = 0) -> str:
    return f"{float(number):.{digits}f}"


def percent(share: Fraction, digits: int = 0) -> str:
    return f"{rounded(share * 100, digits)} %"


def assert_page_says(*parts: str) -> None:
    for part in parts:
        assert part in " ".join(PAGE.split()), part


def test_300_dollars_buy_37_and_a_half_million_tokens():
    told = usage("openai", "gpt-3.5-turbo")
    assert cost(told, Meter.TRAIN_TOKEN, TOKENS) == 300
    a_million = Fraction(cost(told, Meter.TRAIN_TOKEN, 10**6))
    assert_page_says(f"$300 at ${short(a_million)} a million trained tokens: "
         f"{short(Fraction(TOKENS) / 10**6)} million tokens")  # fmt: skip


def test_ten_households_of_a_day():
    assert_page_says(f"{rounded(HOUSEHOLDS)} kWh at 10,500 kWh a year each")


def test_the_tokens_bound():
    narrow, wide = estimate(3, NARROW), estimate(3)
    low, high = kwh(narrow.low_mj), kwh(narrow.high_mj)
    assert_page_says(
        f"| {rounded(low / AROUND, 1)} to {rounded(high / AROUND, 1)} "
        f"| {rounded(low)} to {rounded(high)} |",
        f"| {rounded(kwh(wide.low_mj), 1)} to {rounded(kwh(wide.high_mj))}, "
        f"middle {rounded(kwh(wide.mid_mj))} |",
    )
    told = dict(wide.inputs)
    assert told["gpus"] == "A100, H100"
    assert_page_says(f"{told['parameters_b']} billion parameters are assumed")
    least, most = (Fraction(part) for part in told["mfu"].split(" to "))
    assert_page_says(f"{short(least * 100)} % to {short(most * 100)} % of the peak")
    fewest, all_weights = told["flop"].split(" to ")
    assert_page_says(f"({all_weights} FLOP for each token and parameter) or an adapter ({fewest})")


def test_the_time_bound():
    pue = exactly((FactorKind.PUE, None, "1.2"))
    for board in ("A100", "H100"):
        bound = estimate(2, pue, gpus=Gpus(board, Decimal(0)))
        watts = Fraction(dict(bound.inputs)["node_watts"])
        assert_page_says(
            f"| DGX {board} ({short(watts / 1000)} kW), PUE 1.2 | {rounded(kwh(bound.high_mj))} |"
        )
    ours = estimate(2)
    assert_page_says(
        f"DGX H100, PUE up to {dict(ours.inputs)['pue']} | {rounded(kwh(ours.high_mj))} |"
    )


def test_what_both_say_about_the_claim():
    pue = exactly((FactorKind.PUE, None, "1.2"))
    node = kwh(estimate(2, pue, gpus=Gpus("H100", Decimal(0))).high_mj)
    assert_page_says(
        f"{rounded(HOUSEHOLDS)} kWh is a node for a day: {percent(HOUSEHOLDS / node)} of a DGX"
    )
    narrow, wide = estimate(3, NARROW), estimate(3)
    assert_page_says(
        f"for {percent(kwh(narrow.low_mj) / HOUSEHOLDS)} to "
        f"{percent(kwh(narrow.high_mj) / HOUSEHOLDS)} of it",
        f"at most half ({percent(kwh(wide.high_mj) / HOUSEHOLDS)})",
        f"at {percent(Fraction('0.3') * kwh(narrow.high_mj) / HOUSEHOLDS, 1)} of their peak",
    )
    assert kwh(wide.high_mj) < HOUSEHOLDS < kwh(estimate(2).high_mj)


def test_no_figure_of_the_page_is_left_to_belief():
    known = {
        "3.5", "300", "24", "8", "37.5", "288", "10,500", "20", "70", "6", "4", "43", "30", "1.6",
        "1.2", "2.5", "18.7", "5", "36", "10", "51.4", "1.5", "148", "15", "6.5", "187", "10.2",
        "294", "1.3", "318", "98", "2", "12", "51", "3.7", "1", "3",
    }  # fmt: skip
    assert set(re.findall(r"(?<![A-Za-z\d])\d[\d,.]*\d|(?<![A-Za-z\d])\d", PAGE)) <= known
