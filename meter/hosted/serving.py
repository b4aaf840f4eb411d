"""Whether what was asked of a model was asked of a deployment, by the names of both; pure.

Sources: fireworks.ai docs, "Querying deployments" (``MODEL#DEPLOYMENT``, or the deployment's own
name); Azure OpenAI, models and versions: a deployment tells its model and its version apart,
answers tell both in one word (``gpt-4o-2024-08-06``).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Container

_VERSION = re.compile(r"-(turbo-)?\d{4}(-\d\d-\d\d)?(-preview)?")
_DEPLOYMENT = "/deployments/"
_KINDS = frozenset({"accounts", "deployments"})


class Deployed(NamedTuple):
    """A model that has hours of hosting; ``deployment`` None where nobody told which one."""

    provider: str
    model: str
    deployment: str | None = None


def serves(one: Deployed, asked: str, hosted: Container[str] = ()) -> bool | None:
    """Whether a deployment serves what is asked as a model; None where the names do not tell.

    ``hosted`` are the models of the provider that have hours of their own.
    """
    if asked in (one.model, one.deployment):
        return True
    if one.provider == "azure":
        return _of_azure(one, asked)
    if one.provider == "fireworks":
        return _of_fireworks(one, asked, hosted)
    return False


def _of_azure(one: Deployed, asked: str) -> bool | None:
    """Clients may tell the deployment's name; of a version nobody knows whether it is this one's.

    The list of deployments tells the version of today, and Azure moves them on by itself.
    """
    if one.deployment is not None and asked == one.deployment.rpartition(_DEPLOYMENT)[2]:
        return True
    model, other = _spelt(one.model), _spelt(asked)
    if model == other:
        return True
    return None if _is_version(model, other) or _is_version(other, model) else False


def _spelt(model: str) -> str:
    return model.lower().replace("gpt-35", "gpt-3.5")


def _is_version(model: str, other: str) -> bool:
    return other.startswith(model) and _VERSION.fullmatch(other, len(model)) is not None


def _of_fireworks(one: Deployed, asked: str, hosted: Container[str]) -> bool | None:
    """A request names its deployment, or leaves it to Fireworks.

    Then a model of the account may be a LoRA on any deployment that has no model of that name.
    """
    model, _, deployment = asked.partition("#")
    if not deployment and _DEPLOYMENT in asked:
        model, deployment = "", asked
    if deployment:
        if one.deployment is not None:
            return _parts(deployment) == _parts(one.deployment)
        return None if model in ("", one.model) or model not in hosted else False
    if asked == one.model.rpartition("/")[2]:
        return None  # the word for it in tables of use, served by whatever
    return None if _is_own(asked, one) and asked not in hosted else False


def _is_own(asked: str, one: Deployed) -> bool:
    """Whether a model is of the account that has the deployment, or may be."""
    if one.deployment is None:
        return asked.startswith("accounts/") and not asked.startswith("accounts/fireworks/")
    account = one.deployment.partition(_DEPLOYMENT)[0]
    return asked.startswith(f"{account}/")


def _parts(deployment: str) -> list[str]:
    """Account and name, of ``accounts/A/deployments/D`` or of ``A/D``."""
    return [part for part in deployment.split("/") if part not in _KINDS]
