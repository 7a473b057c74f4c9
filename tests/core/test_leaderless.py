"""Since when has the own member seen no leader? Only looks without a pause between them make that certain."""

from outlast.core.quorum.leaderless import Leaderless, Look
from outlast.model.member import Member, MemberStatus

N1 = Member("a1", "n1", ("https://n1:2380",))
N2 = Member("a2", "n2", ("https://n2:2380",))
LEARNER = Member("a3", "n3", ("https://n3:2380",), learner=True)
UNSTARTED = Member("a4", "", ("https://n4:2380",), learner=True)
ELECTION_S = 0.5


def status(leader: str = "", *, term: int = 3) -> MemberStatus:
    return MemberStatus("a1", leader, term, 100, "3.4.23")


def looked(*steps: tuple[float, MemberStatus], members: tuple[Member, ...] = (N1, N2)) -> Look:
    machine = Leaderless("n1", ELECTION_S)
    for at_s, said in steps:
        machine.saw(said, members, at_s, at_s + 0.01)
    assert machine.last is not None
    return machine.last


def test_one_look_without_a_leader_says_nothing_about_before() -> None:
    assert looked((10.0, status())).leaderless_since_s == 10.01


def test_looks_in_quick_succession_at_one_term_join_up() -> None:
    assert looked((10.0, status()), (10.3, status()), (10.6, status())).leaderless_since_s == 10.01


def test_a_pause_in_which_a_leader_could_have_come_and_gone_starts_it_again() -> None:
    assert looked((10.0, status()), (10.5, status())).leaderless_since_s == 10.51


def test_a_leader_of_another_term_that_came_and_went_starts_it_again() -> None:
    assert looked((10.0, status()), (10.3, status(term=4))).leaderless_since_s == 10.31


def test_a_leader_ends_it() -> None:
    look = looked((10.0, status()), (10.3, status("a2")))
    assert look.leaderless_since_s is None
    assert look.leader == "n2"
    assert looked((10.0, status()), (10.2, status("a2")), (10.4, status())).leaderless_since_s == 10.41


def test_a_look_without_an_answer_starts_it_again() -> None:
    machine = Leaderless("n1", ELECTION_S)
    machine.saw(status(), (N1, N2), 10.0, 10.01)
    machine.missed()
    assert machine.last is None
    assert machine.saw(status(), (N1, N2), 10.2, 10.21).leaderless_since_s == 10.21


def test_a_look_counts_from_before_the_question_and_what_it_began_from_after_the_answer() -> None:
    machine = Leaderless("n1", ELECTION_S)
    assert machine.saw(status(), (N1, N2), 10.0, 10.2) == Look(
        at_s=10.0, voters=("n1", "n2"), i_vote=True, term=3, index=100, member="a1", leaderless_since_s=10.2, me="n1"
    )


def test_two_voters_are_a_pair_only_when_nobody_else_may_have_become_one() -> None:
    assert looked((1.0, status())).pair == "n2"
    assert looked((1.0, status()), members=(N1, N2, LEARNER)).pair == ""
    assert looked((1.0, status()), members=(N1, N2, UNSTARTED)).pair == ""
    assert looked((1.0, status()), members=(N1,)).pair == ""
    assert looked((1.0, status()), members=(N2, N1, Member("a3", "n3", ()))).pair == ""


def test_a_member_that_does_not_vote_is_no_half_of_a_pair() -> None:
    own = Member("a1", "n1", (), learner=True)
    assert looked((1.0, status()), members=(own, N2, Member("a3", "n3", ()))).pair == ""
