"""The agent's TCP address, when it is free and when it is taken."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from meter.agent import listen as listening
from meter.agent.listen import PortTakenError, is_agent, listen
from meter.agent.options import Options
from meter.config import Config
from meter.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def config(tmp_path: Path, where: str) -> Config:
    return Config(home=tmp_path, socket=tmp_path / "s", lease_dir=tmp_path, listen=where)


@pytest.fixture(params=[b"Server: meter", b"Server: nginx", b""])
def taken(request: pytest.FixtureRequest) -> Iterator[tuple[str, bytes]]:
    """An address where somebody listens, and by which header they can be known."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            with contextlib.suppress(OSError):  # nobody asked, or did not wait
                serve_one(server.accept()[0])

        def serve_one(asker: socket.socket) -> None:
            with asker:
                asker.recv(1024)
                if request.param:
                    asker.sendall(b"HTTP/1.1 404 Not Found\r\n" + request.param + b"\r\n\r\n")

        threading.Thread(target=answer, daemon=True).start()
        yield f"127.0.0.1:{server.getsockname()[1]}", request.param


def test_a_free_port_is_listened_on(tmp_path: Path) -> None:
    answer = listen(config(tmp_path, "127.0.0.1:0"), Options(private=True))
    (sock,) = answer.sockets
    with sock:
        assert sock.getsockname()[1] > 0
        assert (answer.notices, answer.quiet) == ([], [])


def test_no_part_of_an_answer_waits_for_an_ack_of_the_part_before(tmp_path: Path) -> None:
    (sock,) = listen(config(tmp_path, "127.0.0.1:0"), Options()).sockets
    assert asyncio.run(_sent_at_once(sock))


async def _sent_at_once(sock: socket.socket) -> int:
    """Whether connections that asyncio accepts there are without Nagle's delay."""
    found: asyncio.Queue[int] = asyncio.Queue()

    def accepted(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("socket")
        found.put_nowait(peer.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    async with await asyncio.start_server(accepted, sock=sock):
        _, asking = await asyncio.open_connection(*sock.getsockname())
        told = await asyncio.wait_for(found.get(), 30)
        asking.close()
        await asking.wait_closed()
        return told


def test_a_taken_port_is_an_error_of_the_node_agent(
    tmp_path: Path, taken: tuple[str, bytes]
) -> None:
    with pytest.raises(PortTakenError, match="another program"):
        listen(config(tmp_path, taken[0]), Options())


def test_a_taken_port_that_was_asked_for_is_always_told(
    tmp_path: Path, taken: tuple[str, bytes]
) -> None:
    answer = listen(config(tmp_path, taken[0]), Options(private=True))
    assert [notice.code for notice in answer.notices] == ["port_taken"]
    assert taken[0] in answer.notices[0].text
    assert (answer.sockets, answer.quiet) == ([], [])


def test_the_default_port_in_another_agents_hands_is_told_to_strict_ones_only(
    tmp_path: Path, taken: tuple[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "DEFAULT_LISTEN", taken[0])
    answer = listen(config(tmp_path, taken[0]), Options(private=True))
    told = [[notice.code for notice in part] for part in (answer.notices, answer.quiet)]
    assert told == ([[], ["port_taken"]] if b"meter" in taken[1] else [["port_taken"], []])


def test_nobody_and_silence_are_no_agent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        assert not is_agent("127.0.0.1", port, timeout_s=0.05)
    assert not is_agent("127.0.0.1", port, timeout_s=0.05)


def test_an_address_for_others_needs_a_word(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--allow-remote"):
        listen(config(tmp_path, "0.0.0.0:0"), Options())
    answer = listen(config(tmp_path, "0.0.0.0:0"), Options(private=True))
    assert [notice.code for notice in answer.notices] == ["listen_failed"]
