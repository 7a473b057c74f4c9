"""Do the fence devices answer? Asked from this node, and from the others: any of them may have to use them."""

import asyncio
from collections.abc import Iterable

import msgspec

from outlast.core.fence.fencing import called
from outlast.core.validation import contradiction
from outlast.model.fence import FenceDevice
from outlast.model.fence_answers import FenceTest
from outlast.model.node import Node
from outlast.ports.fence import FenceFailed
from outlast.ports.peers import NotAnswered, Peers, PeerUnreachable
from outlast.service.fence.devices import FenceDevices, ProvesNothing
from outlast.service.observation import Observation
from outlast.service.store import Store

FENCE_TEST = "fence-test"
ANSWER_S = 60.0


class FenceTests:
    """Switches nothing."""

    def __init__(self, store: Store, observation: Observation, devices: FenceDevices) -> None:
        self._store = store
        self._observation = observation
        self._devices = devices

    def register(self, peers: Peers) -> None:
        peers.answer(FENCE_TEST, self._answer)

    async def one(self, node: str, device: FenceDevice) -> FenceTest:
        found = FenceTest(node, called(device), device.agent, device.level, asked_by=self._store.me)
        try:
            power = await self._devices.status(node, device)
        except ProvesNothing as error:
            return msgspec.structs.replace(found, problem=str(error), proves=False)
        except FenceFailed as error:
            return msgspec.structs.replace(found, problem=str(error))
        return contradiction(msgspec.structs.replace(found, power=power.value), self._observation.view())

    async def here(self, nodes: Iterable[Node]) -> list[FenceTest]:
        """All devices of these nodes, beside each other."""
        return list(await asyncio.gather(*(self.one(node.name, device) for node in nodes for device in node.fence)))

    async def at(self, name: str, peers: Peers) -> list[FenceTest]:
        """What another member finds. One that does not answer finds nothing; that it does not is told elsewhere."""
        node = self._store.nodes.get(name)
        try:
            answer = await peers.ask(name, node.address if node else name, FENCE_TEST, b"", timeout_s=ANSWER_S)
            return msgspec.json.decode(answer, type=list[FenceTest])
        except (PeerUnreachable, NotAnswered, msgspec.DecodeError):
            return []

    async def _answer(self, asker: str, question: bytes) -> bytes:
        return msgspec.json.encode(await self.here(self._store.nodes.values()))
