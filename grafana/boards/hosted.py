"""Usage of hosted APIs: tokens, money, hosting, and what has no price."""

from grafana.boards.parts import (
    FAULT,
    INSTANCE,
    JOB,
    MONEY,
    Ask,
    Board,
    Look,
    Row,
    Variable,
    bars,
    figures,
    lines,
)

HOSTED = 'project=~"$project", provider!="own"'
PROJECT = Variable(
    "project", 'meter_tokens_total{job=~"$job", instance=~"$instance", provider!="own"}'
)

RANGE = Row(
    "In this range",
    (
        figures(
            "Money",
            "What hosted usage cost in the range, at the prices known when it was booked.",
            MONEY,
            Ask(
                f"sum by (currency) (increase(meter_cost_total{{{HOSTED}}}[$__range]))",
                "{{currency}}",
            ),
            look=Look(w=6, h=4, decimals=2),
        ),
        figures(
            "Tokens",
            "Tokens of hosted models in the range, by what they are billed as.",
            "short",
            Ask(
                f"sum by (token_type) (increase(meter_tokens_total{{{HOSTED}}}[$__range]))",
                "{{token_type}}",
            ),
            look=Look(w=9, h=4),
        ),
        figures(
            "Hosted",
            "Time for which models were hosted in the range, all together.",
            "s",
            Ask(
                'sum(increase(meter_hosting_seconds_total{project=~"$project"}[$__range]))',
                "hosted",
            ),
            look=Look(w=4, h=4),
        ),
        figures(
            "Without a price",
            "Events of usage in the range that no price is known of: their cost is missing above.",
            "none",
            Ask(
                'sum(increase(meter_usage_unpriced_total{project=~"$project"}[$__range])) or vector(0)',
                "events",
            ),
            look=Look(w=5, h=4, decimals=0, limits=FAULT),
        ),
    ),
)

MODELLED = Row(
    "Energy and carbon of jobs, modelled",
    (
        figures(
            "Energy of jobs",
            "IT energy of fine-tuning jobs that became known in the range, as first estimated: never measured. Assumed is the middle below an upper bound.",
            "kwatth",
            Ask(
                'sum by (method) (increase(meter_energy_joules_total{project=~"$project", component="hosted"}[$__range])) / 3.6e6',
                "{{method}}",
            ),
            look=Look(w=12, h=4, decimals=2),
        ),
        figures(
            "Carbon of jobs, location-based",
            "Of the same jobs, with the facility; where the provider tells no region, by the world's mean.",
            "massg",
            Ask(
                'sum(increase(meter_emissions_grams_total{project=~"$project", kind=~"hosted.*", basis="location"}[$__range]))',
                "carbon",
            ),
            look=Look(w=12, h=4),
        ),
    ),
)

COURSE = Row(
    "Over time",
    (
        lines(
            "Money per hour by project",
            "What hosted usage costs an hour at its present rate; usage that is imported late shows when it came.",
            MONEY,
            Ask(
                f"sum by (project, currency) (rate(meter_cost_total{{{HOSTED}}}[$__rate_interval])) * 3600",
                "{{project}} {{currency}}",
                exemplars=True,
            ),
            look=Look(decimals=2, stacked=True),
        ),
        lines(
            "Money so far by provider and kind",
            "Money since the ledger began: training, tokens, hosting, storage.",
            MONEY,
            Ask(
                f"sum by (provider, kind, currency) (meter_cost_total{{{HOSTED}}})",
                "{{provider}} {{kind}} {{currency}}",
            ),
            look=Look(decimals=2),
        ),
        lines(
            "Tokens per second by model",
            "Tokens a second of the busiest models.",
            "short",
            Ask(
                f"topk(12, sum by (provider, model) (rate(meter_tokens_total{{{HOSTED}}}[$__rate_interval])))",
                "{{provider}} {{model}}",
            ),
        ),
        lines(
            "Tokens per second by type",
            "Input, cached input, output and training, which have prices of their own.",
            "short",
            Ask(
                f"sum by (token_type) (rate(meter_tokens_total{{{HOSTED}}}[$__rate_interval]))",
                "{{token_type}}",
                exemplars=True,
            ),
            look=Look(stacked=True),
        ),
    ),
)

WHAT = Row(
    "Which models",
    (
        bars(
            "Tokens by model",
            "Tokens of each model in the range.",
            "short",
            Ask(
                f"topk(16, sum by (provider, model) (increase(meter_tokens_total{{{HOSTED}}}[$__range])))",
                "{{provider}} {{model}}",
            ),
            look=Look(w=8),
        ),
        bars(
            "Hosting by model",
            "Time for which each model was hosted in the range; it costs whether or not anything is asked.",
            "s",
            Ask(
                'topk(16, sum by (provider, model) (increase(meter_hosting_seconds_total{project=~"$project"}[$__range])))',
                "{{provider}} {{model}}",
            ),
            look=Look(w=8),
        ),
        bars(
            "Events without a price, by model",
            "Events in the range of models that no price is known of: `meter prices import` brings one.",
            "none",
            Ask(
                'topk(16, sum by (provider, model) (increase(meter_usage_unpriced_total{project=~"$project"}[$__range])) > 0)',
                "{{provider}} {{model}}",
            ),
            look=Look(w=8, decimals=0, limits=FAULT),
        ),
    ),
)

BOARD = Board(
    uid="meter-hosted",
    title="meter: hosted usage",
    text="Tokens, money and hosting of provider APIs by project, provider and model.",
    rows=(RANGE, MODELLED, COURSE, WHAT),
    variables=(JOB, INSTANCE, PROJECT),
    since="now-24h",
)
