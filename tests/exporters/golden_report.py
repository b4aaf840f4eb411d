"""The golden report. To write it anew: ``python -m tests.exporters.golden_report``."""

from __future__ import annotations

from pathlib import Path

from meter import __version__
from meter_exporters import html_report
from tests.exporters.documents import document, series

FILE = Path(__file__).parent / "golden" / "report.html"


def made() -> str:
    """The report of the sample document, coarse enough to be read in review."""
    sample = document()
    report = html_report.export(sample, series(sample, step_s=20)).decode()
    return report.replace(f"meter {__version__}", "meter VERSION").replace(
        f"tunemeter {__version__}", "tunemeter VERSION"
    )


if __name__ == "__main__":
    FILE.write_text(made(), encoding="utf-8")
    print(f"wrote {FILE}")
