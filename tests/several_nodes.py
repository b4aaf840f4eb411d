"""Documents of one run, one of each node, made by hand."""

from __future__ import annotations

import copy
from decimal import Decimal
from typing import Any

from tests.exporters.documents import document, quantity

MJ = Decimal(1000)


def of_node(node: str, *, size: int = 1_000, **changes: Any) -> dict[str, Any]:
    """A node's document of the run: one GPU, a CPU; ``size`` is the GPU's energy in mJ."""
    gpu, cpu = joules(size, "measured"), joules(size // 3 + 1, "modelled")
    whole = joules(size + size // 3 + 1, "modelled")
    made = document()
    made["run"] |= {"nodes": [node], "name": "sft", "tags": {"base": "mistral-7b"}}
    made["energy"] = {
        "it": whole,
        "facility": joules(2 * size, "sourced"),
        "by_component": {
            "gpu": gpu, "cpu": cpu,
            "ram": joules(0, "assumed"), "hosted": joules(0, "assumed"),
        },
        "devices": [_device(f"GPU-{node}", "gpu", gpu), _device("cpu-0", "cpu", cpu)],
        "measured_share": 0.75,
        "unattributed_share": 0.0,
    }  # fmt: skip
    made["cost"] = [_cost("electricity", "EUR", size), _cost("gpu_time", "USD", 3 * size)]
    made["carbon"] = {
        **dict.fromkeys(("market", "overhead", "tnd", "embodied", "embodied_board")),
        "embodied_server": None, "market_default": None,
        "location": grams(size),
    }  # fmt: skip
    made["per"] = {}
    made["factors"] = [
        {**one, "id": own_id(one["id"], node)} for one in (made["factors"][0], made["factors"][-1])
    ]
    made["equivalents"] = [
        {**one, "factor": own_id(one["factor"], node)} for one in made["equivalents"]
    ]
    made["notices"] = [
        {**one, "device": "cpu-0", "text": f"{node} has a word"} for one in made["notices"][:1]
    ]
    return {**made, **copy.deepcopy(changes)}


def own_id(factor: str, node: str) -> str:
    """The id of a factor in a node's own ledger, which learned it at an instant of its own."""
    return f"{factor}:{node}"


def joules(mj: int, method: str) -> dict[str, Any]:
    """Energy with bounds, exact to the mJ."""
    value, low, high = (float(Decimal(part) / MJ) for part in (mj, mj - mj // 7, mj + mj // 9))
    return quantity(value, low, high, "J", method)


def grams(ug: int) -> dict[str, Any]:
    """Carbon with bounds."""
    value, low, high = (float(Decimal(n * ug) / 1_000_000) for n in (3, 2, 5))
    return quantity(value, low, high, "g", "sourced")


def _device(identity: str, component: str, energy: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": identity, "component": component, "name": component, "energy": energy,
        "coverage": 1.0, "method": energy["method"], "simulated": False,
    }  # fmt: skip


def _cost(kind: str, currency: str, size: int) -> dict[str, Any]:
    value, low, high = (f"{Decimal(n * size) / 10**9:.9f}" for n in (7, 5, 11))
    amount = quantity(value, low, high, currency, "sourced")
    return {"kind": kind, "currency": currency, "amount": amount}
