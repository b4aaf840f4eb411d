"""Where a run's row leads: to its report at its agent, with and without TLS, and by a proxy."""

from __future__ import annotations

import re
import subprocess
from collections import defaultdict
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx
import pytest
import yaml

from dashboards.asked import BOARDS, Asked, panels, read
from grafana.boards.parts import RUN_HOP
from meter.snapshot import Reach

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

AGENTS = {
    "a:9850": ('scheme="http", address=""', "http://a:9850"),
    "b:9850": ('scheme="https", address=""', "https://b:9850"),
    "c:9850": ('scheme="https", address="meter.example/gpu7"', "https://meter.example/gpu7"),
    "d:9850": (None, "http://d:9850"),
    "[::1]:9850": ('scheme="https", address=""', "https://[::1]:9850"),
    "f:9850": (
        'scheme="http", address="[2001:db8::7]:9850/gpu7"',
        "http://[2001:db8::7]:9850/gpu7",
    ),
}
"""What an agent tells of how it is reached, and how that is; one that tells nothing is older."""
TURNED = "e:9850"
"""One that got TLS in the range."""
VALUES = {"energy": 1, "carbon": 2, "money": 3, "began": 10_000, "ended": 20_000,
          "run began": 10_000}  # fmt: skip


def series(instance: str) -> Iterator[tuple[str, str]]:
    """One run at an agent, as Prometheus has it."""
    target = f'job="meter", instance="{instance}"'
    named = f'{target}, run="r", name="sft", project="chat", simulated="false"'
    yield f"meter_run_info{{{named}}}", "1x10"
    own = f'{target}, run="r"'
    yield f'meter_run_energy_joules_total{{{own}, component="gpu", method="m"}}', "3.6e6x10"
    yield f'meter_run_emissions_grams_total{{{own}, kind="k", basis="location"}}', "2x10"
    yield f'meter_run_cost_total{{{own}, kind="k", currency="EUR"}}', "3x10"
    yield f'meter_run_gpu_info{{{own}, gpu="0", uuid="GPU-1"}}', "1x10"
    yield f"meter_run_start_timestamp_seconds{{{own}}}", "10x10"
    yield f"meter_run_end_timestamp_seconds{{{own}}}", "20x10"
    if instance == TURNED:
        yield f'meter_agent_info{{{target}, scheme="http", address=""}}', "1x4 stale"
        yield f'meter_agent_info{{{target}, scheme="https", address=""}}', "_x5 1x5"
    elif (told := AGENTS[instance][0]) is not None:
        yield f"meter_agent_info{{{target}, {told}}}", "1x10"


def listed() -> list[tuple[str, dict[str, Any], str, str]]:
    """Columns of tables that lead to reports: where, the panel, the expression, the URL."""
    found = []
    for path in BOARDS:
        for panel in panels(read(path)):
            changes = [p for o in panel["fieldConfig"]["overrides"] for p in o["properties"]]
            links = [link for change in changes if change["id"] == "links"
                     for link in change["value"]]  # fmt: skip
            for url in [link["url"] for link in links if link["url"].endswith("/report")]:
                for target in panel["targets"]:
                    where = f"{path.stem}: {panel['title']} {target['refId']}"
                    found.append((where, panel, target["expr"], url))
    return found


def head(panel: dict[str, Any], expression: str) -> str:
    """What the column is called that an expression gives."""
    [change] = [c for c in panel["transformations"] if c["id"] == "organize"]
    [place] = [n for n, target in enumerate(panel["targets"]) if target["expr"] == expression]
    names = change["options"]["renameByName"]
    return names.get(f"Value #{chr(ord('A') + place)}") or names["Value"]


def filled(url: str, labels: dict[str, str]) -> str:
    """A link as Grafana fills it in: encoded as JavaScript's encodeURI does it, unless raw."""

    def value(found: re.Match[str]) -> str:
        text = labels[found[1]]
        return text if found[2] else quote(text, safe="-_.~;,/?:@&=+$#")

    return re.sub(r"\$\{__data\.fields\.(\w+)(:raw)?\}", value, url)


@pytest.mark.parametrize(
    ("panel", "expression", "url"), [one[1:] for one in listed()], ids=[one[0] for one in listed()]
)
def test_a_run_leads_to_its_report_by_the_scheme_of_its_agent(
    panel: dict[str, Any],
    expression: str,
    url: str,
    tmp_path: Path,
    require_tool: Callable[[str], str],
) -> None:
    leads = {instance: reached for instance, (_, reached) in AGENTS.items()}
    leads[TURNED] = f"https://{TURNED}"
    name = head(panel, expression)
    expected = []
    for instance, reached in leads.items():
        scheme, _, at = reached.partition("://")
        labels = {"job": "meter", "instance": instance, "run": "r", "name": "sft",
                  "project": "chat", "scheme": scheme, "at": at}  # fmt: skip
        labels |= {"currency": "EUR"} if name == "money" else {}
        labels |= {"simulated": "false"} if name in {"began", "ended"} else {}
        labels |= {"gpu": "0", "uuid": "GPU-1"} if name == "run began" else {}
        expected.append((labels, VALUES[name]))
        led = filled(url, labels)
        assert led == f"{reached}/v1/runs/r/report"
        assert httpx.URL(led).port == 9850 or instance == "c:9850"
    asked = {
        "expr": Asked("", expression).placed(__range="10m"), "eval_time": "10m",
        "exp_samples": [
            {"labels": "{" + ", ".join(f'{k}="{v}"' for k, v in labels.items()) + "}",
             "value": value}
            for labels, value in expected
        ],
    }  # fmt: skip
    told = [
        {"series": one, "values": values} for instance in leads for one, values in series(instance)
    ]
    test = {"interval": "1m", "input_series": told, "promql_expr_test": [asked]}
    file = tmp_path / "test.yml"
    file.write_text(yaml.safe_dump({"evaluation_interval": "1m", "tests": [test]}))
    done = subprocess.run(
        [require_tool("promtool"), "test", "rules", file], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("instance", ["[::1]:9850", "gpu-7:9850"])
def test_a_run_leads_to_its_dashboard_with_whatever_address_its_agent_has(instance: str) -> None:
    led = httpx.URL("http://grafana").join(filled(RUN_HOP.url, defaultdict(str, instance=instance)))
    assert led.params["var-instance"] == instance


@pytest.mark.parametrize("url", ["https://meter.example/gpu7", "http://[2001:db8::7]:9850/gpu7"])
def test_an_agent_tells_its_public_url_in_the_two_parts_that_a_link_is_made_of(url: str) -> None:
    reach = Reach.of(url)
    told = f'scheme="{reach.scheme}", address="{reach.address}"'
    assert (told, url) in AGENTS.values()


def test_runs_lead_to_reports_on_every_board_that_list_them() -> None:
    assert {where.rpartition(" ")[0] for where, *_ in listed()} == {
        "overview: Runs by energy", "overview: Runs by money", "run: Runs", "fleet: Who holds them",
    }  # fmt: skip
