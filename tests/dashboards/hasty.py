"""An agent whose new series of hosted work show zero for 3 s, as it is scraped each second.

Run as a module, with the arguments of the agent.
"""

from __future__ import annotations

import sys

from meter.agent import boot, wiring
from meter.agent.usage_booking import UsageBooking

SHOWN_S = 3.0


class Hasty(UsageBooking):
    """Waits for three scrapes, not for half a minute."""

    def __init__(self, *parts, **more) -> None:
        super().__init__(*parts, shown_s=SHOWN_S, **more)


if __name__ == "__main__":
    wiring.UsageBooking = Hasty
    sys.exit(boot.main(sys.argv[1:]))
