"""Bills of each source as charges: what is kept, what is refused, and where."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meter.errors import UsageError
from meter.hosted.bills.importing import Bill, bill_of
from meter.hosted.bills.line_items import billed_as, line_items, metered
from meter.hosted.bills.rows import BillError, nine
from meter.hosted.bills.wanted import Wanted
from meter.hosted.bills.wire import charge_json, charge_of, usage_json
from meter.hosted.normalised import normalised
from meter.hosted_facts import Adapter, Meter, Quantity, Training
from meter.instants import parse_us

SHAPES = Path(__file__).parent / "shapes"
JOBS = Path(__file__).parent.parent / "jobs" / "shapes"
NOW_US = parse_us("2026-11-26T12:00Z")
DAY_US = 86_400_000_000
HEAD = "start,end,amount,currency,line_item"
GOOD = "2026-11-01,2026-11-02,1.5,USD,input"


def read(content: str | bytes, provider="openai", **changes) -> Bill:
    raw = content.encode() if isinstance(content, str) else content
    return bill_of(raw, Wanted(provider, **changes), NOW_US)


def shape(name: str, provider: str = "openai", **changes) -> Bill:
    return read((SHAPES / name).read_bytes(), provider, **changes)


def faults(content: str | bytes, **changes) -> list[str]:
    with pytest.raises(BillError) as caught:
        read(content, **changes)
    return [fault.text("bill") for fault in caught.value.faults]


# -- laws ---------------------------------------------------------------------------------------

money = st.decimals(-1_000, 1_000, places=9)


@given(st.lists(st.tuples(money, st.sampled_from(["a", "b", "c"])), min_size=1, max_size=30))
def test_no_money_of_a_focus_table_is_lost_by_adding_rows(rows) -> None:
    head = "BilledCost,BillingCurrency,ChargePeriodStart,ChargePeriodEnd,ServiceName,SkuId"
    lines = [f"{amount:f},USD,2026-11-01,2026-11-02,AI,{sku}" for amount, sku in rows]
    charges = read("\n".join([head, *lines]), form="focus").charges
    assert sum(one.amount for one in charges) == sum(amount for amount, _ in rows)
    assert len(charges) == len({sku for _, sku in rows})


@given(st.lists(st.tuples(money, st.sampled_from(["p1", "p2"]), st.sampled_from("ab")), min_size=1))
def test_no_money_of_openai_is_lost_by_grouping_that_is_not_kept(results) -> None:
    charges = read(costs(*(one(amount, project, line) for amount, project, line in results)))
    assert sum(c.amount for c in charges.charges) == sum(amount for amount, *_ in results)


@given(st.permutations(range(4)))
def test_the_order_of_rows_changes_no_charge(order) -> None:
    rows = [f"{n},USD,2026-11-0{n % 2 + 1},2026-11-03,AI,s" for n in range(1, 5)]
    head = "BilledCost,BillingCurrency,ChargePeriodStart,ChargePeriodEnd,ServiceName,SkuId"
    straight = read("\n".join([head, *rows]), form="focus").charges
    turned = read("\n".join([head, *(rows[n] for n in order)]), form="focus").charges
    assert set(straight) == set(turned)


@given(st.decimals(-(10**8), 10**8, places=20))
def test_rounding_is_to_the_nearest_ninth_place_and_told(value) -> None:
    kept, rounded = nine(value)
    assert abs(kept - value) <= Decimal("5E-10")
    assert rounded == (kept != value)
    assert nine(kept) == (kept, False)


@given(money, st.sampled_from(["USD", "EUR", "JPY"]), st.none() | st.text("ab", min_size=1))
def test_a_charge_is_sent_and_read_as_it_is(amount, currency, project) -> None:
    charge = charge_of(told(amount=f"{amount:f}", currency=currency, project=project), NOW_US)
    again = charge_of(json.loads(json.dumps(charge_json(charge))), NOW_US)
    assert again == charge
    assert charge.amount == amount


# -- openai -------------------------------------------------------------------------------------


def one(amount: object, project: str | None = "p1", line: str | None = "a", **more) -> dict:
    value = f"{amount:f}" if isinstance(amount, Decimal) else amount
    return {
        "object": "organization.costs.result", "amount": {"value": value, "currency": "usd"},
        "project_id": project, "line_item": line, **more,
    }  # fmt: skip


def costs(*results: dict, **changes) -> str:
    start = NOW_US // 1_000_000 // 86_400 * 86_400 - 86_400
    bucket = {
        "object": "bucket", "start_time": start, "end_time": start + 86_400,
        "results": list(results), **changes,
    }  # fmt: skip
    return json.dumps({"object": "page", "data": [bucket], "has_more": False, "next_page": None})


def test_costs_of_openai_are_charges_of_a_day_project_and_line_item() -> None:
    first, second, credit, evals = shape("openai_costs.json").charges
    assert (first.amount, first.currency, first.line_item) == (
        Decimal("2.5"), "USD", "gpt-4o-2024-08-06, input",
    )  # fmt: skip
    assert (first.project, first.end_us - first.start_us) == ("proj_1", DAY_US)
    assert (second.amount, second.flags) == (Decimal("1.234567890"), ("rounded",))
    assert (credit.amount, credit.flags) == (Decimal("-0.5"), ("credit",))
    assert evals.project is None
    assert evals.start_us - first.start_us == DAY_US


def test_n20_thousands_of_tokens_are_tokens() -> None:
    first, second, *_ = shape("openai_costs.json").charges
    assert (first.quantity, first.unit) == (1_000_000, "tokens")
    assert (second.quantity, second.unit) == (120_000, "tokens")
    mixed = (
        one(1, quantity=2, quantity_unit="1000_tokens"),
        one(1, quantity=5, quantity_unit="tokens"),
    )
    (charge,) = read(costs(*mixed)).charges
    assert (charge.amount, charge.quantity, charge.unit) == (2, 2_005, "tokens")
    other = one(1, quantity=2, quantity_unit="images"), one(1, quantity=5, quantity_unit="tokens")
    (charge,) = read(costs(*other)).charges
    assert (charge.quantity, charge.unit) == (None, None)


def test_costs_that_are_not_grouped_would_count_twice_and_are_refused() -> None:
    (fault,) = faults(costs(one(1, line=None)))
    assert "group_by=line_item" in fault
    (fault,) = faults(costs(one(1, project=None)))
    assert "project_id" in fault


def test_a_day_that_is_not_over_is_flagged_and_keeps_its_id() -> None:
    start = NOW_US // 1_000_000 // 86_400 * 86_400
    today = costs(one(1), start_time=start, end_time=start + 86_400)
    (charge,) = read(today).charges
    assert charge.flags == ("not_over",)
    (later,) = bill_of(today.encode(), Wanted("openai"), NOW_US + DAY_US).charges
    assert (later.id, later.flags) == (charge.id, ())


def test_projects_of_the_provider_are_named_and_the_id_stays() -> None:
    plain = shape("openai_costs.json").charges
    named = shape("openai_costs.json", projects={"proj_1": "chat"}).charges
    assert [one.project for one in named] == ["chat", "chat", "chat", None]
    assert [one.project for one in shape("openai_costs.json", project="x").charges] == ["x"] * 4
    assert [one.id for one in named] == [one.id for one in plain]


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (one("NaN"), "amount.value is no number"),
        (one(None), "amount.value is missing"),
        (one(True), "amount.value is no number"),
        (one(10**12), "1,000,000,000,000 or more"),
        (one(10**10), "absurd"),
        (one(1) | {"object": "organization.usage.images.result"}, "object is not"),
        (one(1, quantity=-1), "quantity is negative"),
    ],
)
def test_a_wrong_field_of_openai_is_named(result, said) -> None:
    assert said in faults(costs(result))[0]


def test_json_of_no_number_is_said_of_its_field() -> None:
    assert "object is no text" in faults('{"object": NaN}', form="openai")[0]


@pytest.mark.parametrize("text", ['{"object":"page","data":[{"obj', "[1", "{"])
def test_half_a_json_is_refused(text) -> None:
    assert "JSON" in faults(text, form="openai")[0]


def test_spans_that_run_backwards_are_refused() -> None:
    assert "not after start" in faults(costs(one(1), end_time=1_780_000_000))[0]


# -- together -----------------------------------------------------------------------------------


def test_n11_together_tells_nano_dollars_of_a_job() -> None:
    raw = (JOBS / "together_completed.json").read_text()
    (charge,) = read(raw, "together").charges
    assert (charge.amount, charge.currency) == (Decimal("4.25"), "USD")
    assert (charge.line_item, charge.job_id, charge.quantity) == ("fine-tuning", "ft-0a1b", 850_000)
    assert charge.start_us < charge.end_us


def test_a_job_that_runs_has_no_final_price() -> None:
    done = json.loads((JOBS / "together_completed.json").read_text())
    running = json.loads((JOBS / "together_running.json").read_text())
    bill = read(json.dumps({"data": [done, running]}), "together")
    assert len(bill.charges) == 1
    assert "1 job not ended yet" in bill.notices[0]
    assert "no job with a final price" in faults(json.dumps([running]), provider="together")[0]


def test_n13_a_cancelled_job_is_billed_as_together_says() -> None:
    raw = json.loads((JOBS / "together_cancelled.json").read_text())
    (charge,) = read(json.dumps(raw), "together").charges
    assert charge.amount == Decimal(raw["total_price"]) / 10**9


# -- focus --------------------------------------------------------------------------------------


def test_focus_rows_that_say_the_same_are_one_charge() -> None:
    bill = shape("focus.csv", "azure", services=("Azure OpenAI",))
    first, credit = bill.charges
    assert (first.amount, first.quantity, first.unit) == (Decimal("0.30"), 30, "Tokens")
    assert first.flags == ("rounded",)
    assert (first.project, first.line_item) == ("chat", "Azure OpenAI: sku-1")
    assert (credit.amount, credit.flags, credit.project) == (Decimal("-0.05"), ("credit",), "sub-1")


def test_a_bill_of_many_services_is_taken_whole_and_says_so() -> None:
    bill = shape("focus.csv", "azure")
    assert len(bill.charges) == 3
    assert "--service" in bill.notices[0]
    content = (SHAPES / "focus.csv").read_text()
    assert "it has 'Azure OpenAI', 'Storage'" in faults(content, services=("Azur",))[0]


def test_faults_of_focus_have_the_files_own_columns_and_lines() -> None:
    lines = (SHAPES / "focus.csv").read_text().splitlines()
    lines[1] = lines[1].replace("0.10000000001", "NaN")
    lines[3] = lines[3].replace("-0.05", "")
    lines[4] = lines[4] + '"[1]"'
    found = faults("\n".join(lines))
    assert found == [
        "bill:2:BilledCost: 'NaN' is no number",
        "bill:4:BilledCost: is missing",
        "bill:5:Tags: is no JSON object",
    ]
    lines = (SHAPES / "focus.csv").read_text().splitlines()
    lines[4] = lines[4].replace("USD", "XBT")
    assert faults("\n".join(lines))[0].startswith("bill:5:BillingCurrency: 'XBT'")


# -- fireworks ----------------------------------------------------------------------------------


def test_fireworks_tells_quantities_which_are_usage_and_no_charge() -> None:
    bill = shape("fireworks.csv", "fireworks", project="p")
    assert bill.charges == ()
    assert "no amounts" in bill.notices[0]
    *alike, hosted, trained = bill.usages
    assert [(one.meter, one.amount) for usage in alike for one in usage.quantities] == [
        (Meter.INPUT, 1000), (Meter.OUTPUT, 200), (Meter.INPUT, 1000), (Meter.OUTPUT, 200),
    ]  # fmt: skip
    assert len({one.id for one in alike}) == 4
    assert hosted.quantities == (Quantity(Meter.GPU_SECOND, Decimal("3600.5")),)
    assert trained.quantities == (Quantity(Meter.TRAIN_TOKEN, Decimal(850_000)),)
    assert trained.flags == ("usage_type_guessed",)


def test_rows_of_fireworks_keep_their_ids_whatever_stands_before_them() -> None:
    head, *rows = (SHAPES / "fireworks.csv").read_text().splitlines()
    whole = {one.id for one in read("\n".join([head, *rows]), "fireworks").usages}
    assert {one.id for one in read("\n".join([head, *rows[2:]]), "fireworks").usages} < whole


@pytest.mark.parametrize(
    ("cell", "bad"), [("1000", "-1"), ("1000", "NaN"), ("3600.5", "1e30"), ("850000", "9" * 40)]
)
def test_quantities_of_fireworks_are_sane(cell, bad) -> None:
    content = (SHAPES / "fireworks.csv").read_text().replace(f",{cell},", f",{bad},", 1)
    assert "is no quantity" in faults(content, provider="fireworks")[0]


# -- a plain table ------------------------------------------------------------------------------


def test_a_plain_table_is_charges() -> None:
    train, hosted, credit = shape("plain.csv", "acme").charges
    assert (train.source, train.provider, train.project) == ("csv:acme", "acme", "tuning")
    assert (train.amount, train.currency, train.quantity) == (Decimal("12.50"), "EUR", 500_000)
    assert (hosted.model, hosted.unit) == ("tuned-8b", "hours")
    assert credit.flags == ("credit",)


def test_an_amount_that_changes_is_the_same_charge() -> None:
    (before,) = read(f"{HEAD}\n{GOOD}").charges
    (after,) = read(f"{HEAD}\n{GOOD.replace('1.5', '1.75')}").charges
    assert (before.source, before.id) == (after.source, after.id)


DAY = "2026-11-01,2026-11-02"
BAD = {
    f"{DAY},NaN,USD,input": "amount: 'NaN' is no number",
    f"{DAY},inf,USD,input": "amount: 'inf' is no number",
    f"{DAY},1e400,USD,input": "amount: '1e400' is no number",
    f"{DAY},1E9,USD,input": "amount: '1E+9' is absurd: a charge is below 1,000,000,000",
    f"{DAY},0.0000000001,USD,input": "amount: '1E-10' has more than 9 places",
    f"{DAY},,USD,input": "amount: is missing",
    f"{DAY},1,usd,input": "currency: 'usd' is no currency code (USD is one)",
    f"{DAY},1,,input": "currency: is missing",
    "2026-11-02,2026-11-01,1,USD,input":
        "end: is not after start: end is the instant after the last",
    "2026-11-01,2026-11-01,1,USD,input":
        "end: is not after start: end is the instant after the last",
    "2024-11-01,2026-11-01,1,USD,input":
        "end: is more than 400 days after start: split the charge",
    "1970-01-01,1970-01-02,1,USD,input": "start: '1970-01-01' is before 2015",
    "2100-01-01,2100-01-02,1,USD,input": "start: '2100-01-01' is still to come",
    "yesterday,2026-11-02,1,USD,input":
        "start: 'yesterday' is no date or instant such as 2026-03-01T09:00Z",
    f"{DAY},1,USD,": "line_item: is missing",
    f"{DAY},1,USD,{'x' * 301}": "line_item: has 301 characters; the limit is 300",
    f"{DAY},1": " has 3 cells where the header has 5",
}  # fmt: skip


@pytest.mark.parametrize(("row", "said"), BAD.items())
def test_each_wrong_cell_has_file_line_column_and_reason(row, said) -> None:
    assert faults(f"{HEAD}\n{row}", form="csv")[0] == f"bill:2:{said}"


def test_all_faults_are_told_at_once_and_nothing_is_given() -> None:
    rows = [GOOD, "2026-11-01,2026-11-02,x,USD,input", "2026-11-01,2026-11-02,1,EURO,output"]
    found = faults("\n".join([HEAD, *rows]))
    assert [line.split(":")[1:3] for line in found] == [["3", "amount"], ["4", "currency"]]


def test_the_same_charge_twice_in_a_file_is_refused() -> None:
    (fault,) = faults(f"{HEAD}\n{GOOD}\n{GOOD.replace('1.5', '9')}")
    assert fault == (
        "bill:3:id: is about the same as line 2: keep one, or give each an id of its own"
    )
    (fault,) = faults(f"{HEAD},id\n{GOOD},a\n{GOOD.replace('input', 'output')},a")
    assert fault.startswith("bill:3:id: has the id of line 2")
    assert len(read(f"{HEAD},id\n{GOOD},a\n{GOOD},b").charges) == 2


@pytest.mark.parametrize("column", ["source", "flags", "note"])
def test_columns_that_are_not_kept_are_refused(column) -> None:
    (fault,) = faults(f"{HEAD},{column}\n{GOOD},CANARY", form="csv")
    assert fault.startswith(f"bill:2:{column}: is n")
    assert "CANARY" not in fault


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is no bill that is known"),
        (b"a,b\n1,2\n", "is no bill that is known"),
        (HEAD.encode(), "has no rows"),
        (b"\xff\xfe", "is not UTF-8"),
        (b"a\0b", "is no text file"),
        (f'{HEAD}\n2026-11-01,2026-11-02,1,USD,"inp'.encode(), "half of it"),
        (f"{HEAD},amount\n{GOOD},1".encode(), "has 'amount' twice"),
    ],
)
def test_what_is_no_bill_is_refused(content, said) -> None:
    assert said in faults(content)[0]


# -- privacy ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "provider"),
    [("openai_costs.json", "openai"), ("focus.csv", "azure"), ("fireworks.csv", "fireworks")],
)
def test_nothing_but_the_listed_columns_leaves_a_bill(name, provider) -> None:
    assert "CANARY" in (SHAPES / name).read_text()
    assert "CANARY" not in repr(shape(name, provider))


# -- line items ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("provider", "text", "model", "found"),
    [
        ("openai", "gpt-4o-2024-08-06, input", None, ("gpt-4o-2024-08-06", "input")),
        ("openai", "gpt-5.2, cached input", None, ("gpt-5.2", "cached_input")),
        ("openai", "ft-gpt-4o-2024-08-06, output", None, ("ft-gpt-4o-2024-08-06", "output")),
        ("openai", "evals | gpt-4o-mini-2024-07-18, input", None, None),
        ("openai", "assistants api | file search", None, None),
        ("openai", "gpt-4o, images", None, None),
        ("azure", "gpt-4o-2024-08-06, input", None, None),
        ("together", "fine-tuning", "base", ("base", "train_token")),
        ("acme", "host_hour", "tuned", ("tuned", "host_hour")),
        ("acme", "host_hour", None, (None, "host_hour")),
        ("acme", "hosting", None, None),
    ],
)
def test_line_items_are_known_by_the_table_alone(provider, text, model, found) -> None:
    assert metered(provider, text, model) == found


def test_each_row_of_the_table_has_a_source_and_a_meter() -> None:
    for row in line_items():
        assert row.source
        assert row.source_date
        assert row.meter in {*Meter, "{meter}"}


def test_n10_a_fine_tuned_model_has_its_bases_name_on_bills() -> None:
    assert billed_as("openai", "ft:gpt-4o-2024-08-06:lab::1") == "ft-gpt-4o-2024-08-06"
    assert billed_as("openai", "gpt-4o") == "gpt-4o"


# -- requests -----------------------------------------------------------------------------------


def told(**changes) -> dict:
    values = {
        "source": "s", "id": "1", "provider": "p", "start": "2026-11-01", "end": "2026-11-02",
        "amount": "1.5", "currency": "USD", "line_item": "input",
    }  # fmt: skip
    return {name: value for name, value in {**values, **changes}.items() if value is not None}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"amount": True}, "amount"), ({"amount": [1]}, "amount"), ({"amount": "x"}, "amount"),
        ({"id": None}, "id"), ({"source": None}, "source"), ({"prompt": "CANARY"}, "prompt"),
        ({"flags": "paid"}, "flags"), ({"quantity": 2**63}, "quantity"), ({"id": "a\nb"}, "id"),
        ({"CANARY words\n": "1"}, "?"),
    ],
)  # fmt: skip
def test_a_wrong_field_of_a_request_is_named(changes, field) -> None:
    with pytest.raises(BillError) as caught:
        charge_of(told(**changes), NOW_US)
    assert [fault.column for fault in caught.value.faults] == [field]
    assert "CANARY" not in str(caught.value)


@pytest.mark.parametrize("value", [None, 1, "x", [], {}])
def test_what_is_no_charge_is_refused(value) -> None:
    with pytest.raises(BillError):
        charge_of(value, NOW_US)


def test_all_that_a_price_of_usage_depends_on_reaches_an_agent() -> None:
    usage, *_ = shape("fireworks.csv", "fireworks").usages
    whole = usage._replace(
        run_id="r1", region="eu", service_tier="batch", base_model="another", context_tokens=7,
        training=Training.RFT, adapter=Adapter.LORA, parameters_b=Decimal("7.5"),
    )  # fmt: skip
    for told in (whole, usage._replace(service_tier="batch"), usage._replace(region="us-east-1")):
        assert normalised(json.loads(json.dumps(usage_json(told))), NOW_US) == told


def test_usage_of_a_bill_is_the_same_event_when_an_agent_takes_it() -> None:
    usages = shape("fireworks.csv", "fireworks").usages
    assert len(usages) > 3
    assert any(usage.flags for usage in usages)
    for usage in usages:
        assert normalised(json.loads(json.dumps(usage_json(usage))), NOW_US) == usage


@pytest.mark.parametrize(
    "wrong",
    [
        {"flags": ["made_up"]}, {"flags": "usage_type_guessed"}, {"flags": [["x"]]},
        {"told": {"prompt": "a secret"}}, {"told": ["usage_type"]}, {"told": {"usage_type": 3}},
    ],
)  # fmt: skip
def test_an_event_tells_no_more_beside_than_what_is_listed(wrong) -> None:
    usage, *_ = shape("fireworks.csv", "fireworks").usages
    with pytest.raises(UsageError) as caught:
        normalised({**usage_json(usage), **wrong}, NOW_US)
    assert "secret" not in str(caught.value)
