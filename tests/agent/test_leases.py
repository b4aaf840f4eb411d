from __future__ import annotations

import os
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

from meter.agent.leases import Leases

if TYPE_CHECKING:
    from pathlib import Path

HOLDER = """
import sys
from pathlib import Path
from meter.agent.leases import Leases
leases = Leases(Path(sys.argv[1]), 4711)
print(leases.take("GPU-1").granted, flush=True)
sys.stdin.read()
"""


def hold_elsewhere(folder: Path) -> subprocess.Popen[str]:
    """Another process that leases GPU-1 until its stdin is closed."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "True\n"
    return holder


def test_a_device_leased_by_another_process_is_refused_with_its_pid(tmp_path: Path) -> None:
    folder = tmp_path / "leases"
    with hold_elsewhere(folder) as holder:
        answer = Leases(folder, 1).take("GPU-1")
        assert (answer.granted, answer.holder) == (False, 4711)
        assert Leases(folder, 1).take("GPU-2").granted
        holder.kill()


def test_a_killed_holder_frees_its_devices(tmp_path: Path) -> None:
    with hold_elsewhere(tmp_path) as holder:
        holder.kill()
        holder.wait()
        assert Leases(tmp_path, 1).take("GPU-1").granted


def test_asking_again_for_a_held_device_is_granted(tmp_path: Path) -> None:
    leases = Leases(tmp_path, 1)
    assert leases.take("GPU-1").granted
    assert leases.take("GPU-1").granted
    assert not Leases(tmp_path, 2).take("GPU-1").granted


def test_released_devices_can_be_leased_again(tmp_path: Path) -> None:
    leases = Leases(tmp_path, 1)
    leases.take("GPU-1")
    leases.release_all()
    assert Leases(tmp_path, 2).take("GPU-1").granted


def test_files_are_open_to_other_users_and_stay_inside_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "leases"
    Leases(folder, 1).take("../../GPU/1")
    (lease,) = folder.iterdir()
    assert stat.S_IMODE(lease.stat().st_mode) == 0o666
    assert stat.S_IMODE(folder.stat().st_mode) == 0o1777
    assert lease.read_text() == "1\n"


def test_a_folder_that_cannot_be_made_lets_the_device_be_metered_and_says_why(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").write_text("")
    answer = Leases(tmp_path / "file" / "leases", 1).take("GPU-1")
    assert answer.granted
    assert answer.reason is not None
    assert "Not a directory" in answer.reason
