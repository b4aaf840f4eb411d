"""Which devices a run holds, for every form that CUDA_VISIBLE_DEVICES and --gpus take."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meter.errors import UsageError
from meter.model import Component, Device, Method, MigInstance
from meter.sampling.identity import resolve, visible


def gpu(index: int, uuid: str, name: str = "H100", *instances: MigInstance) -> Device:
    return Device(uuid, Component.GPU, name, Method.MEASURED, index=index, instances=instances)


A = gpu(0, "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6")
B = gpu(1, "GPU-8932aaaa-0000-4106-c12f-20bd9faed9f6")
C = gpu(2, "GPU-11111111-0000-4106-c12f-20bd9faed9f6")
MIG = gpu(
    3,
    "GPU-22222222-0000-4106-c12f-20bd9faed9f6",
    "H100",
    MigInstance("MIG-aaaa1111-0000-0000-0000-000000000000", 1, 0, 3, 7),
    MigInstance("MIG-aaaa2222-0000-0000-0000-000000000000", 2, 0, 3, 7),
)
CPU = Device("cpu-0", Component.CPU, "EPYC", Method.MODELLED)
NODE = (C, CPU, A, B)


def ids(text: str | None, order: str | None = None) -> list[str]:
    return [device_id for device_id, _ in visible(text, order, NODE).holds]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, [A, B, C]),
        ("", []),
        ("   ", []),
        ("-1", []),
        ("2,1", [C, B]),
        ("0,2,-1,1", [A, C]),
        ("0,-7,1", [A]),
        (A.id, [A]),
        (A.id.upper().replace("GPU", "gpu"), [A]),
        ("GPU-8932f", [A]),
        ("GPU-1,GPU-8932a", [C, B]),
    ],
)
def test_documented_forms_give_their_devices_without_doubt(
    text: str | None, expected: list[Device]
) -> None:
    assert ids(text) == [device.id for device in expected]
    assert not visible(text, None, NODE).ambiguous


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("GPU-8932", []),  # two boards begin so
        ("GPU-", []),
        ("0,7,1", [A]),  # ends at the first invalid index
        ("0,0", [A]),
        ("0, 1", [A, B]),
        ("0,GPU-1", [A, C]),
        ("banana", []),
        ("1,banana,0", [B]),
        ("MIG-unknown", []),
        ("99999999999999999999", []),
        (",", []),
        ("\x00", []),
        ("٣", []),
    ],
)
def test_undocumented_forms_give_a_notice(text: str, expected: list[Device]) -> None:
    selection = visible(text, None, NODE)
    assert [device_id for device_id, _ in selection.holds] == [device.id for device in expected]
    assert selection.ambiguous
    assert selection.notices[0].code == "ambiguous_devices"


@pytest.mark.parametrize("text", ["", "-1", "banana", "7"])
def test_a_job_without_a_gpu_is_told_so(text: str) -> None:
    assert "no_gpu_visible" in [notice.code for notice in visible(text, None, NODE).notices]


def test_indices_are_sure_on_unlike_gpus_only_in_bus_order() -> None:
    mixed = (A, gpu(1, "GPU-33333333", "L4"))
    assert visible("1", None, mixed).ambiguous
    assert not visible("1", "PCI_BUS_ID", mixed).ambiguous
    assert not visible("GPU-3", None, mixed).ambiguous


@pytest.mark.parametrize(
    "text", ["MIG-aaaa1111", "MIG-aaaa1111-0000-0000-0000-000000000000", f"MIG-{MIG.id}/1/0"]
)
def test_a_mig_instance_holds_its_slices_of_the_board(text: str) -> None:
    selection = visible(text, None, (A, MIG))
    assert selection.holds == ((MIG.id, Fraction(3, 7)),)
    assert not selection.ambiguous


def test_two_instances_of_a_board_add_up() -> None:
    selection = visible("MIG-aaaa1111,MIG-aaaa2222", None, (A, MIG))
    assert selection.holds == ((MIG.id, Fraction(6, 7)),)
    assert not selection.ambiguous


def test_an_index_on_a_node_with_mig_is_ambiguous() -> None:
    assert visible("3", None, (A, MIG)).ambiguous


def test_a_node_without_gpus_has_nothing_to_doubt() -> None:
    selection = visible("0,banana", None, (CPU,))
    assert selection.holds == ()
    assert not selection.notices


@given(
    st.text(max_size=40) | st.text(alphabet="0123,-GPUMIG /", max_size=30), st.none() | st.text()
)
def test_no_value_raises_or_gives_zero_energy_in_silence(text: str, order: str | None) -> None:
    selection = visible(text, order, (*NODE, MIG))
    assert selection.holds or selection.notices
    assert all(0 < share <= 1 for _, share in selection.holds)


def test_gpus_flag_takes_indices_uuids_and_words() -> None:
    assert [hold[0] for hold in resolve("1,GPU-8932f", NODE).holds] == [B.id, A.id]
    assert len(resolve(None, NODE).holds) == len(resolve("all", NODE).holds) == 3
    assert resolve("none", NODE).holds == ()


@pytest.mark.parametrize("text", ["", "7", "banana", "GPU-8932", "0,,1", "-1"])
def test_gpus_flag_refuses_the_unknown_naming_the_known(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        resolve(text, NODE)
    assert all(device.id in caught.value.remedy for device in (A, B, C))


def container_of(listed: str, visible_: str | None = None) -> tuple[tuple[str, Fraction], ...]:
    return visible(visible_, None, BOARDS, container=listed).holds


BOARDS = tuple(
    Device(f"GPU-{letter * 4}", Component.GPU, "H100", Method.MEASURED, index=n)
    for n, letter in enumerate("abcd")
)


def test_a_container_shows_its_gpus_and_cuda_counts_inside_it() -> None:
    assert container_of("GPU-bbbb,GPU-dddd") == (("GPU-bbbb", 1), ("GPU-dddd", 1))
    assert container_of("GPU-dddd,GPU-bbbb", "1") == (("GPU-bbbb", 1),)
    assert container_of("2,3", "0") == (("GPU-cccc", 1),)
    assert container_of("GPU-bbbb,GPU-dddd", "GPU-dddd") == (("GPU-dddd", 1),)
    assert container_of("GPU-bbbb", "") == ()


def test_a_list_that_no_container_runtime_writes_is_as_if_it_were_not_there() -> None:
    everything = tuple((board.id, 1) for board in BOARDS)
    assert container_of("GPU-zzzz") == everything
    assert container_of("0:1") == everything
    assert container_of("GPU-zzzz", "1") == (("GPU-bbbb", 1),)


@pytest.mark.parametrize(
    ("slurm", "cuda", "expected", "sure"),
    [
        ("2", "0", "c", True),  # counted within the job
        ("2", "2", "c", True),  # counted on the node
        ("2,3", "0,1", "cd", True),
        ("0,1", "0,1", "ab", True),  # the same either way
        ("1,2", "1", "c", False),  # both can be meant
        ("1,3", "3,-1,0", "d", True),
        ("2", None, "c", True),
        ("2", "GPU-dddd", "d", True),
        (None, "0", "a", False),
        (None, "0,1,2,3", "abcd", True),
        ("9", "0", "a", False),  # no list of this node's
        ("2", "1", "", False),  # it means nothing
    ],
)
def test_slurms_numbers_of_the_node_tell_what_the_jobs_own_numbers_mean(
    slurm: str | None, cuda: str | None, expected: str, *, sure: bool
) -> None:
    found = visible(cuda, None, BOARDS, container=slurm, batch=True)
    assert [device_id[-1] for device_id, _ in found.holds] == list(expected)
    assert found.ambiguous != sure
    assert ("ambiguous_devices" in [notice.code for notice in found.notices]) != sure


def test_a_container_counts_its_gpus_anew_and_never_the_nodes() -> None:
    assert container_of("1,2", "1") == (("GPU-cccc", 1),)
    assert not visible("1", None, BOARDS, container="1,2").ambiguous
