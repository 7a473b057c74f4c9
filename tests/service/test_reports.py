"""What does an owner promise by its report, and whose word counts when several change a group at once?

n1 owns web1, and all that it says and hears takes half a second longer than the others' words.
"""

from played import group_of, incarnation_of, play, played, reported_state

from outlast.model import keys
from outlast.model.group import Wanted
from outlast.model.node import Silence
from outlast.model.status import State
from outlast.service.store import put
from outlast.sim.world import World

SLOW_OWNER = ("world", "vm web1 preferred=n1", "start", "run 10", "database slow n1 way=0.5", "run 5")


def switched_off(world: World) -> None:
    play(world, "admin n2 group.offline name=web1", "run 20")
    assert reported_state(world, "web1") is State.OFFLINE


def test_an_owner_takes_its_report_that_nothing_runs_back_before_it_starts_anything() -> None:
    with played(*SLOW_OWNER) as world:
        switched_off(world)
        play(world, "admin n2 group.online name=web1")
        for _ in range(200):
            play(world, "run 0.05")
            if world.where("web1"):
                break
        assert world.where("web1") == ["n1"]
        assert reported_state(world, "web1") is State.ONLINE_PENDING


def test_a_start_that_is_called_off_before_it_was_announced_is_reported_as_off() -> None:
    with played(*SLOW_OWNER) as world:
        switched_off(world)
        play(world, "admin n2 group.online name=web1", "run 0.7", "admin n2 group.offline name=web1", "run 20")
        assert group_of(world, "web1").wanted is Wanted.OFFLINE
        assert world.where("web1") == []
        assert reported_state(world, "web1") is State.OFFLINE


def test_an_owner_and_an_administrator_who_change_a_group_at_once_are_both_heard() -> None:
    with played(*SLOW_OWNER) as world:
        play(world, "console stop web1", "run 0.2", "admin n2 group.move name=web1 to=n3", "run 40")
        assert (group_of(world, "web1").owner, group_of(world, "web1").wanted) == ("n3", Wanted.OFFLINE)
        assert world.where("web1") == []


def test_an_administrator_who_speaks_after_a_console_stop_has_the_last_word() -> None:
    with played(*SLOW_OWNER) as world:
        play(world, "console stop web1", "run 0.2", "admin n2 group.online name=web1", "run 40")
        assert group_of(world, "web1").wanted is Wanted.ONLINE
        assert world.where("web1") == ["n1"]


def test_a_shutdown_for_a_move_is_nobodys_intent_also_when_the_host_dies_beside_it() -> None:
    with played("world", "vm web1 preferred=n1 shutdown=2", "start", "run 10") as world:
        play(world, "admin n2 group.move name=web1 to=n3", "run 1", "kill host n1", "run 40")
        assert (group_of(world, "web1").owner, group_of(world, "web1").wanted) == ("n3", Wanted.ONLINE)
        assert world.where("web1") == ["n3"]


def test_who_is_called_silent_before_a_start_is_announced_starts_nothing() -> None:
    with played("world unfenced", *SLOW_OWNER[1:]) as world:
        switched_off(world)
        life = incarnation_of(world, "n1")
        play(world, "admin n2 group.online name=web1", "run 0.8")
        world.write(put(keys.SILENCES + "n1", Silence("n1", life, "n2")))
        while keys.SILENCES + "n1" in {entry.key for entry in world.database.entries(keys.SILENCES)}:
            assert world.where("web1") == []
            play(world, "run 0.05")
        play(world, "run 20")
        assert world.where("web1") != [], "in the next session"
