"""Which nodes see what a VM needs? Who answered no gets nothing that needs it. n1 owns it where a test says nothing."""

from typing import Any

import msgspec

from build import NODES, failure, group, node, resource, silence, status, view
from outlast.core.coordinator.failover import decide
from outlast.core.foresight.protection import Level, Protection, protection
from outlast.core.foresight.what_if import node_down
from outlast.core.placement import placement, sight
from outlast.core.placement.placed import Placed
from outlast.model.group import Blind, Group, Resource
from outlast.model.node import ProofKind
from outlast.model.plan import Assign, Plan
from outlast.model.status import State

WEB = group("web")
NOT_THERE = Blind("the disk vda is not there: /srv/web.img", disk="/srv/web.img")
NO_NETWORK = Blind('the libvirt network "lan" is not started')
DOUBT = Blind("nobody can compare the disk /dev/sdb with that of n1", disk="/dev/sdb", doubt=True)
NOT_SEEN = "it does not see the disk /srv/web.img of web"


def web(seen_by: tuple[str, ...] = ("n1",), **blind_on: Blind) -> Resource:
    return resource("web", seen_by=seen_by, blind_on=blind_on)


def shield(of: Resource, group: Group = WEB, **changes: Any) -> Protection:
    return protection(group, view(group, resources=[of], **changes))


def given_to(plan: Plan) -> str:
    (assign,) = (action for action in plan.actions if isinstance(action, Assign))
    return assign.owner


# -- placing ----------------------------------------------------------------------------------------------------------


def test_a_node_that_answered_no_is_no_place_for_it_and_says_what_it_lacks() -> None:
    placed = Placed(view(WEB, resources=[web(n2=NOT_THERE, n3=NO_NETWORK)]))
    found = placement.candidates(WEB, placed)
    assert found.nodes == ("n1",)
    assert placement.told(found.refused) == (f"not n2: {NOT_SEEN}", f"not n3: web: {NO_NETWORK.why}")
    assert [placement.why_not(WEB, name, placed) for name in NODES] == ["", NOT_SEEN, f"web: {NO_NETWORK.why}"]


def test_what_one_group_cannot_see_is_no_matter_for_others_of_its_kind() -> None:
    other = group("other")
    seen = view(WEB, other, resources=[web(n2=NOT_THERE), resource("other")])
    placed = Placed(seen)
    assert placement.candidates(other, placed).nodes == placement.candidates(other, Placed(view(other))).nodes
    assert "n2" not in placement.candidates(WEB, placed).nodes


def test_a_node_of_which_nobody_can_tell_is_tried() -> None:
    assert "n2" in placement.candidates(WEB, Placed(view(WEB, resources=[web(n2=DOUBT)]))).nodes


def test_what_failed_goes_to_a_node_that_sees_its_disks_and_spends_no_failover_on_one_that_does_not() -> None:
    failed = [status(WEB, State.FAILED)]
    assert given_to(decide(view(WEB, resources=[web(n2=NOT_THERE)], statuses=failed))) == "n3"
    both = decide(view(WEB, resources=[web(n2=NOT_THERE, n3=NOT_THERE)], statuses=failed))
    assert given_to(both) == "n1"


def test_when_only_nodes_are_left_that_do_not_see_its_disk_it_waits_and_says_so() -> None:
    blind = web(n2=NOT_THERE, n3=NOT_THERE)
    dead = view(WEB, resources=[blind], silences=[silence("n1", proof=ProofKind.FENCE)], me="n2")
    plan = decide(dead)
    assert not [action for action in plan.actions if isinstance(action, Assign)]
    (waiting,) = plan.waiting
    assert f"not n2: {NOT_SEEN}; not n3: {NOT_SEEN}" in waiting.why
    mended = msgspec.structs.replace(dead, resources={"web": web(n2=NOT_THERE, seen_by=("n1", "n3"))})
    assert given_to(decide(mended)) == "n3"


def test_an_owner_that_lost_sight_of_the_disk_gives_it_away_when_it_is_off_and_keeps_what_runs() -> None:
    blind = web(seen_by=("n2",), n1=NOT_THERE)
    assert given_to(decide(view(WEB, resources=[blind], statuses=[status(WEB, State.OFFLINE)]))) == "n2"
    assert decide(view(WEB, resources=[blind])).actions == ()


def test_what_if_knows_who_does_not_see_the_disks() -> None:
    (restart,) = node_down(view(WEB, resources=[web(n2=NOT_THERE)]), ["n1"]).restarts
    assert restart.to == "n3"
    (restart,) = node_down(view(WEB, resources=[web(n2=NOT_THERE, n3=NOT_THERE)]), ["n1"]).restarts
    assert restart.to == ""
    assert f"not n2: {NOT_SEEN}" in restart.why


# -- protection -------------------------------------------------------------------------------------------------------


def test_a_vm_whose_disk_only_its_owner_sees_is_not_protected() -> None:
    found = shield(web(n2=NOT_THERE, n3=NOT_THERE))
    assert (found.level, found.reasons) == (
        Level.NOT_PROTECTED,
        ("disk not shared: n2, n3 do not see /srv/web.img",),
    )
    other = Blind("the disk vdb is not there: /srv/b.img", disk="/srv/b.img")
    assert shield(web(n2=NOT_THERE, n3=other)).reasons == (
        "disk not shared: n2 does not see /srv/web.img; n3 does not see /srv/b.img",
    )


def test_nor_is_it_when_the_others_cannot_take_it_for_other_reasons() -> None:
    paused = [node("n1"), node("n2"), node("n3", paused=True)]
    assert shield(web(n2=NOT_THERE), nodes=paused).reasons == (
        f"no other node could take it: n2: {NOT_SEEN}; n3: it is paused",
    )
    assert shield(web(n2=NO_NETWORK, n3=NO_NETWORK)).reasons == (
        f"no other node could take it: n2, n3: web: {NO_NETWORK.why}",
    )


def test_one_node_that_sees_it_is_enough_and_those_that_do_not_are_named() -> None:
    found = shield(web(("n1", "n3"), n2=NOT_THERE))
    assert (found.level, found.reasons, found.risks) == (Level.PROTECTED, (), ())
    assert found.notes == (f"could not go to n2: {NOT_SEEN}",)
    both = shield(web(("n1", "n4"), n2=NOT_THERE, n3=NOT_THERE), nodes=[node(name) for name in (*NODES, "n4")])
    assert both.notes == (f"could not go to n2, n3: {NOT_SEEN}",)
    only = group("web", possible_owners=("n1", "n3"))
    assert shield(web(("n1", "n3"), n2=NOT_THERE), only).notes == ()


def test_a_node_that_sees_it_and_is_no_member_now_does_not_protect_it() -> None:
    found = shield(web(("n1", "n3"), n2=NOT_THERE), silences=[silence("n3")])
    assert found.level is Level.NOT_PROTECTED


def test_it_is_at_risk_while_nobody_can_tell_whether_another_node_sees_it() -> None:
    found = shield(web(n2=DOUBT, n3=NOT_THERE))
    assert (found.level, found.risks) == (Level.AT_RISK, (f"nobody can tell whether n2 could run it: {DOUBT.why}",))


def test_it_is_at_risk_when_its_owner_could_not_start_it_again() -> None:
    found = shield(web(("n2", "n3"), n1=NOT_THERE))
    assert (found.level, found.risks) == (Level.AT_RISK, (f"n1 could not start it again: {NOT_SEEN}",))


def test_nothing_is_said_of_a_vm_that_nobody_was_asked_about() -> None:
    assert shield(web(())) == Protection(Level.PROTECTED)


def test_failures_do_not_hide_that_the_disk_is_not_shared() -> None:
    failed = group("web", failures=(failure("web-1"),))
    assert shield(web(n2=NOT_THERE, n3=NOT_THERE), failed).level is Level.NOT_PROTECTED


# -- what is remembered -----------------------------------------------------------------------------------------------


def test_what_was_answered_takes_the_place_of_what_was_known_and_silence_changes_nothing() -> None:
    known = web(("n1", "n2"), n3=NOT_THERE)
    assert sight.learned(known, {}, NODES) == known
    worse = sight.learned(known, {"n1": None, "n2": NO_NETWORK}, NODES)
    assert (worse.seen_by, worse.blind_on) == (("n1",), {"n2": NO_NETWORK, "n3": NOT_THERE})
    mended = sight.learned(worse, {"n2": None, "n3": None}, NODES)
    assert (mended.seen_by, mended.blind_on) == (NODES, {})


def test_when_no_node_can_run_it_nothing_of_the_old_answer_stays() -> None:
    none = sight.learned(web(NODES), dict.fromkeys(NODES, NOT_THERE), NODES)
    assert (none.seen_by, none.blind_on) == ((), dict.fromkeys(NODES, NOT_THERE))
    assert sight.told(none).startswith("web could run on no node, disks and all; not on n1: the disk vda is not there")


def test_doubt_does_not_undo_what_was_certain_once() -> None:
    assert sight.learned(web(("n1", "n2")), {"n2": DOUBT}, NODES) == web(("n1", "n2"))
    assert sight.learned(web(), {"n2": DOUBT}, NODES).blind_on == {"n2": DOUBT}


def test_nothing_is_remembered_of_nodes_that_the_cluster_has_no_more() -> None:
    found = sight.learned(web(("n1", "n9"), n8=NOT_THERE), {}, NODES)
    assert (found.seen_by, found.blind_on) == (("n1",), {})
