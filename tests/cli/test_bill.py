"""``meter bill``: from a file to the ledger, beside usage, or nothing; through an agent too."""

from __future__ import annotations

import json
import os
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path

import pytest

from agent.agents import agent
from meter.cli import app
from meter.cli.bill_text import shown
from meter.environment import Environment
from meter.hosted_facts import Meter, Quantity, Usage
from meter.instants import parse_us
from meter.ledger import Ledger
from meter.ledger.ledger import Pace
from meter.model import LedgerBatch, Price
from tests.cli.places import Place
from tests.hosted.bills.test_costs import Costs, bucket, served, used

SHAPES = Path(__file__).parent.parent / "hosted" / "bills" / "shapes"
SPAN = ("--from", "2026-11-01", "--to", "2026-11-04")
HEAD = "start,end,amount,currency,line_item,project\n"
DAY = "2026-11-01,2026-11-02"


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def imported(place, capsys, file, *words) -> dict:
    assert place.call("bill", "import", str(file), *words, "--json") == 0
    return json.loads(capsys.readouterr().out)["charges"]


def bill(place, capsys, *words) -> dict:
    assert place.call("bill", "show", *SPAN, *words, "--json") == 0
    return json.loads(capsys.readouterr().out)


def sheet(tmp_path, *rows, name="bill.csv") -> Path:
    path = tmp_path / name
    path.write_text(HEAD + "\n".join(rows) + "\n")
    return path


def usage(event_id: str, meter: Meter, amount: str, at="2026-11-01T10:00Z", **changes) -> Usage:
    values = {
        "source": "t", "id": event_id, "at_us": parse_us(at), "provider": "openai",
        "model": "gpt-4o-2024-08-06", "quantities": (Quantity(meter, Decimal(amount)),),
        "project": "chat",
    }  # fmt: skip
    return Usage(**{**values, **changes})


def price(value: str, meter: str, per: int = 1_000_000, model="gpt-4o-2024-08-06") -> Price:
    amount = Decimal(value)
    return Price(
        id="", provider="openai", model=model, meter=meter, per=per, currency="USD",
        value=amount, low=amount, high=amount, source="list", recorded_us=0, rank=300,
    )  # fmt: skip


def told(place, *usages: Usage, prices=()) -> None:
    with Ledger.open(place.home / "ledger.duckdb", pace=Pace(commit_s=0.0)) as ledger:
        ledger.write(LedgerBatch(prices=tuple(prices)), urgent=True).result(10)
        ledger.take(usages).result(10)


def test_a_bill_is_imported_corrected_and_known(place, tmp_path, capsys) -> None:
    words = ("bill", "import", str(sheet(tmp_path, f"{DAY},1.50,USD,input,chat")))
    assert place.call(*words, "--provider", "openai") == 0
    assert capsys.readouterr().out == "1 new charge.\n"
    assert place.call(*words, "--provider", "OpenAI") == 0
    assert capsys.readouterr().out == "No news: all charges known.\n"
    sheet(tmp_path, f"{DAY},2,USD,input,chat", f"{DAY},-1,USD,credit,chat")
    assert place.call(*words, "--provider", "openai") == 0
    assert capsys.readouterr().out == "1 new charge, 1 corrected.\nCredits among them: 1.\n"
    found = bill(place, capsys)
    assert found["totals"] == [
        {"currency": "USD", "billed": "1", "computed": "0", "difference": "1", "unexplained": "0"}
    ]
    assert sum(row["credits"] for row in found["rows"]) == 1


def test_costs_of_openai_meet_usage(place, capsys) -> None:
    words = ("--provider", "openai", "--map-project", "proj_1=chat")
    assert imported(place, capsys, SHAPES / "openai_costs.json", *words) == {
        "stored": 4, "duplicate": 0, "corrected": 0,
    }  # fmt: skip
    told(
        place,
        usage("1", Meter.INPUT, "1000000"),
        usage("2", Meter.OUTPUT, "120000", at="2026-11-02T00:10Z"),
        prices=(price("2.5", "input"),),
    )
    rows = {row["line"]: row for row in bill(place, capsys)["rows"]}
    assert rows["gpt-4o-2024-08-06, input"]["reason"] == "exact"
    (known,) = rows["gpt-4o-2024-08-06, input"]["price_ids"]
    assert place.call("usage", "list", "--json") == 0
    listed = {row["meter"]: row for row in json.loads(capsys.readouterr().out)["usage"]}
    assert listed["input"]["price_ids"] == [known]
    assert listed["output"]["price_ids"] == []
    assert place.call("prices", "list", "--json") == 0
    assert known in capsys.readouterr().out
    assert rows["gpt-4o-2024-08-06, output"]["reason"] == "nothing_computed"
    assert rows["gpt-4o-2024-08-06, output"]["price_ids"] == []
    assert rows["promotional credit"]["billed"] == "-0.5"
    assert [one["meter"] for one in bill(place, capsys)["unpriced"]] == ["output"]
    told(place, prices=(price("10.288065834", "output"),))
    rows = {(row["from"], row["line"]): row for row in bill(place, capsys)["rows"]}
    assert rows["2026-11-01", "gpt-4o-2024-08-06, output"]["reason"] == "neighbouring_day"
    assert rows["2026-11-02", "gpt-4o-2024-08-06, output"]["billed"] is None
    assert bill(place, capsys, "--project", "none")["rows"] == []


def test_the_table_fits_80_columns_and_says_why(place, tmp_path, capsys) -> None:
    long = "Amazon Bedrock: USE1-Some-Very-Long-Sku-Of-A-Cloud-That-Nobody-Remembers"
    rows = [f"{DAY},12345.67,USD,{long},chat", f"{DAY},1,EUR,input,chat"]
    imported(place, capsys, sheet(tmp_path, *rows), "--provider", "openai")
    told(place, usage("1", Meter.OUTPUT, "1000"), prices=(price("10", "output"),))
    assert place.call("bill", "show", *SPAN) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    said = " ".join(out.split())
    for words in (
        "Bills and usage from 2026-11-01 to 2026-11-03, UTC days",
        "openai, project chat, USD", "openai, project chat, EUR", "12,345.67", "no usage was told",
        "nothing billed yet", "NOT EXPLAINED",
    ):  # fmt: skip
        assert words in said


def test_no_price_is_asked_for_of_what_nobody_counted(place, tmp_path, capsys) -> None:
    unknown = Usage(
        "t", "2", parse_us("2026-11-01T10:00Z"), "openai", "gpt-4o-2024-08-06",
        (Quantity(Meter.UNKNOWN, None),), project="chat",
    )  # fmt: skip
    told(place, usage("1", Meter.INPUT, "1000000"), unknown, prices=[price("2.5", "input")])
    path = sheet(tmp_path, f'{DAY},9,USD,"gpt-4o-2024-08-06, input",chat')
    assert place.call("bill", "import", str(path), "--provider", "openai") == 0
    capsys.readouterr()
    found = bill(place, capsys)
    assert found["unpriced"] == []
    assert [(one["model"], one["quantity"]) for one in found["uncounted"]] == [
        ("gpt-4o-2024-08-06", None)
    ]
    assert {one["reason"] for one in found["rows"]} == {"uncounted"}
    assert place.call("bill", "show", *SPAN) == 0
    out = capsys.readouterr().out
    assert "meter prices import" not in out
    assert "unknown" not in out
    assert "include_usage" in out
    assert max(len(line) for line in out.splitlines()) <= 80


def test_lines_that_agree_are_counted_and_shown_if_asked(place, tmp_path, capsys) -> None:
    rows = [f'{DAY},2.50,USD,"gpt-4o-2024-08-06, input",chat']
    imported(place, capsys, sheet(tmp_path, *rows), "--provider", "openai")
    told(place, usage("1", Meter.INPUT, "1000000"), prices=(price("2.5", "input"),))
    assert place.call("bill", "show", *SPAN) == 0
    assert "1 line agrees: --all shows them." in capsys.readouterr().out
    assert place.call("bill", "show", *SPAN, "--all") == 0
    assert "billed as computed" in " ".join(capsys.readouterr().out.split())


def test_hosting_that_served_nothing_is_told_with_hours_and_money(place, capsys) -> None:
    told(
        place,
        usage("1", Meter.HOST_HOUR, "24", model="ft:m:lab::1"),
        usage("2", Meter.HOST_HOUR, "24", at="2026-11-02", model="ft:m:lab::1"),
        prices=(price("1.70", "host_hour", per=1, model="ft:m:lab::1"),),
    )
    assert place.call("bill", "show", *SPAN) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "openai ft:m:lab::1, 2026-11-01 to 2026-11-02: 48 hours at 1.70 USD an hour" in said
    assert "= 81.60 USD, and it served nothing" in said
    (idle,) = bill(place, capsys)["idle"]
    assert (idle["hours"], idle["amount"], idle["days"]) == ("48", "81.6", 2)


def test_a_correction_does_not_change_what_was_known(place, tmp_path, capsys) -> None:
    file = sheet(tmp_path, f"{DAY},1,USD,input,chat")
    imported(place, capsys, file, "--provider", "openai")
    as_of = bill(place, capsys)["as_of"]
    sheet(tmp_path, f"{DAY},2,USD,input,chat")
    imported(place, capsys, file, "--provider", "openai")
    assert bill(place, capsys)["totals"][0]["billed"] == "2"
    assert bill(place, capsys, "--as-of", as_of)["totals"][0]["billed"] == "1"


def test_each_fault_is_a_line_and_nothing_is_written(place, tmp_path, capsys) -> None:
    file = sheet(tmp_path, f"{DAY},1,USD,input,chat", f"{DAY},NaN,XBT,input,")
    assert place.call("bill", "import", str(file), "--provider", "openai") == 1
    out, err = capsys.readouterr()
    assert out == ""
    first, second, last = err.splitlines()
    assert first == f"meter: {file}:3:amount: 'NaN' is no number"
    assert second.startswith(f"meter: {file}:3:currency: 'XBT' is no currency code of ISO 4217")
    assert f"nothing of {file} was imported, it has 2 faults" in last
    assert not place.home.exists()


def test_metrics_of_fireworks_become_usage(place, capsys) -> None:
    words = ("bill", "import", str(SHAPES / "fireworks.csv"), "--provider", "fireworks")
    assert place.call(*words) == 0
    out, err = capsys.readouterr()
    assert out == "6 new events of usage, 0 known already.\n"
    assert "no amounts" in err
    assert max(map(len, err.splitlines())) <= 80
    assert place.call(*words) == 0
    assert capsys.readouterr().out == "0 new events of usage, 6 known already.\n"
    assert len(bill(place, capsys)["unpriced"]) == 4


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("bill", "import", "no-such-file.csv", "--provider", "p"), "no-such-file.csv"),
        (("bill", "import", "-"), "--provider"),
        (("bill", "import", str(SHAPES / "plain.csv"), "--provider", " "), "--provider is no name"),
        (
            ("bill", "import", str(SHAPES / "plain.csv"), "--provider", "p", "--map-project", "x"),
            "--map-project is ID=P",
        ),
        (("bill", "show", "--from", "yesterday"), "no bill yet"),
        (("bill", "sync", "--provider", "openai"), "OPENAI_ADMIN_KEY is not set"),
        (("bill", "sync", "--provider", "openai", "--since", "2099-01-01"), "still to come"),
        (("bill", "sync", "--provider", "acme"), "acme"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_2(place, words, said, capsys) -> None:
    assert place.call(*words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert len(err.splitlines()) == 1


def test_a_sync_fetches_and_fetches_again_what_was_corrected(tmp_path, capsys) -> None:
    costs = Costs([bucket(3, "1"), bucket(2, "2")])
    with served(costs) as url:
        place = Place(tmp_path, OPENAI_ADMIN_KEY="sk-CANARY")
        words = ("bill", "sync", "--provider", "openai", "--base-url", url, "--since", "2026-11-20")
        assert place.call(*words) == 0
        assert capsys.readouterr().out.startswith("2 new charges.\n")
        costs.pages = ([bucket(3, "1"), bucket(2, "2.5")],)
        assert place.call(*words) == 0
        assert capsys.readouterr().out.startswith("1 corrected, 1 known already.\n")
        costs.faults = {len(costs.asked): (401, b"{}")}
        assert place.call(*words) == 1
        err = capsys.readouterr().err
    assert "OPENAI_ADMIN_KEY" in err
    assert "CANARY" not in err


def test_no_words_of_a_bill_but_the_listed_ones_are_kept(tmp_path, capsys) -> None:
    place = Place(tmp_path, OPENAI_ADMIN_KEY="sk-CANARY")
    for name, provider in (
        ("openai_costs.json", "openai"), ("focus.csv", "azure"), ("fireworks.csv", "fireworks"),
    ):  # fmt: skip
        assert place.call("bill", "import", str(SHAPES / name), "--provider", provider) == 0
    capsys.readouterr()
    assert "CANARY" not in json.dumps(bill(place, capsys))
    for path in place.home.rglob("*"):
        if path.is_file():
            assert b"CANARY" not in path.read_bytes(), path


def test_bills_go_through_a_running_agent(tmp_path, capsys) -> None:
    good = sheet(tmp_path, f"{DAY},1.50,USD,input,chat", name="good.csv")
    bad = sheet(tmp_path, f"{DAY},1.50,USD,input,chat", f"{DAY},x,USD,output,", name="bad.csv")
    with agent(tmp_path) as running:
        running.hear("reading")
        environment = Environment(running.environment, os.getuid())

        def call(*words: str) -> tuple[int, str]:
            code = app.run(["bill", *words], environment)
            return code, capsys.readouterr().out

        provider = ("--provider", "openai")
        assert call("import", str(bad), *provider) == (1, "")
        assert call("import", str(good), *provider) == (0, "1 new charge.\n")
        assert call("import", str(good), *provider) == (0, "No news: all charges known.\n")
        sheet(tmp_path, f"{DAY},2.25,USD,input,chat", name="good.csv")
        assert call("import", str(good), *provider) == (0, "1 corrected.\n")
        code, out = call("show", *SPAN, "--json")
        assert code == 0
        assert [row["billed"] for row in json.loads(out)["rows"]] == ["2.25"]
        status, answer = running.ask("GET", "/v1/bills?from=2026-11-01&to=2026-11-04")
        assert (status, answer["totals"]) == (200, json.loads(out)["totals"])


def test_metrics_of_fireworks_by_file_and_through_an_agent_are_the_same(tmp_path, capsys) -> None:
    words = ("import", str(SHAPES / "fireworks.csv"), "--provider", "fireworks")
    place = Place(tmp_path)
    assert place.call("bill", *words) == 0
    assert capsys.readouterr().out == "6 new events of usage, 0 known already.\n"
    with agent(tmp_path, home=place.home) as running:
        running.hear("reading")
        environment = Environment(running.environment, os.getuid())
        assert app.run(["bill", *words], environment) == 0
        assert capsys.readouterr().out == "0 new events of usage, 6 known already.\n"


CONFLICT = (
    "stands for other content: output 200 is stored, 150 is given",
    "not taken: 1 of the events of usage, which are known otherwise: what was stored first holds",
)


def counted(*outputs: int) -> dict:
    """A page of OpenAI's count: what came out of each of the days before yesterday."""
    days = [
        used(2 + n, {"input_tokens": 7, "output_tokens": n_out}) for n, n_out in enumerate(outputs)
    ]
    return {"object": "page", "data": days, "has_more": False, "next_page": None}


@pytest.mark.parametrize("through", ["a file", "an agent"])
def test_usage_that_is_known_otherwise_is_exit_1_with_both_sides(tmp_path, capsys, through) -> None:
    file, place = tmp_path / "usage.json", Place(tmp_path)
    words = ("bill", "import", str(file), "--provider", "openai")
    with ExitStack() as stack:
        environment = Environment(place.variables, os.getuid())
        if through == "an agent":
            running = stack.enter_context(agent(tmp_path, home=place.home))
            running.hear("reading")
            environment = Environment(running.environment, os.getuid())
        file.write_text(json.dumps(counted(200)))
        assert app.run(list(words), environment) == 0
        file.write_text(json.dumps(counted(150, 60)))
        capsys.readouterr()
        assert app.run(list(words), environment) == 1
        out, err = capsys.readouterr()
        assert out == ("2 new events of usage, 1 known already. 1 refused: known otherwise.\n")
        assert all(said in err for said in CONFLICT)
        assert app.run([*words, "--json"], environment) == 1
        told = json.loads(capsys.readouterr().out)
    assert told["usage"] == {"duplicate": 3, "conflict": 1}
    (fault,) = told["faults"]
    assert fault["stored"]["quantities"] == {"output": "200"}
    assert fault["given"]["quantities"] == {"output": "150"}


def test_a_sync_whose_count_is_known_otherwise_is_exit_1_too(tmp_path, capsys) -> None:
    costs = Costs(counted(200)["data"], path="usage/completions")
    with served(costs) as url:
        place = Place(tmp_path, OPENAI_ADMIN_KEY="sk-CANARY")
        words = ("bill", "sync", "--provider", "openai", "--usage", "--base-url", url)
        assert place.call(*words) == 0
        costs.pages = (counted(150, 60)["data"],)
        capsys.readouterr()
        assert place.call(*words) == 1
        out, err = capsys.readouterr()
    assert out.startswith("2 new events of usage, 1 known already. 1 refused")
    assert all(said in err for said in CONFLICT)


def test_many_lines_are_cut_and_said(place) -> None:
    row = {
        "from": "2026-11-01", "to": "2026-11-04", "provider": "p", "project": "q", "line": "x",
        "currency": "USD", "billed": "1", "computed": None, "difference": "1", "reason": "differs",
        "says": "not explained",
    }  # fmt: skip
    found = {
        "from": "2026-11-01", "to": "2026-11-04", "rows": [row] * 300, "totals": [],
        "unpriced": [], "missing_prices": [], "uncounted": [], "idle": [],
    }  # fmt: skip
    text = shown(found)
    assert "100 more lines: --json has all" in text
    assert "11-01..11-03" in text
