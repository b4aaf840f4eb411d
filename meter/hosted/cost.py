"""What a quantity costs at a price, and which prices are for it; pure, exact.

The ledger prices by SQL; this is the same said once more, for figures outside of it.
"""

from __future__ import annotations

from decimal import Decimal, localcontext
from typing import TYPE_CHECKING

from meter.errors import UsageError
from meter.hosted_facts import Meter

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meter.hosted_facts import Usage
    from meter.model import Price

ANY_MODEL = "*"
_DIGITS = 80
_TRAINED = frozenset({Meter.TRAIN_TOKEN, Meter.TRAIN_HOUR, Meter.GPU_SECOND})


def cost(quantity: Decimal, price: Price) -> Decimal:
    """Quantity times price, in the price's currency, not rounded.

    Raises UsageError for a price that was withdrawn.
    """
    if price.value is None:
        raise UsageError(f"the price {price.id} was withdrawn", "take the one that stands")
    with localcontext() as context:
        context.prec = _DIGITS
        return quantity * price.value / price.per


def matching(usage: Usage, meter: Meter, prices: Iterable[Price]) -> tuple[Price, ...]:
    """The prices that are for a meter of a usage, at its instant."""
    return tuple(price for price in prices if _is_for(price, usage, meter))


def _is_for(price: Price, usage: Usage, meter: Meter) -> bool:
    narrowed = (
        (price.region, usage.region),
        (price.service_tier, usage.service_tier),
        (price.training, usage.training),
        (price.adapter, usage.adapter),
    )
    return (
        (price.provider, price.meter) == (usage.provider, meter)
        and price.model in {ANY_MODEL, usage.model, _tuned_or_base(usage, meter)}
        and all(wanted is None or wanted == told for wanted, told in narrowed)
        and _inside(usage.parameters_b, price.parameters_over_b, price.parameters_to_b)
        and _inside(usage.context_tokens, price.context_over, price.context_to)
        and (price.valid_from_us is None or price.valid_from_us <= usage.at_us)
        and (price.valid_to_us is None or usage.at_us < price.valid_to_us)
    )


def _tuned_or_base(usage: Usage, meter: Meter) -> str:
    """Training is sold by the base's name, what was tuned from it as ``ft:`` and that name."""
    if usage.base_model is None:
        return usage.model
    return usage.base_model if meter in _TRAINED else f"ft:{usage.base_model}"


def _inside(
    told: Decimal | int | None, over: Decimal | int | None, to: Decimal | int | None
) -> bool:
    """Whether something lies in a bracket; what is not told lies in none but the open one."""
    if told is None:
        return over is None and to is None
    return (over is None or told > over) and (to is None or told <= to)
