"""``meter factors sync``: to the file, through an agent, and what it says of what goes wrong."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from meter.ledger import Ledger, recovery
from tests.agent.agents import agent, until
from tests.cli.places import Place
from tests.factors.provider import HOUR_US, NOON_US, Answer, provider, uk_half, watt

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.factors.provider import Provider

KEY = "k3y-that-nobody-may-see"
PAST = "/intensity/2026-03-01T10:00Z/2026-03-01T12:00Z"
SPAN = ("--from", "2026-03-01T10:00Z", "--to", "2026-03-01T12:00Z")


@pytest.fixture
def told() -> Iterator[Provider]:
    with provider() as found:
        yield found


def configured(folder: Path, told: Provider, text: str = 'provider = "uk"\n') -> Place:
    """A place whose provider is the local one."""
    file = folder / "config.toml"
    file.write_text(f'[site]\nname = "lab"\n[intensity]\n{text}url = "{told.url}"\n')
    return Place(folder, METER_CONFIG=str(file), METER_SIMULATE="1xH100")


def halves(*values: int) -> Answer:
    """Half hours from ten o'clock on."""
    start = NOON_US - 2 * HOUR_US
    return Answer({"data": [uk_half(start + n * HOUR_US // 2, 1, v) for n, v in enumerate(values)]})


def said(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def rows(place: Place) -> list[Any]:
    with Ledger.open(place.home / "ledger.duckdb") as ledger, ledger.reader() as reader:
        return [row for row in recovery.factors(reader) if row.scope == "lab"]


def test_to_the_file_new_then_unchanged_then_corrected(
    tmp_path: Path, told: Provider, capsys: pytest.CaptureFixture[str]
) -> None:
    place = configured(tmp_path, told)
    told.answers[PAST] = halves(100, 110, 120, 130)
    assert place.call("factors", "sync", *SPAN, "--json") == 0
    assert said(capsys) == {
        "provider": "uk-carbon-intensity",
        "zone": "GB",
        "new": 4,
        "corrected": 0,
        "unchanged": 0,
    }
    assert place.call("factors", "sync", *SPAN) == 0
    line = capsys.readouterr().out
    assert line == "uk-carbon-intensity, zone GB: 0 new, 0 corrected, 4 unchanged.\n"
    told.answers[PAST] = halves(100, 110, 125, 130)
    assert place.call("factors", "sync", *SPAN, "--json") == 0
    assert said(capsys)["corrected"] == 1
    found = rows(place)
    assert sorted(int(row.value) for row in found) == [100, 110, 120, 125, 130]
    assert {(row.book, row.rank) for row in found} == {("uk-carbon-intensity", 300)}


def test_without_a_span_the_present_and_the_last_day_are_fetched(
    tmp_path: Path, told: Provider, capsys: pytest.CaptureFixture[str]
) -> None:
    place = configured(tmp_path, told)

    def answer(request: Any) -> Answer:
        asked = request.path.split("/")[2:]
        if not asked:
            return halves(105)
        told.answers[request.path] = halves()
        return halves(100, 110)

    told.otherwise = answer
    assert place.call("factors", "sync", "--json") == 0
    assert said(capsys)["new"] == 1  # what it gives of other days is left out
    assert len(told.asked) == 2


def test_through_an_agent_the_counts_are_the_same(
    tmp_path: Path, told: Provider, capsys: pytest.CaptureFixture[str]
) -> None:
    told.answers[PAST] = halves(100, 110, 120, 130)
    place = configured(tmp_path, told)
    variables = {k: v for k, v in place.variables.items() if k.startswith("METER_")}
    with agent(tmp_path, **{**variables, "METER_CONFIG": ""}) as running:
        running.hear("listening")
        until(lambda: running.ask("GET", "/healthz")[0], "an agent")
        place.variables["METER_HOME"] = str(running.home)
        assert place.call("factors", "sync", *SPAN, "--json") == 0
        assert said(capsys)["new"] == 4
        told.answers[PAST] = halves(100, 111, 120, 130)
        assert place.call("factors", "sync", *SPAN, "--json") == 0
        counts = said(capsys)
        assert (counts["new"], counts["corrected"], counts["unchanged"]) == (0, 1, 3)
        for body in ({}, {"provider": "uk", "zone": "GB", "points": [{"from_us": 1}]}):
            assert running.ask("POST", "/v1/intensity", body)[0] == 422


def test_pounds_of_five_minutes_become_quarters_of_grams(
    tmp_path: Path, told: Provider, capsys: pytest.CaptureFixture[str]
) -> None:
    five_us = HOUR_US // 12
    told.answers["/login"] = Answer({"token": "t"})
    told.answers["/v3/historical"] = Answer(
        watt({NOON_US - 2 * HOUR_US + n * five_us: 1000 for n in range(24)})
    )
    text = 'provider = "watttime"\nzone = "CAISO_NORTH"\nuser = "lab"\n'
    place = configured(tmp_path, told, text)
    place.variables["METER_INTENSITY_PASSWORD"] = KEY
    assert place.call("factors", "sync", *SPAN, "--json") == 0
    assert said(capsys)["new"] == 8
    assert {str(row.value) for row in rows(place)} == {"453.592370000"}
    assert KEY.encode() not in (place.home / "ledger.duckdb").read_bytes()


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (("--to", "2026-03-01"), 2, "--to needs --from"),
        (("--from", "2026-03-02", "--to", "2026-03-01"), 2, "not before"),
        (("--from", "soon"), 2, "no date or instant"),
        (("--from", "2020-01-01", "--to", "2026-01-01"), 2, "400 days"),
        (SPAN, 1, "answers 404"),
    ],
)
def test_what_goes_wrong_is_one_line(
    tmp_path: Path,
    told: Provider,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    code: int,
    text: str,
) -> None:
    place = configured(tmp_path, told)
    assert place.call("factors", "sync", *words) == code
    shown = capsys.readouterr()
    assert shown.out == ""
    assert text in shown.err
    assert len(shown.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("answer", "what", "remedy"),
    [
        (Answer({}, 500), "answers 500", "run it again in some minutes"),
        (Answer(raw=b""), "answers nothing", "run it again in some minutes"),
        (Answer(raw=b"<html>"), "answers no JSON", "check intensity.url"),
        (Answer({}, 429, {"Retry-After": "7"}), "no more requests within 7 s", "again in 7 s"),
        (Answer({"data": []}), "has no intensity", "run it again in some minutes"),
    ],
)
def test_a_provider_that_is_down_is_to_be_asked_again_by_hand(
    tmp_path: Path,
    told: Provider,
    capsys: pytest.CaptureFixture[str],
    answer: Answer,
    what: str,
    remedy: str,
) -> None:
    place = configured(tmp_path, told)
    told.answers[PAST] = answer
    assert place.call("factors", "sync", *SPAN) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert what in line
    assert remedy in line
    assert "asked again" not in line


def test_status_shows_what_a_sync_through_the_agent_wrote(
    tmp_path: Path, told: Provider, capsys: pytest.CaptureFixture[str]
) -> None:
    value = 50

    def answer(_: Any) -> Answer:
        half_us = HOUR_US // 2
        now_us = time.time_ns() // 1_000
        return Answer({"data": [uk_half(now_us - now_us % half_us, 1, value)]})

    told.otherwise = answer
    place = configured(tmp_path, told)
    variables = {k: v for k, v in place.variables.items() if k.startswith("METER_")}
    with agent(tmp_path, **variables) as running:

        def shown() -> Any:
            return running.ask("GET", "/v1/status")[1]["feeds"][0]["last_value"]

        running.hear("reading")
        place.variables["METER_HOME"] = str(running.home)
        until(lambda: shown() == 50 and len(told.asked) == 2, "a value, and the last day")
        value = 60
        assert place.call("factors", "sync", "--json") == 0
        assert said(capsys)["corrected"] == 1
        assert shown() == 60


def test_without_provider_or_key_it_says_what_to_set(
    tmp_path: Path, told: Provider, capsys: pytest.CaptureFixture[str]
) -> None:
    assert Place(tmp_path).call("factors", "sync") == 2
    assert "set intensity.provider" in capsys.readouterr().err
    place = configured(tmp_path, told, 'provider = "electricity-maps"\nzone = "FR"\n')
    assert place.call("factors", "sync") == 1
    assert "METER_INTENSITY_KEY" in capsys.readouterr().err
    place.variables["METER_INTENSITY_KEY"] = KEY
    told.answers["/v3/carbon-intensity/history"] = Answer({"error": KEY}, 401)
    assert place.call("--debug", "factors", "sync") == 1
    shown = capsys.readouterr()
    assert "check the key" in shown.err
    assert KEY not in shown.err + shown.out
    assert not (place.home / "ledger.duckdb").exists()
