"""A node that was lost again and again takes nothing for a while. Three losses in an hour, two hours, by default."""

from typing import Any

import msgspec

from build import NODES, group, node, observed, silence, view
from outlast.core.coordinator import marks, quarantine
from outlast.core.coordinator.failover import decide
from outlast.model.node import Mark, Node
from outlast.model.plan import ChangeNode
from outlast.model.settings import Settings
from outlast.model.view import ClusterView

LOSSES = tuple(marks.loss(f"n3-life-{number}", "silent") for number in range(3))
WHY = "it was lost 3 times within 1 h"


def seen(
    n3: dict[str, Any],
    *groups: Any,
    ages: dict[str, float] | None = None,
    names: tuple[str, ...] = NODES,
    **changes: Any,
) -> ClusterView:
    nodes = tuple(msgspec.structs.replace(node(name), **(n3 if name == "n3" else {})) for name in names)
    look = observed(mark_age_s=ages or {}, quarantine_age_s=changes.pop("quarantined_s", {}))
    return view(*groups, nodes=nodes, observed=look, **changes)


def changes(seen: ClusterView) -> list[ChangeNode]:
    return [action for action in decide(seen).actions if isinstance(action, ChangeNode)]


def test_the_third_loss_within_the_hour_quarantines_a_node() -> None:
    (change,) = changes(seen({"losses": LOSSES}))
    assert change == ChangeNode("n3", f"n3 is quarantined for 2 h: {WHY}", losses=LOSSES, quarantined=WHY)


def test_two_losses_do_not() -> None:
    plan = decide(seen({"losses": LOSSES[:2]}, ages={LOSSES[0].id: 600.0}))
    assert plan.actions == ()
    assert plan.wake_in_s == 3000.0


def test_losses_that_are_older_than_the_period_are_forgotten() -> None:
    (change,) = changes(seen({"losses": LOSSES}, ages={LOSSES[0].id: 3600.0}))
    assert change == ChangeNode("n3", "", losses=LOSSES[1:])


def test_it_takes_nothing_and_keeps_what_it_has() -> None:
    barred = {"quarantined": WHY}
    assert decide(seen(barred, group("web", on="n3"))).actions == ()
    assigned = decide(seen(barred, group("web", on="", possible_owners=("n3",)))).waiting
    assert WHY in assigned[0].why


def test_it_ends_by_itself() -> None:
    waiting = seen({"quarantined": WHY}, quarantined_s={"n3": 7000.0})
    assert decide(waiting).actions == ()
    assert decide(waiting).wake_in_s == 200.0
    (change,) = changes(seen({"quarantined": WHY, "losses": LOSSES}, quarantined_s={"n3": 7200.0}))
    assert change == ChangeNode("n3", "n3 is no longer quarantined: 2 h have passed", losses=(), quarantined="")


def test_the_last_node_that_could_take_anything_is_never_quarantined() -> None:
    alone = {"n1": silence("n1"), "n2": silence("n2")}
    assert changes(seen({"losses": LOSSES}, silences=alone, me="n3")) == []
    (change,) = changes(seen({"quarantined": WHY}, silences=alone, me="n3"))
    assert change.quarantined == ""


def test_only_a_quarter_of_the_nodes_is_quarantined_at_once() -> None:
    other: Node = msgspec.structs.replace(node("n2"), quarantined="it was lost 4 times within 1 h")
    three = seen({"losses": LOSSES})
    assert changes(msgspec.structs.replace(three, nodes={**three.nodes, "n2": other})) == []
    assert quarantine.most(three) == 1
    assert quarantine.most(seen({}, names=tuple(f"n{number}" for number in range(1, 13)))) == 3


def test_it_can_be_switched_off_and_ends_by_that() -> None:
    off = Settings(quarantine_threshold=0)
    assert changes(seen({"losses": LOSSES}, settings=off)) == []
    (change,) = changes(seen({"quarantined": WHY}, settings=off))
    assert change.quarantined == ""


def test_a_loss_counts_once_whoever_saw_it() -> None:
    same: tuple[Mark, ...] = (LOSSES[0],)
    assert marks.among(LOSSES[0], same)
