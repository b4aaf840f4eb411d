"""A GPU that is listed but tells neither energy nor power: unknown, and said to be so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agent.agents import agent, boot_ns
from standin.faults import Fault
from standin.scenario import H100, Gpu, Scenario, Square

if TYPE_CHECKING:
    from pathlib import Path


def test_a_gpu_that_cannot_be_read_is_a_fault_and_unknown_in_the_document(
    tmp_path: Path, require_tool: Any
) -> None:
    require_tool("cc")
    mute = Fault("not_supported", ("call=energy,power,samples",))
    load = Square(100, 700, period_s=0.9)
    scenario = Scenario(
        gpus=[Gpu(power=load, sensor=H100), Gpu(power=load, sensor=H100, faults=[mute])]
    )
    scenario.write(tmp_path)
    variables = {**scenario.environment(tmp_path), "METER_SIMULATE": ""}
    with agent(tmp_path, "--private", **variables) as node:
        node.hear("reading")
        question = {"id": "r1", "started_ns": boot_ns(), "started_us": 1, "check": True}
        faults = node.ask("POST", "/v1/runs", question)[1]["faults"]
        assert [fault["code"] for fault in faults] == ["device_unreadable"]
        node.begin("r2", gpus="0")
        assert node.begin("r1")["faults"] == faults
        document = node.end("r1")
        other = node.end("r2")
    boards = {d["id"]: d for d in document["energy"]["devices"] if d["component"] == "gpu"}
    (silent,) = [board for board in boards.values() if board["coverage"] == 0.0]
    assert silent["id"] in faults[0]["text"]
    assert (silent["energy"]["value"], silent["energy"]["low"]) == (0, 0)
    duration_s = document["run"]["duration_s"]
    assert 0.9 < silent["energy"]["high"] / (700 * duration_s) < 1.1
    assert len(boards) == 2
    assert "device_unreadable" in {notice["code"] for notice in document["notices"]}
    assert "device_unreadable" not in {notice["code"] for notice in other["notices"]}


def test_a_run_too_short_to_know_says_at_its_end_what_was_never_read(
    tmp_path: Path, require_tool: Any
) -> None:
    require_tool("cc")
    mute = Fault("not_supported", ("call=energy,power,samples",))
    scenario = Scenario(gpus=[Gpu(power=Square(100, 700, period_s=1), sensor=H100, faults=[mute])])
    scenario.write(tmp_path)
    variables = {**scenario.environment(tmp_path), "METER_SIMULATE": ""}
    with agent(tmp_path, "--private", **variables) as node:
        node.hear("listening")
        node.begin("r1")
        document = node.end("r1")
    assert "device_unreadable" in {notice["code"] for notice in document["notices"]}
    assert document["energy"]["by_component"]["gpu"]["high"] > 0
