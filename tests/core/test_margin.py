"""What can still be lost, in words for people."""

from member_builders import machines, standing, voters

from outlast.core.quorum.margin import Margin, margin
from outlast.core.quorum.voting import VoteView

ALL = ("n1", "n2", "n3", "n4", "n5")


def of(names: str, *, dead: str = "", fenced: tuple[str, ...] = ALL) -> Margin:
    return margin(standing(*names.split(), dead=dead), fenced)


def test_three_voters_can_lose_one() -> None:
    assert of("n1 n2 n3") == Margin(1, "can lose one more of n1, n2, n3")
    assert of("n1 n2 w1").margin == 1


def test_five_voters_can_lose_two() -> None:
    assert of("n1 n2 n3 n4 n5") == Margin(2, "can lose two more of n1, n2, n3, n4, n5")


def test_of_three_voters_one_is_gone_already() -> None:
    words = "cannot lose any of n1, n2: without it there is no majority of 3"
    assert of("n1 n2 n3", dead="n3") == Margin(0, words, vital=("n1", "n2"))


def test_without_a_majority_nothing_goes_on() -> None:
    assert of("n1 n2 n3", dead="n2 n3") == Margin(-1, "no quorum: 1 of 3 voters answer (n1), 2 are needed")


def test_two_nodes_can_lose_one_when_it_can_be_confirmed_off() -> None:
    assert of("n1 n2").margin == 1
    words = "cannot lose n2: nothing could confirm that it is off; can lose n1"
    assert of("n1 n2", fenced=("n1",)) == Margin(0, words, vital=("n2",))
    assert of("n1 n2", fenced=()).margin == 0
    assert of("n1 n2", fenced=()).vital == ("n1", "n2")


def test_a_node_and_a_witness_can_lose_neither() -> None:
    words = "cannot lose any of n1, w1: without it there is no majority of 2"
    assert of("n1 w1") == Margin(0, words, vital=("n1", "w1"))


def test_the_last_one_cannot_be_lost() -> None:
    assert of("n1") == Margin(0, "cannot lose n1: it is the last one that votes", vital=("n1",))


def test_a_learner_is_no_voter() -> None:
    view = VoteView(voters("n1"), machines=machines("n1"))
    assert margin(view, ALL).margin == -1  # nobody answers
