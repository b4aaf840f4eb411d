"""Who may talk to the agent over its socket."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from agent.agents import agent
from meter.agent.door import Door, Peer

STRANGER, GROUP = 12_345, 23_456
ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
CLIENT = """
import os, socket, sys
path, uid, gids = sys.argv[1], int(sys.argv[2]), [int(gid) for gid in sys.argv[3].split(",")]
os.setgroups(gids[1:])
os.setgid(gids[0])
os.setuid(uid)
sock = socket.socket(socket.AF_UNIX)
sock.settimeout(60)
try:
    sock.connect(path)
except PermissionError:
    sys.exit("no permission")
sock.sendall(b"GET /v1/status HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n")
answer = b""
while piece := sock.recv(65536):
    answer += piece
print(answer.decode())
"""


def visit(path: str, uid: int, *gids: int) -> str:
    """What another user is answered."""
    command = [sys.executable, "-c", CLIENT, path, str(uid), ",".join(map(str, gids))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    return done.stdout or done.stderr


@pytest.fixture
def open_folder(tmp_path: Path) -> Path:
    """A folder that other users can get into."""
    folder = Path("/tmp") / f"meter-test-{os.getpid()}-{tmp_path.name[-20:]}"
    folder.mkdir(mode=0o755)
    yield folder
    for left in folder.iterdir():
        left.unlink()
    folder.rmdir()


@ROOT
def test_the_socket_is_for_its_user_and_its_group_only(tmp_path: Path, open_folder: Path) -> None:
    path = str(open_folder / "s")
    with agent(tmp_path, "--socket", path) as node:
        node.socket = path
        node.hear("reading")
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o660
        assert "no permission" in visit(path, STRANGER, STRANGER)
        os.chown(path, 0, GROUP)
        assert "200 OK" in visit(path, STRANGER, STRANGER, GROUP)
        assert "200 OK" in visit(path, STRANGER, GROUP)
        os.chmod(path, 0o666)  # noqa: S103  somebody was generous: the kernel lets all in
        for _ in range(2):
            answer = visit(path, STRANGER, STRANGER)
            assert "403 Forbidden" in answer
            assert "another user's" in answer
        assert "200 OK" in visit(path, STRANGER, STRANGER, GROUP)
        assert "200 OK" in visit(path, 0, 0)
        assert node.log.read_text().count(f"refused user {STRANGER}") == 1
        node.stop()


@ROOT
def test_a_private_agent_is_for_its_user_alone(tmp_path: Path, open_folder: Path) -> None:
    path = str(open_folder / "s")
    with agent(tmp_path, "--private", "--socket", path) as node:
        node.hear("reading")
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        os.chown(path, 0, GROUP)
        assert "no permission" in visit(path, STRANGER, GROUP)
        node.kill()


def test_a_door_admits_root_the_owner_and_a_group_that_has_a_right(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "s"
    path.touch(mode=0o600)
    group = path.stat().st_gid
    door = Door(str(path), 77)
    assert door.admits(Peer(1, 0, frozenset()))
    assert door.admits(Peer(1, 77, frozenset()))
    assert not door.admits(Peer(1, 78, frozenset({group})))
    path.chmod(0o660)
    assert door.admits(Peer(1, 78, frozenset({group})))
    assert not door.admits(Peer(1, 78, frozenset({group + 1})))
    assert not Door(str(tmp_path / "gone"), 77).admits(Peer(1, 78, frozenset({group})))
    assert capsys.readouterr().err.count("refused user 78 ") == 2  # once by each door


def test_a_peer_is_known_with_all_its_groups() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        peer = Peer.of(ours)
    assert (peer.pid, peer.uid) == (os.getpid(), os.geteuid())
    assert peer.gids == {os.getegid(), *os.getgroups()}
