# ruff: noqa: PTH100, PTH108, PTH110  pathlib costs the job milliseconds at its start
"""The agent's first milliseconds: socket and sampler first, everything heavy after.

The job waits for the first reading, so nothing may stand before it: no web framework, no
database. What is imported here is what a start costs.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import socket
import sys
import time
from typing import TYPE_CHECKING, NamedTuple

from meter.agent.options import Options, address, is_loopback, parse
from meter.agent.supervisor import Supervisor, spawn
from meter.environment import Environment
from meter.errors import AgentError, ConfigError, MeterError, SourceError, UsageError
from meter.launch.spawn import ALREADY_RUNNING, python_command
from meter.units import NS_PER_S

if TYPE_CHECKING:
    from meter.agent.supervisor import PosixChild
    from meter.config import Config
    from meter.model import Notice, SamplerBatch
    from meter.sampling.frames import Hello

SAMPLER_MODULE = "meter.sampling.__main__"
_FIRST_READING_S = 0.3  # the job starts then at the latest; importing can begin
_BACKLOG = 128
_ENDING_S = 5.0  # an agent that ends has let go of its place by then
_SAMPLER_FD = 3
EXIT_USAGE = 2
EXIT_FAILED = 1


class AlreadyRunningError(AgentError):
    """Another agent holds the socket."""


class Booted(NamedTuple):
    """What is running when the heavy parts begin to load."""

    config: Config
    options: Options
    notices: list[Notice]
    supervisor: Supervisor
    ready: Ready
    sockets: list[socket.socket]  # the Unix socket first
    frames: list[Hello | SamplerBatch]


class SamplerRecipe:
    """How to start the sampler; ``wanted`` is its configuration."""

    def __init__(self, environment: Environment, wanted: dict[str, object]) -> None:
        self._environment = environment
        self.wanted = wanted

    def __call__(self, write_fd: int) -> PosixChild:
        """Start it."""
        arguments = ["--fd", str(_SAMPLER_FD), "--config", json.dumps(self.wanted)]
        home = self._environment.python_home
        command = python_command(SAMPLER_MODULE, arguments, python_home=home)
        return spawn(command, self._environment.variables, write_fd)


class Ready:
    """The pipe on which a launcher listens; its other end may be gone at any time."""

    def __init__(self, fd: int | None) -> None:
        self._fd = fd
        self._told: set[str] = set()
        if fd is not None:
            os.set_inheritable(fd, False)  # noqa: FBT003  takes no keyword

    def tell(self, word: str, text: str = "") -> None:
        """Say something once."""
        if self._fd is None or word in self._told:
            return
        self._told.add(word)
        line = f"{word} {' '.join(text.split())}".rstrip() + "\n"
        with contextlib.suppress(OSError):  # nobody listens any more
            os.write(self._fd, line.encode())


def main(arguments: list[str]) -> int:
    """Run the agent until it is told to end or, if private, has nothing left to do."""
    ready, options = Ready(None), Options()
    try:
        options = parse(arguments)
        ready = Ready(options.ready_fd)
        booted = boot(options, Environment.of_process(), ready)
    except AlreadyRunningError as error:
        if not options.private:
            sys.stderr.write(f"meter: {error}\n")
        return ALREADY_RUNNING  # whoever started us connects to the other
    except MeterError as error:
        ready.tell("error", str(error))
        sys.stderr.write(f"meter: {error}\n")
        return EXIT_USAGE if isinstance(error, UsageError | ConfigError) else EXIT_FAILED
    await_first_reading(booted)
    from meter.agent.wiring import serve  # noqa: PLC0415  everything heavy

    return serve(booted)


def boot(options: Options, environment: Environment, ready: Ready) -> Booted:
    """Socket bound, sampler started. Raises ConfigError, UsageError, AgentError.

    Where no file can say otherwise, the sampler starts before the configuration's code is even
    loaded; should it turn out to want another one, it is started again.
    """
    if options.socket is not None:
        environment = Environment(
            {**environment.variables, "METER_SOCKET": options.socket}, environment.uid
        )
    wanted = guess(environment)
    settled = None if wanted else _settings(options, environment)
    place = str(settled[0].socket) if settled else environment.socket
    environment.ensure_socket_dir()
    lock(place)
    sockets = [bind(place, private=options.private)]
    ready.tell("listening", place)
    recipe = SamplerRecipe(environment, _wanted(settled[0]) if settled else wanted or {})
    supervisor = Supervisor(recipe)
    supervisor.start(_now_ns())
    config, notices = settled or _settings(options, environment)
    if _wanted(config) != recipe.wanted:
        supervisor.stop()
        recipe.wanted = _wanted(config)
        supervisor.start(_now_ns())
    listening, more = _listen(config, options, environment)
    return Booted(config, options, notices + more, supervisor, ready, sockets + listening, [])


def guess(environment: Environment) -> dict[str, object] | None:
    """What the sampler will want, if the variables alone decide it."""
    if environment.variables.get("METER_HOST") or os.path.exists(environment.config_file):
        return None
    replay = environment.replay and os.path.abspath(environment.replay)
    return {"simulate": environment.simulate, "replay": replay, "host": True}


def _wanted(config: Config) -> dict[str, object]:
    replay = None if config.replay is None else str(config.replay)
    return {"simulate": config.simulate, "replay": replay, "host": config.host}


def await_first_reading(booted: Booted, timeout_s: float = _FIRST_READING_S) -> None:
    """Wait a moment for the first reading and tell of it; keep what was read."""
    from meter.sampling import frames  # noqa: PLC0415  while the sampler starts

    deadline_ns = _now_ns() + int(timeout_s * NS_PER_S)
    while (left_ns := deadline_ns - _now_ns()) > 0:
        fd = booted.supervisor.fileno()
        if fd is None:
            return
        select.select([fd], [], [], left_ns / NS_PER_S)
        lines = booted.supervisor.read(_now_ns())
        for line in lines:
            with contextlib.suppress(SourceError):  # the next one may be whole
                frame = frames.decode(line)
                booted.frames.append(frame)
                if not isinstance(frame, frames.Hello) and frame.readings:
                    booted.ready.tell("reading")
                    return
        if not lines:
            booted.supervisor.tick(_now_ns())


def lock(path: str) -> int:
    """Lock the socket's place for as long as this process lives; AlreadyRunningError if it is."""
    try:
        fd = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise AgentError(f"cannot lock {path} ({error.strerror})", "set METER_SOCKET") from None
    deadline = time.monotonic() + _ENDING_S
    while not _locked(fd):
        if time.monotonic() >= deadline or _answers(path):
            os.close(fd)
            raise AlreadyRunningError(
                f"an agent already listens at {path}", "use it, or name another with --socket"
            )
        time.sleep(0.005)
    return fd


def _locked(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _answers(path: str) -> bool:
    """Whether the holder of the lock listens; else it is just beginning or ending."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except OSError:
            return False
    return True


def bind(path: str, *, private: bool) -> socket.socket:
    """A listening socket in place of a dead one; call it under the lock."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177 if private else 0o117)
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        listening.bind(path)
    except OSError as error:
        listening.close()
        text = error.strerror or str(error)
        raise AgentError(f"cannot listen at {path} ({text})", "set METER_SOCKET") from None
    finally:
        os.umask(before)
    listening.listen(_BACKLOG)
    return listening


def _settings(options: Options, environment: Environment) -> tuple[Config, list[Notice]]:
    """The configuration; a private agent goes on without a file that is wrong."""
    from meter import settings  # noqa: PLC0415  the sampler comes first
    from meter.model import Notice, Severity  # noqa: PLC0415

    flags = {"socket": options.socket, "listen": options.listen}
    try:
        return settings.load(environment.variables, flags)
    except ConfigError as error:
        if not options.private:
            raise
        config, notices = settings.load(environment.variables, flags, read_file=False)
        return config, [*notices, Notice("config_error", str(error), Severity.WARNING)]


def _listen(
    config: Config, options: Options, environment: Environment
) -> tuple[list[socket.socket], list[Notice]]:
    """The TCP socket; a private agent has one only where it was asked for, and can do without."""
    asked = options.listen or environment.listen
    if options.private and not asked:
        return [], []
    try:
        return [_tcp(config.listen, allow_remote=options.allow_remote)], []
    except MeterError as error:
        from meter.model import Notice, Severity  # noqa: PLC0415  rarely needed

        if not options.private:
            raise
        return [], [Notice("listen_failed", str(error), Severity.WARNING)]


def _tcp(listen: str, *, allow_remote: bool) -> socket.socket:
    host, port = address(listen)
    if not allow_remote and not is_loopback(host):
        raise UsageError(
            f"{listen} can be reached from other machines, and the agent asks for no password",
            "listen on 127.0.0.1, or say --allow-remote",
        )
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(found[0], socket.SOCK_STREAM)
    except OSError as error:
        raise AgentError(f"cannot listen on {listen} ({error.strerror})", "use --listen") from None
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(found[4])
    except OSError as error:
        listening.close()
        text = f"cannot listen on {listen} ({error.strerror})"
        raise AgentError(text, "name another port with --listen") from None
    listening.listen(_BACKLOG)
    return listening


def _now_ns() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)
