"""How much later a job starts, and returns, under ``meter run`` than without it.

The job (``date``) prints the instant it runs at. Three ways take turns, so that a busy machine
hits them alike: plain, with an agent to be started, with one that runs.

    python benchmarks/start_delay.py [--rounds 30] [--real] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

JOB = ["date", "+%s%N"]
METER = [sys.executable, "-m", "meter"]
ROOT = Path(__file__).resolve().parent.parent


def surroundings(folder: Path, *, real: bool) -> dict[str, str]:
    """A home of its own; simulated GPUs unless the real ones are asked for."""
    folder.mkdir(parents=True, exist_ok=True)
    variables = {name: text for name, text in os.environ.items() if not name.startswith("METER_")}
    variables |= {
        "METER_HOME": str(folder),
        "METER_LEASE_DIR": str(folder / "leases"),
        "METER_SOCKET": str(folder / "agent.sock"),
        "PYTHONPATH": f"{ROOT}:{ROOT / 'exporters'}",
    }
    if not real:
        variables["METER_SIMULATE"] = "8xH100"
    return variables


def once(command: list[str], variables: dict[str, str]) -> tuple[float, float]:
    """Milliseconds until the job runs, and until the command has returned."""
    began_ns = time.time_ns()
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=True)
    ended_ns = time.time_ns()
    return (int(done.stdout) - began_ns) / 1e6, (ended_ns - began_ns) / 1e6


def measure(rounds: int, folder: Path, *, real: bool) -> dict[str, list[tuple[float, float]]]:
    """Samples of each way."""
    running = surroundings(folder / "running", real=real)
    agent = subprocess.Popen([*METER, "agent", "--listen", "127.0.0.1:0"], env=running)
    await_socket(Path(running["METER_SOCKET"]))
    found: dict[str, list[tuple[float, float]]] = {
        "plain": [],
        "agent started": [],
        "agent runs": [],
    }
    try:
        for turn in range(rounds):
            fresh = surroundings(folder / str(turn), real=real)
            found["plain"].append(once(JOB, running))
            found["agent started"].append(once([*METER, "run", "--quiet", "--", *JOB], fresh))
            found["agent runs"].append(once([*METER, "run", "--quiet", "--", *JOB], running))
    finally:
        agent.terminate()
        agent.wait(10)
    return found


def await_socket(path: Path) -> None:
    """Until the running agent has settled."""
    until = time.monotonic() + 15
    while not path.exists() and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(3)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--real", action="store_true", help="the machine's GPUs, not simulated")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(options.rounds, Path(folder), real=options.real)
    plain_start = statistics.median(start for start, _ in found["plain"])
    plain_end = statistics.median(end for _, end in found["plain"])
    report = {}
    print(f"{'':16}{'start, ms later (median, p90)':>32}{'return, ms later (median)':>28}")
    for way, samples in found.items():
        starts = sorted(start - plain_start for start, _ in samples)
        row = {
            "start_ms": round(statistics.median(starts), 1),
            "start_p90_ms": round(starts[int(len(starts) * 0.9)], 1),
            "return_ms": round(statistics.median(end for _, end in samples) - plain_end, 1),
        }
        report[way] = row
        print(f"{way:16}{row['start_ms']:>22}{row['start_p90_ms']:>10}{row['return_ms']:>28}")
    if options.json:
        options.json.write_text(json.dumps({"rounds": options.rounds, "ways": report}, indent=2))


if __name__ == "__main__":
    main()
