"""What all dashboards are made of: series in scope, panels, variables, annotations, links.

Every selector gets the matchers of the dashboard's variables by :func:`scoped`, so that a board
says only what is its own.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    prometheus,
    stat,
    table,
    timeseries,
)
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import (
    BarGaugeDisplayMode,
    BarGaugeNamePlacement,
    BarGaugeSizing,
    BigValueColorMode,
    BigValueGraphMode,
    BigValueTextMode,
    GraphThresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
    VizOrientation,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    DataSourceRef,
    DataTransformerConfig,
    DynamicConfigValue,
    Threshold,
    ThresholdsMode,
    VariableRefresh,
    VariableSort,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

if TYPE_CHECKING:
    from collections.abc import Sequence

SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
SCOPE = 'job=~"$job", instance=~"$instance"'
CURRENCIES = ("USD", "EUR", "GBP", "JPY", "CHF", "SEK", "NOK", "DKK", "PLN", "CZK", "INR", "BRL")
"""Those for which Grafana has a unit; of others the legend alone tells the currency."""

GREEN, YELLOW, RED, BLUE, PURPLE = "green", "yellow", "red", "blue", "purple"
Limits = tuple[tuple[float, str], ...]
PLAIN: Limits = ()
BUDGET: Limits = ((0.8, YELLOW), (1, RED))
FAULT: Limits = ((1e-9, RED),)
"""Anything above zero is a fault."""

_SERIES = re.compile(
    r"(?<![\w:])((?:[a-z_]+:)?meter_[\w:]+|up|scrape_\w+|ALERTS(?:_FOR_STATE)?)\b(?![\w:(])(\{[^}]*\})?"
)
_WORDS = re.compile(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)")


def scoped(expression: str) -> str:
    """An expression whose selectors take the dashboard's job and instance only."""

    def matched(found: re.Match[str]) -> str:
        name, braces = found[1], found[2] or "{}"
        own = braces[1:-1].strip()
        return f"{name}{{{SCOPE}{', ' + own if own else ''}}}"

    kept: list[str] = []

    def hidden(found: re.Match[str]) -> str:
        kept.append(found[0])
        return f"\0{len(kept) - 1}\0"

    text = _SERIES.sub(matched, _WORDS.sub(hidden, " ".join(expression.split())))
    return re.sub(r"\0(\d+)\0", lambda found: kept[int(found[1])], text)


@dataclass(frozen=True, slots=True)
class Ask:
    """A question to Prometheus and how its answers are called; exemplars lead to runs."""

    expression: str
    legend: str = "__auto"
    exemplars: bool = False


@dataclass(frozen=True, slots=True)
class Look:
    """How a panel shows its figures: width of 24, height, limits, and what is usual."""

    w: int = 12
    h: int = 9
    limits: Limits = PLAIN
    decimals: int | None = None
    low: float | None = 0
    high: float | None = None
    stacked: bool = False
    none: str | None = None
    """Text in place of nothing, only where nothing is good news."""
    first: str = GREEN
    """The colour below all limits."""
    calculated: tuple[str, ...] = ("lastNotNull", "max")
    """What the legend tells of each line."""


def _thresholds(look: Look) -> dashboard.ThresholdsConfig:
    steps = [Threshold(value=None, color=look.first)]
    steps += [Threshold(value, color) for value, color in look.limits]
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)


def _target(ask: Ask, place: int, *, instant: bool, as_table: bool = False) -> Any:
    query = prometheus.Dataquery().datasource(SOURCE).expr(scoped(ask.expression))
    query = query.legend_format(ask.legend).ref_id(chr(ord("A") + place))
    if ask.exemplars:
        query = query.exemplar(True)
    if as_table:
        query = query.format(PromQueryFormat.TABLE)
    return query.instant() if instant else query.range()


def _dressed(panel: Any, title: str, text: str, unit: str, look: Look) -> Any:
    panel = panel.title(title).description(text).datasource(SOURCE)
    panel = panel.unit("none" if unit == MONEY else unit)
    panel = panel.span(look.w).height(look.h).thresholds(_thresholds(look))
    if look.decimals is not None:
        panel = panel.decimals(look.decimals)
    if look.low is not None:
        panel = panel.min(look.low)
    if look.high is not None:
        panel = panel.max(look.high)
    if look.none is not None:
        panel = panel.no_value(look.none)
    if unit == MONEY:
        for currency in CURRENCIES:
            panel = panel.override_by_regexp(
                rf"/\b{currency}$/", [DynamicConfigValue("unit", f"currency{currency}")]
            )
    return panel


MONEY = "money"
"""The unit of money: each series is called by its currency, which gives it the sign."""


def lines(title: str, text: str, unit: str, *asks: Ask, look: Look = Look()) -> Any:
    """Figures over time."""
    panel = _dressed(timeseries.Panel(), title, text, unit, look)
    panel = panel.line_width(2).fill_opacity(25 if look.stacked else 8)
    legend = common.VizLegendOptions().display_mode(LegendDisplayMode.TABLE)
    legend = legend.placement(LegendPlacement.BOTTOM).show_legend(True)
    panel = panel.legend(legend.calcs(list(look.calculated)))
    tip = common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING)
    panel = panel.tooltip(tip)
    if look.stacked:
        panel = panel.stacking(common.StackingConfig().mode(StackingMode.NORMAL).group("A"))
    if look.limits:
        style = common.GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.DASHED)
        panel = panel.thresholds_style(style)
    for place, ask in enumerate(asks):
        panel = panel.with_target(_target(ask, place, instant=False))
    return panel


def figures(title: str, text: str, unit: str, *asks: Ask, look: Look = Look(w=4, h=4)) -> Any:
    """Large numbers: what holds now, or over the whole range."""
    panel = _dressed(stat.Panel(), title, text, unit, look)
    panel = panel.reduce_options(_last()).graph_mode(BigValueGraphMode.NONE)
    panel = panel.color_mode(BigValueColorMode.VALUE).text_mode(BigValueTextMode.AUTO)
    panel = panel.orientation(VizOrientation.AUTO)
    for place, ask in enumerate(asks):
        panel = panel.with_target(_target(ask, place, instant=True))
    return panel


def bars(title: str, text: str, unit: str, *asks: Ask, look: Look = Look()) -> Any:
    """Figures side by side, the longest first as the query orders them."""
    panel = _dressed(bargauge.Panel(), title, text, unit, look)
    panel = panel.reduce_options(_last()).orientation(VizOrientation.HORIZONTAL)
    panel = panel.display_mode(BarGaugeDisplayMode.BASIC).sizing(BarGaugeSizing.MANUAL)
    panel = panel.min_viz_height(38).max_viz_height(46).name_placement(BarGaugeNamePlacement.TOP)
    panel = panel.text(common.VizTextDisplayOptions().title_size(14).value_size(18))
    for place, ask in enumerate(asks):
        panel = panel.with_target(_target(ask, place, instant=True))
    return panel


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a listing: its question, its head, its unit."""

    expression: str
    head: str
    unit: str = "none"
    limits: Limits = PLAIN
    decimals: int | None = None


@dataclass(frozen=True, slots=True)
class Hop:
    """A link from a row."""

    title: str
    url: str


WIDTHS = {
    "alert": 270, "currency": 90, "device": 365, "driver": 100, "GPU": 60, "method": 100,
    "model": 205, "PCI bus": 150, "power": 90, "run": 275, "severity": 90, "simulated": 95,
    "state": 90, "unknown for": 110, "UUID": 365,
}  # fmt: skip
"""Of columns, by their heads, in px: what is in them is not cut; the others share the rest."""
UNSEEN = ("job", "scheme", "at")
"""Columns that links take their parts from."""

WHOSE = 2
"""So many labels stand before a table's figures, unless it says otherwise."""


def listing(
    title: str,
    text: str,
    labels: Sequence[tuple[str, str]],
    columns: Sequence[Column],
    hops: Sequence[tuple[str, Hop]] = (),
    look: Look = Look(w=24, h=9),
    whose: int = WHOSE,
) -> Any:
    """A table of labels as they are to be headed, with a column for each question.

    The columns come after the first labels, which say ``whose`` they are: the right end of a table
    is seen by scrolling only.
    """
    panel = _dressed(table.Panel(), title, text, "none", look).filterable(True)
    for place, column in enumerate(columns):
        ask = Ask(column.expression)
        panel = panel.with_target(_target(ask, place, instant=True, as_table=True))
    panel = panel.with_transformation(DataTransformerConfig(id_val="merge", options={}))
    heads = dict(labels)
    many = len(columns) > 1
    panel = panel.sort_by([common.TableSortByFieldState().display_name(columns[0].head).desc(True)])
    values = {(f"Value #{chr(ord('A') + n)}" if many else "Value"): c.head
              for n, c in enumerate(columns)}  # fmt: skip
    names = [label for label, _ in labels]
    order = names[:whose] + list(values) + names[whose:]
    panel = panel.with_transformation(
        DataTransformerConfig(
            id_val="organize",
            options={
                "excludeByName": dict.fromkeys(("Time", "__name__"), True),
                "includeByName": dict.fromkeys(order, True),
                "indexByName": {name: place for place, name in enumerate(order)},
                "renameByName": {k: v for k, v in {**heads, **values}.items() if k != v},
            },
        )
    )
    for column in columns:
        panel = panel.override_by_name(column.head, _cells(column))
    shown = [*(head for _, head in labels), *(column.head for column in columns)]
    for head in [head for head in shown if head in WIDTHS]:
        width = DynamicConfigValue("custom.width", WIDTHS[head])
        panel = panel.override_by_name(head, [width])
    for head in [head for _, head in labels if head in UNSEEN and hops]:
        hidden = [DynamicConfigValue(f"custom.{name}", True) for name in ("hidden", "hideFrom.viz")]
        panel = panel.override_by_name(head, hidden)
    for head, hop in hops:
        link = {"title": hop.title, "url": hop.url, "targetBlank": False}
        panel = panel.override_by_name(head, [DynamicConfigValue("links", [link])])
    return panel


def _cells(column: Column) -> list[DynamicConfigValue]:
    found = [DynamicConfigValue("unit", column.unit)]
    if column.decimals is not None:
        found.append(DynamicConfigValue("decimals", column.decimals))
    if column.limits:
        steps: list[dict[str, object]] = [{"value": None, "color": "text"}]
        steps += [{"value": value, "color": color} for value, color in column.limits]
        found.append(DynamicConfigValue("thresholds", {"mode": "absolute", "steps": steps}))
        found.append(DynamicConfigValue("custom.cellOptions", {"type": "color-text"}))
    return found


def _last() -> common.ReduceDataOptions:
    return common.ReduceDataOptions().calcs(["lastNotNull"]).values(False)


RUN_HOP = Hop(
    "The run's dashboard",
    "/d/meter-run?var-datasource=${datasource}&var-job=${__data.fields.job}"
    "&var-instance=${__data.fields.instance}&var-run=${__data.fields.run}&${__url_time_range}",
)
REPORT_HOP = Hop(
    "The run's report at its agent",
    # Grafana encodes what it fills in, and an IPv6 address without its brackets is none.
    "${__data.fields.scheme}://${__data.fields.at:raw}/v1/runs/${__data.fields.run}/report",
)


@dataclass(frozen=True, slots=True)
class Note:
    """Instants that are drawn into every panel of a board."""

    name: str
    expression: str
    title: str
    text: str
    color: str = BLUE
    by_value: bool = False
    """Whether the value is the instant, in ms; else each stretch above zero is one."""
    step: str = "15s"

    def plain(self) -> dict[str, Any]:
        """As Grafana keeps it for Prometheus, which the builder does not know."""
        return {
            "datasource": {"type": "prometheus", "uid": "${datasource}"},
            "enable": True,
            "expr": scoped(self.expression),
            "iconColor": self.color,
            "name": self.name,
            "step": self.step,
            "tagKeys": "project",
            "textFormat": self.text,
            "titleFormat": self.title,
            "useValueForTime": self.by_value,
        }


@dataclass(frozen=True, slots=True)
class Variable:
    """A choice of label values; of several at once, at first all."""

    name: str
    series: str
    any_is_all: bool = True  # else all are the choices there are, which another variable narrows

    def built(self) -> dashboard.QueryVariable:
        """The variable, asked anew whenever the time range changes."""
        query: dict[str, object] = {
            "query": f"label_values({self.series}, {self.name})",
            "refId": self.name,
        }
        made = dashboard.QueryVariable(self.name).label(self.name.title()).datasource(SOURCE)
        made = made.query(query).multi(True).include_all(True)
        if self.any_is_all:
            made = made.all_value(".+")
        return made.refresh(VariableRefresh.ON_TIME_RANGE_CHANGED).sort(
            VariableSort.ALPHABETICAL_ASC
        )


TELLERS = '__name__=~"meter_build_info|meter_run_info|meter_energy_joules_total"'
"""Agents, history, and runs told by a textfile or a gateway: each has one of these."""
JOB = Variable("job", f"{{{TELLERS}}}")
INSTANCE = Variable("instance", f'{{{TELLERS}, job=~"$job"}}')
PROJECT = Variable("project", f'{{__name__=~"meter_(energy_joules|cost|tokens)_total", {SCOPE}}}')
RUN = Variable("run", f'meter_run_info{{{SCOPE}, project=~"$project"}}', any_is_all=False)


@dataclass(frozen=True, slots=True)
class Row:
    """A headed group of panels."""

    title: str
    panels: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Board:
    """A dashboard: what it is about and what is on it."""

    uid: str
    title: str
    text: str
    rows: tuple[Row, ...]
    variables: tuple[Variable, ...] = (JOB, INSTANCE)
    notes: tuple[Note, ...] = ()
    since: str = "now-6h"
    tags: tuple[str, ...] = field(default=("meter",))

    def json(self) -> str:
        """The file: bytes that depend on nothing but this."""
        made = dashboard.Dashboard(self.title).uid(self.uid).description(self.text)
        made = made.tags(list(self.tags)).readonly().refresh("30s").time(self.since, "now")
        made = made.timezone("browser").tooltip(DashboardCursorSync.CROSSHAIR)
        made = made.link(
            dashboard.DashboardLink("meter").type(DashboardLinkType.DASHBOARDS)
            .tags(["meter"]).as_dropdown(True).include_vars(True).keep_time(True)
        )  # fmt: skip
        made = made.with_variable(
            dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus")
        )
        for variable in self.variables:
            made = made.with_variable(variable.built())
        for row in self.rows:
            made = made.with_row(dashboard.Row(row.title))
            for panel in row.panels:
                made = made.with_panel(panel)
        plain = json.loads(JSONEncoder(sort_keys=True).encode(made.build()))
        for number, panel in enumerate(plain["panels"], start=1):
            panel["id"] = number
        plain["annotations"] = {"list": [note.plain() for note in self.notes]}
        return json.dumps(plain, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
