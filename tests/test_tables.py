"""Tables of books and of bills are read by one reader, and their faults told in one way."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meter.errors import FactorError, MeterError
from meter.factors import rows as books
from meter.faults import SHOWN, Fault, FaultsError, counted
from meter.hosted.bills import rows as bills
from meter.tables import Form, no_number, number_of

SMALL = Form(FaultsError, most_bytes=100, most_rows=3, cell_chars=5, split="cut it")
CELLS = st.text("abc,;\t\"'0 ", max_size=5).map(str.strip)


@pytest.mark.parametrize("form", [books.FORM, bills.FORM], ids=["books", "bills"])
@given(st.lists(st.tuples(st.just("x"), CELLS, CELLS), min_size=1, max_size=5))
def test_what_was_written_as_csv_is_read_with_its_lines(form: Form, told) -> None:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerows([("first", "second", "third"), *told])
    found = form.rows_of(text.getvalue())
    names = ("first", "second", "third")
    assert [cells for _, cells in found] == [
        {name: cell for name, cell in zip(names, row, strict=True) if cell} for row in told
    ]
    assert [line for line, _ in found] == list(range(2, len(told) + 2))


@pytest.mark.parametrize("form", [books.FORM, bills.FORM], ids=["books", "bills"])
def test_a_comment_before_the_header_does_not_choose_the_delimiter(form: Form) -> None:
    assert form.rows_of("# a, b, c, d\na;b\n1;2\n") == [(3, {"a": "1", "b": "2"})]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n1\n2,3\n4,5,6\n", "2 faults, the first: rows:2: has 1 cells where the header has 2"),
        ("a\n1\n2\n3\n4\n", "rows:5: has more than 3 rows: cut it"),
        ("a\n123456\n", "rows:2:a: has more than 5 characters"),
        ("a,a\n1,2\n", "the header has 'a' twice"),
        ("a,\n1,2\n", "column 2 has no name"),
        ('a\n"1\n', "is no CSV, or half of it"),
        ("a\n", "has no rows"),
    ],
)
def test_what_is_no_table_is_said_with_its_line(text: str, said: str) -> None:
    with pytest.raises(FaultsError, match=said):
        SMALL.rows_of(text)


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"x" * 101, "more than 100 bytes: cut it"), (b"a\n\xff", "rows:2: is not UTF-8"),
     (b"a\n\nb\0", "rows:3: is no text file")],
)  # fmt: skip
def test_what_is_no_text_is_said(content: bytes, said: str) -> None:
    with pytest.raises(FaultsError, match=said):
        SMALL.text_of(content)


def test_errors_of_books_and_bills_are_told_alike_and_are_their_own() -> None:
    faults = [Fault("is wrong", row, None, "value") for row in range(SHOWN + 2)]
    for kind in (books.RowsError, bills.BillError):
        error = kind(faults, more=3)
        assert (error.count, error.more) == (SHOWN + 5, 5)
        lines = error.told("f.csv")
        assert lines[0] == "f.csv:row 1:value: is wrong"
        assert lines[-1] == "f.csv: and 5 more"
        assert len(lines) == SHOWN + 1
        assert counted(error.count) in str(error)
    assert issubclass(books.RowsError, FactorError)
    assert issubclass(bills.BillError, MeterError)
    assert not issubclass(bills.BillError, FactorError)


@given(
    st.decimals(
        allow_nan=False, allow_infinity=False, places=6, min_value=-(10**9), max_value=10**9
    )
)
def test_a_number_is_taken_exactly_as_written(number) -> None:
    assert number_of(f"{number:f}", 40) == number
    assert number_of(f"{number:f}", 3) in {None, number}


@pytest.mark.parametrize("text", ["", "1,5", "NaN", "1e400", "0x1", "1 000", "--1"])
def test_what_is_no_number_is_none(text: str) -> None:
    assert number_of(text, 40) is None
    assert ("write 1234.56" in no_number(text)) == ("," in text)
