# ruff: noqa: PTH100, PTH110, PLC0415  what the job's start does not need is imported late
"""The agent's first milliseconds: sampler and socket first, everything else after.

The job waits for the first reading, so nothing may stand before it: no web framework, no
database, no configuration if the sampler can do without. What is imported above is what a start
costs, and until the reading has come the sampler has the processors for itself.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import os
import sys
import time

from meter.agent.options import Options, parse
from meter.agent.supervisor import Supervisor, spawn
from meter.environment import Environment
from meter.errors import AgentError, ConfigError, MeterError, UsageError
from meter.launch.spawn import ALREADY_RUNNING, python_command
from meter.launch.trust import not_own
from meter.units import NS_PER_S

TYPE_CHECKING = False  # `typing` would be paid by each job's start
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from meter.agent.supervisor import PosixChild
    from meter.config import Config
    from meter.model import Notice

SAMPLER_MODULE = "meter.sampling.__main__"
_FIRST_READING_S = 0.3  # the job starts then at the latest; importing can begin
_ENDING_S = 5.0  # an agent that ends has let go of its place by then
_SAMPLER_FD = 3
_PATH_BYTES = 4_096
_READINGS = b'"readings":'  # in a frame that has some; told before anything can decode it
EXIT_USAGE = 2
EXIT_FAILED = 1


class AlreadyRunningError(AgentError):
    """Another agent holds the socket."""


class Settled:
    """The configuration, and what has to be said about it."""

    def __init__(self, config: Config, notices: list[Notice]) -> None:
        self.config = config
        self.notices = notices


class Booted:
    """What is running when the heavy parts begin to load."""

    def __init__(
        self,
        options: Options,
        environment: Environment,
        ready: Ready,
        recipe: SamplerRecipe,
        supervisor: Supervisor,
        sockets: list[socket.socket],
    ) -> None:
        self.options = options
        self.environment = environment
        self.ready = ready
        self.recipe = recipe
        self.supervisor = supervisor
        self.sockets = sockets  # the Unix socket; TCP comes later, nobody waits for it


DEFAULTS: dict[str, object] = {"simulate": None, "replay": None, "host": True}
"""What the sampler does unless it is told otherwise."""


class SamplerRecipe:
    """How to start the sampler; ``wanted`` is its configuration."""

    def __init__(self, environment: Environment, wanted: dict[str, object]) -> None:
        self._environment = environment
        self.wanted = wanted

    def __call__(self, write_fd: int) -> PosixChild:
        """Start it."""
        arguments = ["--fd", str(_SAMPLER_FD)]
        if self.wanted != DEFAULTS:
            import json

            arguments += ["--config", json.dumps(self.wanted)]
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
        booted, settled = boot(options, Environment.of_process(), ready)
        if settled is None and not is_sure(booted.environment):
            settled = settle(booted)
        lines = await_first_reading(booted)
        settled = settled or settle(booted)
    except AlreadyRunningError as error:
        if not options.private:
            sys.stderr.write(f"meter: {error}\n")
        return ALREADY_RUNNING  # whoever started us connects to the other
    except MeterError as error:
        ready.tell("error", str(error))
        sys.stderr.write(f"meter: {error}\n")
        return EXIT_USAGE if isinstance(error, UsageError | ConfigError) else EXIT_FAILED
    gc.disable()  # a fifth faster: nothing of what is loaded is garbage; see Agent.run
    from meter.agent.wiring import serve  # everything heavy

    return serve(booted, settled, lines)


def boot(options: Options, environment: Environment, ready: Ready) -> tuple[Booted, Settled | None]:
    """Sampler started, socket bound; and the configuration, if it was read.

    Somebody waits for a private agent: its sampler starts before the configuration is read.
    Raises ConfigError, UsageError, AgentError.
    """
    if options.socket is not None:
        environment = Environment(
            {**environment.variables, "METER_SOCKET": options.socket}, environment.uid
        )
    settled = None if options.private else _settings(options, environment)
    if settled is not None and settled.config.web_config is not None:
        from meter.agent.web_config import read

        read(settled.config.web_config)  # what is wrong with it is said before anything starts
    place = str(settled.config.socket) if settled else environment.socket
    environment.ensure_socket_dir()
    if options.private and (fault := not_own(place, environment.uid)):
        raise AgentError(fault, "start the one that all use with `meter agent`")
    if settled is None:
        lock(place, home=environment.home)
    else:
        from meter.agent.handover import HANDED_S, Heir

        heir = Heir(str(settled.config.home))
        lock(place, heir.is_kept, HANDED_S)
        heir.arrive()
    recipe = SamplerRecipe(environment, _wanted(settled) if settled else guess(environment))
    supervisor = Supervisor(recipe)
    supervisor.start(_now_ns())
    from meter.agent.sockets import bind  # while the sampler starts

    sockets = [bind(place, private=options.private)]
    ready.tell("listening", place)
    return Booted(options, environment, ready, recipe, supervisor, sockets), settled


def guess(environment: Environment) -> dict[str, object]:
    """What the sampler is to do, as far as the variables tell."""
    replay = environment.replay and os.path.abspath(environment.replay)
    return {**DEFAULTS, "simulate": environment.simulate, "replay": replay}


def is_sure(environment: Environment) -> bool:
    """Whether nothing else can tell otherwise."""
    return not environment.variables.get("METER_HOST") and not os.path.exists(
        environment.config_file
    )


def settle(booted: Booted) -> Settled:
    """The configuration; starts the sampler again if that wants another one."""
    settled = _settings(booted.options, booted.environment)
    if _wanted(settled) != booted.recipe.wanted:
        booted.supervisor.stop()
        booted.recipe.wanted = _wanted(settled)
        booted.supervisor.start(_now_ns())
    return settled


def _wanted(settled: Settled) -> dict[str, object]:
    config = settled.config
    replay = None if config.replay is None else str(config.replay)
    return {"simulate": config.simulate, "replay": replay, "host": config.host}


def await_first_reading(booted: Booted, timeout_s: float = _FIRST_READING_S) -> list[bytes]:
    """Wait a moment for the first reading and tell of it; the sampler's lines until then."""
    import select

    found: list[bytes] = []
    deadline_ns = _now_ns() + int(timeout_s * NS_PER_S)
    while (left_ns := deadline_ns - _now_ns()) > 0:
        fd = booted.supervisor.fileno()
        if fd is None:
            break
        select.select([fd], [], [], left_ns / NS_PER_S)
        lines = booted.supervisor.read(_now_ns())
        found += lines
        if any(_READINGS in line for line in lines):
            booted.ready.tell("reading")
            break
        if not lines:
            booted.supervisor.tick(_now_ns())
    return found


def lock(
    path: str,
    is_kept: Callable[[str], bool] | None = None,
    patience_s: float = _ENDING_S,
    *,
    home: str | None = None,
) -> int:
    """Lock the socket's place for as long as this process lives; AlreadyRunningError if it is.

    ``is_kept`` says whether who has it now keeps it: one that listens, unless it hands over.
    A private agent with its ledger at ``home`` leaves a free place to the node's agent of that
    ledger which waits for it: else each launcher's next agent would get there before.
    """
    is_kept = is_kept or _answered
    name = f"{path}.lock"
    try:
        fd = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise AgentError(f"cannot lock {path} ({error.strerror})", _remedy(name)) from None
    deadline = time.monotonic() + patience_s
    while (waits := home is not None and heir_waits(path, home)) or not _locked(fd):
        if waits:  # it gives up by itself
            deadline = time.monotonic() + patience_s
        if time.monotonic() >= deadline or is_kept(path):
            os.close(fd)
            raise AlreadyRunningError(
                f"an agent already listens at {path}", "use it, or name another with --socket"
            )
        time.sleep(0.005)
    return fd


def heir_name(path: str) -> str:
    """The file that the node's agent locks while it waits for a private one's place."""
    return f"{path}.heir"


def heir_waits(path: str, home: str) -> bool:
    """Whether the node's agent with the ledger at ``home`` waits for the socket's place."""
    try:
        fd = os.open(heir_name(path), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return os.read(fd, _PATH_BYTES) == os.fsencode(os.path.realpath(home))
    finally:
        os.close(fd)
    return False


def _remedy(name: str) -> str:
    """What helps where a lock's file cannot be opened."""
    try:
        owner = os.lstat(name).st_uid
    except OSError:
        return "set METER_SOCKET"
    return f"end the agent of user {owner} that made {name}, then remove it; or set METER_SOCKET"


def _answered(path: str) -> bool:
    from meter.agent.sockets import answers

    return answers(path)


def _locked(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _settings(options: Options, environment: Environment) -> Settled:
    """The configuration; a private agent goes on without the keys that are wrong."""
    from meter import settings

    flags = {
        "socket": options.socket,
        "listen": options.listen,
        "web_config": options.web_config,
    }
    load = settings.load_leniently if options.private else settings.load
    return Settled(*load(environment.variables, flags))


def _now_ns() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)
