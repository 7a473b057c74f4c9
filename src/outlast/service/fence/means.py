"""What fencing needs of the rest of the service: permission, and an ear on the peer links."""

import msgspec

from outlast.core.membership.membership import Session as OwnSession
from outlast.model import keys
from outlast.model.node import Node, Silence
from outlast.ports.database import Unavailable
from outlast.ports.environment import Clock, Environment
from outlast.ports.peers import NotAnswered, Peers, PeerUnreachable
from outlast.service.fence.devices import FenceDevices
from outlast.service.fence.hearing import Answering, Hearing
from outlast.service.fence.ladder import Allowed, Means
from outlast.service.store import Store

FRESH_READ_S = 1.0
ALIVE = "alive"


def means(env: Environment, devices: FenceDevices) -> Means:
    return Means(env.fence, env.clock, devices.to_prove, Hearing(_answering(env.peers), env.clock))


def may_fence(store: Store, session: OwnSession, clock: Clock) -> Allowed:
    """Only with a session, and for a silence that stands in the database now, not in an older picture of it."""

    async def allowed(node: str, incarnation: str) -> bool:
        if not session.valid(clock.now()):
            return False
        key = keys.SILENCES + node
        try:
            snapshot = await store.database.read(key, timeout_s=FRESH_READ_S)
        except Unavailable:
            return False
        standing = [entry.value for entry in snapshot.entries if entry.key == key]
        if not standing or msgspec.json.decode(standing[0], type=Silence).incarnation != incarnation:
            return False
        return session.valid(clock.now())

    return allowed


def _answering(peers: Peers | None) -> Answering:
    async def answering(node: Node, timeout_s: float) -> bool:
        if peers is None:
            return False
        try:
            await peers.ask(node.name, node.address, ALIVE, b"", timeout_s=timeout_s)
        except PeerUnreachable:
            return False
        except NotAnswered:
            return True  # who refuses lives as well
        return True

    return answering
