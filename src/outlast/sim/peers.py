"""How do the services of the simulated nodes speak to each other? The port of peers, on links that can be cut.

An `Exchange` knows who listens where; `SimPeers(exchange, machine)` is what one life of a node's service holds. A
question takes one way, is answered in the process of the one who is asked, and its answer takes another way. Who is
dead or cut off does not answer; a frozen one answers when it is thawed, which is too late; where a machine has power
and no service, nobody listens, and that is heard at once.
"""

import asyncio
from collections.abc import Callable

from outlast.ports.peers import Handler, NotAnswered, PeerUnreachable
from outlast.sim.links import Links, Plane
from outlast.sim.machine import Machine
from outlast.sim.process import OUTSIDE, PROCESS, Process


class Exchange:
    """All addresses of all machines."""

    def __init__(self, links: Links) -> None:
        self.links = links
        self.machines: dict[str, Machine] = {}
        self.listening: dict[str, SimPeers] = {}
        self.on_answer: Callable[[str, str, str, bytes], None] = lambda asker, by, topic, said: None
        """Told of each answer that is no refusal, in the moment in which it is given."""

    def listener(self, node: str) -> "SimPeers | None":
        """Of a process that has died nothing listens any more."""
        peers = self.listening.get(node)
        return peers if peers is not None and peers.alive else None

    def on(self, node: str) -> bool:
        machine = self.machines.get(node)
        return machine is not None and machine.on


class SimPeers:
    def __init__(self, exchange: Exchange, machine: Machine, *, certified: bool = True) -> None:
        """Without a certificate it is a stranger to all others."""
        self._exchange = exchange
        self._machine = machine
        self._name = machine.name if certified else ""
        self._handlers: dict[str, tuple[Handler, bool]] = {}
        self._process: Process | None = None
        self._serving: asyncio.Future[None] | None = None
        """Never done; held, so that whoever awaits it is held too."""
        exchange.machines[machine.name] = machine

    @property
    def alive(self) -> bool:
        return self._process is None or self._process.alive

    async def ask(self, node: str, address: str, topic: str, question: bytes, *, timeout_s: float) -> bytes:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[bytes] = loop.create_future()
        self._send(self._machine.name, node, lambda: self._arrived(node, topic, question, answer))
        try:
            async with asyncio.timeout(timeout_s):
                return await answer
        except TimeoutError:
            raise PeerUnreachable(f"{node} did not answer within {timeout_s:.1f} s") from None

    def answer(self, topic: str, handler: Handler, *, strangers: bool = False) -> None:
        self._handlers[topic] = (handler, strangers)

    async def serve(self) -> None:
        self._process = PROCESS.get(None)
        self._exchange.listening[self._machine.name] = self
        try:
            self._serving = asyncio.get_running_loop().create_future()
            await self._serving
        finally:
            if self._exchange.listening.get(self._machine.name) is self:
                del self._exchange.listening[self._machine.name]

    # --- under way ------------------------------------------------------------------------------------------------

    def _arrived(self, node: str, topic: str, question: bytes, answer: "asyncio.Future[bytes]") -> None:
        other = self._exchange.listener(node)
        if other is not None:
            context = other._process.context if other._process is not None else None
            self._machine.loop.create_task(other._serve(self, topic, question, answer), context=context)
        elif self._exchange.on(node):
            refused = PeerUnreachable(f"nobody answers for {node}: its cluster service does not run")
            self._send(node, self._machine.name, lambda: _fail(answer, refused))

    async def _serve(self, asker: "SimPeers", topic: str, question: bytes, answer: "asyncio.Future[bytes]") -> None:
        handler, strangers = self._handlers.get(topic, (_unknown, True))
        back = self._machine.name, asker._machine.name
        try:
            if not asker._name and not strangers:
                raise NotAnswered(f"{self._machine.name} answers this to members of the cluster only")
            said = await handler(asker._name, question)
        except NotAnswered as error:
            refusal = NotAnswered(str(error))
            self._send(*back, lambda: _fail(answer, refusal))
        else:
            self._exchange.on_answer(asker._name, self._machine.name, topic, said)
            self._send(*back, lambda: _tell(answer, said))

    def _send(self, sender: str, receiver: str, arrive: Callable[[], None]) -> None:
        links = self._exchange.links
        if links.carries(sender, receiver, Plane.SERVICE):
            way_s = links.way_s(sender, receiver, Plane.SERVICE)
            asyncio.get_running_loop().call_later(way_s, self._carry, sender, receiver, arrive, context=OUTSIDE)

    def _carry(self, sender: str, receiver: str, arrive: Callable[[], None]) -> None:
        if self._exchange.links.carries(sender, receiver, Plane.SERVICE) and self._exchange.on(receiver):
            arrive()


async def _unknown(asker: str, question: bytes) -> bytes:
    raise NotAnswered("it does not know what that means")


def _fail(answer: "asyncio.Future[bytes]", error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)


def _tell(answer: "asyncio.Future[bytes]", said: bytes) -> None:
    if not answer.done():
        answer.set_result(said)
