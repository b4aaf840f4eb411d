"""The observer of ``meter exec``, with the fake agent."""

from __future__ import annotations

import meter.launch.observer
import meter.launch.spawn


def main(arguments: list[str]) -> int:
    meter.launch.spawn.AGENT_MODULE = "fake_agent"
    return meter.launch.observer.main(arguments)
