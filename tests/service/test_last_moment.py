"""What was decided from a picture that is not true any more, is refused, and decided anew."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import pytest
from fence_script import Script, ScriptedFence, always, unheard
from last_moment import Scene

from build import group, incarnation, node, resource, session, silence, status
from outlast.model import keys
from outlast.model.group import AWAY
from outlast.model.node import ProofKind
from outlast.model.status import State
from outlast.ports.database import Delete
from outlast.service.commands.context import CommandError, Named
from outlast.service.commands.nodes import confirm_down
from outlast.service.fence.fencing import Fencing
from outlast.service.store import put
from outlast.sim.loop import SimLoop

WEB = group("web", on="n2")
A_GROUP = put(keys.GROUPS + "web", WEB)
A_RESOURCE = put(keys.RESOURCES + "web", resource("web"))
BACK = put(keys.SESSIONS + "n2", session("n2", life=2))
DEAD = put(keys.SILENCES + "n2", silence("n2", proof=ProofKind.FENCE))
FAILED = put(keys.STATUS + "web", status(WEB, State.FAILED))
RUNS = put(keys.STATUS + "web", status(WEB, State.ONLINE))
TRIES_AGAIN = put(keys.STATUS + "web", status(WEB, State.ONLINE_PENDING))


def coordinated(for_s: float = 2.0) -> Callable[[Scene], Awaitable[None]]:
    return lambda scene: scene.coordinate(for_s)


def nothing() -> None:
    return


def test_what_a_node_left_behind_is_placed_but_not_when_it_is_back_at_the_last_moment() -> None:
    scene = Scene(A_GROUP, A_RESOURCE, away=["n2"])
    scene.play(coordinated(), key=A_GROUP.key, happens=nothing)
    assert scene.group("web").owner == "n1"

    scene = Scene(A_GROUP, A_RESOURCE, away=["n2"])
    scene.play(coordinated(), key=A_GROUP.key, happens=lambda: scene.commit(BACK))
    assert (scene.group("web").owner, scene.group("web").epoch) == ("n2", WEB.epoch)


def test_the_groups_of_a_dead_node_move_but_not_when_it_is_back_at_the_last_moment() -> None:
    scene = Scene(A_GROUP, A_RESOURCE, DEAD)
    scene.play(coordinated(), key=A_GROUP.key, happens=nothing)
    assert scene.group("web").owner == "n1"

    scene = Scene(A_GROUP, A_RESOURCE, DEAD)
    scene.play(coordinated(), key=A_GROUP.key, happens=lambda: scene.commit(BACK, Delete(DEAD.key)))
    assert scene.group("web").owner == "n2"


def test_a_failed_group_moves_but_not_when_its_owner_takes_its_report_back_at_the_last_moment() -> None:
    scene = Scene(A_GROUP, A_RESOURCE, FAILED)
    scene.play(coordinated(), key=A_GROUP.key, happens=nothing)
    assert scene.group("web").owner == "n1"

    scene = Scene(A_GROUP, A_RESOURCE, FAILED)
    scene.play(coordinated(), key=A_GROUP.key, happens=lambda: scene.commit(TRIES_AGAIN))
    assert scene.group("web").owner == "n2"


def test_a_drained_node_gives_its_groups_away_but_not_when_it_is_resumed_at_the_last_moment() -> None:
    drained = put(keys.NODES + "n2", msgspec.structs.replace(node("n2"), paused=True, draining=True, force_drain=True))
    only_there = put(keys.GROUPS + "web", msgspec.structs.replace(WEB, possible_owners=("n2",)))
    scene = Scene(only_there, A_RESOURCE, RUNS, drained)
    scene.play(coordinated(), key=A_GROUP.key, happens=nothing)
    assert scene.group("web").move_to == AWAY

    scene = Scene(only_there, A_RESOURCE, RUNS, drained)
    scene.play(coordinated(), key=A_GROUP.key, happens=lambda: scene.commit(put(keys.NODES + "n2", node("n2"))))
    assert (scene.group("web").move_to, scene.group("web").moves) == ("", 0)


def test_a_node_that_renews_at_the_last_moment_is_not_declared_silent_and_its_next_silence_is_not_missed() -> None:
    beats = put(keys.SESSIONS + "n2", msgspec.structs.replace(session("n2"), beat=8))
    scene = Scene(away=["n3"])
    scene.play(coordinated(9.5), key=keys.SILENCES + "n2", happens=lambda: scene.commit(beats))
    assert scene.silences() == {}

    scene = Scene(away=["n3"])
    scene.play(coordinated(11.0), key=keys.SILENCES + "n2", happens=lambda: scene.commit(beats))
    assert list(scene.silences()) == ["n2"]


def test_an_administrators_word_counts_for_a_silent_node_but_not_when_it_is_back_at_the_last_moment() -> None:
    async def confirmed(scene: Scene) -> None:
        await asyncio.sleep(5.5)
        await confirm_down(scene.context, Named("n2"))

    scene = Scene(A_GROUP, A_RESOURCE)
    scene.play(confirmed, key=keys.SILENCES + "n2", happens=nothing)
    proof = scene.silences()["n2"].proof
    assert proof is not None
    assert proof.kind is ProofKind.OPERATOR

    scene = Scene(A_GROUP, A_RESOURCE)
    with pytest.raises(CommandError, match="n2 is alive"):
        scene.play(confirmed, key=keys.SILENCES + "n2", happens=lambda: scene.commit(BACK))
    assert scene.silences() == {}


def test_a_fence_agent_that_cannot_be_started_is_tried_again_and_its_trouble_is_told() -> None:
    trouble = PermissionError("fence_lab cannot be executed")

    async def fenced() -> list[str]:
        wake, words = asyncio.Event(), []
        flaky = ScriptedFence(fence_lab=Script([trouble, trouble, "n2 is off"]))
        fencing = Fencing(unheard(flaky), always, wake)
        fencing.start(node("n2"), incarnation("n2"))
        while not fencing.reports["n2"].confirmed:
            wake.clear()
            await wake.wait()
            words.append(fencing.reports["n2"].confirmed or fencing.reports["n2"].errors["fence_lab"])
        return words

    loop = SimLoop()
    words = loop.run_until_complete(asyncio.wait_for(fenced(), 60.0))
    loop.close()
    assert words == [*["fence_lab cannot be executed"] * 2, "fence_lab confirmed: n2 is off"]
