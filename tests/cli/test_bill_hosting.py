"""Hosted models that serve by another name than their hosting has: idle, not known, or neither."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from meter.hosted_facts import Meter
from tests.cli.places import Place
from tests.cli.test_bill import SPAN, bill, told, usage

if TYPE_CHECKING:
    from pathlib import Path

M = "accounts/fireworks/models/llama-v3p1-8b-instruct"
D = "accounts/acme/deployments/abc"
FIREWORKS = {
    "name": D, "baseModel": M, "createTime": "2026-11-01T00:00:00Z", "state": "DELETED",
    "deleteTime": "2026-11-03T00:00:00Z", "replicaCount": 1, "acceleratorCount": 1,
}  # fmt: skip
AZURE = {
    "id": "/subscriptions/x/deployments/d3", "name": "d3",
    "sku": {"name": "GlobalProvisionedManaged", "capacity": 50},
    "properties": {"model": {"name": "gpt-4o", "version": "2024-08-06"}},
    "systemData": {"createdAt": "2026-11-01T00:00:00Z"},
}  # fmt: skip


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def hosted(place: Place, tmp_path: Path, provider: str, deployment: dict[str, Any]) -> None:
    path = tmp_path / "deployments.json"
    path.write_text(json.dumps(deployment))
    words = ("jobs", "import", str(path), "--provider", provider, "--hosting")
    assert place.call(*words) == 0


def asked_daily(place: Place, provider: str, model: str) -> None:
    days = ("2026-11-01T10:00Z", "2026-11-02T10:00Z", "2026-11-03T10:00Z", "2026-11-04T10:00Z")
    told(
        place,
        *(
            usage(f"q{at}", Meter.OUTPUT, "10", at=at, provider=provider, model=model)
            for at in days
        ),
    )


@pytest.mark.parametrize(
    ("model", "idle", "not_known"),
    [
        (M, 0, 0), (f"{M}#{D}", 0, 0), (f"accounts/acme/models/lora#{D}", 0, 0), (D, 0, 0),
        ("accounts/acme/models/lora", 0, 2), ("accounts/fireworks/models/other", 2, 0),
        (f"{M}#accounts/acme/deployments/other", 2, 0),
    ],
)  # fmt: skip
def test_a_deployment_of_fireworks_is_asked_by_its_name(
    place, tmp_path, capsys, model, idle, not_known
) -> None:
    hosted(place, tmp_path, "fireworks", FIREWORKS)
    asked_daily(place, "fireworks", model)
    capsys.readouterr()
    found = bill(place, capsys)
    assert sum(one["days"] for one in found["idle"]) == idle
    assert sum(one["days"] for one in found["idle_not_known"]) == not_known


@pytest.mark.parametrize(
    ("model", "idle", "not_known"),
    [("gpt-4o", 0, 0), ("d3", 0, 0), ("gpt-4o-2024-08-06", 0, 3), ("gpt-4o-mini", 3, 0)],
)
def test_an_answer_of_azure_has_the_version_that_a_deployment_tells_apart(
    place, tmp_path, capsys, model, idle, not_known
) -> None:
    hosted(place, tmp_path, "azure", AZURE)
    asked_daily(place, "azure", model)
    capsys.readouterr()
    found = bill(place, capsys)
    assert sum(one["days"] for one in found["idle"]) == idle
    assert sum(one["days"] for one in found["idle_not_known"]) == not_known


def test_what_is_not_known_is_said_and_not_called_idle(place, tmp_path, capsys) -> None:
    hosted(place, tmp_path, "azure", AZURE)
    asked_daily(place, "azure", "gpt-4o-2024-08-06")
    assert place.call("bill", "show", *SPAN) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    assert "whether it served is not known" in " ".join(out.split())
    assert "served nothing" not in out
    assert "asked nothing" not in out


def test_a_model_that_others_are_asked_beside_stays_idle(place, tmp_path, capsys) -> None:
    """Two models of one account have hours: which one was asked, its name tells."""
    hosted(place, tmp_path, "fireworks", FIREWORKS)
    own = {**FIREWORKS, "name": "accounts/acme/deployments/own"}
    hosted(place, tmp_path, "fireworks", {**own, "baseModel": "accounts/acme/models/own"})
    asked_daily(place, "fireworks", "accounts/acme/models/own")
    capsys.readouterr()
    found = bill(place, capsys)
    assert [one["model"] for one in found["idle"]] == [M]
    assert found["idle_not_known"] == []
