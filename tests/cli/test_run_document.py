"""Whatever a file holds in the place of a document's value: it is refused, or it makes a report."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from meter.cli.run_document import DOCUMENT
from meter.errors import UsageError
from meter.several_nodes import Given, summed
from meter_exporters import html_report, json_document
from tests.exporters.documents import marked
from tests.exporters.test_html_report import HOSTED
from tests.several_nodes import joules, of_node

if TYPE_CHECKING:
    from collections.abc import Iterator

AT = "2026-11-02T09:14:07.000000Z"
MONEY = {"value": "1.50", "low": "1.00", "high": "2.00", "unit": "EUR", "method": "sourced"}
GONE = object()
GARBAGE = (
    None, True, -1, 0, 1e17, 2**70, "x", "", "\ud800", [], {}, [1], [{}], {"a": 1},
    "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", GONE,
)  # fmt: skip


def full(node: str) -> dict[str, Any]:
    """A document with all that a report shows of a node."""
    marks = {
        name: value for name, value in marked().items() if name in {"steps", "epochs", "phases"}
    }
    made = of_node(
        node, **marks, per={"step": joules(5, "measured")},
        budgets=[{"unit": "USD", "amount": "0.01", "used": "0.00", "ratio": 0.0, "stop": False}],
        cost_in={"currency": "EUR", "amount": MONEY, "rates": ["r"]},
        usage=[{"provider": "o", "model": "m", "meter": "input_token", "quantity": 5}],
        prices=[{"id": "p", "recorded_at": AT}],
        inference=[{"provider": "o", "model": "m", "factors": ["f"]}],
        water={"value": 1.0, "low": 1.0, "high": 1.0, "unit": "L", "method": "sourced"},
    )  # fmt: skip
    made["run"]["links"] = [{"source": "slurm", "id": "1", "recorded_at": AT}]
    return made


def places(value: Any, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if at:
        yield at
    inner = value.items() if isinstance(value, dict) else enumerate(value[:1])
    for key, each in inner:
        if isinstance(each, dict | list):
            yield from places(each, (*at, key))
        else:
            yield (*at, key)


def with_(document: dict[str, Any], at: tuple[str | int, ...], value: object) -> dict[str, Any]:
    made = copy.deepcopy(document)
    inner: Any = made
    for key in at[:-1]:
        inner = inner[key]
    if value is GONE:
        del inner[at[-1]]
    else:
        inner[at[-1]] = value
    return made


def reported(*documents: dict[str, Any]) -> bytes:
    for each in documents:
        DOCUMENT.validate_python(each)
    found = summed([Given(f"{n}.json", each) for n, each in enumerate(documents)])
    return json_document.export(found, ()) + html_report.export(found, ())


ALONE = full("b")
SUM = dict(summed([Given("b.json", full("b")), Given("c.json", of_node("c"))]))
OTHER = of_node("a")
JOB = {**full("b"), "hosted": HOSTED}
DOCUMENTS = [  # with all places, except of the schema, which the file is asked for first
    (document, [at for at in places(document) if at != ("schema",)])
    for document in (ALONE, SUM, JOB)
]


def test_what_is_whole_is_reported() -> None:
    for document in (ALONE, SUM):
        assert reported(document)
        assert reported(OTHER, document)
    assert b"The job at its provider" in reported(JOB)


@given(st.sampled_from(DOCUMENTS), st.data(), st.sampled_from(GARBAGE))
def test_garbage_is_refused_or_reported(
    told: tuple[dict[str, Any], list[tuple[str | int, ...]]], data: st.DataObject, value: object
) -> None:
    document, found = told
    damaged = with_(document, data.draw(st.sampled_from(found)), value)
    for documents in ((damaged,), (OTHER, damaged)):
        try:
            page = reported(*documents)
        except (UsageError, ValidationError) as refusal:
            assert str(refusal)
        else:
            assert b"</html>" in page


def test_a_device_that_the_ledger_no_longer_knows_is_shown() -> None:
    forgotten = with_(ALONE, ("energy", "devices", 0, "component"), None)
    assert b">unknown</td>" in reported(forgotten)


@pytest.mark.parametrize("nodes", [["b"], ["c", "b"], ["b", "c", "d"]])
def test_a_sum_is_of_the_nodes_of_its_parts(nodes: list[str]) -> None:
    with pytest.raises(ValidationError, match="those of parts"):
        DOCUMENT.validate_python(with_(SUM, ("run", "nodes"), nodes))
