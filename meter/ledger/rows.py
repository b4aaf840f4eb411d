"""Values of the model as rows of the ledger, and back; pure."""

from __future__ import annotations

import json
from dataclasses import asdict
from decimal import ROUND_CEILING, Context, Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from meter.errors import LedgerError
from meter.ledger.instants import hour_of, micros, timestamp
from meter.model import (
    Budget,
    Counter,
    Device,
    DeviceUse,
    Factor,
    FactorKind,
    Hold,
    Kind,
    Mark,
    Method,
    Node,
    Notice,
    Price,
    RawReading,
    Run,
    RunLink,
    RunState,
    Site,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from meter.model import LedgerBatch

EVERY = -1
"""The commit before all others: what came since it is everything."""
Row = tuple[object, ...]
Params = dict[str, Any]

DEFAULT_SITE = "default"

_COUNTER_STEP = Decimal("1E-24")  # scale of the counter's column
_WIDE = Context(prec=60)
_RUN_LABEL = "run"


def node(value: Node, seq: int, recorded: datetime) -> Params:
    """Parameters of ``write/node``."""
    return {**asdict(value), "recorded_at": recorded, "seq": seq}


def site(value: Site, seq: int, recorded: datetime) -> Params:
    """Parameters of ``write/site``."""
    return {**asdict(value), "recorded_at": recorded, "seq": seq}


def device(value: Device, seq: int, recorded: datetime) -> Params:
    """Parameters of ``write/device``."""
    return {
        "id": value.id,
        "component": value.component.value,
        "name": value.name,
        "method": value.method.value,
        "nvml_index": value.index,
        "pci_bus_id": value.pci_bus_id,
        "power_limit_mw": value.power_limit_mw,
        "instances": json.dumps([asdict(one) for one in value.instances], sort_keys=True),
        "simulated": value.simulated,
        "recorded_at": recorded,
        "seq": seq,
    }


def run(value: Run, seq: int, recorded: datetime) -> Params:
    """Parameters of ``write/run``."""
    return {
        "id": value.id,
        "name": value.name,
        "project": value.project,
        "started_at": timestamp(value.started_us),
        "started_boot_ns": value.started_ns,
        "node_id": value.node_id,
        "site_id": value.site_id,
        "tags": labels_json(value.tags),
        "origin": value.origin,
        "command": value.command,
        "simulated": value.simulated,
        "recorded_at": recorded,
        "seq": seq,
    }


def factor(value: Factor, seq: int) -> Row:
    """Row of ``factor``; a factor keeps its own instant of knowledge."""
    return (
        value.id,
        value.kind.value,
        value.scope,
        value.value,
        value.low,
        value.high,
        value.unit,
        value.currency,
        value.source,
        value.source_date,
        value.licence,
        value.method.value,
        value.rank,
        _timestamp(value.valid_from_us),
        _timestamp(value.valid_to_us),
        value.windows,
        value.detail,
        timestamp(value.recorded_us),
        value.book,
        value.item,
        value.share,
        value.basis,
        seq,
    )


def factor_of(row: Mapping[str, Any]) -> Factor:
    """The factor in a row of ``recovery/factors``."""
    return Factor(
        id=row["id"],
        kind=FactorKind(row["kind"]),
        scope=row["scope"],
        value=row["amount"],
        low=row["low"],
        high=row["high"],
        unit=row["unit"],
        source=row["source"],
        method=Method(row["method"]),
        recorded_us=micros(row["recorded_at"]),
        rank=row["evidence_rank"],
        currency=row["currency"],
        valid_from_us=_micros(row["valid_from"]),
        valid_to_us=_micros(row["valid_to"]),
        source_date=row["source_date"],
        licence=row["licence"],
        windows=row["windows"],
        detail=row["detail"],
        book=row["book"],
        item=row["item"],
        share=row["share"],
        basis=row["basis"],
    )


def price(value: Price, seq: int) -> Row:
    """Row of ``price``; a price keeps its own instant of knowledge."""
    return (
        value.id,
        value.provider,
        value.model,
        value.meter,
        value.region,
        value.service_tier,
        value.per,
        value.currency,
        value.value,
        value.low,
        value.high,
        value.source,
        value.source_date,
        value.licence,
        value.book,
        value.rank,
        _timestamp(value.valid_from_us),
        _timestamp(value.valid_to_us),
        value.detail,
        seq,
        timestamp(value.recorded_us),
        value.training,
        value.adapter,
        value.parameters_over_b,
        value.parameters_to_b,
        value.context_over,
        value.context_to,
    )


def price_of(row: Mapping[str, Any]) -> Price:
    """The price in a row of ``recovery/prices``."""
    return Price(
        id=row["id"],
        provider=row["provider"],
        model=row["model"],
        meter=row["meter"],
        per=row["per"],
        currency=row["currency"],
        value=row["amount"],
        low=row["low"],
        high=row["high"],
        source=row["source"],
        recorded_us=micros(row["recorded_at"]),
        rank=row["evidence_rank"],
        region=row["region"],
        service_tier=row["service_tier"],
        valid_from_us=_micros(row["valid_from"]),
        valid_to_us=_micros(row["valid_to"]),
        source_date=row["source_date"],
        licence=row["licence"],
        book=row["book"],
        detail=row["detail"],
        training=row["training"],
        adapter=row["adapter"],
        parameters_over_b=row["parameters_over_b"],
        parameters_to_b=row["parameters_to_b"],
        context_over=row["context_over"],
        context_to=row["context_to"],
    )


def budget(value: Budget, seq: int, recorded: datetime) -> Row:
    """Row of ``run_budget``."""
    return (value.run_id, value.amount, value.unit, value.stop, seq, recorded)


def link(value: RunLink, seq: int, recorded: datetime) -> Row:
    """Row of ``run_link``."""
    return (value.run_id, value.source, value.foreign_id, seq, recorded)


def state(value: RunState, seq: int, recorded: datetime) -> Row:
    """Row of ``run_state``."""
    at = timestamp(value.at_us)
    return (value.run_id, value.status.value, at, value.exit_code, seq, recorded)


def hold(value: Hold, seq: int, recorded: datetime) -> Row:
    """Row of ``hold``."""
    share = value.share
    return (
        value.run_id,
        value.device_id,
        value.start_ns,
        value.end_ns,
        share.numerator,
        share.denominator,
        seq,
        recorded,
    )


def mark(value: Mark, seq: int, recorded: datetime) -> Row:
    """Row of ``mark``."""
    return (
        value.run_id,
        timestamp(value.at_us),
        value.energy_mj,
        value.step,
        value.epoch,
        value.phase,
        value.tokens,
        recorded,
        value.fraction,
        seq,
        value.low_mj,
        value.high_mj,
        value.below_mj,
        value.above_mj,
        value.source,
        value.number,
    )


def reading(value: RawReading, seq: int, recorded: datetime) -> Row:
    """Row of ``reading``."""
    del recorded
    return (
        value.device_id,
        timestamp(value.at_us),
        value.at_ns,
        value.curve_mj,
        value.settled_ns,
        value.counter_mj,
        value.power_mw,
        value.utilization_ratio,
        value.memory_used_bytes,
        value.temperature_celsius,
        seq,
    )


def reading_of(row: Mapping[str, Any]) -> RawReading:
    """The reading in a row that has the columns of ``reading``."""
    return RawReading(
        device_id=row["device_id"],
        at_us=micros(row["read_at"]),
        at_ns=row["boot_ns"],
        curve_mj=row["curve_mj"],
        settled_ns=row["settled_boot_ns"],
        counter_mj=row["counter_mj"],
        power_mw=row["power_mw"],
        utilization_ratio=row["utilization_ratio"],
        memory_used_bytes=row["memory_used_bytes"],
        temperature_celsius=row["temperature_celsius"],
    )


def use(value: DeviceUse, seq: int) -> Row:
    """Row of ``device_use``."""
    return (
        value.device_id,
        timestamp(value.at_us),
        value.from_ns,
        value.at_ns,
        json.dumps(dict(value.runs), ensure_ascii=False),
        value.others,
        value.idle_mw,
        value.idle_seen,
        seq,
    )


def use_of(row: Mapping[str, Any]) -> DeviceUse:
    """The look in a row of ``recovery/recent_uses``."""
    return DeviceUse(
        device_id=row["device_id"],
        at_us=micros(row["read_at"]),
        from_ns=row["from_boot_ns"],
        at_ns=row["boot_ns"],
        runs=tuple(json.loads(row["runs"]).items()),
        others=row["others"],
        idle_mw=row["idle_mw"],
        idle_seen=row["idle_seen"],
    )


def intervals(batch: LedgerBatch, seq: int, recorded: datetime) -> Iterator[Row]:
    """Rows of ``interval``; only a run's own device time, shares applied, is held time."""
    site_id = batch.site_id or DEFAULT_SITE
    for value in batch.intervals:
        duration = 0 if value.correction else value.end_us - value.start_us
        held = 0
        if value.kind is Kind.RUN and not value.correction:
            held = duration if value.held_us is None else value.held_us
        yield (
            value.device_id,
            value.kind.value,
            value.run_id,
            site_id,
            timestamp(value.start_us),
            timestamp(value.end_us),
            timestamp(hour_of(value.start_us)),
            value.energy_mj,
            value.low_mj,
            value.high_mj,
            value.measured_mj,
            duration,
            value.covered_us,
            held,
            value.method.value,
            value.correction,
            seq,
            recorded,
        )


def notice(value: Notice, seq: int, recorded: datetime) -> Row:
    """Row of ``notice``."""
    return (
        value.code,
        value.text,
        value.severity.value,
        value.run_id,
        value.device_id,
        _timestamp(value.at_us),
        recorded,
        seq,
    )


def counter(value: Counter, seq: int) -> Row:
    """Row of ``counter``; rounded up, so that a restored counter is never behind."""
    kept = value.value.quantize(_COUNTER_STEP, rounding=ROUND_CEILING, context=_WIDE)
    run_id = dict(value.labels).get(_RUN_LABEL)
    return (value.name, labels_json(value.labels), run_id, kept, seq)


def counter_of(row: Mapping[str, Any]) -> Counter:
    """The counter in a row of ``recovery/counters``."""
    labels = json.loads(row["labels"])
    kept: Decimal = row["amount"]
    return Counter(row["name"], tuple(labels.items()), kept.normalize(_WIDE))


@lru_cache(maxsize=4_096)  # the same few every second
def labels_json(labels: tuple[tuple[str, str], ...]) -> str:
    """JSON object of label pairs, in their order; raises LedgerError on a repeated key."""
    if len(dict(labels)) != len(labels):
        raise LedgerError("a label is given twice", "name each label once")
    return json.dumps(dict(labels), ensure_ascii=False)


def _timestamp(us: int | None) -> datetime | None:
    return None if us is None else timestamp(us)


def _micros(at: datetime | None) -> int | None:
    return None if at is None else micros(at)
