"""Changes what lies on the shared volumes that this node coordinates: create, resize, delete, snapshot.

What is asked for stands in the database (`changes/VOLUME/ID`), and the volume's owner takes it from there, one at a
time for each volume. That only one node does so follows from what every group has: it has one owner at a time, whose
session and permit must hold; when they end, its resource host ends what it has begun; and another node gets the group
only when nothing of it runs on this one, or this one is proven dead (rules 1 to 4). A change that was begun at another
epoch, or of which the plugin knows nothing any more, was cut short: the present owner looks at what is there, and says
so.
"""

from collections.abc import Callable, Mapping

import msgspec
import structlog

from outlast.core.membership.membership import Session as OwnSession
from outlast.core.volume.changing import rests_on, why_not
from outlast.core.volume.volumes import TYPE, Volume, volumes
from outlast.model import keys
from outlast.model.group import Group
from outlast.model.health import Json
from outlast.model.status import State
from outlast.model.view import ClusterView
from outlast.model.volume import Stage, VolumeChange
from outlast.ports.database import Committed, Compare, Delete, Unavailable, Write
from outlast.ports.environment import Clock
from outlast.ports.hosts import CallFailed, HostDied
from outlast.service.hosting.hosts import CallTimedOut, HostKeeper, own_host
from outlast.service.journal import Journal
from outlast.service.store import Store, put

log = structlog.get_logger()

LOOKS_S = 0.5
"""How a change that is under way stands is asked so often."""
CONTROL_S = 30.0
RETRY_S = 2.0
WORTH_A_WRITE = 10
"""So many per cent."""
KEPT = 10
"""So many of a volume's changes that are over stay in the database."""


class Progress(msgspec.Struct, frozen=True):
    """The plugin's word on a change."""

    percent: int = 0
    ended: bool = False
    result: str = ""
    problem: str = ""


class VolumeChanging:
    def __init__(
        self,
        store: Store,
        hosts: HostKeeper,
        session: OwnSession,
        journal: Journal,
        clock: Clock,
        view: Callable[[], ClusterView],
        incarnation: Callable[[], str],
    ) -> None:
        self._store = store
        self._hosts = hosts
        self._session = session
        self._journal = journal
        self._clock = clock
        self._view = view
        self._incarnation = incarnation

    async def run(self) -> None:
        changes = self._store.subscribe(keys.CHANGES, keys.GROUPS, keys.STATUS)
        while True:
            wait_s = None
            for volume, group in self._mine():
                try:
                    if await self._look_at(volume, group):
                        wait_s = LOOKS_S
                except (Unavailable, CallFailed, CallTimedOut, HostDied) as error:
                    log.warning("cannot change what lies on a volume", volume=volume.name, why=str(error))
                    wait_s = RETRY_S
            await changes.wait(wait_s)

    def _mine(self) -> list[tuple[Volume, Group]]:
        """Those with something to do that this node coordinates now."""
        store, found = self._store, []
        waiting = {change.volume for change in store.volume_changes.values() if not change.is_over}
        for name, volume in volumes(store.resources).items() if waiting else ():
            group = store.groups.get(volume.group)
            if name in waiting and group is not None and self._coordinates(name, group):
                found.append((volume, group))
        return found

    def _coordinates(self, volume: str, group: Group) -> bool:
        """The database names it owner, and it has said there that it has taken over."""
        status = self._store.statuses.get(group.name)
        if status is None or not self._session.valid(self._clock.now()):
            return False
        mine = (self._store.me, group.epoch, self._incarnation())
        if group.owner != self._store.me or (status.node, status.epoch, status.incarnation) != mine:
            return False
        return volume in status.resources and status.resources[volume].state is State.ONLINE

    async def _look_at(self, volume: Volume, group: Group) -> bool:
        """The next step of the volume's oldest change. True: look again soon."""
        store = self._store
        open_ones = [one for one in store.volume_changes.values() if one.volume == volume.name and not one.is_over]
        open_ones.sort(key=lambda one: (one.stage is not Stage.RUNNING, one.id))
        if not open_ones:
            return False
        change = open_ones[0]
        if change.stage is Stage.ASKED:
            return await self._begin(change, volume, group)
        mine = (store.me, group.epoch, self._incarnation())
        if (change.node, change.epoch, change.incarnation) != mine:
            return await self._recover(change, volume, group)
        told = await self._control(volume, "job", {"id_of_change": change.id})
        if told is None:
            return await self._recover(change, volume, group)
        progress = msgspec.convert(told, Progress)
        if progress.ended:
            stage = Stage.REFUSED if progress.problem else Stage.DONE
            return await self._over(change, volume, group, stage, progress.problem or progress.result)
        if progress.percent >= change.percent + WORTH_A_WRITE:
            await self._write(msgspec.structs.replace(change, percent=progress.percent), group, [], [])
        return True

    async def _begin(self, change: VolumeChange, volume: Volume, group: Group) -> bool:
        view = self._view()
        why = why_not(change, volume, view)
        if why:
            return await self._over(change, volume, group, Stage.REFUSED, why)
        begun = msgspec.structs.replace(
            change, stage=Stage.RUNNING, node=self._store.me, incarnation=self._incarnation(), epoch=group.epoch
        )
        if not await self._write(begun, group, self._store.unchanged(*rests_on(change, volume, view)), []):
            return True  # something has changed meanwhile: it is looked at anew
        try:
            await self._control(volume, "begin", _request(change))
        except CallFailed as error:
            if error.refusal:
                return await self._over(begun, volume, group, Stage.REFUSED, error.why)
            raise
        return True

    async def _recover(self, change: VolumeChange, volume: Volume, group: Group) -> bool:
        """What runs of it here is ended, and what is there now is told."""
        try:
            found = str(await self._control(volume, "recover", _request(change)))
        except CallFailed as error:
            if not error.refusal:
                raise
            found = error.why
        return await self._over(change, volume, group, Stage.CUT_SHORT, f"cut short on {change.node}; {found}")

    async def _over(self, change: VolumeChange, volume: Volume, group: Group, stage: Stage, words: str) -> bool:
        after = msgspec.structs.replace(change, stage=stage, words=words, node=change.node or self._store.me)
        after = msgspec.structs.replace(after, percent=100 if stage is Stage.DONE else change.percent)
        told = f"{volume.name}: {words}" if stage is Stage.DONE else _not_done(after)
        old = [one for one in self._store.volume_changes.values() if one.volume == volume.name and one.is_over]
        old.sort(key=lambda one: one.id)
        writes: list[Write] = [Delete(keys.CHANGES + one.key) for one in old[: max(0, len(old) + 1 - KEPT)]]
        await self._write(after, group, [], [*writes, self._journal.event("volume", told, group=group.name)])
        return True

    async def _write(self, change: VolumeChange, group: Group, compares: list[Compare], writes: list[Write]) -> bool:
        """As the volume's owner at this epoch, and not after it was called silent (rule 2)."""
        store, key = self._store, keys.CHANGES + change.key
        mine = [*store.unchanged(key, keys.GROUPS + group.name), Compare(keys.SILENCES + store.me, 0)]
        known = {compare.key for compare in mine}
        more = [compare for compare in compares if compare.key not in known]
        return isinstance(await store.transact([*mine, *more], [put(key, change), *writes]), Committed)

    async def _control(self, volume: Volume, verb: str, arguments: Mapping[str, Json]) -> Json:
        resource = self._store.resources[volume.name]
        return await self._hosts.call(
            TYPE,
            f"{verb} of {volume.name}",
            CONTROL_S,
            lambda host, _: host.control(volume.name, verb, arguments),
            blame=False,
            alone=own_host(resource),
        )


def _request(change: VolumeChange) -> dict[str, Json]:
    about = {"verb": change.verb.value, "image": change.image, "id_of_change": change.id}
    return {**change.arguments, **about, "change": {"verb": change.verb.value}}


def _not_done(change: VolumeChange) -> str:
    what = f"{change.volume}: {change.verb.value} of {change.image}"
    return f"{what} was not done: {change.words}" if change.stage is Stage.REFUSED else f"{what} was {change.words}"
