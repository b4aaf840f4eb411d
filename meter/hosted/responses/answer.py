"""What a raw response tells once its provider's own form is taken off; pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meter.hosted.tokens import Tokens

PROVIDER_GUESSED = "provider_guessed"
"""Flag: nobody told the provider, and models of that name are served by others too."""
UNKNOWN_FIELDS = "unknown_fields"
"""Flag: numbers in the usage that no meter is known for; ``told`` has them."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answered request; None is what the response does not tell.

    ``tokens`` None is an answer without usage, such as a part of a stream; ``at`` is the time as
    told, in whatever form. ``told`` is by name, text or numbers only.
    """

    provider: str | None
    tokens: Tokens | None
    id: str | None = None
    at: object = None
    model: str | None = None
    service_tier: str | None = None
    region: str | None = None
    certain: bool = False  # the provider is told, not concluded from form and names
    guessed: bool = False  # the provider is concluded from a name that others use too
    told: Mapping[str, object] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
