"""How the agents fare: whether they are up, what fails, what is lost or left out."""

from grafana.boards.parts import (
    FAULT,
    INSTANCE,
    JOB,
    Ask,
    Board,
    Column,
    Look,
    Row,
    figures,
    lines,
    listing,
)

AGENTS = "{series} and on (job, instance) max_over_time(meter_build_info[$__range])"
"""Of all that Prometheus scrapes, the agents."""
UP = 'up{job=~"meter.*"}'
"""The same set as the alert MeterAgentDown has: an agent is in it however long it is down."""
DAY_S = 86_400

NOW = Row(
    "Now",
    (
        figures(
            "Agents up",
            "Agents that Prometheus can scrape.",
            "none",
            Ask(f"sum({UP})", "up"),
            look=Look(w=4, h=4),
        ),
        figures(
            "Agents down",
            "Agents that it cannot scrape: scrape jobs called meter, or that begin so.",
            "none",
            Ask(f"count({UP} == 0) or vector(0)", "down"),
            look=Look(w=4, h=4, limits=FAULT),
        ),
        figures(
            "Sources that fail",
            "Sources that told something in the range and nothing when last asked, and NVML wherever there is a GPU, a driver, or was one. A host without RAPL has none to lose.",
            "none",
            Ask(
                "count(meter_last_collect_success == 0 and (max_over_time(meter_last_collect_success[$__range]) == 1"
                ' or meter_last_collect_success{collector="nvml"})) or vector(0)',
                "fail",
            ),
            look=Look(w=4, h=4, limits=FAULT),
        ),
        figures(
            "Failed writes",
            "Writes to a ledger in the range that failed and were tried again.",
            "none",
            Ask("sum(increase(meter_store_write_failures_total[$__range]))", "writes"),
            look=Look(w=4, h=4, decimals=0, limits=FAULT),
        ),
        figures(
            "Gaps",
            "Time in the range, over all devices, for which no power is known.",
            "s",
            Ask("sum(increase(meter_energy_gap_seconds_total[$__range]))", "gaps"),
            look=Look(w=4, h=4, decimals=0, limits=((30, "yellow"), (300, "red"))),
        ),
        figures(
            "Series left out",
            "Series that have no room on a page now, and projects, runs and models of the last minutes without one of their own.",
            "none",
            Ask("sum(meter_series_left_out)", "series"),
            look=Look(w=4, h=4, limits=FAULT),
        ),
    ),
)

COURSE = Row(
    "Over time",
    (
        lines(
            "Agents",
            "1 is up; a line that falls to 0 is an agent that could not be scraped.",
            "none",
            Ask(f"max by (job, instance) ({UP})", "{{instance}}"),
            look=Look(high=1, decimals=0, first="red", limits=((1, "green"),)),
        ),
        lines(
            "Sources",
            "1 where the source told something when it was last asked.",
            "none",
            Ask(
                "min by (instance, collector) (meter_last_collect_success)",
                "{{instance}} {{collector}}",
            ),
            look=Look(high=1, decimals=0, first="red", limits=((1, "green"),)),
        ),
        lines(
            "Gaps",
            "Seconds of each second for which a device's power is not known.",
            "percentunit",
            Ask(
                "sum by (instance, uuid) (rate(meter_energy_gap_seconds_total[$__rate_interval]))",
                "{{instance}} {{uuid}}",
            ),
            look=Look(high=1, limits=((0.05, "yellow"), (0.5, "red"))),
        ),
        lines(
            "Readings and marks lost",
            "What was taken and lost, by the reason.",
            "short",
            Ask(
                "sum by (instance, reason) (rate(meter_samples_dropped_total[$__rate_interval]))",
                "{{instance}} {{reason}}",
            ),
            look=Look(limits=FAULT),
        ),
        lines(
            "Failed writes",
            "Writes to the ledger that failed, a second.",
            "short",
            Ask(
                "sum by (instance) (rate(meter_store_write_failures_total[$__rate_interval]))",
                "{{instance}}",
            ),
            look=Look(limits=FAULT),
        ),
        lines(
            "Age of live grid intensity",
            "Time since the provider last told something of use; no line where none is asked.",
            "s",
            Ask(
                "time() - max by (instance, collector) (meter_last_success_timestamp_seconds)",
                "{{instance}} {{collector}}",
            ),
            look=Look(limits=((7200, "yellow"), (21600, "red"))),
        ),
        lines(
            "Age of model prices",
            "Time since a source last told a price of a provider whose models are used; no line where none is used or none has a price.",
            "suffix:d",
            Ask(
                f"(time() - max by (instance, provider) (meter_price_book_timestamp_seconds)) / {DAY_S}",
                "{{instance}} {{provider}}",
            ),
            look=Look(decimals=0, limits=((90, "yellow"), (180, "red"))),
        ),
        lines(
            "Series left out",
            "Series that have no room on a page, and projects, runs and models without one of their own.",
            "short",
            Ask("max by (instance) (meter_series_left_out)", "{{instance}}"),
            look=Look(limits=FAULT),
        ),
        lines(
            "Cost of a scrape",
            "How long Prometheus waits for an agent's page.",
            "s",
            Ask(
                f"max by (instance) ({AGENTS.format(series='scrape_duration_seconds')})",
                "{{instance}}",
            ),
            look=Look(limits=((0.5, "yellow"), (5, "red"))),
        ),
        lines(
            "Series of a scrape",
            "Series on an agent's page; beyond 5,000 some are left out.",
            "short",
            Ask(
                f"max by (instance) ({AGENTS.format(series='scrape_samples_scraped')})",
                "{{instance}}",
            ),
            look=Look(limits=((4000, "yellow"), (5000, "red"))),
        ),
    ),
)

WHO = Row(
    "Which they are",
    (
        listing(
            "Alerts",
            "What fires or is about to, the newest first; docs/runbooks has a page for each.",
            (
                ("alertname", "alert"),
                ("severity", "severity"),
                ("alertstate", "state"),
                ("instance", "instance"),
            ),
            (
                Column(
                    'max by (alertname, severity, alertstate, instance) (ALERTS{alertname=~"Meter.+"})'
                    " * on (alertname, severity, instance) group_left ()"
                    ' max by (alertname, severity, instance) (ALERTS_FOR_STATE{alertname=~"Meter.+"}) * 1000',
                    "since",
                    "dateTimeFromNow",
                ),
            ),
            look=Look(w=24, h=8),
            whose=3,
        ),
        listing(
            "Agents",
            "Every agent and its version.",
            (("job", "job"), ("instance", "instance"), ("version", "version")),
            (Column("max by (job, instance, version) (meter_build_info)", "up"),),
            look=Look(w=12, h=7),
        ),
        listing(
            "Sources",
            "Every source of an agent and whether it told something when it was last asked.",
            (("instance", "instance"), ("collector", "source")),
            (
                Column(
                    "min by (instance, collector) (meter_last_collect_success)",
                    "tells",
                    limits=((0, "red"), (1, "green")),
                ),
            ),
            look=Look(w=12, h=7),
        ),
    ),
)

BOARD = Board(
    uid="meter-health",
    title="meter: agent health",
    text="Agents, their sources, gaps, losses, and what they leave out.",
    rows=(NOW, COURSE, WHO),
    variables=(JOB, INSTANCE),
)
