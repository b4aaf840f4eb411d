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
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from examples.adds_up import Compared, above_idle, compared, wrong, wrong_split
from examples.environment import training_python
from standin.scenario import H100, Constant, Gpu, Process, Scenario, Square

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
TRAIN = ROOT / "examples" / "finetune_tiny" / "train.py"
PROJECT = "tour"
HELD = {"left": (0, 1), "right": (1,), "ranks": (2,), "attached": (3,), "epochs": (2, 3)}
"""The GPUs of each run."""
_SHARED, _SHARED_W = 1, 400
_USE = {"left": 60, "right": 20}  # of its SMs, in percent
_READY_S = 20.0
_SHARED_S = 30
_LOOK_S = 2
_ATTACHED_S = 5


@dataclass(frozen=True)
class Node:
    """Four GPUs, and an agent's home, socket and leases in a folder."""

    folder: Path
    scenario: Scenario

    @classmethod
    def of(cls, folder: Path) -> Self:
        """A load in steps and steady ones; what left and right use of GPU 1 is 3 to 1."""
        gpus = [
            Gpu(power=Square(280, 440, period_s=0.9), sensor=H100),
            Gpu(
                power=Constant(_SHARED_W),
                sensor=H100,
                processes=[
                    Process(pid=f"file:{folder / f'{name}.pid'}", sm_percent=percent)
                    for name, percent in _USE.items()
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

    def show(self, *words: str | Path, summary: bool = False) -> None:
        """Print a command as one would type it, and what it prints, or that up to a blank line.

        Raises CalledProcessError.
        """
        print(f"\n$ {shlex.join(map(_short, words))}", flush=True)
        if not summary:
            _ended(self.start(*words))
            return
        done = subprocess.run(
            [*map(str, words)], env=self.environment, check=True, capture_output=True, text=True
        )
        print(done.stdout.partition("\n\n")[0], "...", sep="\n", flush=True)

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


def tour(node: Node, python: Path) -> None:
    """The jobs, one scene after the other."""
    scene("Two jobs, one GPU: it is split by what each uses, 3 to 1")
    job = f"echo $$ > NAME.pid; sleep {_SHARED_S}; rm NAME.pid"
    runs = []
    for name in _USE:
        words = [*_run(name), "--quiet", "--", "sh", "-c", job.replace("NAME", name)]
        print(f"$ {shlex.join(words)} &", flush=True)
        runs.append(node.start(*words))
    for run in runs:
        _ended(run)
    node.show("meter", "show", "left", summary=True)
    node.show("meter", "show", "right", summary=True)

    scene("torchrun with two ranks: one run, and the node is counted once")
    torchrun = python.with_name("torchrun")
    node.show(*_run("ranks"), "--", torchrun, "--standalone", "--nproc-per-node", "2", TRAIN,
              "--epochs", "1")  # fmt: skip

    scene("A process that runs already")
    running = node.start("sleep", str(_ATTACHED_S))
    node.show("meter", "attach", "--pid", str(running.pid), *_named("attached"))
    running.wait()

    scene("transformers, with energy by epoch")
    node.show(*_run("epochs"), "--", python, TRAIN)
    node.show("meter", "runs", "--project", PROJECT)


def _run(name: str) -> list[str]:
    return ["meter", "run", *_named(name)]


def _named(name: str) -> list[str]:
    return ["--name", name, "--gpus", ",".join(map(str, HELD[name]))]


def hold(node: Node) -> bool:
    """Print what the ledger has beside the truth; whether each GPU and the split agree with it."""
    scene("It all adds up: the ledger beside what the GPUs truly used (J)")
    gpus = compared(node.folder / "home" / "ledger.duckdb", node.scenario, HELD)
    print(f"{'GPU':4}{'runs':>11}{'idle':>11}{'nobody':>9}{'sum':>12}{'truth':>12}{'off':>10}")
    for number, gpu in enumerate(gpus):
        print(_row(str(number), gpu))
    whole, true = sum(gpu.inner.total for gpu in gpus), sum(gpu.true_inner for gpu in gpus)
    print(f"{'all':4}{'':31}{whole:12,.1f}{true:12,.1f}{whole / true - 1:+10.3%}")
    shares = above_idle(gpus[_SHARED].split, H100.idle_w / _SHARED_W)
    told = ", ".join(f"{name} {energy_j:,.1f}" for name, energy_j in sorted(shares.items()))
    left, right = (shares.get(name, 0.0) for name in ("left", "right"))
    ratio = left / right if right else float("inf")
    print(f"\nGPU {_SHARED} above its idle power: {told}: {ratio:.2f} to 1")
    faults = [*wrong(gpus), *wrong_split(shares, _USE, _LOOK_S * (_SHARED_W - H100.idle_w))]
    for fault in faults:
        print(f"wrong: {fault}")
    return not faults


def _row(name: str, gpu: Compared) -> str:
    sums = gpu.inner
    parts = f"{sums.runs:11,.1f}{sums.idle:11,.1f}{sums.nobody:9,.1f}"
    return f"{name:4}{parts}{sums.total:12,.1f}{gpu.true_inner:12,.1f}{gpu.off:+10.3%}"


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
