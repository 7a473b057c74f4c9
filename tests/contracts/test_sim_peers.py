"""The simulated links between services keep the contract of the real ones."""

from peers_contract import SOON_S, PeersContract, Story

from nobody import Nobody
from outlast.ports.peers import Peers
from outlast.sim.clock import SimClock
from outlast.sim.links import Links
from outlast.sim.loop import SimLoop
from outlast.sim.machine import Machine
from outlast.sim.peers import Exchange, SimPeers
from outlast.sim.process import Process


class SimStage:
    def __init__(self, loop: SimLoop) -> None:
        self._loop = loop
        self._exchange = Exchange(Links(loop))
        self._machines = {name: Machine(name, loop, SimClock(loop), {}, 5.0, Nobody()) for name in ("a", "b", "c")}
        for machine in self._machines.values():
            machine.power_on("")
        self.a: Peers = SimPeers(self._exchange, self._machines["a"])
        self._stranger = SimPeers(self._exchange, self._machines["c"], certified=False)
        self.b: Peers
        self._process: Process
        self._begin()

    async def ask(self, topic: str, question: bytes = b"", *, timeout_s: float = SOON_S) -> bytes:
        return await self.a.ask("b", "b.simulated", topic, question, timeout_s=timeout_s)

    async def ask_as_stranger(self, topic: str, question: bytes = b"") -> bytes:
        return await self._stranger.ask("b", "b.simulated", topic, question, timeout_s=SOON_S)

    async def end_b(self) -> None:
        self._machines["b"].end(self._process)

    async def begin_b(self) -> None:
        self._begin()

    def _begin(self) -> None:
        _, self._process = self._machines["b"].spawn("service")
        self.b = SimPeers(self._exchange, self._machines["b"])
        self._process.context.run(self._loop.create_task, self.b.serve())


class TestSimPeers(PeersContract):
    def play(self, story: Story) -> None:
        loop = SimLoop()
        stage = SimStage(loop)

        async def main() -> None:
            await story(stage)

        try:
            loop.run_until_complete(main())
            assert loop.problems == []
        finally:
            loop.close()
