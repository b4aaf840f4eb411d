"""Under which id a job is metered, and what else it is called: read from its variables, pure.

The first source that has a valid id wins; all others become links. An id that was inherited from
outside may come again (a requeued job, a restarted pod): the agent then begins another attempt
under an id of its own, linked to this one.
"""

from __future__ import annotations

from meter import limits
from meter.errors import UsageError
from meter.ids import new_id
from meter.links import GENERATED, SOURCE_OF_ORIGIN, check_foreign_id

TYPE_CHECKING = False  # `typing` would be paid by each job's start
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_OWN = "METER_RUN_ID"
_INHERITED = ("METER_RUN_ID", "METER_LAUNCHER_PID")
_NO_TORCHELASTIC_ID = "none"  # torchrun's default
NAMES = (*SOURCE_OF_ORIGIN, "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID")
"""Variables that ids are made of."""


class Identity:
    """The id of a run, where it came from, and the ids of others: pairs of source and id."""

    __slots__ = ("id", "links", "origin")

    def __init__(self, run_id: str, origin: str, links: list[tuple[str, str]]) -> None:
        self.id = run_id
        self.origin = origin
        self.links = links


def identify(
    variables: Mapping[str, str], *, nested_over: bool, tell: Callable[[str], None]
) -> Identity:
    """The identity that variables give a job.

    ``nested_over`` says that METER_RUN_ID stems from a launcher that has ended since. An id that
    cannot be one of a run is told of, and the next source is asked.
    """
    found: tuple[str, str] | None = None
    links: list[tuple[str, str]] = []
    for origin, text in _candidates(variables):
        if origin == _OWN and nested_over:
            continue
        if found is None and (valid := _valid(origin, text, tell)):
            found = (valid, origin)
        elif origin != _OWN:
            _link(links, SOURCE_OF_ORIGIN[origin], text)
    number = variables.get("SLURM_JOB_ID", "").strip()
    if number and _slurm(variables, number) != number:  # the job map calls a task by its number
        _link(links, "slurm", number)
    run_id, origin = found or (new_id(), GENERATED)
    return Identity(run_id, origin, links)


def without_identity(variables: Mapping[str, str]) -> dict[str, str]:
    """Variables without all that ids are made of."""
    left_out = {*NAMES, *_INHERITED}
    return {name: value for name, value in variables.items() if name not in left_out}


def _candidates(variables: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Origin and id of each source that has one, in the order in which they count."""
    for origin in SOURCE_OF_ORIGIN:
        text = variables.get(origin, "").strip()
        if not text or (origin == "TORCHELASTIC_RUN_ID" and text.lower() == _NO_TORCHELASTIC_ID):
            continue
        if origin == "SLURM_JOB_ID":
            text = _slurm(variables, text)
        yield origin, text


def _slurm(variables: Mapping[str, str], job: str) -> str:
    """A task of an array as Slurm's own tools write it: array job, underscore, task."""
    task = variables.get("SLURM_ARRAY_TASK_ID", "")
    array = variables.get("SLURM_ARRAY_JOB_ID", "") or job
    return f"{array}_{task}" if task else job


def _valid(origin: str, text: str, tell: Callable[[str], None]) -> str | None:
    try:
        return limits.check_run_id(origin, text)
    except UsageError as error:
        tell(f"meter: {error}; the next source of an id is asked")
        return None


def _link(links: list[tuple[str, str]], source: str, text: str) -> None:
    try:
        pair = (source, check_foreign_id(text))
    except UsageError:
        return  # cannot be printed, or is endless: nobody will look for it
    if pair not in links:
        links.append(pair)
