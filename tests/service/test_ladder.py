"""How the devices of a node are tried, and who is believed: on the simulator's loop; the devices follow a script."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from fence_script import Script, ScriptedFence, always, means, nobody, unheard

from build import incarnation
from outlast.model.fence import FenceDevice
from outlast.model.node import Node
from outlast.model.view import FenceReport
from outlast.ports.fence import FenceFailed
from outlast.service.fence.fencing import Fencing
from outlast.service.fence.ladder import Means
from outlast.sim.loop import SimLoop

REFUSED = FenceFailed("no contact with the BMC")
LIFE = incarnation("n2")


def device(
    name: str, level: int = 1, *, attempts: int = 1, timeout_s: float = 20.0, delay_s: float = 0.0
) -> FenceDevice:
    return FenceDevice("fence_lab", name=name, level=level, attempts=attempts, timeout_s=timeout_s, delay_s=delay_s)


def played(story: Callable[[], Awaitable[Any]]) -> Any:
    loop = SimLoop()
    try:
        return loop.run_until_complete(asyncio.wait_for(story(), 1000.0))
    finally:
        assert loop.problems == []
        loop.close()


def proven_off(means: Means, *devices: FenceDevice, delay_s: float = 0.0) -> tuple[FenceReport, float]:
    """The report after one way up the ladder, and how long that took."""

    async def story() -> tuple[FenceReport, float]:
        fencing = Fencing(means, always, asyncio.Event())
        report = await fencing.prove_off(Node("n2", fence=devices), LIFE, delay_s=delay_s)
        return report, asyncio.get_running_loop().time()

    found: tuple[FenceReport, float] = played(story)
    return found


def heard(fence: ScriptedFence, answers: Callable[[], bool], *, takes_s: float = 0.01) -> Means:
    """Somebody answers on the node's peer link."""

    async def answering(node: Node, timeout_s: float) -> bool:
        await asyncio.sleep(takes_s)
        return takes_s <= timeout_s and answers()

    return means(fence, answering)


def test_a_dead_node_that_was_listened_to_before_costs_no_time_but_what_its_device_takes() -> None:
    async def story() -> tuple[FenceReport, float]:
        ways = unheard(ScriptedFence(board=Script(takes_s=0.5)))
        dead = Node("n2", fence=(device("board"),))
        ways.hearing.listen_to({"n2": dead})
        await asyncio.sleep(2.5)
        report = await Fencing(ways, always, asyncio.Event()).prove_off(dead, LIFE)
        return report, asyncio.get_running_loop().time() - 2.5

    report, took_s = played(story)
    assert report.confirmed == "board confirmed: it is off"
    assert report.by == ("board",)
    assert took_s < 0.6


def test_who_needs_long_for_its_first_answer_is_waited_for_and_not_taken_for_dead() -> None:
    lying = ScriptedFence(board=Script(["n2 is off"], takes_s=0.01))
    report, _ = proven_off(heard(lying, lambda: True, takes_s=0.9), device("board"))
    assert report.confirmed == ""


def test_a_board_that_died_with_its_host_is_followed_by_the_next_level() -> None:
    fence = ScriptedFence(strip=Script(["both outlets are off"]))
    report, _ = proven_off(unheard(fence), device("board", timeout_s=8.0), device("strip", 2))
    assert report.confirmed == "strip confirmed: both outlets are off"
    assert fence.asked == [(0.0, "off", "board"), (8.0, "off", "strip")]


def test_two_power_supplies_are_switched_beside_each_other_and_both_must_be_off() -> None:
    fence = ScriptedFence(left=Script(takes_s=2.0), right=Script(takes_s=3.0))
    report, took_s = proven_off(unheard(fence), device("left"), device("right"))
    assert report.by == ("left", "right")
    assert took_s < 3.5

    fence = ScriptedFence(left=Script(takes_s=2.0), right=Script([REFUSED]))
    report, _ = proven_off(unheard(fence), device("left"), device("right"))
    assert report.confirmed == ""
    assert report.errors == {"right": "no contact with the BMC"}
    assert fence.ended == ["left"], "nobody waits for the other one any more"


def test_a_device_that_hangs_is_given_up_in_time_and_the_next_level_confirms() -> None:
    fence = ScriptedFence(board=Script(takes_s=1e9), strip=Script())
    report, took_s = proven_off(unheard(fence), device("board", timeout_s=5.0), device("strip", 2))
    assert report.by == ("strip",)
    assert took_s < 6.0


def test_who_still_answers_after_the_device_called_it_off_is_not_dead_and_the_words_say_so() -> None:
    lying = ScriptedFence(board=Script(["n2 is off"]))
    report, _ = proven_off(heard(lying, lambda: True), device("board"))
    assert report.confirmed == ""
    assert report.errors == {"board": "it says that n2 is off, but n2 still answers: this is no proof"}


def test_after_a_lie_the_next_level_is_believed_when_the_node_has_fallen_silent() -> None:
    fence = ScriptedFence(board=Script(["n2 is off"]), strip=Script(["n2 is off"], takes_s=5.0))
    strip_has_cut = 3.0

    def lives() -> bool:
        return asyncio.get_running_loop().time() < strip_has_cut

    report, _ = proven_off(heard(fence, lives), device("board"), device("strip", 2))
    assert report.by == ("strip",)


def test_the_side_that_shall_lose_waits_before_it_shoots() -> None:
    fence = ScriptedFence(board=Script())
    proven_off(unheard(fence), device("board", delay_s=1.0), delay_s=3.0)
    assert fence.asked == [(4.0, "off", "board")]


def test_nobody_is_switched_off_who_may_not_be_any_more() -> None:
    fence = ScriptedFence(board=Script([REFUSED]))
    allowed = [True]

    async def may_fence(node: str, life: str) -> bool:
        return allowed[0]

    async def story() -> None:
        fencing = Fencing(unheard(fence), may_fence, asyncio.Event())
        fencing.start(Node("n2", fence=(device("board"),)), LIFE)
        await asyncio.sleep(0.5)
        allowed[0] = False
        await asyncio.sleep(60.0)

    played(story)
    assert [verb for _, verb, _ in fence.asked] == ["off"]


def test_an_agent_at_work_is_ended_when_nobody_waits_for_that_death_any_more() -> None:
    fence = ScriptedFence(board=Script(takes_s=10.0))

    async def story() -> dict[str, FenceReport]:
        fencing = Fencing(unheard(fence), always, asyncio.Event())
        fencing.start(Node("n2", fence=(device("board"),)), LIFE)
        await asyncio.sleep(1.0)
        fencing.stop("n2")
        await asyncio.sleep(20.0)
        return fencing.reports

    assert played(story) == {}
    assert fence.ended == ["board"]


def test_another_life_of_the_node_is_fenced_anew_and_what_was_asked_for_the_old_one_is_ended() -> None:
    fence = ScriptedFence(board=Script(takes_s=10.0))

    async def story() -> FenceReport:
        fencing, node = Fencing(unheard(fence), always, asyncio.Event()), Node("n2", fence=(device("board"),))
        assert fencing.start(node, LIFE)
        assert not fencing.start(node, LIFE), "that is under way"
        await asyncio.sleep(1.0)
        assert fencing.start(node, incarnation("n2", 2))
        await asyncio.sleep(15.0)
        assert not fencing.start(node, incarnation("n2", 2)), "that is done"
        return fencing.reports["n2"]

    report: FenceReport = played(story)
    assert report.incarnation == incarnation("n2", 2)
    assert report.confirmed
    assert fence.ended == ["board"]


def switched_on(fence: ScriptedFence, *by: str) -> str:
    async def story() -> str:
        fencing = Fencing(unheard(fence), always, asyncio.Event())
        node = Node("n2", fence=(device("left"), device("right"), device("strip", 2)))
        fencing.switch_on(node, LIFE, by)
        await asyncio.sleep(120.0)
        return fencing.reports["n2"].on_again

    words: str = played(story)
    return words


def test_the_devices_that_switched_a_node_off_switch_it_on_again() -> None:
    fence = ScriptedFence(left=Script(["n2 is on"]), right=Script(["n2 is on"]))
    assert switched_on(fence, "left", "right") == "n2 was switched on again (left: n2 is on; right: n2 is on)"
    assert [name for _, _, name in fence.asked] == ["left", "right"]


def test_a_node_that_cannot_be_switched_on_again_is_left_after_a_few_attempts_and_it_is_told() -> None:
    fence = ScriptedFence(strip=Script([REFUSED]))
    assert switched_on(fence, "strip") == "n2 could not be switched on again: no contact with the BMC"
    assert len(fence.asked) == 3


def test_secrets_that_cannot_be_had_are_a_refusal_like_any_other() -> None:
    async def unsealed(sealed: FenceDevice) -> FenceDevice:
        if sealed.name == "board":
            raise FenceFailed("its secret parameters cannot be had: this node has no key")
        return sealed

    report, _ = proven_off(means(ScriptedFence(strip=Script()), nobody, unsealed), device("board"), device("strip", 2))
    assert report.by == ("strip",)
