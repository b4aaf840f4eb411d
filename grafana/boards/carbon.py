"""Carbon: location- and market-based, by project, and the intensity that it was booked by."""

from grafana.boards.parts import INSTANCE, JOB, PROJECT, Ask, Board, Look, Row, bars, figures, lines

OF = 'project=~"$project"'
OWN = 'kind!~"hosted.*"'  # what is modelled of jobs at providers is on the board of hosted usage
EMITTED = f"meter_emissions_grams_total{{{OF}, {OWN}, basis="

RANGE = Row(
    "In this range",
    (
        figures(
            "Location-based",
            "By the intensity of the grid, with the site's overhead where a PUE is set; 1 Mg is a tonne.",
            "massg",
            Ask(f'sum(increase({EMITTED}"location"}}[$__range]))', "location"),
            look=Look(w=6, h=4),
        ),
        figures(
            "Market-based",
            "By contracts about electricity; nothing where none is stated; 1 Mg is a tonne.",
            "massg",
            Ask(f'sum(increase({EMITTED}"market"}}[$__range]))', "market"),
            look=Look(w=6, h=4),
        ),
        figures(
            "Of it overhead",
            "Part of location-based carbon that the site's overhead (PUE) adds.",
            "percentunit",
            Ask(
                f'sum(increase({EMITTED}"location", kind="electricity_overhead"}}[$__range])) / sum(increase({EMITTED}"location"}}[$__range]))',
                "overhead",
            ),
            look=Look(w=6, h=4, decimals=0, high=1, limits=((0.3, "yellow"), (0.5, "red"))),
        ),
        figures(
            "Carbon per kWh",
            "Location-based carbon over IT energy in the range: the grid's intensity, made worse by overhead.",
            "suffix:g/kWh",
            Ask(
                f'sum(increase({EMITTED}"location"}}[$__range])) / (sum(increase(meter_energy_joules_total{{{OF}, component!="hosted"}}[$__range])) / 3.6e6)',
                "per kWh",
            ),
            look=Look(w=6, h=4, decimals=0, limits=((300, "yellow"), (600, "red"))),
        ),
    ),
)

COURSE = Row(
    "Over time",
    (
        lines(
            "Grid intensity in force",
            "Grams of CO2 equivalent per kWh that carbon is booked by, with the source that tells it.",
            "suffix:g/kWh",
            Ask(
                "max by (zone, source) (meter_grid_intensity_grams_per_kwh)", "{{zone}}, {{source}}"
            ),
            look=Look(limits=((300, "yellow"), (600, "red"))),
        ),
        lines(
            "Carbon per hour by project",
            "Location-based carbon an hour at the present rate.",
            "massg",
            Ask(
                f'sum by (project) (rate({EMITTED}"location"}}[$__rate_interval])) * 3600',
                "{{project}}",
            ),
            look=Look(stacked=True),
        ),
        lines(
            "Location- and market-based so far",
            "Carbon since the ledger began, by both ways of counting; they are never added.",
            "massg",
            Ask(f"sum by (basis) (meter_emissions_grams_total{{{OF}, {OWN}}})", "{{basis}}"),
        ),
        lines(
            "PUE in force",
            "Facility energy over IT energy, with its source.",
            "none",
            Ask("max by (site, source) (meter_pue_ratio)", "{{site}}, {{source}}"),
            look=Look(low=1, decimals=2, limits=((1.6, "yellow"), (2, "red"))),
        ),
    ),
)

WHOSE = Row(
    "Whose",
    (
        bars(
            "Location-based by project",
            "Location-based carbon of each project in the range.",
            "massg",
            Ask(
                f'topk(16, sum by (project) (increase({EMITTED}"location"}}[$__range])))',
                "{{project}}",
            ),
            look=Look(),
        ),
        bars(
            "Market-based by project",
            "Market-based carbon of each project in the range.",
            "massg",
            Ask(
                f'topk(16, sum by (project) (increase({EMITTED}"market"}}[$__range])))',
                "{{project}}",
            ),
            look=Look(),
        ),
    ),
)

BOARD = Board(
    uid="meter-carbon",
    title="meter: carbon",
    text="Location- and market-based carbon by project, and the grid intensity behind it.",
    rows=(RANGE, COURSE, WHOSE),
    variables=(JOB, INSTANCE, PROJECT),
    since="now-24h",
)
