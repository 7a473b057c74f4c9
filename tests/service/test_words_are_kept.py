"""What an administrator said last is what becomes of it, also when he said it at an odd moment (rule 10)."""

import pytest
from played import Refused, asked, events, group_of, play, played, resource_of

from outlast.model.group import Wanted
from outlast.sim.world import World

MANUAL = "vm web priority=no-auto-start preferred=n1"
SEVERAL = (
    "world",
    "group app preferred=n1",
    "resource disk in=app",
    "resource web in=app needs=disk",
    "start",
    "run 10",
)


def all_go_down_in_order_and_boot_again(world: World) -> None:
    nodes = list(world.machines)
    play(world, *(f"admin {node} node.leaving" for node in nodes), "run 30")
    play(world, *(f"power off {node}" for node in nodes), "run 5", *(f"power on {node}" for node in nodes), "run 90")


def test_what_starts_by_a_word_only_is_started_by_one_that_came_after_its_node_was_lost() -> None:
    with played("world unfenced", MANUAL, "start", "run 10", "power off n1", "run 15") as world:
        asked(world, "n2", "group.online", name="web")
        play(world, "run 1", "admin n2 node.confirm_down name=n1", "run 20")
        assert world.where("web") in (["n2"], ["n3"])


def test_and_by_one_that_came_while_its_node_was_booting() -> None:
    with played("world unfenced", MANUAL, "start", "run 10", "power off n1", "run 15") as world:
        asked(world, "n2", "group.online", name="web")
        play(world, "power on n1", "run 60")
        assert world.where("web") == ["n1"]


def test_what_is_moved_while_it_is_off_and_then_started_starts_there_however_late_its_move_is_seen() -> None:
    with played(
        "world", "vm web preferred=n1", "start", "run 10", "admin n1 group.offline name=web", "run 20"
    ) as world:
        play(world, "database slow n1 way=0.5")
        asked(world, "n2", "group.move", name="web", to="n2")
        assert group_of(world, "web").owner == "n1", "its move was not seen yet"
        asked(world, "n2", "group.online", name="web")
        play(world, "run 20")
        assert world.where("web") == ["n2"]


def test_it_does_not_start_by_itself_after_all_machines_were_shut_down_in_order() -> None:
    with played("world", MANUAL, "vm db preferred=n2", "start", "run 10") as world:
        all_go_down_in_order_and_boot_again(world)
        assert world.where("db")
        assert world.where("web") == []
        assert group_of(world, "web").wanted is Wanted.OFFLINE
        assert "its priority is no auto start" in events(world, "intent")[-1] + group_of(world, "web").wanted_by
        asked(world, "n2", "group.online", name="web")
        play(world, "run 20")
        assert world.where("web")


def test_who_starts_a_vm_of_a_group_of_several_means_the_vm_however_it_was_switched_off() -> None:
    with played(*SEVERAL) as world:
        play(world, "console stop web", "run 10")
        assert resource_of(world, "web").wanted is Wanted.OFFLINE
        asked(world, "n2", "group.online", name="app")
        play(world, "run 20")
        assert world.where("web") == []
        asked(world, "n2", "group.online", name="app", resource="web")
        play(world, "run 20")
        assert world.where("web") == ["n1"]


def test_and_is_told_when_it_cannot_start_because_what_it_needs_is_off_on_purpose() -> None:
    with played(*SEVERAL) as world:
        for name in ("web", "disk"):
            asked(world, "n2", "resource.offline", name=name)
        play(world, "run 20")
        with pytest.raises(Refused, match="it needs disk, and that is wanted offline; first: `outlast resource online"):
            asked(world, "n2", "group.online", name="app", resource="web")


def test_a_resource_that_is_to_be_turned_off_is_not_shut_down() -> None:
    with played(*SEVERAL) as world:
        asked(world, "n2", "resource.offline", name="web", stop="turn_off")
        play(world, "run 0.3")
        assert (world.where("web"), world.where("disk")) == ([], ["n1"])


def test_of_what_got_no_answer_nobody_is_told_that_it_was_refused_for_it_may_be_done() -> None:
    with played("world", "vm web preferred=n2", "start", "run 10", "database slow n3 way=3") as world:
        with pytest.raises(Refused, match="may have been written all the same") as told:
            asked(world, "n3", "group.move", name="web", to="n1")
        assert told.value.kind == "impossible"
        play(world, "database mend n3", "run 30")
        assert world.where("web") == ["n1"]


def test_what_certainly_was_not_written_is_refused() -> None:
    with played("world", "vm web preferred=n2", "start", "run 10", "database refuse n3") as world:
        with pytest.raises(Refused, match="cannot reach the cluster database from n3; try again"):
            asked(world, "n3", "group.move", name="web", to="n1")
        play(world, "database mend n3", "run 30")
        assert world.where("web") == ["n2"]


@pytest.mark.parametrize("world_lines", [("world", "vm web preferred=n1", "start", "run 10"), SEVERAL])
def test_what_was_done_last_at_the_console_stands_also_while_what_was_done_before_is_being_written_down(
    world_lines: tuple[str, ...],
) -> None:
    with played(*world_lines) as world:
        play(world, "database slow n1 way=0.3", "run 5", "console stop web", "run 0.3", "console start web", "run 30")
        assert world.where("web") == ["n1"]
        assert group_of(world, "web" if world_lines is not SEVERAL else "app").wanted is Wanted.ONLINE
        assert resource_of(world, "web").wanted is Wanted.ONLINE
        play(world, "console stop web", "run 2", "console start web", "run 0.3", "console stop web", "run 30")
        assert world.where("web") == []


def test_what_an_administrator_says_while_that_is_written_down_wins() -> None:
    with played("world", "vm web preferred=n1", "start", "run 10") as world:
        play(world, "database slow n1 way=0.3", "run 5", "console stop web", "run 0.1")
        asked(world, "n2", "group.offline", name="web")
        play(world, "run 0.1", "console start web", "run 30")
        assert world.where("web") == []
