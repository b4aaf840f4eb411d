"""A Containerfile read into its stages, and its steps done in a folder instead of an image.

Only what deploy/Containerfile uses is known; anything else is an error, so that no step is
skipped silently.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

_SETTINGS = ("ENV", "USER", "ENTRYPOINT", "CMD", "EXPOSE", "VOLUME", "STOPSIGNAL", "HEALTHCHECK")


@dataclass
class Stage:
    """From one FROM to the next."""

    base: str
    name: str
    steps: list[tuple[str, str]] = field(default_factory=list)
    settings: dict[str, list[str]] = field(default_factory=dict)

    def words(self, instruction: str) -> list[str]:
        """The exec form's words of an instruction that is given once."""
        [text] = self.settings[instruction]
        return json.loads(text)

    @property
    def environment(self) -> dict[str, str]:
        return dict(text.split("=", 1) for text in self.settings.get("ENV", ()))

    @property
    def health(self) -> list[str]:
        """The words of HEALTHCHECK's command."""
        [text] = self.settings["HEALTHCHECK"]
        return json.loads(text.partition(" CMD ")[2])


def parse(path: Path) -> list[Stage]:
    """The stages of a Containerfile."""
    stages: list[Stage] = []
    arguments: dict[str, str] = {}
    for line in path.read_text().replace("\\\n", " ").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        instruction, _, rest = line.partition(" ")
        if instruction == "ARG" and not stages:
            name, _, value = rest.partition("=")
            arguments[name] = value
        elif instruction == "FROM":
            base, _, name = rest.partition(" AS ")
            stages.append(Stage(_filled(base, arguments), name or str(len(stages))))
        elif instruction in ("RUN", "COPY", "WORKDIR"):
            stages[-1].steps.append((instruction, rest))
        elif instruction in _SETTINGS:
            stages[-1].settings.setdefault(instruction, []).append(rest)
        else:
            raise ValueError(f"{path.name}: {instruction} is not known here")
    return stages


def _filled(text: str, arguments: dict[str, str]) -> str:
    return re.sub(r"\$\{(\w+)\}", lambda found: arguments[found[1]], text)


class Replay:
    """An image's root as a folder; absolute paths of the steps are put below it.

    ``places`` are the top folders that steps name; ``python`` is what their ``python`` is.
    """

    def __init__(self, root: Path, context: Path, places: tuple[str, ...], python: str) -> None:
        self.root = root
        self._context = context
        self._places = re.compile(rf"(?<![\w./])/(?={'|'.join(places)})")
        self._folder = "/"
        self._tools = root / "tools"
        self._tools.mkdir(parents=True)
        (self._tools / "python").symlink_to(python)

    def here(self, text: str) -> str:
        """A text with the image's paths below the root."""
        return self._places.sub(f"{self.root}/", text)

    def run(self, stage: Stage) -> None:
        """Do all steps of a stage; raises AssertionError where one fails."""
        for instruction, text in stage.steps:
            if instruction == "WORKDIR":
                self._folder = text
                Path(self.here(text)).mkdir(parents=True, exist_ok=True)
            elif instruction == "COPY":
                self._copy(text.split())
            else:
                self._shell(text)

    def _shell(self, text: str) -> None:
        cwd = self.here(self._folder) if self._folder != "/" else self.root
        path = f"{self._tools}:/usr/bin:/bin"
        kept = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
        environment = {**kept, "PATH": path, "HOME": str(self.root), "LANG": "C.UTF-8"}
        done = subprocess.run(
            ["sh", "-c", self.here(text)],
            cwd=cwd, env=environment, capture_output=True, text=True, umask=0o022,
        )  # fmt: skip
        assert done.returncode == 0, f"{text}\n{done.stdout}{done.stderr}"

    def _copy(self, words: list[str]) -> None:
        if words[0].startswith("--from="):
            return  # one root for all stages: it lies there already
        *sources, target = words
        base = Path(self.here(self._folder))
        for name in sources:
            source = self._context / name
            place = base / name if target.endswith("/") else base / target
            if source.is_dir():
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(source, place, dirs_exist_ok=True, ignore=ignored)
            else:
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, place)
