"""PromQL that several boards ask."""

from grafana.boards.parts import GREEN, Note

RUN = 'run=~"$run"'
RUNS_OF_PROJECT = 'max by (job, instance, run, {labels}) (max_over_time(meter_run_info{{project=~"$project"}}[$__range]))'


_AGENTS = (
    "meter_agent_info"
    " or on (job, instance) topk by (job, instance) (1, max_over_time(meter_agent_info[$__range]))"
    " or on (job, instance) max by (job, instance) (max_over_time(meter_run_info[$__range]))"
)
REACHED = (
    f'label_replace(label_replace(label_replace({_AGENTS}, "scheme", "http", "scheme", ""),'
    ' "at", "$1", "instance", "(.+)"), "at", "$1", "address", "(.+)")'
)
"""Of each agent that was seen in the range, how a browser reaches it: ``scheme`` and ``at``.

That is where Prometheus scrapes it, unless the agent tells another address; of one that tells
nothing, such as in imported history, by http.
"""
WITH_REACH = f"* on (job, instance) group_left (scheme, at) ({REACHED})"

MOST_DRAWN = 20
"""Runs whose start and end a board of many draws: those that used the most energy."""
_DRAWN = (
    f"and on (job, instance, run) topk({MOST_DRAWN}, sum by (job, instance, run)"
    " (max_over_time(meter_run_energy_joules_total[$__range] @ end())))"
)


def starts_and_ends(only: str, *, all_of_them: bool = False) -> tuple[Note, Note]:
    """The instants at which runs began and ended: of the largest, or of all that are chosen."""
    named = (
        "* on (job, instance, run) group_left (name, project)"
        f" max by (job, instance, run, name, project) (meter_run_info{{{only}}})"
    )
    of = named if all_of_them else f"{named} {_DRAWN}"
    text = "{{run}} of {{project}} at {{instance}}"
    step = "15s" if all_of_them else "60s"  # an end is shown for 15 minutes
    return (
        Note("Starts", f"meter_run_start_timestamp_seconds * 1000 {of}", "{{name}} begins", text,
             color=GREEN, by_value=True, step=step),
        Note("Ends", f"meter_run_end_timestamp_seconds * 1000 {of}", "{{name}} ends", text,
             by_value=True, step=step),
    )  # fmt: skip


def run_total(series: str, labels: str, *, by: str = "", **matched: str) -> str:
    """Whole-run figures of the runs that were seen in the range, with labels of their info.

    A run's counter begins at zero with the run, so its maximum is what it came to, also after its
    end; an increase would extrapolate, and miss what was there at the first scrape.
    """
    own = ", ".join(f'{name}="{value}"' for name, value in matched.items())
    groups = f"job, instance, run{', ' + by if by else ''}"
    total = f"sum by ({groups}) (max_over_time({series}{{{own}}}[$__range]))"
    info = RUNS_OF_PROJECT.format(labels=labels)
    return f"({total}) * on (job, instance, run) group_left ({labels}) {info} {WITH_REACH}"


def run_sum(series: str, by: str = "", *matched: str) -> str:
    """The same of the chosen runs, summed."""
    own = ", ".join((RUN, *matched))
    groups = f" by ({by})" if by else ""
    return f"sum{groups} (max_over_time({series}{{{own}}}[$__range]))"
