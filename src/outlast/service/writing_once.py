"""Writes that people asked for, sent again when their answer was lost, and done once all the same.

etcd drops what its leader had in hand when it is lost, and says nothing: each change of leader would be an error for
whoever asks for something in that moment. What is written here carries an event, under a key that nothing else has. It
is written only while that key is not there: so it happens once, however often it is sent, and whether the key is there
tells what became of it. A write without an event is sent once.
"""

from collections.abc import Sequence

from outlast.model import keys
from outlast.ports.database import Committed, Compare, Put, Refused, Unavailable, Uncertain, Unwritable, Write
from outlast.ports.environment import Clock
from outlast.service.store import Store

TRY_S = 4.0
"""Longer than etcd takes to elect another leader (0.5 to 1 s, docs/etcd.md) and to answer from a slow disk."""
AGAIN_WITHIN_S = 8.0
"""No try begins later; with `TRY_S` and `LOOK_S` within what a command waits for its answer (15 s)."""
LOOK_S = 1.0


async def transact_once(
    store: Store, clock: Clock, compares: Sequence[Compare], writes: Sequence[Write]
) -> Committed | Refused:
    """As `Store.transact`. Raises `Uncertain` only when asking again did not help either."""
    mark = next((write.key for write in writes if isinstance(write, Put) and write.key.startswith(keys.EVENTS)), "")
    if not mark:
        return await store.transact(compares, writes)
    once = (*compares, Compare(mark, 0))
    deadline_s = clock.now() + AGAIN_WITHIN_S
    lost: Uncertain | None = None
    while True:
        try:
            outcome = await store.transact(once, writes, timeout_s=TRY_S)
        except Uncertain as error:
            lost = error
        except Unavailable as error:
            if lost is None:
                raise
            if isinstance(error, Unwritable):
                raise lost from error
        else:
            if lost is None or isinstance(outcome, Committed):
                return outcome
            done = await _done(store, mark)
            # A key never has a revision again that it had: what was compared with one is refused for ever.
            if done is None and not all(compare.revision > 0 for compare in compares):
                raise lost
            return done or outcome
        if clock.now() >= deadline_s:
            done = await _done(store, mark)
            if done is None:
                raise lost
            return done


async def _done(store: Store, mark: str) -> Committed | None:
    """None: it is not there now, and may be in a moment."""
    try:
        found = await store.database.read(mark, timeout_s=LOOK_S)
    except Unavailable:
        return None
    if not found.entries:
        return None
    done = Committed(found.entries[0].revision)
    await store.reached(done.revision, LOOK_S)
    return done
