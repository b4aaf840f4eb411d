"""The only reader of the process environment; decides where home, socket and leases are.

Light on purpose (strings, no dataclasses): the launcher imports it before the job starts. The
functions take the variables as a mapping, so that nothing but :meth:`Environment.of_process`
depends on the process it runs in.
"""

from __future__ import annotations

import os
import stat
import zlib

from meter.errors import AgentError

TYPE_CHECKING = False  # `typing` would be paid by each job's start
if TYPE_CHECKING:
    from collections.abc import Mapping

SOCKET_LIMIT_BYTES = 107
"""The longest path, in bytes, that a Unix socket can be bound to on Linux."""

SLURM_GPUS = ("SLURM_STEP_GPUS", "SLURM_JOB_GPUS")
"""Where Slurm tells a step, or a job, its GPUs as the node numbers them."""

NODE_LEASE_DIR = "/run/lock/meter"
"""Where GPUs of a node are leased if it can be written to by whoever meters."""


def default_home(variables: Mapping[str, str], uid: int) -> str:
    """The folder of ledger and logs when nobody names one."""
    state = variables.get("XDG_STATE_HOME", "")
    if os.path.isabs(state):  # the XDG rule: a relative path counts as unset
        return os.path.join(state, "meter")
    user = variables.get("HOME", "")
    if os.path.isabs(user):
        return os.path.join(user, ".local", "state", "meter")
    return os.path.join(runtime_dir(variables, uid), "state")


def home(variables: Mapping[str, str], uid: int) -> str:
    """The folder of ledger and logs: METER_HOME, else the XDG state folder."""
    named = variables.get("METER_HOME")
    return os.path.abspath(named) if named else default_home(variables, uid)


def config_file(variables: Mapping[str, str], uid: int) -> str:
    """The configuration file: METER_CONFIG, else that of the XDG configuration folder."""
    named = variables.get("METER_CONFIG")
    if named:
        return os.path.abspath(named)
    base = variables.get("XDG_CONFIG_HOME", "")
    if os.path.isabs(base):
        return os.path.join(base, "meter", "config.toml")
    user = variables.get("HOME", "")
    if os.path.isabs(user):
        return os.path.join(user, ".config", "meter", "config.toml")
    return os.path.join(home(variables, uid), "config.toml")


def runtime_dir(variables: Mapping[str, str], uid: int) -> str:
    """The folder for sockets: local to the node, the user's own, gone after a boot.

    A runtime folder that belongs to somebody else (kept by ``su`` or a batch system) or that is
    not there does not count.
    """
    for base in (variables.get("XDG_RUNTIME_DIR", ""), f"/run/user/{uid}"):
        if os.path.isabs(base) and _own_writable(base, uid):
            return os.path.join(base, "meter")
    return _fallback_dir(uid)


def socket_path(variables: Mapping[str, str], uid: int, *, home_dir: str | None = None) -> str:
    """The agent's socket: METER_SOCKET, else one for each home in the runtime folder.

    Never in the home itself, which may be read-only, long, or on a network disk. What is chosen
    here always fits a Unix socket; a METER_SOCKET that does not is left as it is, so that the
    error names it.
    """
    named = variables.get("METER_SOCKET")
    if named:
        return os.path.abspath(named)
    home_dir = home_dir or home(variables, uid)
    name = "agent.sock"
    if home_dir != default_home(variables, uid):
        name = f"agent-{zlib.crc32(os.fsencode(home_dir)):08x}.sock"
    path = os.path.join(runtime_dir(variables, uid), name)
    if len(os.fsencode(path)) > SOCKET_LIMIT_BYTES:
        path = os.path.join(_fallback_dir(uid), name)
    return path


def lease_dir(variables: Mapping[str, str], uid: int) -> str:
    """The folder of GPU leases: METER_LEASE_DIR, else one for the whole node, else our own."""
    named = variables.get("METER_LEASE_DIR")
    if named:
        return os.path.abspath(named)
    parent = os.path.dirname(NODE_LEASE_DIR)
    asked = NODE_LEASE_DIR if os.path.isdir(NODE_LEASE_DIR) else parent
    if os.path.isdir(asked) and os.access(asked, os.W_OK | os.X_OK):
        return NODE_LEASE_DIR
    return os.path.join(runtime_dir(variables, uid), "leases")


def ensure_private_dir(path: str, uid: int) -> None:
    """Make a folder that only this user can enter, or check that it is one.

    Raises AgentError where somebody else could plant a socket.
    """
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.mkdir(path, 0o700)
    except FileExistsError:
        found = os.lstat(path)
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != uid:
            message = f"{path} does not belong to this user"
            raise AgentError(message, "name a socket of your own with METER_SOCKET") from None
        if found.st_mode & 0o077:
            os.chmod(path, 0o700)
    except OSError as error:
        message = f"{path} cannot be made ({error.strerror})"
        raise AgentError(message, "name a socket elsewhere with METER_SOCKET") from None


class Environment:
    """What the variables of a process say, resolved to absolute paths."""

    __slots__ = (
        "config_file",
        "cuda_device_order",
        "cuda_visible_devices",
        "home",
        "launcher_pid",
        "lease_dir",
        "listen",
        "nvidia_visible_devices",
        "project",
        "push",
        "python_home",
        "replay",
        "run_id",
        "simulate",
        "slurm_gpus",
        "socket",
        "socket_named",
        "textfile",
        "uid",
        "variables",
        "zone",
    )

    def __init__(self, variables: Mapping[str, str], uid: int) -> None:
        self.variables = variables
        self.uid = uid
        self.home = home(variables, uid)
        self.socket = socket_path(variables, uid)
        self.socket_named = bool(variables.get("METER_SOCKET"))
        self.lease_dir = lease_dir(variables, uid)
        self.config_file = config_file(variables, uid)
        self.run_id = variables.get("METER_RUN_ID") or None
        self.launcher_pid = variables.get("METER_LAUNCHER_PID") or None
        self.project = variables.get("METER_PROJECT") or None
        self.textfile = variables.get("METER_TEXTFILE") or None
        self.push = variables.get("METER_PUSH") or None
        self.listen = variables.get("METER_LISTEN") or None
        self.zone = variables.get("METER_ZONE") or None
        self.simulate = variables.get("METER_SIMULATE") or None
        self.python_home = bool(variables.get("PYTHONHOME"))
        self.replay = variables.get("METER_REPLAY") or None
        # empty is not unset here: CUDA_VISIBLE_DEVICES="" hides every device
        self.cuda_visible_devices = variables.get("CUDA_VISIBLE_DEVICES")
        self.cuda_device_order = variables.get("CUDA_DEVICE_ORDER")
        self.nvidia_visible_devices = variables.get("NVIDIA_VISIBLE_DEVICES")
        self.slurm_gpus = next(filter(None, map(variables.get, SLURM_GPUS)), None)

    @classmethod
    def of_process(cls) -> Environment:
        """The environment of this process."""
        return cls(dict(os.environ), os.getuid())

    def ensure_socket_dir(self) -> None:
        """Make the socket's folder; a folder that we chose must be private. Raises AgentError."""
        folder = os.path.dirname(self.socket)
        if not self.socket_named:
            ensure_private_dir(folder, self.uid)
            return
        try:
            os.makedirs(folder, exist_ok=True)
        except OSError as error:
            message = f"METER_SOCKET: {folder} cannot be made ({error.strerror})"
            raise AgentError(message, "name a folder that can be written to") from None

    def for_agent(self) -> dict[str, str]:
        """Variables for an agent started from here: same places, whatever folder it runs in."""
        given = dict(self.variables)
        for name in ("METER_RUN_ID", "METER_LAUNCHER_PID"):
            given.pop(name, None)
        for name in ("METER_CONFIG", "METER_REPLAY"):
            if given.get(name):
                given[name] = os.path.abspath(given[name])
        given["METER_HOME"] = self.home
        given["METER_SOCKET"] = self.socket
        given["METER_LEASE_DIR"] = self.lease_dir
        return given


def locale_before_python() -> tuple[bool, str | None]:
    """Whether Python changed LC_CTYPE for itself at its start, and what it was before.

    CPython sets LC_CTYPE in a C locale (PEP 538), which a job would otherwise inherit.
    """
    try:
        with open("/proc/self/environ", "rb") as file:
            block = file.read()
    except OSError:
        return False, None
    before = None
    for entry in block.split(b"\0"):
        if entry.startswith(b"LC_CTYPE="):
            before = os.fsdecode(entry[len(b"LC_CTYPE=") :])
            break
    return os.environ.get("LC_CTYPE") != before, before


def _own_writable(path: str, uid: int) -> bool:
    try:
        found = os.stat(path)
    except OSError:
        return False
    own = stat.S_ISDIR(found.st_mode) and found.st_uid == uid
    return own and os.access(path, os.W_OK | os.X_OK)


def _fallback_dir(uid: int) -> str:
    return f"/tmp/meter-{uid}"  # noqa: S108  its owner and mode are checked before use
