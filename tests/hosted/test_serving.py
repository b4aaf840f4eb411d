"""Which deployment a model's name may have been asked of."""

from __future__ import annotations

import pytest

from meter.hosted.serving import Deployed, serves

D = "accounts/acme/deployments/abc"
M = "accounts/fireworks/models/llama-v3p1-8b-instruct"
AZURE = "/subscriptions/s/providers/Microsoft.CognitiveServices/accounts/a/deployments/chat"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("gpt-4o", True), ("chat", True), ("GPT-4o", True),
        ("gpt-4o-2024-08-06", None), ("gpt-4o-2024-11-20", None),
        ("gpt-4o-mini", False), ("gpt-4o-mini-2024-07-18", False), ("gpt-4", False),
        ("gpt-4o-2024-08-06.ft-0123", False),
    ],
)  # fmt: skip
def test_a_version_of_a_model_at_azure_is_open(asked: str, said: bool | None) -> None:
    assert serves(Deployed("azure", "gpt-4o", AZURE), asked) is said


@pytest.mark.parametrize(
    ("model", "asked", "said"),
    [
        ("gpt-4", "gpt-4-turbo-2024-04-09", None), ("gpt-4", "gpt-4-1106-preview", None),
        ("gpt-35-turbo", "gpt-3.5-turbo-0125", None), ("gpt-35-turbo", "gpt-3.5-turbo", True),
        ("gpt-4o-2024-08-06", "gpt-4o", None), ("gpt-4o-2024-08-06", "gpt-4o-2024-11-20", False),
        ("gpt-4o-mini-2024-07-18.ft-1", "gpt-4o-mini-2024-07-18", False),
    ],
)  # fmt: skip
def test_azure_s_words_for_versions(model: str, asked: str, said: bool | None) -> None:
    assert serves(Deployed("azure", model), asked) is said


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (M, True), (D, True), (f"{M}#{D}", True), (f"{M}#acme/abc", True),
        (f"accounts/acme/models/lora#{D}", True),
        (f"{M}#accounts/acme/deployments/other", False), ("accounts/acme/deployments/no", False),
        (f"{M}#accounts/others/deployments/abc", False),
        ("accounts/acme/models/lora", None), ("accounts/acme/models/hosted", False),
        ("accounts/others/models/lora", False), ("accounts/fireworks/models/other", False),
        ("llama-v3p1-8b-instruct", None), ("other", False),
    ],
)  # fmt: skip
def test_a_request_at_fireworks_names_its_deployment_or_not(asked: str, said: bool | None) -> None:
    one = Deployed("fireworks", M, D)
    assert serves(one, asked, {M, "accounts/acme/models/hosted"}) is said


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (f"{M}#{D}", None), (f"accounts/acme/models/lora#{D}", None), (D, None),
        (f"accounts/acme/models/hosted#{D}", False), ("accounts/acme/models/lora", None),
        ("accounts/fireworks/models/other", False),
    ],
)  # fmt: skip
def test_hours_without_a_deployment_leave_it_open(asked: str, said: bool | None) -> None:
    one = Deployed("fireworks", M)
    assert serves(one, asked, {M, "accounts/acme/models/hosted"}) is said


def test_elsewhere_the_name_alone_counts() -> None:
    assert serves(Deployed("together", "m"), "m") is True
    assert serves(Deployed("together", "gpt-4o"), "gpt-4o-2024-08-06") is False
