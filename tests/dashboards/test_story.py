"""What a real Prometheus keeps of an agent's counters, against the ledger; and who is told.

Figures are equal to what a float keeps, without a tolerance: counters are kept and summed with
all 24 places of the ledger's lines, and the page rounds once, to the nearest double. Documents
round once too, to 9 places, so they are compared with the lines that they are made of. One figure
may differ: GPU time is in whole microseconds of wall time, and two agents that saw the same time
may label it one apart.
"""

from __future__ import annotations

import subprocess
import time
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from agent.agents import until
from dashboards.asked import BOARDS, ROOT, alerts, targets
from dashboards.story import (
    AT_ONCE,
    DEARER,
    LAST_WORDS,
    OTHERS,
    PER_GPU_HOUR,
    POWER_W,
    RANGE,
    TARIFF,
    Told,
    told,
)
from meter.instants import parse_us
from meter.ledger import recovery
from meter.ledger.history import Asked
from meter.ledger.history import samples as samples_of
from meter.ledger.reader import open_reader
from meter_exporters.metric_families import families

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from meter.ledger import Reader

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

OF_THE_PROCESS = "since the agent's start"
"""Help of counters that begin anew with each agent; all others are kept."""
KEPT = [n for n, kind, text, _ in families() if kind == "counter" and OF_THE_PROCESS not in text]
TICK_S = Decimal("0.1")
"""Of the stand-in's counters."""
MONEY = {"electricity", "electricity_overhead", "gpu_time", "api_tokens", "api_training"}
BASES = {"location", "market"}
RUNS = ("live", "other", "over")
"""That were over when all was booked; the first two went on through crash and restart."""
OF_RUNS = pytest.mark.parametrize("run", RUNS)
JOB = "openai:ftjob-sft"
Figures = dict[tuple[str, ...], Decimal]
Samples = list[tuple[float, float]]


@pytest.fixture(scope="module")
def story(
    tmp_path_factory: pytest.TempPathFactory, require_tool: Callable[[str], str]
) -> Iterator[Told]:
    with told(tmp_path_factory.mktemp("story"), require_tool) as found:
        yield found


@pytest.fixture(scope="module")
def ledger(story: Told) -> Iterator[Reader]:
    with open_reader(story.ledger) as reader:
        yield reader


def samples(
    story: Told, name: str, **labels: str
) -> dict[tuple[str, ...], list[tuple[float, float]]]:
    """All that was scraped of a counter: instants and values, by the values of its labels."""
    [order] = [labels for found, _, _, labels in families() if found == name]
    chosen = ",".join(f'{label}="{value}"' for label, value in labels.items())
    return {
        tuple(series["metric"].get(label, "") for label in order): [
            (at, float(value)) for at, value in series["values"]
        ]
        for series in story.prometheus.now(f"{name}{{{chosen}}}[{RANGE}]")
    }


def booked(story: Told, name: str, **labels: str) -> dict[tuple[str, ...], float]:
    """What PromQL says a counter stood at when all was booked and nothing corrected."""
    [order] = [labels for found, _, _, labels in families() if found == name]
    chosen = ",".join(f'{label}="{value}"' for label, value in labels.items())
    query = f"last_over_time({name}{{{chosen}}}[{RANGE}])"
    found = story.prometheus.ask("query", query=query, time=story.booked_s)["data"]["result"]
    return {
        tuple(series["metric"].get(label, "") for label in order): float(series["value"][1])
        for series in found
    }


def lines(ledger: Reader, story: Told, what: str) -> dict[tuple[str, str], Figures]:
    """Money and carbon by kind of each run or project, exact, at the as-of of booking."""
    as_of = parse_us(story.documents["live"]["as_of"])
    found: dict[tuple[str, str], Figures] = {}
    for row in ledger.rows(f"totals/by_{what.removesuffix('_id')}", as_of=as_of):
        kind, owner, amount = row["kind"], row[what] or "(idle)", row["amount"].scaleb(-9)
        basis, over = kind.partition("_")[0], kind.endswith("_overhead")
        if kind in MONEY:
            found.setdefault((owner, "cost"), {})[kind, row["currency"]] = amount
        elif basis in BASES:
            grams = found.setdefault((owner, "emissions"), {})
            key = ("_overhead" if over else "", basis)  # of all instruments together
            grams[key] = grams.get(key, Decimal(0)) + amount
    return found


def as_shown(figures: Mapping[tuple[str, ...], Decimal]) -> Any:
    """Figures but for a millijoule or two: a minute that a crash cut is split by its rows again,
    and who of those that share a device gets the rounded millijoule may be another then.
    """
    return pytest.approx({key: float(value) for key, value in figures.items()}, rel=2e-5)


def joules(value: float) -> Decimal:
    """Energy as it is booked: whole millijoules."""
    return Decimal(str(value)).quantize(Decimal("0.001"))


@OF_RUNS
def test_energy_of_a_run_is_the_documents_by_component_and_method(story: Told, run: str) -> None:
    expected: dict[tuple[str, ...], Decimal] = {}
    for device in story.documents[run]["energy"]["devices"]:
        key = (run, device["component"], device["method"])
        expected[key] = expected.get(key, Decimal(0)) + joules(device["energy"]["value"])
    assert len(expected) == 3
    assert booked(story, "meter_run_energy_joules_total", run=run) == as_shown(expected)
    whole = sum(expected.values())
    assert whole == joules(story.documents[run]["energy"]["it"]["value"])


def assert_paid(found: dict[tuple[str, ...], float], exact: Figures) -> None:
    """The same money, but for a microsecond of GPU time of each of the two runs that went on."""
    held = ("gpu_time", "EUR")
    assert {k: v for k, v in found.items() if k != held} == as_shown(
        {k: v for k, v in exact.items() if k != held}
    )
    microsecond = PER_GPU_HOUR / 3.6e9
    assert found.get(held, 0.0) == pytest.approx(float(exact.get(held, 0)), abs=2.01 * microsecond)


@OF_RUNS
def test_money_of_a_run_is_the_ledgers_by_kind_and_currency(
    story: Told, ledger: Reader, run: str
) -> None:
    exact = lines(ledger, story, "run_id")[run, "cost"]
    found = booked(story, "meter_run_cost_total", run=run)
    assert_paid({key[1:]: value for key, value in found.items()}, exact)
    document = {
        (c["kind"], c["currency"]): c["amount"]["value"] for c in story.documents[run]["cost"]
    }
    assert {key: Decimal(value) for key, value in document.items()} == {
        key: round(value, 9) for key, value in exact.items()
    }
    assert (("api_tokens", "USD") in exact) == (run in {"live", "over"})


@OF_RUNS
def test_carbon_of_a_run_is_the_ledgers_by_kind_and_basis(
    story: Told, ledger: Reader, run: str
) -> None:
    exact = lines(ledger, story, "run_id")[run, "emissions"]
    found = booked(story, "meter_run_emissions_grams_total", run=run)
    named = {(run, f"electricity{over}", basis): v for (over, basis), v in exact.items()}
    assert found == as_shown(named)
    carbon = story.documents[run]["carbon"]
    for basis in BASES:
        whole = exact["", basis] + exact["_overhead", basis]
        assert Decimal(str(carbon[basis]["value"])) == round(whole, 9)


def test_tokens_of_a_run_are_its_marks_and_its_hosted_usage(story: Told) -> None:
    usage = {("live", one["meter"]): one["quantity"] for one in story.documents["live"]["usage"]}
    assert len(usage) == 2
    marked = {("live", "train"): 4096, ("over", "train"): 4096}
    ended = {("over", "output"): LAST_WORDS}
    assert booked(story, "meter_run_tokens_total") == {**usage, **marked, **ended}


def test_money_and_carbon_of_projects_are_the_sums_of_their_runs_and_usage(
    story: Told, ledger: Reader
) -> None:
    exact = lines(ledger, story, "project")
    for project, carbon in (("chat", "electricity"), ("bot", "hosted")):
        found = booked(story, "meter_cost_total", project=project)
        by_kind = {(kind, currency): v for (_, _, kind, currency), v in found.items()}
        assert len(by_kind) == len(found)
        assert_paid(by_kind, exact[project, "cost"])
        grams = {
            (project, f"{carbon}{over}", basis): value
            for (over, basis), value in exact[project, "emissions"].items()
        }
        assert booked(story, "meter_emissions_grams_total", project=project) == as_shown(grams)


def test_energy_of_projects_is_the_sum_of_their_runs(story: Told) -> None:
    found = booked(story, "meter_energy_joules_total")
    for project, runs in (("chat", RUNS), ("bot", (JOB,))):
        shown = sum(joules(value) for key, value in found.items() if key[0] == project)
        documents = [story.documents[run]["energy"] for run in runs]
        of_runs = [sum(q["value"] for q in e["by_component"].values()) for e in documents]
        assert shown == sum(map(joules, of_runs))


def test_projects_and_idle_time_add_up_to_the_devices_in_every_scrape(story: Told) -> None:
    def at_each(name: str, **labels: str) -> dict[float, Decimal]:
        sums: dict[float, Decimal] = {}
        for series in samples(story, name, **labels).values():
            for at, value in series:
                sums[at] = sums.get(at, Decimal(0)) + joules(value)
        return sums

    devices = at_each("meter_gpu_energy_joules_total")
    assert len(devices) > 10
    assert at_each("meter_energy_joules_total", component="gpu") == devices


def test_what_is_kept_at_the_end_is_every_interval(ledger: Reader, story: Told) -> None:
    """Through a crash, a restart and a correction: of runs to the millijoule.

    Of the second in which a run ended before the crash its device keeps the sum, and what of it
    is nobody's is rebuilt by an even split, where the counter had a curve of ticks.
    """
    kept = {(c.name, *dict(c.labels).values()): c.value for c in recovery.counters(ledger)}
    energy: dict[str, Decimal] = {}
    for row in ledger.rows("totals/by_project", only_kind="energy"):
        energy[row["project"] or "(idle)"] = row["amount"].scaleb(-3)
    assert energy.keys() == {"chat", "later", "bot", "(idle)"}
    for project, exact in energy.items():
        of_project = [
            value for key, value in kept.items()
            if key[:2] == ("meter_energy_joules_total", project)
        ]  # fmt: skip
        ticks = Decimal(sum(POWER_W.values())) * TICK_S if project == "(idle)" else 0
        assert abs(sum(of_project) - exact) <= ticks, project
    for (gpu, uuid), scraped in samples(story, "meter_gpu_energy_joules_total").items():
        assert scraped[-1][1] <= kept["meter_gpu_energy_joules_total", gpu, uuid]


@pytest.mark.parametrize("name", KEPT)
def test_no_counter_goes_back_when_the_agent_is_killed_or_ends(story: Told, name: str) -> None:
    found = story.prometheus.now(f"resets({name}[{RANGE}])")
    assert [series for series in found if series["value"][1] != "0"] == []
    for series in samples(story, name).values():
        assert all(before <= after for (_, before), (_, after) in pairwise(series))


@pytest.mark.parametrize("name", ["energy_joules", "cost", "emissions_grams", "tokens"])
def test_a_run_that_was_over_is_scraped_through_crash_and_restart(story: Told, name: str) -> None:
    """Its last figures, to the end of the story: it is less than 15 minutes long."""
    found = samples(story, f"meter_run_{name}_total", run="over")
    assert found
    for series in found.values():
        assert series[-1][0] > story.booked_s
        assert series[-1][1] == max(value for _, value in series)


def test_counters_that_are_kept_were_scraped() -> None:
    assert "meter_energy_joules_total" in KEPT
    assert len(KEPT) >= 13


def test_no_sum_jumps_ahead_of_what_the_gpus_have_used(story: Told) -> None:
    """In no scrape is a GPU ahead of its power times the time there was, nor behind in the end."""
    found = samples(story, "meter_gpu_energy_joules_total")
    assert len(found) == len(POWER_W)
    for (gpu, _), series in found.items():
        for at, value in series:
            assert value <= POWER_W[gpu] * (at - story.began_s + float(TICK_S))


def test_a_run_through_crash_and_restart_has_the_energy_that_its_gpu_used(story: Told) -> None:
    """Within 0.1 % and a tick at each end, which is what is held for a run without them."""
    document = story.documents["live"]
    truth = POWER_W["0"] * document["run"]["duration_s"]
    slack = 0.001 * truth + 2 * POWER_W["0"] * float(TICK_S)
    assert document["energy"]["by_component"]["gpu"]["value"] == pytest.approx(truth, abs=slack)
    assert "gap_bridged" in {notice["code"] for notice in document["notices"]}


def test_history_has_the_sites_and_zones_of_the_pages_and_no_others(
    ledger: Reader, story: Told
) -> None:
    """A job at a provider has a place of its own, of which a live page knows nothing."""
    asked = Asked.of(int(story.began_s * 1e6), int(time.time() * 1e6))
    places = {
        "meter_pue_ratio": "site",
        "meter_electricity_price_per_kwh": "site",
        "meter_grid_intensity_grams_per_kwh": "zone",
    }
    told = {(one.name, one.values[0]) for one in samples_of(ledger, asked)}
    for name, label in places.items():
        live = {series["metric"][label] for series in story.prometheus.now(f"{name}[{RANGE}]")}
        assert live
        assert {place for found, place in told if found == name} == live


def test_a_correction_moves_reports(story: Told) -> None:
    def electricity(document: dict[str, Any]) -> Decimal:
        [cost] = [cost for cost in document["cost"] if cost["kind"] == "electricity"]
        return Decimal(cost["amount"]["value"])

    for run in RUNS:
        before, after = story.documents[run], story.documents[f"corrected {run}"]
        ratio = electricity(after) / electricity(before)
        assert float(ratio) == pytest.approx(float(Decimal(DEARER) / Decimal(TARIFF)), rel=1e-4)
        grams = [document["carbon"]["location"]["value"] for document in (before, after)]
        assert grams[1] == pytest.approx(10 * grams[0], rel=1e-3)
        assert after["energy"] == before["energy"]


@OF_RUNS
def test_the_document_at_the_earlier_as_of_is_as_before_to_the_digit(story: Told, run: str) -> None:
    assert story.documents[f"before {run}"] == story.documents[run]


@pytest.mark.parametrize("name", ["meter_cost_total", "meter_emissions_grams_total"])
def test_a_correction_moves_no_counter_of_what_is_over(story: Told, name: str) -> None:
    for project in ("chat", "bot"):
        was = booked(story, name, project=project)
        found = samples(story, name, project=project)
        assert found.keys() == was.keys()
        for key, series in found.items():
            after = {value for at, value in series if at >= story.booked_s}
            assert after == {was[key]}


def test_what_is_used_after_a_correction_is_booked_by_it_and_nothing_before(story: Told) -> None:
    """Each step of the money is the step of the energy at the old price, the new, or between."""
    energy: dict[float, Decimal] = {}
    for series in samples(story, "meter_run_energy_joules_total", run="late").values():
        for at, value in series:
            energy[at] = energy.get(at, Decimal(0)) + joules(value)
    [money] = samples(story, "meter_run_cost_total", run="late", kind="electricity").values()
    prices = []
    for (before, was), (after, now) in pairwise(money):
        if used := energy[after] - energy[before]:
            prices.append((now - was) / float(used) * 3_600_000)
        else:
            assert now == was
    low, high = float(TARIFF), float(DEARER)
    assert prices[0] == pytest.approx(low, rel=1e-9)
    assert prices[-1] == pytest.approx(high, rel=1e-9)
    assert all(low * (1 - 1e-9) <= price <= high * (1 + 1e-9) for price in prices)


def exemplars(story: Told, name: str, **labels: str) -> list[dict[str, Any]]:
    """What Prometheus keeps of which run raised a counter."""
    chosen = ",".join(f'{label}="{value}"' for label, value in labels.items())
    found = story.prometheus.ask(
        "query_exemplars", query=f"{name}{{{chosen}}}", start=story.began_s, end=time.time()
    )["data"]
    return [exemplar for series in found for exemplar in series["exemplars"]]


def test_prometheus_knows_the_run_by_which_a_projects_money_and_tokens_jumped(story: Told) -> None:
    for project, kind, run in (("chat", "api_tokens", "live"), ("bot", "api_training", JOB)):
        [series] = samples(story, "meter_cost_total", project=project, kind=kind).values()
        jump = max(after - before for (_, before), (_, after) in pairwise(series))
        [found] = exemplars(story, "meter_cost_total", project=project, kind=kind)
        assert found["labels"] == {"run": run}
        assert float(found["value"]) == pytest.approx(jump, rel=1e-12)
        assert story.began_s < found["timestamp"] < story.booked_s
    found = exemplars(story, "meter_tokens_total", project="chat", token_type="input")
    assert [(one["labels"], float(one["value"])) for one in found] == [({"run": "live"}, 123_457)]
    own = exemplars(story, "meter_cost_total", provider="own", project="chat", kind="gpu_time")
    assert {one["labels"]["run"] for one in own} <= set(RUNS)
    assert own


def test_promtool_finds_nothing_to_blame_on_any_page(
    story: Told, require_tool: Callable[[str], str]
) -> None:
    assert len(story.pages) == 6
    for state, page in story.pages.items():
        command = [require_tool("promtool"), "check", "metrics"]
        done = subprocess.run(command, input=page, capture_output=True)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b""), state


def test_an_alert_reaches_the_receiver_with_what_it_is_about(story: Told) -> None:
    alert = story.receiver.alerts(OTHERS, "MeterRunBudgetExceeded")[0]
    about = {"run": "live", "name": "sft", "project": "chat", "unit": "kWh", "job": "meter"}
    assert alert["labels"].items() >= {**about, "severity": "warning"}.items()
    [rule] = [rule for rule in alerts() if rule["alert"] == "MeterRunBudgetExceeded"]
    told_ = alert["annotations"]
    assert told_.keys() == rule["annotations"].keys()
    assert told_["summary"] == "The run sft has used up its budget in kWh."
    assert "of the run live of chat is used." in told_["description"]
    assert (ROOT / told_["runbook_url"]).is_file()
    assert story.receiver.alerts(AT_ONCE, "MeterRunBudgetExceeded") == []


def test_an_agent_that_is_down_longer_than_the_range_is_still_counted_as_down(
    story: Told,
) -> None:
    [board] = [path for path in BOARDS if path.stem == "health"]
    [down] = [one for one in targets(board) if one.panel == "Agents down"]
    assert until(lambda: not story.prometheus.now("last_over_time(meter_build_info[2s])"), "down")
    [shown] = story.prometheus.now(down.placed(__range="2s"))
    assert shown["value"][1] == "1"


def test_a_critical_alert_takes_the_route_of_its_own(story: Told) -> None:
    [rule] = [rule for rule in alerts() if rule["alert"] == "MeterAgentDown"]
    alert = story.receiver.alerts(AT_ONCE, "MeterAgentDown")[0]
    assert alert["labels"]["severity"] == rule["labels"]["severity"] == "critical"
    assert alert["labels"]["instance"] in alert["annotations"]["summary"]
    assert (ROOT / alert["annotations"]["runbook_url"]).is_file()
    assert story.receiver.alerts(OTHERS, "MeterAgentDown") == []
