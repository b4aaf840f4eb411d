"""Writes the references of this folder from the code they describe.

``python docs/generate.py`` writes them; with ``--check`` it exits with 1 where one is not what the
code says.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from decimal import Decimal

    from meter.factors.sheets import Fact

HERE = Path(__file__).resolve().parent
HOST_MODEL = HERE.parent / "meter" / "sampling" / "data" / "host_model.json"
MADE = "<!-- Written by docs/generate.py: change the code, then `make docs`. -->\n"

VARIABLES = (
    ("METER_CONFIG", "The configuration file; default: `meter/config.toml` in the XDG configuration folder."),
    ("METER_RUN_ID", "Given to the job: the id of its run. Set before `meter run`, it names the run to join."),
    ("METER_LAUNCHER_PID", "Given to the job: the process that meters it, and its start: `PID:TICKS`."),
    ("METER_K8S_JOB_UID", "Set by a manifest (downward API): the Job whose id the run has; see [one-node.md](one-node.md)."),
    ("METER_K8S_JOB_NAME", "The same, by the Job's name."),
    ("METER_K8S_POD_UID", "The same, by the pod."),
)  # fmt: skip
"""Variables that are no configuration keys."""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; what would break a cell is escaped."""
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for row in rows:
        cells = [cell.replace("|", "\\|").replace("\n", " ") for cell in row]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def short(number: Decimal | None) -> str:
    """A number with four significant digits or all before the point."""
    if number is None:
        return ""
    return f"{number:.0f}" if number >= 1000 else f"{number:.4g}"


def code(text: str) -> str:
    """Text as code, nothing as nothing."""
    return f"`{text}`" if text else ""


def config_page() -> str:
    """The configuration: every key, every variable."""
    from meter.settings_keys import KEYS
    from meter.settings_market import CRITERIA, NEEDED

    keys = table(
        ("key", "what", "value", "default", "example", "variable", "flag"),
        (
            (
                code(key.name), key.help, key.kind, key.default, code(key.example),
                code(key.variable or ""), code(key.flag or ""),
            )
            for key in KEYS if key.in_file
        ),
    )  # fmt: skip
    places = table(
        ("variable", "what", "default", "flag"),
        (
            (code(key.variable or ""), key.help, key.default, code(key.flag or ""))
            for key in KEYS if not key.in_file
        ),
    )  # fmt: skip
    others = table(("variable", "what"), ((code(name), text) for name, text in VARIABLES))
    criteria = table(
        ("criterion", "the instrument", "of"),
        (
            (code(name), text, ", ".join(kind for kind, needed in NEEDED.items() if name in needed))
            for name, text in CRITERIA.items()
        ),
    )
    return f"""# Configuration

A flag beats a variable, a variable beats the file, the file beats the default. The file is TOML, named by `METER_CONFIG`. A key that
is not known is reported; a wrong value is reported with key, file and line, and stops no job: it is left out, and with a wrong part of
a tariff the whole tariff. `meter agent` does not start with one.

## Keys

{keys}
A band is a value with its bounds: `{{ value = 0.25, low = 0.22, high = 0.31 }}`.
Time-of-use windows begin and end on quarter hours of the site's clock, in any time zone and over its clock changes. Hours of UTC that a
window cuts are priced by the quarter hour; other borders are refused.

`site.pue`, `site.wue` and `site.tnd_loss` may be the name of a [preset](factors.md), an assumption that is called one.

`gpu_time` is a rate, or the price, life and use of an owned GPU: price / (years * 8,766 h * use). Both together are refused.

## Instruments

`[[market.instruments]]` state contracts about where the site's electricity is from; with them carbon is told market-based too. They cover the
consumption in the order certificate, ppa, supplier, residual; shares of one time that add up to more than 1 (without the residual mix) are
refused. An instrument counts only if its `quality` says `true` for each criterion that applies to its type; one that does not is shown with the
reason and counts for nothing. The criteria are those of the GHG Protocol's Scope 2 Guidance (2015), table 7.1:

{criteria}
## Places

These decide where the file, the agent and the ledger are found; they are variables, not keys.

{places}
## Other variables

{others}"""


def metrics_page() -> str:
    """The series of /metrics."""
    from meter.agent.exemplars import MOST_CHARS
    from meter.reserved import OWN, WORDS
    from meter_exporters.metric_families import FAMILIES, families
    from meter_exporters.prometheus import MAX_SERIES

    rows = table(
        ("metric", "type", "labels", "what"),
        (
            (code(name), kind, ", ".join(map(code, labels)), text)
            for name, kind, text, labels in families()
        ),
    )
    exemplars = " and ".join(code(family.name) for family in FAMILIES if family.exemplars)
    return f"""# Metrics

What an agent serves at `/metrics`, as text or OpenMetrics. Units are base units. Counters are kept in the ledger and never go back, over
restarts too; a series whose value is not known, or no longer, is absent. Money and carbon are booked at the factors known at that instant:
later corrections show in reports, not here. A run has its series while it
lives and for 15 minutes after, 50 runs at once unless `metrics.runs` says otherwise: live ones before ended ones, the oldest first. So it does
where the agent starts anew, with the same figures. One page holds at
most {MAX_SERIES} series. What is left out is counted in `meter_series_dropped_total`, and stays in the sums of its project.

A run's energy, and the money and carbon of it, has series at zero for the run and its project when the run is registered, and counts from then on; only what hosted usage and hosted jobs raise waits at
zero where it is new, until two scrapes have seen it. What a series had before Prometheus first scraped it is in the counter and not in `increase()`: [grafana.md](grafana.md#what-the-figures-mean) tells
when that matters, and what to ask instead.

{", ".join(map(code, WORDS))} are labels of what has no name of its own, and provider {code(OWN)} is what runs on own or rented GPUs. No project, run,
provider, model or phase may be called so: it is refused wherever it is named, since it would be added to them. What a ledger has of that from before is read as ever.

{exemplars} have exemplars: in OpenMetrics, which
Prometheus asks for by itself, a series that some run raised says which one, as label `run`, by how much at once, and when. It is the largest booking of
the last minute, or the last one where there was none since, so that a jump leads to its run at any usual scrape interval. An agent that starts anew has none
until something is booked; a run id of more than {MOST_CHARS} characters is none. Prometheus keeps them with `--enable-feature=exemplar-storage`.

{rows}"""


def below(name: str, group: Any, context: Any, shown: dict[str, Any]) -> list[tuple[str, str]]:
    """The help of each command of a command, if it has any."""
    import click

    if not isinstance(group, click.Group):
        return []
    commands = {each: group.get_command(context, each) for each in group.list_commands(context)}
    return [
        (f"{name} {each}", command.get_help(command.make_context(each, [], context, **shown)))
        for each, command in commands.items()
        if command is not None
    ]


def cli_page() -> str:
    """Every command's help."""
    from meter.cli.app import COMMANDS, app
    from meter.launch.options import help_text

    shown: dict[str, Any] = {"resilient_parsing": True, "terminal_width": 80}
    group = app.make_context("meter", [], **shown)
    parts = [("meter", app.get_help(group))]
    for name in COMMANDS:
        if name in {"run", "exec", "attach"}:
            parts.append((name, help_text(name)))
            continue
        command = app.get_command(group, name)
        if command is None:
            raise LookupError(name)
        context = command.make_context(name, [], group, **shown)
        parts.append((name, command.get_help(context)))
        parts += below(name, command, context, shown)
    sections = [
        f"## {'meter ' * (name != 'meter')}{name}\n\n```text\n{text.rstrip()}\n```\n"
        for name, text in parts
    ]
    return "# Command line\n\n" + "\n".join(sections)


def exact(number: Decimal) -> str:
    """A number as its data file has it."""
    return f"{number.normalize():f}"


FACT_HEAD = (
    "item", "value", "low", "high", "unit", "method", "detail", "source", "date", "licence",
)  # fmt: skip


def fact_cells(fact: Fact, name: str) -> tuple[str, ...]:
    """The cells of a row of a data file."""
    return (
        name, exact(fact.value), exact(fact.low), exact(fact.high), fact.unit, fact.method,
        fact.detail or "", fact.source, fact.source_date, fact.licence,
    )  # fmt: skip


def preset_table(kind: str) -> str:
    """The named assumptions of a kind."""
    from meter.factors.presets import presets

    return table(FACT_HEAD, (fact_cells(fact, code(name)) for name, fact in presets(kind).items()))


def hardware_table(kind: str) -> str:
    """The facts about hardware of a kind, as the files have them."""
    from meter.factors.sheets import GPUS, sheet

    facts = (fact for fact in sheet(GPUS) if fact.kind == kind)
    return table(FACT_HEAD, (fact_cells(fact, fact.item or "any") for fact in facts))


def embodied_tables() -> tuple[str, str]:
    """What making hardware emits, in kg and years as found, and in g for an hour as used."""
    from meter.factors.bundled import hardware_factors
    from meter.factors.sheets import EMBODIED, sheet

    raw = table(
        ("fact", *FACT_HEAD),
        ((fact.kind, *fact_cells(fact, fact.item or "any")) for fact in sheet(EMBODIED)),
    )
    used = table(
        ("fact", "item", "value", "low", "high", "unit", "method", "detail"),
        (
            (
                row.kind, row.item or "any", short(row.value), short(row.low), short(row.high),
                row.unit, row.method, row.detail or "",
            )
            for row in hardware_factors(0) if row.kind.startswith("embodied")
        ),
    )  # fmt: skip
    return raw, used


HOSTED_TITLES = {
    "server_ratio": "power of a server / that of its GPUs",
    "gpu_load": "mean power of a GPU in training / its limit",
    "mfu": "arithmetic that a model needs / the peak of the GPUs in that time",
    "training_flop": "arithmetic for each token and parameter",
    "pue": "facility energy / IT energy, by provider",
    "model_parameters": "billions of parameters that a token passes through, by base model",
}


def hosted_tables() -> str:
    """The assumptions about hosted training, kind by kind."""
    from meter.factors.sheets import HOSTED, sheet

    parts = []
    for kind, title in HOSTED_TITLES.items():
        facts = [fact for fact in sheet(HOSTED) if fact.kind == kind]
        rows = (fact_cells(fact, code(fact.item) if fact.item else "any") for fact in facts)
        parts.append(f"### `{kind}`: {title}\n\n{table(FACT_HEAD, rows)}")
    return "\n".join(parts)


def prices_page() -> str:
    """The prices that come with meter."""
    from meter.factors.bundled_prices import bundled_prices

    names = (
        "provider", "model", "meter", "value", "low", "high", "per", "service_tier", "training",
        "parameters_over_b", "parameters_to_b", "valid_from", "valid_to", "source", "source_date",
        "detail",
    )  # fmt: skip
    heads = (
        "provider", "model", "meter", "USD", "low", "high", "per", "tier", "training", "over, B",
        "to, B", "from", "until", "source", "date", "how sure",
    )  # fmt: skip
    rows = bundled_prices().rows
    training = {"train_token", "train_hour", "gpu_second", "host_hour", "storage_gb_month"}

    def cells(name: str, cell: str) -> str:
        return code(cell) if name in {"model", "meter", "service_tier"} else cell

    def listed(*, hosted: bool) -> str:
        return table(
            heads,
            (
                [cells(name, str(row.cells.get(name, ""))) for name in names]
                for row in rows
                if (row.cells["meter"] in training) is hosted
            ),
        )

    return f"""# Prices that come with meter

Prices of hosted training, of hosting and of tuned models, which no public list has with dates and sources. They are used once they are imported:

```sh
meter prices import --bundled
```

Their rank is 100: whatever you import yourself goes first ([books](books.md#prices)). A row says how sure it is: `confirmed` is the seller's own page, `unverified`
is not; where sources differ, low and high are the least and the most of them. Without a date a price is held to be so always. `*` is every model of the provider;
`ft:` before a name is what was tuned from it, `ft:*` every tuned model. `withdrawn` takes back what an earlier version stated. Epochs are in trained tokens.

Not here, because nobody states them or only in part: training rates of Together, Vertex and Bedrock; GPU-seconds of reinforcement at Fireworks above 16 billion parameters;
Azure's rates for trained tokens (its pages say only that global training is 10 % to 30 % below regional, and the developer tier half of global); OpenAI's cached rate
of `ft:gpt-4o-2024-11-20`, which is inconsistent in its source. So are its batch rates of `ft:gpt-4o-2024-08-06` and of babbage's output: these have bounds.
A row without a tier is for every tier: where no batch rate is known, a batch costs as much as any request.

Rates of other models come from the package genai-prices, stamped with its version (`meter prices import --genai-prices`, extra `genai-prices`; its rank is 150), or from
litellm's file.

## Training, hosting, storage

{listed(hosted=True)}
## Tuned models in use

{listed(hosted=False)}"""


def processors() -> str:
    """How many processors the list of TDPs has, and where it is from."""
    from meter.factors.grids import LICENCE, release
    from meter.sampling.cpu_list import list_path, read_list

    path = list_path()
    count = len(read_list(path)) if path else 0
    return f"{count:,} processors: `cpu_power.csv` of {release()}, licence {LICENCE}"


def factors_page() -> str:
    """The facts that come with meter."""
    from meter.factors.books import household_factor, world_factor
    from meter.factors.grids import LICENCE, grids

    world, household = world_factor(0), household_factor(0)
    single = table(
        ("fact", "scope", "value", "low", "high", "unit", "basis", "source", "date", "licence"),
        (
            (
                fact.kind, fact.scope, short(fact.value), short(fact.low), short(fact.high),
                fact.unit, fact.basis or "", fact.source, fact.source_date or "",
                fact.licence or "",
            )
            for fact in (world, household)
        ),
    )  # fmt: skip
    kilograms, grams = embodied_tables()
    model = json.loads(HOST_MODEL.read_text(encoding="utf-8"))
    host = table(
        ("constant", "value", "unit", "source", "date"),
        (
            (code(name), str(row["value"]), row["unit"], row["source"], row["source_date"])
            for name, row in model.items()
        ),
    )
    zones = table(
        ("zone", "name", "g/kWh", "year", "method", "basis", "source"),
        (
            (
                code(grid.zone), grid.names[0] if grid.names else "", short(grid.intensity),
                grid.year or "", grid.method, grid.basis, grid.source,
            )
            for grid in sorted(grids().values(), key=lambda grid: grid.zone)
        ),
    )  # fmt: skip
    return f"""# Facts that come with meter

Your own values, from the [configuration](config.md), beat all of these, and every figure of a report names the ones it used.

## World and yardstick

The world's range is used, and called assumed, where no zone is set. Its mean is that of the countries below, each by all that it generates;
low and high are the cleanest and the dirtiest of them. A household's day is what the summary compares energy with.

{single}
## Host model

For processors and memory that cannot be measured: a processor's power is between its idle share and its TDP, by load; the TDP is that of
a list ({processors()}). Figures made of these are called modelled.

{host}
## Presets of a site

Assumptions with a name, for `[site]` of the configuration: `pue = "hyperscale"`. Whoever names one gets its bounds, its source, and figures
that are called assumed; measure or ask, and put the number there instead. None is used unless it is named.

### `pue`: facility energy / IT energy

{preset_table("pue")}
### `wue`: litres of water for a kWh of IT energy

{preset_table("wue")}
### `tnd_loss`: share of the electricity fed into the grid that is lost in it

A loss makes an uplift of loss / (1 - loss) on what arrives.

{preset_table("tnd_loss")}
## Embodied carbon

What making a GPU's board and its share of the rest of the server emitted, spread over the time for which they are used. A GPU is found by
its name; the rows of a GPU go into the ledger once it is metered. Board and server are told apart, and neither is part of location- or
market-based carbon.

{kilograms}
For each hour for which a GPU is held, that is (a long life makes it little, a short one much):

{grams}
## Power of GPUs

Watts at the board's limit; for runs that were not metered, hosted estimates and what-if. Where boards of one name differ, the bounds say so.

{hardware_table("gpu_power")}
## Compute of GPUs

Peak of dense 16-bit arithmetic.

{hardware_table("gpu_compute")}
## Power of servers

{hardware_table("node_power")}
## Hosted training

What estimates of training at a provider stand on, beside the power and compute above; how they are made is told by [an example](founding-example.md). None is
about a site: their scope is `hosted:any`, or a provider's. Your own go before them.

{hosted_tables()}
## Yearly grid intensity by zone

Read from codecarbon's data files, whose code is never run. Licence: {LICENCE}.

{zones}"""


PAGES: dict[str, Callable[[], str]] = {
    "cli.md": cli_page,
    "config.md": config_page,
    "factors.md": factors_page,
    "metrics.md": metrics_page,
    "prices.md": prices_page,
}


def texts() -> dict[Path, str]:
    """Path and text of every generated page."""
    return {HERE / name: MADE + "\n" + page().rstrip() + "\n" for name, page in PAGES.items()}


def main(arguments: Sequence[str]) -> int:
    """Write the pages, or compare them; 1 where one differs."""
    stale = [
        (path, text)
        for path, text in texts().items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]
    for path, text in stale:
        if "--check" in arguments:
            print(f"docs/{path.name} is not what the code says: run `make docs`", file=sys.stderr)
        else:
            path.write_text(text, encoding="utf-8")
            print(f"wrote docs/{path.name}")
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
