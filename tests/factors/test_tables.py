"""Files as rows: what programs write, what people slip on, and what is no file of rows."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meter.factors.factor_rows import COLUMNS, factors_of_rows
from meter.factors.rows import BYTES, RowsError
from meter.factors.tables import csv_rows, is_csv, text_of, yaml_rows
from meter.intake import rows_of_json
from tests.factors.sheets import FACTOR, KNOWN, PRICE, factors, faults, prices, table

TARIFF = {**FACTOR, "kind": "electricity_price", "unit": "EUR/kWh", "scope": "lab"}


def test_what_spreadsheets_write_reads_the_same():
    plain = table(FACTOR).decode()
    expected = factors(plain)
    for variant in (
        "\ufeff" + plain,
        plain.replace("\n", "\r\n"),
        plain + "\n\n,,,,,,\n",
        "# made by hand\n" + plain,
        table(FACTOR, delimiter=";").decode(),
        table(FACTOR, delimiter="\t").decode(),
    ):
        assert factors(variant) == expected, variant


def test_json_and_yaml_read_as_csv_does():
    rows = [FACTOR, {**FACTOR, "scope": "DEU"}]
    expected = factors(table(*rows))
    assert factors(json.dumps({"factors": rows})) == expected
    assert factors(json.dumps(rows, indent=2)) == expected
    assert prices(json.dumps([{**PRICE, "per": 1_000_000, "value": 2.5}])) == prices(table(PRICE))


def test_scalars_of_yaml_are_taken_as_written():
    (found,) = factors(json.dumps([FACTOR]).replace('"56"', "56.123456789"))
    assert str(found.value) == "56.123456789"


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("", None, "no rows"),
        ("kind,scope\n", None, "has no rows"),
        ("kind,kind\na,b\n", 1, "twice"),
        ("kind,\na,b\n", 1, "column 2 has no name"),
        ("kind,scope\na,b\nc\n", 3, "has 1 cells where the header has 2"),
        ('kind,scope\n"a,b\n', 2, "is no CSV"),
        ("kind,scope\na\0,b\n", 2, "no text file"),
        (f"kind,scope\n{'x' * 5_000},b\n", 2, "more than 4,000 characters"),
        ("factors: 3\n", 1, "list of rows"),
        ("rows: []\n", 1, "not known here"),
        ("factors:\n  - kind: pue\n    kind: wue\n", 3, "twice"),
        ("factors:\n  - &a {kind: pue}\n  - *a\n", 2, "alias"),
        ("factors:\n  - [1, 2]\n", 2, "mapping of columns"),
        ("factors:\n  - {kind: [1]}\n", 2, "one value"),
        ("factors:\n\t- x\n", 2, "no YAML"),
        ("[" * 3_000, None, ""),
        ("- !!python/object:os.system {a: b}\n", 1, ""),
    ],
)
def test_what_is_no_sheet_is_told_with_its_line(text, line, says):
    found = faults(text)
    assert found, text
    assert says in found[0].reason
    if line is not None:
        assert found[0].line == line


def test_what_is_too_large_or_no_utf8_is_refused():
    with pytest.raises(RowsError, match="more than 8,388,608 bytes"):
        text_of(b"x" * (BYTES + 1))
    with pytest.raises(RowsError, match=r"3.*UTF-8"):
        text_of("a\nb\nZürich".encode("latin-1"))
    with pytest.raises(RowsError, match="YAML"):
        yaml_rows("- a\n" * (1 << 20), "factors")


@pytest.mark.parametrize("opening", ["[", "{a: ", '{"a":'])
def test_what_is_nested_beyond_the_parsers_stack_is_refused_before_it_is_composed(opening):
    with pytest.raises(RowsError, match="nested too deeply"):
        yaml_rows(f"factors:\n {opening * 100_000}", "factors")


@given(st.text(max_size=200))
def test_any_text_is_rows_or_an_error_of_ours(text):
    try:
        clean = text_of(text.encode("utf-8", "surrogatepass"))
        rows = csv_rows(clean) if is_csv(clean) else yaml_rows(clean, "factors")
    except RowsError as error:
        assert error.faults
    else:
        assert rows


def test_an_unknown_column_is_told_once_with_the_nearest():
    content = table(*({**FACTOR, "scope": zone, "valed_from": ""} for zone in ("FRA", "DEU")))
    (fault,) = faults(b"# ours\n" + content)
    assert (fault.line, fault.column) == (2, "valed_from")
    assert "did you mean valid_from?" in fault.reason
    (fault,) = faults(json.dumps([{**FACTOR, "scope": z, "lisence": "x"} for z in ("FRA", "DEU")]))
    assert (fault.row, fault.column) == (0, "lisence")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
windows = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("timezone", "in", "not_in", "days", "from", "to"), json_values)
)


@given(
    st.fixed_dictionaries(
        {}, optional={name: json_values | st.just(FACTOR.get(name, "2026")) for name in COLUMNS}
    ),
    windows,
)
def test_any_json_is_a_factor_or_an_error_of_ours(row, times):
    for cells in (row, {**FACTOR, **row}, {**TARIFF, "windows": times}):
        try:
            found = factors_of_rows(rows_of_json([cells]), KNOWN)
        except RowsError as error:
            assert error.faults
        else:
            assert found[0].source


@given(st.lists(st.sampled_from(["FRA", "DEU", "ESP", "PRT"]), min_size=2, unique=True))
def test_the_order_of_rows_changes_nothing(zones):
    rows = [{**FACTOR, "scope": zone} for zone in zones]
    assert set(factors(table(*rows))) == set(factors(table(*reversed(rows))))


@pytest.mark.parametrize(
    ("text", "suffix", "table"),
    [
        ("factors: [{kind: pue, scope: lab}]", "", False),
        ("defaults: {kind: pue, scope: lab}\nfactors: []", "", False),
        ("kind,scope\npue,lab\n", "", True),
        ("kind,scope\npue,lab\n", ".YAML", False),
        ("kind\npue\n", ".csv", True),
        ("factors: [{a: 1, b: 2}]", ".yml", False),
    ],
)
def test_the_suffix_tells_a_table_else_its_first_line(text, suffix, table):
    assert is_csv(text, suffix) is table


@pytest.mark.parametrize(
    ("changes", "column", "says"),
    [
        ({"per": "1", "value": "3"}, "value", "is the price for 1000000?"),
        ({"per": "1", "value": "3", "meter": "train_token"}, "value", "3 USD for one token"),
        ({"meter": "train_tokn"}, "meter", "did you mean train_token?"),
        ({"meter": "x"}, "meter", "cached_input"),
    ],
)
def test_a_price_of_no_known_meter_or_an_absurd_one_is_refused(changes, column, says):
    (fault,) = faults(table({**PRICE, **changes}), prices)
    assert fault.column == column
    assert says in fault.reason


def test_a_price_of_an_hour_or_of_a_small_currency_may_be_high():
    hour = {**PRICE, "meter": "host_hour", "per": "1", "value": "100"}
    small = {**PRICE, "currency": "VND", "per": "1", "value": "15"}
    assert len(prices(table(hour, small))) == 2
