"""Members of the simulated database: who leads, what is committed, what can be lost, and that it is told."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from nobody import Nobody
from outlast.ports.database import Committed, Put, Unavailable
from outlast.ports.members import NotReady, Start
from outlast.sim.clock import SimClock
from outlast.sim.database import SimDatabase
from outlast.sim.engine import Engine
from outlast.sim.forks import client_url, peer_url
from outlast.sim.links import Links, Plane
from outlast.sim.loop import SimLoop
from outlast.sim.machine import Machine
from outlast.sim.setup import Setup

DATABASE = (Plane.DATABASE,)
TIMEOUT_S = 1.0
ELECTED_S = 2.0


class Stage:
    """Nodes with members that run, and what was told to the judge."""

    def __init__(self, *nodes: str) -> None:
        self.nodes = nodes
        self.judged: list[str] = []
        self.loop = SimLoop()
        self.links = Links(self.loop)
        self.machines = {name: Machine(name, self.loop, SimClock(self.loop), {}, 5.0, Nobody()) for name in nodes}
        setup = Setup(nodes=nodes, members=len(nodes))
        self.engine = Engine(setup, self.loop, self.links, SimDatabase(), self.machines, self)
        self.connections = {name: self.engine.connect(name) for name in nodes}

    def commits_lost(self, words: str) -> None:
        self.judged.append(words)

    def two_go_on(self, words: str) -> None:
        self.judged.append(words)

    def play(self, story: Callable[[], Awaitable[None]]) -> None:
        async def main() -> None:
            for name in self.nodes:
                self.machines[name].power_on("")
                self.engine.start(self.engine.members[name])
            await asyncio.sleep(ELECTED_S)
            await story()

        try:
            self.loop.run_until_complete(main())
            assert self.loop.problems == []
        finally:
            self.loop.close()

    @property
    def leader(self) -> str:
        leader = self.engine.consensus.forks[-1].leader
        return leader.host if leader else ""

    @property
    def followers(self) -> list[str]:
        return [name for name in self.nodes if name != self.leader]

    async def put(self, node: str, key: str = "k", value: bytes = b"") -> str:
        try:
            outcome = await self.connections[node].transact([], [Put(key, value)], timeout_s=TIMEOUT_S)
        except Unavailable as error:
            return type(error).__name__
        assert isinstance(outcome, Committed)
        return "committed"

    async def keys(self, node: str) -> list[str]:
        snapshot = await self.connections[node].read("", timeout_s=TIMEOUT_S)
        return [entry.key for entry in snapshot.entries if not entry.key.startswith("control/")]

    def part(self, one: str) -> None:
        """It and the others hear nothing of each other's members."""
        for other in self.nodes:
            self.links.cut(one, other, DATABASE)
            self.links.cut(other, one, DATABASE)


def test_what_is_written_on_one_node_is_read_on_all() -> None:
    stage = Stage("a", "b", "c")

    async def story() -> None:
        for node in stage.nodes:
            assert await stage.put(node, f"by-{node}") == "committed"
        for node in stage.nodes:
            assert await stage.keys(node) == ["by-a", "by-b", "by-c"]

    stage.play(story)


def test_when_the_leader_dies_another_leads_and_clients_go_to_who_answers() -> None:
    stage = Stage("a", "b", "c")

    async def story() -> None:
        dead = stage.leader
        left = stage.followers
        stage.machines[dead].power_off("power cut")
        assert stage.leader == ""
        await asyncio.sleep(ELECTED_S)
        assert stage.leader in left
        assert [await stage.put(node) for node in left] == ["committed", "committed"]
        assert stage.judged == []

    stage.play(story)


def test_without_a_majority_nothing_is_answered_and_what_was_lost_is_not_judged() -> None:
    stage = Stage("a", "b", "c")

    async def story() -> None:
        one, other = stage.followers
        stage.machines[one].power_off("power cut")
        stage.machines[other].power_off("power cut")
        await asyncio.sleep(ELECTED_S)
        survivor = next(name for name in stage.nodes if name not in (one, other))
        assert await stage.put(survivor) == "Uncertain"
        with pytest.raises(Unavailable):
            await stage.keys(survivor)
        assert stage.judged == []

    stage.play(story)


def test_a_member_that_is_cut_off_serves_nobody_and_catches_up_when_it_is_back() -> None:
    stage = Stage("a", "b", "c")

    async def story() -> None:
        lonely = stage.followers[0]
        stage.part(lonely)
        assert await stage.put(lonely, "lost") == "Uncertain"
        assert await stage.put(stage.leader, "kept") == "committed"
        behind = stage.engine.members[lonely].disk.index
        stage.links.heal_all()
        assert stage.engine.members[lonely].disk.index > behind
        assert await stage.keys(lonely) == ["kept"]

    stage.play(story)


def test_a_bridge_keeps_the_database_going() -> None:
    stage = Stage("a", "b", "c")

    async def story() -> None:
        stage.links.cut("b", "c", DATABASE)
        stage.links.cut("c", "b", DATABASE)
        await asyncio.sleep(ELECTED_S)
        for _ in range(2):  # the first try may have been with a member that follows nobody
            ended = [await stage.put(node) for node in stage.nodes]
        assert ended == ["committed"] * 3

    stage.play(story)


def test_a_write_that_a_leader_took_without_a_majority_may_happen_long_after() -> None:
    """So whoever sent it must not take the time-out for a no."""
    stage = Stage("a", "b", "c")

    async def story() -> None:
        leader, others = stage.leader, stage.followers
        for name in others:
            stage.machines[name].freeze()
        assert await stage.put(leader, "late") == "Uncertain"
        await asyncio.sleep(60)
        # Now only the former leader and one other are there: who has more is elected, or has the same.
        stage.machines[others[0]].thaw()
        await asyncio.sleep(5)
        present = [entry.key for entry in stage.engine.database.entries("late")]
        assert present == (["late"] if stage.leader == leader else [])

    stage.play(story)


def test_what_reached_a_member_that_stands_still_is_done_when_it_goes_on() -> None:
    stage = Stage("a", "b", "c")

    async def story() -> None:
        follower = stage.followers[0]
        stage.machines[follower].freeze()
        assert await stage.put(follower, "late") == "Uncertain"
        assert stage.engine.database.entries("late") == ()
        stage.machines[follower].thaw()
        await asyncio.sleep(1)
        assert [entry.key for entry in stage.engine.database.entries("late")] == ["late"]

    stage.play(story)


def test_slow_disks_make_writes_slow_only_when_the_majority_has_them() -> None:
    stage = Stage("a", "b", "c")

    async def took_s() -> float:
        began_s = stage.loop.time()
        await stage.connections[stage.leader].transact([], [Put("k", b"")], timeout_s=10.0)
        return stage.loop.time() - began_s

    async def story() -> None:
        stage.engine.members[stage.followers[0]].fsync_s = 1.0
        assert await took_s() < 0.1
        stage.engine.members[stage.followers[1]].fsync_s = 1.0
        assert await took_s() > 1.0

    stage.play(story)


def test_a_full_database_refuses_writes_and_answers_reads() -> None:
    stage = Stage("a", "b", "c")

    async def story() -> None:
        assert await stage.put("a", "before") == "committed"
        stage.engine.database.full = True
        assert await stage.put("a") == "Unwritable"
        assert await stage.keys("a") == ["before"]

    stage.play(story)


def test_a_member_joins_as_a_learner_and_votes_when_it_has_caught_up() -> None:
    stage = Stage("a", "b", "c")
    members = {name: stage.engine.asked_by(connection) for name, connection in stage.connections.items()}
    local = stage.engine.of("c")

    async def story() -> None:
        port = members["a"]
        assert port is not None
        assert local is not None
        old = next(member for member in await port.list(timeout_s=TIMEOUT_S) if member.name == "c")
        await local.wipe()
        await port.remove(old.id, timeout_s=TIMEOUT_S)
        new = await port.add_learner([peer_url("c")], timeout_s=TIMEOUT_S)
        assert new.learner
        assert new.name == ""
        with pytest.raises(ValueError, match="exists"):
            await port.add_learner([peer_url("c")], timeout_s=TIMEOUT_S)
        with pytest.raises(NotReady):
            await port.promote(new.id, timeout_s=TIMEOUT_S)
        await local.start(Start({"a": peer_url("a"), "c": peer_url("c")}))
        await asyncio.sleep(2)
        assert (await port.status(client_url("c"), timeout_s=TIMEOUT_S)).id == new.id
        await port.promote(new.id, timeout_s=TIMEOUT_S)
        assert not any(member.learner for member in await port.list(timeout_s=TIMEOUT_S))

    stage.play(story)


def test_who_was_removed_ends_when_it_hears_of_it() -> None:
    stage = Stage("a", "b", "c")

    async def story() -> None:
        gone = stage.followers[0]
        port = stage.engine.asked_by(stage.connections[stage.leader])
        assert port is not None
        stage.part(gone)
        await port.remove(stage.engine.members[gone].disk.id, timeout_s=TIMEOUT_S)
        assert stage.engine.members[gone].up
        stage.links.heal_all()
        await asyncio.sleep(1)
        assert not stage.engine.members[gone].alive

    stage.play(story)


def test_of_two_the_one_that_is_left_goes_on_alone_and_nothing_is_lost() -> None:
    stage = Stage("a", "b")

    async def story() -> None:
        assert await stage.put("a", "before") == "committed"
        stage.machines["a"].power_off("power cut")
        local = stage.engine.of("b")
        assert local is not None
        await local.stop()
        await local.start(Start({}, alone=True))
        await stage.put("b", "first")  # its connection still went to the member of old
        assert await stage.put("b", "after") == "committed"
        assert "before" in await stage.keys("b")
        stage.machines["a"].power_on("")
        stage.engine.start(stage.engine.members["a"])
        await asyncio.sleep(2)
        assert not stage.engine.members["a"].alive
        assert stage.judged == []

    stage.play(story)


def test_a_watch_that_begins_after_a_member_went_on_alone_hears_of_what_is_written_then() -> None:
    stage = Stage("a", "b")
    heard: list[str] = []

    async def follow(after: int) -> None:
        async for batch in stage.connections["b"].watch("", after):
            heard.extend(change.key for change in batch.changes)

    async def story() -> None:
        stage.machines["a"].power_off("power cut")
        local = stage.engine.of("b")
        assert local is not None
        await local.stop()
        await local.start(Start({}, alone=True))
        await stage.put("b", "first")  # its connection still went to the member of old
        before = await stage.connections["b"].read("", timeout_s=TIMEOUT_S)
        watch = asyncio.create_task(follow(before.revision))
        await asyncio.sleep(ELECTED_S)
        assert await stage.put("b", "after") == "committed"
        await asyncio.sleep(TIMEOUT_S)
        watch.cancel()
        assert heard == ["after"]

    stage.play(story)


def test_two_halves_that_both_go_on_are_told() -> None:
    stage = Stage("a", "b")

    async def story() -> None:
        stage.part("a")
        for name in stage.nodes:
            local = stage.engine.of(name)
            assert local is not None
            await local.stop()
            await local.start(Start({}, alone=True))
        assert len(stage.judged) == 1
        assert "left behind" in stage.judged[0]

    stage.play(story)


def test_a_majority_that_goes_on_beside_one_that_went_alone_is_told() -> None:
    stage = Stage("a", "b", "c")

    async def story() -> None:
        lonely = stage.followers[0]
        stage.part(lonely)
        local = stage.engine.of(lonely)
        assert local is not None
        await local.stop()
        await local.start(Start({}, alone=True))
        await stage.put(stage.nodes[0])
        await asyncio.sleep(ELECTED_S)
        await stage.put(next(name for name in stage.nodes if name != lonely))
        assert any("elsewhere" in words for words in stage.judged)

    stage.play(story)


def test_disks_from_the_past_that_vote_lose_what_was_committed_and_that_is_told() -> None:
    stage = Stage("a", "b", "c")

    async def story() -> None:
        away = stage.followers[0]
        stage.machines[away].power_off("power cut")
        past = next(name for name in stage.nodes if name not in (away, stage.leader))
        saved = stage.engine.members[past].disk.index
        assert await stage.put(stage.leader, "kept") == "committed"
        leader = stage.leader
        stage.machines[leader].power_off("power cut")
        stage.machines[past].power_off("power cut")
        stage.engine.members[past].disk.index = saved
        for name in (away, past):
            stage.machines[name].power_on("")
            stage.engine.start(stage.engine.members[name])
        await asyncio.sleep(ELECTED_S)
        assert "without the last 1 commits" in stage.judged[0]

    stage.play(story)


def test_where_no_member_runs_a_write_is_refused_at_once_and_certainly_not_done() -> None:
    stage = Stage("a", "b", "c")

    async def story() -> None:
        for name in stage.nodes:
            stage.engine.consensus.end(stage.engine.members[name])
        assert await stage.put("a") == "Unavailable"

    stage.play(story)


def test_who_has_an_entry_hears_a_moment_later_that_it_is_committed() -> None:
    stage = Stage("a", "b")

    async def story() -> None:
        (follower,) = stage.followers
        await asyncio.sleep(1.0)
        members, consensus = stage.engine.members, stage.engine.consensus
        before = consensus.committed(members[follower])
        consensus.forks[-1].store.commit([], [Put("last", b"")])
        assert consensus.committed(members[stage.leader]) == before + 1
        assert consensus.committed(members[follower]) == before
        assert members[follower].disk.index == before + 1
        await asyncio.sleep(0.1)
        assert consensus.committed(members[follower]) == before + 1

    stage.play(story)


@pytest.mark.parametrize("whole_log", [True, False])
def test_of_two_the_one_that_goes_on_alone_keeps_the_last_commit_only_with_its_whole_log(whole_log: bool) -> None:
    stage = Stage("a", "b")

    async def story() -> None:
        (follower,) = stage.followers
        stage.engine.consensus.forks[-1].store.commit([], [Put("last", b"")])
        stage.machines[stage.leader].power_off("power cut")
        local = stage.engine.of(follower)
        assert local is not None
        await local.stop()
        await local.start(Start({}, alone=True, whole_log=whole_log))
        assert ("last" in await stage.keys(follower)) is whole_log
        lost = f"the member of {follower} goes on alone without the last 1 commits"
        assert stage.judged == ([] if whole_log else [lost])

    stage.play(story)


def test_what_a_minority_has_taken_happens_late_when_one_of_it_is_elected_whoever_that_is() -> None:
    stage = Stage("a", "b", "c", "d", "e")

    async def story() -> None:
        led, near, *others = stage.leader, *stage.followers
        for name in others:
            stage.machines[name].power_off("power cut")
        assert await stage.put(near, "late") == "Uncertain"
        stage.machines[led].power_off("power cut")
        for name in others:
            stage.machines[name].power_on("")
            stage.engine.start(stage.engine.members[name])
        await asyncio.sleep(ELECTED_S)
        assert stage.leader == near, "nobody votes for one who has less"
        assert await stage.keys(near) == ["late"]
        assert stage.judged == []

    stage.play(story)
