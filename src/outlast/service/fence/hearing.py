"""Is a node heard on its peer link, although its session has fallen silent? Then no device's word makes it dead.

The question is put long before the answer is needed: from half of the node's time-out on. So one that is really dead
costs no time, and one that is only slow to answer, on a machine that is busy, has been heard all the same.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from outlast.core.fence.agents import proving
from outlast.model.node import Node
from outlast.ports.environment import Clock
from outlast.service.observation import Observation
from outlast.service.store import Store

Answering = Callable[[Node, float], Awaitable[bool]]
"""Does the node's service answer on its peer link within so many seconds?"""

ASK_S = 1.0
"""So long one question waits for its answer. A proof waits for the first question, wherever it began late."""
ASK_EVERY_S = 0.5
KEPT_S = 10.0
"""So long after a node was called silent it is still listened to, unless its fencing has taken that over."""


class Ear:
    """Listens to one node, in whatever life: a machine that has just been off answers nothing yet.

    Only one that has answered since the beginning is asked again after it was called off.
    """

    def __init__(self, answering: Answering, clock: Clock, node: Node) -> None:
        self._answering = answering
        self._clock = clock
        self._node = node
        self._heard = False
        self._asked = asyncio.Event()
        self._since_s = clock.now()
        self._listening = asyncio.get_running_loop().create_task(self._listen(), name=f"listen to {node.name}")

    async def goes_on(self) -> bool:
        """Asked after it was called off: does it live all the same?"""
        left_s = self._since_s + ASK_S - self._clock.now()
        try:
            async with asyncio.timeout(max(0.0, left_s)):
                await self._asked.wait()
        except TimeoutError:
            return False
        return self._heard and await self._answers()

    def close(self) -> None:
        self._listening.cancel()

    async def _listen(self) -> None:
        while not self._heard:
            self._heard = await self._answers()
            self._asked.set()
            await asyncio.sleep(ASK_EVERY_S)

    async def _answers(self) -> bool:
        return await self._answering(self._node, ASK_S)


class Hearing:
    """The ears for those whose silence nears."""

    def __init__(self, answering: Answering, clock: Clock) -> None:
        self._answering = answering
        self._clock = clock
        self._ears: dict[str, Ear] = {}

    async def run(self, store: Store, observation: Observation) -> None:
        """Until cancelled. On every node: the one that will coordinate may not be the one that does."""
        try:
            while True:
                overdue, wake_in_s = observation.overdue(KEPT_S)
                self.listen_to({name: store.nodes[name] for name in overdue if name in store.nodes})
                await asyncio.sleep(wake_in_s)
        finally:
            self.listen_to({})

    def listen_to(self, nodes: Mapping[str, Node]) -> None:
        """To these and no others. One without a fence device need not be heard."""
        for name in [name for name in self._ears if name not in nodes]:
            self._ears.pop(name).close()
        for name, node in nodes.items():
            if proving(node.fence) and name not in self._ears:
                self._ears[name] = Ear(self._answering, self._clock, node)

    def take(self, node: Node) -> Ear:
        """The one that has listened already, or a new one. Who takes it closes it."""
        return self._ears.pop(node.name, None) or Ear(self._answering, self._clock, node)
