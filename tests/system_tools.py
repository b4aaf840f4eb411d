"""The programs outside Python that tests use, and how Debian calls them.

As a script it needs nothing but Python's own library::

    python3 tests/system_tools.py python     # can this interpreter make .venv?
    python3 tests/system_tools.py install    # as root: install what is missing
    python3 tests/system_tools.py            # list what is there and what is missing
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys

PACKAGES = {
    "amtool": ("prometheus-alertmanager",),
    "cc": ("gcc", "libc6-dev"),
    "ip": ("iproute2",),
    "nsenter": ("util-linux",),
    "openssl": ("openssl",),
    "prometheus": ("prometheus",),
    "prometheus-alertmanager": ("prometheus-alertmanager",),
    "prometheus-node-exporter": ("prometheus-node-exporter",),
    "prometheus-pushgateway": ("prometheus-pushgateway",),
    "promtool": ("prometheus",),
    "setpriv": ("util-linux",),
    "shellcheck": ("shellcheck",),
    "systemd-analyze": ("systemd",),
    "unshare": ("util-linux",),
}
"""Program -> the Debian packages that bring it."""


def missing() -> list[str]:
    """Programs of the table that the path does not lead to."""
    return [program for program in PACKAGES if shutil.which(program) is None]


def reason(program: str) -> str:
    """Why a test that needs this program does not run, and what to do."""
    return f"{program} is not installed: apt-get install {' '.join(PACKAGES[program])}"


def apt_install(packages: list[str]) -> bool:
    """Install Debian packages where we may; False where we may not or it did not work."""
    apt = shutil.which("apt-get")
    if apt is None or os.geteuid() != 0:
        return False
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    quiet = [apt, "-qq", "-o", "Dpkg::Use-Pty=0"]
    for command in (
        [*quiet, "update"],
        [*quiet, "install", "--yes", "--no-install-recommends", *packages],
    ):
        done = subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=False)
        if done.returncode != 0:
            return False
    return True


def install() -> None:
    """Install what is missing, as root; say what stays missing."""
    packages = sorted({package for program in missing() for package in PACKAGES[program]})
    if packages:
        sys.stderr.write(f"installing {' '.join(packages)}\n")
        apt_install(packages)
    for program in missing():
        sys.stderr.write(f"tests that need it will be skipped: {reason(program)}\n")


def python() -> int:
    """Whether this Python is new enough and can make virtual environments; 0 if so."""
    if sys.version_info < (3, 11):  # noqa: UP036 - run by whatever python3 there is
        sys.stderr.write("Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11\n")
        return 1
    if importlib.util.find_spec("ensurepip") is not None:
        return 0
    name = f"python3.{sys.version_info.minor}-venv"
    if apt_install([name]):
        return 0
    sys.stderr.write(f"this Python cannot make virtual environments: apt-get install {name}\n")
    return 1


def show() -> None:
    """List the programs of the table, found or missing."""
    for program in PACKAGES:
        sys.stdout.write(f"{program:24} {shutil.which(program) or reason(program)}\n")


def main(arguments: list[str]) -> int:
    """Run the one command given; the exit code."""
    if arguments == ["python"]:
        return python()
    if arguments == ["install"]:
        install()
        return 0
    show()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
