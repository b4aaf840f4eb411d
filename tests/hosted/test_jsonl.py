"""The door for JSON text and JSON lines."""

from __future__ import annotations

import io
import json
import tracemalloc
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meter.errors import UsageError
from meter.hosted.jsonl import Line, LineLimits, lines, parse, parse_each

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(VALUES)
def test_json_comes_back_as_it_was(value: object) -> None:
    assert parse(json.dumps(value).encode()) == value


def test_numbers_are_exact() -> None:
    assert parse(b"[9223372036854775808, 0.1, 1e3]") == [2**63, Decimal("0.1"), Decimal("1E+3")]
    assert parse(b"\xef\xbb\xbf[1]") == [1]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (b"", "no JSON at character 1"),
        (b'{"a":', "no JSON at character 6"),
        (b'{"a":1}\n{"b":2}', "no JSON at line 2"),
        (b'{"a":NaN}', "no number at character 6"),
        (b"[-Infinity]", "no number at character 2"),
        (b'["NaN", 1e400]', "out of all range at character 9"),
        (b"[1e-400]", "out of all range at character 2"),
        (b"[1e99999999999999999999]", "out of all range at character 2"),
        (b"[" + b"9" * 5000 + b"]", "out of all range at character 2"),
        (b'{"a":1,"b":{"a":2},"a":3}', "a key given twice at character 23"),
        (b'{"a":1,"\\u0061":3}', "a key given twice at character 16"),
        (b"[" * 101 + b"]" * 101, "nested deeper than 100 at character 101"),
        (b"[" * 1_000_000, "nested deeper than 100 at character 101"),
        (b'["\xff"]', "broken UTF-8 at byte 3"),
        (b'["\xed\xa0\x80"]', "broken UTF-8 at byte 3"),
        (b"['a']", "no JSON at character 2"),
    ],
)
def test_a_fault_is_told_with_its_position(text: bytes, fault: str) -> None:
    with pytest.raises(UsageError, match=fault):
        parse(text)


def test_a_fault_quotes_no_text() -> None:
    for text in (b'{"CANARY":1,"CANARY":2}', b'{"CANARY":NaN}', b'{"CANARY" 1}', b'["CANARY\xff"]'):
        with pytest.raises(UsageError) as refused:
            parse(text)
        assert "CANARY" not in str(refused.value)


def test_a_hundred_levels_are_taken_and_width_is_not_depth() -> None:
    assert parse(b"[" * 100 + b"]" * 100)
    assert parse(b"[" + b"{}," * 999 + b"{}]") == [{}] * 1000


WRONG = [
    b"NaN", b"-Infinity", b"1e400", b"01", b"+1", b"nan", b'{"a":1,"a":2}', b"[" * 101 + b"]" * 101,
    b"9" * 5_000, b'"\xff"', b'{"a" 1}', b'"\n"', b"",
]  # fmt: skip


@given(st.lists(VALUES | st.sampled_from(WRONG), min_size=1))
def test_a_wrong_member_of_a_list_keeps_no_other_out(told: list[object]) -> None:
    texts = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in told]
    found = parse_each(b"[" + b" ,\n".join(texts) + b"]", len(texts))
    if told == [b""]:  # an empty list
        assert found == []
        return
    assert isinstance(found, list)
    for one, value in zip(told, found, strict=True):
        assert isinstance(value, UsageError) if isinstance(one, bytes) else value == one


def test_a_list_without_faults_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[bytes] = []
    monkeypatch.setattr("meter.hosted.jsonl.parse", lambda text: read.append(text) or [])
    parse_each(b"[1,2]", 2)
    assert read == [b"[1,2]"]


@pytest.mark.parametrize(
    "text", [b"[NaN", b'[NaN,"x]', b"[NaN]]", b"[NaN] 1", b"NaN", b'{"a":NaN}', b"[[NaN]"]
)
def test_what_falls_into_no_members_is_refused_whole(text: bytes) -> None:
    with pytest.raises(UsageError):
        parse_each(text, 9)


def test_of_a_wrong_list_only_so_many_members_are_looked_at() -> None:
    with pytest.raises(UsageError, match="more than 2 events"):
        parse_each(b"[1,2,3,4,NaN", 2)


def read(text: bytes, most: int = 64, **there: int) -> list[Line]:
    return list(lines(io.BytesIO(text), LineLimits(most), **there))


def test_lines_have_numbers_and_ends_and_blank_ones_are_passed() -> None:
    found = read(b'{"a":1}\n\n  \r\n{"a":2}\r\n')
    assert [(line.number, line.start, line.end, line.value) for line in found] == [
        (1, 0, 8, {"a": 1}),
        (4, 13, 22, {"a": 2}),
    ]


def test_a_faulty_line_does_not_stop_the_rest() -> None:
    first, bad, last = read(b'{"a":1}\n{"a":\n{"a":2}\n')
    assert bad.fault is not None
    assert not bad.cut_off
    assert (first.value, bad.number, last.value) == ({"a": 1}, 2, {"a": 2})


def test_a_last_line_that_is_cut_off_can_be_read_once_it_is_whole() -> None:
    whole = b'{"a":1}\n{"a":22}\n'
    half = read(whole[:-4])
    assert half[1].cut_off
    assert half[1].fault is not None
    assert half[1].fault.message.startswith("cut off")
    stream = io.BytesIO(whole)
    stream.seek(half[1].start)
    (again,) = lines(stream, number=half[1].number - 1, start=half[1].start)
    assert (again.value, again.number, again.end) == ({"a": 22}, 2, len(whole))


def test_a_last_line_without_a_newline_is_a_line() -> None:
    (line,) = read(b'{"a":1}')
    assert (line.value, line.fault) == ({"a": 1}, None)


def test_broken_utf_8_within_a_file_is_one_lines_fault() -> None:
    bad, good = read(b'"\xff"\n"ok"\n')
    assert bad.fault is not None
    assert "UTF-8" in bad.fault.message
    assert good.value == "ok"


def test_the_limit_is_exact() -> None:
    fits, over = b'"' + b"x" * 62 + b'"\n', b'"' + b"x" * 63 + b'"\n'
    assert read(fits)[0].fault is None
    found = read(over + b"1\n")
    assert found[0].fault is not None
    assert "64" in found[0].fault.message
    assert (found[1].value, found[1].start) == (1, len(over))


class Endless(io.RawIOBase):
    """A line of 100 MB that is made as it is read."""

    def __init__(self) -> None:
        super().__init__()
        self._left = 100_000_000

    def readable(self) -> bool:
        return True

    def readinto(self, into: object) -> int:
        assert isinstance(into, memoryview)
        size = min(len(into), self._left)
        self._left -= size
        into[:size] = b"x" * size
        return size


def test_a_line_of_100_mb_is_skipped_without_being_held() -> None:
    tracemalloc.start()
    try:
        (line,) = lines(io.BufferedReader(Endless()), LineLimits(1 << 20))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert line.fault is not None
    assert line.end == 100_000_000
    assert peak < 8 << 20


@given(st.lists(VALUES, max_size=5), st.integers(0, 200))
def test_wherever_a_file_is_cut_what_is_whole_is_read(values: list[object], cut: int) -> None:
    texts = [json.dumps(value).encode() + b"\n" for value in values]
    text = b"".join(texts)[:cut]
    whole = [n for n in range(len(texts)) if len(b"".join(texts[: n + 1])) <= cut]
    found = list(lines(io.BytesIO(text)))
    assert [line.value for line in found[: len(whole)]] == values[: len(whole)]
    assert all(line.cut_off or line.fault is None for line in found)
