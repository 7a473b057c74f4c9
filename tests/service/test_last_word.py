"""What was committed in the very last moment of the other one of two is not lost, also when nobody has heard of it."""

from played import play, played

from outlast.ports.database import Put


def test_the_last_of_two_keeps_a_commit_of_which_it_has_not_heard_that_it_is_one() -> None:
    with played("world nodes=2 members=2", "start", "run 40") as world:
        consensus = world.engine.consensus
        (fork,) = consensus.forks
        assert fork.leader is not None
        led = fork.leader.host
        (left,) = {"n1", "n2"} - {led}
        world.loop.call_soon(lambda: world.database.commit([], [Put("last", b"word")]))
        play(world, "run 0.001", f"power off {led}")
        assert consensus.committed(world.engine.members[left]) < fork.index, "it has it, and does not know"
        play(world, "run 60")
        assert consensus.forks[-1].leader is world.engine.members[left]
        assert [entry.value for entry in world.database.entries("last")] == [b"word"]
