"""deploy/compose.yaml: its schema, its ports and rights, and the files that it mounts."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from deploy.containerfile import parse

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "deploy" / "compose.yaml"
SCHEMA = Path(__file__).with_name("compose-spec.json")
"""compose-spec/compose-spec at 170098b (2026-06-23, Apache-2.0), without its descriptions."""

STACK = yaml.safe_load(FILE.read_text())
SERVICES: dict[str, dict[str, Any]] = STACK["services"]


def problems(stack: dict[str, Any]) -> list[str]:
    schema = json.loads(SCHEMA.read_text())
    return [error.message for error in jsonschema.Draft7Validator(schema).iter_errors(stack)]


def test_the_stack_is_as_the_compose_specification_says() -> None:
    assert problems(STACK) == []


def test_a_key_that_compose_does_not_know_would_be_found() -> None:
    stack = {**STACK, "services": {**SERVICES, "agent": {**SERVICES["agent"], "prots": []}}}
    assert problems(stack)


def test_ports_are_open_on_the_hosts_loopback_only() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert len(ports) == 4
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_confined(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "pid", "network_mode", "user"} & set(service)


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_that_stays_has_a_healthcheck(name: str) -> None:
    if name != "trainer":
        assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"


def test_the_agents_healthcheck_is_that_of_its_image() -> None:
    image = parse(ROOT / "deploy" / "Containerfile")[-1]
    assert SERVICES["agent"]["healthcheck"]["test"][1:] == image.health


def test_agent_and_trainer_share_the_sockets_folder_and_nothing_else() -> None:
    def mounted(name: str) -> set[str]:
        return {entry.partition(":")[0] for entry in SERVICES[name]["volumes"]}

    assert mounted("agent") & mounted("trainer") == {"socket"}
    assert "networks" not in SERVICES["trainer"]


def test_only_agent_and_trainer_ask_for_gpus() -> None:
    asking = {name for name, service in SERVICES.items() if "deploy" in service}
    assert asking == {"agent", "trainer"}


def test_every_file_that_is_mounted_is_in_the_repository() -> None:
    for service in SERVICES.values():
        for entry in service.get("volumes", ()):
            source = entry.partition(":")[0]
            assert source in STACK["volumes"] or (FILE.parent / source).exists(), source


def test_prometheus_asks_the_agent_by_the_name_that_it_answers_to() -> None:
    config = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())
    [job] = config["scrape_configs"]
    [target] = job["static_configs"][0]["targets"]
    agent = SERVICES["agent"]
    listen = agent["command"][agent["command"].index("--listen") + 1]
    assert target == f"{agent['hostname']}:{listen.rpartition(':')[2]}"


def at_hand(tmp_path: Path, service: str, config: str) -> Path:
    """A service's configuration with what its container mounts as it is here."""
    text = (FILE.parent / config).read_text()
    for entry in SERVICES[service]["volumes"]:
        source, target, *_ = entry.split(":")
        if source.startswith("."):
            text = text.replace(f"{target}/", f"{(FILE.parent / source).resolve()}/")
    file = tmp_path / Path(config).name
    file.write_text(text)
    return file


def test_promtool_finds_nothing_in_the_configuration_and_its_rules(
    tmp_path: Path, require_tool
) -> None:
    file = at_hand(tmp_path, "prometheus", "prometheus/prometheus.yml")
    done = subprocess.run(
        [require_tool("promtool"), "check", "config", file], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "17 rules found" in done.stdout


def amtool(require_tool, *words: str | Path) -> str:
    command = [require_tool("amtool"), *words]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_amtool_takes_the_alertmanagers_configuration(require_tool) -> None:
    config = FILE.parent / "alertmanager" / "alertmanager.yml"
    amtool(require_tool, "check-config", config)
    for severity in ("critical", "warning", "info"):
        found = amtool(
            require_tool, "config", "routes", "test", f"--config.file={config}",
            f"severity={severity}", "alertname=MeterAgentDown",
        )  # fmt: skip
        assert found.strip() == "nobody"


def test_what_is_critical_takes_a_route_of_its_own_once_somebody_is_told(
    tmp_path: Path, require_tool
) -> None:
    """As shipped both lead to nobody: the copy tells the routes apart."""
    config = yaml.safe_load((FILE.parent / "alertmanager" / "alertmanager.yml").read_text())
    [critical] = config["route"]["routes"]
    critical["receiver"] = "at-once"
    config["receivers"].append({"name": "at-once"})
    copy = tmp_path / "alertmanager.yml"
    copy.write_text(yaml.safe_dump(config))
    for severity, receiver in (("critical", "at-once"), ("warning", "nobody"), ("info", "nobody")):
        amtool(
            require_tool, "config", "routes", "test", f"--config.file={copy}",
            f"--verify.receivers={receiver}", f"severity={severity}", "alertname=MeterAny",
        )  # fmt: skip


def test_prometheus_tells_the_alertmanager_that_there_is() -> None:
    config = yaml.safe_load((FILE.parent / "prometheus" / "prometheus.yml").read_text())
    [manager] = config["alerting"]["alertmanagers"]
    assert manager["static_configs"][0]["targets"] == ["alertmanager:9093"]
    assert "--web.listen-address=0.0.0.0:9093" in SERVICES["alertmanager"]["command"]


def test_links_to_reports_of_runs_lead_where_a_browser_reaches_the_agent() -> None:
    config = yaml.safe_load((FILE.parent / "prometheus" / "prometheus.yml").read_text())
    [scraped] = config["scrape_configs"][0]["static_configs"]
    [port] = SERVICES["agent"]["ports"]
    assert port.startswith(f"{scraped['labels']['instance']}:")


def test_grafana_finds_prometheus_and_its_dashboards_where_they_are() -> None:
    folder = ROOT / "grafana" / "provisioning"
    sources = yaml.safe_load((folder / "datasources" / "meter.yml").read_text())
    source, alerts = sources["datasources"]
    assert alerts["url"] == "http://alertmanager:9093"
    assert source["url"] == "http://prometheus:9090"
    scrapes = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())
    assert source["jsonData"]["timeInterval"] == scrapes["global"]["scrape_interval"]
    [link] = source["jsonData"]["exemplarTraceIdDestinations"]
    run = json.loads((ROOT / "grafana" / "dashboards" / "run.json").read_text())
    assert link["name"] == "run"
    assert link["url"] == f"/d/{run['uid']}?var-run=$${{__value.raw}}"
    assert "run" in {variable["name"] for variable in run["templating"]["list"]}
    assert "--enable-feature=exemplar-storage" in SERVICES["prometheus"]["command"]
    [provider] = yaml.safe_load((folder / "dashboards" / "meter.yml").read_text())["providers"]
    mounted = {e.split(":")[1]: e.split(":")[0] for e in SERVICES["grafana"]["volumes"]}
    boards = FILE.parent / mounted[provider["options"]["path"]]
    assert list(boards.glob("*.json"))


def test_the_configuration_of_the_recipes_is_read_without_a_complaint(tmp_path: Path) -> None:
    """As it is, and with its examples taken out of their comments."""
    text = (ROOT / "deploy" / "meter.toml").read_text()
    shown = re.sub(r"^# (?=\[|\w+ = )", "", text, flags=re.MULTILINE)
    assert set(tomllib.loads(shown)) == {"site", "electricity"}
    for number, body in enumerate((text, shown)):
        file = tmp_path / f"{number}.toml"
        file.write_text(body)
        done = subprocess.run(
            [sys.executable, "-m", "meter", "doctor"],
            env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "METER_CONFIG": str(file)},
            capture_output=True, text=True,
        )  # fmt: skip
        assert file.name not in done.stderr, done.stderr
