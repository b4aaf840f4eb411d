"""One run, or a few: power, what it came to, its forecast, and how sure all that is."""

from grafana.boards.parts import (
    BUDGET,
    INSTANCE,
    JOB,
    MONEY,
    PROJECT,
    PURPLE,
    REPORT_HOP,
    RUN,
    RUN_HOP,
    Ask,
    Board,
    Column,
    Look,
    Note,
    Row,
    bars,
    figures,
    lines,
    listing,
)
from grafana.boards.questions import WITH_REACH, run_sum, starts_and_ends

LAST = ("lastNotNull",)
HELD = 'on (job, instance, uuid) max by (job, instance, uuid) (meter_run_gpu_info{run=~"$run"})'
HELD_ONCE = 'on (job, instance, uuid) max by (job, instance, uuid) (max_over_time(meter_run_gpu_info{run=~"$run"}[$__range]))'
TRAINED = 'token_type="train"'
LIVING = 'and on (job, instance) meter_run_info{run=~"$run"}'
NAMED = 'max by (job, instance, run, name, project, simulated) (max_over_time(meter_run_info{run=~"$run", project=~"$project"}[$__range]))'

SUMMARY = Row(
    "The run",
    (
        listing(
            "Runs",
            "Who they are. The name leads to this board for the one alone, its id to its report at the agent.",
            (
                ("name", "name"),
                ("project", "project"),
                ("run", "run"),
                ("simulated", "simulated"),
                ("instance", "instance"),
                ("job", "job"),
                ("scheme", "scheme"),
                ("at", "at"),
            ),
            (
                Column(
                    f'max by (job, instance, run) (max_over_time(meter_run_start_timestamp_seconds{{run=~"$run"}}[$__range])) * 1000'
                    f" * on (job, instance, run) group_left (name, project, simulated) {NAMED} {WITH_REACH}",
                    "began",
                    "dateTimeAsIso",
                ),
                Column(
                    f'max by (job, instance, run) (max_over_time(meter_run_end_timestamp_seconds{{run=~"$run"}}[$__range])) * 1000'
                    f" * on (job, instance, run) group_left (name, project, simulated) {NAMED} {WITH_REACH}",
                    "ended",
                    "dateTimeAsIso",
                ),
            ),
            hops=(("name", RUN_HOP), ("run", REPORT_HOP)),
            look=Look(w=24, h=5),
        ),
        figures(
            "Energy",
            "Energy of the whole run, of GPUs and host.",
            "kwatth",
            Ask(f"{run_sum('meter_run_energy_joules_total')} / 3.6e6", "energy"),
            look=Look(w=4, h=4),
        ),
        figures(
            "Money",
            "Money of the whole run, at the prices known when it was booked.",
            MONEY,
            Ask(run_sum("meter_run_cost_total", "currency"), "{{currency}}"),
            look=Look(w=4, h=4, decimals=2),
        ),
        figures(
            "Carbon",
            "Carbon of the whole run: location is by the grid's intensity, market by contracts, where there are any.",
            "massg",
            Ask(run_sum("meter_run_emissions_grams_total", "basis"), "{{basis}}"),
            look=Look(w=4, h=4),
        ),
        figures(
            "Tokens",
            "Tokens of the run, as its job tells them.",
            "short",
            Ask(run_sum("meter_run_tokens_total", "token_type"), "{{token_type}}"),
            look=Look(w=4, h=4),
        ),
        figures(
            "Energy per token",
            "Energy of the whole run over its trained tokens.",
            "joule",
            Ask(
                f"{run_sum('meter_run_energy_joules_total')} / {run_sum('meter_run_tokens_total', '', TRAINED)}",
                "per token",
            ),
            look=Look(w=4, h=4),
        ),
        figures(
            "GPUs idle",
            "Part of the time, over the GPUs that the run held in the range, in which hardly a kernel ran (below 5 %).",
            "percentunit",
            Ask(
                f"avg(avg_over_time(((meter_gpu_utilization_ratio < bool 0.05) and {HELD})[$__range:]))",
                "idle",
            ),
            look=Look(w=4, h=4, decimals=0, high=1, limits=((0.2, "yellow"), (0.5, "red"))),
        ),
    ),
)

COURSE = Row(
    "Its course",
    (
        lines(
            "Power by GPU",
            "Power of the GPUs that the run holds; a GPU that others share is shown whole.",
            "watt",
            Ask(f"meter_gpu_power_watts and {HELD}", "{{instance}} GPU {{gpu}}"),
        ),
        lines(
            "Energy so far",
            "Energy of the run since its start, by component.",
            "kwatth",
            Ask(
                'sum by (run, component) (meter_run_energy_joules_total{run=~"$run"}) / 3.6e6',
                "{{run}} {{component}}",
            ),
            look=Look(stacked=True),
        ),
        lines(
            "Money so far",
            "Money of the run since its start, by kind of cost.",
            MONEY,
            Ask(
                'sum by (run, kind, currency) (meter_run_cost_total{run=~"$run"})',
                "{{run}} {{kind}} {{currency}}",
            ),
            look=Look(decimals=3),
        ),
        lines(
            "Carbon so far",
            "Carbon of the run since its start, location- and market-based.",
            "massg",
            Ask(
                'sum by (run, basis) (meter_run_emissions_grams_total{run=~"$run"})',
                "{{run}} {{basis}}",
            ),
        ),
        lines(
            "Tokens per second",
            "Tokens a second, as the job tells them.",
            "short",
            Ask(
                'sum by (run, token_type) (rate(meter_run_tokens_total{run=~"$run"}[$__rate_interval]))',
                "{{run}} {{token_type}}",
            ),
        ),
        lines(
            "Energy per token",
            "Energy over trained tokens at the present rate; it rises where work is wasted.",
            "joule",
            Ask(
                'sum by (run) (rate(meter_run_energy_joules_total{run=~"$run"}[$__rate_interval]))'
                ' / (sum by (run) (rate(meter_run_tokens_total{run=~"$run", token_type="train"}[$__rate_interval])) > 0)',
                "{{run}}",
            ),
        ),
        lines(
            "Power by phase",
            "Energy over time by the phases that the job marks; (none) is the time without one.",
            "watt",
            Ask(
                'sum by (run, phase) (rate(meter_run_phase_energy_joules_total{run=~"$run"}[$__rate_interval]))',
                "{{run}} {{phase}}",
            ),
            look=Look(stacked=True),
        ),
        lines(
            "Steps per minute",
            "Steps a minute, as the job marks them; a line at zero is a run that stalls.",
            "short",
            Ask(
                'sum by (run) (rate(meter_run_steps_total{run=~"$run"}[$__rate_interval])) * 60',
                "{{run}}",
            ),
        ),
    ),
)

AHEAD = Row(
    "Budget and forecast",
    (
        figures(
            "Done",
            "Part of the run that is done, as its job told by its marks.",
            "percentunit",
            Ask('max by (run) (meter_run_done_ratio{run=~"$run"})', "{{run}}"),
            look=Look(w=4, h=9, decimals=0, high=1),
        ),
        figures(
            "Ends",
            "When the run ends, if it goes on as in the recent half of its progress: a model.",
            "dateTimeFromNow",
            Ask(
                'max by (run) (meter_run_forecast_end_timestamp_seconds{run=~"$run"}) * 1000',
                "{{run}}",
            ),
            look=Look(w=4, h=9, low=None),
        ),
        lines(
            "Energy: so far, and at the end by forecast",
            "The forecast is a model: it goes on at the rate of the recent half of the progress.",
            "kwatth",
            Ask(
                'sum by (run) (meter_run_energy_joules_total{run=~"$run"}) / 3.6e6',
                "{{run}} so far",
            ),
            Ask(
                'sum by (run) (meter_run_forecast_energy_joules{run=~"$run"}) / 3.6e6',
                "{{run}} at its end",
            ),
            look=Look(w=8, h=9),
        ),
        bars(
            "Part of the budget: now, and at the end by forecast",
            "Above 1 the budget is more than used up. Money and carbon are taken to grow as the energy does.",
            "percentunit",
            Ask(
                'max by (run, unit) (meter_run_budget_used_ratio{run=~"$run"})',
                "{{run}} {{unit}} now",
            ),
            Ask(
                'max by (run, unit) (run:meter_run_budget_forecast:ratio{run=~"$run"})',
                "{{run}} {{unit}} at its end",
            ),
            look=Look(w=8, limits=BUDGET, high=1, decimals=0),
        ),
    ),
)

SURE = Row(
    "How sure, and from which facts",
    (
        bars(
            "Energy by method",
            "How the run's energy is known: measured by a device, or modelled.",
            "kwatth",
            Ask(
                f"{run_sum('meter_run_energy_joules_total', 'component, method')} / 3.6e6",
                "{{component}} {{method}}",
            ),
            look=Look(w=8, h=7),
        ),
        listing(
            "Gaps",
            "Time in the range for which nothing is known of the power of a GPU that the run held.",
            (("instance", "instance"), ("uuid", "device")),
            (
                Column(
                    f"sum by (instance, uuid) (increase(meter_energy_gap_seconds_total[$__range]) and {HELD_ONCE})",
                    "unknown for",
                    "s",
                    limits=((5, "yellow"), (60, "red")),
                    decimals=1,
                ),
            ),
            look=Look(w=16, h=7),
        ),
        lines(
            "Grid intensity in force",
            "Grams of CO2 equivalent per kWh that location-based carbon was booked by while the run lived.",
            "suffix:g/kWh",
            Ask(
                f"max by (zone, source) (meter_grid_intensity_grams_per_kwh {LIVING})",
                "{{zone}}, {{source}}",
            ),
            look=Look(w=12, h=7, calculated=LAST, limits=((300, "yellow"), (600, "red"))),
        ),
        lines(
            "Electricity price in force",
            "Price of a kWh that electricity was booked by while the run lived.",
            MONEY,
            Ask(
                f"max by (site, source, currency) (meter_electricity_price_per_kwh {LIVING})",
                "{{site}}, {{source}}, {{currency}}",
            ),
            look=Look(w=6, h=7, decimals=3, low=None, calculated=LAST),
        ),
        lines(
            "PUE in force",
            "Facility energy over IT energy while the run lived.",
            "none",
            Ask(f"max by (site, source) (meter_pue_ratio {LIVING})", "{{site}}, {{source}}"),
            look=Look(
                w=6, h=7, decimals=2, low=1, calculated=LAST, limits=((1.6, "yellow"), (2, "red"))
            ),
        ),
    ),
)

BOARD = Board(
    uid="meter-run",
    title="meter: run",
    text="One run, or a few: power, energy, money, carbon, tokens, forecast, and the facts behind them.",
    rows=(SUMMARY, COURSE, AHEAD, SURE),
    variables=(JOB, INSTANCE, PROJECT, RUN),
    notes=(
        *starts_and_ends('run=~"$run"', all_of_them=True),
        Note(
            "Phases",
            'sum by (run, phase) (rate(meter_run_phase_energy_joules_total{run=~"$run", phase!="(none)"}[$__rate_interval])) > 0',
            "{{phase}}",
            "{{run}}",
            color=PURPLE,
        ),
    ),
)
