"""A node keeps its own member of the database: what it starts at once, what it gives up, and what it notes."""

from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from played import events, play, played

from outlast.adapters.member import EtcdMember
from outlast.model.answers import QuorumRow
from outlast.model.roll import NOTED, Noted, Stage
from outlast.ports.members import LocalMember, NotWhole, Start
from outlast.service.quorum.member_keeper import MemberKeeper
from outlast.sim.world import World

SETUP = ("world members=3", "start", "run 20")


def keeper(world: World, node: str) -> MemberKeeper:
    found = world.services[node].node.voters.keeper
    assert found is not None
    return found


def noted(world: World, node: str) -> Noted:
    """As it stands on the member's disk."""
    return msgspec.json.decode(world.engine.members[node].disk.marks[NOTED], type=Noted)


def test_a_member_that_ended_by_itself_is_started_again_at_once() -> None:
    with played(*SETUP) as world:
        id = world.engine.members["n3"].disk.id
        play(world, "member kill n3", "run 3")
        assert keeper(world, "n3").stage is Stage.RUNS
        assert world.engine.members["n3"].disk.id == id
        assert events(world, "vote") == []


def test_a_service_that_starts_again_finds_its_member_running_and_leaves_it_alone() -> None:
    with played(*SETUP) as world:
        process = world.engine.members["n2"].process
        play(world, "kill service n2", "run 10")
        assert world.engine.members["n2"].process is process
        assert keeper(world, "n2").stage is Stage.RUNS


def test_a_member_that_cannot_run_with_its_data_gives_it_up_and_joins_again() -> None:
    with played(*SETUP) as world:
        id = world.engine.members["n3"].disk.id
        play(world, "member corrupt n3", "run 60", "member mend n3", "run 60")
        assert keeper(world, "n3").stage is Stage.RUNS
        assert world.engine.members["n3"].disk.id != id
        assert any(words.startswith("n3 votes: it has caught up") for words in events(world, "vote"))


def test_boots_and_voters_are_noted_beside_the_data() -> None:
    with played(*SETUP) as world:
        before = noted(world, "n3")
        assert set(before.voters) == {"n1", "n2", "n3"}
        play(world, "power off n3", "run 5", "power on n3", "run 60")
        after = noted(world, "n3")
        assert after.trace.boots == before.trace.boots + 1
        assert after.trace.index > before.trace.index
        assert keeper(world, "n1").calls.remembered[after.member] == after.trace


def test_the_others_know_of_a_boot_before_the_member_runs() -> None:
    """Else a power cut right afterwards could bring back the disk from before it, and nobody would notice."""
    with played(*SETUP) as world:
        before = noted(world, "n3")
        play(world, "power off n3", "run 5", "power on n3")
        while not world.engine.members["n3"].alive:
            play(world, "run 0.01")
        for other in ("n1", "n2"):
            assert keeper(world, other).calls.remembered[before.member].boots == before.trace.boots + 1


def test_a_member_whose_first_start_failed_does_not_forget_that_boot_which_others_know_of() -> None:
    """It would look like one with a disk from the past, and wait for ever after a power cut of all."""
    with played(*SETUP) as world:
        play(world, "power off n3")
        world.engine.consensus.wipe(world.engine.members["n3"])
        play(world, "power on n3")
        while not any(words.startswith("n3 joins") for words in events(world, "vote")):
            play(world, "run 0.1")
        play(world, "split n3 n1,n2 database", "run 20", "heal all", "run 60")
        assert keeper(world, "n3").stage is Stage.RUNS
        id = world.engine.members["n3"].disk.id
        off, on = [[f"power {how} n{n}" for n in (1, 2, 3)] for how in ("off", "on")]
        play(world, *off, "run 5", *on, "run 60")
        assert keeper(world, "n3").stage is Stage.RUNS
        assert world.engine.members["n3"].disk.id == id, "its data were not thrown away"


def test_after_a_boot_a_member_says_what_it_waits_for() -> None:
    with played(*SETUP) as world:
        play(world, *(f"power off n{n}" for n in (1, 2, 3)), "power on n1", "run 40")
        assert keeper(world, "n1").stage is Stage.WAITS
        assert keeper(world, "n1").why.startswith("word from n2, n3:")


def test_the_generation_is_in_the_database_and_beside_each_member() -> None:
    with played(
        "world nodes=2 members=2", "start", "run 30", "power off n2", "run 40", "power on n2", "run 60"
    ) as world:
        assert world.services["n1"].node.store.settings.generation == 1
        assert noted(world, "n1").generation == noted(world, "n2").generation == 1


def test_who_has_said_that_its_data_is_gone_never_goes_on_alone_with_what_comes_back() -> None:
    """A mount that is away for a moment: the other one has gone on by then, and nothing of that is on this disk."""
    with played("world nodes=2 members=2", "vm web1 preferred=n1", "start", "run 40") as world:
        member, consensus = world.engine.members["n2"], world.engine.consensus
        disk = member.disk
        consensus.wipe(member)
        consensus.changed()
        while keeper(world, "n1").noted.generation == 0:
            play(world, "run 0.1")
        play(world, "run 0.3", "cut n1 n2")
        member.disk = disk
        consensus.changed()
        play(world, "run 60")
        assert world.machines["n1"].on
        assert world.where("web1") == ["n1"]


def test_who_has_said_that_its_data_is_gone_takes_nothing_for_certain_by_what_comes_back() -> None:
    """Its vote is not needed any more: who went on without it may decide, and its VMs must not run on by arithmetic."""
    with played("world nodes=2 members=2 unfenced", "vm web2 preferred=n2", "start", "run 40") as world:
        member, consensus = world.engine.members["n2"], world.engine.consensus
        disk = member.disk
        play(world, "cut n1 n2 service")
        consensus.wipe(member)
        consensus.changed()
        play(world, "run 2.5", "heal all")
        while keeper(world, "n1").noted.generation == 0:
            play(world, "run 0.1")
        play(world, "run 0.3", "cut n1 n2")
        member.disk = disk
        consensus.changed()
        play(world, "run 20")
        assert world.where("web2") == []


def test_who_cannot_keep_its_log_whole_does_not_go_alone_says_so_and_tries_again_later() -> None:
    with played("world nodes=2 members=2", "vm web1 preferred=n1", "start", "run 40") as world:
        broken = _BrokenLog(keeper(world, "n1")._local)
        keeper(world, "n1")._local = broken
        play(world, "power off n2", "run 50")
        last_one = world.services["n1"].node.voters.last_one
        assert last_one is not None
        assert last_one.words.startswith("n1 cannot go on alone: its member cannot be started alone: torn. If it must:")
        assert broken.refused == 1
        assert noted(world, "n1").generation == 0
        assert set(noted(world, "n1").voters) == {"n1", "n2"}
        assert keeper(world, "n1").stage is Stage.STARTED
        broken.torn = False
        play(world, "run 90")
        assert noted(world, "n1").generation == 1
        assert any("n1 cannot go on alone" in words for words in events(world, "vote"))
        assert world.where("web1") == ["n1"]


def test_who_was_proven_off_before_a_step_that_failed_is_fenced_again_before_the_next_one() -> None:
    """The other one may be on again meanwhile, and decide with this member's vote."""
    with played("world nodes=2 members=2", "vm web1 preferred=n1", "start", "run 40") as world:
        broken = _BrokenLog(keeper(world, "n1")._local)
        keeper(world, "n1")._local = broken
        play(world, "power off n2")
        while not broken.refused:
            play(world, "run 0.1")
        play(world, "run 1")
        assert keeper(world, "n1").proven_off == {}
        broken.torn = False
        play(world, "run 120")
        assert noted(world, "n1").generation == 1
        assert len([words for words in events(world, "vote") if words.startswith("n1 fences n2")]) == 2
        assert world.where("web1") == ["n1"]


@pytest.mark.parametrize("happens", ["member freeze n1", "member kill n1", "power on n2"])
def test_who_was_proven_off_must_promise_again_once_it_may_have_been_heard(happens: str) -> None:
    """While this node's member does not answer, nobody knows to whom it gives its vote."""
    with played("world nodes=2 members=2 unfenced", "start", "run 40", "power off n2", "run 3") as world:
        found = keeper(world, "n1")
        assert not found.follows
        found.proven_off["n2"] = world.loop.time()
        play(world, "run 3")
        assert found.proven_off, "it counts while the member says that it follows nobody"
        play(world, happens, "run 40")
        assert found.proven_off == {}


def test_no_margin_is_told_without_a_word_before_this_node_could_go_on_without_the_other_one() -> None:
    """The database knows who votes before this node's own member is asked for it again."""
    with played("world members=3", "start", "run 20", "power off n3") as world:
        (fork,) = world.engine.consensus.forks
        quorum = world.services["n1"].node.voters.quorum
        assert quorum is not None
        while len(fork.seats_at(fork.index)) == 3:
            play(world, "run 0.01")
        own = keeper(world, "n1").look()
        assert own is not None
        assert len(own.voters) == 3, "its own member was not asked again yet"
        quorum._seen_at = float("-inf")
        row = quorum_row(world, "n1")
        assert row.margin == 1
        assert row.waits == ("n1 could not go on without n2 yet: only they vote since a moment ago",)
        while row.waits:
            play(world, "run 0.1")
            row = quorum_row(world, "n1")
        play(world, "power off n2", "run 60")
        assert noted(world, "n1").generation == 1


def quorum_row(world: World, node: str) -> QuorumRow:
    found: list[Any] = []

    async def ask() -> None:
        service = world.services[node].node
        found.extend([value async for kind, value in service.command("quorum.show", {}) if kind == "result"])

    world.loop.run_until_complete(ask())
    return msgspec.convert(found[0], QuorumRow)


class _BrokenLog:
    """A member whose log cannot be kept whole for a while."""

    def __init__(self, local: LocalMember) -> None:
        self.torn = True
        self.refused = 0
        self.client_url, self.peer_url = local.client_url, local.peer_url
        self.has_data, self.marks, self.mark = local.has_data, local.marks, local.mark
        self.stop, self.runs, self.wipe = local.stop, local.runs, local.wipe
        self._local = local

    async def start(self, how: Start) -> None:
        if how.whole_log and self.torn:
            self.refused += 1
            raise NotWhole("torn")
        await self._local.start(how)


def test_a_disk_that_cannot_be_read_is_not_taken_for_empty_and_ends_no_service(tmp_path: Path) -> None:
    program: Any = None
    unreadable = EtcdMember("n1", program, tmp_path / ("x" * 300), client_url="c", peer_url="p")
    with pytest.raises(OSError, match="too long"):
        unreadable.has_data()
    unused: Any = None
    local = cast(Any, _Unmarked(unreadable))
    assert MemberKeeper("n1", local, unused, None, unused, same_life=lambda: True).stage is Stage.WAITS


class _Unmarked:
    """A member on a disk that cannot be read, and of which nothing has been noted yet."""

    def __init__(self, member: EtcdMember) -> None:
        self.has_data = member.has_data

    def marks(self) -> dict[str, str]:
        return {}


def test_who_leaves_in_order_notes_before_it_does_that_its_vote_may_be_taken() -> None:
    """And until it has been back for a while no quorum is forced there."""
    with played(*SETUP, "run 20") as world:
        assert not noted(world, "n3").may_be_out
        service = world.services["n3"]
        service.process.context.run(world.loop.create_task, service.node.leave())
        play(world, "run 3", "cut n3 n1", "cut n3 n2", "run 90")
        assert any("n3 left the cluster in order" in words for words in events(world, "vote"))
        assert noted(world, "n3").may_be_out
        play(world, "kill service n3 restart=0.5", "run 20", "power off n1", "power off n2", "run 10")
        world.administer("n3", "quorum.force", {"confirmed": ["n1", "n2"]})
        play(world, "run 30")
        assert not keeper(world, "n3").follows
        play(world, "power on n1", "power on n2", "run 60")
        assert keeper(world, "n1").follows, "they start without n3, and rightly"
        play(world, "heal all", "run 60")
        assert not noted(world, "n3").may_be_out
        assert keeper(world, "n3").stage is Stage.RUNS


def test_after_a_boot_a_vote_is_certain_only_with_a_session() -> None:
    with played(*SETUP, "run 20") as world:
        boots = noted(world, "n3").trace.boots
        play(world, "power off n3", "run 5", "power on n3")
        while noted(world, "n3").trace.boots == boots:
            play(world, "run 1")
        assert noted(world, "n3").may_be_out
        play(world, "run 60")
        assert not noted(world, "n3").may_be_out
