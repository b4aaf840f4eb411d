"""Kubernetes manifests as objects, and the rules of the "restricted" pod security standard.

The rules are those of https://kubernetes.io/docs/concepts/security/pod-security-standards/ (v1.29
to v1.34) that can be broken by what is written here; each violation is a sentence.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "kubernetes"
FILES = sorted(FOLDER.glob("*.yaml"))

_VOLUMES = {
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim",
    "projected", "secret",
}  # fmt: skip


def objects(path: Path) -> list[dict[str, Any]]:
    """Every document of a file."""
    return [found for found in yaml.safe_load_all(path.read_text()) if found]


def pod_of(path: Path) -> dict[str, Any]:
    """The pod's spec of the one workload of a file."""
    [found] = [each for each in objects(path) if each["kind"] in ("Job", "DaemonSet")]
    return found["spec"]["template"]["spec"]


def containers(pod: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from pod.get("initContainers", ())
    yield from pod["containers"]


def container(pod: dict[str, Any], name: str) -> dict[str, Any]:
    [found] = [each for each in containers(pod) if each["name"] == name]
    return found


def violations(pod: dict[str, Any]) -> list[str]:
    """What the restricted standard forbids in a pod."""
    found = [f"{key} is on" for key in ("hostNetwork", "hostPID", "hostIPC") if pod.get(key)]
    for volume in pod.get("volumes", ()):
        found += [f"volume {kind}" for kind in set(volume) - {"name"} - _VOLUMES]
    for each in containers(pod):
        found += [f"{each['name']}: {text}" for text in _of_container(each, pod)]
    return sorted(found)


def _of_container(each: dict[str, Any], pod: dict[str, Any]) -> Iterator[str]:
    own = each.get("securityContext", {})
    both = {**pod.get("securityContext", {}), **own}
    if own.get("privileged"):
        yield "privileged"
    if own.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation is not false"
    if "ALL" not in own.get("capabilities", {}).get("drop", ()):
        yield "capabilities are not dropped"
    added = set(own.get("capabilities", {}).get("add", ())) - {"NET_BIND_SERVICE"}
    if added:
        yield f"capabilities {', '.join(sorted(added))} are added"
    if both.get("runAsNonRoot") is not True:
        yield "runAsNonRoot is not true"
    if both.get("runAsUser") == 0:
        yield "runs as user 0"
    if both.get("seccompProfile", {}).get("type") not in ("RuntimeDefault", "Localhost"):
        yield "no seccomp profile"
    if any("hostPort" in port for port in each.get("ports", ())):
        yield "a host port"
