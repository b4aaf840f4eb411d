"""What is shown of a run when it has ended."""

from __future__ import annotations

import os

from meter.environment import Environment
from meter.launch import telling
from meter.launch.say import say

TYPE_CHECKING = False  # `typing` would be paid by each job's start
if TYPE_CHECKING:
    from typing import Any

    from meter.launch.link import Link
    from meter.launch.options import Options
    from meter.launch.summary_file import SummaryFile

_WIDTH = 80


def show(link: Link, options: Options, file: SummaryFile | None, notes: list[str]) -> None:
    """Write the summary to stderr, the document and the counters where they were asked for.

    Says what went wrong instead.
    """
    if link.document is None:
        run = link.spec["id"]
        reason = link.failure or "the agent was not waited for"
        say(f"meter: no summary: {reason}; what was stored: meter show {run}")
        return
    if file is not None:
        try:
            file.write(link.document)
        except OSError as error:
            say(f"meter: --summary-json {options.summary_json}: {error.strerror}")
    if not options.quiet:
        _say_summary(link, link.document, notes)
    telling.take_file(options, Environment.of_process())
    telling.tell(link.document, options)


def _say_summary(link: Link, document: dict[str, Any], notes: list[str]) -> None:
    from meter import summary

    ledger = (link.answer or {}).get("ledger")
    say(summary.text(document, width=_width(), ledger=ledger))
    for note in notes:
        say(f"meter: {note}")


def _width() -> int:
    try:
        return os.get_terminal_size(2).columns or _WIDTH
    except OSError:
        return _WIDTH
