"""Energy of inference in ``meter usage list`` and in documents, with and without ecologits."""

from __future__ import annotations

import importlib.abc
import json
import sys
from decimal import Decimal
from pathlib import Path

import jsonschema
import pytest

from meter.cli.usage_energy import Energy, table
from tests.agent.agents import agent
from tests.cli.places import Place
from tests.factors.sheets import FACTOR
from tests.factors.sheets import table as sheet
from tests.factors.test_inference_rows import PINNED

SCHEMA = json.loads((Path(__file__).parents[2] / "meter/schemas/run-1.json").read_text())
WH_J = 3600


class _Refused(importlib.abc.MetaPathFinder):
    """Ecologits is not installed."""

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "ecologits":
            raise ModuleNotFoundError(f"no module named {name!r}", name=name)


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


@pytest.fixture
def refused(monkeypatch):
    """As if the extra were not installed."""

    def refuse() -> None:
        for name in [one for one in sys.modules if one.partition(".")[0] == "ecologits"]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setattr(sys, "meta_path", [_Refused(), *sys.meta_path])

    return refuse


def used(place, provider="openai", model="gpt-4o-mini", quantity="400", *more, meter="output"):
    words = ("--provider", provider, "--model", model, "--meter", meter, "--quantity", quantity)
    said = ("--id", f"{provider} {model} {meter}", "--at", "2026-11-20", *more)
    assert place.call("usage", "record", *words, *said) == 0


def told(place, capsys, *words):
    capsys.readouterr()
    assert place.call(*words, "--json") == 0
    return json.loads(capsys.readouterr().out)


def listed(place, capsys):
    capsys.readouterr()
    assert place.call("usage", "list") == 0
    return capsys.readouterr()


def imported(place):
    assert place.call("factors", "import", "--ecologits") == 0


def test_usage_in_the_ledger_has_the_pinned_energy(place, capsys):
    for provider, model in PINNED:
        used(place, provider, model)
    imported(place)
    found = told(place, capsys, "usage", "list")["inference"]
    wh = {(row["provider"], row["model"]): (row["low_j"] / WH_J, row["high_j"] / WH_J)
          for row in found}  # fmt: skip
    assert wh.keys() == PINNED.keys()
    for key, expected in PINNED.items():
        assert wh[key] == pytest.approx(expected, rel=0, abs=6e-6)
    assert {(row["method"], row["tier"]) for row in found} == {("modelled", "output_tokens")}


def test_the_list_has_a_column_of_it_and_says_what_it_leaves_out(place, capsys):
    used(place)
    used(place, quantity="10000", meter="input")
    imported(place)
    out, err = listed(place, capsys)
    lines = out.splitlines()
    assert lines[0].endswith("kWh (modelled)")
    assert [line.endswith("0.0000260 to 0.0000315") for line in lines[2:4]] == [False, True]
    assert "count output tokens only: modelled" in err


def test_a_model_that_is_not_known_is_said_and_not_guessed(place, capsys):
    used(place, model="nobodys-model")
    imported(place)
    out, err = listed(place, capsys)
    assert "not known" in out
    assert "no energy of a token of openai nobodys-model" in err
    (found,) = told(place, capsys, "usage", "list")["inference"]
    assert (found["low_j"], found["high_j"], found["factors"]) == (None, None, [])


def test_without_the_extra_one_line_says_what_to_install_and_nothing_fails(place, capsys, refused):
    used(place)
    refused()
    out, err = listed(place, capsys)
    assert "gpt-4o-mini" in out
    assert "kWh" not in out
    (line,) = [line for line in err.splitlines() if "energy" in line]
    assert "pip install 'tunemeter[ecologits]', then `meter factors import --ecologits`" in line
    assert told(place, capsys, "usage", "list")["inference"] == []


def test_with_the_extra_the_line_says_what_is_left_to_do(place, capsys):
    used(place)
    (line,) = [line for line in listed(place, capsys).err.splitlines() if "energy" in line]
    assert "`meter factors import --ecologits`" in line
    assert "pip install" not in line


def test_usage_without_output_is_not_spoken_of(place, capsys):
    used(place, meter="train_token")
    assert "energy" not in listed(place, capsys).err


def test_the_import_without_the_extra_names_its_installation(place, capsys, refused):
    refused()
    assert place.call("factors", "import", "--ecologits") == 2
    assert "pip install 'tunemeter[ecologits]'" in capsys.readouterr().err


def test_what_was_imported_stays_when_the_package_is_gone(place, capsys, refused):
    used(place)
    imported(place)
    before = told(place, capsys, "usage", "list")["inference"]
    refused()
    assert told(place, capsys, "usage", "list")["inference"] == before != []


def test_importing_again_is_no_news(place, capsys):
    imported(place)
    capsys.readouterr()
    imported(place)
    assert "No news" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    [(), ("FILE", "--ecologits"), ("--ecologits", "--site", "lab"),
     ("--ecologits", "--source", "me"), ("--ecologits", "--format", "bills")],
)  # fmt: skip
def test_one_source_is_taken_and_the_package_tells_itself(place, tmp_path, words, capsys):
    file = tmp_path / "sheet.csv"
    file.write_bytes(sheet(FACTOR))
    words = [str(file) if word == "FILE" else word for word in words]
    assert place.call("factors", "import", *words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1


def test_a_row_of_ones_own_goes_before_the_packages(place, tmp_path, capsys):
    used(place)
    imported(place)
    own = tmp_path / "own.csv"
    row = {**FACTOR, "kind": "token_energy", "scope": "hosted:openai", "item": "gpt-4o-mini"}
    own.write_bytes(sheet({**row, "value": "0.001", "unit": "Wh/token"}))
    assert place.call("factors", "import", str(own)) == 0
    (found,) = told(place, capsys, "usage", "list")["inference"]
    assert found["inputs"]["token_j"] == "3.6"


def test_a_runs_document_has_it_in_no_sum_and_a_statement_of_it_verifies(
    place, tmp_path, capsys, refused
):
    place.fill(minutes=2)
    before = told(place, capsys, "show", "last")
    run = before["run"]["id"]
    used(place, "openai", "gpt-4o", "400", "--run", run)
    unknown = told(place, capsys, "show", "last")
    assert "inference" not in unknown
    imported(place)
    document = told(place, capsys, "show", "last")
    jsonschema.validate(document, SCHEMA)
    (found,) = document["inference"]
    assert (found["low_j"] / WH_J, found["high_j"] / WH_J) == pytest.approx(
        PINNED["openai", "gpt-4o"], rel=0, abs=6e-6
    )
    assert document["energy"] == before["energy"]
    assert document["carbon"] == before["carbon"]
    assert "inference_modelled" in {one["code"] for one in document["notices"]}
    assert place.call("show", "last") == 0
    assert "modelled from output tokens, in no sum" in " ".join(capsys.readouterr().out.split())
    earlier = told(place, capsys, "show", "last", "--as-of", unknown["as_of"])
    assert "inference" not in earlier
    assert place.call("report", "last", "--seal", "-o", str(tmp_path / "sealed.json")) == 0
    refused()
    assert place.call("verify") == 0, capsys.readouterr()


def test_beside_an_agent_the_agent_tells_it(capsys, tmp_path):
    with agent(tmp_path) as node:
        node.hear("reading")
        place = Place(tmp_path, METER_HOME=str(node.home), METER_SOCKET=node.socket)
        used(place)
        used(place, "mistral", "mistral-large-latest", "400", "--project", "chat")
        imported(place)
        (found,) = told(place, capsys, "usage", "list", "--project", "chat")["inference"]
        wh = (found["low_j"] / WH_J, found["high_j"] / WH_J)
        assert wh == pytest.approx(PINNED["mistral", "mistral-large-latest"], rel=0, abs=6e-6)
        outside = told(place, capsys, "usage", "list", "--to", "2026-11-20")
        assert outside["inference"] == []


def test_usage_of_two_currencies_shows_its_energy_once():
    key = {"project": "p", "provider": "openai", "model": "m", "region": None,
           "service_tier": None}  # fmt: skip
    rows = [
        {**key, "meter": "output", "quantity": "1", "amount": "2", "currency": currency}
        for currency in ("EUR", "USD")
    ]
    shown = table(rows, Energy([{**key, "low_j": 3_600_000, "high_j": 7_200_000}]))
    assert shown.count("1.00 to 2.00") == 1


def test_gpu_time_of_no_job_is_said_to_be_in_the_report(place, capsys):
    used(place, "fireworks", "llama", "7200", meter="gpu_second")
    assert "`meter report --project P --from D --to D`" in listed(place, capsys).err


def test_money_has_its_bounds_where_a_price_does_not_say_all(place, capsys):
    assert place.call("prices", "import", "--bundled") == 0
    used(place, "openai", "gpt-4o-mini-2024-07-18", "300000000", meter="train_token")
    used(place, "openai", "gpt-3.5-turbo", "37500000", "--id", "b", meter="train_token")
    rows = {row["model"]: row for row in told(place, capsys, "usage", "list")["usage"]}
    shown = listed(place, capsys).out
    bounded = rows["gpt-4o-mini-2024-07-18"]
    assert bounded["low"] != bounded["high"]
    low, high = (f"{Decimal(bounded[end]):,.2f}" for end in ("low", "high"))
    assert f" USD ({low} to {high})" in shown
    assert shown.count(" to ") == 1


METRICS = Path(__file__).parents[1] / "hosted" / "bills" / "shapes" / "fireworks.csv"


def metered(place, tmp_path, gpu="H100"):
    """Usage of Fireworks' metrics, an hour of one type of GPU in it."""
    file = tmp_path / "metrics.csv"
    file.write_text(METRICS.read_text().replace("H100", gpu))
    assert place.call("bill", "import", str(file), "--provider", "fireworks") == 0


def test_gpu_time_of_a_known_gpu_has_its_energy_from_low_to_high(place, tmp_path, capsys):
    metered(place, tmp_path)
    out, err = listed(place, capsys)
    (line,) = [line for line in out.splitlines() if "gpu_second" in line]
    told_ = told(place, capsys, "usage", "list")
    (one,) = told_["gpu_time"]
    assert (one["tier"], one["method"], one["gpus"]) == (1, "modelled", "H100")
    low, high = (one[end] / 3_600_000 for end in ("low_j", "high_j"))
    # an H100 at 700 W for 3,600.5 s is 0.7 kWh, before its server and the facility
    assert 0.2 < low < 0.7 < high < 3
    assert line.endswith(f"{low:.3f} to {high:.2f}")
    assert "kWh (modelled)" in out
    assert "kWh of GPU time: the boards' power" in err
    assert "measured" not in out + err
    words = ("report", "--project", "default", "--from", "2026-11-01", "--to", "2026-11-30")
    path = tmp_path / "period.json"
    assert place.call(*words, "-o", str(path)) == 0
    assert json.loads(path.read_text())["hosted_gpu_time"] == told_["gpu_time"]


def test_gpu_time_of_a_gpu_that_the_books_lack_is_not_known(place, tmp_path, capsys):
    metered(place, tmp_path, "WARP_9")
    out, err = listed(place, capsys)
    (line,) = [line for line in out.splitlines() if "gpu_second" in line]
    assert line.endswith("not known")
    assert "WARP_9) is not in the books" in err


def test_gpu_time_of_gpus_that_nobody_named_is_not_known(place, capsys):
    used(place, "fireworks", "some/model", "7200", meter="gpu_second")
    out, err = listed(place, capsys)
    assert out.splitlines()[2].endswith("not known")
    assert "GPUs of fireworks some/model are not named" in err


def test_usage_without_gpu_time_asks_for_none_of_its_energy(place, capsys):
    used(place)
    assert "kWh" not in listed(place, capsys).out
    assert told(place, capsys, "usage", "list")["gpu_time"] == []


def test_an_agent_tells_the_same_of_gpu_time(place, tmp_path, capsys):
    metered(place, tmp_path)
    alone = told(place, capsys, "usage", "list")["gpu_time"]
    with agent(tmp_path, home=place.home) as running:
        running.hear("reading")
        assert running.ask("GET", "/v1/gpu_time") == (200, {"gpu_time": alone})
        assert running.ask("GET", "/v1/gpu_time?project=none") == (200, {"gpu_time": []})
