"""``python -m meter.sampling --fd N --config JSON``: the sampler process."""

from __future__ import annotations

import gc
import json
import sys

USAGE = "usage: python -m meter.sampling [--fd N] [--config JSON]\n"


def main(arguments: list[str]) -> int:
    """Read the two options by hand: a parser's import would delay the first reading."""
    gc.disable()  # until the first reading: nothing of what is loaded is garbage
    from meter.sampling.process import run  # noqa: PLC0415 - see above

    options = dict(zip(arguments[::2], arguments[1::2], strict=False))
    if len(arguments) % 2 or not options.keys() <= {"--fd", "--config"}:
        sys.stderr.write(USAGE)
        return 2
    try:
        fd = int(options.get("--fd", "1"))
        config = json.loads(options.get("--config", "{}"))
    except ValueError as error:
        sys.stderr.write(f"{USAGE}{error}\n")
        return 2
    run(fd, config)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
