"""A socket's place that somebody else has taken is not used; the job is metered all the same."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from launching import eventually

from meter.environment import Environment
from meter.launch.trust import not_own, own_place, peer_fault, taken_by, trusted

if TYPE_CHECKING:
    from pathlib import Path

US, OTHER = os.geteuid(), 12_345
ROOT = pytest.mark.skipif(US != 0, reason="only root can give files away")


def listening(path: Path, *, uid: int = US, gid: int = -1, mode: int = 0o660) -> str:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))
    path.chmod(mode)
    if uid != US or gid != -1:
        os.chown(path, uid, gid)
    return str(path)


def test_what_is_ours_or_not_there_yet_can_be_used(tmp_path):
    assert taken_by(str(tmp_path / "s"), US) is None
    assert taken_by(str(tmp_path / "none" / "s"), US) is None
    assert taken_by(listening(tmp_path / "s"), US) is None


@pytest.mark.skipif(US == 0, reason="what is root's is ours")
def test_what_is_roots_can_be_used():
    assert taken_by("/run/meter.sock", US) is None


@ROOT
def test_a_socket_or_a_folder_of_another_user_is_refused(tmp_path):
    theirs = listening(tmp_path / "s", uid=OTHER, gid=OTHER)
    assert str(OTHER) in taken_by(theirs, US)
    folder = tmp_path / "theirs"
    folder.mkdir()
    ours = listening(folder / "s")
    os.chown(folder, OTHER, OTHER)
    assert "the folder" in taken_by(ours, US)
    assert "the folder" in taken_by(str(folder / "not-yet"), US)


@ROOT
def test_a_socket_shared_with_our_group_counts_but_not_where_everybody_may_put_one(tmp_path):
    shared = listening(tmp_path / "s", uid=OTHER, gid=os.getegid())
    assert taken_by(shared, US) is None
    os.chmod(shared, 0o600)
    assert taken_by(shared, US) is not None
    os.chmod(shared, 0o660)
    for open_to_all in (stat.S_ISVTX | 0o777, 0o777):
        tmp_path.chmod(open_to_all)
        assert taken_by(shared, US) is not None


@ROOT
def test_a_link_to_another_users_place_is_what_it_is_itself(tmp_path):
    (tmp_path / "s").symlink_to("/nowhere")
    os.chown(tmp_path / "s", OTHER, OTHER, follow_symlinks=False)
    assert taken_by(str(tmp_path / "s"), US) is not None


@ROOT
@pytest.mark.parametrize("mode", ["run", "exec"])
def test_the_job_is_metered_by_an_agent_of_ones_own_and_a_line_says_why(place, mode):
    taken = place.folder / "taken"
    listening(taken, uid=OTHER, gid=OTHER)
    done = place.run("--", "sh", "-c", "exit 3", mode=mode, variables={"METER_SOCKET": str(taken)})
    assert done.returncode == 3
    assert done.stderr.count(b"belongs to another user") == 1
    (start,) = place.events("start")
    assert str(taken) not in start["words"]
    eventually(lambda: len(place.events("POST")) == 1)  # after `exec` an observer goes on


@ROOT
def test_a_place_that_was_not_named_is_left_to_its_own_check(tmp_path):
    told: list[str] = []
    environment = Environment({"METER_HOME": str(tmp_path)}, US)
    assert trusted(environment, told.append) is environment
    assert told == []


def test_an_agent_of_ones_own_listens_where_nobody_else_would(tmp_path):
    place = str(tmp_path / "s")
    assert not_own(place, US) is None
    assert not_own(str(tmp_path / "none" / "s"), US) is None
    assert str(US) in not_own(place, OTHER)
    tmp_path.chmod(stat.S_ISVTX | 0o770)
    assert "several users" in not_own(place, US)
    told: list[str] = []
    variables = {
        "METER_HOME": str(tmp_path), "METER_SOCKET": place, "METER_LISTEN": "127.0.0.1:9850",
    }  # fmt: skip
    moved = own_place(Environment(variables, US), told.append)
    assert moved.for_agent()["METER_LISTEN"] == "127.0.0.1:0"  # the node's agent wants its own
    assert not moved.socket_named
    assert moved.home == str(tmp_path)
    assert "at another socket" in told[0]


@ROOT
def test_who_answers_counts_and_not_only_whose_file_it_is(tmp_path):
    shared = listening(tmp_path / "s", uid=OTHER)
    assert peer_fault(shared, 0, OTHER) is None
    assert peer_fault(shared, OTHER, OTHER) is None
    assert "another user (7)" in peer_fault(shared, 7, OTHER)
    assert peer_fault(shared, OTHER, US) is None  # root may ask everybody's own
    assert "another user" in peer_fault(shared, 7, US)
    tmp_path.chmod(stat.S_ISVTX | 0o777)
    assert peer_fault(shared, OTHER, US) is not None
    assert peer_fault(str(tmp_path / "none"), OTHER, US) is not None


@ROOT
@pytest.mark.parametrize("words", [["status"], ["runs"], ["show", "last"]])
def test_nothing_is_read_from_a_socket_of_another_user(tmp_path, words):
    tmp_path.chmod(stat.S_ISVTX | 0o777)
    listens = (
        "import os,socket,sys; s=socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]);"
        "os.chown(sys.argv[1],12345,-1); os.setuid(12345); s.listen(); print(flush=True);"
        "c,_=s.accept(); c.recv(1) and print('heard')"
    )
    path = str(tmp_path / "s")
    with subprocess.Popen(
        [sys.executable, "-c", listens, path], stdout=subprocess.PIPE, text=True
    ) as other:
        other.stdout.readline()
        done = subprocess.run(
            [sys.executable, "-m", "meter", *words],
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": os.pathsep.join(sys.path),
                "METER_HOME": str(tmp_path / "home"),
                "METER_SOCKET": path,
            },
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert (done.returncode, done.stdout) == (1, "")
        assert "another user (12345)" in done.stderr or "belongs to another" in done.stderr
        assert other.communicate(timeout=60)[0] == ""
