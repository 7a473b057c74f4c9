"""What one decision has decided so far counts for what follows in it."""

from build import group, view
from outlast.core.coordinator.round import Round


def test_who_was_just_given_a_group_has_one_more_for_the_next() -> None:
    round = Round(view(group("web", on="")))
    round.assign(group("web", on=""), "n2", "it had no owner")
    assert round.placed.used("n2").groups == 1
    assert round.is_decided(group("web"))


def test_the_earliest_time_at_which_the_answer_could_be_another_counts() -> None:
    round = Round(view())
    for in_s in (5.0, None, 2.0, 9.0):
        round.wake(in_s)
    assert round.plan().wake_in_s == 2.0
