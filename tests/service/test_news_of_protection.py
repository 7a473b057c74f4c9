"""The event log tells by each change, once, what is protected and whether the promise is kept."""

from played import asked, events, play, played

PROMISED = ("world memory=1000", "cluster survive_nodes=1", *(f"vm vm{number} memory=400" for number in range(1, 5)))


def test_a_loss_that_breaks_the_promise_is_an_event_and_so_is_its_end() -> None:
    with played(*PROMISED, "start", "run 40") as world:
        assert events(world, "promise") == []
        play(world, "power off n3", "run 60")
        (broken,) = events(world, "promise")
        assert broken.startswith(
            "the promise to survive the loss of 1 node is broken: if n1 was lost, no room is left for"
        )
        play(world, "run 200")
        assert events(world, "promise") == [broken]
        play(world, "power on n3", "run 120")
        assert events(world, "promise") == [broken, "the promise to survive the loss of 1 node is kept again"]


def test_another_coordinator_tells_nothing_again() -> None:
    with played(*PROMISED, "start", "run 40", "power off n3", "run 60") as world:
        before = events(world, "promise"), events(world, "protection")
        assert before[0]
        coordinator = asked(world, "n1", "status")["coordinator"]
        play(world, f"kill service {coordinator} restart=20", "run 100")
        assert (events(world, "promise"), events(world, "protection")) == before


def test_what_many_groups_have_in_common_is_one_event() -> None:
    vms = [f"vm vm{number} preferred=n1" for number in range(1, 9)]
    with played("world nodes=2", *vms, "start", "run 40") as world:
        assert events(world, "protection") == []
        asked(world, "n1", "node.pause", name="n2")
        play(world, "run 60")
        assert events(world, "protection") == [
            "8 groups are not protected (vm1, vm2, vm3 and 5 more): no other node could take it: n2: it is paused"
        ]
        asked(world, "n1", "node.resume", name="n2")
        play(world, "run 60")
        assert events(world, "protection")[1:] == ["8 groups are protected again (vm1, vm2, vm3 and 5 more)"]


def test_what_a_failover_puts_right_by_itself_is_no_news() -> None:
    with played("world", "vm web preferred=n1", "start", "run 40", "kill vm web", "run 40") as world:
        assert events(world, "protection") == []
