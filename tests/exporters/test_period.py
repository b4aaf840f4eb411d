"""Pages of several runs: the same bytes for the same document, and nothing of others runs."""

from __future__ import annotations

from typing import Any

import pytest

from meter_exporters import period_html, period_md
from tests.exporters.test_html_report import XSS, Shape


def row(text: str = "lora", **changes: Any) -> dict[str, Any]:
    band = {"value": 1.0, "low": 0.5, "high": 2.0}
    return {
        "run_id": text, "name": text, "project": text, "status": "completed",
        "started_at": "2026-03-01T09:00:00.000000Z", "simulated": False, "method": "modelled",
        "where": text, "trained_tokens": 12_345_678, "unpriced": 0,
        "money": [{"currency": "USD", "value": "1.5", "low": "1", "high": "2"}],
        "per_million_tokens": [], "energy_kwh": band, "carbon_g": band, "only_bound": False,
        "energy_method": "modelled", "carbon_method": "modelled",
        "energy_basis": "facility", "break_even": [], "break_even_missing": "no requests",
        **changes,
    }  # fmt: skip


def document(text: str = "lora", **changes: Any) -> dict[str, Any]:
    quantity = {"value": 1.0, "low": 0.5, "high": 2.0, "unit": "J", "method": "modelled"}
    return {
        "schema": "meter.period/1",
        "period": {"from": None, "to": None, "project": text, "runs": []},
        "runs": [row(text)],
        "sums": [{
            "side": "hosted", "runs": 1, "trained_tokens": 5, "tokens_of_runs": 1, "cost": [],
            "energy": quantity, "carbon": {**quantity, "unit": "g"},
        }],
        "hosted_gpu_time": [{
            "project": text, "provider": text, "model": text, "gpus": text, "gpu_seconds": 3_600.0,
            "low_j": 1.0, "value_j": 2.0, "high_j": 3.0, "reason": text, "carbon": quantity,
        }],
        "inference": [], "as_of": "2026-03-02T00:00:00.000000Z", "simulated": False,
        "notices": [{"code": "x", "severity": "info", "text": text}],
        **changes,
    }  # fmt: skip


def words(page: bytes) -> str:
    return Shape(page.decode()).text


@pytest.mark.parametrize("payload", XSS, ids=range(len(XSS)))
def test_no_text_of_others_changes_the_structure(payload: str) -> None:
    harmless = Shape(period_html.export(document("harmless"), ()).decode())
    attacked = Shape(period_html.export(document(payload), ()).decode())
    assert attacked.tags == harmless.tags
    assert attacked.open == []


@pytest.mark.parametrize("payload", XSS, ids=range(len(XSS)))
def test_in_markdown_text_of_others_is_text(payload: str) -> None:
    page = period_md.export(document(payload), ()).decode()
    harmless = period_md.export(document("harmless"), ()).decode()
    assert len(page.splitlines()) == len(harmless.splitlines())
    bare = page.replace("\\<", "").replace("\\`", "").replace("\\|", "")
    assert "<" not in bare
    assert "`" not in bare
    assert bare.count("|") == harmless.count("|")


def test_the_same_document_gives_the_same_bytes() -> None:
    for exporter in (period_html, period_md):
        assert exporter.export(document(), ()) == exporter.export(document(), ())


def test_a_row_without_a_pue_says_what_it_is_of() -> None:
    made = document(runs=[row(energy_basis="it")])
    assert "IT alone" in words(period_html.export(made, ()))
    assert "0.50 to 2.0 (IT)" in period_md.export(made, ()).decode()


def test_an_upper_bound_is_written_as_one() -> None:
    bound = {"value": 1.0, "low": 0.0, "high": 2.0}
    made = document(runs=[row(only_bound=True, energy_kwh=bound, carbon_g=bound)])
    told = words(period_html.export(made, ()))
    assert "<= 2.0" in told
    assert "upper bound" in told


def test_simulated_runs_are_never_called_measured() -> None:
    made = document(simulated=True, runs=[row(method="measured", simulated=True)])
    page = period_html.export(made, ()).decode()
    assert 'class="badge measured"' not in page
    assert "Simulated." in page
    assert "**Simulated**" in period_md.export(made, ()).decode()


def test_no_runs_are_said() -> None:
    made = document(runs=[], sums=[], hosted_gpu_time=[], notices=[])
    assert "No run started in it." in words(period_html.export(made, ()))
    assert "No runs." in period_md.export(made, ()).decode()
