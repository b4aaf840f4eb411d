"""The pages about hosted work: what they show is what is printed, from recorded answers."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from meter.hosted.jobs.registry import providers
from tests.agent.agents import agent
from tests.docs.test_readme import ROOT, Block, blocks, commands, fits

if TYPE_CHECKING:
    from collections.abc import Mapping

HOSTED = "docs/hosted.md"
PAGES = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs/providers").glob("*.md"))
SHAPES = ROOT / "tests/hosted/jobs/shapes"
RESPONSES = ROOT / "tests/hosted/responses"
DATA = {"csv", "json"}
EXIT = {"console session": {0}, "console refused": {1, 2}}

RECORDED: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "openai": {
        "jobs.json": ("openai_succeeded",),
        "answers.jsonl": ("openai_chat_tuned", "openai_responses"),
        "batch_output.jsonl": ("openai_batch_line", "openai_batch_line_failed"),
    },
    "azure": {
        "jobs.json": ("azure_failed",), "deployments.json": ("azure_deployment",),
        "answers.jsonl": ("azure_chat",),
    },
    "anthropic": {
        "answers.jsonl": ("anthropic_message",), "results.jsonl": ("anthropic_batch_line",),
    },
    "gemini-vertex": {
        "jobs.json": ("vertex_succeeded",), "gemini.jsonl": ("gemini_rest",),
        "vertex.jsonl": ("vertex_rest",),
        "gemini_batch.jsonl": ("gemini_batch_line", "gemini_batch_line_failed"),
        "vertex_batch.jsonl": ("vertex_batch_line", "vertex_batch_line_failed"),
    },
    "mistral": {
        "jobs.json": ("mistral_success",), "answers.jsonl": ("mistral_chat",),
        "batch_output.jsonl": ("mistral_batch_line",),
    },
    "together": {
        "jobs.json": ("together_completed",), "answers.jsonl": ("together_chat",),
        "batch_output.jsonl": ("together_batch_line",),
    },
    "fireworks": {
        "jobs.json": ("fireworks_sft",), "deployments.json": ("fireworks_deployment",),
        "answers.jsonl": ("fireworks_chat",),
        "batch_output.jsonl": ("fireworks_batch_line", "fireworks_batch_line_failed"),
    },
    "bedrock": {
        "job.json": ("bedrock_completed",), "answers.jsonl": ("bedrock_converse",),
        "records.jsonl.out": ("bedrock_batch_line_converse", "bedrock_batch_line_failed"),
    },
    "litellm": {"payloads.jsonl": ("litellm_payload",)},
    "hosted": {"jobs.json": ("openai_succeeded",), "answers.jsonl": ("openai_chat_tuned",)},
}  # fmt: skip
"""Files that a page's commands name, and the recorded answers that they have."""


def files(page: str, folder: Path) -> None:
    """Write the files of a page."""
    for name, parts in RECORDED[Path(page).stem].items():
        found = [next(iter(base.glob(f"{part}.json")), None) for part in parts
                 for base in (SHAPES, RESPONSES) if (base / f"{part}.json").exists()]  # fmt: skip
        values = [json.loads(path.read_text()) for path in found if path is not None]
        assert len(values) == len(parts), name
        lines = "".join(f"{json.dumps(value)}\n" for value in values)
        (folder / name).write_text(lines)


def run(block: Block, folder: Path) -> None:
    """Commands with what they print, in a home of their own."""
    environment = {
        "PATH": os.pathsep.join((sysconfig.get_path("scripts"), os.environ["PATH"])),
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "METER_SOCKET": str(folder / "socket"),
        "METER_LEASE_DIR": str(folder / "leases"),
    }
    for command, shown in commands(block.body):
        done = subprocess.run(
            ["bash", "-c", command], cwd=folder, env=environment, text=True, timeout=120,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        printed = done.stdout.replace(str(folder), "~")
        assert done.returncode in EXIT[block.info], printed
        assert fits(shown, printed), f"{block}: $ {command}\n{printed}"


@pytest.mark.parametrize("page", [HOSTED, *PAGES])
def test_the_commands_of_a_page_print_what_it_shows(page: str, tmp_path: Path) -> None:
    files(page, tmp_path)
    sessions = 0
    for block in blocks(page):
        kind, _, name = block.info.partition(" ")
        if kind in DATA and "." in name:
            (tmp_path / name).write_text(block.body)
        elif block.info in EXIT:
            run(block, tmp_path)
            sessions += 1
    assert sessions


def test_every_provider_of_jobs_has_a_page_that_names_its_keys_and_its_address() -> None:
    pages = {Path(page).stem: (ROOT / page).read_text() for page in PAGES}
    assert pages.keys() == RECORDED.keys() - {"hosted"}
    for name, provider in providers().items():
        text = pages["gemini-vertex" if name == "vertex" else name]
        places = (place.variable for place in provider.places)
        for word in (*provider.keys, *places, provider.url_variable):
            assert f"{word}" in text, (name, word)
        assert f"meter jobs sync --provider {name}" in text
        assert re.search(rf"meter jobs import \S+ --provider {name}", text)


def test_the_pages_are_linked() -> None:
    index, hosted = ((ROOT / page).read_text() for page in ("docs/README.md", HOSTED))
    assert "(hosted.md)" in index
    for page in PAGES:
        assert f"(providers/{Path(page).name})" in hosted


def test_events_are_answered_as_the_page_shows(tmp_path: Path) -> None:
    told = [block for block in blocks(HOSTED) if block.info.startswith("json ")]
    posted = [block for block in told if block.info == "json POST /v1/usage"]
    assert len(posted) >= 3
    with agent(tmp_path) as node:
        node.hear("reading")
        for block in posted:
            answer = told[told.index(block) + 1]
            status, found = node.ask("POST", "/v1/usage", json.loads(block.body))
            assert f"json {status}" == answer.info
            assert found == json.loads(answer.body)
