"""A tour of one node with several jobs: ``make tour``.

Its four GPUs are stand-ins, so that what they truly used is known, and the last table can hold the
meter to it.

Two jobs share a GPU, torchrun trains with two ranks, a process that runs already is attached to,
and transformers fine-tunes a tiny model with its energy by epoch.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from examples.environment import training_python
from meter.ledger import open_reader
from standin import truth
from standin.clock import boottime_ns
from standin.scenario import H100, Constant, Gpu, Process, Scenario, Square

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
TRAIN = ROOT / "examples" / "finetune_tiny" / "train.py"
PROJECT = "tour"
MOST_OFF = 0.001
"""What the sum of the ledger may differ from the truth."""
_READY_S = 20.0
_SHARED_S = 20
_ATTACHED_S = 5
_SHOWN = 10


@dataclass(frozen=True)
class Node:
    """Four GPUs, and an agent's home, socket and leases in a folder."""

    folder: Path
    scenario: Scenario

    @classmethod
    def of(cls, folder: Path) -> Node:
        """A load in steps and steady ones; what left and right use of GPU 1 is 3 to 1."""
        gpus = [
            Gpu(power=Square(280, 440, period_s=0.9), sensor=H100),
            Gpu(
                power=Constant(400),
                sensor=H100,
                processes=[
                    Process(pid=f"file:{folder / 'left.pid'}", sm_percent=60),
                    Process(pid=f"file:{folder / 'right.pid'}", sm_percent=20),
                ],
            ),
            Gpu(power=Constant(520), sensor=H100),
            Gpu(power=Constant(250), sensor=H100),
        ]
        scenario = Scenario(gpus=gpus)
        scenario.write(folder)
        return cls(folder, scenario)

    @property
    def environment(self) -> dict[str, str]:
        """Of everything that is started here; ``meter`` is this checkout's."""
        return {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "COLUMNS": "80",
            "OMP_NUM_THREADS": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "TRANSFORMERS_VERBOSITY": "error",
            "TORCH_CPP_LOG_LEVEL": "ERROR",
            "METER_HOME": str(self.folder / "home"),
            "METER_SOCKET": str(self.folder / "agent.sock"),
            "METER_LEASE_DIR": str(self.folder / "leases"),
            "METER_LISTEN": "127.0.0.1:0",
            "METER_PROJECT": PROJECT,
            "METER_ZONE": "FRA",
            **self.scenario.environment(self.folder),
        }

    def start(self, *words: str | Path, quiet: bool = False) -> subprocess.Popen[bytes]:
        """A process of the node; its output is shown."""
        out = subprocess.DEVNULL if quiet else None
        return subprocess.Popen(
            [*map(str, words)], cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL,
            stdout=out, stderr=out,
        )  # fmt: skip

    def show(self, *words: str | Path, lines: int | None = None) -> None:
        """Print a command as one would type it, and what it prints, or its first lines.

        Raises CalledProcessError.
        """
        print(f"\n$ {shlex.join(map(_short, words))}", flush=True)
        if lines is None:
            _ended(self.start(*words))
            return
        done = subprocess.run(
            [*map(str, words)], env=self.environment, check=True, capture_output=True, text=True
        )
        print(*done.stdout.splitlines()[:lines], "...", sep="\n", flush=True)

    @contextmanager
    def agent(self) -> Iterator[None]:
        """The node's agent, from the first reading on."""
        process = self.start("meter", "agent", quiet=True)
        try:
            deadline = time.monotonic() + _READY_S
            while self.start("meter", "status", "--json", quiet=True).wait() != 0:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"the agent does not start: see {self.folder}/home/agent.log")
                time.sleep(0.1)
            yield
        finally:
            process.terminate()
            process.wait()

    def true_j(self, gpu: int, from_ns: int, to_ns: int) -> float:
        """What a GPU used between two instants (CLOCK_BOOTTIME)."""
        anchor_ns = self.scenario.anchor_ns
        found = truth.energy_mj(self.scenario.gpus[gpu], from_ns, to_ns, anchor_ns=anchor_ns)
        return found / 1_000


def tour(node: Node, python: Path) -> None:
    """The jobs, one scene after the other."""
    scene("Two jobs, one GPU: it is split by what each uses, 3 to 1")
    job = f"echo $$ > NAME.pid; sleep {_SHARED_S}; rm NAME.pid"
    runs = []
    for name, gpus in (("left", "0,1"), ("right", "1")):
        words = ["meter", "run", "--name", name, "--gpus", gpus, "--quiet", "--"]
        words += ["sh", "-c", job.replace("NAME", name)]
        print(f"$ {shlex.join(words)} &", flush=True)
        runs.append(node.start(*words))
    for run in runs:
        _ended(run)
    node.show("meter", "show", "left", lines=_SHOWN)
    node.show("meter", "show", "right", lines=_SHOWN)

    scene("torchrun with two ranks: one run, and the node is counted once")
    torchrun = python.with_name("torchrun")
    node.show("meter", "run", "--name", "ranks", "--gpus", "2", "--", torchrun, "--standalone",
              "--nproc-per-node", "2", TRAIN, "--epochs", "1")  # fmt: skip

    scene("A process that runs already")
    running = node.start("sleep", str(_ATTACHED_S))
    node.show("meter", "attach", "--pid", str(running.pid), "--name", "attached", "--gpus", "3")
    running.wait()

    scene("transformers, with energy by epoch")
    node.show("meter", "run", "--name", "epochs", "--gpus", "2,3", "--", python, TRAIN)
    node.show("meter", "runs", "--project", PROJECT)


@dataclass
class Sums:
    """What the ledger has of a GPU, in J, and from when to when."""

    begin: datetime
    end: datetime
    runs: float = 0
    idle: float = 0
    unattributed: float = 0

    @property
    def total(self) -> float:
        """Everything."""
        return self.runs + self.idle + self.unattributed


def sums_of(ledger: Path) -> list[Sums]:
    """The intervals of every GPU, added up by whose they are.

    The first and the last are left out: the curve begins and ends there between two ticks.
    """
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    with open_reader(ledger) as reader:
        gpus = [row["id"] for row in reader.rows("recovery/devices") if row["component"] == "gpu"]
        for row in reader.stream("audit/interval", after=-1, until=2**62):
            rows[row["device_id"]].append(row)
    return [_sums(rows[gpu]) for gpu in gpus]


def _sums(rows: list[dict[str, Any]]) -> Sums:
    begin = min(row["end_at"] for row in rows if not row["correction"])
    end = max(row["start_at"] for row in rows if not row["correction"])
    sums = Sums(begin=begin, end=end)
    for row in rows:
        if row["start_at"] < begin or row["end_at"] > end:
            continue
        energy_j = row["energy_mj"] / 1_000
        match row["kind"]:
            case "run":
                sums.runs += energy_j
            case "idle":
                sums.idle += energy_j
            case _:
                sums.unattributed += energy_j
    return sums


def hold(node: Node) -> bool:
    """Print what the ledger has beside the truth; whether the sum is as near as it has to be."""
    scene("It all adds up: the ledger beside what the GPUs truly used (J)")
    wall_to_boot_ns = boottime_ns() - time.time_ns()
    print(f"{'GPU':4}{'runs':>11}{'idle':>11}{'nobody':>9}{'sum':>12}{'truth':>12}{'off':>10}")
    whole, true = 0.0, 0.0
    for number, sums in enumerate(sums_of(node.folder / "home" / "ledger.duckdb")):
        begin, end = (_ns(at) + wall_to_boot_ns for at in (sums.begin, sums.end))
        used = node.true_j(number, begin, end)
        print(_row(str(number), sums, used))
        whole, true = whole + sums.total, true + used
    off = whole / true - 1
    print(f"{'all':4}{'':31}{whole:12,.1f}{true:12,.1f}{off:+10.3%}")
    return abs(off) <= MOST_OFF


def _row(name: str, sums: Sums, used: float) -> str:
    parts = f"{sums.runs:11,.1f}{sums.idle:11,.1f}{sums.unattributed:9,.1f}"
    return f"{name:4}{parts}{sums.total:12,.1f}{used:12,.1f}{sums.total / used - 1:+10.3%}"


def _ns(at: datetime) -> int:
    since = at.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return since // timedelta(microseconds=1) * 1_000


def scene(title: str) -> None:
    """A heading."""
    print(f"\n== {title}\n", flush=True)


def _short(word: str | Path) -> str:
    """A word without what differs from one checkout to the next."""
    return str(word).replace(f"{ROOT}/", "")


def _ended(process: subprocess.Popen[bytes]) -> None:
    if code := process.wait():
        raise subprocess.CalledProcessError(code, process.args)


def main() -> int:
    """Go round; 0 if everything added up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dir", type=Path, help="folder to keep ledger and logs in")
    told = parser.parse_args()
    print("The GPUs are stand-ins: nothing of this is measured.")
    python = training_python(tell=True)
    with tempfile.TemporaryDirectory(prefix="meter-tour-") as scratch:
        folder = told.dir or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        node = Node.of(folder.absolute())
        with node.agent():
            tour(node, python)
        return 0 if hold(node) else 1


if __name__ == "__main__":
    sys.exit(main())
