"""The audit page: its sessions run, and its code for third parties finds what was changed."""

from __future__ import annotations

import subprocess
import sys

import duckdb

from docs.test_readme import Block, assert_session_shows, blocks
from ledger.test_statements import RUN, ledger, made, seal, tariff, write  # noqa: F401
from tests.ledger.conftest import open_ledger  # noqa: F401

PAGE = {block.info: block for block in blocks("docs/audit.md")}


def outsider(path):
    """The page's own code, in a Python without meter."""
    return subprocess.run(
        [sys.executable, "-P", "-c", PAGE["python"].body, str(path)],
        cwd=path.parent, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def test_third_parties_compute_the_same_hashes_and_find_a_change(ledger):  # noqa: F811
    seal(ledger, RUN)
    write(ledger, tariff("0.30"))
    seal(ledger, RUN, reason="corrected tariff")
    ledger.close()
    done = outsider(ledger.path)
    assert done.stdout == "whole, up to 7\n", done.stderr
    for change, said in (
        ("UPDATE statement SET reason = 'none' WHERE number = 2", "batch 7 was changed"),
        ("UPDATE interval SET energy_mj = 1", "batch 3 was changed"),
        ("DELETE FROM hold", "batch 1 covers"),
    ):
        con = duckdb.connect(str(ledger.path))
        con.execute(change)
        con.close()
        done = outsider(ledger.path)
        assert done.returncode == 1
        assert said in done.stderr


def test_the_sessions_of_the_page_do_what_they_show(tmp_path):
    parts = [PAGE[f"console {name}"] for name in ("session", "later", "tampered")]
    body = "".join(part.body for part in parts)
    assert_session_shows(Block(parts[0].page, parts[0].line, parts[0].info, body), tmp_path)
