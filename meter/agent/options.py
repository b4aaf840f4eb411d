"""The agent's own command line; by hand, because argparse costs the job ten milliseconds."""

from __future__ import annotations

from meter.errors import UsageError

_VALUED = ("--socket", "--listen", "--web-config", "--ready-fd")
_LOOPBACK = ("localhost", "::1", "[::1]")


class Options:
    """What the command line says; None is "not given"."""

    __slots__ = ("allow_remote", "listen", "private", "ready_fd", "socket", "web_config")

    def __init__(
        self,
        *,
        private: bool = False,
        socket: str | None = None,
        listen: str | None = None,
        ready_fd: int | None = None,
        allow_remote: bool = False,
        web_config: str | None = None,
    ) -> None:
        self.private = private
        self.socket = socket
        self.listen = listen
        self.ready_fd = ready_fd
        self.allow_remote = allow_remote
        self.web_config = web_config


def parse(arguments: list[str]) -> Options:
    """Options of the agent; raises UsageError."""
    given: dict[str, str] = {}
    flags = {"--private": False, "--allow-remote": False}
    rest = list(arguments)
    while rest:
        word, equals, value = rest.pop(0).partition("=")
        if word in flags and not equals:
            flags[word] = True
        elif word in _VALUED and (equals or rest):
            given[word] = value if equals else rest.pop(0)
        else:
            raise UsageError(f"the agent does not know {word!r}", "see `meter agent --help`")
    ready = given.get("--ready-fd")
    if ready is not None and not ready.isdigit():
        raise UsageError("--ready-fd must be a descriptor's number", "leave it out")
    return Options(
        private=flags["--private"],
        socket=given.get("--socket"),
        listen=given.get("--listen"),
        ready_fd=None if ready is None else int(ready),
        allow_remote=flags["--allow-remote"],
        web_config=given.get("--web-config"),
    )


def address(listen: str) -> tuple[str, int]:
    """Host and port; raises UsageError."""
    host, _, port = listen.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65_535:
        raise UsageError(f"cannot listen on {listen!r}", "give HOST:PORT")
    return host.strip("[]"), int(port)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    return host in _LOOPBACK or host.startswith("127.")
