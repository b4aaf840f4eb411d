"""Whose a process is: parents, control groups, PIDs that come again, namespaces."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meter.agent.kin import Kin, Root, Stranger, group_of, own_group
from meter.agent.launchers import Launchers

if TYPE_CHECKING:
    from pathlib import Path

HOST = "pid:[4026531836]"
ID = "0123456789abcdef" * 4
APP = "/user.slice/user-1000.slice/user@1000.service/app.slice"


class Proc:
    """A /proc to write into."""

    def __init__(self, folder: Path, *, depth: int = 1, namespace: str = HOST) -> None:
        self.folder = folder
        self.depth = depth
        for name in ("self", "1"):
            self.add(name, 0)
            (folder / name / "ns").mkdir()
            (folder / name / "ns" / "pid").symlink_to(namespace)

    def add(
        self, pid: int | str, parent: int, start: int = 100, group: str = "/", inner: int = 0
    ) -> None:
        place = self.folder / str(pid)
        place.mkdir(exist_ok=True)
        fields = ["S", str(parent), *["0"] * 17, str(start), "0"]
        (place / "stat").write_text(f"{pid} (a ) (b) {' '.join(fields)}")
        (place / "cgroup").write_text(f"0::{group}\n")
        number = 0 if pid == "self" else pid
        numbers = [number, *[inner or number] * (self.depth - 1)]
        (place / "status").write_text("Name:\tx\nNSpid:\t" + "\t".join(map(str, numbers)) + "\n")

    def kin(self, *roots: Root) -> Kin:
        return Kin(lambda: roots, self.folder)


@pytest.fixture
def proc(tmp_path: Path) -> Proc:
    return Proc(tmp_path)


def test_a_process_belongs_to_the_run_whose_launcher_is_above_it(proc: Proc) -> None:
    proc.add(10, 1)
    proc.add(11, 10)
    proc.add(12, 11)
    proc.add(20, 1)
    kin = proc.kin(Root("a", 10, 100))
    assert kin.of(12) == kin.of(10) == "a"
    assert kin.of(20) is Stranger.OTHER
    assert kin.of(99) is Stranger.UNSEEN
    assert kin.sure


def test_the_nearest_launcher_counts(proc: Proc) -> None:
    for pid, parent in ((10, 1), (11, 10), (12, 11)):
        proc.add(pid, parent)
    assert proc.kin(Root("a", 10, 100), Root("b", 11, 100)).of(12) == "b"


def test_a_process_once_known_stays_with_its_run_when_its_parents_end(proc: Proc) -> None:
    proc.add(10, 1)
    proc.add(11, 10)
    kin = proc.kin(Root("a", 10, 100))
    assert kin.of(11) == "a"
    proc.add(11, 1)
    assert kin.of(11) == "a"


def test_a_pid_that_came_again_is_another_process(proc: Proc) -> None:
    proc.add(10, 1, start=500)
    proc.add(11, 10)
    kin = proc.kin(Root("a", 10, 100))
    assert kin.of(11) is Stranger.OTHER
    proc.add(10, 1, start=100)
    assert kin.of(11) == "a"
    proc.add(11, 1, start=900)
    assert kin.of(11) is Stranger.OTHER


def test_a_process_of_two_runs_is_neithers(proc: Proc) -> None:
    proc.add(10, 1)
    proc.add(11, 10)
    assert proc.kin(Root("a", 10, 100), Root("b", 10, 100)).of(11) is Stranger.OTHER


def test_a_control_group_of_its_own_tells_where_the_tree_does_not(proc: Proc) -> None:
    job = "/system.slice/slurmstepd.scope/job_42"
    proc.add(10, 1, group=f"{job}/step_0/task_0")
    proc.add(30, 1, group=f"{job}/step_1")
    proc.add(31, 1, group="/user.slice/user-0.slice/session-4.scope")
    kin = proc.kin(Root("a", 10, 100))
    assert kin.of(30) == "a"
    assert kin.of(31) is Stranger.OTHER


def test_a_control_group_that_is_the_agents_too_tells_nothing(proc: Proc) -> None:
    group = "/docker/" + "a" * 64
    proc.add("self", 0, group=group)
    proc.add(10, 1, group=group)
    proc.add(30, 1, group=group)
    assert proc.kin(Root("a", 10, 100)).of(30) is Stranger.OTHER


def test_pids_of_a_namespace_around_ours_are_mapped_to_ours(tmp_path: Path) -> None:
    proc = Proc(tmp_path, depth=2)
    proc.add(4010, 1, inner=10)
    proc.add(4011, 4010, inner=11)
    kin = proc.kin(Root("a", 10, 100))
    assert kin.of(4011) == "a"
    assert kin.sure


def test_in_a_namespace_of_its_own_it_is_not_sure(tmp_path: Path) -> None:
    assert not Proc(tmp_path, namespace="pid:[4026539999]").kin().sure


def test_a_run_that_is_over_is_forgotten(proc: Proc) -> None:
    proc.add(10, 1)
    roots = [Root("a", 10, 100)]
    kin = Kin(lambda: roots, proc.folder)
    assert kin.of(10) == "a"
    roots.clear()
    kin.refresh()
    assert kin.of(10) is Stranger.OTHER


def test_of_a_process_that_has_ended_it_is_known_what_was_said_last(proc: Proc) -> None:
    for pid, parent in ((10, 1), (11, 10), (12, 1)):
        proc.add(pid, parent)
    roots = [Root("a", 10, 100)]
    kin = Kin(lambda: roots, proc.folder)
    assert (kin.of(11), kin.of(12)) == ("a", Stranger.OTHER)
    for pid in (11, 12):
        shutil.rmtree(proc.folder / str(pid))
    assert (kin.of(11), kin.of(12)) == ("a", Stranger.OTHER)
    roots.clear()
    kin.refresh()
    assert kin.of(11) == "a"  # of a run that is over
    proc.add(11, 1, start=900)
    assert kin.of(11) is Stranger.OTHER
    shutil.rmtree(proc.folder / "11")
    assert kin.of(11) is Stranger.OTHER


def test_processes_in_a_namespace_below_ours_are_known_as_such(proc: Proc) -> None:
    proc.add(10, 1)
    proc.add(20, 1)
    (proc.folder / "20" / "status").write_text("NSpid:\t20\t1\n")
    kin = proc.kin(Root("a", 10, 100), Root("b", 10, 100), Root("b", 20, 100))
    assert not kin.inside("a")
    assert kin.inside("b")


def test_real_processes_are_found_with_their_real_launchers(tmp_path: Path) -> None:
    launchers = Launchers(tmp_path / "runs")
    launchers.watch("mine", os.getpid())
    code = "import os; print(os.getpid(), flush=True); input()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(["sh", "-c", f'"{sys.executable}" -c "{code}"; :'], **pipes) as shell:
        child = int(shell.stdout.readline())
        kin = Kin(launchers.roots)
        assert child != shell.pid
        assert kin.of(child) == "mine"
        assert isinstance(kin.of(os.getppid()), Stranger)
        launchers.adopt("mine", os.getppid())
        kin.refresh()
        assert kin.of(os.getppid()) == "mine"
        shell.communicate("\n")
    launchers.close()


@pytest.mark.parametrize(
    ("path", "own"),
    [
        ("/slurm/uid_1000/job_42/step_0/task_0", "/slurm/uid_1000/job_42"),
        ("/system.slice/slurmstepd.scope/job_12/step_0", "/system.slice/slurmstepd.scope/job_12"),
        (f"/kubepods/burstable/pod12/{ID}", f"/kubepods/burstable/pod12/{ID}"),
        (f"/docker/{ID}", f"/docker/{ID}"),
        (f"/system.slice/docker-{ID}.scope", f"/system.slice/docker-{ID}.scope"),
        (f"/machine.slice/libpod-{ID}.scope/container", f"/machine.slice/libpod-{ID}.scope"),
        (
            f"/kubepods.slice/x.slice/cri-containerd-{ID}.scope/init.scope",
            f"/kubepods.slice/x.slice/cri-containerd-{ID}.scope",
        ),
        (f"/kubepods.slice/crio-{ID}.scope", f"/kubepods.slice/crio-{ID}.scope"),
        (f"/docker/{ID}/docker/{ID[::-1]}/x", f"/docker/{ID}/docker/{ID[::-1]}"),
        ("/user.slice/user-1000.slice/run-u12.scope", "/user.slice/user-1000.slice/run-u12.scope"),
        ("/system.slice/run-u7.service", "/system.slice/run-u7.service"),
        ("/system.slice/ssh.service", None),
        ("/system.slice/docker.service", None),
        ("/system.slice/containerd.service", None),
        ("/system.slice/jupyterhub.service", None),
        ("/system.slice/slurmd.service", None),
        ("/kubepods.slice", None),
        ("/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod12.slice", None),
        (f"/machine.slice/libpod-conmon-{ID}.scope", None),
        (f"{APP}/app-org.gnome.Terminal.slice/vte-spawn-1b2c.scope", None),
        (f"{APP}/app-gnome-code-4242.scope", None),
        ("/user.slice/user-1000.slice/user@1000.service/tmux-spawn-9c.scope", None),
        ("/builds/job_7/x", None),
        ("/user.slice/user-1000.slice/session-3.scope", None),
        ("/init.scope", None),
        ("/", None),
        ("", None),
    ],
)
def test_groups_that_are_one_jobs_own(path: str, own: str | None) -> None:
    assert own_group(path) == own


def test_the_old_hierarchies_of_groups_are_read_too() -> None:
    assert group_of("12:pids:/docker/x\n1:name=systemd:/\n0::/\n") == "/docker/x"
    assert group_of("0::/a.scope\n") == "/a.scope"


@given(st.text(max_size=200))
def test_whatever_stands_in_a_group_file_is_read(text: str) -> None:
    group = group_of(text)
    own = own_group(group)
    assert own is None or group.startswith(own)
