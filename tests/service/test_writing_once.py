"""The answer to what an administrator asked for is lost, as when etcd's leader is: it is asked again, and done once."""

import pytest
from played import Refused, asked, events, group_of, play, played

MOVE = {"name": "web", "to": "n1"}
WORLD = ("world", "vm web preferred=n2", "start", "run 10")


@pytest.mark.parametrize("fate", ["lose", "unhear"])
def test_it_is_done_once_whether_its_first_write_was_done_or_not(fate: str) -> None:
    with played(*WORLD, f"database {fate} n3") as world:
        asked(world, "n3", "group.move", **MOVE)
        assert len(events(world, "intent")) == 1
        play(world, "run 20")
        assert world.where("web") == ["n1"]
        assert group_of(world, "web").moves == 1


def test_also_when_that_happens_twice() -> None:
    with played(*WORLD, "database lose n3", "database unhear n3") as world:
        asked(world, "n3", "group.move", **MOVE)
        play(world, "run 20")
        assert group_of(world, "web").moves == 1


def test_what_somebody_else_changed_meanwhile_is_looked_at_before_it_is_asked_again() -> None:
    """The first write was lost; before the second, the VM went to n1 by another word."""
    with played(*WORLD, "database lose n3") as world:
        play(world, "admin n3 group.move name=web to=n3", "run 1", "admin n2 group.move name=web to=n1", "run 30")
        assert world.where("web") == ["n3"]
        assert group_of(world, "web").moves == 2


def test_a_first_write_that_comes_late_changes_nothing_after_the_second() -> None:
    """On its way for 5 s: the second one, sent meanwhile, is there before it."""
    with played(*WORLD) as world:
        play(world, "database slow n3 way=5", "admin n3 group.move name=web to=n1", "run 3.9", "database mend n3")
        play(world, "run 40")
        assert group_of(world, "web").moves == 1
        assert len([words for words in events(world, "intent") if "to move" in words]) == 1


def test_when_nobody_answers_for_long_that_is_said() -> None:
    with played(*WORLD, "database cut n3") as world:
        with pytest.raises(Refused, match="may have been written all the same"):
            asked(world, "n3", "group.move", **MOVE)
        play(world, "database mend n3", "run 60")
