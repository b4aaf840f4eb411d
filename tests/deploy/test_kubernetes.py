"""The Kubernetes manifests: their schema, their security, and what their commands do."""

from __future__ import annotations

import os
import re
import socket
import stat
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import kubernetes_validate
import pytest

from deploy.manifests import (
    FILES,
    FOLDER,
    container,
    containers,
    objects,
    pod_of,
    violations,
)
from deploy.sandbox import require_root
from meter.environment import NODE_LEASE_DIR

if TYPE_CHECKING:
    from pathlib import Path

JOB = FOLDER / "job-sidecar.yaml"
DAEMONSET = FOLDER / "daemonset.yaml"
ON_NODE = FOLDER / "job-on-node-agent.yaml"
VERSIONS = ("1.29", "1.37")
"""The first with native sidecars by default, and the newest that there is a schema of."""


def variables(of: dict[str, Any]) -> dict[str, Any]:
    return {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in of["env"]}


def mounts(of: dict[str, Any]) -> dict[str, str]:
    return {entry["name"]: entry["mountPath"] for entry in of["volumeMounts"]}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_manifest_is_as_kubernetes_schema_says(path: Path, version: str) -> None:
    found = objects(path)
    assert found
    for each in found:
        kubernetes_validate.validate(each, version, strict=True)


def test_a_key_that_kubernetes_does_not_know_would_be_found() -> None:
    [job] = [each for each in objects(JOB) if each["kind"] == "Job"]
    job["spec"]["template"]["spec"]["initContainers"][0]["restartPolicies"] = "Always"
    with pytest.raises(kubernetes_validate.ValidationError, match="restartPolicies"):
        kubernetes_validate.validate(job, VERSIONS[0], strict=True)


def test_the_sidecar_recipe_is_within_the_restricted_standard() -> None:
    assert violations(pod_of(JOB)) == []


def test_of_the_node_agent_only_the_host_folders_break_the_restricted_standard() -> None:
    assert violations(pod_of(DAEMONSET)) == [
        "folders: capabilities CHOWN are added",
        "folders: runAsNonRoot is not true",
        "folders: runs as user 0",
        *["volume hostPath"] * 3,
    ]
    assert violations(pod_of(ON_NODE)) == ["volume hostPath"] * 2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"securityContext": {}}, "meter: no seccomp profile"),
        ({"hostPID": True}, "hostPID is on"),
        ({"volumes": [{"name": "x", "hostPath": {"path": "/"}}]}, "volume hostPath"),
    ],
)
def test_a_violation_of_the_restricted_standard_is_found(change: dict[str, Any], said: str) -> None:
    assert said in violations({**pod_of(JOB), **change})


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_pod_gets_a_token_and_no_right_is_granted(path: Path) -> None:
    kinds = {found["kind"] for found in objects(path)}
    assert not kinds & {"Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"}
    for found in objects(path):
        if found["kind"] in ("Job", "DaemonSet"):
            pod = found["spec"]["template"]["spec"]
            assert pod["automountServiceAccountToken"] is False
            assert "serviceAccountName" not in pod


def test_the_sidecar_starts_before_the_job_and_ends_after_it() -> None:
    pod = pod_of(JOB)
    sidecar = container(pod, "meter")
    assert sidecar in pod["initContainers"]
    assert sidecar["restartPolicy"] == "Always"
    assert pod["restartPolicy"] == "Never"


def test_no_agent_takes_a_gpu_from_the_jobs() -> None:
    for path in (JOB, DAEMONSET):
        resources = container(pod_of(path), "meter")["resources"]
        assert not [kind for part in resources.values() for kind in part if "gpu" in kind]


@pytest.mark.parametrize("path", [JOB, ON_NODE], ids=lambda path: path.name)
def test_a_job_finds_the_agents_socket_in_a_folder_that_both_mount(path: Path) -> None:
    trainer = container(pod_of(path), "trainer")
    told = variables(trainer)
    agent = container(pod_of(JOB if path == JOB else DAEMONSET), "meter")
    assert mounts(trainer)["socket"] == mounts(agent)["socket"] == "/run/meter"
    assert told["METER_SOCKET"] == "/run/meter/agent.sock"
    assert told["METER_RUN_ID"] == {"fieldRef": {"fieldPath": "metadata.uid"}}
    assert pod_of(path)["securityContext"]["runAsGroup"] == 9850  # who may use the socket


@pytest.mark.parametrize("name", ["socket", "leases"])
def test_a_folder_on_the_host_is_one_for_the_agent_and_its_jobs(name: str) -> None:
    def host(path: Path) -> str:
        [found] = [v["hostPath"]["path"] for v in pod_of(path)["volumes"] if v["name"] == name]
        return found

    assert host(DAEMONSET) == host(ON_NODE)


def test_leases_are_where_agents_outside_of_pods_look_for_them() -> None:
    for path, name in ((DAEMONSET, "meter"), (ON_NODE, "trainer")):
        each = container(pod_of(path), name)
        assert variables(each)["METER_LEASE_DIR"] == mounts(each)["leases"] == NODE_LEASE_DIR


def test_two_agents_of_a_node_never_run_at_once() -> None:
    [found] = [each for each in objects(DAEMONSET) if each["kind"] == "DaemonSet"]
    assert found["spec"]["updateStrategy"]["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}
    [claim] = [each for each in objects(JOB) if each["kind"] == "PersistentVolumeClaim"]
    assert claim["spec"]["accessModes"] == ["ReadWriteOncePod"]


def test_an_agent_has_the_time_to_stop() -> None:
    for path in (JOB, DAEMONSET):
        assert pod_of(path)["terminationGracePeriodSeconds"] > 5


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_reference_within_a_manifest_leads_somewhere(path: Path) -> None:
    for found in objects(path):
        if found["kind"] not in ("Job", "DaemonSet"):
            continue
        pod = found["spec"]["template"]["spec"]
        volumes = {volume["name"] for volume in pod.get("volumes", ())}
        assert volumes == {name for each in containers(pod) for name in mounts(each)}
        for each in containers(pod):
            words = " ".join([*each.get("command", ()), *each.get("args", ())])
            known = {entry["name"] for entry in each.get("env", ())}
            assert set(re.findall(r"\$\((\w+)\)", words)) <= known
            ports = {port["name"] for port in each.get("ports", ())}
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                port = each.get(probe, {}).get("httpGet", {}).get("port")
                assert port is None or port in ports


def test_the_policy_is_for_the_node_agents_pods_and_port() -> None:
    [policy] = objects(FOLDER / "networkpolicy.yaml")
    [daemonset] = [each for each in objects(DAEMONSET) if each["kind"] == "DaemonSet"]
    labels = daemonset["spec"]["template"]["metadata"]["labels"]
    assert policy["spec"]["podSelector"]["matchLabels"].items() <= labels.items()
    assert policy["metadata"]["namespace"] == daemonset["metadata"]["namespace"]
    [rule] = policy["spec"]["ingress"]
    [port] = container(pod_of(DAEMONSET), "meter")["ports"]
    assert [found["port"] for found in rule["ports"]] == [port["containerPort"]]


def startup_probe() -> tuple[list[str], float]:
    """The sidecar's startup probe as a command of this Python, and its limit in seconds."""
    probe = container(pod_of(JOB), "meter")["startupProbe"]
    python, *words = probe["exec"]["command"]
    assert python == "python"
    return [sys.executable, *words], probe["timeoutSeconds"]


def test_the_job_is_let_go_as_soon_as_the_socket_listens(tmp_path: Path) -> None:
    command, limit_s = startup_probe()
    path = str(tmp_path / "s")
    probing = subprocess.Popen(command, env={"METER_SOCKET": path})
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()
        assert probing.wait(limit_s) == 0
        listening.accept()[0].close()  # it was the socket that ended the wait


def test_an_agent_that_never_listens_holds_no_job_back(tmp_path: Path) -> None:
    command, limit_s = startup_probe()
    done = subprocess.run(command, env={"METER_SOCKET": str(tmp_path / "s")}, timeout=limit_s)
    assert done.returncode == 0


def test_the_first_container_gives_the_host_folders_to_the_agent_and_leaves_them_alone_later(
    tmp_path: Path, require_tool
) -> None:
    require_root()
    folders = [tmp_path / "var", tmp_path / "run", tmp_path / "lock"]
    for folder in folders:
        folder.mkdir(mode=0o755)
    first = container(pod_of(DAEMONSET), "folders")
    *shell, script = first["command"]
    for place, folder in zip(mounts(first).values(), folders, strict=True):
        script = script.replace(place, str(folder))
    [kept] = first["securityContext"]["capabilities"]["add"]
    bounds = f"-all,+{kept.lower()}"
    confined = [require_tool("setpriv"), f"--bounding-set={bounds}", f"--inh-caps={bounds}"]
    ledger, run, leases = folders
    for mode in (0o750, 0o700):  # the second time with another mode, which must stay
        done = subprocess.run([*confined, *shell, script], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
        found = ledger.stat()
        assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (9850, 9850, mode)
        found = run.stat()
        assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (0, 9850, 0o1770)
        found = leases.stat()
        assert (found.st_uid, stat.S_IMODE(found.st_mode)) == (0, 0o1777)
        ledger.chmod(0o700)


def wrapped(*, tmp_path: Path, **given: str) -> list[str]:
    """What the node-agent job's wrapper makes of its environment, and the words it runs."""
    fake = tmp_path / "meter"
    fake.write_text('#!/bin/sh\necho "${CUDA_VISIBLE_DEVICES-unset}"\nprintf "%s\\n" "$@"\n')
    fake.chmod(0o755)
    trainer = container(pod_of(ON_NODE), "trainer")
    done = subprocess.run(
        [*trainer["command"], *trainer["args"]],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}", **given}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_jobs_gpus_are_told_by_uuid_where_the_container_knows_them(tmp_path: Path) -> None:
    job = ["run", "--", "python", "train.py"]
    uuids = "GPU-1,GPU-2"
    assert wrapped(tmp_path=tmp_path, NVIDIA_VISIBLE_DEVICES=uuids) == [uuids, *job]
    assert wrapped(tmp_path=tmp_path, NVIDIA_VISIBLE_DEVICES="void") == ["unset", *job]
    assert wrapped(tmp_path=tmp_path) == ["unset", *job]
    own = {"NVIDIA_VISIBLE_DEVICES": uuids, "CUDA_VISIBLE_DEVICES": "GPU-2"}
    assert wrapped(tmp_path=tmp_path, **own) == ["GPU-2", *job]
