from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]


def test_the_generated_references_are_what_the_code_says() -> None:
    command = [sys.executable, DOCS / "generate.py", "--check"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_every_variable_that_the_code_knows_is_documented() -> None:
    sources = [*(ROOT / "meter").rglob("*.py"), *(ROOT / "exporters").rglob("*.py")]
    known = set().union(*(re.findall(r"\bMETER_[A-Z_]+\b", path.read_text()) for path in sources))
    page = (DOCS / "config.md").read_text()
    assert [name for name in sorted(known) if f"`{name}`" not in page] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_between_documents_leads_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)", page.read_text())
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_every_decision_is_in_the_list() -> None:
    listed = (DOCS / "adr" / "README.md").read_text()
    pages = [path.name for path in (DOCS / "adr").glob("0*.md")]
    assert pages
    assert [name for name in pages if f"({name})" not in listed] == []


def test_no_document_names_a_path_of_a_machine() -> None:
    traces = re.compile(r"(?<![\w.])/(?:work|root|home)/")
    assert [page.name for page in PAGES if traces.search(page.read_text())] == []
