"""A quorum was forced while another node lives: whatever ends in between, nothing is started before it is said what
runs where. What was lost may be that a VM belongs to that node by now."""

from collections.abc import Callable, Mapping

import msgspec
import pytest
from played import group_of, play, played

from outlast.model import keys
from outlast.model.roll import NOTED, Noted
from outlast.model.settings import Settings
from outlast.ports.members import LocalMember, Start
from outlast.service.quorum.member_keeper import MemberKeeper
from outlast.service.store import WENT_BACK
from outlast.sim.world import World

FORCED = "the quorum was forced on n1"
WORLD = ("world nodes=4 members=3 unfenced", "vm web1 preferred=n1", "start", "run 40")
# n4 never voted and lives, n2 says that its data is gone and lives; neither need be off.
LOST = ("power off n3", "run 1", "member freeze n2", "run 3", "member wipe n2", "member thaw n2", "run 20")


def keeper(world: World) -> MemberKeeper:
    found = world.services["n1"].node.voters.keeper
    assert found is not None
    return found


def noted(world: World) -> Noted:
    return msgspec.json.decode(world.engine.members["n1"].disk.marks[NOTED], type=Noted)


def settings_of(world: World) -> Settings:
    return msgspec.json.decode(world.database.entries(keys.CLUSTER)[0].value, type=Settings)


def force(world: World) -> None:
    world.administer("n1", "quorum.force", {"confirmed": ["n3"]})


def run_until(world: World, happens: Callable[[], bool], within_s: float = 60.0) -> None:
    ends_s = world.loop.time() + within_s
    while not happens():
        assert world.loop.time() < ends_s, "it did not happen"
        play(world, "run 0.005")


def went_on(world: World) -> bool:
    """Is there a database of n1 alone?"""
    return len(world.engine.consensus.forks) == 2


def was_started(world: World, since: int) -> bool:
    return any("is being brought online" in line for line in world.story.lines[since:])


def everybody_waits_for_a_word(world: World, since: int) -> None:
    """Also n4, which had no part in it; and when the word was given, all goes on."""
    assert FORCED in settings_of(world).hold
    assert all(FORCED in world.services[name].node.store.settings.hold for name in ("n1", "n2", "n4"))
    assert not was_started(world, since)
    without = [] if world.machines["n3"].on else ["n3"]
    world.administer("n1", "cluster.confirm_ownership", {"without": without})
    play(world, "run 30")
    assert settings_of(world).hold == ""
    assert world.services["n1"].node.store.settings.hold == ""
    assert world.where("web1") == ["n1"]


def test_who_leads_only_after_the_attempt_was_given_up_holds_all_the_same() -> None:
    with played(*WORLD, *LOST) as world:
        slow = _Slow(world, keeper(world)._local)
        keeper(world)._local = slow
        since = len(world.story.lines)
        force(world)
        play(world, "run 33")
        assert any("does not lead after 30 s" in line for line in world.story.lines[since:])
        run_until(world, lambda: went_on(world))
        play(world, "run 40")
        everybody_waits_for_a_word(world, since)


def test_who_was_started_although_that_was_not_heard_holds_all_the_same() -> None:
    with played(*WORLD, *LOST) as world:
        keeper(world)._local = _Unheard(keeper(world)._local)
        since = len(world.story.lines)
        force(world)
        run_until(world, lambda: went_on(world))
        play(world, "run 40")
        assert any("could not be forced" in line for line in world.story.lines[since:])
        everybody_waits_for_a_word(world, since)


@pytest.mark.parametrize("after_s", [0.0, 0.1, 0.3, 0.6, 1.0, 2.0])
def test_a_service_that_is_killed_before_the_hold_was_written_knows_it_when_it_is_back(after_s: float) -> None:
    with played(*WORLD, *LOST) as world:
        since = len(world.story.lines)
        force(world)
        run_until(world, lambda: went_on(world))
        play(world, f"run {after_s}", "kill service n1", "run 40")
        everybody_waits_for_a_word(world, since)


def test_a_service_that_is_killed_before_its_member_goes_on_alone_knows_it_when_it_is_back() -> None:
    with played(*WORLD, *LOST) as world:
        since = len(world.story.lines)
        force(world)
        run_until(world, lambda: keeper(world).noted.generation == 1)
        assert not went_on(world)
        play(world, "run 0.06", "kill service n1", "run 60")
        if went_on(world):
            everybody_waits_for_a_word(world, since)
        else:
            assert not was_started(world, since)


@pytest.mark.parametrize("ends", ["its member", "its service too", "its power"])
def test_a_step_that_was_tried_is_finished_and_never_taken_back(ends: str) -> None:
    """etcd writes first that the others are out, and that this counts a second later. Started as one of several in
    between, it could make the others believe it, without what they have written."""
    with played(*WORLD, *LOST) as world:
        dies = keeper(world)._local = _Dies(keeper(world)._local)
        since = len(world.story.lines)
        force(world)
        run_until(world, lambda: bool(dies.starts))
        assert noted(world).alone_tried
        if ends == "its service too":
            play(world, "kill service n1")
        elif ends == "its power":
            play(world, "power off n1", "run 5", "power on n1", "power on n3")
        play(world, "run 90")
        assert went_on(world)
        assert all(dies.starts)
        assert (noted(world).alone_tried, noted(world).alone_from, noted(world).generation) == (False, (), 1)
        everybody_waits_for_a_word(world, since)


def test_a_step_that_was_not_tried_is_taken_back_with_its_hold() -> None:
    with played(*WORLD, *LOST) as world:
        keeper(world)._local = _Busy(keeper(world)._local)
        force(world)
        play(world, "run 5", "power on n3", "run 40")
        assert not went_on(world)
        assert (noted(world).hold, noted(world).generation) == ("", 0)
        assert settings_of(world).hold == world.services["n1"].node.store.settings.hold == ""
        assert len(world.where("web1")) == 1


def test_who_reaches_the_database_first_and_knows_more_than_it_holds_too_and_writes_that() -> None:
    """The service of the node on which the quorum was forced is away just then."""
    with played(*WORLD) as world:
        play(world, "admin n1 group.move name=web1 to=n4")
        run_until(world, lambda: group_of(world, "web1").owner == "n4")
        since = len(world.story.lines)
        for name in ("n2", "n3"):
            world.engine.consensus.wipe(world.engine.members[name])
        play(world, "run 8")
        assert world.services["n4"].node.store.groups["web1"].owner == "n4"
        force(world)
        run_until(world, lambda: went_on(world))
        assert group_of(world, "web1").owner == "n1", "that it is n4's is lost"
        play(world, "kill service n1 restart=15", "run 12")
        assert WENT_BACK in settings_of(world).hold
        play(world, "run 40")
        assert not was_started(world, since)
        world.administer("n2", "cluster.confirm_ownership", {})
        play(world, "run 30")
        assert all(world.services[name].node.store.settings.hold == "" for name in ("n1", "n2", "n3", "n4"))
        assert len(world.where("web1")) == 1


class _Local:
    """A node's own member, and what is in its way."""

    def __init__(self, local: LocalMember) -> None:
        self._local = local
        self.client_url, self.peer_url = local.client_url, local.peer_url
        self.has_data, self.mark = local.has_data, local.mark
        self.stop, self.runs, self.wipe = local.stop, local.runs, local.wipe

    def marks(self) -> Mapping[str, str]:
        return self._local.marks()

    async def start(self, how: Start) -> None:
        await self._local.start(how)


class _Slow(_Local):
    """It needs 35 s to read its log, and then goes on alone."""

    def __init__(self, world: World, local: LocalMember) -> None:
        super().__init__(local)
        self._world = world
        self._reads = False
        self.runs = self._runs

    async def start(self, how: Start) -> None:
        if how.alone:
            self._reads = True
            self._world.loop.call_later(35.0, lambda: self._world.loop.create_task(self._served(how)))
        elif not self._reads:
            await self._local.start(how)

    async def _served(self, how: Start) -> None:
        await self._local.start(how)
        self._reads = False

    async def _runs(self) -> bool:
        return self._reads or await self._local.runs()


class _Dies(_Local):
    """It ends as soon as it is started alone for the first time."""

    def __init__(self, local: LocalMember) -> None:
        super().__init__(local)
        self.starts: list[bool] = []

    async def start(self, how: Start) -> None:
        self.starts.append(how.alone)
        if len(self.starts) > 1:
            await self._local.start(how)


class _Busy(_Local):
    """Its supervisor does not stop it in time, the first time."""

    def __init__(self, local: LocalMember) -> None:
        super().__init__(local)
        self._stopped = False
        self.stop = self._stop

    async def _stop(self) -> None:
        if not self._stopped:
            self._stopped = True
            raise OSError("systemctl stop outlast-etcd did not end within 30 s")
        await self._local.stop()


class _Unheard(_Local):
    """The first time that it is started alone its supervisor does not say so in time."""

    heard = False

    async def start(self, how: Start) -> None:
        await self._local.start(how)
        if how.alone and not self.heard:
            self.heard = True
            raise OSError("systemctl start outlast-etcd did not end within 30 s")
