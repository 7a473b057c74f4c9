"""Which groups are moved because a network of theirs is lost on their node, and which nodes are no place for them?"""

import msgspec
import pytest

from build import BR0, LOST, group, networked, node, observed, resource, status
from outlast.core.coordinator.failover import decide
from outlast.core.coordinator.network_loss import alarms
from outlast.core.placement.networks import TRUSTED_AGAIN_S
from outlast.core.placement.placed import Placed
from outlast.core.placement.placement import why_not
from outlast.model.group import Group, Stop
from outlast.model.node import Node
from outlast.model.plan import ClearMove, Plan, WishMove
from outlast.model.settings import Settings
from outlast.model.status import Handover, ResourceStatus, State

A = group("a", on="n1")


def moves(plan: Plan) -> list[tuple[str, str]]:
    return [(one.group, one.to) for one in plan.actions if isinstance(one, WishMove)]


def test_it_is_moved_as_it_runs_to_where_its_network_is_up() -> None:
    (wish,) = decide(networked(A)).actions
    assert isinstance(wish, WishMove)
    assert (wish.group, wish.to, wish.stop) == ("a", "n2", Stop.LIVE)
    assert wish.why == "the bridge br0 is lost on n1: its uplink eth1 has no carrier"


def test_what_cannot_go_live_is_moved_as_any_other() -> None:
    seen = networked(A)
    deaf = {name: msgspec.structs.replace(one, migration="") for name, one in seen.sessions.items()}
    (wish,) = decide(msgspec.structs.replace(seen, sessions=deaf)).actions
    assert isinstance(wish, WishMove)
    assert wish.stop is Stop.SHUTDOWN


@pytest.mark.parametrize(
    "of",
    [
        A,
        msgspec.structs.replace(A, protected_networks=("br0",)),
        msgspec.structs.replace(A, protected_networks=(BR0,)),
    ],
)
def test_every_network_counts_unless_somebody_has_named_some(of: Group) -> None:
    assert moves(decide(networked(of))) == [("a", "n2")]


@pytest.mark.parametrize("protected", [(), ("lan",)], ids=str)
def test_what_is_not_marked_stays_and_may_go_anywhere(protected: tuple[str, ...]) -> None:
    ignoring = msgspec.structs.replace(A, protected_networks=protected)
    seen = networked(ignoring)
    assert decide(seen) == Plan()
    assert why_not(msgspec.structs.replace(ignoring, owner="n2"), "n1", Placed(seen)) == ""


def test_what_is_not_joined_to_it_stays() -> None:
    assert decide(networked(A, resources=[resource("a", networks=("network/lan",))])) == Plan()


def test_nothing_is_moved_while_it_is_lost_everywhere_and_that_is_an_alarm() -> None:
    seen = networked(A, lost="n1,n2,n3")
    plan = decide(seen)
    assert plan.actions == ()
    assert "a node that has it and can take it, since the bridge br0 is lost on n1" in plan.waiting[0].why
    (alarm,) = alarms(seen)
    assert alarm.startswith("The bridge br0 is lost on every node, and a needs it (n1: its uplink eth1 has no carrier")
    assert alarms(networked(A, lost="n1,n2")) == []


def test_where_nobody_has_said_how_it_is_nothing_is_moved() -> None:
    plan = decide(networked(A, networks={"n1": LOST}))
    assert moves(plan) == []
    assert "n2: it has not said how the bridge br0 is there" in plan.waiting[0].why


def test_only_to_a_node_where_it_is_up() -> None:
    assert moves(decide(networked(A, lost="n1,n2"))) == [("a", "n3")]


def test_only_so_many_at_once_and_the_urgent_ones_first() -> None:
    groups = [group(name, on="n1") for name in ("a", "b", "c", "d", "e")]
    plan = decide(networked(*groups, settings=Settings(parallel_moves=2)))
    assert len(moves(plan)) == 2
    assert {one.group for one in plan.waiting} == {"c", "d", "e"}
    assert "its turn to move to n2" in plan.waiting[0].why or "its turn to move to n3" in plan.waiting[0].why


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"locked": "for the audit"}, "its lock to be lifted"),
        ({"maintenance": "at work"}, "the end of its maintenance"),
    ],
    ids=str,
)
def test_what_an_administrator_keeps_there_waits_for_him(change: dict[str, str], why: str) -> None:
    plan = decide(networked(msgspec.structs.replace(A, **change)))
    assert moves(plan) == []
    assert plan.waiting[0].why.startswith(why)


def test_what_is_on_its_way_already_is_not_sent_elsewhere() -> None:
    assert moves(decide(networked(msgspec.structs.replace(A, move_to="n3", stop=Stop.LIVE)))) == []


def test_a_move_to_where_it_has_been_lost_since_is_given_up() -> None:
    seen = networked(msgspec.structs.replace(A, move_to="n2", stop=Stop.LIVE), lost="n2")
    (clear,) = decide(seen).actions
    assert isinstance(clear, ClearMove)
    assert "the bridge br0 is lost there" in clear.why


def test_not_back_and_forth_between_two_that_flap() -> None:
    """It is lost where it is, and on the other node it was lost again and again and has only just come back."""
    pair: list[Node] = [node("n1"), node("n2")]
    just_back = observed(network_back_s={f"n2 {BR0}": 10.0})
    plan = decide(msgspec.structs.replace(networked(A, nodes=pair), observed=just_back))
    assert moves(plan) == []
    assert "it is trusted again in 110 s" in plan.waiting[0].why
    assert plan.wake_in_s == TRUSTED_AGAIN_S - 10.0
    trusted = observed(network_back_s={f"n2 {BR0}": TRUSTED_AGAIN_S})
    assert moves(decide(msgspec.structs.replace(networked(A, nodes=pair), observed=trusted))) == [("a", "n2")]


def test_what_could_not_be_handed_over_is_tried_again_after_a_while() -> None:
    said = ResourceStatus(State.ONLINE, handover=Handover(A.moves, "n2", why="the processor is another one"))
    report = msgspec.structs.replace(status(A, State.ONLINE), resources={"a": said})
    seen = networked(A, statuses=[report])
    assert moves(decide(msgspec.structs.replace(seen, observed=observed(unmoved_s={"a": 10.0})))) == []
    assert moves(decide(msgspec.structs.replace(seen, observed=observed(unmoved_s={"a": 61.0})))) == [("a", "n2")]
