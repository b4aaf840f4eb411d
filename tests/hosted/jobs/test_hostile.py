"""One absurd value of a job refuses that job, by its id and the field; all others are taken."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest

from hosted.jobs.apis import Api, Fault, serving
from hosted.jobs.recorded import SEEN_US, raw
from meter.errors import UsageError
from meter.hosted.jobs import azure, fireworks, openai_shape
from meter.hosted.jobs.importing import hostings_of, jobs_of
from meter.hosted.jobs.registry import provider
from meter.hosted.sync import sync
from meter.hosted.wire import hosting_json, hosting_of, job_json, job_of
from tests.cli.places import Place

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NUMBERS = {
    "-2": "negative", "NaN": "no number", "Infinity": "no number", "-Infinity": "no number",
    "1e400": "or more", "1e99999999999999999999": "no number", "true": "no number",
    "9223372036854775808": "or more", "1" + "0" * 30: "or more", "9" * 5_000: "no number",
    '"many"': "no number", "[]": "no number", "{}": "no number", '"1e400"': "or more",
    "0." + "1" * 70: "characters",
}  # fmt: skip
"""What a number may be told as, in JSON, and a word of what is said then."""
BOUNDS = {
    "tokens": "1000000000000", "epochs": "1000000000000", "money": "1000000000",
    "nanos": "1000000000", "nano_money": "1000000000000000000", "seconds": "1000000000000",
    "parameters": "100000000000000", "steps": "1000000000000", "told": "9223372036854775808",
    "units": "1000000",
}  # fmt: skip
"""The least that is too much."""
TIMES = {
    "0": "2015", '"1970-01-01T00:00:00Z"': "2015", '"2100-01-01T00:00:00Z"': "2099",
    "4102444800": "2099", '"9999-12-31T23:59:59-14:00"': "2099", "-1": "2099",
    "NaN": "no number", "1e400": "2099", "true": "no number", '"soon"': "no instant",
    "9223372036854775808": "2099", "[1]": "no number",
}  # fmt: skip
FIELDS = {
    "openai_succeeded": {
        "trained_tokens": "tokens", "hyperparameters.n_epochs": "epochs", "created_at": "time",
        "finished_at": "time",
    },
    "azure_failed": {
        "trained_tokens": "tokens", "hyperparameters.n_epochs": "epochs", "created_at": "time",
        "finished_at": "time",
    },
    "together_completed": {
        "token_count": "tokens", "total_price": "nano_money", "param_count": "parameters",
        "n_epochs": "epochs", "n_evals": "told", "training_type.lora_r": "told",
        "created_at": "time", "updated_at": "time", "events.1.created_at": "time",
    },
    "fireworks_sft": {
        "estimatedCost.units": "money", "estimatedCost.nanos": "nanos", "epochs": "epochs",
        "jobProgress.inputTokens": "tokens", "createTime": "time", "completedTime": "time",
    },
    "fireworks_rft": {
        "acceleratorSeconds.NVIDIA_H100_80GB": "seconds", "trainingConfig.epochs": "epochs",
    },
    "vertex_succeeded": {
        "tuningDataStats.supervisedTuningDataStats.totalBillableTokenCount": "tokens",
        "tuningDataStats.supervisedTuningDataStats.tuningStepCount": "steps",
        "supervisedTuningSpec.hyperParameters.epochCount": "epochs",
        "createTime": "time", "startTime": "time", "endTime": "time",
    },
    "mistral_success": {
        "trained_tokens": "tokens", "metadata.cost": "money", "hyperparameters.epochs": "epochs",
        "hyperparameters.training_steps": "steps", "checkpoints.0.step_number": "steps",
        "metadata.expected_duration_seconds": "told", "created_at": "time", "modified_at": "time",
        "events.0.created_at": "time",
    },
    "bedrock_completed": {
        "hyperParameters.epochCount": "epochs", "creationTime": "time", "endTime": "time",
        "statusDetails.trainingDetails.creationTime": "time",
    },
}  # fmt: skip
"""Fields of each provider's jobs, and what they are of."""
HOSTINGS = {
    "azure_deployment": {"sku.capacity": "units", "systemData.createdAt": "time"},
    "fireworks_deployment": {
        "replicaCount": "units", "acceleratorCount": "units", "createTime": "time",
        "deleteTime": "time",
    },
}  # fmt: skip
IDS = {"fireworks": "name", "vertex": "name", "bedrock": "jobArn"}
LISTS = {
    "openai": "/v1/fine_tuning/jobs", "azure": "/openai/fine_tuning/jobs",
    "together": "/v1/fine-tunes", "mistral": "/v1/fine_tuning/jobs",
    "fireworks": "/v1/accounts/example/supervisedFineTuningJobs",
    "vertex": "/v1/projects/123/locations/us-central1/tuningJobs",
    "bedrock": "/model-customization-jobs",
}  # fmt: skip
CASES = [(shape, field, kind) for shape, fields in FIELDS.items() for field, kind in fields.items()]
MARK = "@@"


def hostile(kind: str) -> dict[str, str]:
    """What a field of a kind may be told as, and a word of what is said then."""
    return TIMES if kind == "time" else NUMBERS | {BOUNDS[kind]: "or more"}


def entry(shape: str, number: int, field: str = "", literal: str = "") -> str:
    """A recorded job or deployment as JSON with an id of its own, one field told otherwise."""
    made = json.loads(json.dumps(raw(shape), default=float))
    made[IDS.get(shape.split("_", maxsplit=1)[0], "id")] += f"-{number}"
    if field:
        *path, last = field.split(".")
        inside: Any = made
        for name in path:
            inside = inside[int(name) if name.isdecimal() else name]
        assert last in inside, "the recorded job has no such field"
        inside[last] = MARK
    return json.dumps(made).replace(f'"{MARK}"', literal)


def id_of(text: str) -> str:
    """The id of an entry."""
    made = json.loads(text.replace("9" * 5_000, "0"))
    return next(made[name] for name in ("jobArn", "id", "name") if name in made)


@pytest.mark.parametrize(("shape", "field", "kind"), CASES)
def test_a_file_loses_the_job_alone_and_names_it_and_the_field(
    shape: str, field: str, kind: str
) -> None:
    bad = [entry(shape, n, field, literal) for n, literal in enumerate(hostile(kind), 10)]
    parts = [entry(shape, 1), *bad, entry(shape, 2)]
    for text in (f"[{', '.join(parts)}]", "\n".join(parts)):
        found, faults = jobs_of(text, provider(shape.split("_", maxsplit=1)[0]), SEEN_US)
        assert [job.id for job in found] == [id_of(parts[0]), id_of(parts[-1])]
        assert [fault.name for fault in faults] == [id_of(one) for one in bad]
        for fault, said in zip(faults, hostile(kind).values(), strict=True):
            last = field.rsplit(".", maxsplit=1)[-1]
            assert last in fault.message
            assert said in fault.message


@pytest.fixture
def api() -> Iterator[Api]:
    with serving() as served:
        yield served


@pytest.mark.parametrize("shape", [shape for shape in FIELDS if shape != "fireworks_rft"])
def test_an_api_loses_the_job_alone(api: Api, shape: str) -> None:
    name = shape.split("_", maxsplit=1)[0]
    bad = [
        entry(shape, 10 + 100 * n + m, field, literal)
        for n, (field, kind) in enumerate(FIELDS[shape].items())
        for m, literal in enumerate(hostile(kind))
    ]
    parts = [entry(shape, 1), *bad, entry(shape, 2)]
    entries = {"vertex": "tuningJobs", "bedrock": "modelCustomizationJobSummaries",
               "fireworks": "supervisedFineTuningJobs"}.get(name, "data")  # fmt: skip
    body = f'{{"{entries}": [{", ".join(parts)}]}}'.encode()
    for kind in ("dpoJobs", "reinforcementFineTuningJobs", "deployments"):
        api.lists[f"/v1/accounts/example/{kind}"] = []
    empty = json.dumps({entries: []}).encode()
    api.always = lambda asked: (
        Fault(body=empty if asked.query.get("page", "0") != "0" else body)
        if asked.path == LISTS[name]
        else None
    )
    for one in (parts[0], parts[-1]):
        path = {"vertex": "/v1", "fireworks": "/v1"}.get(name, LISTS[name])
        api.singles[f"{path}/{id_of(one)}"] = json.loads(one)
    pages = list(
        sync(provider(name), api.access(name), None, lambda: SEEN_US, sleep=lambda _seconds: None)
    )
    assert [job.id for page in pages for job in page.jobs] == [id_of(parts[0]), id_of(parts[-1])]
    faults = [one for page in pages for one in page.faults if not one.beside]
    assert [one.where for one in faults] == [id_of(one) for one in bad]


@pytest.mark.parametrize(
    ("shape", "field", "kind"),
    [(shape, field, kind) for shape, fields in HOSTINGS.items() for field, kind in fields.items()],
)
def test_a_deployment_is_refused_alone(shape: str, field: str, kind: str) -> None:
    read = {"azure": azure.hosting, "fireworks": fireworks.hosting}[shape.partition("_")[0]]

    def made(*words: Any) -> str:
        return entry(shape, *words).replace('"GlobalStandard"', '"ProvisionedManaged"')

    bad = [made(n, field, literal) for n, literal in enumerate(hostile(kind), 10)]
    text = f"[{', '.join([made(1), *bad, made(2)])}]"
    found, faults = hostings_of(text, read)
    assert len(found) == 2
    assert [fault.name for fault in faults] == [id_of(one) for one in bad]
    assert all(field.rsplit(".", maxsplit=1)[-1] in fault.message for fault in faults)


def test_replicas_times_gpus_are_bounded_together() -> None:
    told = {**raw("fireworks_deployment"), "replicaCount": 10_000, "acceleratorCount": 100}
    with pytest.raises(UsageError, match="replicaCount times acceleratorCount is 1,000,000 or"):
        fireworks.hosting(told)


def test_gpu_seconds_of_all_types_are_bounded_together() -> None:
    seconds = {f"GPU_{n}": "999999999" for n in range(2)}
    told = {**raw("fireworks_rft"), "acceleratorSeconds": seconds}
    with pytest.raises(UsageError, match="gpu_second is 1,000,000,000 or more"):
        fireworks.job(told, SEEN_US)


@pytest.mark.parametrize("name", ["", "x" * 81, "H100\x1b[2J"])
def test_a_name_that_cannot_be_printed_is_not_shown(name: str) -> None:
    told = {**raw("fireworks_rft"), "acceleratorSeconds": {name: "-5"}}
    with pytest.raises(UsageError, match="acceleratorSeconds has a name that") as caught:
        fireworks.job(told, SEEN_US)
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize(("hours", "end"), [("1" + "0" * 12, "1,000,000,000"), ("9" * 30, "")])
def test_absurd_hours_of_an_event_are_named(hours: str, end: str) -> None:
    event = {"created_at": 1_767_229_300, "message": f"Training hours billed: {hours}.0"}
    job = provider("azure").job(raw("azure_rft"), SEEN_US)
    with pytest.raises(UsageError, match=f"the hours billed is {end}"):
        openai_shape.with_events(job, {"data": [event]})


@pytest.mark.parametrize(
    "changes",
    [
        {"created_us": 10**30}, {"ended_us": -1}, {"started_us": 4_102_444_800_000_000},
        {"quantities": [{"meter": "train_hour", "amount": "1000000000"}]},
        {"epochs": "1e400"}, {"parameters_b": "100000"}, {"steps": 10**12},
        {"gpus": {"name": "H100", "seconds": "1000000000"}},
        {"billed": {"amount": "1e30", "currency": "USD"}},
        {"estimated": {"amount": "-1", "currency": "USD"}},
    ],
)  # fmt: skip
def test_an_agent_refuses_what_no_adapter_gives(changes: dict[str, Any]) -> None:
    job = job_json(provider("openai").job(raw("openai_succeeded"), SEEN_US))
    assert job_of(copy.deepcopy(job)).id == "ftjob-sft"
    with pytest.raises(UsageError):
        job_of({**job, **changes})


@pytest.mark.parametrize("changes", [{"units": "1000000"}, {"started_us": 0}, {"units": "NaN"}])
def test_an_agent_refuses_an_absurd_deployment(changes: dict[str, Any]) -> None:
    told = hosting_json(fireworks.hosting(raw("fireworks_deployment")))
    with pytest.raises(UsageError):
        hosting_of({**told, **changes})


@pytest.mark.parametrize("shape", list(FIELDS))
def test_the_most_that_is_taken_is_booked_once_and_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], shape: str
) -> None:
    """Just below each bound nothing overflows: neither the ledger nor a report."""
    made = json.loads(entry(shape, 1))
    for field, kind in FIELDS[shape].items():
        if kind != "time":
            *path, last = field.split(".")
            inside: Any = made
            for name in path:
                inside = inside[int(name) if name.isdecimal() else name]
            inside[last] = str(int(BOUNDS[kind]) - 1)
            if kind == "seconds":
                inside[last] = "999999999"
            elif kind == "epochs":
                inside[last] = "999999"
    path = tmp_path / "jobs.json"
    bad = [entry(shape, 9, field, "-7") for field in FIELDS[shape]]
    path.write_text(f"[{json.dumps(made)}, {', '.join(bad)}]")
    place, name = Place(tmp_path), shape.split("_", maxsplit=1)[0]
    for wanted in ("new", "known"):
        capsys.readouterr()
        assert place.call("jobs", "import", str(path), "--provider", name, "--json") == 1
        told = json.loads(capsys.readouterr().out)
        count = told[wanted] if wanted == "known" else len(told[wanted])
        assert (count, len(told["faults"])) == (1, len(bad))
        assert all(id_of(bad[0])[:60] in fault for fault in told["faults"])
    for words in (("runs",), ("runs", "--costs"), ("show", told_run(place, capsys)),
                  ("usage", "list"), ("verify",)):  # fmt: skip
        assert place.call(*words) == 0, words


def told_run(place: Place, capsys: pytest.CaptureFixture[str]) -> str:
    """The id of the one run that is booked."""
    capsys.readouterr()
    assert place.call("runs", "--json") == 0
    (run,) = json.loads(capsys.readouterr().out)["runs"]
    return str(run["run_id"])
