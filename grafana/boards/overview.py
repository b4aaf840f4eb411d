"""The first look: money, energy and carbon by project, budgets, the largest runs."""

from grafana.boards.parts import (
    BUDGET,
    INSTANCE,
    JOB,
    MONEY,
    PROJECT,
    REPORT_HOP,
    RUN_HOP,
    Ask,
    Board,
    Column,
    Look,
    Row,
    bars,
    figures,
    lines,
    listing,
)
from grafana.boards.questions import run_total, starts_and_ends

ALIVE = 'meter_run_info{project=~"$project"} unless on (job, instance, run) meter_run_end_timestamp_seconds'

IN_RANGE = Row(
    "In this range",
    (
        figures(
            "Money",
            "What the projects cost in the range, at the prices known when it was booked; currencies are never added.",
            MONEY,
            Ask(
                'sum by (currency) (increase(meter_cost_total{project=~"$project"}[$__range]))',
                "{{currency}}",
            ),
            look=Look(w=6, h=4, decimals=2),
        ),
        figures(
            "Energy",
            "Energy of the projects in the range, of GPUs and hosts; (idle) and (unattributed) are projects here.",
            "kwatth",
            Ask(
                'sum(increase(meter_energy_joules_total{project=~"$project", component!="hosted"}[$__range])) / 3.6e6',
                "energy",
            ),
            look=Look(w=4, h=4),
        ),
        figures(
            "Carbon, location-based",
            "Carbon dioxide equivalent by the grid's intensity, with the site's overhead, in the range; 1 Mg is a tonne.",
            "massg",
            Ask(
                'sum(increase(meter_emissions_grams_total{project=~"$project", kind!~"hosted.*", basis="location"}[$__range]))',
                "carbon",
            ),
            look=Look(w=4, h=4),
        ),
        figures(
            "Power now",
            "Power of all GPUs when they were last looked at.",
            "watt",
            Ask("sum(meter_gpu_power_watts)", "power"),
            look=Look(w=4, h=4),
        ),
        figures(
            "Live runs",
            "Runs that have not ended.",
            "none",
            Ask(f"count({ALIVE})", "runs"),
            look=Look(w=3, h=4, none="0"),
        ),
        figures(
            "Idle share",
            "Part of the range's energy that nobody's run used.",
            "percentunit",
            Ask(
                'sum(increase(meter_energy_joules_total{project="(idle)"}[$__range]))'
                ' / sum(increase(meter_energy_joules_total{component!="hosted"}[$__range]))',
                "idle",
            ),
            look=Look(w=3, h=4, decimals=0, high=1, limits=((0.3, "yellow"), (0.6, "red"))),
        ),
    ),
)

BY_PROJECT = Row(
    "By project",
    (
        bars(
            "Money by project",
            "What each project cost in the range, own GPUs and hosted APIs together, the dearest first.",
            MONEY,
            Ask(
                'topk(12, sum by (project, currency) (increase(meter_cost_total{project=~"$project"}[$__range])))',
                "{{project}} {{currency}}",
            ),
            look=Look(w=8, decimals=2),
        ),
        bars(
            "Energy by project",
            "Energy of each project in the range, of GPUs and hosts; (idle) is what nobody held.",
            "kwatth",
            Ask(
                'topk(12, sum by (project) (increase(meter_energy_joules_total{project=~"$project", component!="hosted"}[$__range]))) / 3.6e6',
                "{{project}}",
            ),
            look=Look(w=8),
        ),
        bars(
            "Carbon by project",
            "Location-based carbon of each project's own GPUs in the range; 1 Mg is a tonne.",
            "massg",
            Ask(
                'topk(12, sum by (project) (increase(meter_emissions_grams_total{project=~"$project", kind!~"hosted.*", basis="location"}[$__range])))',
                "{{project}}",
            ),
            look=Look(w=8),
        ),
        lines(
            "Power by project",
            "Energy of each project over time.",
            "watt",
            Ask(
                'sum by (project) (rate(meter_energy_joules_total{project=~"$project", component!="hosted"}[$__rate_interval]))',
                "{{project}}",
            ),
            look=Look(stacked=True),
        ),
        lines(
            "Money per hour by project",
            "What each project costs an hour at its present rate.",
            MONEY,
            Ask(
                'sum by (project, currency) (rate(meter_cost_total{project=~"$project"}[$__rate_interval])) * 3600',
                "{{project}} {{currency}}",
                exemplars=True,
            ),
            look=Look(decimals=2, stacked=True),
        ),
    ),
)

BUDGETS = Row(
    "Budgets",
    (
        bars(
            "Projects: part of this month's budget",
            "Part of each project's budget that is used this UTC month; above 1 it is more than all.",
            "percentunit",
            Ask(
                'sort_desc(max by (project, unit) (meter_project_budget_used_ratio{project=~"$project"}))',
                "{{project}} {{unit}}",
            ),
            look=Look(h=7, limits=BUDGET, high=1, decimals=0),
        ),
        bars(
            "Live runs: part of their budget",
            "Part of each run's budget that is used.",
            "percentunit",
            Ask(
                "sort_desc(max by (name, run, unit) (meter_run_budget_used_ratio"
                ' * on (job, instance, run) group_left (name) meter_run_info{project=~"$project"}))',
                "{{name}} {{run}} {{unit}}",
            ),
            look=Look(h=7, limits=BUDGET, high=1, decimals=0),
        ),
    ),
)

TOP_RUNS = Row(
    "Top runs",
    (
        listing(
            "Runs by energy",
            "Whole runs that were seen in the range, the largest first: energy and location-based carbon since their start.",
            (
                ("name", "name"),
                ("project", "project"),
                ("run", "run"),
                ("instance", "instance"),
                ("job", "job"),
                ("scheme", "scheme"),
                ("at", "at"),
            ),
            (
                Column(
                    f"topk(20, {run_total('meter_run_energy_joules_total', 'name, project')}) / 3.6e6",
                    "energy",
                    "kwatth",
                ),
                Column(
                    f"topk(20, {run_total('meter_run_emissions_grams_total', 'name, project', basis='location')})",
                    "carbon",
                    "massg",
                ),
            ),
            hops=(("name", RUN_HOP), ("run", REPORT_HOP)),
            look=Look(w=24, h=9),
        ),
        listing(
            "Runs by money",
            "Whole runs that were seen in the range, the dearest first; a run has a row for each currency.",
            (
                ("name", "name"),
                ("currency", "currency"),
                ("project", "project"),
                ("run", "run"),
                ("instance", "instance"),
                ("job", "job"),
                ("scheme", "scheme"),
                ("at", "at"),
            ),
            (
                Column(
                    f"topk(20, {run_total('meter_run_cost_total', 'name, project', by='currency')})",
                    "money",
                    decimals=4,
                ),
            ),
            hops=(("name", RUN_HOP), ("run", REPORT_HOP)),
            look=Look(w=24, h=9),
        ),
    ),
)

BOARD = Board(
    uid="meter-overview",
    title="meter: overview",
    text="Energy, money and carbon by project, budgets, and the runs that weigh most.",
    rows=(IN_RANGE, BY_PROJECT, BUDGETS, TOP_RUNS),
    variables=(JOB, INSTANCE, PROJECT),
    notes=starts_and_ends('project=~"$project"'),
    since="now-24h",
)
