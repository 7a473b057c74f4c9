"""Planned moves are limited per node, in both directions."""

import msgspec

from build import group, silence, status, view
from outlast.core.coordinator.moves import Moves
from outlast.model.group import AWAY, Group
from outlast.model.settings import Settings
from outlast.model.status import State
from outlast.model.view import ClusterView

ONE = Settings(parallel_moves=1)


def moving(name: str, source: str, target: str) -> Group:
    return group(name, on=source, move_to=target)


def with_one(*groups: Group, **changes: object) -> ClusterView:
    return msgspec.structs.replace(view(*groups), settings=ONE, **changes)


def test_one_more_may_begin_while_neither_node_moves_as_much_as_it_may() -> None:
    assert Moves(with_one(group("web"))).may_begin("n1", "n2")


def test_what_moves_already_counts_for_both_nodes_and_for_no_other() -> None:
    moves = Moves(with_one(moving("web", "n1", "n2")))
    assert moves.full("n1", "n3") == "n1 gives away 1 at once"
    assert moves.full("n3", "n2") == "n2 takes in 1 at once"
    assert moves.may_begin("n2", "n1")
    assert moves.may_begin("n3", "n1")


def test_what_was_decided_a_moment_ago_counts() -> None:
    moves = Moves(with_one())
    moves.begin("n1", "n2")
    assert not moves.may_begin("n1", "n3")


def test_a_node_that_is_bringing_something_online_takes_in_that_much_less() -> None:
    web = group("web", on="n2")
    pending = with_one(web, statuses={"web": status(web, State.ONLINE_PENDING)})
    not_reported = with_one(web, statuses={})
    of_an_old_epoch = with_one(web, statuses={"web": status(web, State.ONLINE, epoch=2)})
    of_another_life = with_one(web, statuses={"web": status(web, State.ONLINE, life=0)})
    for seen in (pending, not_reported, of_an_old_epoch, of_another_life):
        assert Moves(seen).full("n1", "n2") == "n2 takes in 1 at once"
        assert Moves(seen).may_begin("n2", "n3")


def test_what_is_online_or_of_a_silent_node_counts_for_nobody() -> None:
    web = group("web", on="n2")
    assert Moves(with_one(web)).may_begin("n1", "n2")
    gone = with_one(web, statuses={}, silences={"n2": silence("n2")})
    assert Moves(gone).may_begin("n1", "n2")


def test_what_is_only_taken_offline_is_not_limited() -> None:
    moves = Moves(with_one(moving("web", "n1", AWAY)))
    moves.begin("n1", AWAY)
    assert moves.may_begin("n1", "n2")


def test_at_least_one_move_at_once_is_always_possible() -> None:
    assert Moves(msgspec.structs.replace(view(), settings=Settings(parallel_moves=0))).may_begin("n1", "n2")


def test_the_whole_cluster_moves_no_more_than_it_may_in_all_whichever_nodes_they_are() -> None:
    seen = msgspec.structs.replace(
        view(moving("web", "n1", "n2")), settings=Settings(parallel_moves=5, parallel_moves_in_all=2)
    )
    moves = Moves(seen)
    assert moves.may_begin("n3", "n1")
    moves.begin("n3", "n1")
    assert moves.full("n2", "n3") == "the cluster moves 2 at once"
    assert Moves(msgspec.structs.replace(seen, settings=Settings(parallel_moves=5))).may_begin("n2", "n3")
