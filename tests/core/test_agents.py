"""Whose "off" is proof of death: agents that cut the power, and no others."""

import pytest

from build import group, node, silence, view
from outlast.core.coordinator.storm import Guard
from outlast.core.fence.agents import CUTS_OFF, NO_PROOF, POWER, agent_no_proof, doubt, no_proof, proving
from outlast.core.fence.fencing import Ladder, Off, in_levels
from outlast.core.fence.proof import pursue
from outlast.core.foresight.protection import protection
from outlast.core.validation import fence_findings
from outlast.model.fence import FenceAgent, FenceDevice
from outlast.model.fence_answers import FenceTest
from outlast.model.node import Node

PORT = FenceDevice("fence_brocade", {"ip": "192.0.2.4", "plug": "7"}, "port")
DISKS = FenceDevice("fence_scsi", {"key": "2"}, "disks")
BOARD = FenceDevice("fence_ipmilan", {"ip": "192.0.2.2"}, "board")
OURS = FenceAgent("fence_ours", actions=("on", "off", "status"))


@pytest.mark.parametrize("agent", sorted(CUTS_OFF))
def test_an_agent_that_only_cuts_a_node_off_proves_nothing_and_it_is_said_what_becomes_of_the_node(agent: str) -> None:
    words = no_proof(FenceDevice(f"fence_{agent}"))
    assert f"fence_{agent} does not cut a node's power but {CUTS_OFF[agent]}: the node runs on" in words
    assert "when it is given that back it writes again" in words
    assert "use what cuts its power" in words


@pytest.mark.parametrize("agent", sorted(NO_PROOF))
def test_an_agent_that_asks_waits_or_pretends_proves_nothing(agent: str) -> None:
    assert NO_PROOF[agent] in no_proof(FenceDevice(f"/opt/site/fence_{agent}")), "wherever it lies"


def test_an_agent_that_cuts_the_power_is_proof_and_each_agent_is_one_of_the_three() -> None:
    assert proving([PORT, BOARD, DISKS]) == (BOARD,)
    assert not POWER & (CUTS_OFF.keys() | NO_PROOF.keys())
    assert not CUTS_OFF.keys() & NO_PROOF.keys()


@pytest.mark.parametrize(
    ("agent", "parameter", "words"),
    [
        ("fence_virsh", "missing_as_off", "a node that the device does not know"),
        ("fence_virsh", "missing-as-off", "a node that the device does not know"),
        ("fence_azure_arm", "network_fencing", "cut off from its network"),
    ],
)
def test_a_parameter_that_makes_an_agent_call_off_what_runs_takes_its_word_away(
    agent: str, parameter: str, words: str
) -> None:
    for yes in ("1", "yes", "True", "on"):
        assert words in no_proof(FenceDevice(agent, {parameter: yes}))
    assert no_proof(FenceDevice(agent, {parameter: "0"})) == ""


def test_an_unknown_agent_is_taken_for_one_that_cuts_the_power_after_a_warning() -> None:
    assert agent_no_proof("fence_ours", OURS) == ""
    assert "Outlast does not know fence_ours and takes it for one that cuts the power" in doubt("fence_ours")
    assert doubt("fence_ipmilan") == doubt("/usr/sbin/fence_outlast_lab") == ""


def test_an_unknown_agent_that_gives_a_node_something_back_when_it_starts_does_not_cut_the_power() -> None:
    fabric = FenceAgent("fence_ours", actions=OURS.actions, gives_back=True)
    words = agent_no_proof("fence_ours", fabric)
    assert "does not cut a node's power but something that it must be given back" in words


def test_an_unknown_agent_that_cannot_say_whether_a_node_is_off_is_of_no_use() -> None:
    words = agent_no_proof("fence_ours", FenceAgent("fence_ours", actions=("reboot", "monitor")))
    assert "fence_ours has no action off and no status" in words


# --- what follows from it ---------------------------------------------------------------------------------------------


def with_devices(*devices: FenceDevice) -> Node:
    return Node("n2", address="192.0.2.1", fence=devices)


def test_a_node_that_could_only_be_cut_off_is_not_fenced_and_waits_for_a_word() -> None:
    seen = view(nodes=[node("n1"), with_devices(PORT, DISKS)])
    actions, waits, _ = pursue(silence("n2"), seen)
    assert actions == []
    assert "its fence device" not in waits
    assert "`outlast node confirm-down n2`" in waits
    assert Guard(seen).spares(silence("n2")) == ""


def test_the_ladder_leaves_out_what_is_no_proof() -> None:
    assert in_levels([PORT, BOARD, FenceDevice("fence_mpath", name="paths", level=2)]) == [(BOARD,)]
    ladder = Ladder([PORT, BOARD], 0.0)
    assert [action.device for action in ladder.handle(None, 0.0) if isinstance(action, Off)] == ["board"]


def test_what_runs_on_a_node_that_can_only_be_cut_off_is_not_protected() -> None:
    web = group("web", on="n2")
    seen = view(web, nodes=[node("n1"), with_devices(PORT), node("n3")])
    assert not protection(web, seen).protected
    assert protection(web, view(web)).protected


def test_validate_says_loudly_that_a_device_is_no_proof_and_what_to_do() -> None:
    answers = FenceTest("n2", "port", "fence_brocade", 1, power="on")
    found = {one.about: one for one in fence_findings(view(nodes=[node("n1"), with_devices(PORT)]), [answers])}
    assert found["n2: port"].grave
    assert "it is no proof of death: fence_brocade does not cut a node's power" in found["n2: port"].problem
    assert "`outlast fence delete n2 port`" in found["n2: port"].advice
    assert found["n2"].grave
    assert "only an administrator's word could prove its death" in found["n2"].problem
