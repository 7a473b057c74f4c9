"""Writes that take something from another node, and the promises that forbid them (rule 11).

Everything that is written against a node (its silence, the proof of its death) passes through here. A promise to that
node is looked at in the moment of writing, without an `await` between; and from that moment until the outcome is known
this node promises it nothing.
"""

from collections.abc import Sequence

from outlast.core.membership.certainty import Pledges
from outlast.model import keys
from outlast.ports.database import Committed, Compare, Refused, Write
from outlast.ports.environment import Clock
from outlast.service.store import READ_TIMEOUT_S, Store


class Promised(Exception):
    """Nothing was written: this node has promised to decide nothing against that one. The text says so."""


class Deciding:
    def __init__(self, store: Store, pledges: Pledges, clock: Clock) -> None:
        self._store = store
        self._pledges = pledges
        self._clock = clock

    async def transact(
        self, about: str, compares: Sequence[Compare], writes: Sequence[Write], *, timeout_s: float = READ_TIMEOUT_S
    ) -> Committed | Refused:
        """As `Store.transact`, against the node `about`. Raises `Promised`."""
        now = self._clock.now()
        if not self._pledges.begin(about, now):
            left_s = self._pledges.left_s(about, now)
            raise Promised(f"{self._store.me} has promised to decide nothing against {about} for {left_s:.1f} s more")
        known = False
        try:
            outcome = await self._store.transact(compares, writes, timeout_s=timeout_s)
            known = self._store.revision >= outcome.revision
        finally:
            self._pledges.end(about, known=known)
        return outcome

    async def find_out(self) -> None:
        """Learn what became of writes whose outcome is not known. Raises `Unavailable`."""
        nodes = self._pledges.unknown
        if not nodes:
            return
        snapshot = await self._store.database.read(keys.SILENCES, timeout_s=READ_TIMEOUT_S)
        await self._store.reached(snapshot.revision, READ_TIMEOUT_S)
        if self._store.revision >= snapshot.revision:
            self._pledges.found_out(nodes)
