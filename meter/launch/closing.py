"""What is shown of a run when it has ended."""

from __future__ import annotations

import os

from meter.launch.say import say

TYPE_CHECKING = False  # `typing` would be paid by each job's start
if TYPE_CHECKING:
    from meter.launch.link import Link
    from meter.launch.options import Options
    from meter.launch.summary_file import SummaryFile

_WIDTH = 80


def show(link: Link, options: Options, file: SummaryFile | None, notes: list[str]) -> None:
    """Write the summary to stderr and the document to its file; say what went wrong instead."""
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
    if options.quiet:
        return
    from meter import summary

    ledger = (link.answer or {}).get("ledger")
    say(summary.text(link.document, width=_width(), ledger=ledger))
    for note in notes:
        say(f"meter: {note}")


def _width() -> int:
    try:
        return os.get_terminal_size(2).columns or _WIDTH
    except OSError:
        return _WIDTH
