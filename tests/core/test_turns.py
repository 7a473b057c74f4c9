"""Whose turn is it to start on this node?"""

from outlast.core.owner.turns import PATIENCE_S, Turns, at_once
from outlast.model.policy import Priority

HIGH, MEDIUM, LOW = Priority.HIGH.rank, Priority.MEDIUM.rank, Priority.LOW.rank
MANY = 100


def test_one_group_alone_begins_at_once() -> None:
    assert Turns().ask("web", LOW, 0.0, 1) == ""


def test_who_is_less_urgent_waits_until_the_more_urgent_ones_are_done_and_says_for_whom() -> None:
    turns = Turns()
    assert turns.ask("db", HIGH, 0.0, MANY) == ""
    assert turns.ask("web", MEDIUM, 0.0, MANY) == "db starts first, with a higher priority"
    assert turns.ask("test", LOW, 0.0, MANY) == "db, web start first, with a higher priority"
    assert turns.done("db")
    assert turns.waiting() == ["web", "test"]
    assert turns.ask("web", MEDIUM, 1.0, MANY) == ""
    assert turns.ask("test", LOW, 1.0, MANY)
    turns.done("web")
    assert turns.ask("test", LOW, 2.0, MANY) == ""


def test_groups_of_the_same_priority_start_beside_each_other() -> None:
    turns = Turns()
    assert [turns.ask(f"vm{number}", MEDIUM, 0.0, MANY) for number in range(20)] == [""] * 20


def test_no_more_than_so_many_begin_at_once_and_the_next_one_when_one_of_them_is_done() -> None:
    turns = Turns()
    assert [turns.ask(f"vm{number}", MEDIUM, 0.0, 2) for number in (1, 2)] == ["", ""]
    words = "2 others are being started here, and no more at once (parallel_starts)"
    assert [turns.ask(f"vm{number}", MEDIUM, 0.0, 2) for number in (3, 4)] == [words, words]
    turns.done("vm1")
    assert turns.waiting() == ["vm3", "vm4"]
    assert turns.ask("vm3", MEDIUM, 1.0, 2) == ""
    assert turns.ask("vm4", MEDIUM, 1.0, 2)


def test_a_more_urgent_one_that_is_expected_is_waited_for_whoever_asks_first() -> None:
    """Which group's record is looked at first, and which plugin answers first, is chance."""
    turns = Turns()
    turns.expect("db", HIGH, 0.0)
    assert turns.ask("web", LOW, 0.0, MANY)
    assert turns.ask("db", HIGH, 0.1, MANY) == ""
    assert turns.ask("web", LOW, 0.1, MANY)


def test_one_start_that_hangs_holds_nobody_up_for_ever() -> None:
    turns = Turns()
    turns.ask("db", HIGH, 0.0, 1)
    assert turns.ask("web", LOW, 1.0, 1)
    assert turns.again_at_s(1.0) == PATIENCE_S
    assert turns.ask("web", LOW, PATIENCE_S - 0.1, 1)
    assert turns.ask("web", LOW, PATIENCE_S, 1) == ""


def test_who_is_expected_and_does_not_come_holds_nobody_up_for_ever() -> None:
    turns = Turns()
    turns.expect("db", HIGH, 0.0)
    assert turns.ask("web", LOW, 0.0, MANY)
    assert turns.ask("web", LOW, PATIENCE_S, MANY) == ""


def test_a_more_urgent_one_that_waits_for_its_turn_itself_is_waited_for_however_long() -> None:
    turns = Turns()
    turns.ask("db1", HIGH, 0.0, 1)
    turns.ask("db2", HIGH, 0.0, 1)
    turns.ask("web", LOW, 0.0, 1)
    turns.done("db1")
    assert turns.ask("db2", HIGH, PATIENCE_S + 5.0, 1) == ""
    assert turns.ask("web", LOW, PATIENCE_S + 5.0, 1)


def test_what_is_told_does_not_change_with_each_start_of_another_one() -> None:
    turns = Turns()
    for name in ("a", "b", "c", "d", "e"):
        turns.ask(name, HIGH, 0.0, MANY)
    words = "a, b, c and 2 more start first, with a higher priority"
    assert turns.ask("web", LOW, 0.0, MANY) == words
    turns.done("a")
    assert turns.ask("web", LOW, 1.0, MANY) == words


def test_what_has_begun_is_not_held_up_by_who_comes_later() -> None:
    """A group of several: its next resource starts when the first one is up."""
    turns = Turns()
    assert turns.ask("web", LOW, 0.0, 1) == ""
    turns.expect("db", HIGH, 0.5)
    assert turns.ask("web", LOW, 1.0, 1) == ""


def test_the_end_of_a_group_matters_only_when_others_are_about_to_start() -> None:
    turns = Turns()
    assert not turns.done("web")
    turns.ask("web", LOW, 0.0, 1)
    assert not turns.done("web")
    assert turns.again_at_s(0.0) is None


def test_by_default_as_many_start_at_once_as_the_processors_can_do() -> None:
    assert [at_once(0, cpus) for cpus in (0, 2, 4, 16)] == [8, 8, 8, 32]
    assert at_once(3, 16) == 3
