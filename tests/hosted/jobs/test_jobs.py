"""Jobs as each provider tells them: laws, traps, bad input."""

from __future__ import annotations

import copy
import json
from decimal import Decimal
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.pagination import SyncCursorPage
from openai.types.fine_tuning import FineTuningJob, FineTuningJobEvent
from openai.types.fine_tuning.jobs import FineTuningJobCheckpoint

from hosted.jobs.recorded import DAY_US, SEEN_US, S, job, job_names, raw
from meter.errors import UsageError
from meter.hosted.evidence import nodes_of
from meter.hosted.jobs import azure, fireworks, openai_shape
from meter.hosted.jobs.billing import of_nanos, rft_hours
from meter.hosted.jobs.registry import provider, providers
from meter.hosted_facts import Adapter, Gpus, JobStatus, Meter, Money, Quantity, Training

NEEDED = {
    "openai": {"object", "id", "created_at", "model", "status"},
    "azure": {"object", "id", "created_at", "model", "status"},
    "together": {"id", "created_at", "model", "status"},
    "fireworks": {"name", "createTime", "baseModel", "trainingConfig", "state"},
    "vertex": {"name", "createTime", "baseModel", "state"},
    "mistral": {"object", "id", "created_at", "model", "status"},
    "bedrock": {"jobArn", "creationTime", "baseModelArn", "status"},
}
NAMES = job_names()
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)


def amount(found: Any, meter: Meter) -> Decimal | None:
    """The amount of a meter that a job has."""
    return {one.meter: one.amount for one in found.quantities}.get(meter)


def paths(value: Any, *before: Any) -> list[tuple[Any, ...]]:
    """The place of each field, also of those inside."""
    if isinstance(value, dict):
        pairs = list(value.items())
    else:
        pairs = list(enumerate(value)) if isinstance(value, list) else []
    found = [(*before, name) for name, _ in pairs]
    return found + [path for name, inner in pairs for path in paths(inner, *before, name)]


# --- laws


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
def test_any_optional_field_may_be_missing(name: str, data: st.DataObject) -> None:
    told, who = raw(name), name.split("_", maxsplit=1)[0]
    optional = sorted(set(told) - NEEDED[who])
    for field in data.draw(st.sets(st.sampled_from(optional))):
        if data.draw(st.booleans()):
            told[field] = None
        else:
            del told[field]
    found = providers()[who].job(told, SEEN_US)
    assert found.provider == who
    assert found.status is job(name).status
    assert found.created_us // S == DAY_US // S


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
def test_junk_in_any_field_is_read_or_refused_by_a_clear_error(
    name: str, data: st.DataObject
) -> None:
    told: Any = raw(name)
    path = data.draw(st.sampled_from(paths(told)))
    place = told
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = data.draw(JUNK)
    try:
        found = providers()[name.split("_", maxsplit=1)[0]].job(told, SEEN_US)
    except UsageError as error:
        assert error.remedy
        assert path[0] in error.message or error.message.endswith("is missing")
    else:
        assert found.base_model
        assert all(q.amount is None or q.amount >= 0 for q in found.quantities)
        assert found.ended_us is None or found.ended_us >= found.created_us


@pytest.mark.parametrize("name", NAMES)
def test_only_named_fields_leave_a_job(name: str) -> None:
    told = raw(name)
    canary = "CANARY-prompt-of-a-user"

    def salted(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: salted(one) for key, one in value.items()} | {"unheard_of": canary}
        return [salted(one) for one in value] if isinstance(value, list) else value

    dirty = salted(copy.deepcopy(told))
    for inside in ("error", "status"):
        if isinstance(dirty.get(inside), dict):
            dirty[inside]["message"] = canary
    if "acceleratorSeconds" in dirty:
        dirty["acceleratorSeconds"].pop("unheard_of")  # its names are data
    dirty["metadata"] = {"prompt": canary} | (dirty.get("metadata") or {})
    found = providers()[name.split("_", maxsplit=1)[0]].job(dirty, SEEN_US)
    assert canary not in repr(found)
    assert found == providers()[name.split("_", maxsplit=1)[0]].job(told, SEEN_US)


@given(st.integers(0, 10**9))
def test_n12_hours_are_prorated_to_the_second_and_rounded_to_a_cent(seconds: int) -> None:
    hours = rft_hours(seconds)
    assert abs(hours - Decimal(seconds) / 3600) <= Decimal("0.005")
    assert hours.as_tuple().exponent == -2


@given(st.integers(0, 2**63 - 1))
def test_n11_nano_dollars_are_exact(nanos: int) -> None:
    assert of_nanos(nanos) * 10**9 == nanos


@given(st.integers(DAY_US // S - 10**8, SEEN_US // S))
def test_n21_seconds_milliseconds_and_rfc_3339_are_one_instant(at_s: int) -> None:
    from meter.instants import instant

    ways = (at_s, at_s * 1000, Decimal(at_s), instant(at_s * S))
    assert {job("openai_running", created_at=way).created_us for way in ways} == {at_s * S}


# --- OpenAI, against the types of its own package


@pytest.mark.parametrize("name", [n for n in NAMES if n.startswith("openai")])
def test_recorded_jobs_are_openai_s_own_type(name: str) -> None:
    told = json.loads(json.dumps(raw(name), default=float))
    typed = FineTuningJob.model_validate(told, strict=True)
    found = job(name)
    assert (found.id, found.base_model, found.tuned_model) == (
        typed.id, typed.model, typed.fine_tuned_model
    )  # fmt: skip
    assert found.provider_status == typed.status
    assert found.created_us == typed.created_at * S
    assert found.ended_us == (None if typed.finished_at is None else typed.finished_at * S)
    again = provider("openai").job(typed.model_dump(), SEEN_US)
    assert again == found  # what users dumped with the package is read as well


def test_checkpoints_and_events_are_openai_s_own_types() -> None:
    points = SyncCursorPage[FineTuningJobCheckpoint].model_validate(
        json.loads(json.dumps(raw("openai_checkpoints"), default=float))
    )
    SyncCursorPage[FineTuningJobEvent].model_validate(raw("openai_events"))
    found = openai_shape.with_checkpoints(job("openai_succeeded"), raw("openai_checkpoints"))
    assert {one.name for one in found.checkpoints} == {
        one.fine_tuned_model_checkpoint for one in points.data
    }
    assert [one.step for one in found.checkpoints] == [10, 20]


def test_every_status_of_openai_s_type_is_known() -> None:
    words = get_args(FineTuningJob.model_fields["status"].annotation)
    assert words
    assert set(words) <= set(openai_shape.STATUSES)


# --- traps


def test_n08_trained_tokens_have_the_epochs_in_them() -> None:
    found = job("openai_succeeded")
    assert found.epochs == 3
    assert found.quantities == (Quantity(Meter.TRAIN_TOKEN, Decimal(300_000)),)


def test_n08_null_while_running_is_unknown_and_not_0() -> None:
    assert job("openai_running").quantities == ()
    assert job("together_running").quantities == ()  # it says 0 before the data is tokenised
    assert job("together_running").billed is None


def test_null_after_success_is_an_unknown_amount() -> None:
    found = job("openai_succeeded", trained_tokens=None)
    assert found.quantities == (Quantity(Meter.UNKNOWN, None),)
    assert "tokens_unknown" in found.flags


def test_n11_together_s_price_is_in_nano_dollars() -> None:
    assert job("together_completed").billed == Money(Decimal("4.25"), "USD")


def test_n11_fireworks_units_and_nanos_are_added() -> None:
    assert job("fireworks_sft").estimated == Money(Decimal("1.75"), "USD")
    only = {"currencyCode": "usd", "nanos": 5}
    assert job("fireworks_sft", estimatedCost=only).estimated == Money(Decimal("5E-9"), "USD")


def test_n11_mistral_s_cost_has_its_currency() -> None:
    assert job("mistral_success").billed == Money(Decimal("5.24"), "EUR")
    queued = job("mistral_queued")
    assert (queued.billed, queued.estimated) == (None, Money(Decimal("1.5"), "EUR"))


@pytest.mark.parametrize(
    ("seconds", "hours"), [(0, "0.00"), (1, "0.00"), (18, "0.01"), (3600, "1.00"), (9001, "2.50")]
)
def test_n12_rft_hours(seconds: int, hours: str) -> None:
    assert str(rft_hours(seconds)) == hours


def test_n12_rft_without_a_duration_has_an_upper_bound_only() -> None:
    found = job("openai_rft")
    assert found.training is Training.RFT
    assert amount(found, Meter.TRAIN_TOKEN) is None
    assert amount(found, Meter.TRAIN_HOUR) is None
    assert "hours_upper_bound" in found.flags
    assert dict(found.told)["hours_upper_bound"] == "2.50"
    assert dict(found.told)["trained_tokens"] == "5000"


def test_n12_azure_s_event_says_the_hours_that_are_billed() -> None:
    found = openai_shape.with_events(job("azure_rft"), raw("azure_events"))
    assert amount(found, Meter.TRAIN_HOUR) == Decimal("2.250")
    assert found.started_us == DAY_US + 900 * S
    assert not {"hours_upper_bound", "tokens_unknown"} & set(found.flags)
    assert "hours_upper_bound" not in dict(found.told)


def test_a_job_s_own_tokens_go_before_an_event_s() -> None:
    page = {"data": [{"created_at": DAY_US // S, "message": "Training tokens billed: 7"}]}
    assert amount(openai_shape.with_events(job("openai_succeeded"), page), Meter.TRAIN_TOKEN) == (
        300_000
    )
    bare = job("openai_succeeded", trained_tokens=None)
    assert amount(openai_shape.with_events(bare, page), Meter.TRAIN_TOKEN) == 7


def test_the_start_of_training_is_told_by_an_event() -> None:
    found = openai_shape.with_events(job("openai_succeeded"), raw("openai_events"))
    assert found.started_us == DAY_US + 300 * S


@pytest.mark.parametrize(
    ("name", "changed", "flag"),
    [
        ("azure_failed", {}, "not_billed"),
        ("azure_rft", {"status": "cancelled"}, "completed_steps_only"),
        ("together_cancelled", {}, "completed_steps_only"),
        ("openai_rft", {"status": "failed"}, "completed_steps_only"),
        ("openai_failed", {}, "billing_unclear"),
        ("openai_dpo", {}, "billing_unclear"),
        ("fireworks_rft", {}, "billing_unclear"),
        ("vertex_failed", {}, "billing_unclear"),
        ("mistral_success", {"status": "FAILED_VALIDATION"}, "billing_unclear"),
        ("bedrock_summary", {}, "billing_unclear"),
    ],
)
def test_n13_who_bills_what_of_a_job_that_did_not_succeed(
    name: str, changed: dict[str, Any], flag: str
) -> None:
    assert flag in job(name, **changed).flags


def test_n14_packing_off_is_flagged_and_tokens_are_as_billed() -> None:
    found = job("together_cancelled")
    assert "packing_off" in found.flags
    assert amount(found, Meter.TRAIN_TOKEN) == 2_000 * 8_192
    assert "packing_off" not in job("together_completed").flags


def test_n22_a_failed_job_without_a_model_keeps_its_times_and_tokens() -> None:
    found = job("openai_failed")
    assert found.status is JobStatus.FAILED
    assert found.tuned_model is None
    assert found.ended_us == DAY_US + 600 * S
    assert amount(found, Meter.TRAIN_TOKEN) == 1_200
    assert found.error_code == "invalid_training_file"


def test_n24_tokens_above_2_to_the_31_are_exact() -> None:
    count = 2**39 + 1
    assert amount(job("openai_succeeded", trained_tokens=count), Meter.TRAIN_TOKEN) == count


@pytest.mark.parametrize("count", [10**12, 2**53 + 1, 2**63 - 1, 2**63, -1])
def test_more_tokens_than_usage_can_have_are_refused_by_name(count) -> None:
    """The ledger cannot hold them: all jobs of a file would be lost with this one."""
    with pytest.raises(UsageError, match=r"trained_tokens is (negative|1,000,000,000,000 or more)"):
        job("openai_succeeded", trained_tokens=count)


# --- each provider


def test_together_s_start_is_its_event_and_not_the_last_stage() -> None:
    found = job("together_completed")
    assert found.started_us == DAY_US + 1_200 * S
    assert found.ended_us == DAY_US + 7_140 * S
    assert found.parameters_b == Decimal("8.030261248")
    assert (found.training, found.adapter) == (Training.SFT, Adapter.LORA)
    bare = job("together_completed", events=None)
    assert bare.started_us is None
    assert bare.ended_us == DAY_US + 7_200 * S
    assert "ended_is_last_update" in bare.flags
    assert job("together_running").started_us == DAY_US + 600 * S


def test_together_s_full_dpo() -> None:
    found = job("together_cancelled")
    assert (found.training, found.adapter) == (Training.DPO, Adapter.FULL)
    assert found.started_us is None


def test_fireworks_tells_gpu_seconds_by_type() -> None:
    found = job("fireworks_rft")
    assert found.gpus == Gpus("NVIDIA_H100_80GB", Decimal(28_800))
    assert found.quantities == (Quantity(Meter.GPU_SECOND, Decimal(28_800)),)
    assert (found.training, found.adapter) == (Training.RFT, Adapter.FULL)
    two = {"NVIDIA_H100_80GB": "10", "NVIDIA_A100_80GB": "5", "NVIDIA_L4_24GB": "0"}
    mixed = job("fireworks_rft", acceleratorSeconds=two)
    assert mixed.gpus is None
    assert amount(mixed, Meter.GPU_SECOND) == 15
    assert "several_gpu_types" in mixed.flags


def test_fireworks_kinds_are_in_the_name() -> None:
    sft = job("fireworks_sft")
    assert (sft.training, sft.adapter, sft.region) == (
        Training.SFT, Adapter.LORA, "EU_FRANKFURT_1"
    )  # fmt: skip
    assert amount(sft, Meter.TRAIN_TOKEN) == 3_500_000
    assert "epochs_unclear" in sft.flags
    assert nodes_of(job("fireworks_sft", nodes=4)) == 4
    assert job("fireworks_dpo").training is Training.DPO
    assert job("fireworks_rft").error_code == "CANCELLED"
    assert sft.error_code is None


def test_vertex_has_its_place_and_its_start() -> None:
    found = job("vertex_succeeded")
    assert (found.project, found.region) == ("123", "us-central1")
    assert found.started_us == DAY_US + 300 * S
    assert amount(found, Meter.TRAIN_TOKEN) == 255_243
    assert (found.steps, found.epochs, found.adapter) == (120, 4, Adapter.LORA)
    assert "epochs_unclear" in found.flags
    assert found.checkpoints[0].step == 30


def test_vertex_as_google_s_python_library_dumps_it() -> None:
    import re

    def snake(value: Any) -> Any:
        if isinstance(value, dict):
            return {re.sub(r"(?=[A-Z])", "_", k).lower(): snake(v) for k, v in value.items()}
        return [snake(one) for one in value] if isinstance(value, list) else value

    dumped = provider("vertex").job(snake(raw("vertex_succeeded")), SEEN_US)
    assert dumped == job("vertex_succeeded")


def test_mistral_s_start_end_and_checkpoints() -> None:
    found = job("mistral_success")
    assert (found.started_us, found.ended_us) == (DAY_US + 100 * S, DAY_US + 1_800 * S)
    assert found.checkpoints[0].step == 10
    assert (found.epochs, found.steps) == (Decimal("0.5"), 10)
    planned = job("mistral_success", trained_tokens=None)
    assert amount(planned, Meter.TRAIN_TOKEN) == 1_310_720
    assert "tokens_as_planned" in planned.flags


def test_bedrock_tells_no_tokens() -> None:
    found = job("bedrock_completed")
    assert found.quantities == (Quantity(Meter.UNKNOWN, None),)
    assert (found.base_model, found.region) == ("amazon.nova-lite-v1:0:300k", "us-east-1")
    assert found.started_us == DAY_US + 1_800 * S
    assert found.epochs == 2
    assert job("bedrock_summary").created_us == DAY_US + S // 2


@pytest.mark.parametrize(
    ("name", "other", "field"),
    [
        ("openai_succeeded", "azure", "fine_tuned_model"),
        ("openai_running", "azure", "organization_id"),
        ("openai_failed", "azure", "organization_id"),
        ("azure_rft", "openai", "fine_tuned_model"),
        ("azure_pending", "openai", "trainingType"),
    ],
)
def test_a_job_of_openai_s_shape_is_not_taken_for_the_other_s(
    name: str, other: str, field: str
) -> None:
    told = raw(name) | ({"trainingType": "globalStandard"} if field == "trainingType" else {})
    assert providers()[name.partition("_")[0]].job(told, SEEN_US)
    with pytest.raises(UsageError, match=f"{field} is another provider's"):
        providers()[other].job(told, SEEN_US)


def test_azure_s_own_words() -> None:
    assert job("azure_pending").status is JobStatus.QUEUED
    assert job("azure_pending", status="notRunning").status is JobStatus.QUEUED
    assert dict(job("azure_rft").told)["trainingType"] == "globalStandard"


# --- deployments


def test_an_azure_deployment_costs_by_the_hour_whatever_its_rate_limit() -> None:
    found = azure.hosting(raw("azure_deployment"))
    assert found.units == 1
    assert found.model == "gpt-4o-mini-2024-07-18.ft-0123"
    assert found.service_tier == "GlobalStandard"
    assert found.ended_us is None
    units = {"name": "GlobalProvisionedManaged", "capacity": 50}
    assert azure.hosting({**raw("azure_deployment"), "sku": units}).units == 50
    with pytest.raises(UsageError, match=r"systemData\.createdAt is missing"):
        azure.hosting({**raw("azure_deployment"), "systemData": None})


def test_a_fireworks_deployment_has_its_gpus_as_units() -> None:
    found = fireworks.hosting(raw("fireworks_deployment"))
    assert found.units == 6
    assert found.ended_us == DAY_US + 2 * 86_400 * S
    assert "not-for-us" not in repr(found)
    standing = fireworks.hosting({**raw("fireworks_deployment"), "state": "READY"})
    assert standing.ended_us is None
    idle = fireworks.hosting({**raw("fireworks_deployment"), "replicaCount": 0})
    assert idle.units == 0


@pytest.mark.parametrize("kind", ["Standard", "GlobalStandard", "DataZoneStandard"])
def test_an_azure_deployment_of_a_plain_model_has_no_hours(kind: str) -> None:
    plain = {"model": {"format": "OpenAI", "name": "gpt-4o", "version": "2024-11-20"}}
    told = {**raw("azure_deployment"), "properties": plain}
    assert azure.hosting({**told, "sku": {"name": kind, "capacity": 50}}) is None
    provisioned = azure.hosting({**told, "sku": {"name": f"{kind}Provisioned", "capacity": 50}})
    assert provisioned is not None
    assert provisioned.units == 50  # a provisioned unit costs whatever model it serves


# --- bad input


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"id": None}, "id"),
        ({"id": "a/../b"}, "id"),
        ({"model": ""}, "model"),
        ({"status": 7}, "status"),
        ({"created_at": None}, "created_at"),
        ({"created_at": 0}, "created_at"),  # 1970
        ({"created_at": 4_102_444_800}, "created_at"),  # 2100
        ({"created_at": "yesterday"}, "created_at"),
        ({"created_at": True}, "created_at"),
        ({"finished_at": Decimal("1e400")}, "finished_at"),
        ({"trained_tokens": -1}, "trained_tokens"),
        ({"trained_tokens": 2**63}, "trained_tokens"),
        ({"trained_tokens": Decimal("NaN")}, "trained_tokens"),
        ({"trained_tokens": float("inf")}, "trained_tokens"),
        ({"trained_tokens": Decimal("1e400")}, "trained_tokens"),
        ({"trained_tokens": Decimal("0.5")}, "trained_tokens"),
        ({"hyperparameters": []}, "hyperparameters"),
        ({"error": {"code": "a\nb"}}, r"error\.code"),
        ({"fine_tuned_model": "x" * 600}, "fine_tuned_model"),
    ],
)
def test_bad_input_names_the_field(changed: dict[str, Any], field: str) -> None:
    with pytest.raises(UsageError, match=field) as caught:
        job("openai_succeeded", **changed)
    assert caught.value.remedy


def test_no_error_shows_a_value() -> None:
    with pytest.raises(UsageError) as caught:
        job("openai_succeeded", trained_tokens="CANARY-prompt")
    assert "CANARY" not in str(caught.value)


def test_a_price_without_a_currency_is_refused() -> None:
    for currency in (None, "XYZ"):
        with pytest.raises(UsageError, match=r"metadata\.cost"):
            job("mistral_success", metadata={"cost": 1, "cost_currency": currency})


def test_a_new_word_for_the_status_stays_open_and_is_flagged() -> None:
    for name, field in (("openai_succeeded", "status"), ("vertex_succeeded", "state")):
        found = job(name, **{field: "meditating"})
        assert found.status is JobStatus.RUNNING
        assert found.provider_status == "meditating"
        assert "unknown_status" in found.flags


def test_times_out_of_order_are_flagged_and_the_job_is_kept() -> None:
    found = job("openai_succeeded", finished_at=DAY_US // S - 5)
    assert found.ended_us == found.created_us
    assert "times_out_of_order" in found.flags
    late = job("vertex_succeeded", startTime="2026-01-02T00:00:00Z")
    assert late.started_us is None
    assert "times_out_of_order" in late.flags
    assert (
        "created_in_future"
        in providers()["openai"].job(raw("openai_running"), DAY_US - 10**9).flags
    )


def test_an_end_that_is_still_to_come_is_moved_to_now() -> None:
    found = job("openai_succeeded", finished_at=3_786_912_000)  # 2090
    assert found.ended_us == SEEN_US
    assert "times_out_of_order" in found.flags


@pytest.mark.parametrize("name", ["openai_succeeded", "vertex_succeeded"])
def test_of_a_job_of_years_no_duration_is_believed(name: str) -> None:
    field = "created_at" if name.startswith("openai") else "createTime"
    changed = {field: "2016-01-01T00:00:00Z", "startTime": "2016-01-02T00:00:00Z"}
    found = job(name, **changed)
    assert found.started_us == found.ended_us
    assert found.quantities == job(name).quantities
    assert "times_out_of_order" in found.flags


def test_a_job_of_another_day_to_come_is_refused() -> None:
    with pytest.raises(UsageError, match="more than a day from now"):
        job("openai_running", created_at=SEEN_US // S + 90_000)


def test_another_provider_s_job_is_refused_with_the_field_that_it_lacks() -> None:
    for name in NAMES:
        own = name.split("_")[0]
        for other in providers().keys() - {own}:
            if {own, other} <= {"openai", "azure"}:
                continue  # one shape
            with pytest.raises(
                UsageError, match=r"is missing|is from|is no text|is in none|is no tuning"
            ):
                providers()[other].job(raw(name), SEEN_US)


def test_an_unknown_provider_is_told_the_others() -> None:
    with pytest.raises(UsageError, match="openai, azure, together"):
        provider("cohere")
