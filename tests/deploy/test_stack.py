"""The compose stack as plain processes: each service's own words, kept apart as containers are.

Agent, job and Prometheus have PID, host name and mount namespaces of their own and a read-only
root; they share a network and the folders that the stack shares. GPUs are the stand-in's, whose
process list tells PIDs of the host, as the driver does.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
import yaml

from agent.agents import PATIENCE_S, until
from deploy.containerfile import parse
from deploy.manifests import FOLDER, container, pod_of
from deploy.sandbox import Network, Process, contained, first_process, require_root
from meter.errors import AgentError
from meter.launch.client import NoAgentError, request
from standin.scenario import H100, Constant, Gpu, Scenario
from standin.scenario import Process as GpuProcess

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())[
    "services"
]
IMAGE = parse(ROOT / "deploy" / "Containerfile")[-1]
USER = 9850
POWER_W = 300

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


class Stack:
    """The services of the stack in a folder that stands for their volumes."""

    def __init__(self, folder: Path, prometheus: str) -> None:
        self.folder = folder
        self._prometheus = prometheus
        self.volumes = {name: folder / name for name in ("ledger", "socket", "series", "job")}
        for path in self.volumes.values():
            path.mkdir()
            os.chown(path, USER, USER)
        self.pid_file = folder / "pid"
        self.pid_file.write_text("0")
        users = [GpuProcess(pid=f"file:{self.pid_file}", memory_bytes=1 << 30, sm_percent=90)]
        gpus = [Gpu(power=Constant(POWER_W), sensor=H100, processes=users), Gpu(power=Constant(60))]
        scenario = Scenario(gpus=gpus)
        scenario.write(folder / "driver")
        self._driver = scenario.environment(folder / "driver")
        library = Path(self._driver["LD_LIBRARY_PATH"].split(":")[0])
        shutil.copytree(library, folder / "lib")  # where every user may load it
        self._driver["LD_LIBRARY_PATH"] = str(folder / "lib")
        self._started: list[Process] = []
        self.network = Network(folder, ["agent", "prometheus"])

    @property
    def socket(self) -> str:
        return str(self.volumes["socket"] / "agent.sock")

    def environment(self, service: str) -> dict[str, str]:
        """As image and stack say, with this Python in place of the image's."""
        given = {**IMAGE.environment, **SERVICES[service].get("environment", {})}
        given = {name: self.here(str(value)) for name, value in given.items()}
        given["PATH"] = f"{Path(sys.executable).parent}:/usr/bin:/bin"
        given["PYTHONPATH"] = os.pathsep.join(sys.path)
        return {**given, **self._driver}

    def here(self, text: str) -> str:
        """A text with the containers' paths as they are in this folder."""
        for place, path in (
            ("/var/lib/meter", self.volumes["ledger"]),
            ("/run/meter", self.volumes["socket"]),
            ("/etc/meter/config.toml", ROOT / "deploy" / "meter.toml"),
            ("/etc/prometheus/prometheus.yml", self.folder / "prometheus.yml"),
            ("/prometheus", self.volumes["series"]),
            ("/job", ROOT / "examples"),
        ):
            if text == place or text.startswith(f"{place}/") or f"={place}" in text:
                return text.replace(place, str(path), 1)
        return text

    def start(
        self,
        service: str,
        entrypoint: list[str],
        words: list[str],
        beside: Process | None = None,
        **variables: str,
    ) -> Process:
        used = {self.here(entry.split(":")[1]) for entry in SERVICES[service]["volumes"]}
        command = contained(
            [*entrypoint, *(self.here(word) for word in words)],
            writable=[path for path in self.volumes.values() if str(path) in used],
            shown=[ROOT, Path(sys.prefix)],
            user=USER,
            host=SERVICES[service].get("hostname", service),
            beside=None if beside is None else first_process(beside.process.pid),
        )
        environment = {**self.environment(service), **variables}
        whole = [*self.network.inside, *command]
        self._started.append(Process(whole, environment, self.folder, service))
        return self._started[-1]

    def agent(self) -> Process:
        started = self.start("agent", IMAGE.words("ENTRYPOINT"), SERVICES["agent"]["command"])
        until(lambda: self.is_up(started), "an agent")
        return started

    def is_up(self, agent: Process) -> bool:
        assert agent.process.poll() is None, agent.log.read_text()
        try:
            return bool(self.status())
        except AgentError:
            return False  # not yet, or busy with its start

    def trainer(self, *job: str) -> Process:
        words = SERVICES["trainer"]["command"]
        options = words[: words.index("--") + 1]
        return self.start("trainer", IMAGE.words("ENTRYPOINT"), [*options, *job])

    def prometheus(self) -> Process:
        text = (ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text()
        text = text.replace("15s", "1s").replace(
            "/etc/prometheus/rules", str(ROOT / "grafana" / "rules")
        )
        (self.folder / "prometheus.yml").write_text(text)
        return self.start("prometheus", [self._prometheus], SERVICES["prometheus"]["command"])

    def status(self) -> dict[str, Any]:
        return request(self.socket, "GET", "/v1/status")[1]

    def told(self, run_id: str) -> dict[str, Any]:
        """The document of a run, however busy the machine and its disk are."""
        return request(self.socket, "GET", f"/v1/runs/{run_id}", timeout_s=PATIENCE_S)[1]

    def get(self, url: str) -> Any:
        """An answer over the stack's network as JSON, None while there is none."""
        code = f"import urllib.request as u; print(u.urlopen({url!r}, timeout=5).read().decode())"
        done = subprocess.run(
            [*self.network.inside, sys.executable, "-I", "-c", code], capture_output=True, text=True
        )
        return json.loads(done.stdout) if done.returncode == 0 else None

    def query(self, expression: str) -> list[dict[str, Any]]:
        """What Prometheus answers."""
        answer = self.get(f"http://prometheus:9090/api/v1/query?query={quote(expression)}")
        return answer["data"]["result"] if answer else []

    def close(self) -> None:
        for process in self._started:
            process.kill()
        self.network.close()


@pytest.fixture
def stack(require_tool) -> Iterator[Stack]:
    require_root()
    for tool in ("cc", "ip", "unshare", "nsenter", "setpriv"):
        require_tool(tool)
    with tempfile.TemporaryDirectory(prefix="meter-stack-") as folder:
        Path(folder).chmod(0o755)
        running = Stack(Path(folder), require_tool("prometheus"))
        try:
            yield running
        finally:
            running.close()


def test_prometheus_tells_the_energy_of_the_job_that_the_agent_meters(stack: Stack) -> None:
    stack.agent()
    stack.prometheus()
    job = stack.trainer("sleep", "600")
    [run] = until(lambda: stack.status()["runs"], "a run")
    stack.pid_file.write_text(str(first_process(job.process.pid)))  # the host's number
    series = f'sum(meter_run_energy_joules_total{{run="{run["id"]}",component="gpu"}})'
    [found] = until(
        lambda: [each for each in stack.query(series) if float(each["value"][1]) > POWER_W],
        "the run's energy in Prometheus",
    )
    assert float(found["value"][1]) > POWER_W
    [up] = stack.query("up")
    assert up["metric"]["instance"] == "127.0.0.1:9850"
    assert up["value"][1] == "1"
    assert stack.get("http://agent:9850/healthz")["status"] == "ok"
    assert job.stop() == 143
    until(lambda: not stack.status()["runs"], "the run's end")
    document = stack.told(run["id"])
    assert document["run"]["project"] == "demo"
    assert document["energy"]["by_component"]["gpu"]["value"] >= float(found["value"][1])


def test_the_services_see_neither_each_others_processes_nor_a_writable_root(stack: Stack) -> None:
    stack.agent()
    job = stack.trainer("sh", "-c", "echo $$ $PPID; ls /proc | grep -c '^[0-9]'; : > /opt/x")
    assert job.wait() != 0  # the last word of the job: its root is read-only
    text = job.log.read_text()
    numbers = [line.split() for line in text.splitlines()[:2]]
    assert numbers[0][1] == "1"  # `meter run` is process 1
    assert int(numbers[1][0]) < 10
    assert "Read-only" in text


def test_an_agent_that_is_replaced_in_mid_run_goes_on_with_the_run(stack: Stack) -> None:
    """In a folder as a node's agent has it: root's, for the group."""
    os.chown(stack.volumes["socket"], 0, USER)
    stack.volumes["socket"].chmod(0o1770)
    first = stack.agent()
    job = stack.trainer("sleep", "600")
    [run] = until(lambda: [r for r in stack.status()["runs"] if r["energy_j"]], "a metered run")
    first.kill()
    second = stack.agent()
    [again] = until(lambda: stack.status()["runs"], "the run again")
    assert again["id"] == run["id"]
    assert job.process.poll() is None
    assert job.stop() == 143
    assert second.process.poll() is None, second.log.read_text() + job.log.read_text()
    document = stack.told(run["id"])
    assert document["run"]["status"] == "failed"  # told by the launcher, to the new agent
    assert "gap_bridged" in {notice["code"] for notice in document["notices"]}


def test_a_job_runs_where_no_agent_does(stack: Stack) -> None:
    job = stack.trainer("sh", "-c", "echo done; exit 3")
    assert job.wait() == 3
    assert "done" in job.log.read_text()
    with pytest.raises(NoAgentError):
        stack.status()


def test_a_sidecar_sees_the_end_of_a_launcher_that_could_not_tell_it(stack: Stack) -> None:
    """The Kubernetes Job's own words; its containers share their PIDs."""
    pod = pod_of(FOLDER / "job-sidecar.yaml")
    assert container(pod, "meter")["args"] == SERVICES["agent"]["command"]
    assert pod["shareProcessNamespace"]
    agent = stack.agent()
    given = {"METER_K8S_JOB_NAME": "fine-tune", "POD_NAME": "fine-tune-x7k2p"}
    words = [
        re.sub(r"\$\((\w+)\)", lambda found: given[found[1]], word)
        for word in container(pod, "trainer")["command"]
    ]
    uid = "0f2d4c1e-5a52-4c57-9a0b-1d0f4a3c2b11"
    named = {"METER_RUN_ID": uid, "METER_PROJECT": "vision"}
    job = stack.start("trainer", words, ["sleep", "600"], beside=agent, **named)
    [run] = until(lambda: stack.status()["runs"], "a run")
    assert (run["id"], run["name"], run["project"]) == (uid, "fine-tune", "vision")
    launcher = first_process(job.process.pid)
    assert launcher is not None
    os.kill(launcher, signal.SIGKILL)

    until(lambda: stack.told(uid)["run"]["status"] != "running", "the run's end")
    found = stack.told(uid)["run"]
    assert found["status"] == "abandoned"
    assert found["tags"] == {"pod": "fine-tune-x7k2p"}
