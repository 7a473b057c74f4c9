"""The rows of `outlast quorum show`."""

import msgspec
from member_builders import INDEX, learner, standing, status, unstarted

from outlast.core.quorum.margin import margin
from outlast.core.quorum.voter_rows import voter_row
from outlast.core.quorum.voting import VoteView

ALL = ("n1", "n2", "n3", "n4", "n5")


def leaderless(*names: str, dead: str) -> VoteView:
    view = standing(*names, dead=dead)
    statuses = {id: msgspec.structs.replace(status, leader="") for id, status in view.statuses.items()}
    return msgspec.structs.replace(view, statuses=statuses)


def rows(view: VoteView, leader: str = "") -> dict[str, tuple[str, str]]:
    found = [voter_row(member, view, leader) for member in view.members]
    return {row.name: (row.state, row.why) for row in found}


def test_who_answers_without_a_majority_is_told_apart_from_who_does_not() -> None:
    view = leaderless("n1", "n2", "n3", dead="n2 n3")
    assert margin(view, ALL).words == "no quorum: 1 of 3 voters answer (n1), 2 are needed"
    assert rows(view) == {
        "n1": ("no leader", "it answers, but too few of the others do"),
        "n2": ("not well", "it has not answered for 120 s"),
        "n3": ("not well", "it has not answered for 120 s"),
    }


def test_an_election_is_no_loss_of_members() -> None:
    view = leaderless("n1", "n2", "n3", dead="n3")
    assert margin(view, ALL).words == "no quorum: 2 of 3 voters answer, and do not go on together"
    assert rows(view)["n1"] == ("no leader", "those that vote have elected nobody yet")


def test_one_that_is_cut_off_from_the_leader_is_told() -> None:
    view = standing("n1", "n2", "n3")
    cut_off = msgspec.structs.replace(status("n3"), leader="")
    alone = msgspec.structs.replace(view, statuses={**view.statuses, "id-n3": cut_off})
    assert rows(alone, "id-n1") == {
        "n1": ("leads", ""),
        "n2": ("votes", ""),
        "n3": ("no leader", "it does not hear the one that leads"),
    }


def test_who_was_never_heard_before_has_no_age() -> None:
    view = msgspec.structs.replace(standing("n1", "n2", dead="n2"), unanswered_s={"id-n2": 0.0})
    assert rows(view, "id-n1")["n2"] == ("not well", "it does not answer")


def test_one_that_lags_says_by_how_much_and_learners_and_new_ones_say_what_they_wait_for() -> None:
    view = standing("n1", "n2", "n3")
    view = msgspec.structs.replace(
        view,
        members=(*view.members, learner("n4"), unstarted("n5")),
        statuses={**view.statuses, "id-n3": status("n3", index=INDEX - 20_000), "id-n4": status("n4")},
    )
    found = rows(view, "id-n1")
    assert found["n3"] == ("not well", "it lacks 20000 entries of what the furthest one has")
    assert found["n4"][0] == "learns"
    assert found["https://n5:2380"][0] == "starting"


def test_a_disk_that_is_slow_is_named() -> None:
    view = standing("n1")
    (member,) = view.members
    assert voter_row(member, view, "id-n1", disk_s=1.0).why == "its disk takes 1.0 s for each write"
    assert voter_row(member, view, "id-n1", disk_s=0.01).why == ""
