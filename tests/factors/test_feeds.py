"""Each provider against a local server that speaks its documented shapes."""

from __future__ import annotations

import base64
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meter.config import Intensity
from meter.errors import ConfigError, FeedError, FeedRefusedError
from meter.factors.feeds import Access, Point, access_of, factors_of_points, feed_of
from meter.factors.feeds.electricity_maps import ElectricityMaps
from meter.factors.feeds.uk_carbon_intensity import UkCarbonIntensity
from meter.factors.feeds.watttime import WattTime
from meter.model import FactorKind, Method
from meter.secret import Secret
from tests.factors.provider import (
    HOUR_US,
    NOON_US,
    QUARTER_US,
    Answer,
    maps_hour,
    provider,
    uk_half,
    watt,
)

KEY = "k3y-that-nobody-may-see"
NOW_US = NOON_US + 7 * 60_000_000
FIVE_US = 300_000_000
LATEST, HISTORY = "/v3/carbon-intensity/latest", "/v3/carbon-intensity/history"
PAST_RANGE = "/v3/carbon-intensity/past-range"


@pytest.fixture
def told():
    with provider() as found:
        yield found


def maps(told, **options):
    return ElectricityMaps("FR", Secret(KEY), url=told.url, now_us=lambda: NOW_US, **options)


def watttime(told, **options):
    told.answers.setdefault("/login", Answer({"token": "t0ken-1"}))
    told.answers.setdefault("/v3/forecast", Answer(watt({})))
    return WattTime("CAISO_NORTH", "lab", Secret(KEY), url=told.url, **options)


def rows(feed, points):
    return factors_of_points(points, feed.about, "lab", NOW_US)


# -- Electricity Maps


def test_maps_present_hour_is_a_row_of_its_hour(told):
    told.answers[LATEST] = Answer(
        maps_hour(NOON_US, 52.5, isEstimated=True, estimationMethod="TIME_SLICER_AVERAGE")
    )
    feed = maps(told)
    (row,) = rows(feed, feed.fetch(NOW_US))
    assert (row.valid_from_us, row.valid_to_us) == (NOON_US, NOON_US + HOUR_US)
    assert (row.value, row.low, row.high, row.unit) == (52.5, 52.5, 52.5, "g/kWh")
    assert (row.rank, row.book, row.scope) == (300, "electricity-maps", "lab")
    assert row.kind is FactorKind.GRID_INTENSITY
    assert row.method is Method.SOURCED
    assert row.basis == "average, consumption, life-cycle"
    assert row.source == "Electricity Maps, zone FR"
    assert row.detail == "estimated by the provider (TIME_SLICER_AVERAGE)"
    assert row.source_date == "2026-03-01"
    (request,) = told.asked
    assert request.headers["Auth-Token"] == KEY
    assert request.query["zone"] == "FR"
    assert request.query["emissionFactorType"] == "lifecycle"


def test_maps_history_leaves_out_hours_without_a_value(told):
    hours = [maps_hour(NOON_US - n * HOUR_US, None if n == 1 else 50 + n) for n in range(3)]
    told.answers[HISTORY] = Answer({"zone": "FR", "history": hours})
    found = maps(told).past(NOON_US - 3 * HOUR_US, NOW_US)
    assert sorted(point.value for point in found) == [50, 52]


def test_maps_older_times_are_asked_in_parts_of_ten_days(told):
    told.answers[PAST_RANGE] = Answer({"zone": "FR", "data": [maps_hour(NOON_US, 50)]})
    day_us = 24 * HOUR_US
    maps(told).past(NOON_US - 25 * day_us, NOON_US + HOUR_US)
    assert told.paths() == [PAST_RANGE] * 3
    spans = [(one.query["start"], one.query["end"]) for one in told.asked]
    assert spans[0] == ("2026-02-04T12:00:00Z", "2026-02-14T12:00:00Z")
    assert spans[-1][1] == "2026-03-01T13:00:00Z"


def test_maps_direct_emissions_are_asked_for_and_told(told):
    told.answers[LATEST] = Answer(maps_hour(NOON_US, 30, emissionFactorType="direct"))
    feed = maps(told, direct=True)
    assert rows(feed, feed.fetch(NOW_US))[0].basis == "average, consumption, direct"
    assert told.asked[0].query["emissionFactorType"] == "direct"


@pytest.mark.parametrize(
    "entry",
    [
        maps_hour(NOON_US, -1),
        maps_hour(NOON_US, 3_001),
        maps_hour(NOON_US, "52"),
        maps_hour(NOON_US, True),
        maps_hour(NOON_US, [52]),
        maps_hour(NOON_US, None),
        maps_hour(NOON_US, 52, datetime="yesterday"),
        maps_hour(NOON_US, 52, datetime=12),
        maps_hour(NOON_US, 5_000, datetime="9999-12-31T23:59:00-14:00"),
        maps_hour(NOON_US, 52, datetime="0001-01-01T00:00:00+14:00"),
        maps_hour(NOON_US, Decimal("1e1000000")),
        maps_hour(NOON_US, Decimal("1e-1000000")),
        maps_hour(NOON_US, 10**4_000),
        maps_hour(NOON_US, 52, zone="DE"),
        maps_hour(NOON_US, 52, emissionFactorType="direct"),
        maps_hour(NOON_US, 52, temporalGranularity="daily"),
        [],
        [1],
        "text",
        {},
        None,
    ],
)
def test_maps_wrong_answers_are_errors_and_give_nothing(told, entry):
    told.answers[LATEST] = Answer(entry)
    with pytest.raises(FeedError):
        maps(told).fetch(NOW_US)
    for history in ([entry], entry, []):
        told.answers[HISTORY] = Answer({"zone": "FR", "history": history})
        with pytest.raises(FeedError):
            maps(told).past(NOON_US - HOUR_US, NOW_US)


def test_an_absurd_value_names_value_unit_and_hour(told):
    told.answers[LATEST] = Answer(maps_hour(NOON_US, 52_000))
    with pytest.raises(FeedError, match=r"52000 g/kWh for 2026-03-01T12:00Z"):
        maps(told).fetch(NOW_US)


def test_a_life_cycle_value_below_a_gram_is_absurd_and_nothing_is_given(told):
    told.answers[LATEST] = Answer(maps_hour(NOON_US, 0.052))
    with pytest.raises(FeedError, match="looks like kg/kWh"):
        maps(told).fetch(NOW_US)


# -- Great Britain


def test_uk_takes_what_was_estimated_before_what_was_forecast(told):
    told.answers["/intensity"] = Answer({"data": [uk_half(NOON_US, 266, 263)]})
    feed = UkCarbonIntensity(url=told.url)
    (row,) = rows(feed, feed.fetch(NOW_US))
    assert row.value == 263
    assert row.detail == "estimated by the provider; losses of the grid included"
    assert (row.valid_from_us, row.valid_to_us) == (NOON_US, NOON_US + 2 * QUARTER_US)
    assert row.licence.startswith("CC BY 4.0")
    told.answers["/intensity"] = Answer({"data": [uk_half(NOON_US, 266, None)]})
    (row,) = rows(feed, feed.fetch(NOW_US))
    assert row.value == 266
    assert row.detail.startswith("forecast by the provider")


def test_uk_past_leaves_out_the_half_hour_before(told):
    path = "/intensity/2026-03-01T10:00Z/2026-03-01T12:00Z"
    halves = [uk_half(NOON_US - n * HOUR_US // 2, 200, 200 + n) for n in range(6)]
    told.answers[path] = Answer({"data": halves})
    found = UkCarbonIntensity(url=told.url).past(NOON_US - 2 * HOUR_US, NOON_US)
    assert sorted(int(point.value) for point in found) == [201, 202, 203, 204]


def test_uk_region_lies_one_level_deeper(told):
    region = {"regionid": 13, "shortname": "London", "data": [uk_half(NOON_US, 100, None)]}
    told.answers["/regional/regionid/13"] = Answer({"data": [region]})
    path = "/regional/intensity/2026-03-01T12:00Z/2026-03-01T13:00Z/regionid/13"
    told.answers[path] = Answer({"data": region})
    feed = UkCarbonIntensity("13", url=told.url)
    assert [point.value for point in feed.fetch(NOW_US)] == [100]
    assert [point.value for point in feed.past(NOON_US, NOON_US + HOUR_US)] == [100]
    told.answers["/regional/regionid/13"] = Answer({"data": [{**region, "regionid": 12}]})
    with pytest.raises(FeedError, match="another region"):
        feed.fetch(NOW_US)


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"code": "400 Bad Request", "message": "x"}},
        {"data": []},
        {"data": None},
        {"data": ["x"]},
        {"data": [{**uk_half(NOON_US, 1, 1), "to": "2026-03-01T12:00Z"}]},
        {"data": [{**uk_half(NOON_US, 1, 1), "to": "2026-03-02T12:00Z"}]},
        {"data": [{**uk_half(NOON_US, 1, 1), "intensity": 3}]},
        {"data": [uk_half(NOON_US, None, None)]},
        {"data": [uk_half(NOON_US, 1, -4)]},
        [],
    ],
)
def test_uk_wrong_answers_are_errors(told, body):
    told.answers["/intensity"] = Answer(body)
    with pytest.raises(FeedError):
        UkCarbonIntensity(url=told.url).fetch(NOW_US)


# -- WattTime


def test_watttime_pounds_are_converted_exactly_and_averaged_over_the_quarter(told):
    values = {NOON_US - QUARTER_US + n * FIVE_US: 300 + 100 * n for n in range(3)}
    told.answers["/v3/historical"] = Answer(watt(values))
    feed = watttime(told)
    (row,) = rows(feed, feed.fetch(NOON_US))
    assert row.kind is FactorKind.MARGINAL_INTENSITY
    assert row.value == Decimal(400) * Decimal("0.45359237")
    assert row.basis == "marginal, direct"
    assert row.detail == "mean of 3 points of 5 min, weighed by time"
    assert (row.valid_from_us, row.valid_to_us) == (NOON_US - QUARTER_US, NOON_US)


def test_watttime_forecast_fills_the_present_quarter_only(told):
    told.answers["/v3/forecast"] = Answer(
        watt({NOON_US + n * FIVE_US: 900 for n in range(12)}, generated_at="2026-03-01T12:05:00Z")
    )
    told.answers["/v3/historical"] = Answer(watt({NOON_US: 600}))
    feed = watttime(told)
    (row,) = rows(feed, feed.fetch(NOW_US))
    assert row.value == Decimal(800) * Decimal("0.45359237")
    assert row.detail.startswith("forecast by the provider; mean of 3 points")


def test_watttime_a_plan_without_forecast_is_not_asked_again(told):
    told.answers["/v3/historical"] = Answer(watt({NOON_US: 600}))
    told.answers["/v3/forecast"] = Answer({}, 403)
    feed = watttime(told)
    (row,) = rows(feed, feed.fetch(NOW_US))
    assert "300 of 900 s known" in row.detail
    feed.fetch(NOW_US)
    assert told.paths().count("/v3/forecast") == 1


def test_watttime_average_is_location_intensity_without_forecast(told):
    told.answers["/v3/historical"] = Answer(watt({NOON_US: 600}, signal_type="co2_aoer"))
    feed = watttime(told, average=True)
    (row,) = rows(feed, feed.fetch(NOW_US))
    assert row.kind is FactorKind.GRID_INTENSITY
    assert told.paths() == ["/login", "/v3/historical"]


def test_watttime_logs_in_once_until_the_token_is_old_or_refused(told):
    tokens = iter(["t0ken-1", "t0ken-2", "t0ken-3"])
    told.answers["/login"] = lambda _: Answer({"token": next(tokens)})
    told.answers["/v3/historical"] = Answer(watt({NOON_US: 600}))
    now_s = [0.0]
    feed = watttime(told, average=False, clock_s=lambda: now_s[0])
    feed.fetch(NOW_US)
    feed.fetch(NOW_US)
    assert told.paths().count("/login") == 1
    basic = base64.b64encode(f"lab:{KEY}".encode()).decode()
    assert told.asked[0].headers["Authorization"] == f"Basic {basic}"
    assert all(r.headers["Authorization"] == "Bearer t0ken-1" for r in told.asked[1:])
    now_s[0] = 26 * 60.0
    feed.fetch(NOW_US)
    assert told.paths().count("/login") == 2

    def once(request):
        good = request.headers["Authorization"] == "Bearer t0ken-3"
        return Answer(watt({NOON_US: 600})) if good else Answer({}, 401)

    told.answers["/v3/historical"] = once
    told.answers["/v3/forecast"] = once
    feed.fetch(NOW_US)
    assert told.paths().count("/login") == 3


def test_watttime_a_wrong_password_is_refused_without_a_second_try(told):
    told.answers["/login"] = Answer({"detail": f"wrong {KEY}"}, 401)
    feed = watttime(told)
    with pytest.raises(FeedRefusedError) as caught:
        feed.past(NOON_US, NOW_US)
    assert KEY not in str(caught.value)
    assert told.paths() == ["/login"]


@pytest.mark.parametrize(
    "body",
    [
        watt({NOON_US: -1}),
        watt({NOON_US: 7_000}),
        watt({NOON_US: "x"}),
        watt({NOON_US: 600}, units="kg_co2_per_mwh"),
        watt({NOON_US: 600}, units=None),
        watt({NOON_US: 600}, region="PJM_DC"),
        watt({NOON_US: 600}, signal_type="health_damage"),
        watt({NOON_US: 600}, data_point_period_seconds=0),
        watt({NOON_US: 600}, data_point_period_seconds="300"),
        {"data": []},
        {"meta": {}, "data": 3},
        watt({}),
        [],
    ],
)
def test_watttime_wrong_answers_are_errors(told, body):
    told.answers["/v3/historical"] = Answer(body)
    with pytest.raises(FeedError):
        watttime(told).fetch(NOW_US)


# -- what is asked with


def test_a_feed_without_its_key_is_refused_with_what_to_set():
    with pytest.raises(ConfigError, match="METER_INTENSITY_KEY"):
        feed_of(Intensity("electricity-maps", "FR"), Access())
    with pytest.raises(ConfigError, match="METER_INTENSITY_PASSWORD"):
        feed_of(Intensity("watttime", "CAISO_NORTH"), Access(user="lab"))
    assert feed_of(Intensity("uk", "GB"), Access()).about.zone == "GB"


def test_keys_come_from_the_environment_before_files_that_others_must_not_read(tmp_path):
    path = tmp_path / "key"
    path.write_text(f"  {KEY}\n")
    path.chmod(0o600)
    intensity = Intensity("electricity-maps", "FR", key_file=path)
    access, notices = access_of(intensity, {})
    assert access.key.reveal() == KEY
    assert notices == []
    assert KEY not in repr(access)
    path.chmod(0o644)
    _, (notice,) = access_of(intensity, {})
    assert notice.code == "intensity_key_exposed"
    assert KEY not in notice.text
    access, notices = access_of(intensity, {"METER_INTENSITY_KEY": "other"})
    assert (access.key.reveal(), notices) == ("other", [])


@pytest.mark.parametrize("content", [b"", b" \n", b"a\nb", b"\xff\xfe", b"k" * 5_000])
def test_a_file_without_a_key_is_an_error_that_does_not_show_it(tmp_path, content):
    path = tmp_path / "key"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="holds no key"):
        access_of(Intensity("electricity-maps", "FR", key_file=path), {})
    with pytest.raises(ConfigError, match="cannot be read"):
        access_of(Intensity("electricity-maps", "FR", key_file=tmp_path / "none"), {})


def test_a_secret_is_in_no_repr_and_in_no_pickle():
    import pickle

    assert KEY not in repr(Secret(KEY)) + str(Secret(KEY)) + f"{[Secret(KEY)]}"
    with pytest.raises(TypeError):
        pickle.dumps(Secret(KEY))


# -- quarters

points = st.lists(
    st.builds(
        lambda start, length, value: Point(
            NOON_US + start * 60_000_000,
            NOON_US + (start + length) * 60_000_000,
            Decimal(value),
        ),
        st.integers(0, 120),
        st.sampled_from([1, 5, 7, 15, 30, 60]),
        st.integers(0, 3_000),
    ),
    max_size=20,
)


@given(points)
def test_rows_lie_on_quarters_once_each_and_between_their_points(found):
    about = UkCarbonIntensity().about
    made = factors_of_points(found, about, "lab", 1)
    times = [(row.valid_from_us, row.valid_to_us) for row in made]
    assert len(set(times)) == len(times)
    for row in made:
        assert row.valid_from_us % QUARTER_US == row.valid_to_us % QUARTER_US == 0
        under = [
            point.value
            for point in found
            if point.start_us < row.valid_to_us and row.valid_from_us < point.end_us
        ]
        assert min(under) <= row.value <= max(under)
    assert made == factors_of_points(found, about, "lab", 1)


def test_a_quarter_is_weighed_by_time():
    minute = 60_000_000
    found = [
        Point(NOON_US, NOON_US + 5 * minute, Decimal(100)),
        Point(NOON_US + 5 * minute, NOON_US + 15 * minute, Decimal(400)),
    ]
    (row,) = factors_of_points(found, UkCarbonIntensity().about, "lab", 1)
    assert row.value == 300
    assert "weighed by time" in row.detail
