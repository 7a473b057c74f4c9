"""Fence agents that do not cut the power are refused, and those that were configured before are never used."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
from fence_script import AGENT, Script, ScriptedFence, always, unheard
from last_moment import Scene

from build import group, incarnation, resource
from outlast.model import keys
from outlast.model.fence import FenceAgent, FenceDevice
from outlast.model.node import Node
from outlast.service.commands import fence, nodes, validate
from outlast.service.commands.context import CommandError, Nothing
from outlast.service.commands.fence import Add, WantDevice, WantNode
from outlast.service.commands.nodes import FenceNode
from outlast.service.fence.fencing import Fencing
from outlast.service.store import put
from outlast.sim.loop import SimLoop

PORT = FenceDevice("fence_brocade", {"plug": "7"}, "port")
OURS = FenceDevice("fence_ours", {"plug": "2"}, "ours")
FABRIC = msgspec.structs.replace(AGENT, name="fence_ours", gives_back=True)
LIFE = incarnation("n2")


def installed(*agents: FenceAgent, **scripts: Script) -> ScriptedFence:
    script = ScriptedFence(**scripts)
    script.known |= {agent.name: agent for agent in agents}
    return script


def played(fence: ScriptedFence, story: Callable[[Scene], Awaitable[Any]], *devices: FenceDevice) -> Any:
    found: list[Any] = []
    scene = Scene(
        put(keys.GROUPS + "web", group("web", on="n2")),
        put(keys.RESOURCES + "web", resource("web")),
        put(keys.NODES + "n2", Node("n2", address="192.0.2.1", fence=devices)),
        fence=fence,
    )

    async def kept(scene: Scene) -> None:
        found.append(await story(scene))

    scene.play(kept, key="", happens=lambda: None)
    return found[0]


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        ("fence_brocade", "does not cut a node's power but its port of the storage network: the node runs on"),
        ("fence_scsi", "does not cut a node's power but the disks that it shares: the node runs on"),
        ("fence_sbd", "calls the node off when that is written, not when it was obeyed"),
        ("fence_dummy", "it is for tests"),
    ],
)
def test_an_agent_that_cuts_no_power_is_refused_with_the_reason_and_what_to_do(agent: str, words: str) -> None:
    script = installed(msgspec.structs.replace(AGENT, name=agent), it=Script(["on"]))
    with pytest.raises(CommandError, match=words) as refused:
        played(script, lambda s: fence.add(s.context, Add("n2", agent, {"plug": "7"}, "it", untested=True)))
    assert "use what cuts its power" in str(refused.value)
    assert script.asked == []


def test_an_agent_that_nobody_knows_is_taken_and_it_is_said_what_to_make_sure_of() -> None:
    script = installed(msgspec.structs.replace(AGENT, name="fence_ours"), ours=Script(["on"]))
    added = played(script, lambda s: fence.add(s.context, Add("n2", "fence_ours", {"plug": "2"}, "ours")))
    assert "Outlast does not know fence_ours and takes it for one that cuts the power" in added.doubt


def test_an_agent_that_nobody_knows_and_that_gives_back_what_it_took_is_refused() -> None:
    with pytest.raises(CommandError, match="does not cut a node's power but something that it must be given back"):
        played(installed(FABRIC), lambda s: fence.add(s.context, Add("n2", "fence_ours", {"plug": "2"}, "ours")))


def test_a_node_that_can_only_be_cut_off_is_not_fenced_by_hand_either() -> None:
    script = installed(port=Script(["n2 is off"]))
    with pytest.raises(CommandError, match="no fence device that could prove its death"):
        played(script, lambda s: nodes.fence(s.context, FenceNode("n2", alive=True)), PORT)
    assert script.asked == []


def test_what_was_configured_before_is_shown_tested_and_found_for_what_it_is_and_can_be_deleted() -> None:
    async def story(s: Scene) -> None:
        (row,) = await fence.list_devices(s.context, WantNode("n2"))
        assert "the node runs on" in row.no_proof
        (tested,) = await fence.test(s.context, WantNode("n2"))
        assert (tested.power, tested.proves) == ("", False)
        found = {one.about for one in await validate.validate(s.context, Nothing()) if one.grave}
        assert found == {"n2: port", "n2"}
        await fence.delete(s.context, WantDevice("n2", "port"))
        assert s.store.nodes["n2"].fence == ()

    answers = installed(port=Script(["on"]), fence_lab=Script(["on"]))
    played(answers, story, PORT)
    assert "port" not in {name for _, _, name in answers.asked}


def test_what_an_unknown_agent_says_of_itself_counts_also_for_a_device_that_was_configured_before() -> None:
    async def story(s: Scene) -> str:
        assert s.context.fencing is not None
        report = await s.context.fencing.prove_off(s.store.nodes["n2"], LIFE, allowed=always)
        assert not report.confirmed
        return report.errors["ours"]

    script = installed(FABRIC, ours=Script(["n2 is off"]))
    assert "does not cut a node's power" in played(script, story, OURS)
    assert script.asked == []


def test_two_voters_that_could_only_cut_each_other_off_do_not_go_on_alone() -> None:
    """Neither would have been off: both would go on (docs/quorum.md)."""
    script = ScriptedFence(port=Script(["n2 is off"]))

    async def story() -> str:
        fencing = Fencing(unheard(script), always, asyncio.Event())
        return (await fencing.prove_off(Node("n2", fence=(PORT,)), LIFE)).confirmed

    assert on_a_loop(story()) == ""
    assert script.asked == []


def test_nobody_is_given_a_port_back_by_a_proof_of_before() -> None:
    script = ScriptedFence(port=Script(["n2 is on"]))

    async def story() -> str:
        wake = asyncio.Event()
        fencing = Fencing(unheard(script), always, wake)
        fencing.switch_on(Node("n2", fence=(PORT,)), LIFE, ("port",))
        await wake.wait()
        return fencing.reports["n2"].on_again

    assert "could not be switched on again" in on_a_loop(story())
    assert script.asked == []


def on_a_loop(story: Awaitable[str]) -> str:
    loop = SimLoop()
    try:
        words: str = loop.run_until_complete(asyncio.wait_for(story, 60.0))
    finally:
        loop.close()
    return words
