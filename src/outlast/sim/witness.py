"""What runs on the simulated witness: nothing but the keeper of its member, and the link to the other machines."""

import asyncio
from collections.abc import Callable

from outlast.model.member import Part
from outlast.service.quorum.member_keeper import MemberKeeper
from outlast.sim.engine import Engine
from outlast.sim.loop import SimLoop
from outlast.sim.machine import Machine
from outlast.sim.peers import Exchange, SimPeers
from outlast.sim.process import OUTSIDE


class Witness:
    def __init__(
        self,
        machine: Machine,
        engine: Engine,
        exchange: Exchange,
        loop: SimLoop,
        failed: Callable[[str, BaseException], None],
    ) -> None:
        self._machine = machine
        self._engine = engine
        self._exchange = exchange
        self._loop = loop
        self._failed = failed

    def start_later(self, after_s: float) -> None:
        """Unless the machine loses power before."""
        _, init = self._machine.spawn("init")
        self._loop.call_later(after_s, self._start, context=init.context)

    def _start(self) -> None:
        _, process = self._machine.spawn("witness")
        process.context.run(self._run)

    def _run(self) -> None:
        name = self._machine.name
        peers = SimPeers(self._exchange, self._machine)
        members, local = self._engine.asked_by(self._engine.connect(name)), self._engine.of(name)
        assert members is not None
        assert local is not None
        keeper = MemberKeeper(
            name, local, members, peers, self._machine.clock, same_life=lambda: False, part=Part.WITNESS
        )

        async def run() -> None:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(peers.serve())
                tasks.create_task(keeper.run())

        task = self._loop.create_task(run(), name=f"witness {name}")
        task.add_done_callback(self._ended, context=OUTSIDE)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._failed(f"the keeper of {self._machine.name}", error)
