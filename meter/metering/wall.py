"""Wall time as a label: which UTC instant an instant of CLOCK_BOOTTIME is called."""

from __future__ import annotations

from dataclasses import dataclass

from meter.units import NS_PER_US, US_PER_MINUTE


@dataclass(frozen=True, slots=True)
class WallAnchor:
    """One instant seen on both clocks: CLOCK_BOOTTIME in ns, UTC in µs since 1970."""

    boot_ns: int
    wall_us: int

    def us(self, at_ns: int) -> int:
        """UTC µs of an instant, rounded down."""
        return self.wall_us + (at_ns - self.boot_ns) // NS_PER_US

    def ns(self, at_us: int) -> int:
        """CLOCK_BOOTTIME ns at which a UTC µs begins."""
        return self.boot_ns + (at_us - self.wall_us) * NS_PER_US

    def minute(self, at_ns: int) -> int:
        """Number of the UTC minute that an instant lies in."""
        return self.us(at_ns) // US_PER_MINUTE

    def minute_ns(self, minute: int) -> int:
        """CLOCK_BOOTTIME ns at which a UTC minute begins."""
        return self.ns(minute * US_PER_MINUTE)
