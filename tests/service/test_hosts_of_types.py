"""A type that gets a resource host of its own: what its node knows of it meanwhile."""

from played import play, played

SETUP = ("world", "vm web preferred=n1", "group shop preferred=n1", "resource ip in=shop", "start", "run 10")


def test_a_type_is_known_until_the_host_of_its_own_says_how_it_is() -> None:
    """Else a new life of the node would open a session without asking that type what runs (rule 6)."""
    with played(*SETUP) as world:
        node = world.services["n1"].node
        before = node.hosts.processes()
        assert set(node.hosts.offers()) == {"sim", "vm"}
        world.loop.create_task(node.hosts.replace("vm", "its plugin has changed"))
        for _ in range(40):
            play(world, "run 0.02")
            assert set(node.hosts.offers()) == {"sim", "vm"}
        assert set(node.hosts.processes()) == {*before, "vm"}, "it did get a host of its own"
