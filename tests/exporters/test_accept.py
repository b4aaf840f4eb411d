"""The format that an Accept header likes best; what Prometheus sends is written as it sends it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.exposition import choose_encoder

from meter_exporters.accept import OPENMETRICS, TEXT, preferred

OM, OM_UTF8 = f"{OPENMETRICS};version=1.0.0", f"{OPENMETRICS};version=1.0.0;escaping=allow-utf-8"
OLD, NEW = f"{TEXT};version=0.0.4", f"{TEXT};version=1.0.0"
PROTO = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
PROMETHEUS = {
    "2.42": (
        ("application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;"
        "q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"),
        OM,
    ),
    "2.55": (
        ("application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;"
        "version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"),
        OM,
    ),
    "2.55, text first": (
        "text/plain;version=0.0.4;q=0.5,application/openmetrics-text;version=1.0.0;q=0.4,*/*;q=0.3",
        OLD,
    ),
    "2.55, native histograms": (
        (f"{PROTO};q=0.5,application/openmetrics-text;version=1.0.0;q=0.4,"
        "application/openmetrics-text;version=0.0.1;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1"),
        OM,
    ),
    "3.3": (
        ("application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
        "application/openmetrics-text;version=0.0.1;escaping=allow-utf-8;q=0.5,"
        "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
        "text/plain;version=0.0.4;escaping=allow-utf-8;q=0.3,*/*;q=0.2"),
        OM_UTF8,
    ),
    "3.11": (
        ("application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
        "application/openmetrics-text;version=0.0.1;q=0.5,"
        "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
        "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"),
        OM_UTF8,
    ),
    "3, legacy names": (
        ("application/openmetrics-text;version=1.0.0;escaping=underscores;q=0.6,"
        "application/openmetrics-text;version=0.0.1;q=0.5,"
        "text/plain;version=1.0.0;escaping=underscores;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"),
        OM,
    ),
    "3, text 1.0.0 alone": (
        "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.6,*/*;q=0.5",
        f"{NEW};escaping=allow-utf-8",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("accept", "format_"), PROMETHEUS.values(), ids=PROMETHEUS)
def test_prometheus_gets_what_it_asks_for_first(accept: str, format_: str) -> None:
    assert preferred(accept) == format_


@pytest.mark.parametrize("accept", [accept for accept, _ in PROMETHEUS.values()])
def test_the_order_of_a_weighed_header_does_not_matter(accept: str) -> None:
    assert preferred(",".join(reversed(accept.split(",")))) == preferred(accept)


@pytest.mark.parametrize(
    ("accept", "format_"),
    [
        (f"{OM};q=0.3, {OLD};q=0.8", OLD),
        (f"{OM};q=0.3, {OLD}", OLD),  # no weight is 1
        (f"{OLD};q=0.3, {OM};q=0.8", OM),
        (f"{OM};q=0, {OLD};q=0.1", OLD),
        (f"{OM};q=0, */*", TEXT),
        (f"{OLD};q=0, {NEW};q=0, */*;q=0.1", OPENMETRICS),
        (f"{TEXT};q=0, */*;q=0.1", OPENMETRICS),
        ("*/*", TEXT),
        ("text/*", TEXT),
        ("application/*", OPENMETRICS),
        ("text/*;q=0.2, application/*;q=0.3", OPENMETRICS),
        (f"*/*, {OM}", OM),  # alike, and one is named
        (f"{OM}, {OLD}", OM),  # alike: the first
        (f"{OLD}, {OM}", OLD),
        (f"{TEXT};q=0.2, {NEW};q=0.5", NEW),  # the narrower range holds for 1.0.0
        (f"{OLD};q=0.1, {TEXT};q=0.9", NEW),
        (OPENMETRICS, OPENMETRICS),
        (TEXT, TEXT),
        (f"{OPENMETRICS};version=0.0.1, {OLD};q=0.1", OLD),  # which we do not speak
        (f"{OPENMETRICS};version=2.0.0, {OM};q=0.1", OM),
        (f'Application/OpenMetrics-Text; Version="1.0.0"; Q=0.5, {TEXT};q=0.4', OM),
        (f'{TEXT};x="a,b;q=0";q=0.4, {OM};q=0.3', TEXT),
        (f"{OM};escaping=dots", OM),
        (f"{OM};q=5, {TEXT};q=0.1", TEXT),  # a weight that is none says nothing
        (f"{TEXT};q=0.5;escaping=allow-utf-8;version=1.0.0", f"{NEW};escaping=allow-utf-8"),
    ],
)
def test_weights_and_the_narrowest_range_decide(accept: str, format_: str) -> None:
    assert preferred(accept) == format_


@pytest.mark.parametrize(
    "accept",
    ["", "image/png", "*/*;q=0", f"{TEXT};version=99", ";;;", ",", '"', f"{TEXT};q=nan"],
)
def test_who_likes_none_of_ours_leaves_it_to_us(accept: str) -> None:
    assert preferred(accept) == ""


PIECES = st.sampled_from(
    [TEXT, OPENMETRICS, "*/*", "text/*", ";version=1.0.0", ";version=0.0.4", ";q=0.5", ";q=0", ",",
     ";", "=", '"', "\\", " ", "escaping=", "allow-utf-8", "x", ";version="]
)  # fmt: skip


@given(st.lists(PIECES, max_size=30).map("".join) | st.text(max_size=60))
def test_any_header_leads_to_a_format_that_the_library_writes(accept: str) -> None:
    found = preferred(accept)
    kind = choose_encoder(found)[1].split(";")[0]
    assert kind == (found.split(";")[0] or TEXT)


@given(st.permutations([f"{OM};q=0.5", f"{OLD};q=0.4", f"{NEW};q=0.3", "*/*;q=0.2"]))
def test_weights_that_differ_decide_in_any_order(ranges: list[str]) -> None:
    assert preferred(", ".join(ranges)) == OM
