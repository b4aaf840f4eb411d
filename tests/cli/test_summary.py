"""The summary of a run for a terminal."""

from __future__ import annotations

import copy
import subprocess
import sys
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meter import figures, summary
from tests.exporters.documents import document, marked, quantity


def lines(made: dict[str, Any], **options: Any) -> list[str]:
    """The summary's lines."""
    return summary.text(made, **options).splitlines()


def line_of(label: str, made: dict[str, Any]) -> str:
    """The line with this label."""
    return next(line for line in lines(made) if line.startswith(f"  {label} "))


def test_a_full_document_fits_fifteen_lines_of_eighty_columns() -> None:
    shown = lines(document(), ledger="/home/u/.local/state/meter/ledger.duckdb")
    assert len(shown) <= 15
    assert max(map(len, shown)) <= 80
    assert shown[0] == "meter: mistral-7b-lora [support-chat], completed after 20 min 00 s"


def test_energy_has_scaled_units_bounds_and_its_measured_share() -> None:
    assert "411 Wh (375 to 448), 91.5 % measured, coverage 99.2 %" in line_of("Energy", document())


def test_a_tiny_part_has_a_unit_of_its_own() -> None:
    made = document()
    made["energy"]["by_component"]["ram"] = quantity(28.8, 20, 40, "J", "modelled")
    assert "CPU 26.8 Wh modelled, RAM 28.8 J modelled" in summary.text(made)


def test_a_part_of_which_nothing_is_known_is_not_left_out() -> None:
    made = document()
    made["energy"]["by_component"]["gpu"] = quantity(0, 0, 840_000, "J", "modelled")
    assert "GPU 0 Wh modelled, CPU" in summary.text(made)
    made["energy"]["it"] = made["energy"]["by_component"]["gpu"]
    assert "0 Wh (0 to 233)" in line_of("Energy", made)


def test_an_own_part_of_which_nothing_is_sure_is_shown_as_the_sums_hold_it() -> None:
    """Half of a CPU that two runs hold: 0 to all of it is possible, half is in the total."""
    made = document()
    shared = quantity(27.3, 0.0, 54.6, "J", "assumed")
    made["energy"]["by_component"]["cpu"] = shared
    made["phases"] = [{"phase": "train", "energy": shared, "share": 1.0}]
    made["per"] = {"step": shared}
    shown = summary.text(made)
    assert "CPU 27.3 J assumed" in shown
    assert "Per       step 27.3 J" in shown
    assert "at most" not in shown


def test_of_two_notices_of_a_kind_that_of_the_device_which_used_more_is_first() -> None:
    gpu, cpu = (one["id"] for one in figures.devices(document())[::2])
    for order in (1, -1):
        notices = [
            {"code": code, "severity": "info", "text": f"{code} of {one}", "device": one}
            for code, one in (
                ("shared_by_use", gpu), ("shared_device", gpu), ("shared_device", cpu),
            )
        ]  # fmt: skip
        made = document(notices=notices[::order], cost=[], carbon={}, equivalents=[])
        shown = summary.text(made, width=200)
        places = [shown.index(notice["text"]) for notice in notices]
        assert places == sorted(places)


def test_modelled_components_say_so() -> None:
    shown = summary.text(document())
    assert "GPU 377 Wh, CPU 26.8 Wh modelled, RAM 8.00 Wh modelled" in shown


def test_costs_stand_beside_their_currency_and_are_never_added() -> None:
    shown = " ".join(summary.text(document()).split())
    assert "0.10 EUR (0.09 to 0.11) electricity" in shown
    assert "1.40 USD GPU time" in shown


def test_carbon_names_its_basis_and_method() -> None:
    assert "27.7 g CO2e (21.8 to 35.9), location-based, modelled" in line_of("Carbon", document())


def test_the_household_comparison_names_its_source() -> None:
    assert "0.051 household-days (9.7 kWh a day, Eurostat, 2022)" in summary.text(document())


def test_empty_parts_are_left_out() -> None:
    made = document(cost=[], per={}, factors=[], equivalents=[], notices=[], coverage=None)
    made["energy"]["facility"] = None
    made["carbon"]["location"] = None
    shown = summary.text(made)
    labels = ("Cost", "Carbon", "Compare", "Per ", "Facility", "Note", "Ledger", "coverage")
    assert not [label for label in labels if label in shown]


def test_nothing_simulated_is_called_measured() -> None:
    shown = summary.text(document(simulated=True))
    assert "SIMULATED" in shown.splitlines()[0]
    assert "91.5 % simulated" in shown
    assert "measured" not in shown


def test_many_notices_are_cut_with_a_pointer_and_warnings_come_first() -> None:
    notices = [
        {"code": f"n{i}", "severity": "warning" if i == 30 else "info", "text": f"Notice {i}."}
        for i in range(31)
    ]
    shown = lines(document(notices=notices), ledger="/l")
    notes = [line for line in shown if "  Note" in line]
    assert len(shown) == 15
    assert "Notice 30." in notes[0]
    assert "more: meter show 01K92F5D4RZ8Q7XW3M6T1VBN0C" in notes[-1]


def said(code: str, text: str, severity: str = "warning") -> dict[str, str]:
    """A notice."""
    return {"code": code, "severity": severity, "text": text}


HELD = "Nothing is kept of this: the ledger /home/u/.local/state/meter/ledger.duckdb is held by 7."
NOTICES = [
    said("no_zone", "No grid zone is set: " + "word " * 30),
    said("no_tariff", "No electricity tariff: " + "word " * 30, "info"),
    said("counter_reset", "H100 (GPU-1): its energy counter started anew. " + "word " * 20),
    said("config_error", "site.pue (/c.toml, line 2) must be at least 1."),
    said("device_leased", "The GPU GPU-2 is metered by process 9, so it is not counted here."),
    said("ledger_unavailable", HELD),
    said("port_taken", "cannot listen on 127.0.0.1:9850 for Prometheus: another program does."),
]


@pytest.mark.parametrize("width", [40, 60, 80, 120])
@pytest.mark.parametrize("ledger", ["/home/user/.local/state/meter/ledger.duckdb", ":memory:"])
def test_faults_of_our_own_are_seen_at_any_width(width: int, ledger: str) -> None:
    shown = lines(document(notices=NOTICES), width=width, ledger=ledger)
    text = "\n".join(shown)
    places = [text.find(words) for words in ("The GPU GPU-2", "Nothing is kept", "cannot listen")]
    assert -1 not in places
    assert "  Energy" in text
    assert len(shown) <= 15
    assert max(map(len, shown)) <= width
    assert text.find("No electricity") == -1 or text.find("its energy counter") != -1
    for later in ("its energy counter", "site.pue", "No grid zone"):
        assert text.find(later) == -1 or text.find(later) > max(places)


def test_quality_of_the_figures_goes_before_advice() -> None:
    made = document(notices=NOTICES[:4], cost=[], per={}, factors=[], equivalents=[])
    made["energy"]["facility"] = None
    made["carbon"]["location"] = None
    text = summary.text(made, width=120)
    order = [text.find(w) for w in ("its energy counter", "site.pue", "No grid zone")]
    assert -1 not in order
    assert order == sorted(order)


def test_a_ledger_in_memory_is_said_to_keep_nothing() -> None:
    shown = summary.text(document(notices=NOTICES), ledger=":memory:")
    assert "nothing of this run is kept" in shown
    assert ":memory:" not in shown
    assert "meter show" not in shown
    assert "meter report" not in shown


def test_a_failed_run_says_its_exit_code() -> None:
    made = document()
    made["run"].update(status="failed", exit_code=3)
    assert "failed (exit 3)" in lines(made)[0]


def test_names_of_others_cannot_steer_the_terminal() -> None:
    made = document()
    made["run"]["name"] = "\x1b[2J\nevil\u202e" + "x" * 500
    made["run"]["project"] = "\x07" * 50
    shown = summary.text(made)
    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert max(map(len, shown.splitlines())) <= 80
    assert shown.isascii()


@given(st.integers(40, 200), st.floats(0, 1e15), st.integers(0, 40), st.booleans())
def test_every_document_keeps_its_place(
    width: int, joules: float, notes: int, simulated: bool
) -> None:
    made = document(
        simulated=simulated,
        notices=[{"code": "c", "text": "word " * 60} for _ in range(notes)],
    )
    made["energy"]["it"] = quantity(joules, joules / 2, joules * 2, "J", "modelled")
    shown = lines(made, width=width, ledger="/l/ledger.duckdb")
    assert len(shown) <= 15
    assert max(map(len, shown)) <= max(width, 80)
    assert any("Report" in line for line in shown)


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (0, "J", "0 J"),
        (0.5, "J", "0.500 J"),
        (999.4, "J", "999 J"),
        (1_500, "J", "1.50 kJ"),
        (36_000, "J", "10.0 Wh"),
        (3_600_000, "J", "1.00 kWh"),
        (7.2e9, "J", "2.00 MWh"),
        (0.004, "g", "4.00 mg"),
        (12.34, "g", "12.3 g"),
        (4_560, "g", "4.56 kg"),
        (2.5e6, "g", "2.50 t"),
        ("12.345", "EUR", "12.35 EUR"),
        ("0.000123456", "EUR", "0.00012 EUR"),
        ("0", "EUR", "0.00 EUR"),
        ("1234567.891", "EUR", "1,234,567.89 EUR"),
    ],
)
def test_figures_are_scaled_to_units_that_people_read(
    value: float | str, unit: str, shown: str
) -> None:
    assert figures.figure(quantity(value, value, value, unit, "measured")) == shown


@given(st.floats(1e-9, 1e15))
def test_a_shown_number_is_within_one_percent_and_has_no_exponent(value: float) -> None:
    shown = figures.number(value)
    assert "e" not in shown
    assert abs(float(shown.replace(",", "")) - value) <= 0.01 * value


@pytest.mark.parametrize(
    ("share", "shown"),
    [(1, "100 %"), (0.99999, "> 99.9 %"), (0.0001, "< 0.1 %"), (0, "0 %"), (0.915, "91.5 %")],
)
def test_only_a_whole_is_called_a_hundred_percent(share: float, shown: str) -> None:
    assert figures.percent(share) == shown


def test_money_is_never_a_float() -> None:
    assert figures.money("123456789012345678.01") == "123,456,789,012,345,678.01"
    assert figures.decimal_of("garbage") == Decimal(0)


def test_the_summary_does_not_change_the_document() -> None:
    made = document()
    before = copy.deepcopy(made)
    summary.text(made)
    assert made == before


def test_the_summary_imports_nothing_heavy() -> None:
    code = (
        "import sys, meter.summary\n"
        "heavy = {'click', 'rich', 'jinja2', 'duckdb', 'fastapi', 'pydantic', 'pynvml'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_instrument_is_shown_with_what_it_covers() -> None:
    row = {"value": 10.0, "low": 10.0, "high": 10.0, "unit": "g/kWh", "share": 0.6}
    assert figures.factor_value(row) == "10 g/kWh for 60 %"
    assert figures.factor_value({**row, "share": 1.0}) == "10 g/kWh"
    assert figures.factor_value({**row, "share": None}) == "10 g/kWh"


def test_phases_and_epochs_are_told_in_a_line_each() -> None:
    made = marked(notices=[], cost=[], equivalents=[])
    assert "train 333 Wh (70 %), <eval> 83.3 Wh (20 %)" in line_of("Phases", made)
    assert "1: 194 Wh, 1.5: 97.2 Wh" in line_of("Epochs", made)
    assert "(95 % up to 3.40 kJ)" in line_of("Per", made)
    made["epochs"][1]["training"] = 2
    assert "1: 194 Wh, 1.5 of training 2: 97.2 Wh" in line_of("Epochs", made)


def test_of_many_phases_and_epochs_some_are_told_and_the_others_counted() -> None:
    made = marked(notices=[], cost=[], equivalents=[])
    made["phases"] *= 5
    made["epochs"] *= 5
    assert "5 more" in " ".join(summary.text(made).split())
    assert "6 earlier" in " ".join(summary.text(made).split())
