"""The command line of ``meter run``, ``exec`` and ``attach``, read without a library.

A library's import would be paid by each job's start.
"""

from __future__ import annotations

from meter import limits, reserved
from meter.errors import UsageError

TYPE_CHECKING = False  # `typing` would be paid by each job's start
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_USAGE = {
    "run": "Usage: meter run [OPTIONS] [--] COMMAND [ARGUMENTS]...",
    "exec": "Usage: meter exec [OPTIONS] [--] COMMAND [ARGUMENTS]...",
    "attach": "Usage: meter attach --pid PID [OPTIONS]",
}
_SUMMARY = {
    "run": "Run COMMAND under the meter; its summary goes to stderr at the end.",
    "exec": "Become COMMAND, which keeps this process id, with a meter beside it.",
    "attach": "Meter a process that runs already, until it ends; its summary goes to stderr.",
}
_NOTES = {
    "run": """\
A budget is an amount of Wh, kWh or MWh of the IT energy, of gCO2e, kgCO2e or
tCO2e of location-based carbon with the site's overhead, or of a currency: all
costs in it. It never changes the exit code.
The exit code is the command's own; a signal that ends it ends meter too. 2 is
wrong usage, before the command starts; 126 and 127 as in a shell.
The command finds METER_RUN_ID, METER_SOCKET and METER_LAUNCHER_PID in its
environment; `meter run` inside it starts no second run, since this one counts it.
Processes that outlive the command are not waited for.""",
    "exec": """\
Meant for the entry point of a container. As process 1 it cannot print a summary,
because the kernel ends everything with the command: see `meter show last`.
The same where stderr is a pipe, as under most supervisors: a pipe has to end
with the command. --summary-json FILE is written there all the same.""",
    "attach": """\
The run begins now: what the process used before is not in it. Ids and devices are
those of its environment (SLURM_JOB_ID, CUDA_VISIBLE_DEVICES, and so on) as
it was started with; another user's cannot be read, so name its GPUs with --gpus.
The run ends when the process does. With --tree it ends when all that it has
started has ended too, as far as it was seen (looked for once a second).
^C ends the metering, not the process. The exit code is 0 in both cases; that of
the process is in the document only where the kernel tells it (Linux 6.15).""",
}
_EXAMPLE = {
    "run": "Example: meter run --project llama --tag lr=2e-5 -- python train.py",
    "exec": "Example: meter exec --project llama -- python train.py",
    "attach": "Example: meter attach --pid 4711 --project llama",
}


class Options:
    """What was asked for; ``command`` is the job with its arguments."""

    __slots__ = (
        "budgets",
        "command",
        "debug",
        "gpus",
        "help",
        "linger_s",
        "live",
        "mode",
        "name",
        "pid",
        "project",
        "push",
        "quiet",
        "stop_over_budget",
        "strict",
        "summary_json",
        "tags",
        "textfile",
        "tree",
    )

    def __init__(self, mode: str) -> None:
        self.mode = mode
        self.command: list[str] = []
        self.project: str | None = None
        self.name: str | None = None
        self.tags: dict[str, str] = {}
        self.gpus: str | None = None
        self.summary_json: str | None = None
        self.linger_s: float | None = None
        self.textfile: str | None = None
        self.push: str | None = None
        self.budgets: dict[str, str] = {}  # amount by unit, as kept
        self.stop_over_budget = False
        self.pid = 0
        self.quiet = self.live = self.strict = self.debug = self.help = self.tree = False

    def set_pid(self, value: str) -> None:
        """--pid."""
        if not (value.isascii() and value.isdigit() and 0 < int(value[:10]) < 2**31):
            raise UsageError(f"--pid {value[:40]!r} is no process id", "write for example 4711")
        self.pid = int(value)

    def set_project(self, value: str) -> None:
        """--project."""
        self.project = reserved.check_label("--project", value)

    def set_name(self, value: str) -> None:
        """--name."""
        self.name = reserved.check_label("--name", value)

    def add_tag(self, value: str) -> None:
        """--tag, each time."""
        key, equals, text = value.partition("=")
        if not (equals and key):
            shown = value[:40]
            raise UsageError(f"--tag {shown!r} is not KEY=VALUE", "write for example --tag lr=2e-5")
        if key in self.tags:
            raise UsageError(f"--tag {key[:40]!r} is given twice", "give it once")
        self.tags[key] = text

    def set_gpus(self, value: str) -> None:
        """--gpus; which devices there are is the agent's knowledge."""
        self.gpus = limits.check_name("--gpus", value, limits.GPUS_CHARS)

    def set_summary_json(self, value: str) -> None:
        """--summary-json."""
        if not value:
            raise UsageError("--summary-json names no file", "write --summary-json FILE")
        self.summary_json = value

    def set_linger(self, value: str) -> None:
        """--linger."""
        try:
            seconds = float(value)
        except ValueError:
            raise UsageError(
                f"--linger {value[:40]!r} is not a number of seconds", "write for example 30"
            ) from None
        self.linger_s = limits.check_linger(seconds)

    def set_textfile(self, value: str) -> None:
        """--textfile."""
        from meter.launch.telling import check_textfile

        self.textfile = check_textfile("--textfile", value)

    def set_push(self, value: str) -> None:
        """--push."""
        from meter.launch.telling import check_push

        self.push = check_push("--push", value)

    def add_budget(self, value: str) -> None:
        """--budget, each time."""
        from meter import budgets, currencies

        amount, unit = budgets.parse("--budget", value)
        if budgets.is_money(unit):
            currencies.require("--budget", unit)
        if unit in self.budgets:
            raise UsageError(f"--budget is given twice in {unit}", "give one of each unit")
        self.budgets[unit] = f"{amount:f}"


_VALUES: dict[str, tuple[str, str, Callable[[Options, str], None]]] = {
    "--pid": ("PID", "process to meter", Options.set_pid),
    "--project": ("P", "project that the run is booked to", Options.set_project),
    "--name": ("N", "name of the run (default: the command's)", Options.set_name),
    "--tag": ("K=V", f"label of the run; up to {limits.TAGS} of them", Options.add_tag),
    "--gpus": ("LIST", "devices to meter: indices, UUIDs, prefixes", Options.set_gpus),
    "--summary-json": ("FILE", "write the run document there", Options.set_summary_json),
    "--budget": ("AMOUNT", "say when it is used up: 50USD, 20kWh, 5kgCO2e", Options.add_budget),
    "--textfile": ("FILE", "write the last counters there, *.prom", Options.set_textfile),
    "--push": ("URL", "push them to a Pushgateway", Options.set_push),
    "--linger": ("S", "keep the agent S seconds, or until scraped twice", Options.set_linger),
}
_SWITCHES = {
    "--quiet": "print no summary and no notices",
    "--tree": "go on until all that the process has started has ended too",
    "--live": "print the energy so far every 10 s",
    "--stop-over-budget": "send the command SIGTERM, once, when a budget is used up",
    "--strict": "exit 2 before the start when metering fails",
    "--debug": "say what is done, with tracebacks",
    "--help": "show this text",
}
_MODES = {
    "--pid": ("attach",),
    "--tree": ("attach",),
    "--live": ("run", "attach"),
    "--stop-over-budget": ("run",),
}
"""Of options that not every command has."""
_SEPARATED = dict.fromkeys(("run", "exec"), "; put -- in front of the command") | {"attach": ""}


def parse(mode: str, words: Sequence[str]) -> Options:
    """The options in front of the command, and the command; raises UsageError."""
    options = Options(mode)
    left = list(words)
    while left:
        word = left.pop(0)
        if word == "--":
            break
        if not word.startswith("-") or word == "-":
            left.insert(0, word)
            break
        _take(options, word, left)
        if options.help:
            return options
    options.command = left
    _check(options)
    return options


def help_text(mode: str) -> str:
    """What ``--help`` prints."""
    known = {flag: value for flag, value in _VALUES.items() if _known(mode, flag)}
    rows = [(f"{flag} {what}", text) for flag, (what, text, _) in known.items()]
    rows += [(flag, text) for flag, text in _SWITCHES.items() if _known(mode, flag)]
    options = "\n".join(f"  {left:<22}{text}" for left, text in rows)
    parts = (_USAGE[mode], _SUMMARY[mode], "Options:\n" + options, _NOTES[mode], _EXAMPLE[mode])
    return "\n\n".join(parts) + "\n"


def _take(options: Options, word: str, left: list[str]) -> None:
    flag, equals, value = word.partition("=")
    flag = {"-h": "--help", "-q": "--quiet"}.get(flag, flag)
    if flag in _VALUES and _known(options.mode, flag):
        if not equals:
            if not left:
                raise UsageError(f"{flag} needs a value", f"write {flag} {_VALUES[flag][0]}")
            value = left.pop(0)
        _VALUES[flag][2](options, value)
    elif flag in _SWITCHES and _known(options.mode, flag) and not equals:
        setattr(options, flag[2:].replace("-", "_"), True)
    elif flag == "--stop-over-budget" and not equals:
        raise UsageError(
            f"--stop-over-budget is not for `meter {options.mode}`: nobody is left who may end the"
            " job",
            "use `meter run`",
        )
    else:
        raise UsageError(
            f"unknown option {word[:40]!r}",
            f"see `meter {options.mode} --help`{_SEPARATED[options.mode]}",
        )


def _known(mode: str, flag: str) -> bool:
    return mode in _MODES.get(flag, (mode,))


def _check(options: Options) -> None:
    limits.check_tags(options.tags)
    if options.stop_over_budget and not options.budgets:
        raise UsageError("--stop-over-budget has no budget", "add for example --budget 20kWh")
    example = _EXAMPLE[options.mode].removeprefix("Example: ")
    if options.mode == "attach":
        if options.command:
            raise UsageError("meter attach takes no command", example)
        if not options.pid:
            raise UsageError("no --pid is given", example)
    elif not options.command:
        raise UsageError("no command is given", example)
