"""The report as HTML: what it says, and that nothing in it can act."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meter_exporters import charts, html_report
from meter_exporters.axes import elapsed, quantity_axis, time_axis
from tests.exporters import golden_report
from tests.exporters.documents import START_US, document, marked, quantity, series

VOID = {"meta", "br"}

XSS = (
    "<script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    "</title><svg onload=alert(1)>",
    "<img src=x onerror=alert(1)>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    '" onfocus="alert(1)" autofocus="',
    "javascript:alert(1)",
    "<a href=javascript:alert(1)>x</a>",
    "<iframe srcdoc='<script>alert(1)</script>'>",
    "<svg><script>alert(1)</script></svg>",
    "<math><mtext></mtext><script>alert(1)</script></math>",
    "<!--<script>alert(1)//-->",
    "]]><script>alert(1)</script>",
    "<style>@import 'http://evil.example/x.css'</style>",
    "<link rel=stylesheet href=http://evil.example/x.css>",
    "<base href=http://evil.example/>",
    "<meta http-equiv=refresh content='0;url=http://evil.example'>",
    "<form action=http://evil.example><button>x</button></form>",
    "<object data=x></object><embed src=x>",
    "{{ 7*7 }}{% raw %}${7*7}#{7*7}",
    "{{ ''.__class__.__mro__ }}",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "\x00<scr\x00ipt>alert(1)</scr\x00ipt>",
    "\u202eevil\u2066text",
    "\ud800lone surrogate",
    "red;} body {display:none",
    "<" * 2_000,
    "a" * 5_000,
)


class Shape(HTMLParser):
    """Tags and attribute names in order, and the text between."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(name for name, _ in attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(name for name, _ in attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def page(made: dict[str, Any], step_s: int = 120) -> str:
    """The report of a document."""
    return html_report.export(made, series(made, step_s)).decode()


def text(made: dict[str, Any]) -> str:
    """The words of the report."""
    return Shape(page(made)).text


def poisoned(payload: str) -> dict[str, Any]:
    """A document whose every text is the payload."""
    made = document()
    made["run"].update(id=payload, name=payload, project=payload, status=payload)
    made["run"].update(tags={payload: payload, "another tag": payload}, nodes=[payload])
    for device in made["energy"]["devices"]:
        device["name"] = payload
    made["energy"]["devices"][0].update(id=payload)
    for factor in made["factors"]:
        factor.update(id=payload, source=payload, unit=payload)
    for cost in made["cost"]:
        cost["amount"]["unit"] = payload
        cost.update(currency=payload, kind=payload)
    for notice in made["notices"]:
        notice.update(code=payload, text=payload)
    made["schema"] = payload
    return made


def test_the_report_is_the_golden_one() -> None:
    expected = golden_report.FILE.read_text(encoding="utf-8")
    assert golden_report.made() == expected, "look, then: python -m tests.exporters.golden_report"


def test_a_device_of_which_nothing_is_known_is_shown_with_what_it_may_have_used() -> None:
    made = document()
    dark = {
        **made["energy"]["devices"][0],
        "id": "GPU-dark",
        "coverage": 0.0,
        "method": "modelled",
        "energy": quantity(0, 0, 840_000, "J", "modelled"),
    }
    made["energy"]["devices"].append(dark)
    row = " ".join(text(made).partition("GPU-dark")[2].split())
    assert row.startswith("GPU 0 Wh 0 to 233 0 % modelled")


def test_the_same_document_gives_the_same_bytes() -> None:
    assert page(document()) == page(document())


@pytest.mark.parametrize("payload", XSS, ids=range(len(XSS)))
def test_no_text_of_others_changes_the_structure(payload: str) -> None:
    harmless = Shape(page(poisoned("harmless")))
    attacked = Shape(page(poisoned(payload)))
    assert attacked.tags == harmless.tags
    assert attacked.open == []


@given(st.text(min_size=1, max_size=60).filter(lambda text: text != "another tag"))
@settings(max_examples=25, deadline=None)
def test_no_text_at_all_changes_the_structure(payload: str) -> None:
    assert Shape(page(poisoned(payload), 600)).tags == Shape(page(poisoned("x"), 600)).tags


def test_nothing_is_run_and_nothing_is_loaded() -> None:
    report = page(poisoned(XSS[0]))
    shape = Shape(report)
    names = {name for _, attributes in shape.tags for name in attributes}
    assert not [name for name in names if name.startswith("on")]
    assert not names & {"src", "href", "srcset", "action", "data", "xlink:href"}
    assert not {tag for tag, _ in shape.tags} & {"script", "link", "img", "iframe", "base"}
    assert "url(http" not in report
    assert "@import" not in report


def test_the_policy_stands_before_anything_that_it_governs() -> None:
    report = page(document())
    policy = report.index("default-src 'none'; style-src 'unsafe-inline'")
    assert policy < report.index("<title>")
    assert policy < report.index("<style>")


def test_control_and_direction_characters_are_replaced() -> None:
    report = page(poisoned("a\x1b[31m\u202eb"))
    assert "\x1b" not in report
    assert "\u202e" not in report
    assert "a\ufffd[31m\ufffdb" in report


def test_the_headline_says_how_much_was_measured() -> None:
    assert "91.5 % of the energy was measured and 8.5 % modelled" in text(document())
    assert "Devices were observed for 99.2 % of their time" in text(document())


def test_figures_stand_with_bounds_and_method() -> None:
    words = text(document())
    assert "IT energy 411 Wh 375 to 448 modelled in part" in words
    assert "Facility energy 494 Wh 432 to 582" in words
    assert "GPU time 1.40 USD none given modelled" in words
    assert "Location-based 27.7 g 21.8 to 35.9 modelled" in words


def test_factors_stand_with_source_and_date() -> None:
    words = text(document())
    assert "Grid intensity 56.039 g/kWh Our World in Data, 2023 always grid-FRA-2023" in words


def test_a_part_of_carbon_stands_indented_under_its_sum() -> None:
    report = html_report.export(document(), []).decode()
    assert '<tr class="part"><td>of which facility overhead</td>' in report
    assert "<tr><td>Location-based</td>" in report


def test_what_is_unknown_is_said() -> None:
    assert (
        "Not stated: market-based, transmission and distribution loss, embodied in hardware"
        in text(document())
    )
    made = document(cost=[], carbon=None, factors=[], equivalents=[], coverage=None, notices=[])
    assert "no electricity tariff and no GPU-hour rate are set" in text(made)


def test_simulated_is_said_everywhere_and_measured_nowhere() -> None:
    made = document(simulated=True)
    report = page(made)
    words = Shape(report).text
    assert words.startswith("Simulated: mistral-7b-lora")
    assert "No device was measured" in words
    assert "Power (simulated)" in words
    assert "91.5 % of the energy was simulated" in words
    assert 'class="badge measured"' not in report


def test_a_run_without_readings_has_tables_and_says_why_no_charts() -> None:
    made = document()
    report = html_report.export(made, []).decode()
    assert "<svg" not in report
    assert "No readings of this run are kept" in report
    assert "GPU-6f1c2a7e" in report


def test_a_run_that_goes_on_can_be_reported() -> None:
    made = document()
    points = series(made, 60)
    made["run"].update(status="running", ended_at=None, duration_s=None, exit_code=None)
    words = Shape(html_report.export(made, points).decode()).text
    assert "still running" in words


def test_a_gap_is_shaded_and_named() -> None:
    made = document()
    report = html_report.export(made, series(made, 1)).decode()
    assert report.count('class="gap"') == 2
    assert "GPU 1 was not seen for 38.0 s" in report


def test_many_devices_are_drawn_by_component() -> None:
    made = document()
    gpu = made["energy"]["devices"][0]
    made["energy"]["devices"] += [dict(gpu, id=f"GPU-{i}") for i in range(14)]
    assert "16 x GPU" in text(made)


def curves(made: dict[str, Any], step_s: int = 1) -> dict[str, charts.Curve]:
    return charts.curves_of(series(made, step_s), START_US)


def areas(chart: charts.Chart) -> list[float]:
    """Area of each layer, by the shoelace formula."""
    found = []
    for layer in chart.layers:
        points = [tuple(map(float, p.split())) for p in layer.path.strip("MZ").split("L")]
        pairs = zip(points, points[1:] + points[:1], strict=True)
        found.append(abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in pairs)) / 2)
    return found


def test_the_area_under_the_power_chart_is_the_energy() -> None:
    made = document()
    groups = charts.groups_of(made["energy"]["devices"])
    chart = charts.power_chart(groups, curves(made), 1200.4)
    joules = [device["energy"]["value"] for device in made["energy"]["devices"]]
    drawn = areas(chart)
    for area, energy in zip(drawn, joules, strict=True):
        assert area / sum(drawn) == pytest.approx(energy / sum(joules), rel=0.02)


def test_what_readings_lack_at_both_ends_is_spread_over_them() -> None:
    curve = charts.Curve("g", (2.0, 4.0, 8.0), (0.0, 200.0, 600.0))
    whole = charts.bridged(curve, 1_000.0, 10.0)
    assert whole.seconds == (0.0, 2.0, 4.0, 8.0, 10.0)
    assert whole.joules == (0.0, 200.0, 400.0, 800.0, 1_000.0)


@pytest.mark.parametrize("total", [0.0, 599.0, 5_000.0])
def test_an_implausible_rest_is_not_drawn(total: float) -> None:
    curve = charts.Curve("g", (2.0, 4.0, 8.0), (0.0, 200.0, 600.0))
    assert charts.bridged(curve, total, 10.0) == curve


def test_layers_stay_inside_the_drawing() -> None:
    made = document()
    groups = charts.groups_of(made["energy"]["devices"])
    for chart in (
        charts.power_chart(groups, curves(made), 1200.4),
        charts.energy_chart(groups, curves(made), 1200.4),
    ):
        numbers = [p.split() for lay in chart.layers for p in lay.path.strip("MZ").split("L")]
        assert all(charts.LEFT <= float(x) <= charts.RIGHT for x, _ in numbers)
        assert all(charts.TOP <= float(y) <= charts.BOTTOM for _, y in numbers)


def test_a_curve_that_is_corrected_downwards_draws_no_negative_power() -> None:
    points = [
        {"device_id": "g", "at_us": START_US + i * 1_000_000, "power_w": None, "energy_j": e}
        for i, e in enumerate([10.0, 60.0, 40.0, 90.0])
    ]
    curve = charts.curves_of(points, START_US)["g"]
    assert curve.joules == (0.0, 50.0, 50.0, 80.0)


@given(st.floats(1e-6, 1e12))
def test_axes_have_few_round_ticks_that_hold_the_largest_value(largest: float) -> None:
    axis = quantity_axis(largest, ((0.0, 1.0, "W"), (1e3, 1e3, "kW")))
    assert largest <= axis.top * 1.001
    assert 2 <= len(axis.ticks) <= 6
    labels = [label for _, label in axis.ticks]
    assert len(set(labels)) == len(labels)
    assert max(map(len, labels)) <= 18


@given(st.floats(0.05, 1e8))
def test_time_axes_have_at_most_nine_ticks_inside_the_duration(duration_s: float) -> None:
    axis = time_axis(duration_s)
    assert 1 <= len(axis.ticks) <= 9
    assert axis.ticks[-1][0] <= duration_s * 1.0001


@pytest.mark.parametrize(
    ("seconds", "label"),
    [
        (0, "0"),
        (0.5, "0.5 s"),
        (30, "30 s"),
        (90, "1:30 min"),
        (300, "5 min"),
        (5_400, "1:30 h"),
        (7_200, "2 h"),
        (129_600, "36 h"),
        (1_209_600, "14 d"),
    ],
)
def test_ticks_say_time_as_people_do(seconds: float, label: str) -> None:
    assert elapsed(seconds) == label


def test_every_method_has_a_colour() -> None:
    css = re.search(r"<style>(.*)</style>", page(document()), re.DOTALL)
    assert css
    for method in ("measured", "simulated", "sourced", "modelled", "assumed"):
        assert f".badge.{method}" in css[1]


def test_zero_energy_is_drawn_without_a_failure() -> None:
    made = document()
    points = [dict(point, energy_j=0.0, power_w=0.0) for point in series(made, 60)]
    for device in made["energy"]["devices"]:
        device["energy"] = quantity(0.0, 0.0, 0.0, "J", device["method"])
    made["energy"]["it"] = quantity(0.0, 0.0, 0.0, "J", "measured")
    assert "0 J" in Shape(html_report.export(made, points).decode()).text


def test_phases_and_epochs_are_tables_with_their_share() -> None:
    page = html_report.export(marked(), ()).decode()
    words = " ".join(Shape(page).words)
    assert "train (3 times)" in words
    assert "<eval>" in words
    assert "2, up to 1.5" in words
    assert "500 steps were marked, of 2.90 kJ at the median; 95 % took 3.40 kJ at most" in words
    assert 'style="width:70.0%"' in page


def test_several_trainings_are_told() -> None:
    made = marked()
    made["steps"]["trainings"] = 3
    made["epochs"][1]["training"] = 2
    words = " ".join(Shape(html_report.export(made, ()).decode()).words)
    assert "500 steps were marked, in 3 trainings, of 2.90 kJ" in words
    assert "2 of training 2, up to 1.5" in words


def test_of_many_epochs_the_last_are_shown_and_the_others_counted() -> None:
    made = marked()
    made["epochs"] = [{**made["epochs"][0], "epoch": n, "to": float(n)} for n in range(1, 71)]
    words = " ".join(Shape(html_report.export(made, ()).decode()).words)
    assert "And 20 before them" in words


HOSTED = {
    "provider": "openai", "job_id": "ftjob-1", "status": "succeeded", "base_model": "gpt-4o-mini",
    "tuned_model": None, "training": "sft", "adapter": None,
    "estimates": [
        {"tier": 2, "low_j": 0.0, "mid_j": None, "high_j": 7.2e7, "boamps_quality": None,
         "booked": False,
         "reason": "the time that it took"},
        {"tier": 3, "low_j": 3.6e3, "mid_j": 3.6e4, "high_j": 3.6e5, "boamps_quality": None,
         "booked": True,
         "reason": "its tokens"},
        {"tier": 4, "low_j": 0.0, "mid_j": None, "high_j": 0.0, "boamps_quality": None,
         "booked": False,
         "reason": "nothing was told"},
    ],
    "cost_per_million_trained_tokens": [{"currency": "USD", "value": "3.000000"}],
    "break_even": [{"currency": "USD", "requests": 40, "cost": "0.01",
                    "break_even_requests": 3511.0}],
}  # fmt: skip


def test_an_upper_bound_alone_is_written_as_one_and_has_no_curve() -> None:
    made = document()
    points = series(made, 60)
    made["energy"]["it"] = quantity(1.8e6, 0.0, 3.6e6, "J", "assumed")
    page = html_report.export({**made, "hosted": HOSTED}, points).decode()
    words = Shape(page).text
    assert "IT energy at most 1.00 kWh 0.00 to 1.00 assumed" in words
    assert "<svg" not in page
    own = html_report.export(made, points).decode()
    assert "IT energy 500 Wh 0 to 1,000 assumed" in Shape(own).text
    assert "<svg" in own
    assert "Only an upper bound of this run's energy is known" in words


def test_a_hosted_job_is_told_with_each_tier_and_what_it_stands_on() -> None:
    page = html_report.export({**document(), "hosted": HOSTED}, ()).decode()
    text = " ".join(" ".join(Shape(page).words).split())
    assert "became no model; succeeded" in text
    assert "at most 20.0 kWh 0 J to 20.0 kWh the time that it took" in text
    assert "10.0 Wh 3.60 kJ to 100 Wh its tokens The run's energy stands on this." in text
    assert "not known nothing was told" in text
    assert "as much as 3,511 requests" in text
    assert "The job at its provider" not in html_report.export(document(), ()).decode()
