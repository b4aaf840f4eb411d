"""Whether there is an NVIDIA board or driver on this machine, without loading any library."""

from __future__ import annotations

from pathlib import Path

_VENDOR = "0x10de"
_DISPLAY = "0x03"  # class of what draws or computes; a board's sound device has another
BUS = Path("/sys/bus/pci/devices")
DRIVER = Path("/proc/driver/nvidia")


def has_board(bus: Path = BUS, driver: Path = DRIVER) -> bool:
    """Whether the driver is loaded, or a board is on the PCI bus; containers see both too."""
    if driver.is_dir():
        return True
    try:
        devices = list(bus.iterdir())
    except OSError:
        return False
    return any(
        _told(device / "vendor") == _VENDOR and _told(device / "class").startswith(_DISPLAY)
        for device in devices
    )


def _told(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii").strip()
    except OSError:
        return ""
