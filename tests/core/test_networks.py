"""On which nodes has a group the networks that it needs? What placing makes of that."""

from typing import Any

import msgspec

from build import BR0, MISSING, UP, group, networked, node, resource, silence, status
from outlast.core.coordinator.failover import decide
from outlast.core.placement.networks import needed
from outlast.core.placement.placed import Placed
from outlast.core.placement.placement import candidates
from outlast.model.group import Resource, Stop
from outlast.model.node import ProofKind
from outlast.model.plan import Assign, Plan, WishMove
from outlast.model.status import State
from outlast.model.view import ClusterView

A = group("a", on="n1")


def moves(plan: Plan) -> list[tuple[str, str]]:
    return [(one.group, one.to) for one in plan.actions if isinstance(one, WishMove)]


def test_needed_are_the_networks_of_all_that_is_in_the_group() -> None:
    both = group("g", on="n1", resources=("x", "y"))
    known: dict[str, Resource] = {
        "x": resource("x", group="g", networks=("network/lan",)),
        "y": resource("y", group="g", networks=(BR0, "network/lan")),
    }
    assert needed(both, known) == (BR0, "network/lan")
    assert needed(msgspec.structs.replace(both, protected_networks=("lan",)), known) == ("network/lan",)


def dead_owner(lost: str = "", **more: Any) -> ClusterView:
    return networked(A, lost=lost, silences=[silence("n1", proof=ProofKind.FENCE)], **more)


def assigned(seen: ClusterView) -> Assign:
    found = [one for one in decide(seen).actions if isinstance(one, Assign)]
    assert len(found) == 1
    return found[0]


def test_a_failover_goes_to_where_its_network_is_up() -> None:
    assert assigned(dead_owner(lost="n2")).owner == "n3"


def test_without_its_network_it_is_better_than_not_at_all() -> None:
    found = assigned(dead_owner(lost="n2,n3"))
    assert found.owner == "n2"
    assert "better without than down" in found.reasons[0]


def test_but_not_where_the_network_does_not_exist_for_there_it_would_not_start() -> None:
    plan = decide(dead_owner(networks={"n1": UP, "n2": MISSING, "n3": MISSING}))
    assert not [one for one in plan.actions if isinstance(one, Assign)]
    assert "br0 does not exist" in plan.waiting[0].why


def test_what_is_off_and_wanted_online_starts_where_its_network_is_up() -> None:
    seen = networked(A, statuses=[status(A, State.OFFLINE)])
    assert assigned(seen).owner == "n2"
    everywhere = networked(A, lost="n1,n2,n3", statuses=[status(A, State.OFFLINE)])
    assert decide(everywhere).actions == ()


def test_a_drain_waits_for_a_node_where_it_is_up_unless_it_is_forced() -> None:
    drained = [node("n1", draining=True), node("n2"), node("n3")]
    assert moves(decide(networked(A, lost="n2,n3", nodes=drained))) == []
    forced = [node("n1", draining=True, force_drain=True), node("n2"), node("n3")]
    seen = networked(A, lost="n2,n3", nodes=forced)
    assert moves(decide(seen)) == [("a", "n2")]
    going = msgspec.structs.replace(A, move_to="n2", stop=Stop.LIVE)
    assert decide(networked(going, lost="n2,n3", nodes=forced)).actions == (), "it is not called back for that"


def test_the_refused_ones_say_which_network_and_why() -> None:
    found = candidates(msgspec.structs.replace(A, owner=""), Placed(networked(A, lost="n2")))
    assert set(found.nodes) == {"n1", "n3"}
    assert found.refused["n2"] == "the bridge br0 is lost there: its uplink eth1 has no carrier"
    assert found.cut_off == ("n2",)
