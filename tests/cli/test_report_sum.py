"""``meter report --sum``: the documents of a run's nodes as one, without a ledger."""

from __future__ import annotations

import json
from functools import reduce
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.places import Place
from tests.run_schema import run_schema
from tests.several_nodes import of_node

if TYPE_CHECKING:
    from pathlib import Path


class Desk:
    """A home without a ledger, and files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.place = Place(folder)

    def write(self, name: str, document: Any) -> str:
        path = self.folder / name
        path.write_text(document if isinstance(document, str) else json.dumps(document))
        return str(path)

    def sum(self, *words: str) -> int:
        return self.place.call("report", "--sum", *words)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_two_nodes_become_one_document_and_one_page(desk: Desk) -> None:
    files = [desk.write(f"{node}.json", of_node(node, size=10**7)) for node in "ab"]
    target = desk.folder / "sum.json"
    assert desk.sum(*files, "-o", str(target)) == 0
    found = json.loads(target.read_text())
    run_schema().validate(found)
    assert found["run"]["nodes"] == ["a", "b"]
    assert found["energy"]["by_component"]["gpu"]["value"] == 20_000.0
    page = desk.folder / "sum.html"
    assert desk.sum(*files, "-o", str(page)) == 0
    text = page.read_text()
    for word in ("Nodes", "a/cpu-0", "b/cpu-0", "own report has its curves", "nodes_summed"):
        assert word in text
    for part in found["parts"]:
        assert part["sha256"] in text
    assert not desk.place.home.exists()  # no ledger was made or asked


def test_a_sum_takes_a_sum_and_one_file_alone_is_as_it_was(desk: Desk) -> None:
    files = [desk.write(f"{node}.json", of_node(node)) for node in "abc"]
    some, whole, again = (str(desk.folder / f"{n}.json") for n in ("some", "whole", "again"))
    assert desk.sum(*files, "-o", whole) == 0
    assert desk.sum(*files[1:], "-o", some) == 0
    assert desk.sum(some, files[0], "-o", again) == 0
    assert json.loads((desk.folder / "again.json").read_text()) == json.loads(
        (desk.folder / "whole.json").read_text()
    )
    assert desk.sum(files[0], "-o", again) == 0
    assert json.loads((desk.folder / "again.json").read_text()) == of_node("a")


def test_a_part_has_the_hash_that_a_page_of_its_file_alone_shows(desk: Desk) -> None:
    later = of_node("b", as_of="2026-11-02T10:00:00.000000Z")
    files = [desk.write("a.json", of_node("a")), desk.write("b.json", of_node("b"))]
    target, page = desk.folder / "sum.json", desk.folder / "page.html"
    assert desk.sum(*files, "-o", str(target)) == 0
    hashes = [part["sha256"] for part in json.loads(target.read_text())["parts"]]
    for file, shown in zip(files, hashes, strict=True):
        assert desk.sum(file, "-o", str(page)) == 0
        assert shown in page.read_text()
    assert desk.sum(desk.write("later.json", later), "-o", str(page)) == 0
    assert hashes[1] not in page.read_text()


def test_what_the_command_line_writes_of_a_run_can_be_summed(desk: Desk) -> None:
    desk.place.fill()
    own = str(desk.folder / "own.json")
    assert desk.place.call("report", "01RUN0", "--seal", "-o", own) == 0
    document = json.loads((desk.folder / "own.json").read_text())
    other = of_node("elsewhere")
    other["run"] |= {"id": document["run"]["id"], "project": document["run"]["project"]}
    target = desk.folder / "sum.json"
    assert desk.sum(own, desk.write("other.json", other), "-o", str(target)) == 0
    found = json.loads(target.read_text())
    run_schema().validate(found)
    assert "statement" not in found
    hashes = {part["run"]["nodes"][0]: part["sha256"] for part in found["parts"]}
    [node] = document["run"]["nodes"]
    assert hashes[node] == document["statement"]["document_sha256"]
    parts = [each["energy"]["it"]["value"] for each in (document, other)]
    assert found["energy"]["it"]["value"] == pytest.approx(sum(parts), rel=1e-12)


BUDGET = {"unit": "USD", "amount": "0.00", "used": None, "ratio": None, "stop": True}
DEEP = reduce(lambda inner, _: [inner], range(200), 1)


def broken(*path: str | int, value: Any = None) -> dict[str, Any]:
    """A document with a wrong value at a place, or without it."""
    made = of_node("b")
    at: Any = made
    for key in path[:-1]:
        at = at[key]
    if value is None:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return made


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("energy: 1", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ('{"schema": "meter.run/1", "coverage": NaN}', "is no JSON"),
        ("[]", "is no run document meter.run/1"),
        ({"schema": "meter.period/1"}, "is no run document meter.run/1"),
        (broken("energy", "it"), "energy.it: Field required"),
        (broken("energy", "it", "value", value="1"), "energy.it.value"),
        (broken("energy", "it", "value", value=1e300), "energy.it.value"),
        (broken("run", "id", value="../../x"), "run.id"),
        (broken("run", "nodes", value=[]), "run.nodes"),
        (broken("run", "started_at", value="soon"), "an instant 'soon'"),
        (broken("cost", value=[{"kind": "electricity"}]), "cost.0.currency"),
        (broken("carbon", value=[]), "carbon"),
        (broken("run", "nodes", value=["b", "c"]), "without parts run.nodes should be one"),
        (broken("epochs", value=5), "epochs"),
        (broken("steps", value={"count": "x"}), "steps.count"),
        (broken("phases", value=[{"phase": 1}]), "phases.0"),
        (broken("usage", value=[{}]), "usage.0.provider"),
        (broken("factors", 0, "kind"), "factors.0.kind: Field required"),
        (broken("budgets", value=[BUDGET]), "budgets.0.amount: it should be more than 0"),
        (broken("energy", "it", "unit", value="g"), "energy.it.unit: Input should be 'J'"),
        (broken("carbon", "location", "unit", value="J"), "carbon.location.unit"),
        (
            broken("cost", 0, "amount", "unit", value="USD"),
            "cost.0: currency and the amount",
        ),
        ('{"schema": "meter.run/1", "unread": 1e999}', "is no JSON"),
        (of_node("b", unread=DEEP), "is nested more than 100 deep"),
        (of_node("a"), "the node a stands in"),
    ],
)
def test_what_is_no_document_of_another_node_is_told_in_a_line(
    desk: Desk, capsys: pytest.CaptureFixture[str], document: Any, said: str
) -> None:
    files = [desk.write("a.json", of_node("a")), desk.write("b.json", document)]
    target = desk.folder / "sum.json"
    assert desk.sum(*files, "-o", str(target)) == 2
    told = capsys.readouterr().err
    assert said in told
    assert "b.json" in told
    assert len(told.splitlines()) == 1
    assert not target.exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "--sum names no file"),
        (("a.json",), "cannot be read"),
        ((".",), "cannot be read"),
        (("a.json", "--project", "x"), "documents are summed as they are"),
        (("a.json", "--seal"), "documents are summed as they are"),
        (("a.json", "--currency", "EUR"), "documents are summed as they are"),
        (("a.json", "--format", "md"), "the format md is not available of one run"),
    ],
)
def test_what_cannot_be_asked_is_said(
    desk: Desk, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    assert desk.sum(*words, "-o", str(desk.folder / "sum.html")) == 2
    assert said in capsys.readouterr().err
