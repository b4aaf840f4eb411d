"""``python -m standin``: compiles the stand-in, or runs a program on it."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from standin import build
from standin.clock import boottime_ns
from standin.models import PRESETS


def main(arguments: list[str]) -> int:
    """Runs the command line; tells its exit status, or becomes the program."""
    options = _parser().parse_args(arguments)
    try:
        if options.command == "build":
            print(build.library(options.folder, without=options.without))  # noqa: T201
            return 0
        if options.command == "presets":
            for name, model in PRESETS.items():
                print(f"# {name}", *model.lines(), sep="\n")  # noqa: T201
            return 0
        return _run(options)
    except (build.BuildError, OSError) as error:
        print(f"standin: {error}", file=sys.stderr)  # noqa: T201
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m standin",
        description="GPUs made of a script, for programs that use NVML.",
        epilog="example: python -m standin run gpus.txt -- python -c 'import pynvml; ...'",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    building = commands.add_parser("build", help="compile the library and print its path")
    building.add_argument("folder", type=Path)
    building.add_argument("--without", action="append", default=[], metavar="FUNCTION")
    running = commands.add_parser("run", help="run a program on the GPUs of a script")
    running.add_argument("--calls", type=Path, help="file that call counts are written to")
    running.add_argument("--without", action="append", default=[], metavar="FUNCTION")
    running.add_argument("script", type=Path)
    running.add_argument("program", nargs="+", metavar="-- PROGRAM")
    commands.add_parser("presets", help="print the GPU models as script lines")
    return parser


def _run(options: argparse.Namespace) -> int:
    library = build.library(build.default_folder(), without=options.without)
    environment = dict(os.environ)
    behind = environment.get("LD_LIBRARY_PATH", "")
    environment["LD_LIBRARY_PATH"] = ":".join(filter(None, [str(library.parent), behind]))
    environment["METER_STANDIN_SCRIPT"] = str(options.script.absolute())
    environment.setdefault("METER_STANDIN_ANCHOR", str(boottime_ns()))
    if options.calls:
        environment["METER_STANDIN_CALLS"] = str(options.calls.absolute())
    if not options.script.is_file():
        raise FileNotFoundError(f"{options.script} is not there")
    os.execvpe(options.program[0], options.program, environment)  # noqa: S606


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
