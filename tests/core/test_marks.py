"""What happened to a node is remembered, and counts for a while."""

from build import observed, view
from outlast.core.coordinator import marks
from outlast.model.node import Mark


def test_a_life_is_lost_once_and_fenced_once_and_the_two_are_told_apart() -> None:
    lost, fenced = marks.loss("n2-life-1", "silent"), marks.fencing("n2-life-1")
    assert marks.among(marks.loss("n2-life-1", "again"), (lost,))
    assert not marks.among(fenced, (lost,))
    assert not marks.among(marks.loss("n2-life-2", "silent"), (lost,))


def test_a_mark_counts_until_the_deciding_node_has_known_it_for_the_period() -> None:
    old, new = marks.loss("a", ""), marks.loss("b", "")
    seen = view(observed=observed(mark_age_s={old.id: 60.0, new.id: 59.9}))
    assert marks.counted((old, new), 60.0, seen) == (new,)


def test_a_mark_whose_age_this_coordinator_does_not_know_is_new() -> None:
    assert marks.counted((marks.loss("a", ""),), 60.0, view()) == (marks.loss("a", ""),)


def test_the_oldest_mark_is_the_next_to_count_no_more() -> None:
    old, new = marks.loss("a", ""), marks.loss("b", "")
    seen = view(observed=observed(mark_age_s={old.id: 50.0, new.id: 10.0}))
    assert marks.next_expiry_s((old, new), 60.0, seen) == 10.0
    assert marks.next_expiry_s((), 60.0, seen) is None


def test_only_the_latest_are_remembered_and_none_twice() -> None:
    remembered: tuple[Mark, ...] = ()
    for number in range(marks.MOST + 5):
        remembered = marks.added(marks.loss(f"life-{number}", ""), remembered)
    assert len(remembered) == marks.MOST
    assert remembered[-1].id == f"lost life-{marks.MOST + 4}"
    assert marks.added(remembered[3], remembered) == remembered
