"""Links between simulated machines, and what services say to each other on them."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from nobody import Nobody
from outlast.ports.peers import NotAnswered, PeerUnreachable
from outlast.sim.clock import SimClock
from outlast.sim.links import BOTH_PLANES, Links, Plane
from outlast.sim.loop import SimLoop
from outlast.sim.machine import Machine
from outlast.sim.peers import Exchange, SimPeers
from outlast.sim.process import Process

WAY_S = 0.01
TIMEOUT_S = 1.0


class Stage:
    """Two nodes whose services answer "who" with who asked."""

    def __init__(self) -> None:
        self.loop = SimLoop()
        self.links = Links(self.loop, way_s=lambda: WAY_S)
        exchange = Exchange(self.links)
        self.machines = {name: Machine(name, self.loop, SimClock(self.loop), {}, 5.0, Nobody()) for name in ("a", "b")}
        self.processes: dict[str, Process] = {}
        self.peers: dict[str, SimPeers] = {}
        for name, machine in self.machines.items():
            machine.power_on("")
            _, self.processes[name] = machine.spawn("service")
            self.peers[name] = SimPeers(exchange, machine)
            self.peers[name].answer("who", self._who)
            self.processes[name].context.run(self.loop.create_task, self.peers[name].serve())
        self.stranger = SimPeers(exchange, self.machines["a"], certified=False)

    async def _who(self, asker: str, question: bytes) -> bytes:
        if question == b"refuse":
            raise NotAnswered("not today")
        return b"it was " + asker.encode()

    async def ask(self, question: bytes = b"") -> bytes:
        return await self.peers["a"].ask("b", "b", "who", question, timeout_s=TIMEOUT_S)

    def play(self, story: "Callable[[], Awaitable[None]]") -> None:
        async def main() -> None:
            await asyncio.sleep(0)
            await story()

        try:
            self.loop.run_until_complete(main())
            assert self.loop.problems == []
        finally:
            self.loop.close()


def test_an_answer_takes_the_way_there_and_back() -> None:
    stage = Stage()

    async def story() -> None:
        assert await stage.ask() == b"it was a"
        assert stage.loop.time() == pytest.approx(2 * WAY_S)

    stage.play(story)


@pytest.mark.parametrize(("sender", "receiver"), [("a", "b"), ("b", "a")])
def test_a_link_cut_in_one_direction_is_enough_to_get_no_answer(sender: str, receiver: str) -> None:
    stage = Stage()

    async def story() -> None:
        stage.links.cut(sender, receiver, (Plane.SERVICE,))
        with pytest.raises(PeerUnreachable):
            await stage.ask()
        assert stage.loop.time() == pytest.approx(TIMEOUT_S)
        stage.links.heal(sender, receiver)
        assert await stage.ask() == b"it was a"

    stage.play(story)


def test_the_databases_network_is_another_one() -> None:
    stage = Stage()

    async def story() -> None:
        stage.links.cut("a", "b", (Plane.DATABASE,))
        assert await stage.ask() == b"it was a"
        assert not stage.links.carries("a", "b", Plane.DATABASE)
        assert stage.links.carries("b", "a", Plane.DATABASE)

    stage.play(story)


def test_who_refuses_is_heard_with_his_words() -> None:
    stage = Stage()

    async def story() -> None:
        with pytest.raises(NotAnswered, match="not today"):
            await stage.ask(b"refuse")

    stage.play(story)


def test_a_stranger_gets_answers_only_to_what_strangers_may_ask() -> None:
    stage = Stage()

    async def story() -> None:
        with pytest.raises(NotAnswered, match="members of the cluster"):
            await stage.stranger.ask("b", "b", "who", b"", timeout_s=TIMEOUT_S)
        stage.peers["b"].answer("enrol", stage._who, strangers=True)
        assert await stage.stranger.ask("b", "b", "enrol", b"", timeout_s=TIMEOUT_S) == b"it was "

    stage.play(story)


def test_a_frozen_service_does_not_answer_and_a_dead_one_is_refused_at_once() -> None:
    stage = Stage()

    async def story() -> None:
        stage.processes["b"].freeze()
        with pytest.raises(PeerUnreachable):
            await stage.ask()
        assert stage.loop.time() == pytest.approx(TIMEOUT_S)
        stage.machines["b"].end(stage.processes["b"])
        with pytest.raises(PeerUnreachable):
            await stage.ask()
        assert stage.loop.time() == pytest.approx(TIMEOUT_S + 2 * WAY_S)

    stage.play(story)


def test_a_machine_without_power_is_not_heard_at_all() -> None:
    stage = Stage()

    async def story() -> None:
        stage.machines["b"].power_off("power cut")
        with pytest.raises(PeerUnreachable):
            await stage.ask()
        assert stage.loop.time() == pytest.approx(TIMEOUT_S)

    stage.play(story)


def test_a_slow_link_is_late_and_a_flapping_one_is_cut_and_whole_in_turn() -> None:
    stage = Stage()

    async def story() -> None:
        stage.links.slow("a", "b", 0.3)
        await stage.ask()
        assert stage.loop.time() == pytest.approx(0.3 + 2 * WAY_S)
        stage.links.flap("a", "b", 10.0)
        seen = []
        for _ in range(4):
            await asyncio.sleep(2.5)
            seen.append(stage.links.carries("a", "b", Plane.SERVICE))
            await asyncio.sleep(2.5)
        assert seen == [False, True, False, True]
        stage.links.heal_all()
        assert stage.links.whole
        assert all(stage.links.connects("a", "b", plane) for plane in BOTH_PLANES)

    stage.play(story)
