"""The configuration: precedence, and what wrong input gets."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from meter import settings
from meter.config import Banded, Config, Intensity, Window
from meter.environment import Environment
from meter.errors import ConfigError, FactorError
from meter.factors import site_of
from meter.settings_tariff import span_of

FULL = """\
project = "chatbot"

[site]
zone = "FRA"
pue = { value = 1.2, low = 1.1, high = 1.4 }

[electricity]
currency = "EUR"
price_per_kwh = 0.25
timezone = "Europe/Paris"
valid_from = 2026-01-01

[[electricity.windows]]
days = ["mon-fri"]
from = "22:00"
to = "06:00"
price_per_kwh = 0.17

[[electricity.windows]]
days = ["sat", "sun"]
from = "07:00"
to = "24:00"
price_per_kwh = 0.2

[gpu_time]
currency = "USD"
rate_per_hour = 2.10
"""


def load(tmp_path: Path, text: str, flags: dict[str, object] | None = None, **env: str) -> Config:
    """The configuration of this text."""
    return load_both(tmp_path, text, flags, **env)[0]


def load_both(
    tmp_path: Path, text: str, flags: dict[str, object] | None = None, **env: str
) -> tuple[Config, list[str]]:
    """The configuration of this text, and the notices' texts."""
    file = tmp_path / "config.toml"
    file.write_text(text, encoding="utf-8")
    environment = {"HOME": str(tmp_path), "METER_CONFIG": str(file), **env}
    config, notices = settings.load(environment, flags)
    return config, [notice.text for notice in notices]


def refusal(tmp_path: Path, text: str, **env: str) -> str:
    """What is said about a configuration that is refused."""
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text, **env)
    assert caught.value.remedy
    return str(caught.value)


def test_a_full_file_becomes_a_config(tmp_path: Path) -> None:
    config = load(tmp_path, FULL)
    assert config.project == "chatbot"
    assert config.zone == "FRA"
    assert config.pue == Banded(Decimal("1.2"), Decimal("1.1"), Decimal("1.4"))
    assert config.electricity is not None
    assert config.electricity.price_per_kwh == Banded(*[Decimal("0.25")] * 3)
    assert config.electricity.windows[0] == Window(
        (0, 1, 2, 3, 4), 1_320, 360, Banded(*[Decimal("0.17")] * 3)
    )
    assert config.electricity.windows[1].end == 1_440
    assert config.electricity.valid_from_us == 1_767_222_000_000_000  # midnight in Paris
    assert config.gpu_time is not None
    assert config.gpu_time.currency == "USD"


@pytest.mark.parametrize(
    ("told", "kept"),
    [("https://meter.example/gpu7/", "https://meter.example/gpu7"),
     ("http://[::1]:9850", "http://[::1]:9850"), ("http://node-1:80", "http://node-1:80")],
)  # fmt: skip
def test_a_public_url_is_kept_without_the_slash_at_its_end(
    tmp_path: Path, told: str, kept: str
) -> None:
    assert load(tmp_path, f'public_url = "{told}"\n').public_url == kept


def test_no_file_is_fine_unless_it_was_named(tmp_path: Path) -> None:
    config, notices = settings.load({"HOME": str(tmp_path)})
    assert (config.zone, config.electricity, notices) == (None, None, [])
    assert config.home == tmp_path / ".local" / "state" / "meter"
    with pytest.raises(ConfigError, match="does not exist"):
        settings.load({"HOME": str(tmp_path), "METER_CONFIG": str(tmp_path / "no.toml")})


def test_the_default_file_is_found_under_xdg(tmp_path: Path) -> None:
    folder = tmp_path / "xdg" / "meter"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text('project = "found"\n')
    config, _ = settings.load({"HOME": "/", "XDG_CONFIG_HOME": str(tmp_path / "xdg")})
    assert config.project == "found"


def test_flags_beat_environment_beats_file(tmp_path: Path) -> None:
    flags: dict[str, object] = {"project": "flag", "site.zone": None}
    assert load(tmp_path, FULL, flags, METER_PROJECT="environment").project == "flag"
    assert load(tmp_path, FULL, METER_PROJECT="environment").project == "environment"
    assert load(tmp_path, FULL, METER_PROJECT="").project == "chatbot"
    assert load(tmp_path, FULL, flags, METER_ZONE="DEU").zone == "DEU"


def leniently(tmp_path: Path, text: str, **env: str) -> tuple[Config, list[str]]:
    """The configuration of this text without what is wrong, and what is said of that."""
    file = tmp_path / "config.toml"
    file.write_text(text, encoding="utf-8")
    environment = {"HOME": str(tmp_path), "METER_CONFIG": str(file), **env}
    config, notices = settings.load_leniently(environment)
    return config, [notice.text for notice in notices]


def test_a_file_that_is_no_toml_can_be_done_without(tmp_path: Path) -> None:
    config, (said,) = leniently(tmp_path, "[[[", METER_ZONE="FRA")
    assert config.zone == "FRA"
    assert said.startswith(f"{tmp_path / 'config.toml'}, line 1 is not TOML: ")
    config, notices = settings.load_leniently({"HOME": "/", "METER_CONFIG": "/none.toml"})
    assert [notice.code for notice in notices] == ["config_unreadable"]


def test_every_wrong_key_is_told_and_only_these_are_left_out(tmp_path: Path) -> None:
    text = FULL.replace('"chatbot"', "7").replace("value = 1.2", "value = 0.2")
    text = text.replace('"USD"', '"usd"')
    config, said = leniently(tmp_path, text, METER_LISTEN="x", METER_ZONE="D E")
    file = tmp_path / "config.toml"
    assert [re.split(" must| 'usd' is no currency", line)[0] for line in said] == [
        "METER_LISTEN",
        "METER_ZONE",
        f"site.pue ({file}, line 5)",
        f"gpu_time.currency ({file}, line 26)",
        f"project ({file}, line 1)",
    ]
    assert (config.zone, config.pue, config.gpu_time, config.project) == (None,) * 4
    assert config.listen == settings.DEFAULT_LISTEN
    assert config.electricity is not None


def test_a_wrong_window_leaves_out_the_tariff_and_every_wrong_key_of_it_is_told(
    tmp_path: Path,
) -> None:
    text = FULL.replace('"22:00"', '"22:31"').replace("0.17", '"dear"')
    text = text.replace("2026-01-01", '"soon"').replace('["sat", "sun"]', "[]")
    config, said = leniently(tmp_path, text)
    assert config.electricity is None
    assert (config.zone, config.gpu_time is None) == ("FRA", False)
    assert [line.partition(" (")[0] for line in said] == [
        "electricity.windows[0].from",
        "electricity.windows[0].price_per_kwh",
        "electricity.windows[1].days",
        "electricity.valid_from",
    ]


def test_nothing_stands_in_for_a_socket_that_cannot_be_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="METER_SOCKET is longer"):
        leniently(tmp_path, "", METER_SOCKET="/" + "s" * 200)


def test_a_zone_knows_where_it_was_set(tmp_path: Path) -> None:
    config = load(tmp_path, FULL.replace('"FRA"', '"FRX"'))
    with pytest.raises(FactorError, match=r"site\.zone \(.*config\.toml, line 4\): there is no"):
        site_of(config)
    with pytest.raises(FactorError, match="METER_ZONE: there is no zone 'FRX'"):
        site_of(load(tmp_path, FULL, METER_ZONE="FRX"))


@pytest.mark.parametrize(
    ("old", "new", "key", "line", "reason"),
    [
        ("pue = {", "pue = 0.9 # {", "site.pue", 5, "at least 1"),
        ("low = 1.1", "low = 1.3", "site.pue", 5, "low <= value <= high"),
        ("0.25", "-0.25", "electricity.price_per_kwh", 9, "at least 0"),
        ("0.25", "100000", "electricity.price_per_kwh", 9, "below 100000"),
        ("0.25", "nan", "electricity.price_per_kwh", 9, "must be a number"),
        ("0.25", "true", "electricity.price_per_kwh", 9, "must be a number"),
        ('"Europe/Paris"', '"Mars/One"', "electricity.timezone", 10, "time zone"),
        ('"Europe/Paris"', '"../../etc/passwd"', "electricity.timezone", 10, "time zone"),
        ("2026-01-01", '"soon"', "electricity.valid_from", 11, "must be a date"),
        ('"22:00"', '"22:40"', "electricity.windows[0].from", 15, "on a quarter hour"),
        ('"22:00"', '"25:00"', "electricity.windows[0].from", 15, "24:00"),
        ('"mon-fri"', '"monday"', "electricity.windows[0].days", 14, "name days"),
        ('"07:00"', '"05:00"', "electricity.windows[1].from", 21, "overlaps window 1 on sat"),
        ('currency = "EUR"', "", "electricity.currency", 7, "is missing"),
        ('"USD"', '"dollar"', "gpu_time.currency", 26, "no currency code"),
        ('"FRA"', "3", "site.zone", 4, "must be text"),
        ('"FRA"', '"F R"', "site.zone", 4, "zone code"),
        ('"chatbot"', '"\\u0007"', "project", 1, "printable"),
        ("project =", 'public_url = "meter.example"\nproject =', "public_url", 1, "is no URL"),
        ("project =", 'public_url = "ftp://a"\nproject =', "public_url", 1, "is no URL"),
        ("project =", 'public_url = "https://u:p@a/"\nproject =', "public_url", 1, "is no URL"),
        ("project =", 'public_url = "https://a/?x=1"\nproject =', "public_url", 1, "is no URL"),
    ],
)
def test_a_bad_value_is_refused_with_key_file_line_and_reason(
    tmp_path: Path, old: str, new: str, key: str, line: int, reason: str
) -> None:
    assert old in FULL
    said = refusal(tmp_path, FULL.replace(old, new, 1))
    assert said.startswith(f"{key} ({tmp_path / 'config.toml'}, line {line}) ")
    assert reason in said
    assert "\n" not in said


def test_a_wrong_variable_is_named_as_such(tmp_path: Path) -> None:
    assert refusal(tmp_path, FULL, METER_LISTEN="nowhere").startswith("METER_LISTEN must be")
    assert refusal(tmp_path, FULL, METER_SOCKET="/" + "s" * 200).startswith("METER_SOCKET is lon")
    assert refusal(tmp_path, FULL, METER_HOST="perhaps").startswith("METER_HOST must be true")


def test_garbage_gets_key_and_line(tmp_path: Path) -> None:
    said = refusal(tmp_path, 'project = "x"\nsite.zone = FRA\n')
    assert said.startswith(f"site.zone ({tmp_path / 'config.toml'}, line 2) is not TOML")
    assert "line 1" in refusal(tmp_path, 'project = "never closed')


def test_binary_and_deep_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "binary.toml").write_bytes(b"a = 1\n\xff\xfe")
    with pytest.raises(ConfigError, match="line 2 is not UTF-8"):
        settings.load({"METER_CONFIG": str(tmp_path / "binary.toml")})
    assert "not TOML" in refusal(tmp_path, "a = " + "[" * 100_000)
    with pytest.raises(ConfigError, match="cannot be read"):
        settings.load({"METER_CONFIG": str(tmp_path)})


@given(st.binary(max_size=200))
def test_no_bytes_make_anything_but_a_config_error(raw: bytes) -> None:
    file = Path(tempfile.mkdtemp()) / "config.toml"
    file.write_bytes(raw)
    try:
        config, _ = settings.load({"HOME": "/h", "METER_CONFIG": str(file)})
    except ConfigError as error:
        assert "\n" not in str(error)
    else:
        assert config.host in {True, False}
        assert settings.load_leniently({"HOME": "/h", "METER_CONFIG": str(file)})[0] == config
    finally:
        shutil.rmtree(file.parent)


def test_unknown_keys_are_reported_with_the_nearest_known_one(tmp_path: Path) -> None:
    text = 'priject = "x"\nzone = "FRA"\n[site]\npu = 1\n[tarif]\nx = 1\ny = 2\n'
    _, notices = load_both(tmp_path, text)
    assert [notice.partition(" (")[0] for notice in notices] == [
        "priject", "zone", "site.pu", "tarif",
    ]  # fmt: skip
    assert "line 1" in notices[0]
    assert notices[0].endswith("did you mean project?")
    assert notices[1].endswith("did you mean site.zone?")
    assert notices[2].endswith("did you mean site.pue?")


def test_windows_may_replace_the_price_only_if_they_fill_the_week(tmp_path: Path) -> None:
    window = '[[electricity.windows]]\nfrom = "00:00"\nto = "{}"\nprice_per_kwh = 1\n'
    head = '[electricity]\ncurrency = "EUR"\n'
    config = load(tmp_path, head + window.format("24:00"))
    assert config.electricity is not None
    assert config.electricity.price_per_kwh is None
    assert "times without a price" in refusal(tmp_path, head + window.format("23:00"))


SUNDAY = date(2026, 3, 1)
WEEK = [SUNDAY + timedelta(days=day) for day in range(8)]


def test_windows_may_stand_on_quarter_hours_and_in_any_time_zone(tmp_path: Path) -> None:
    text = FULL.replace("Europe/Paris", "Asia/Kolkata").replace("22:00", "22:15")
    electricity = load(tmp_path, text).electricity
    assert electricity is not None
    assert electricity.windows[0].start == 1_335
    assert electricity.valid_from_us == 1_767_205_800_000_000  # 18:30 UTC of the day before


@pytest.mark.parametrize("season", ["04-01", "4/9", "02-30/09-30", "00-01/09-30", 4])
def test_a_season_that_is_none_is_refused(tmp_path: Path, season: object) -> None:
    text = FULL.replace('from = "22:00"', f'season = {json.dumps(season)}\nfrom = "22:00"')
    assert "electricity.windows[0].season" in refusal(tmp_path, text)


def test_windows_of_two_seasons_may_share_their_times(tmp_path: Path) -> None:
    window = (
        '[[electricity.windows]]\nfrom = "22:00"\nto = "06:00"\nprice_per_kwh = 1\nseason = "{}"\n'
    )
    head = '[electricity]\ncurrency = "EUR"\nprice_per_kwh = 2\n'
    both = head + window.format("04-01/09-30") + window.format("10-01/03-31")
    electricity = load(tmp_path, both).electricity
    assert electricity is not None
    assert [w.season for w in electricity.windows] == [((4, 1), (9, 30)), ((10, 1), (3, 31))]
    said = refusal(tmp_path, head + window.format("04-01/09-30") + window.format("09-01/10-31"))
    assert "overlaps window 1" in said


def test_a_window_past_midnight_belongs_to_the_next_day() -> None:
    span = span_of(Window((6,), 23 * 60, 60, Banded(*[Decimal(1)] * 3)))
    inside = [(day, m // 60) for day in WEEK for m in range(0, 1_440, 60) if span.covers(day, m)]
    monday = SUNDAY + timedelta(days=1)
    assert inside == [(SUNDAY, 23), (monday, 0), (SUNDAY + timedelta(days=7), 23)]


@given(st.integers(0, 95), st.integers(1, 96))
def test_a_window_has_as_many_quarters_as_its_length(start: int, end: int) -> None:
    assume(start != end % 96)
    span = span_of(Window((0, 3), 15 * start, 15 * end, Banded(*[Decimal(1)] * 3)))
    covered = [m for day in WEEK[:7] for m in range(0, 1_440, 15) if span.covers(day, m)]
    assert len(covered) == 2 * ((end - start) % 96)


OWNED = {f"gpu_time.{key}" for key in ("price", "lifetime_years", "utilisation")}


@pytest.mark.parametrize("without", [OWNED, {"gpu_time.rate_per_hour"}])
def test_every_key_is_documented_and_its_example_is_accepted(
    tmp_path: Path, without: set[str]
) -> None:
    groups: dict[str, list[str]] = {}
    for key in settings.KEYS:
        assert key.in_file or key.variable
        if not key.in_file or key.name in without:
            continue
        assert key.help.endswith(".")
        table, _, last = key.name.rpartition(".")
        groups.setdefault(table, []).append(f"{last} = {key.example}")
    text = "\n".join(groups.pop("")) + "\n"
    for table, lines in groups.items():
        header = f"[[{table[:-2]}]]" if table.endswith("[]") else f"[{table}]"
        text += "\n".join([header, *lines]) + "\n"
    config, notices = load_both(tmp_path, text)
    assert notices == []
    assert config.retention_days == 30


def test_places_come_from_the_environment_only(tmp_path: Path) -> None:
    config, notices = load_both(tmp_path, 'home = "/a"\n', METER_HOME="/b", METER_SOCKET="/c/d")
    assert (config.home, config.socket) == (Path("/b"), Path("/c/d"))
    assert notices[0].endswith("line 1) is not read from the file; set METER_HOME")


def test_the_socket_is_the_one_that_the_launcher_looks_for(tmp_path: Path) -> None:
    variables = {"HOME": str(tmp_path), "METER_HOME": str(tmp_path / ("d" * 120))}
    config, _ = settings.load(variables)
    launcher = Environment(variables, os.getuid())
    assert (str(config.socket), str(config.home)) == (launcher.socket, launcher.home)
    assert str(config.lease_dir) == launcher.lease_dir


LIVE = '[intensity]\nprovider = "electricity-maps"\nzone = "FR"\n'


def test_live_intensity_is_configured_without_its_key(tmp_path: Path) -> None:
    assert load(tmp_path, "").intensity is None
    key = "k3y-that-nobody-may-see"
    found = load(tmp_path, LIVE, METER_INTENSITY_KEY=key)
    assert found.intensity == Intensity("electricity-maps", "FR")
    assert key not in repr(found)
    uk = load(tmp_path, '[intensity]\nprovider = "uk"\n').intensity
    assert uk == Intensity("uk", "GB")
    watt = '[intensity]\nprovider = "watttime"\nzone = "CAISO_NORTH"\nsignal = "average"\n'
    read = load(tmp_path, f'{watt}user = "lab"\npassword_file = "/p"\nevery_minutes = 5\n')
    assert read.intensity == Intensity(
        "watttime", "CAISO_NORTH", 5, None, None, "lab", Path("/p"), average=True
    )


@pytest.mark.parametrize("name", ["key", "password"])
def test_a_key_in_the_file_is_refused_and_not_shown(tmp_path: Path, name: str) -> None:
    text = f'{LIVE}{name} = "s3cret-that-nobody-may-see"\n'
    said = refusal(tmp_path, text)
    assert f"intensity.{name} (" in said
    assert "line 4" in said
    assert f"METER_INTENSITY_{name.upper()}" in said
    file = tmp_path / "config.toml"
    config, notices = settings.load_leniently({"METER_CONFIG": str(file), "HOME": str(tmp_path)})
    assert config.intensity is None
    assert "s3cret" not in said + repr(notices) + repr(config)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[intensity]\nprovider = "watttim"\n', "did you mean watttime?"),
        ('[intensity]\nprovider = "x"\n', "name one of electricity-maps, watttime, uk"),
        ('[intensity]\nprovider = "electricity-maps"\n', "intensity.zone"),
        ('[intensity]\nprovider = "uk"\nzone = "18"\n', "region from 1 to 17"),
        ('[intensity]\nprovider = "uk"\nzone = "FR"\n', "must be GB"),
        (LIVE.replace("FR", "F R"), "letters, digits"),
        (f"{LIVE}every_minutes = 4\n", "whole number from 5"),
        (f"{LIVE}every_minutes = 16\n", "at most 15"),
        (f'{LIVE}url = "http://example.org"\n', "https://"),
        (f'{LIVE}url = "https://u:p4ss@example.org"\n', "user or password"),
        (f'{LIVE}url = "https://example.org/?a=1"\n', "https://host/path"),
        (f'{LIVE}url = "https://[x"\n', "https://host/path"),
        (f'{LIVE}emissions = "all"\n', "life-cycle or direct"),
        (f'{LIVE}signal = "both"\n', "marginal or average"),
    ],
)
def test_wrong_live_intensity_is_refused(tmp_path: Path, text: str, words: str) -> None:
    said = refusal(tmp_path, text)
    assert words in said
    assert "p4ss" not in said


def test_a_loopback_address_may_go_without_https(tmp_path: Path) -> None:
    for host in ("127.0.0.1:8080", "localhost", "[::1]:99"):
        found = load(tmp_path, f'{LIVE}url = "http://{host}/x/"\n').intensity
        assert found is not None
        assert found.url == f"http://{host}/x"


SITE = """\
[site]
pue = "hyperscale"
wue = 0.3
tnd_loss = { value = 0.05, low = 0.04, high = 0.06 }

[gpu_time]
currency = "EUR"
price = 36000
lifetime_years = { value = 4, low = 3, high = 5 }
utilisation = 0.6

[embodied]
kg_per_gpu = 164
lifetime_years = 5

[[market.instruments]]
type = "certificate"
g_per_kwh = 0
share = 0.6
valid_from = 2026-01-01
valid_to = 2027-01-01
quality = { attribute = true, unique = true, retired = true, vintage = true, market = true, residual = true }

[[market.instruments]]
type = "supplier"
g_per_kwh = 250
share = 0.4
valid_from = 2026-07-01

[[market.instruments]]
type = "residual"
g_per_kwh = { value = 420, low = 400, high = 460 }
"""  # noqa: E501 - an inline table is one line


def test_a_site_states_presets_an_owned_gpu_and_instruments(tmp_path: Path) -> None:
    config, said = load_both(tmp_path, SITE)
    assert config.pue is not None
    assert config.pue.origin is not None
    assert config.wue == Banded(*[Decimal("0.3")] * 3)
    assert config.tnd_loss == Banded(Decimal("0.05"), Decimal("0.04"), Decimal("0.06"))
    assert config.gpu_time is not None
    assert config.gpu_time.rate_per_hour is None
    assert config.gpu_time.owned is not None
    assert config.gpu_time.owned.price.value == 36_000
    assert config.embodied is not None
    assert config.embodied.server_kg_per_gpu is None
    names = [each.name for each in config.instruments]
    assert names == ["certificate 1", "supplier 1", "residual 1"]
    assert config.instruments[0].valid_from_us == 1_767_225_600_000_000
    assert [bool(each.lacking) for each in config.instruments] == [False, True, False]
    criteria = ["attribute", "unique", "retired", "vintage", "market", "residual", "utility"]
    lacking = ", ".join(f"{criterion} is not stated" for criterion in criteria)
    assert said == [f"Not counted in market-based carbon: supplier 1: {lacking}."]


@pytest.mark.parametrize(
    ("old", "new", "key", "line", "reason"),
    [
        ('"hyperscale"', "0.99", "site.pue", 2, "at least 1"),
        ('"hyperscale"', "58", "site.pue", 2, "at most 5"),
        ('"hyperscale"', '"hyperscail"', "site.pue", 2, "hyperscale"),
        ("wue = 0.3", "wue = 51", "site.wue", 3, "at most 50"),
        ("wue = 0.3", "wue = -1", "site.wue", 3, "at least 0"),
        ("high = 0.06", "high = 0.5", "site.tnd_loss", 4, "below 0.5"),
        ("tnd_loss = {", 'tnd_loss = "5%" # {', "site.tnd_loss", 4, "0.05 is 5 %"),
        ("price = 36000", "price = 0", "gpu_time.price", 8, "above 0"),
        ("price = 36000", "rate_per_hour = 2", "gpu_time.lifetime_years", 9, "beside rate"),
        ("low = 3", "low = 0", "gpu_time.lifetime_years", 9, "above 0"),
        ("lifetime_years = {", "# {", "gpu_time.lifetime_years", 6, "is missing"),
        ("utilisation = 0.6", "utilisation = 70", "gpu_time.utilisation", 10, "0.7 is 70 %"),
        ("utilisation = 0.6", "utilisation = 0", "gpu_time.utilisation", 10, "above 0"),
        ("kg_per_gpu = 164", "# ", "embodied.lifetime_years", 14, "without an amount"),
        ("kg_per_gpu = 164", "kg_per_gpu = 1e6", "embodied.kg_per_gpu", 13, "at most 50000"),
        ('"certificate"', '"rec"', "market.instruments[0].type", 17, "one of certificate, ppa"),
        ("g_per_kwh = 0", "g_per_kwh = -1", "market.instruments[0].g_per_kwh", 18, "at least 0"),
        ("g_per_kwh = 0", "g_per_kwh = 0.3", "market.instruments[0].g_per_kwh", 18, "write 300"),
        ("g_per_kwh = 0", "", "market.instruments[0].g_per_kwh", 16, "is missing"),
        ("share = 0.6", "share = 0", "market.instruments[0].share", 19, "above 0"),
        ("share = 0.6", "share = 60", "market.instruments[0].share", 19, "0.4 is 40 %"),
        ("share = 0.6", "share = 0.1234567", "market.instruments[0].share", 19, "six decimal"),
        ("2027-01-01", "2026-01-01", "market.instruments[0].valid_to", 21, "after valid_from"),
        ("unique = true", "uniqe = true", "market.instruments[0].quality", 22, "name unique"),
        ("unique = true", 'unique = "y"', "market.instruments[0].quality", 22, "true or false"),
        ("share = 0.6", "share = 0.61", "market.instruments", 16, "add up to 1.01"),
    ],
)
def test_a_bad_value_of_a_site_is_refused(
    tmp_path: Path, old: str, new: str, key: str, line: int, reason: str
) -> None:
    assert old in SITE
    said = refusal(tmp_path, SITE.replace(old, new, 1))
    assert said.startswith(f"{key} ({tmp_path / 'config.toml'}, line {line}) ")
    assert reason in said


@pytest.mark.parametrize(
    ("written", "date"),
    [("2026-01-31", "2026-01-31"), ('"2026-01"', "2026-01"), ('"2026"', "2026"), ("2026", "2026")],
)
def test_a_source_date_is_a_year_a_month_or_a_day(tmp_path: Path, written: str, date: str) -> None:
    stated = SITE.replace("[site]", f"[site]\nsource_date = {written}")
    assert load(tmp_path, stated).site_source_date == date


@pytest.mark.parametrize("table", ["site", "gpu_time", "embodied", "market.instruments"])
@pytest.mark.parametrize("wrong", ['"last year"', '"2026-13"', '"2026-02-30"', "true", '"26"'])
def test_a_source_date_that_is_none_is_refused(tmp_path: Path, table: str, wrong: str) -> None:
    head = f"[[{table}]]" if "." in table else f"[{table}]"
    said = refusal(tmp_path, SITE.replace(head, f"{head}\nsource_date = {wrong}", 1))
    assert ".source_date (" in said
    assert "must be a year, a month or a day" in said


def test_a_wrong_instrument_leaves_out_all_and_nothing_else(tmp_path: Path) -> None:
    config, said = leniently(tmp_path, SITE.replace("share = 0.4", "share = 4"))
    assert config.instruments == ()
    assert config.gpu_time is not None
    assert [line.partition(" (")[0] for line in said] == ["market.instruments[1].share"]


def test_a_wrong_time_zone_is_told_once_and_leaves_out_what_is_dated_by_it(tmp_path: Path) -> None:
    tariff = '[electricity]\ncurrency = "EUR"\nprice_per_kwh = 0.2\ntimezone = "Mars/One"\n'
    config, said = leniently(tmp_path, tariff + SITE)
    assert (config.electricity, config.instruments) == (None, ())
    assert [line.partition(" (")[0] for line in said] == ["electricity.timezone"]


def test_an_owned_gpu_with_a_wrong_part_has_no_rate(tmp_path: Path) -> None:
    config, said = leniently(tmp_path, SITE.replace("= 0.6\n\n", "= 60\n\n").replace('"EUR"', "1"))
    assert config.gpu_time is None
    assert len(said) == 3  # both, and the supplier that does not count


def test_an_unknown_key_of_an_instrument_is_named(tmp_path: Path) -> None:
    _, said = load_both(tmp_path, SITE.replace("valid_from = 2026-07", "valid_form = 2026-07"))
    assert said[0].endswith("ignored; did you mean market.instruments[].valid_from?")


shares = st.lists(
    st.tuples(st.integers(1, 28), st.integers(1, 28), st.integers(1, 100)), max_size=4
)


@given(shares)
def test_shares_are_refused_exactly_where_a_day_has_more_than_all(
    claims: list[tuple[int, int, int]],
) -> None:
    claims = [(first, last, share) for first, last, share in claims if first < last]
    text = "".join(
        f'[[market.instruments]]\ntype = "ppa"\ng_per_kwh = 0\nshare = {share / 100:.2f}\n'
        f"valid_from = 2026-02-{first:02}\nvalid_to = 2026-02-{last:02}\n"
        for first, last, share in claims
    )
    days = (sum(s for first, last, s in claims if first <= d < last) for d in range(1, 29))
    with tempfile.TemporaryDirectory() as folder:
        if max(days) > 100:
            assert "add up to" in refusal(Path(folder), text)
        else:
            assert len(load(Path(folder), text).instruments) == len(claims)
