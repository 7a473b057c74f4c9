"""An administrator forces the quorum: who has a fence device is fenced, whatever he says."""

from played import events, play, played

SETUP = ("world members=3", "start", "run 20")


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
