"""A real agent with a provider on loopback: live, stale, back, and silent about its key."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tests.agent.agents import Agent, agent, until
from tests.agent.shifted import SHIFT
from tests.factors.provider import (
    HOUR_US,
    Answer,
    Provider,
    Request,
    maps_hour,
    provider,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY = "k3y-that-nobody-may-see"
GAUGE = "meter_grid_intensity_grams_per_kwh"
HEALTH = 'meter_last_collect_success{collector="intensity"}'
LATEST, HISTORY = "/v3/carbon-intensity/latest", "/v3/carbon-intensity/history"


class Place:
    """An agent's folder: its configuration, and how far its clock is ahead."""

    def __init__(self, folder: Path, url: str, **variables: str) -> None:
        self.folder = folder
        self.config = folder / "config.toml"
        self.config.write_text(
            f'[site]\nzone = "FRA"\n[intensity]\nprovider = "electricity-maps"\nzone = "FR"\n'
            f'every_minutes = 5\nurl = "{url}"\n',
            encoding="utf-8",
        )
        self.variables = {"METER_INTENSITY_KEY": KEY, "METER_CONFIG": str(self.config), **variables}

    def shift(self, us: int) -> None:
        """Put the agent's clock so far ahead, at once."""
        fresh = self.folder / "fresh"
        fresh.write_text(str(us), encoding="utf-8")
        fresh.replace(self.folder / SHIFT)

    def now_us(self) -> int:
        """The time that the agent believes it to be."""
        path = self.folder / SHIFT
        ahead = int(path.read_text(encoding="utf-8")) if path.exists() else 0
        return int(datetime.now(UTC).timestamp() * 1e6) + ahead

    @contextmanager
    def agent(self, module: str = "tests.agent.shifted") -> Iterator[Agent]:
        with agent(self.folder, module=module, **self.variables) as running:
            running.hear("reading")
            yield running


def hours(place: Place, value: int) -> Any:
    """Answers of a provider whose every hour has this value."""

    def answer(request: Request) -> Answer:
        hour_us = place.now_us() // HOUR_US * HOUR_US
        if request.headers.get("Auth-Token") != KEY:
            return Answer({"error": "Invalid auth-token"}, 401)
        if request.path == LATEST:
            return Answer(maps_hour(hour_us, value, isEstimated=True))
        past = [maps_hour(hour_us - n * HOUR_US, value + n) for n in range(24)]
        return Answer({"zone": "FR", "history": past})

    return answer


def serve(told: Provider, answer: Any) -> None:
    told.answers[LATEST] = told.answers[HISTORY] = answer


def gauges(running: Agent) -> dict[str, float]:
    """The grid intensity on the page: value by source."""
    page = running.page()
    return {
        name.partition('source="')[2].partition('"')[0]: value
        for name, value in page.items()
        if name.startswith(GAUGE)
    }


def feed(running: Agent) -> dict[str, Any]:
    status, answer = running.ask("GET", "/v1/status")
    assert status == 200
    (found,) = answer["feeds"]
    return found


def codes(document: dict[str, Any]) -> list[str]:
    return [notice["code"] for notice in document["notices"]]


LIVE = "Electricity Maps, zone FR"


def test_live_then_stale_then_back_and_the_key_is_nowhere(tmp_path: Path) -> None:
    with provider() as told:
        place = Place(tmp_path, told.url)
        serve(told, hours(place, 77))
        with place.agent() as running:
            running.begin("r1")
            until(lambda: gauges(running) == {LIVE: 77.0}, "the live value on the page")
            assert running.page()[HEALTH] == 1
            (name,) = [n for n in running.page() if n.startswith(GAUGE)]
            assert 'zone="FRA"' in name
            shown = feed(running)
            assert (shown["name"], shown["zone"]) == ("electricity-maps", "FR")
            assert (shown["last_value"], shown["stale"], shown["last_error"]) == (77, False, None)

            serve(told, Answer({"error": f"broken {KEY}"}, 500))
            place.shift(2 * HOUR_US)
            until(lambda: feed(running)["stale"], "staleness")
            until(lambda: feed(running)["last_error"], "an error")
            shown = feed(running)
            assert (shown["last_value"], shown["stale"]) == (77, True)
            assert "answers 500" in shown["last_error"]
            until(lambda: LIVE not in gauges(running), "the yearly factor on the page")
            assert len(gauges(running)) == 1
            assert running.page()[HEALTH] == 0

            serve(told, hours(place, 88))
            until(lambda: gauges(running) == {LIVE: 88.0}, "the live value again")
            until(lambda: not feed(running)["stale"], "no staleness")
            document = running.end("r1")
            status, as_json = running.ask("GET", "/v1/status")
            pages = f"{document} {as_json} {running.page()}"
            assert running.stop() == 0
        assert codes(document).count("intensity_stale") == 1
        assert codes(document).count("intensity_back") == 1
        (notice,) = [n for n in document["notices"] if n["code"] == "intensity_stale"]
        assert "77 g/kWh" in notice["text"]
        assert any(row["source"] == LIVE for row in document["factors"])
        assert status == 200
    assert KEY not in pages
    assert_nowhere(tmp_path)


def assert_nowhere(folder: Path) -> None:
    """The key is in no file of the agent: ledger, log, configuration."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {"ledger.duckdb", "log"} <= {path.name for path in files}
    assert [path.name for path in files if KEY.encode() in path.read_bytes()] == []


def test_a_wrong_key_is_told_and_metering_goes_on(tmp_path: Path) -> None:
    with provider() as told:
        place = Place(tmp_path, told.url, METER_INTENSITY_KEY="wr0ng-" + KEY)
        serve(told, hours(place, 77))
        with place.agent() as running:
            running.begin("r1")
            until(lambda: feed(running)["last_error"], "a refusal")
            assert "check the key" in feed(running)["last_error"]
            assert running.page()[HEALTH] == 0
            document = until_noticed(running, "intensity_refused")
            running.stop()
        assert document["energy"]["it"]["value"] >= 0
    assert_nowhere(tmp_path)


def until_noticed(running: Agent, code: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        _, document = running.ask("GET", "/v1/runs/r1")
        return document if code in codes(document) else None

    found: dict[str, Any] = until(look, f"a notice {code}")
    return found


def test_a_run_of_a_moment_is_told_that_the_provider_is_down(tmp_path: Path) -> None:
    for number, answer in enumerate(
        (Answer({}, 500), Answer(raw=b"<html>"), Answer({}, 429, {"Retry-After": "3600"}))
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        with provider() as told:
            place = Place(folder, told.url)
            serve(told, answer)
            with place.agent() as running:
                running.begin("r1")
                first = running.end("r1")  # over before anything can be known
                until(lambda: feed(running)["last_error"], "an error")
                running.begin("r2")
                second = running.end("r2")
                assert feed(running)["stale"]
                again = running.ask("GET", "/v1/runs/r1")[1]
                assert running.stop() == 0
        assert [codes(found).count("intensity_stale") for found in (first, second, again)] == [
            1
        ] * 3


def test_agents_one_after_another_keep_what_the_provider_asks_for(tmp_path: Path) -> None:
    with provider() as told:
        place = Place(tmp_path, told.url)
        serve(told, Answer({}, 429, {"Retry-After": "3600"}))
        for number in range(3):
            with place.agent() as running:
                running.begin(f"r{number}")
                until(lambda: feed(running)["last_error"], "an error")
                document = running.end(f"r{number}")
                assert codes(document).count("intensity_stale") == 1
                assert running.stop() == 0
        assert len(told.asked) == 1
    assert_nowhere(tmp_path)


def test_an_agent_that_finds_the_present_in_its_ledger_asks_for_nothing(tmp_path: Path) -> None:
    with provider() as told:
        place = Place(tmp_path, told.url)
        serve(told, hours(place, 60))
        with place.agent() as running:
            until(lambda: gauges(running) == {LIVE: 60.0}, "a value")
            until((tmp_path / "intensity.next.json").exists, "a promise")
            running.stop()
        asked = len(told.asked)
        with place.agent("meter.agent") as running:  # whose minutes are minutes
            running.begin("r1")
            until(lambda: feed(running)["last_ok_at"], "a rest")
            assert (feed(running)["last_value"], running.page()[HEALTH]) == (60, 1)
            assert "intensity_stale" not in codes(running.end("r1"))
            running.stop()
        assert len(told.asked) == asked
    assert_nowhere(tmp_path)


def test_without_a_key_nothing_is_asked_and_a_notice_says_so(tmp_path: Path) -> None:
    with provider() as told:
        place = Place(tmp_path, told.url, METER_INTENSITY_KEY="")
        with place.agent() as running:
            _, status = running.ask("GET", "/v1/status")
            assert status["feeds"] == []
            assert "intensity_off" in codes(status)
            assert HEALTH not in running.page()
        assert told.asked == []


def test_an_answer_that_never_comes_delays_neither_metering_nor_the_end(tmp_path: Path) -> None:
    free = threading.Event()
    with provider() as told:
        place = Place(tmp_path, told.url)
        serve(told, Answer(raw=b"{}", pause=lambda: free.wait(60)))
        with place.agent() as running:
            running.begin("r1")
            until(lambda: told.asked, "a request")
            document = running.end("r1")
            assert running.stop() == 0
        free.set()
    assert document["run"]["status"] == "completed"


def test_what_was_missed_is_filled_in_when_the_agent_starts(tmp_path: Path) -> None:
    with provider() as told:
        place = Place(tmp_path, told.url)
        serve(told, hours(place, 50))
        with place.agent() as running:
            until(lambda: HISTORY in told.paths() and gauges(running) == {LIVE: 50.0}, "a day")
            until(lambda: feed(running)["last_value"] == 50, "a value")
            running.stop()
    from meter.ledger import Ledger, recovery

    with Ledger.open(tmp_path / "ledger.duckdb") as ledger, ledger.reader() as reader:
        rows = [row for row in recovery.factors(reader) if row.book == "electricity-maps"]
    assert len({row.valid_from_us for row in rows}) == 24
    assert {row.scope for row in rows} == {"default"}
    assert all(row.licence for row in rows)


def test_a_key_file_that_is_not_there_is_told_and_one_that_others_read(tmp_path: Path) -> None:
    path = tmp_path / "key"
    place = Place(tmp_path, "http://127.0.0.1:9", METER_INTENSITY_KEY="")
    text = place.config.read_text(encoding="utf-8")
    place.config.write_text(f'{text}key_file = "{path}"\n', encoding="utf-8")
    with place.agent() as running:
        assert "intensity_off" in codes(running.ask("GET", "/v1/status")[1])
        running.stop()
    path.write_text(KEY)
    path.chmod(0o644)
    with place.agent() as running:
        assert "intensity_key_exposed" in codes(running.ask("GET", "/v1/status")[1])
        until(lambda: feed(running)["last_error"], "nobody there")
        assert running.stop() == 0
    path.unlink()
    assert_nowhere(tmp_path)
