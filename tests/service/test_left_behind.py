"""What a node no longer owns leaves nothing behind there, also where that could not be seen to at once."""

from played import play, played

from outlast.sim.world import World

MOVED_AND_NOT_FORGOTTEN = (
    "world nodes=3 live",
    "vm web1 boot=1 transfer=1.5 possible=n1,n2",
    "start",
    "run 20",
    "admin n1 group.move name=web1 to=n2 stop=live",
    "run 1.52",
    "libvirt silent n1",
    "run 20",
)
"""n1 handed it over, and libvirt did not answer when it was to undefine it there."""


def is_defined(world: World, node: str) -> bool:
    return "web1" in world.machines[node].defined


def test_what_could_not_be_forgotten_is_forgotten_when_libvirt_answers_again() -> None:
    with played(*MOVED_AND_NOT_FORGOTTEN) as world:
        assert is_defined(world, "n1")
        play(world, "libvirt answers n1", "run 10")
        assert not is_defined(world, "n1")
        assert is_defined(world, "n2")


def test_what_is_unprotected_meanwhile_is_left_as_it_is() -> None:
    with played(*MOVED_AND_NOT_FORGOTTEN) as world:
        play(world, "admin n1 vm.unprotect name=web1", "libvirt answers n1", "run 10")
        assert is_defined(world, "n1")


def test_what_comes_back_before_it_could_be_forgotten_stays() -> None:
    with played(*MOVED_AND_NOT_FORGOTTEN) as world:
        play(world, "libvirt answers n1", "admin n1 group.move name=web1 to=n1 stop=live", "run 20")
        assert is_defined(world, "n1")
        assert not is_defined(world, "n2")
