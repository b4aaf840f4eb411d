"""All providers of hosted fine-tuning jobs, by name."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from meter.errors import UsageError
from meter.hosted.jobs import (
    azure,
    azure_deployments,
    bedrock,
    fireworks,
    mistral,
    openai,
    together,
    vertex,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meter.hosted.jobs.provider import Provider


def providers() -> Mapping[str, Provider]:
    """Every provider by the name that the command line takes."""
    modules = (openai, azure, together, fireworks, vertex, mistral, bedrock)
    return MappingProxyType({module.PROVIDER.name: module.PROVIDER for module in modules})


def provider(name: str) -> Provider:
    """The provider of that name; raises UsageError naming all for another."""
    found = providers().get(name)
    if found is None:
        raise UsageError(
            f"{name[:40]!r} is no provider of fine-tuning jobs",
            f"name one of {', '.join(providers())}",
        )
    return found


def hosting_provider(name: str) -> Provider:
    """Who is asked for a provider's deployments alone; raises UsageError where nobody can be."""
    if name == azure.PROVIDER.name:
        return azure_deployments.PROVIDER
    asked = provider(name)
    lists = tuple(one for one in asked.lists if one.hosting is not None)
    if not lists:
        raise UsageError(
            f"deployments of {asked.title} are listed by no interface that is known here",
            "those of azure and fireworks are",
        )
    return replace(asked, name=f"{name}-hosting", lists=lists)
