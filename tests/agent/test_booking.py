from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from meter.agent import booking
from meter.agent.booking import Account, Books
from meter.factors.live import Booked
from meter.metering.part import Part
from meter.model import Component, Device, Kind, Method

if TYPE_CHECKING:
    from collections.abc import Sequence

GPU = Device("GPU-1", Component.GPU, "H100", Method.MEASURED, index=0)
CPU = Device("cpu-0", Component.CPU, "CPU", Method.MODELLED)
DEVICES = {device.id: device for device in (GPU, CPU)}
RUN = Account("r1", "llama")
S = 1_000_000_000


class Rates:
    """0.2 EUR/kWh, 100 g/kWh, 3.60 EUR per GPU hour."""

    def of_energy(self, energy_mj: int) -> Sequence[Booked]:
        kwh = Decimal(energy_mj) / Decimal(3_600_000_000)
        return [
            Booked(carbon=False, kind="electricity", unit="EUR", value=kwh * Decimal("0.2")),
            Booked(carbon=True, kind="electricity", unit="location", value=kwh * 100),
        ]

    def of_gpu_time(self, held_us: int) -> Sequence[Booked]:
        value = Decimal(held_us) / 1_000_000 * Decimal("0.001")
        return [Booked(carbon=False, kind="gpu_time", unit="EUR", value=value)]


def part(energy_mj: int, run_id: str | None = None, **changes: Any) -> Part:
    values = {
        "device_id": GPU.id,
        "kind": Kind.RUN if run_id else Kind.IDLE,
        "run_id": run_id,
        "start_ns": 0,
        "end_ns": S,
        "energy_mj": energy_mj,
        "low_mj": energy_mj,
        "high_mj": energy_mj,
        "covered": True,
        "method": Method.MEASURED,
        "held_us": S // 1_000,
        **changes,
    }
    return Part(**values)


def book(books: Books, *parts: Part) -> None:
    books.book(parts, DEVICES, {"r1": RUN, "r2": Account("r2", "llama")}, Rates())


def shown(books: Books) -> dict[str, Decimal]:
    """Counters under their name and the values of their labels."""
    return {" ".join([c.name, *(v for _, v in c.labels)]): c.value for c in books.all()}


def test_a_run_has_so_many_phases_of_its_own_and_the_others_together() -> None:
    books = Books()
    for n in range(booking.MAX_PHASES + 5):
        books.phase(RUN, f"p{n}", Decimal(1_000))
    books.phase(RUN, "p3", Decimal(500))
    books.phase(RUN, "", Decimal(500))
    found = shown(books)
    assert found[f"{booking.PHASES} r1 p3"] == Decimal("1.5")
    assert found[f"{booking.PHASES} r1 (other)"] == Decimal("5.5")
    assert len(found) == booking.MAX_PHASES + 1
    assert Books(books.all()).phased_mj("r1") == 22_000


def test_steps_never_go_back() -> None:
    books = Books()
    for done in (3, 9, 4):
        books.steps(RUN, done)
    assert shown(books)["meter_run_steps_total r1"] == 9


def test_a_share_is_labelled_modelled_and_the_whole_device_as_it_is() -> None:
    rapl = Device("cpu-0", Component.CPU, "CPU", Method.MEASURED)
    books = Books()
    half = part(500, "r1", device_id="cpu-0", method=Method.MODELLED)
    other = part(500, "r2", device_id="cpu-0", method=Method.MODELLED)
    books.book([half, other], {"cpu-0": rapl}, {"r1": RUN, "r2": Account("r2", "x")}, Rates())
    found = shown(books)
    assert found["meter_host_energy_joules_total cpu measured"] == Decimal(1)
    assert found["meter_run_energy_joules_total r1 cpu modelled"] == Decimal("0.5")


def test_energy_money_and_carbon_of_a_run_and_its_project() -> None:
    books = Books()
    book(books, part(3_600_000, "r1"), part(7_200_000, device_id="cpu-0", method=Method.MODELLED))
    assert shown(books) == {
        "meter_gpu_energy_joules_total 0 GPU-1": Decimal(3600),
        "meter_host_energy_joules_total cpu modelled": Decimal(7200),
        "meter_energy_joules_total llama gpu measured": Decimal(3600),
        "meter_energy_joules_total (idle) cpu modelled": Decimal(7200),
        "meter_run_energy_joules_total r1 gpu measured": Decimal(3600),
        "meter_cost_total llama own electricity EUR": Decimal("0.0002"),
        "meter_cost_total llama own gpu_time EUR": Decimal("0.001"),
        "meter_cost_total (idle) own electricity EUR": Decimal("0.0004"),
        "meter_run_cost_total r1 electricity EUR": Decimal("0.0002"),
        "meter_run_cost_total r1 gpu_time EUR": Decimal("0.001"),
        "meter_emissions_grams_total llama electricity location": Decimal("0.1"),
        "meter_emissions_grams_total (idle) electricity location": Decimal("0.2"),
        "meter_run_emissions_grams_total r1 electricity location": Decimal("0.1"),
    }


def test_a_new_run_shows_zeros_before_it_used_anything() -> None:
    books = Books()
    books.open(RUN, [GPU], Rates())
    zeros = shown(books)
    assert zeros["meter_run_energy_joules_total r1 gpu measured"] == 0
    assert zeros["meter_run_cost_total r1 electricity EUR"] == 0
    assert zeros["meter_run_cost_total r1 gpu_time EUR"] == 0
    assert len(books.changed()) == len(zeros)


def test_only_what_changed_is_written_and_each_change_once() -> None:
    books = Books()
    book(books, part(1000, "r1"))
    assert len(books.changed()) == len(books.all())
    assert books.changed() == ()
    book(books, part(1000))
    changed = {c.name for c in books.changed()}
    assert "meter_gpu_energy_joules_total" in changed
    assert "meter_run_energy_joules_total" not in changed


def test_restored_counters_go_on_where_they_were() -> None:
    before = Books()
    book(before, part(5000, "r1"))
    after = Books(before.all())
    book(after, part(1000, "r1"))
    assert shown(after)["meter_gpu_energy_joules_total 0 GPU-1"] == 6
    assert shown(after)["meter_run_energy_joules_total r1 gpu measured"] == 6


def test_corrections_are_left_to_the_reports() -> None:
    books = Books()
    book(books, part(5000, "r1"), part(-3000, "r1", correction=True))
    assert shown(books)["meter_gpu_energy_joules_total 0 GPU-1"] == 5


@given(st.lists(st.integers(-10_000, 10_000), max_size=30))
def test_no_counter_ever_falls_and_what_was_taken_back_is_made_up_for(moves: list[int]) -> None:
    books = Books()
    last: dict[str, Decimal] = {}
    for energy_mj in moves:
        book(books, part(energy_mj, "r1"))
        now = shown(books)
        assert all(now[name] >= value for name, value in last.items())
        last = now
    book(books, part(1_000_000, "r1"))
    total = shown(books)["meter_run_energy_joules_total r1 gpu measured"]
    assert total == Decimal(sum(moves) + 1_000_000) / 1000


@given(st.lists(st.tuples(st.sampled_from(["r1", "r2", None]), st.integers(0, 10**9)), min_size=1))
def test_projects_add_up_to_devices(moves: list[tuple[str | None, int]]) -> None:
    books = Books()
    for run_id, energy_mj in moves:
        book(books, part(energy_mj, run_id))
    totals = shown(books)
    of_projects = sum(v for n, v in totals.items() if n.startswith("meter_energy_joules_total"))
    assert of_projects == totals["meter_gpu_energy_joules_total 0 GPU-1"]


@given(st.lists(st.lists(st.tuples(st.sampled_from(["r1", "r2"]), st.integers(0, 10**9)))))
def test_a_projects_energy_and_hours_are_those_of_its_runs(
    flushes: list[list[tuple[str, int]]],
) -> None:
    books = Books()
    for flush in flushes:
        book(books, *(part(energy_mj, run_id) for run_id, energy_mj in flush))
    found = shown(books)
    for what, of_run, of_project in (
        ("energy_joules_total", "gpu measured", "llama gpu measured"),
        ("cost_total", "gpu_time EUR", "llama own gpu_time EUR"),
    ):
        runs = [found.get(f"meter_run_{what} {run_id} {of_run}", 0) for run_id in ("r1", "r2")]
        assert found.get(f"meter_{what} {of_project}", 0) == sum(runs)


def test_what_changes_hands_within_a_project_leaves_the_project_as_it_was() -> None:
    books = Books()
    book(books, part(5_000, "r1"))
    book(books, part(-2_000, "r1", held_us=0), part(2_000, "r2", held_us=0))
    book(books, part(1_000, "r1"))
    found = shown(books)
    assert found["meter_energy_joules_total llama gpu measured"] == Decimal(6)
    assert found["meter_run_energy_joules_total r1 gpu measured"] == Decimal(5)  # 1 J was owed
    assert found["meter_run_energy_joules_total r2 gpu measured"] == Decimal(2)


def test_a_forgotten_run_leaves_the_page_and_its_project_keeps_the_energy() -> None:
    books = Books()
    book(books, part(5000, "r1"))
    books.forget("r1")
    names = set(shown(books))
    assert not any(" r1 " in name for name in names)
    assert shown(books)["meter_energy_joules_total llama gpu measured"] == 5
    assert all("r1" not in dict(c.labels).values() for c in books.changed())


def test_projects_beyond_the_limit_share_one_series_and_are_counted(monkeypatch: Any) -> None:
    monkeypatch.setattr(booking, "MAX_PROJECTS", 2)
    books = Books()
    accounts = {name: Account(name, f"project-{name}") for name in "abcd"}
    for name in accounts:
        books.book([part(1000, name)], DEVICES, accounts, Rates())
    assert shown(books)["meter_energy_joules_total (other) gpu measured"] == 2
    assert books.dropped == 2


def test_what_has_no_series_is_left_out_while_it_is_there_and_dropped_for_ever(
    monkeypatch: Any,
) -> None:
    monkeypatch.setattr(booking, "MAX_PROJECTS", 1)
    books = Books()
    assert [books.named(name) for name in "abc"] == ["a", "(other)", "(other)"]
    assert (books.left_out, books.dropped) == (2, 2)
    books.turn()
    books.named("b")
    assert books.left_out == 2
    books.turn()
    assert (books.left_out, books.dropped) == (1, 2)
    books.turn()
    assert (books.left_out, books.dropped) == (0, 2)
    books.named("c")
    assert (books.left_out, books.dropped) == (1, 2)


def test_tokens_only_grow() -> None:
    books = Books()
    for total in (10, 30, 20):
        books.tokens(RUN, total)
    assert shown(books)["meter_run_tokens_total r1 train"] == 30


def test_runs_that_share_a_gpu_share_its_hours() -> None:
    books = Books()
    book(books, part(1000, "r1", held_us=500_000), part(1000, "r2", held_us=500_000))
    assert shown(books)["meter_run_cost_total r1 gpu_time EUR"] == Decimal("0.0005")
    assert shown(books)["meter_cost_total llama own gpu_time EUR"] == Decimal("0.001")
