"""Who writes down that nothing is started or stopped until somebody has said what runs where?

A hold counts at once on the node that knows why (`service/store.py`): one on which the quorum was forced, and any that
sees that the database has gone on without what it knew. For all others it counts when it stands in the database. So
each that keeps one writes it there, as soon as a write comes through; and the one on which the quorum was forced
forgets what it has noted (`model/roll.py`) only then.
"""

import asyncio

import msgspec
import structlog

from outlast.model import keys
from outlast.model.settings import Settings
from outlast.ports.database import Committed, Compare, Unavailable
from outlast.service.quorum.member_keeper import MemberKeeper
from outlast.service.store import Store, put

log = structlog.get_logger()

RETRY_S = 0.1
ANSWER_S = 0.5


class Holding:
    def __init__(self, store: Store, keeper: MemberKeeper | None) -> None:
        self._store = store
        self._keeper = keeper
        self._written_in = 0
        """The revision in which this node has written one that its picture does not show yet."""

    async def run(self) -> None:
        while True:
            await self._store.held.wait()
            while self._noted() or self._store.held_here:
                try:
                    await self._round()
                except (Unavailable, OSError) as error:
                    log.debug("the hold cannot be written yet", why=str(error))
                await asyncio.sleep(RETRY_S)
            self._written_in = 0

    def _noted(self) -> str:
        return self._keeper.noted.hold if self._keeper is not None else ""

    async def _round(self) -> None:
        store, keeper = self._store, self._keeper
        noted = keeper.noted if keeper is not None and keeper.noted.hold else None
        if keeper is not None and noted is None and keeper.left_hold and store.held_here == keeper.left_hold:
            return
        if keeper is not None and noted is not None:
            if not keeper.follows or noted.alone_from:
                return  # it is not certain yet which database would be written to
            nodes = await store.database.read(keys.NODES, timeout_s=ANSWER_S)
            if {entry.key.removeprefix(keys.NODES) for entry in nodes.entries} <= {store.me, *noted.hold_without}:
                keeper.hold_is_over(everywhere=True)
                return
        if not self._written_in and not await self._write(noted.hold if noted is not None else store.held_here):
            return
        if keeper is not None and noted is not None:
            keeper.hold_is_over(everywhere=False)
        if store.held_here and store.revision >= self._written_in:
            store.hold("")  # the picture shows what became of it

    async def _write(self, hold: str) -> bool:
        """By what the database says now: the picture may still be of a history that is over. True: one stands there."""
        store = self._store
        found = await store.database.read(keys.CLUSTER, timeout_s=ANSWER_S)
        entry = next((entry for entry in found.entries if entry.key == keys.CLUSTER), None)
        if entry is None or not hold:
            return False
        present = msgspec.json.decode(entry.value, type=Settings)
        if present.hold:
            self._written_in = found.revision
            return True
        generation = max(present.generation, self._keeper.noted.generation if self._keeper is not None else 0)
        held = msgspec.structs.replace(present, hold=hold, generation=generation)
        outcome = await store.database.transact(
            [Compare(keys.CLUSTER, entry.revision)], [put(keys.CLUSTER, held)], timeout_s=ANSWER_S
        )
        if not isinstance(outcome, Committed):
            return False
        log.warning("nothing is started or stopped until it is said what runs where", why=hold)
        self._written_in = outcome.revision
        return True
