"""A run on several nodes: the documents of its parts, one of each node, summed to one; pure.

What is summed stands in ``parts`` of the sum. All is computed from these, so that sums can be
summed again, and the order of documents changes nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from itertools import chain
from json import dumps
from math import fsum
from typing import TYPE_CHECKING, Any

from meter.document import SCHEMA, money_text
from meter.document_budget import budgets_of
from meter.errors import UsageError
from meter.figures import printable
from meter.instants import parse_us
from meter.model import Component, Method
from meter.several_nodes_facts import each_once, ids_of, renamed
from meter.several_nodes_told import (
    OWN_CODES,
    has_money,
    in_one_currency,
    lacking,
    notices_of,
    used_energy,
)
from meter.units import J_PER_KWH, US_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterable

Document = Mapping[str, Any]
Part = Mapping[str, Any]
Quantity = Mapping[str, Any]

_ENDS = ("value", "low", "high")
_LISTS = frozenset({
    "schema", "factors", "notices", "prices", "equivalents", "forecast", "statement",
})  # fmt: skip
"""What a part has not: it stands in the sum's own lists, or is of one node alone."""
_IF_ANY = frozenset({"usage", "inference"})
_ONLY_WHOLE = ("location", "market")
_IN_PART = ("overhead", "tnd", "embodied", "embodied_board", "embodied_server")


@dataclass(frozen=True, slots=True)
class Given:
    """A document, and what the person who gave it calls it."""

    name: str
    document: Document

    @property
    def nodes(self) -> list[str]:
        """The nodes that it is of."""
        found: list[str] = self.document["run"]["nodes"]
        return found


def summed(given: Sequence[Given]) -> Document:
    """One document of those of one run; a single one as it is.

    Raises UsageError for documents of different runs, and for what would be counted twice.
    """
    if len(given) == 1:
        return given[0].document
    _check_runs(given)
    _check_once(given, "node", lambda one: one.nodes)
    _check_once(given, "device", _device_ids)
    ids = ids_of([one.document for one in given])
    parts = [renamed(p, known) for one, known in zip(given, ids, strict=True) for p in _parts(one)]
    told = [Given(g.name, renamed(g.document, known)) for g, known in zip(given, ids, strict=True)]
    return _assembled(sorted(parts, key=_by_node), told)


def _check_runs(given: Sequence[Given]) -> None:
    for one in given:
        if "hosted" in one.document:
            raise UsageError(
                f"{one.name} is of a job at a provider, which is on no node",
                "leave it out, and name both runs to `meter report` to have them side by side",
            )
    first = given[0]
    for key, what in (("id", "the run"), ("project", "a run of the project")):
        for one in given[1:]:
            names = [printable(each.document["run"][key], 128) for each in (first, one)]
            if names[0] != names[1]:
                raise UsageError(
                    f"{first.name} is of {what} {names[0]}, {one.name} of {names[1]}",
                    "give documents of one run",
                )


def _check_once(
    given: Sequence[Given], what: str, ids_of: Callable[[Given], Iterable[str]]
) -> None:
    found: dict[str, str] = {}
    for one in given:
        for each in ids_of(one):
            if each in found:
                raise UsageError(
                    f"the {what} {printable(each)} stands in {found[each]} and in {one.name}, and"
                    " would be counted twice",
                    "give one document of each node; docs/many-nodes.md has the reasons",
                )
            found[each] = one.name


def _device_ids(one: Given) -> list[str]:
    return [device["id"] for device in _devices(one)]


def _parts(one: Given) -> list[Part]:
    """What a document says of each of its nodes."""
    if "parts" in one.document:
        found: list[Part] = one.document["parts"]
        return found
    kept = {
        name: value
        for name, value in one.document.items()
        if name not in _LISTS and (value or name not in _IF_ANY)
    }
    energy = {name: value for name, value in kept["energy"].items() if name != "devices"}
    devices = len(one.document["energy"]["devices"])
    return [{**kept, "energy": energy, "devices": devices, "sha256": _hash(one.document)}]


def _hash(document: Document) -> str:
    """SHA-256 of a document, as its report and its statement have it."""
    bare = {name: value for name, value in document.items() if name != "statement"}
    text = dumps(bare, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return sha256(text.encode("utf-8", "backslashreplace")).hexdigest()


def _by_node(part: Part) -> str:
    [node] = part["run"]["nodes"]
    return str(node)


def _assembled(parts: Sequence[Part], given: Sequence[Given]) -> dict[str, Any]:
    carbon = _carbon(parts)
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "run": _run([part["run"] for part in parts]),
        "energy": _energy(parts, given),
        "cost": _cost(parts),
        "carbon": carbon,
        "water": _stated(part["water"] for part in parts),
        "as_of": max((part["as_of"] for part in parts), key=parse_us),
        "usage": _listed(given, "usage"),
        "prices": _facts(given, "prices"),
        "coverage": _mean((_device_time(part), part["coverage"]) for part in parts),
        "per": {},
        "factors": _facts(given, "factors"),
        "notices": [*notices_of(parts), *_notices(given)],
        "simulated": any(part["simulated"] for part in parts),
        "parts": list(parts),
    }
    document["equivalents"] = _equivalents(document, given)
    if budgets := _budgets(document):
        document["budgets"] = budgets
    if inference := _listed(given, "inference"):
        document["inference"] = inference
    if money := _cost_in(parts):
        document["cost_in"] = money
    return document


def _run(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The run from its first start to its last end; named and tagged as where it began."""
    by_start = sorted(runs, key=lambda run: (parse_us(run["started_at"]), run["nodes"]))
    first = by_start[0]
    begun_us = parse_us(first["started_at"])
    until_us = max(parse_us(run["started_at"]) + run["duration_s"] * US_PER_S for run in runs)
    ends = [run["ended_at"] for run in runs]
    told = {
        **first,
        "tags": dict(chain.from_iterable(run["tags"].items() for run in reversed(by_start))),
        **_outcome(runs),
        "ended_at": None if None in ends else max(ends, key=parse_us),
        "duration_s": (until_us - begun_us) / US_PER_S,
        "nodes": sorted(node for run in runs for node in run["nodes"]),
    }
    told.pop("links", None)
    if links := _links(runs):
        told["links"] = links
    return told


def _outcome(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Status and exit code of the part that ended first of those that did not end well."""
    if any(run["status"] == "running" for run in runs):
        return {"status": "running", "exit_code": None}
    bad = [run for run in runs if run["status"] != "completed"]
    chosen = min(bad or runs, key=lambda run: (run["ended_at"] or "", run["nodes"]))
    return {"status": chosen["status"], "exit_code": chosen["exit_code"]}


def _links(runs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each id once, as it was first told."""
    all_of_them = [link for run in runs for link in run.get("links", ())]
    last_first = sorted(all_of_them, key=lambda link: parse_us(link["recorded_at"]), reverse=True)
    found = {(link["source"], link["id"]): link for link in last_first}
    return [found[key] for key in sorted(found)]


def _energy(parts: Sequence[Part], given: Sequence[Given]) -> dict[str, Any]:
    energies = [part["energy"] for part in parts]
    joules = [max(0.0, energy["it"]["value"]) for energy in energies]
    shares = {
        name: _mean(zip(joules, (energy[name] for energy in energies), strict=True))
        for name in ("measured_share", "unattributed_share")
    }
    return {
        "it": _sum([energy["it"] for energy in energies]),
        "facility": _whole(parts, lambda part: part["energy"]["facility"]),
        "by_component": {
            component.value: _sum([e["by_component"][component.value] for e in energies])
            for component in Component
        },
        "devices": sorted(
            chain.from_iterable(map(_devices, given)), key=lambda device: device["id"]
        ),
        **shares,
    }


def _devices(one: Given) -> list[dict[str, Any]]:
    """Devices by ids that are those of one machine alone: not each node's ``cpu-0``."""
    devices = one.document["energy"]["devices"]
    if "parts" in one.document:
        return list(devices)
    return [{**device, "id": _device_id(device, one)} for device in devices]


def _device_id(device: Mapping[str, Any], one: Given) -> str:
    """A real GPU has an id of its own in all the world."""
    own = device["component"] == Component.GPU and not device["simulated"]
    return device["id"] if own else f"{one.nodes[0]}/{device['id']}"


def _cost(parts: Sequence[Part]) -> list[dict[str, Any]]:
    """Money by kind and currency; currencies are never added."""
    found: defaultdict[tuple[str, str], list[Quantity]] = defaultdict(list)
    for cost in chain.from_iterable(part["cost"] for part in parts):
        found[cost["kind"], cost["currency"]].append(cost["amount"])
    return [
        {"kind": kind, "currency": currency, "amount": _sum(found[kind, currency])}
        for kind, currency in sorted(found)
    ]


def _cost_in(parts: Sequence[Part]) -> dict[str, Any] | None:
    """All money in the one currency that it was asked for in, if all nodes with money tell it."""
    told = [part["cost_in"] for part in parts if part.get("cost_in")]
    if lacking(parts, in_one_currency, has_money) or len({one["currency"] for one in told}) != 1:
        return None
    return {
        "currency": told[0]["currency"],
        "amount": _sum([money["amount"] for money in told]),
        "rates": sorted({rate for money in told for rate in money["rates"]}),
    }


def _carbon(parts: Sequence[Part]) -> dict[str, Any]:
    """Each basis apart; a market-based sum only where every node has one."""

    def of(name: str) -> Callable[[Part], Quantity | None]:
        return lambda part: part["carbon"].get(name)

    whole = {name: _whole(parts, of(name)) for name in _ONLY_WHOLE}
    in_part = {name: _stated(map(of(name), parts)) for name in _IN_PART}
    default = _stated(map(of("market_default"), parts)) if whole["market"] else None
    return {**whole, **in_part, "market_default": default}


def _whole(parts: Sequence[Part], of: Callable[[Part], Quantity | None]) -> Quantity | None:
    """The sum, unless a node that used energy lacks it: a part would look like all of it."""
    return None if lacking(parts, of, used_energy) else _stated(map(of, parts))


def _stated(quantities: Iterable[Quantity | None]) -> Quantity | None:
    found = [quantity for quantity in quantities if quantity is not None]
    return _sum(found) if found else None


def _sum(quantities: Sequence[Quantity]) -> dict[str, Any]:
    """Each end summed in decimals, rounded once; the method is the weakest."""
    first = quantities[0]
    number = money_text if isinstance(first["value"], str) else float
    ends = {end: sum(Decimal(str(one[end])) for one in quantities) for end in _ENDS}
    return {
        **{end: number(Decimal(total)) for end, total in ends.items()},
        "unit": first["unit"],
        "method": str(Method.weakest(Method(one["method"]) for one in quantities)),
    }


def _mean(weighed: Iterable[tuple[float, float]]) -> float:
    """The weighed mean of shares; 0 of nothing."""
    pairs = list(weighed)
    whole = fsum(weight for weight, _ in pairs)
    return min(1.0, fsum(weight * share for weight, share in pairs) / whole) if whole else 0.0


def _device_time(part: Part) -> float:
    return float(part["devices"] * part["run"]["duration_s"])


def _listed(given: Sequence[Given], name: str) -> list[Any]:
    rows = chain.from_iterable(one.document.get(name, ()) for one in given)
    return sorted(rows, key=lambda row: dumps(row, sort_keys=True))


def _facts(given: Sequence[Given], name: str) -> list[Any]:
    return list(each_once(row for one in given for row in one.document[name]))


def _equivalents(document: Document, given: Sequence[Given]) -> list[dict[str, Any]]:
    """The summed energy in the words of the nodes' documents."""
    rows = {row["id"]: row for row in document["factors"]}
    told = {(e["kind"], e["factor"]) for one in given for e in one.document.get("equivalents", ())}
    energy = document["energy"]["facility"] or document["energy"]["it"]
    kwh = energy["value"] / J_PER_KWH
    return [
        {"kind": kind, "value": kwh / float(rows[factor]["value"]), "factor": factor}
        for kind, factor in sorted(told)
        if factor in rows and float(rows[factor]["value"])
    ]


def _budgets(document: Document) -> list[dict[str, Any]]:
    """Each budget with what all nodes have used of it."""
    told = {
        (one["unit"], Decimal(one["amount"]), one["stop"])
        for part in document["parts"]
        for one in part.get("budgets", ())
    }
    rows = [{"unit": unit, "amount": amount, "stop": stop} for unit, amount, stop in sorted(told)]
    return budgets_of(document, rows)


def _notices(given: Sequence[Given]) -> list[dict[str, Any]]:
    """What each node's document tells, with the node named; the gravest first."""
    found = [notice for one in given for notice in _told(one)]
    return sorted(found, key=lambda one: (one["severity"] != "warning", dumps(one, sort_keys=True)))


def _told(one: Given) -> Iterable[dict[str, Any]]:
    notices = one.document["notices"]
    if "parts" in one.document:
        return [notice for notice in notices if notice["code"] not in OWN_CODES]
    renamed = {d["id"]: _device_id(d, one) for d in one.document["energy"]["devices"]}
    return [
        {
            **notice,
            "text": f"Node {one.nodes[0]}: {notice['text']}",
            "device": renamed.get(notice["device"], notice["device"]),
        }
        for notice in notices
    ]
