"""An administrator forces the quorum: who has a fence device is fenced, whatever he says."""

from typing import Any

from played import events, group_of, play, played

from outlast.model.group import Wanted
from outlast.service.hosting.local import Local
from outlast.sim.world import World

SETUP = ("world members=3", "start", "run 40")


def forecast(world: World, node: str) -> list[str]:
    """What forcing the quorum there would mean."""
    found: list[Any] = []
    service = world.services[node]

    async def ask() -> None:
        found.extend([value async for kind, value in service.node.command("quorum.forecast", {}) if kind == "result"])

    service.process.context.run(world.loop.create_task, ask())
    play(world, "run 5")
    (row,) = found
    return list(row["consequences"])


def test_a_node_that_is_said_to_be_off_and_runs_is_fenced_before_its_vote_is_given_up() -> None:
    with played(*SETUP) as world:
        play(world, "cut n1 n2", "cut n1 n3", "cut n2 n3", "run 20")
        assert all(world.machines[name].on for name in ("n2", "n3"))
        world.administer("n1", "quorum.force", {"confirmed": ["n2", "n3"]})
        play(world, "run 30")
        assert not any(world.machines[name].on for name in ("n2", "n3"))
        assert any("an administrator forced the quorum on n1" in words for words in events(world, "vote"))


def test_without_proof_and_without_a_word_nothing_is_forced() -> None:
    with played("world members=3 unfenced", *SETUP[1:]) as world:
        play(world, "power off n2", "power off n3", "run 20")
        world.administer("n1", "quorum.force", {})
        play(world, "run 20")
        assert events(world, "vote") == []
        keeper = world.services["n1"].node.voters.keeper
        assert keeper is not None
        assert not keeper.follows


def test_who_goes_on_alone_while_others_live_starts_nothing_before_it_is_said_what_runs_where() -> None:
    """What was lost may be that a VM is theirs by now. When all others are off, nobody need be asked."""
    with played("world nodes=4 members=3 unfenced", "vm web1 preferred=n1", *SETUP[1:]) as world:
        # Who says that its data is gone need not be off, nor who has never voted. (n1 has all that was written.)
        play(world, "power off n3", "run 1", "member freeze n2", "run 3", "member wipe n2", "member thaw n2", "run 20")
        assert any("n2, n4 need not be off" in words for words in forecast(world, "n1"))
        before = len(world.story.lines)
        world.administer("n1", "quorum.force", {"confirmed": ["n3"]})
        play(world, "run 40")
        assert "the quorum was forced on n1" in world.services["n4"].node.store.settings.hold
        assert not any("is being brought online" in line for line in world.story.lines[before:])
        world.administer("n1", "cluster.confirm_ownership", {})
        play(world, "run 30")
        assert len(world.where("web1")) == 1
        assert group_of(world, "web1").wanted is Wanted.ONLINE
    with played("world members=3 unfenced", "vm web1 preferred=n1", *SETUP[1:]) as world:
        play(world, "power off n2", "power off n3", "run 20")
        world.administer("n1", "quorum.force", {"confirmed": ["n2", "n3"]})
        play(world, "run 30")
        assert world.services["n1"].node.store.settings.hold == ""
        assert world.where("web1") == ["n1"]


def test_what_was_online_by_a_record_of_the_past_was_not_switched_off_here() -> None:
    with played("world", "vm web1 preferred=n1", *SETUP[1:]) as world:
        node = world.services["n1"].node
        assert node.resources.records.was_online(Local(node.store.resources["web1"], 0.0))
        node.store.hold("a backup was restored")
        assert not node.resources.records.was_online(Local(node.store.resources["web1"], 0.0))
