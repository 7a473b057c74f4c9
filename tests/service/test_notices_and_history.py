"""The history that who sends follows is gone, or a rule comes back from a backup: nothing is lost or told twice."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

from last_moment import Scene

from outlast.model import keys
from outlast.model.event import Event
from outlast.model.notice import Noticed, NoticeRule, Severity, Way
from outlast.ports.database import Batch, Committed, Compacted, Compare, Database, Put, Refused, Snapshot, Write
from outlast.service.notices.noticing import Noticing
from outlast.service.notices.telling import Telling
from outlast.service.store import put
from outlast.sim.receivers import Outside, SimReceivers

PAGER = NoticeRule("pager", Way.COMMAND, {"program": "/bin/page"}, place="/bin/page", severity=Severity.INFO)
SOON_S = 5.0


def event(number: int) -> Put:
    id = f"{number:013d}-n2-00001"
    return put(keys.EVENTS + id, Event(id, 0.0, "n2", "online", f"thing {number}"))


class Forgets:
    """A database whose history is gone once, after the first event that is heard of it."""

    def __init__(self, database: Database, happens: Callable[[], object]) -> None:
        self._database = database
        self._happens: Callable[[], object] | None = happens

    async def watch(self, prefix: str, after_revision: int) -> AsyncIterator[Batch]:
        async for batch in self._database.watch(prefix, after_revision):
            yield batch
            if self._happens is not None:
                happens, self._happens = self._happens, None
                happens()
                raise Compacted

    async def read(self, prefix: str, *, timeout_s: float) -> Snapshot:
        return await self._database.read(prefix, timeout_s=timeout_s)

    async def transact(
        self, compares: Sequence[Compare], writes: Sequence[Write], *, timeout_s: float
    ) -> Committed | Refused:
        return await self._database.transact(compares, writes, timeout_s=timeout_s)

    async def compact(self, revision: int, *, timeout_s: float) -> None:
        await self._database.compact(revision, timeout_s=timeout_s)

    async def close(self) -> None:
        await self._database.close()


def words(
    story: Callable[[Scene], object],
    *records: Put,
    database: Callable[[Scene], Database] = lambda scene: scene.store.database,
) -> list[str]:
    """What the receiver was told in the end, n1 being coordinator from the beginning."""
    outside = Outside()

    async def with_noticing(scene: Scene) -> None:
        context = scene.context
        scene.store.database = database(scene)
        telling = Telling(scene.store, SimReceivers(outside, "n1"), None, context.journal, context.clock)
        noticing = Noticing(scene.store, telling, context.journal, context.clock, lambda: True)
        task = asyncio.ensure_future(noticing.run())
        scene.commit(put(keys.NOTICES + "pager", PAGER), *records)
        await asyncio.sleep(SOON_S)
        story(scene)
        await asyncio.sleep(SOON_S)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    Scene(event(1)).play(with_noticing, key="", happens=lambda: None)
    return [notice.words for _, notice in outside.taken]


BEGINS = put(keys.NOTICED + "pager", Noticed())


def test_what_was_written_while_history_was_gone_is_told_and_nothing_twice() -> None:
    def forgets(scene: Scene) -> Database:
        return Forgets(scene.store.database, lambda: scene.commit(event(3), event(4)))

    assert words(lambda scene: scene.commit(event(2)), BEGINS, database=forgets) == ["thing 2", "thing 3", "thing 4"]


def test_events_of_one_commit_are_told_each_though_they_are_of_one_revision() -> None:
    told = words(lambda scene: scene.commit(event(2), event(3), event(4)), BEGINS)
    assert told == ["thing 2", "thing 3", "thing 4"]


def test_who_comes_in_the_middle_of_one_commit_tells_the_rest_of_it() -> None:
    """The one before had noted the first of three."""

    def half_told(scene: Scene) -> Database:
        scene.commit(event(2), event(3), event(4))
        [revision] = {entry.revision for entry in scene.database.entries(event(2).key)}
        scene.commit(put(keys.NOTICED + "pager", Noticed(revision, event(2).key.removeprefix(keys.EVENTS), count=1)))
        return scene.store.database

    assert words(lambda scene: None, database=half_told) == ["thing 3", "thing 4"]


def test_a_rule_without_a_place_begins_with_what_comes_now() -> None:
    """As it comes back from a backup."""
    assert words(lambda scene: scene.commit(event(2))) == ["thing 2"]
