"""PromQL that several boards ask."""

RUN = 'run=~"$run"'
RUNS_OF_PROJECT = 'max by (job, instance, run, {labels}) (max_over_time(meter_run_info{{project=~"$project"}}[$__range]))'


def run_total(series: str, labels: str, *, by: str = "", **matched: str) -> str:
    """Whole-run figures of the runs that were seen in the range, with labels of their info.

    A run's counter begins at zero with the run, so its maximum is what it came to, also after its
    end; an increase would extrapolate, and miss what was there at the first scrape.
    """
    own = ", ".join(f'{name}="{value}"' for name, value in matched.items())
    groups = f"job, instance, run{', ' + by if by else ''}"
    total = f"sum by ({groups}) (max_over_time({series}{{{own}}}[$__range]))"
    info = RUNS_OF_PROJECT.format(labels=labels)
    return f"({total}) * on (job, instance, run) group_left ({labels}) {info}"


def run_sum(series: str, by: str = "", *matched: str) -> str:
    """The same of the chosen runs, summed."""
    own = ", ".join((RUN, *matched))
    groups = f" by ({by})" if by else ""
    return f"sum{groups} (max_over_time({series}{{{own}}}[$__range]))"
