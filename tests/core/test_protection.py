"""Would a group run again by itself if its node died now? And what is weaker than it should be? n1 owns what a test
says nothing else about."""

from typing import Any

import msgspec
import pytest

from build import NODES, failure, group, node, observed, resource, session, silence, status, view
from outlast.core.foresight.protection import Level, Protections, protection, provable
from outlast.core.placement.placed import Placed
from outlast.model.group import Group, Wanted
from outlast.model.node import Mark, Offer
from outlast.model.policy import Priority
from outlast.model.rule import Rule, RuleKind
from outlast.model.settings import Settings
from outlast.model.status import State
from outlast.model.view import ClusterView

WEB = group("web")
DAMAGED = [Offer("vm", problem="its files changed")]


def why(of: Group = WEB, **changes: Any) -> str:
    """Why it is not protected."""
    found = protection(of, view(of, **changes))
    assert found.protected == (not found.reasons) == (found.level is not Level.NOT_PROTECTED)
    return "; ".join(found.reasons)


def risks(of: Group = WEB, **changes: Any) -> str:
    """What is weak although it is protected."""
    found = protection(of, view(of, **changes))
    assert found.protected
    assert (found.level is Level.AT_RISK) == bool(found.risks)
    return "; ".join(found.risks)


def test_in_a_healthy_cluster_a_group_is_protected() -> None:
    found = protection(WEB, view(WEB))
    assert (found.level, found.reasons, found.risks) == (Level.PROTECTED, (), ())


# -- not protected --------------------------------------------------------------------------------------------------


def test_a_group_whose_owner_cannot_watch_over_it_is_not_protected() -> None:
    broken = session("n1", offers=DAMAGED)
    assert why(sessions=[broken, session("n2")]) == "n1 cannot watch over it: its plugin for vm: its files changed"


def test_nor_is_one_of_which_its_owner_cannot_tell_whether_it_runs() -> None:
    assert why(statuses=[status(WEB, State.UNKNOWN)]) == "n1 cannot tell whether it runs: as it is"
    assert why(statuses=[status(WEB, State.UNKNOWN, epoch=9)]) == "", "of another epoch it says nothing"


def test_a_group_that_no_other_node_could_take_is_not_protected_and_each_says_why() -> None:
    paused = [node("n1"), node("n2", paused=True), node("n3")]
    assert why(nodes=paused, silences=[silence("n3")]) == (
        "no other node could take it: n2: it is paused; n3: it is no member now"
    )


def test_what_all_other_nodes_have_in_common_is_said_once() -> None:
    paused = [node("n1"), node("n2", paused=True), node("n3", paused=True)]
    assert why(nodes=paused) == "no other node could take it: n2, n3: it is paused"


def test_in_a_large_cluster_no_more_is_told_than_anybody_reads() -> None:
    names = [f"n{number}" for number in range(1, 65)]
    large: dict[str, Any] = {"nodes": [node(name) for name in names], "resources": [resource("web", memory_mib=900)]}
    full = [session(name, memory_mib=100 + number) for number, name in enumerate(names)]
    words = why(sessions=full, **large)
    assert words.count("it has") == 5
    assert words.endswith("; and likewise 58 more")
    missing = [session("n1"), *[session(name, offers=[]) for name in names[1:]]]
    assert "n10, n11, n12, n13, n14 and 58 more: it has no plugin for vm" in why(sessions=missing, **large)


def test_a_group_that_only_its_owner_may_have_is_not_protected() -> None:
    only = group("web", possible_owners=("n1",))
    assert why(only) == "no other node could take it: n2, n3: it is no possible owner of the group"


def test_nor_one_that_a_hard_rule_keeps_off_all_others() -> None:
    rule = Rule("here", RuleKind.ON, ("web",), nodes=("n1",), hard=True)
    assert why(rules=[rule]) == "no other node could take it: n2, n3: rule here keeps it on n1"


def test_a_group_whose_owner_is_silent_is_not_protected_before_its_death_is_proven() -> None:
    assert "not proven dead" in why(silences=[silence("n1")])


def test_on_a_single_node_nothing_is_protected() -> None:
    assert why(nodes=[node("n1")]) == "there is no other node"


def test_a_group_whose_owners_death_nobody_could_prove_is_not_protected() -> None:
    unfenced = [node("n1", fenced=False), node("n2")]
    assert "the death of n1 could not be proven" in why(nodes=unfenced)
    assert why(nodes=unfenced, sessions=[session("n1", watchdog_s=7.5), session("n2")]) == ""


def test_nothing_is_protected_while_the_cluster_decides_nothing() -> None:
    assert "`outlast cluster set armed=yes`" in why(settings=Settings(armed=False))
    assert "confirm-ownership" in why(settings=Settings(hold="restored"))
    assert "the cluster database does not answer" in why(observed=observed(unread_s=7.0))


def test_a_node_that_the_storm_guard_would_spare_protects_nothing() -> None:
    marked = msgspec.structs.replace(node("n3"), fenced=(Mark("fenced n3-life-0", "", 0.0),))
    fenced = [node("n1"), node("n2"), marked]
    assert "n1 would not be fenced now: the storm guard stands" in why(nodes=fenced, settings=Settings(most_fenced=1))
    watched = [session("n1", watchdog_s=7.5), session("n2"), session("n3")]
    assert why(nodes=fenced, settings=Settings(most_fenced=1), sessions=watched) == ""


def test_what_does_not_start_by_itself_is_not_protected() -> None:
    manual = group("web", priority=Priority.NO_AUTO_START)
    assert why(manual) == "its priority is no auto start: after its node's death it stays off"


def test_a_group_whose_node_takes_the_database_along_is_not_protected_and_the_others_are_at_risk() -> None:
    votes = observed(vital=("n1", "n2"))
    assert why(observed=votes) == "the cluster database would stop with n1, and nobody could decide anything"
    elsewhere = group("web", on="n3")
    assert risks(elsewhere, observed=votes) == "the cluster database would stop without n1 or n2"


def test_a_group_that_stays_failed_is_not_protected() -> None:
    spent = group("web", failures=(failure("web-1"), failure("web-2")))
    assert "it stays failed: it failed over 2 times" in why(spent, statuses=[status(spent, State.FAILED)])


def test_a_group_without_an_owner_is_judged_by_the_nodes_that_could_take_it() -> None:
    homeless = group("web", on="")
    assert protection(homeless, view(homeless)).protected


# -- room -----------------------------------------------------------------------------------------------------------


def sized(*of: Group, node_mib: int = 4096, group_mib: int = 1024, **changes: Any) -> ClusterView:
    return view(
        *of,
        resources=[resource(name, memory_mib=group_mib, group=one.name) for one in of for name in one.resources],
        sessions=[session(name, memory_mib=node_mib) for name in NODES],
        **changes,
    )


def levels(of: ClusterView) -> dict[str, bool]:
    protections = Protections(of)
    return {name: protections.of(one).protected for name, one in of.groups.items()}


def test_all_that_runs_on_a_node_must_find_room_together_the_most_urgent_first() -> None:
    of = [group(f"{on}-{number}", on=on) for on in NODES for number in range(3)]
    urgent = msgspec.structs.replace(of[2], priority=Priority.HIGH)
    seen = sized(*[urgent if one.name == "n1-2" else one for one in of])
    assert [name for name, protected in levels(seen).items() if not protected] == ["n1-1", "n2-2", "n3-2"]
    (reason,) = protection(seen.groups["n1-1"], seen).reasons
    assert reason == (
        "no other node could take it, beside what else would leave n1: "
        "n2, n3: it has 0 MiB of memory left of 4096, and 1024 are needed"
    )


def test_with_room_for_all_of_any_node_all_are_protected() -> None:
    assert all(levels(sized(*[group(f"{on}-{number}", on=on) for on in NODES for number in range(2)])).values())


def test_what_is_wanted_off_takes_no_room_from_others() -> None:
    off = [group(f"off{number}", wanted=Wanted.OFFLINE) for number in range(9)]
    seen = sized(*off, group("web"), statuses=[status(one, State.OFFLINE) for one in off])
    assert levels(seen)["web"]


def test_groups_that_must_be_together_are_not_bound_to_the_node_that_dies_with_them() -> None:
    of = [group("web"), group("db")]
    rule = Rule("same", RuleKind.SAME, ("web", "db"), hard=True)
    assert levels(view(*of, rules=[rule])) == {"web": True, "db": True}


def test_groups_that_must_be_apart_need_two_other_nodes_when_they_meet_there() -> None:
    of = [group("web"), group("db", on="n2")]
    apart = Rule("apart", RuleKind.DIFFERENT, ("web", "db"), hard=True)
    two = [node("n1"), node("n2")]
    assert levels(view(*of, rules=[apart], nodes=two)) == {"web": False, "db": False}
    assert levels(view(*of, rules=[apart])) == {"web": True, "db": True}


def test_looking_changes_nothing() -> None:
    of = [group(f"{on}-{number}", on=on) for on in NODES for number in range(3)]
    seen = sized(*of, group("moving", on="n1", move_to="n2"))
    placed = Placed(seen)
    before = {name: (placed.used(name).memory_mib, placed.used(name).groups) for name in NODES}
    nodes = {name: placed.nodes(name) for name in seen.groups}
    for one in seen.groups.values():
        assert Protections(seen, placed).of(one) == protection(one, seen)
    assert {name: (placed.used(name).memory_mib, placed.used(name).groups) for name in NODES} == before
    assert {name: placed.nodes(name) for name in seen.groups} == nodes


# -- at risk --------------------------------------------------------------------------------------------------------


def test_a_plugin_that_is_damaged_or_missing_on_another_node_is_a_risk_and_says_where() -> None:
    sessions = [session("n1"), session("n2", offers=DAMAGED), session("n3")]
    assert risks(sessions=sessions) == "could not go everywhere: n2: its plugin for vm: its files changed"
    missing = [session("n1"), session("n2"), session("n3", offers=[])]
    assert risks(sessions=missing) == "could not go everywhere: n3: it has no plugin for vm"
    elsewhere = group("web", possible_owners=("n1", "n2"))
    assert risks(elsewhere, sessions=missing) == ""


def test_what_is_in_maintenance_is_at_risk() -> None:
    assert "nobody looks whether it lives" in risks(group("web", maintenance="new disks"))
    kept = [resource("web", maintenance="new disks")]
    assert risks(resources=kept).endswith("heals it (new disks)")


def test_a_group_whose_failovers_are_spent_is_at_risk_while_it_runs() -> None:
    spent = group("web", failures=(failure("web-1"), failure("web-2")))
    assert "at its next failure it would stay failed" in risks(spent)


@pytest.mark.parametrize(("seen_by", "words"), [((), ""), (NODES, ""), (("n1", "n2"), ""), (("n1",), "n2, n3")])
def test_a_vm_is_at_risk_when_nobody_knows_whether_another_node_sees_its_disks(
    seen_by: tuple[str, ...], words: str
) -> None:
    found = risks(resources=[resource("web", seen_by=seen_by)])
    assert words in found
    assert bool(found) == bool(words)


def test_a_promise_that_is_broken_is_a_risk_for_all() -> None:
    found = Protections(view(WEB), promise="the loss of 2 nodes would not be survived").of(WEB)
    assert (found.level, found.risks) == (Level.AT_RISK, ("the loss of 2 nodes would not be survived",))


def test_risks_are_told_of_what_is_not_protected_too() -> None:
    kept = group("web", maintenance="new disks", possible_owners=("n1",))
    found = protection(kept, view(kept))
    assert found.level is Level.NOT_PROTECTED
    assert found.risks


# -- alarms ---------------------------------------------------------------------------------------------------------


def test_what_would_stay_down_is_an_alarm_with_its_reason_told_once() -> None:
    of = [group(f"web{number}") for number in range(7)]
    unfenced = [node("n1", fenced=False), node("n2"), node("n3")]
    (alarm,) = Protections(view(*of, nodes=unfenced)).alarms()
    assert alarm.startswith("web0, web1, web2, web3, web4 and 2 more would stay down if their node died now: the death")
    assert Protections(view(*of)).alarms() == ()


def test_what_is_so_on_purpose_or_said_by_others_is_no_alarm() -> None:
    unfenced = [node(name, fenced=False) for name in NODES]
    for of in (group("web", wanted=Wanted.OFFLINE), group("web", priority=Priority.NO_AUTO_START)):
        assert Protections(view(of, nodes=unfenced)).alarms() == ()
    assert Protections(view(WEB, nodes=unfenced[:1])).alarms() == ()
    assert Protections(view(WEB, nodes=unfenced, settings=Settings(hold="restored"))).alarms() == ()
    assert Protections(view(WEB, nodes=unfenced, silences=[silence("n1")])).alarms() == ()


# -- proof ----------------------------------------------------------------------------------------------------------


def test_a_fence_device_or_a_declared_watchdog_makes_a_death_provable() -> None:
    assert provable("n1", view())
    assert not provable("n1", view(nodes=[node("n1", fenced=False)]))
    assert provable("n1", view(nodes=[node("n1", fenced=False)], sessions=[session("n1", watchdog_s=7.5)]))
