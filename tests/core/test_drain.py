"""How a node gets empty: n1 is drained, n2 and n3 are there."""

from typing import Any

import msgspec
import pytest

from build import failure, group, incarnation, node, observed, session, silence, status, view
from outlast.core.coordinator import drain
from outlast.core.coordinator.failover import decide
from outlast.model.answers import Outlook
from outlast.model.group import AWAY, Group, Stop, Wanted
from outlast.model.node import Node, Offer
from outlast.model.plan import Assign, ClearMove, Plan, WishMove
from outlast.model.policy import Priority
from outlast.model.settings import Settings
from outlast.model.status import GroupStatus, Handover, ResourceStatus, State
from outlast.model.view import ClusterView


def drained(*groups: Group, force: bool = False, others_paused: bool = False, **changes: Any) -> ClusterView:
    n1 = msgspec.structs.replace(node("n1"), paused=True, draining=True, force_drain=force)
    rest = (node("n2", paused=others_paused), node("n3", paused=others_paused))
    return view(*groups, nodes=(n1, *rest), **changes)


def wishes(plan: Plan) -> list[tuple[str, str]]:
    return [(action.group, action.to) for action in plan.actions if isinstance(action, WishMove)]


def waits(plan: Plan, name: str = "web") -> str:
    return "; ".join(waiting.why for waiting in plan.waiting if waiting.group == name)


def off(*groups: Group) -> list[GroupStatus]:
    return [status(group, State.OFFLINE) for group in groups]


def test_what_runs_on_a_drained_node_is_wished_elsewhere_and_remembers_where_it_was() -> None:
    plan = decide(drained(group("web"), group("db", on="n2")))
    assert plan.actions == (WishMove("web", "n3", "n1 is drained", return_to="n1"),)


def test_it_is_given_to_the_other_node_only_when_its_owner_reported_that_nothing_runs() -> None:
    web = group("web", move_to="n3")
    assert decide(drained(web)).actions == ()
    (assigned,) = decide(drained(web, statuses=off(web))).actions
    assert isinstance(assigned, Assign)
    assert assigned.owner == "n3"


def test_when_the_node_where_it_was_to_go_is_lost_it_goes_to_another_one_and_is_not_started_here_between() -> None:
    web = group("web", move_to="n2")
    plan = decide(drained(web, others_paused=True, statuses=off(web)))
    assert plan.actions == (ClearMove("web", "it cannot move to n2: it is paused"),)
    view = drained(web, statuses=off(web))
    lost = msgspec.structs.replace(view, nodes={**view.nodes, "n2": node("n2", paused=True)})
    assert decide(lost).actions == (WishMove("web", "n3", "n1 is drained, and n2 cannot take it: it is paused"),)


def retargeted(*states: State) -> Plan:
    """web is on its way to n2, which is lost; n3 could take it, and takes in as much as it may."""
    web, db = group("web", move_to="n2", resources=("ip", "app")[: len(states)]), group("db", on="n3")
    each = {name: ResourceStatus(state) for name, state in zip(web.resources, states, strict=True)}
    said = [status(db, State.ONLINE_PENDING)]
    if states:
        said.append(msgspec.structs.replace(status(web, State.ONLINE), resources=each))
    busy = drained(web, db, settings=Settings(parallel_moves=1), statuses=said)
    return decide(msgspec.structs.replace(busy, nodes={**busy.nodes, "n2": node("n2", paused=True)}))


def test_what_still_runs_when_the_node_where_it_was_to_go_is_lost_waits_for_its_turn_at_another_one() -> None:
    cleared = (ClearMove("web", "it cannot move to n2: it is paused"),)
    assert retargeted(State.ONLINE).actions == cleared
    assert retargeted(State.ONLINE, State.OFFLINE).actions == cleared, "partially online: it was before, on purpose"


@pytest.mark.parametrize("state", [State.OFFLINE, State.OFFLINE_PENDING, State.FAILED])
def test_what_runs_no_more_when_the_node_where_it_was_to_go_is_lost_is_kept_down_by_no_limit(state: State) -> None:
    assert wishes(retargeted(state)) == [("web", "n3")]
    assert wishes(retargeted(State.OFFLINE_PENDING, state)) == [("web", "n3")]
    assert wishes(retargeted(State.OFFLINE_PENDING, State.ONLINE)) == [("web", "n3")]


def test_of_what_nobody_has_said_whether_it_runs_no_limit_is_exceeded() -> None:
    plan = retargeted()
    assert plan.actions == ()
    assert waits(plan) == "n1 to say what of it runs, since n2 cannot take it: it is paused"


def test_the_most_urgent_go_first_and_only_so_many_at_once() -> None:
    groups = [group(f"g{n}", priority=rank) for n, rank in enumerate((Priority.LOW, Priority.HIGH, Priority.MEDIUM))]
    plan = decide(drained(*groups))
    assert [name for name, _ in wishes(plan)] == ["g1", "g2"]
    assert waits(plan, "g0") == "its turn to move to n2, since n1 is drained: n1 gives away 2 at once"


def test_one_that_is_on_its_way_counts_towards_the_limit() -> None:
    plan = decide(drained(group("a", move_to="n2"), group("b"), group("c"), settings=Settings(parallel_moves=1)))
    assert wishes(plan) == []


def test_a_node_that_starts_as_much_as_it_may_is_given_nothing_more_for_now() -> None:
    web, db = group("web", possible_owners=("n1", "n2")), group("db", on="n2")
    busy = drained(
        web,
        db,
        settings=Settings(parallel_moves=1),
        statuses=[status(web, State.ONLINE), status(db, State.ONLINE_PENDING)],
    )
    assert "n2 takes in 1 at once" in waits(decide(busy))


def test_what_is_wanted_offline_stays_where_it_is() -> None:
    web = group("web", wanted=Wanted.OFFLINE)
    assert decide(drained(web, statuses=off(web))) == Plan()


def test_what_is_about_to_be_started_on_a_drained_node_goes_elsewhere_instead() -> None:
    web = group("web")
    assert wishes(decide(drained(web, statuses=off(web)))) == [("web", "n2")]


def test_what_may_or_may_not_run_is_not_moved_before_that_is_known() -> None:
    web = group("web")
    assert wishes(decide(drained(web, statuses=[status(web, State.UNKNOWN)]))) == []


def test_what_can_go_nowhere_runs_on_and_says_what_it_waits_for() -> None:
    plan = decide(drained(group("web"), others_paused=True))
    assert plan.actions == ()
    assert waits(plan) == "a node that can take it, since n1 is drained (n2: it is paused; n3: it is paused)"


def test_a_lock_is_respected_but_by_force() -> None:
    web = group("web", locked="backup until noon")
    plan = decide(drained(web))
    assert plan.actions == ()
    assert waits(plan).endswith("since n1 is drained: backup until noon")
    assert wishes(decide(drained(web, force=True))) == [("web", "n2")]


def test_what_is_in_maintenance_is_left_alone_also_by_force() -> None:
    web = group("web", maintenance="new disks")
    for force in (False, True):
        plan = decide(drained(web, force=force))
        assert plan.actions == ()
        assert waits(plan).startswith("the end of its maintenance")


def test_by_force_what_can_go_nowhere_is_taken_offline_and_still_wanted_online() -> None:
    (wish,) = decide(drained(group("web"), force=True, others_paused=True)).actions
    assert isinstance(wish, WishMove)
    assert (wish.group, wish.to, wish.return_to) == ("web", AWAY, "n1")


def test_by_force_whatever_can_go_nowhere_goes_offline_at_once_however_many() -> None:
    groups = [group(f"g{n}") for n in range(9)]
    assert len(wishes(decide(drained(*groups, force=True, others_paused=True)))) == 9


def test_what_was_taken_offline_by_force_comes_online_as_soon_as_a_node_can_take_it() -> None:
    web = group("web", move_to=AWAY)
    assert waits(decide(drained(web, force=True))).startswith("n1 to take it offline")
    assert waits(decide(drained(web, force=True, others_paused=True, statuses=off(web)))).startswith("a node that can")
    (assigned,) = decide(drained(web, force=True, statuses=off(web))).actions
    assert isinstance(assigned, Assign)
    assert assigned.owner == "n2"


def test_what_was_taken_offline_by_force_stays_with_its_node_when_that_is_resumed() -> None:
    web = group("web", move_to=AWAY)
    assert decide(view(web, statuses=off(web))).actions == (ClearMove("web", "n1 keeps it"),)


def test_what_was_taken_offline_by_force_is_placed_anew_when_its_node_left() -> None:
    web = group("web", move_to=AWAY)
    gone = drained(web, force=True)
    gone = msgspec.structs.replace(gone, sessions={name: gone.sessions[name] for name in ("n2", "n3")})
    (assigned,) = decide(gone).actions
    assert isinstance(assigned, Assign)
    assert assigned.owner == "n2"


def test_a_machine_that_is_shut_down_is_drained_by_force_in_that_life_and_in_no_other() -> None:
    leaving: tuple[Node, ...] = (msgspec.structs.replace(node("n1"), leaving=incarnation("n1")), node("n2"))
    assert wishes(decide(view(group("web"), nodes=leaving))) == [("web", "n2")]
    alone = (leaving[0], node("n2", paused=True))
    assert wishes(decide(view(group("web"), nodes=alone))) == [("web", AWAY)]
    earlier = (msgspec.structs.replace(node("n1"), leaving=incarnation("n1", 0)), node("n2"))
    assert decide(view(group("web"), nodes=earlier)) == Plan()


def test_when_all_machines_are_shut_down_nothing_is_moved_in_a_circle() -> None:
    nodes = tuple(msgspec.structs.replace(node(name), leaving=incarnation(name)) for name in ("n1", "n2"))
    assert wishes(decide(view(group("web"), group("db", on="n2"), nodes=nodes))) == [("db", AWAY), ("web", AWAY)]


def test_a_node_is_empty_when_it_has_said_so_of_all_that_it_owns() -> None:
    web, db = group("web"), group("db", wanted=Wanted.OFFLINE)
    assert [one.name for one in drain.left(drained(web, db, statuses=off(web)), "n1")] == ["db"]
    assert drain.left(drained(web, db, statuses=off(web, db)), "n1") == []
    assert [one.name for one in drain.left(drained(web, statuses=[status(web, State.UNKNOWN)]), "n1")] == ["web"]


def test_what_is_off_and_on_its_way_to_another_node_is_not_gone_before_that_has_it() -> None:
    web = group("web", move_to="n2")
    assert [one.name for one in drain.left(drained(web, statuses=off(web)), "n1")] == ["web"]
    forced_off = group("web", move_to=AWAY)
    assert drain.left(drained(forced_off, force=True, statuses=off(forced_off)), "n1") == []


def test_what_would_become_of_each_group_is_told_before_anything_is_done() -> None:
    web, db = group("web", priority=Priority.HIGH), group("db", locked="backup")
    found = drain.outlook(view(web, db), "n1", force=False)
    assert found == [Outlook("web", "n2"), Outlook("db", "", "it is locked: backup")]
    assert [one.to for one in drain.outlook(view(web, db), "n1", force=True)] == ["n2", "n3"]
    alone = drain.outlook(view(web, nodes=(node("n1"),)), "n1", force=True)
    assert alone == [Outlook("web", "", "there is no other node")]


def names(groups: tuple[Group, ...]) -> list[str]:
    return [group.name for group in groups]


def test_what_is_down_for_want_of_a_node_is_told_apart_from_what_another_one_is_about_to_get() -> None:
    away, tied = group("away", move_to=AWAY), group("tied", move_to=AWAY, possible_owners=("n1",))
    seen = drained(away, tied, group("moving", move_to="n3"), force=True, statuses=off(away, tied))
    assert drain.down(seen, "n1") == drain.Down(stranded=(tied,), coming=(away,))
    assert assigned_to(decide(seen)) == {"away": "n2"}, "so it is"


def test_what_failed_for_good_or_is_locked_waits_for_no_other_node() -> None:
    failures = tuple(failure(f"web-{number}") for number in range(2))
    spent, locked = group("spent", failures=failures), group("locked", locked="a licence")
    seen = drained(spent, locked, statuses=[status(spent, State.FAILED), status(locked, State.OFFLINE)])
    assert names(drain.down(seen, "n1").kept) == ["locked", "spent"]


def test_of_a_silent_node_nothing_is_said_to_be_down_and_of_one_that_left_all_goes_elsewhere() -> None:
    web = group("web")
    assert drain.down(drained(web, silences=[silence("n1")]), "n1") == drain.Down()
    gone = drained(web, sessions=[session("n2"), session("n3")])
    assert drain.down(gone, "n1") == drain.Down(coming=(web,))


def assigned_to(plan: Plan) -> dict[str, str]:
    return {action.group: action.owner for action in plan.actions if isinstance(action, Assign)}


# -- as it runs --------------------------------------------------------------------------------------------------------

ABLE = [session(name, offers=(Offer("vm", functions=("migrate",)),)) for name in ("n1", "n2", "n3")]


def in_vain(unmoved_s: float, *, force: bool = False) -> Plan:
    web = group("web", moves=4)
    report = status(web, State.ONLINE)
    said = Handover(4, "n3", why="the connection broke")
    resources = {"web": msgspec.structs.replace(report.resources["web"], handover=said)}
    told = msgspec.structs.replace(report, resources=resources)
    seen: dict[str, Any] = {"sessions": ABLE, "statuses": [told], "observed": observed(unmoved_s={"web": unmoved_s})}
    return decide(drained(web, force=force, **seen))


def test_what_can_goes_as_it_runs_and_the_rest_is_shut_down() -> None:
    (wish,) = decide(drained(group("web"), sessions=ABLE)).actions
    assert isinstance(wish, WishMove)
    assert wish.stop is Stop.LIVE
    unable = [*ABLE[:2], session("n3")]
    stops = {
        one.to: one.stop for one in decide(drained(group("web"), sessions=unable)).actions if isinstance(one, WishMove)
    }
    assert stops in ({"n2": Stop.LIVE}, {"n3": Stop.SHUTDOWN})


def test_what_could_not_be_handed_over_is_tried_again_after_a_while_and_it_says_why() -> None:
    soon = in_vain(10.0)
    assert soon.actions == ()
    assert soon.wake_in_s == 50.0
    assert "another attempt in 50 s" in waits(soon)
    assert "the connection broke" in waits(soon)
    assert wishes(in_vain(60.0)) == [("web", "n2")]


def test_by_force_nothing_is_waited_for() -> None:
    assert wishes(in_vain(10.0, force=True)) == [("web", "n2")]
