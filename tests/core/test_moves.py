"""Planned moves are limited per node, in both directions, whoever wants them."""

from typing import Any

import msgspec

from build import group, node, silence, status, view
from outlast.core.coordinator.failover import decide
from outlast.core.coordinator.moves import Moves
from outlast.model.group import AWAY, Group, Stop
from outlast.model.node import Node
from outlast.model.plan import Assign, BeginMove, ClearMove, Plan, WishMove
from outlast.model.policy import Priority
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


# -- by hand: it waits until it is its turn --------------------------------------------------------------------------


def asked(name: str, source: str, target: str, **more: Any) -> Group:
    return group(name, on=source, move_to=target, stop=Stop.SHUTDOWN, queued=True, **more)


def nodes(**other: Node) -> dict[str, Node]:
    return {name: other.get(name, node(name)) for name in ("n1", "n2", "n3")}


def begun(plan: Plan) -> list[str]:
    return [action.group for action in plan.actions if isinstance(action, BeginMove)]


def waits(plan: Plan) -> dict[str, str]:
    return {one.group: one.why for one in plan.waiting}


def test_what_is_asked_for_by_hand_begins_when_neither_node_has_its_hands_full() -> None:
    assert decide(with_one(asked("web", "n1", "n2"))).actions == (BeginMove("web"),)


def test_by_hand_too_a_node_takes_in_no_more_than_it_may_and_gives_away_no_more() -> None:
    to_one = decide(with_one(asked("a", "n1", "n3"), asked("b", "n2", "n3")))
    assert begun(to_one) == ["a"]
    assert waits(to_one) == {"b": "its turn to move to n3: n3 takes in 1 at once"}
    from_one = decide(with_one(asked("a", "n1", "n3"), asked("b", "n1", "n2")))
    assert begun(from_one) == ["a"]
    assert waits(from_one) == {"b": "its turn to move to n2: n1 gives away 1 at once"}


def test_by_hand_too_the_cluster_moves_no_more_than_it_may_in_all() -> None:
    seen = with_one(asked("a", "n1", "n2"), asked("b", "n3", "n1"))
    assert begun(decide(seen)) == ["a", "b"]
    plan = decide(msgspec.structs.replace(seen, settings=Settings(parallel_moves_in_all=1)))
    assert begun(plan) == ["a"]
    assert waits(plan) == {"b": "its turn to move to n1: the cluster moves 1 at once"}


def test_of_what_waits_the_most_urgent_begins_first() -> None:
    plan = decide(
        with_one(asked("a", "n1", "n2", priority=Priority.LOW), asked("b", "n1", "n2", priority=Priority.HIGH))
    )
    assert begun(plan) == ["b"]


def test_what_waits_counts_for_nobody_and_what_has_begun_comes_before_it() -> None:
    assert Moves(with_one(asked("web", "n1", "n2"))).may_begin("n1", "n2")
    assert begun(decide(with_one(moving("a", "n1", "n2"), asked("b", "n1", "n3")))) == []


def test_what_an_administrator_asks_for_comes_before_what_the_cluster_would_move_by_itself() -> None:
    web, db = asked("web", "n1", "n2"), group("db", on="n1", priority=Priority.HIGH)
    plan = decide(with_one(web, db, nodes=nodes(n1=node("n1", paused=True, draining=True))))
    assert begun(plan) == ["web"]
    assert not any(isinstance(action, WishMove) for action in plan.actions)
    assert waits(plan) == {"db": "its turn to move to n3, since n1 is drained: n1 gives away 1 at once"}


def test_what_is_off_already_waits_for_nobody() -> None:
    web = asked("web", "n1", "n2")
    busy = with_one(moving("db", "n1", "n2"), web, statuses={"web": status(web, State.OFFLINE)})
    assert [
        action.owner for action in decide(busy).actions if isinstance(action, Assign) and action.group == "web"
    ] == ["n2"]


def test_what_waits_and_can_go_there_no_more_does_not_wait_for_ever() -> None:
    (cleared,) = decide(with_one(asked("web", "n1", "n2"), nodes=nodes(n2=node("n2", paused=True)))).actions
    assert cleared == ClearMove("web", "it cannot move to n2: it is paused")
