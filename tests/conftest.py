"""What all tests share: tools that may be missing, and no verdicts by the clock."""

from __future__ import annotations

import os
import shutil
import signal
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

import system_tools

if TYPE_CHECKING:
    from collections.abc import Callable


# A busy machine is no defect: no example is too slow.
settings.register_profile("meter", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("meter")


def pytest_configure() -> None:
    """Whoever starts tests in the background has signals ignored, and jobs would inherit that."""
    for number, default in (
        (signal.SIGINT, signal.default_int_handler),
        (signal.SIGHUP, signal.SIG_DFL),
        (signal.SIGQUIT, signal.SIG_DFL),
    ):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, default)


@pytest.fixture(scope="session")
def require_tool() -> Callable[[str], str]:
    """Path of a program of tests/system_tools.py; without it a skip, with CI=true a failure."""

    def require(name: str) -> str:
        found = shutil.which(name)
        if found is not None:
            return found
        reason = system_tools.reason(name)
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)

    return require
