"""A service that knows less than stands in the database: what must it not do before it has caught up?"""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import closing
from random import Random
from typing import Any, TypeVar, cast

import pytest
from fence_script import LoopClock
from last_moment import LastMoment
from played import play, played

from build import group, node, status
from outlast.core.membership.membership import Observer, Session
from outlast.core.membership.timing import timing
from outlast.model import keys
from outlast.model.status import State
from outlast.ports.database import Batch, Committed, Compacted, Compare, Database, Put, Refused, Snapshot, Write
from outlast.ports.environment import Environment
from outlast.service.hosting.standing import StandingReports
from outlast.service.journal import Journal
from outlast.service.membership import Membership
from outlast.service.store import WENT_BACK, Store, put
from outlast.service.watchdog import Arming
from outlast.sim.database import SimDatabase
from outlast.sim.loop import SimLoop

T = TypeVar("T")
WEB = group("web", on="n1")


def in_simulated_time(story: Coroutine[Any, Any, T]) -> T:
    with closing(SimLoop()) as loop:
        result: T = loop.run_until_complete(story)
        return result


class NoNews(LastMoment):
    """A connection that reads and writes, and whose watch is stuck: as at a member that was frozen."""

    async def watch(self, prefix: str, after_revision: int) -> AsyncIterator[Batch]:
        await asyncio.Event().wait()
        yield Batch(0, ())


class Machine:
    """As much of a machine as a session needs."""

    def __init__(self) -> None:
        self.permit = self
        self._until_s = 0.0
        self._incarnation = ""

    def until_s(self) -> float:
        return self._until_s

    def extend(self, until_s: float) -> None:
        self._until_s = until_s

    def machine(self) -> str:
        return "the-one"

    def load(self) -> str:
        return self._incarnation

    def store(self, incarnation: str) -> None:
        self._incarnation = incarnation


def opened(connection: type[LastMoment], node_timeout_s: float) -> tuple[bool, str]:
    """Does a session open on such a connection, and why not?"""
    database = SimDatabase(latency_s=0.001)
    assert isinstance(database.commit([], [put(keys.NODES + "n1", node("n1"))]), Committed)

    async def story() -> tuple[bool, str]:
        clock, times, machine = LoopClock(), timing(node_timeout_s), cast(Any, Machine())
        link = connection(database.connect("n1"), "", lambda: None)
        store = Store("n1", link, clock, Observer(times, clock.now()))
        fence: Any = None
        env = Environment(cast(Any, clock), Random(1), link, machine, fence, None, machine)
        membership = Membership(store, env, Journal("n1", clock), Session(times), Arming(None, cast(Any, clock)))
        following = asyncio.ensure_future(store.run())
        await store.ready.wait()
        result = await membership.open(continuing=False)
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        return result, membership.why_not

    return in_simulated_time(story())


class GoesBack(LastMoment):
    """A connection that leads to one history, and from `gone` on to another one, which is shorter."""

    def __init__(self, then: Database, now: Database) -> None:
        super().__init__(then, "", lambda: None)
        self.gone = asyncio.Event()
        self._now = now

    async def read(self, prefix: str, *, timeout_s: float) -> Snapshot:
        return await (self._now if self.gone.is_set() else self._database).read(prefix, timeout_s=timeout_s)

    async def watch(self, prefix: str, after_revision: int) -> AsyncIterator[Batch]:
        if not self.gone.is_set():
            await self.gone.wait()
            raise Compacted("the history went back")
        async for batch in self._now.watch(prefix, after_revision):
            yield batch


def test_a_picture_of_a_history_that_went_back_is_given_up_and_the_new_one_is_followed() -> None:
    """As when the survivor of a lost majority goes on with less than others have seen."""
    then, now = SimDatabase(latency_s=0.001), SimDatabase(latency_s=0.001)
    there = [node("n1"), node("n2"), node("n3")]
    for owner, database in (("n2", then), ("n3", now)):
        for one in there:
            database.commit([], [put(keys.NODES + one.name, one)])
        database.commit([], [put(keys.GROUPS + "web", group("web", on=owner))])  # the same revision in both
    for _ in range(10):
        then.commit([], [put(keys.NODES + "n1", node("n1"))])

    async def story() -> None:
        clock = LoopClock()
        link = GoesBack(then.connect("n1"), now.connect("n1"))
        store = Store("n1", link, clock, Observer(timing(5.0), clock.now()))
        following = asyncio.ensure_future(store.run())
        await store.ready.wait()
        assert (store.groups["web"].owner, store.revision) == ("n2", then.revision)
        link.gone.set()
        await asyncio.sleep(1.0)
        assert (store.groups["web"].owner, store.revision) == ("n3", now.revision)
        now.commit([], [put(keys.GROUPS + "web", group("web", on="n1", epoch=2))])
        await asyncio.sleep(1.0)
        assert (store.groups["web"].owner, store.revision) == ("n1", now.revision)
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)

    in_simulated_time(story())


@pytest.mark.parametrize(
    ("lost", "since", "held"),
    [(5, 2, True), (5, 9, True), (0, 0, False), (0, 9, False)],
    ids=["it is behind", "it has passed what was known", "nothing is new", "history was only forgotten"],
)
def test_a_picture_that_knew_of_more_than_the_database_that_goes_on_holds_everything(
    lost: int, since: int, held: bool
) -> None:
    then, now = SimDatabase(latency_s=0.001), SimDatabase(latency_s=0.001)
    for database in (then, now):
        database.commit([], [put(keys.NODES + "n1", node("n1"))])
        database.commit([], [put(keys.GROUPS + "web", group("web", on="n1"))])
    for _ in range(lost):
        then.commit([], [put(keys.GROUPS + "web", group("web", on="n2", epoch=4))])
    for number in range(since):
        now.commit([], [put(keys.NODES + f"m{number}", node(f"m{number}"))])

    async def story() -> None:
        clock = LoopClock()
        link = GoesBack(then.connect("n1"), now.connect("n1"))
        store = Store("n1", link, clock, Observer(timing(5.0), clock.now()))
        following = asyncio.ensure_future(store.run())
        await store.ready.wait()
        link.gone.set()
        await asyncio.sleep(1.0)
        assert store.revision == now.revision
        assert (store.held_here, store.settings.hold) == ((WENT_BACK, WENT_BACK) if held else ("", ""))
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)

    in_simulated_time(story())


def test_a_session_does_not_open_before_the_picture_is_as_new_as_it() -> None:
    # Long time-outs most of all: the permit would last longer than anybody waits for the picture.
    assert opened(LastMoment, 60.0) == (True, "")
    assert opened(NoNews, 60.0) == (False, "its picture of the cluster database is older than its session")


def test_a_node_does_not_join_again_while_what_it_ran_in_its_last_life_may_still_run() -> None:
    with played("world unfenced", "vm web1 preferred=n2", "start", "run 10") as world:
        play(world, "kill service n2 restart=never", "kill host n2", "run 30")
        assert world.where("web1") == ["n2"], "nobody was there to stop it"
        play(world, "service start n2", "run 30")
        assert len(world.where("web1")) == 1


def test_what_an_observer_saw_before_an_outage_of_its_own_has_no_age_after_it() -> None:
    observer = Observer(timing(5.0), 0.0)
    observer.own_write_acknowledged(0.5)
    observer.own_write_acknowledged(60.0)
    assert observer.steady_s(60.0) == 0.0
    observer.own_write_acknowledged(60.5)
    assert observer.steady_s(60.5) == 0.5


def test_each_report_compares_the_one_before_it_so_that_none_that_was_taken_back_is_written_late() -> None:
    sent: list[tuple[Sequence[Compare], Sequence[Write]]] = []
    with played("world", "vm web1 preferred=n1") as world:
        store = world.database.store
        commit = store.commit

        def noted(compares: Sequence[Compare], writes: Sequence[Write]) -> Committed | Refused:
            sent.append((compares, writes))
            return commit(compares, writes)

        store.commit = noted  # type: ignore[method-assign]  # every write of everybody passes here
        play(world, "start", "run 10", "kill vm web1", "run 20")
    reports = [(compares, writes) for compares, writes in sent if any(_is_report(write) for write in writes)]
    assert len(reports) >= 4
    for compares, writes in reports:
        compared = {compare.key for compare in compares}
        assert {write.key for write in writes if _is_report(write)} <= compared


def _is_report(write: Write) -> bool:
    return isinstance(write, Put) and write.key.startswith(keys.STATUS)


def test_a_report_that_nothing_runs_may_stand_from_when_it_is_sent_until_another_one_is_written() -> None:
    reports = StandingReports()
    reports.sending(status(WEB, State.OFFLINE))
    assert reports.may_stand("web", WEB.epoch)
    assert reports.takes_back(status(WEB, State.ONLINE_PENDING))
    reports.written(status(WEB, State.OFFLINE))
    assert reports.may_stand("web", WEB.epoch)
    reports.written(status(WEB, State.ONLINE_PENDING))
    assert not reports.may_stand("web", WEB.epoch)


def test_what_was_reported_at_another_epoch_does_not_stand_at_this_one() -> None:
    reports = StandingReports()
    reports.sending(status(WEB, State.FAILED))
    assert not reports.may_stand("web", WEB.epoch + 1)


def test_a_service_that_goes_on_with_a_session_does_not_know_what_the_one_before_it_had_reported() -> None:
    reports = StandingReports()
    reports.begin([WEB], continuing=True)
    assert reports.may_stand("web", WEB.epoch)
    reports.begin([WEB], continuing=False)
    assert not reports.may_stand("web", WEB.epoch)
