"""Which id a job gets, by the variables around it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from launching import eventually

from meter import limits
from meter.errors import UsageError
from meter.launch.identity import NAMES, identify, without_identity
from meter.links import SOURCE_OF_ORIGIN, SOURCES

ALL = {
    "METER_RUN_ID": "mine",
    "WANDB_RUN_ID": "w1",
    "MLFLOW_RUN_ID": "m1",
    "TORCHELASTIC_RUN_ID": "t1",
    "SLURM_JOB_ID": "123",
    "METER_K8S_JOB_UID": "0b2c-7",
    "METER_K8S_JOB_NAME": "tune",
    "METER_K8S_POD_UID": "77aa",
}


def silent(_: str) -> None:
    """Nothing is told."""


def of(variables: dict[str, str], *, nested_over: bool = False):
    return identify(variables, nested_over=nested_over, tell=silent)


@pytest.mark.parametrize("place", range(len(ALL)))
def test_the_first_source_in_the_order_wins_and_the_others_are_linked(place):
    left = dict(list(ALL.items())[place:])
    found = of(left)
    origin, run_id = next(iter(left.items()))
    assert (found.origin, found.id) == (origin, run_id)
    assert found.links == [(SOURCE_OF_ORIGIN[k], v) for k, v in list(left.items())[1:]]


def test_without_any_source_the_id_is_new_each_time():
    one, other = of({}), of({})
    assert one.origin == other.origin == "generated"
    assert one.id != other.id
    assert one.links == []


@pytest.mark.parametrize("text", ["none", "None", "", " "])
def test_torchruns_word_for_no_id_is_none(text):
    assert of({"TORCHELASTIC_RUN_ID": text, "SLURM_JOB_ID": "5"}).id == "5"


@pytest.mark.parametrize(
    ("array", "run_id"),
    [
        ({}, "17"),
        ({"SLURM_ARRAY_JOB_ID": "12", "SLURM_ARRAY_TASK_ID": "5"}, "12_5"),
        ({"SLURM_ARRAY_TASK_ID": "0"}, "17_0"),
        ({"SLURM_ARRAY_JOB_ID": "12"}, "17"),
    ],
)
def test_a_task_of_a_slurm_array_is_named_as_slurm_names_it(array, run_id):
    found = of({"SLURM_JOB_ID": "17", **array})
    assert found.id == run_id
    task = "SLURM_ARRAY_TASK_ID" in array
    assert found.links == ([("slurm", "17")] if task else [])  # as Slurm's job map has it


def test_a_task_of_an_array_is_linked_to_its_own_number_too():
    task = {"SLURM_JOB_ID": "17", "SLURM_ARRAY_JOB_ID": "12", "SLURM_ARRAY_TASK_ID": "5"}
    assert of(task).links == [("slurm", "17")]
    assert of({"WANDB_RUN_ID": "w1", **task}).links == [("slurm", "12_5"), ("slurm", "17")]
    assert of({"SLURM_ARRAY_JOB_ID": "12", "SLURM_ARRAY_TASK_ID": "5"}).links == []


def test_an_id_that_is_none_of_a_run_is_told_of_and_the_next_source_taken():
    told: list[str] = []
    variables = {"WANDB_RUN_ID": "a/b", "SLURM_JOB_ID": "9"}
    found = identify(variables, nested_over=False, tell=told.append)
    assert (found.id, found.origin) == ("9", "SLURM_JOB_ID")
    assert found.links == [("wandb", "a/b")]  # no id of a run, but still what others call it
    assert len(told) == 1
    assert "WANDB_RUN_ID" in told[0]


def test_the_id_of_a_launcher_that_has_ended_does_not_count():
    found = of(ALL, nested_over=True)
    assert found.id == "w1"
    assert ("custom", "mine") not in found.links


@given(st.dictionaries(st.sampled_from(NAMES), st.text(max_size=300)))
def test_whatever_the_variables_say_the_id_is_a_valid_one(variables):
    found = of(variables)
    limits.check_run_id("it", found.id)
    assert {source for source, _ in found.links} <= set(SOURCES)
    assert len(found.links) <= limits.LINKS
    if found.origin == "generated":
        for origin in SOURCE_OF_ORIGIN:
            if origin not in ("TORCHELASTIC_RUN_ID", "SLURM_JOB_ID"):
                with pytest.raises(UsageError):
                    limits.check_run_id(origin, variables.get(origin, "").strip())


def test_variables_without_identity_name_no_run():
    kept = without_identity({**ALL, "METER_LAUNCHER_PID": "1", "PATH": "/bin"})
    assert kept == {"PATH": "/bin"}
    assert of(kept).origin == "generated"


def test_the_launcher_registers_the_id_with_its_origin_and_links(place):
    variables = {"WANDB_RUN_ID": "w1", "SLURM_JOB_ID": "123"}
    place.run("--", "true", variables=variables)
    place.run("--", "true", mode="exec", variables=variables)
    # the observer of an `exec` registers when its job may be over
    for event in eventually(lambda: len(found := place.events("POST")) == 2 and found):
        body = event["body"]
        assert (body["id"], body["origin"]) == ("w1", "WANDB_RUN_ID")
        assert body["links"] == [{"source": "slurm", "id": "123"}]
