"""What a node may be given, and what it gives away."""

from typing import Any

import msgspec
import pytest

from build import incarnation, node, session, view
from outlast.core.coordinator import intake
from outlast.model.node import Node

N1 = node("n1")


def refuses(*, has_it: bool = False, **changes: Any) -> str:
    return intake.refuses(msgspec.structs.replace(N1, **changes), session("n1"), has_it=has_it)


def changed(**changes: Any) -> tuple[Node, ...]:
    return (msgspec.structs.replace(N1, **changes), node("n2"))


def test_a_node_of_which_nothing_is_said_takes_what_it_is_given() -> None:
    assert refuses() == ""


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"paused": True}, "it is paused"),
        ({"paused": True, "draining": True}, "it is drained"),
        ({"quarantined": "it was lost 3 times"}, "it is quarantined: it was lost 3 times"),
    ],
)
def test_a_node_that_is_paused_drained_or_quarantined_gets_nothing_new_and_may_keep_what_it_has(
    changes: dict[str, Any], words: str
) -> None:
    assert refuses(**changes) == words
    assert refuses(has_it=True, **changes) == ""


@pytest.mark.parametrize("changes", [{"draining": True, "force_drain": True}, {"leaving": incarnation("n1")}])
def test_a_node_that_is_drained_by_force_or_shut_down_does_not_start_what_it_owns(changes: dict[str, Any]) -> None:
    assert refuses(has_it=True, **changes)
    assert intake.gives_away("n1", view(nodes=changed(**changes)))
    assert intake.keeps_nothing("n1", view(nodes=changed(**changes)))


def test_a_shutdown_counts_for_the_life_in_which_it_began_and_for_no_other() -> None:
    nodes = changed(leaving=incarnation("n1"))
    after_the_boot = view(nodes=nodes, sessions=[session("n1", life=2), session("n2")])
    assert intake.refuses(nodes[0], session("n1", life=2)) == ""
    assert not intake.gives_away("n1", after_the_boot)
    assert not intake.keeps_nothing("n1", after_the_boot)


def test_who_was_drained_before_the_shutdown_stays_drained_after_the_boot() -> None:
    nodes = changed(leaving=incarnation("n1"), paused=True, draining=True)
    assert intake.refuses(nodes[0], session("n1", life=2)) == "it is drained"


def test_a_pause_alone_gives_nothing_away() -> None:
    assert not intake.gives_away("n1", view(nodes=changed(paused=True)))
    assert not intake.gives_away("n9", view())


def test_a_drain_without_force_leaves_what_can_go_nowhere() -> None:
    drained = view(nodes=changed(paused=True, draining=True))
    assert intake.gives_away("n1", drained)
    assert not intake.keeps_nothing("n1", drained)


def test_the_words_say_why_it_gives_away() -> None:
    assert intake.why_it_gives_away("n1", view(nodes=changed(draining=True))) == "n1 is drained"
    forced = view(nodes=changed(draining=True, force_drain=True))
    assert intake.why_it_gives_away("n1", forced) == "n1 is drained by force"
    leaving = view(nodes=changed(leaving=incarnation("n1")))
    assert intake.why_it_gives_away("n1", leaving) == "the machine of n1 is being shut down"
