"""Real trainings under ``meter run``: every step is in the ledger, once, and each epoch's energy.

They run in an environment of their own (``.venv-examples``), which the first of them makes.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from examples.environment import INSTALL_S
from tests.examples.training import EXAMPLE, Node, require_training

pytestmark = [pytest.mark.slow, pytest.mark.timeout(INSTALL_S + 300)]

PRINTED = re.compile(r"^([\d,]+) parameters, (\d+) steps, (\d+) tokens$", re.MULTILINE)
LIGHTNING = Path(__file__).with_name("lightning_job.py")


@pytest.fixture(scope="module")
def python() -> Path:
    return require_training()


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node.of(tmp_path)


def phases(document: dict) -> dict[str, int]:
    return {one["phase"]: one["times"] for one in document["phases"]}


def adds_up(document: dict) -> None:
    """Energy of all phases is the run's; of the epochs no more."""
    it = document["energy"]["it"]["value"]
    assert sum(one["energy"]["value"] for one in document["phases"]) == pytest.approx(it, rel=1e-6)
    epochs = [one["energy"]["value"] for one in document["epochs"]]
    assert 0 < sum(epochs) <= it * (1 + 1e-6)
    assert min(epochs) >= 0
    for one in (*document["epochs"], *document["phases"]):
        energy = one["energy"]
        assert energy["low"] <= energy["value"] <= energy["high"]


@pytest.mark.parametrize(
    "launcher", [(), ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")]
)
def test_steps_in_the_ledger_are_the_steps_trained_by_one_process_or_two(
    python: Path, node: Node, launcher: tuple[str, ...]
) -> None:
    printed, document = node.run(python, *launcher, EXAMPLE / "train.py", "--epochs", "3")
    ((_, steps, tokens),) = PRINTED.findall(printed)
    assert int(steps) >= 3 * 3
    told = document["steps"]
    assert (told["first"], told["last"], told["count"]) == (0, int(steps), int(steps))
    assert told["spans"] == int(steps)  # each by a mark of its own, none by two
    assert [(one["epoch"], one["from"], one["to"]) for one in document["epochs"]] == [
        (1, 0, 1), (2, 1, 2), (3, 2, 3),
    ]  # fmt: skip
    times = phases(document)
    assert (times["eval"], times["save"]) == (3, 3)
    assert int(tokens) > 0
    adds_up(document)
    devices = {one["id"] for one in document["energy"]["devices"]}
    assert sum(name.startswith("GPU") for name in devices) == 2
    assert "marks_dropped" not in {one["code"] for one in document["notices"]}


def test_lightning_tells_the_optimizers_steps_and_its_validations(python: Path, node: Node) -> None:
    printed, document = node.run(python, LIGHTNING)
    assert printed.splitlines()[-1] == "steps 8, failures {}"
    told = document["steps"]
    assert (told["first"], told["last"], told["spans"]) == (0, 8, 8)
    assert [one["to"] for one in document["epochs"]] == [1, 2]
    assert phases(document)["eval"] == 3  # the trial before training is one
    adds_up(document)


def test_a_lightning_training_that_fails_ends_its_phase_and_keeps_its_code(
    python: Path, node: Node
) -> None:
    printed, document = node.run(python, LIGHTNING, "fail", code=1)
    assert "steps 3, failures {}" in printed
    assert document["steps"]["last"] == 3
    assert document["run"]["status"] == "failed"
    assert "train" in phases(document)
    adds_up(document)
