"""Tells the cluster how the shared volumes are on this node, whenever that changes.

The plugin looks at them again and again, in processes of its own, and is asked here what it saw last. Told is it in the
session, whose record is written anyway; and as an event when a volume is lost or back.
"""

from collections.abc import Callable, Iterable

import msgspec
import structlog

from outlast.core.volume.volumes import TYPE, volumes
from outlast.model import keys
from outlast.model.volume import VolumeState
from outlast.ports.database import Unavailable
from outlast.ports.hosts import CallFailed, HostDied
from outlast.service.hosting.hosts import CallTimedOut, HostKeeper
from outlast.service.journal import Journal
from outlast.service.store import Store

log = structlog.get_logger()

VERB = "watch"
ASKED_EVERY_S = 2.0
ANSWER_S = 5.0
FULL_MIB = 64
"""With less than this left a volume is full; and again not before twice as much is."""


class Seen(msgspec.Struct, frozen=True):
    """The plugin's word on one volume."""

    why: str = ""
    free_mib: int = -1


class Volumes:
    def __init__(
        self,
        store: Store,
        hosts: HostKeeper,
        journal: Journal,
        tell: Callable[[tuple[VolumeState, ...]], None],
    ) -> None:
        self._store = store
        self._hosts = hosts
        self._journal = journal
        self._tell = tell
        self._told: dict[str, VolumeState] = {}

    def goes_on(self, incarnation: str) -> None:
        """Before the session is continued: what a service before this one told in the same life still holds."""
        session = self._store.sessions.get(self._store.me)
        if session is not None and incarnation and session.incarnation == incarnation:
            self._told = {one.volume: one for one in session.volumes}
            self._tell(session.volumes)

    async def run(self) -> None:
        changes = self._store.subscribe(keys.RESOURCES)
        watches = False
        while True:
            known = volumes(self._store.resources)
            if known or watches:
                watches = bool(known)
                await self._look()
            await changes.wait(ASKED_EVERY_S if known else None)

    async def _look(self) -> None:
        me, known = self._store.me, volumes(self._store.resources)
        asked = [{"name": one.name, "path": one.path, "id": one.id, "node": me} for one in known.values()]
        try:
            answer = await self._hosts.call(
                TYPE, VERB, ANSWER_S, lambda host, _: host.type_control(TYPE, VERB, {"volumes": asked}), blame=False
            )
            seen = msgspec.convert(answer, dict[str, Seen])
        except (CallFailed, CallTimedOut, HostDied, msgspec.ValidationError) as error:
            # What was seen of them last holds until somebody can tell better.
            log.warning("cannot tell how the shared volumes are here", why=str(error))
            return
        before = {name: state for name, state in self._told.items() if name in known}
        self._told = before | {name: _state(name, one, before.get(name)) for name, one in seen.items() if name in known}
        self._tell(tuple(self._told[name] for name in sorted(self._told)))
        await self._write(before)

    async def _write(self, before: dict[str, VolumeState]) -> None:
        for name, state in sorted(self._told.items()):
            was = before.get(name)
            for words in _news(self._store.me, was, state):
                try:
                    await self._store.transact([], [self._journal.event("volume", words, about=self._store.me)])
                except Unavailable as error:
                    log.warning(words, event_not_written=str(error))


def _state(name: str, seen: Seen, before: VolumeState | None) -> VolumeState:
    if seen.why:
        return VolumeState(name, seen.why, before is not None and before.is_full)
    limit_mib = 2 * FULL_MIB if before is not None and before.is_full else FULL_MIB
    return VolumeState(name, is_full=0 <= seen.free_mib < limit_mib)


def _news(me: str, was: VolumeState | None, state: VolumeState) -> Iterable[str]:
    """What is worth an event."""
    before = was or VolumeState(state.volume)
    if state.lost and state.lost != before.lost:
        yield f"the volume {state.volume} is lost on {me}: {state.lost}"
    if before.lost and not state.lost:
        yield f"the volume {state.volume} is back on {me}"
    if state.is_full and not before.is_full:
        yield f"the volume {state.volume} is full, as {me} sees it: less than {FULL_MIB} MiB are left"
