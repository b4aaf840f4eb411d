"""What is exported for Grafana: made for a place, and written so that nobody's file is lost."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from importlib.resources import files as resources
from typing import TYPE_CHECKING, Any

import yaml

from meter.cli.output import write_file
from meter.errors import ReportError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from importlib.resources.abc import Traversable
    from pathlib import Path

MANIFEST = ".meter-grafana.json"
"""Names and SHA-256 of what was written, beside it."""
_OWN_RUNBOOKS = "docs/runbooks/"
_ELSEWHERE = re.compile(r"\[([^\]]+)\]\(\.\./[^)]*\)")
"""A link to a document that is not exported."""
_OWN = re.compile(r"(dashboards|rules|runbooks|provisioning/(dashboards|datasources))/[\w-]+\.\w+")
"""Names that an export may have written."""
_RULES = ("alerts.yml", "recording.yml")


@dataclass(frozen=True, slots=True)
class Place:
    """Where Grafana finds things."""

    prometheus: str
    alertmanager: str | None
    scrape_interval: str
    dashboards: str
    runbooks: str


def files(place: Place) -> dict[str, bytes]:
    """Every file by its path in the folder."""
    return dict(sorted(_made(place)))


def _made(place: Place) -> Iterator[tuple[str, bytes]]:
    inside = resources("meter") / "grafana"
    packaged = inside.is_dir()
    root = inside if packaged else resources("meter") / ".." / "grafana"
    pages = root / "runbooks" if packaged else root / ".." / "docs" / "runbooks"
    for board in (root / "dashboards").iterdir():
        yield f"dashboards/{board.name}", board.read_bytes()
    for name in _RULES:
        text = (root / "rules" / name).read_text(encoding="utf-8")
        pointed = text.replace(_OWN_RUNBOOKS, f"{place.runbooks.rstrip('/')}/")
        yield f"rules/{name}", pointed.encode()
    for page in pages.iterdir():
        text = page.read_text(encoding="utf-8")
        yield f"runbooks/{page.name}", _ELSEWHERE.sub(r"\1", text).encode()
    yield "provisioning/datasources/meter.yml", _sources(root / "provisioning", place)
    yield "provisioning/dashboards/meter.yml", _provider(root / "provisioning", place)


def _sources(root: Traversable, place: Place) -> bytes:
    given = _read(root / "datasources" / "meter.yml")
    for source in given["datasources"]:
        if source["type"] == "prometheus":
            source["url"] = place.prometheus
            source["jsonData"]["timeInterval"] = place.scrape_interval
        else:
            source["url"] = place.alertmanager
    given["datasources"] = [source for source in given["datasources"] if source["url"]]
    return _yaml(given)


def _provider(root: Traversable, place: Place) -> bytes:
    given = _read(root / "dashboards" / "meter.yml")
    for provider in given["providers"]:
        provider["options"]["path"] = place.dashboards
    return _yaml(given)


def _read(file: Traversable) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return found


def _yaml(given: Mapping[str, Any]) -> bytes:
    text: str = yaml.safe_dump(given, sort_keys=False, allow_unicode=True)
    return text.encode()


def export(folder: Path, made: Mapping[str, bytes], *, force: bool) -> list[str]:
    """Write the files, remove those of an earlier export that are no more; what is there now.

    Nothing is written if a file would be lost that somebody else wrote or changed, unless by
    ``force``; what an earlier export wrote and somebody changed is never removed. Raises
    UsageError, ReportError.
    """
    try:
        before = _manifest(folder)
        foreign = [name for name in made if _is_foreign(folder, name, made[name], before)]
        if foreign and not force:
            more = f" and {len(foreign) - 1} more" if len(foreign) > 1 else ""
            raise UsageError(
                f"{folder / foreign[0]}{more} would be lost: not written by this command",
                "name another folder, or replace it with --force",
            )
        for name, content in made.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            write_file(path, content)
        for name in before.keys() - made.keys():
            if not _is_foreign(folder, name, b"", before):
                (folder / name).unlink(missing_ok=True)
        hashes = {name: _hash(content) for name, content in made.items()}
        write_file(folder / MANIFEST, (json.dumps(hashes, indent=1) + "\n").encode())
    except OSError as error:
        raise ReportError(
            f"{error.filename or folder} cannot be written ({error.strerror})",
            "name a folder that you may write to",
        ) from error
    return list(made)


def _is_foreign(folder: Path, name: str, content: bytes, before: Mapping[str, str]) -> bool:
    path = folder / name
    if not path.exists() and not path.is_symlink():
        return False
    there = path.read_bytes()
    return there != content and _hash(there) != before.get(name)


def _manifest(folder: Path) -> dict[str, str]:
    path = folder / MANIFEST
    if not path.exists():
        return {}
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return {}  # nobody's word for what was written: all that differs is foreign
    if not isinstance(known, dict):
        return {}
    return {name: told for name, told in known.items() if _OWN.fullmatch(name)}


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
