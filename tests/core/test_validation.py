"""What of a cluster would not work when it is needed? Found before the first failure."""

import msgspec

from build import LOST, MISSING, UP, group, networked, node, observed, session, silence, view
from outlast.core.validation import (
    contradiction,
    database_findings,
    down_findings,
    fence_findings,
    hold_findings,
    lease_findings,
    link_findings,
    migration_findings,
    network_findings,
    restraint_findings,
    watchdog_findings,
)
from outlast.model.answers import Finding, QuorumRow, VoterRow
from outlast.model.fence import FenceDevice
from outlast.model.fence_answers import FenceTest
from outlast.model.node import Node, Session
from outlast.model.settings import Settings
from outlast.model.view import ClusterView
from outlast.model.watchdog import Strength

WELL = FenceTest("n2", "fence_lab", "fence_lab", 1, power="on")
SAYS_OFF = msgspec.structs.replace(WELL, power="off")
TWO_LEVELS = Node("n2", fence=(FenceDevice("fence_lab", name="board"), FenceDevice("fence_lab", name="strip", level=2)))


def found(of: ClusterView, *tests: FenceTest) -> dict[str, Finding]:
    return {finding.about: finding for finding in fence_findings(of, tests)}


def watched(name: str) -> ClusterView:
    """Its watchdog counts as proof."""
    armed = msgspec.structs.replace(session(name, watchdog_s=7.5), watchdog=Strength.HARDWARE)
    return view(sessions=[armed, *(session(other) for other in ("n1", "n2", "n3") if other != name)])


def test_a_node_whose_death_nothing_could_prove_is_grave_and_it_is_said_what_that_means_and_what_helps() -> None:
    finding = found(view(nodes=[node("n1"), node("n2", fenced=False)]))["n2"]
    assert finding.grave
    assert "down until an administrator says `outlast node confirm-down n2`" in finding.means
    assert "`outlast fence add n2 AGENT ...`" in finding.advice


def test_one_way_only_is_worth_a_word_but_not_grave() -> None:
    assert {about: finding.grave for about, finding in found(view(), WELL).items()} == {
        "n1": False,
        "n2": False,
        "n3": False,
    }


def test_a_second_level_or_a_watchdog_that_counts_is_a_second_way() -> None:
    assert "n2" not in found(view(nodes=[node("n1"), TWO_LEVELS]))
    assert "n2" not in found(watched("n2"), WELL)


def test_two_devices_of_one_level_are_still_one_way() -> None:
    both = Node("n2", fence=(FenceDevice("fence_lab", name="left"), FenceDevice("fence_lab", name="right")))
    assert "one way only" in found(view(nodes=[node("n1"), both]))["n2"].problem


def test_a_device_that_does_not_answer_is_grave() -> None:
    finding = found(view(), msgspec.structs.replace(WELL, power="", problem="no contact with the BMC"))["n2: fence_lab"]
    assert finding.grave
    assert finding.problem == "no contact with the BMC"


def test_what_only_some_nodes_find_amiss_is_told_with_their_names_and_what_all_find_is_told_once() -> None:
    missing = msgspec.structs.replace(WELL, power="", problem="there is no fence agent fence_lab on this node")
    asked = [msgspec.structs.replace(missing, asked_by=name) for name in ("n1", "n3")]
    well = msgspec.structs.replace(WELL, asked_by="n2")
    assert found(view(), *asked)["n2: fence_lab"].problem == missing.problem
    assert found(view(), *asked, well)["n2: fence_lab"].problem == f"{missing.problem} (asked by n1, n3)"


def test_a_device_that_calls_a_living_node_off_is_dangerous() -> None:
    contradicted = contradiction(SAYS_OFF, view())
    assert contradicted.dangerous
    assert "n2 is alive" in contradicted.problem
    assert "start its VMs twice" in found(view(), contradicted)["n2: fence_lab"].means


def test_a_device_may_well_call_a_silent_or_a_lost_node_off() -> None:
    assert contradiction(SAYS_OFF, view(silences=[silence("n2")])) == SAYS_OFF
    assert contradiction(SAYS_OFF, view(observed=observed(silent_s={"n2": 6.0}))) == SAYS_OFF
    assert contradiction(SAYS_OFF, view(sessions=[session("n1")])) == SAYS_OFF


def test_a_device_that_calls_a_living_node_on_is_well() -> None:
    assert contradiction(WELL, view()) == WELL


def test_a_member_that_does_not_hear_this_one_is_worth_a_word_before_the_database_is_away() -> None:
    (finding,) = link_findings("n1", {"n2": "connection refused"})
    assert (finding.about, finding.grave) == ("n2", False)
    assert finding.problem == "its service does not answer the one of n1: connection refused"
    assert link_findings("n1", {}) == ()


def test_a_node_that_is_down_is_told_as_such() -> None:
    (finding,) = down_findings(view(silences=[silence("n2")]))
    assert (finding.about, finding.grave) == ("n2", False)
    assert finding.problem.startswith("it is down")
    (finding,) = down_findings(view(observed=observed(silent_s={"n3": 6.0})))
    assert finding.about == "n3"
    assert down_findings(view()) == ()


def test_a_member_of_the_database_that_is_out_of_order_is_told_of_before_another_one_is_lost() -> None:
    well = VoterRow("n1", "node", "leads", "", "3.4.23", 0, 0.1)
    full = msgspec.structs.replace(well, name="n2", state="votes", why="its quota is reached")
    row = QuorumRow("n1", True, "n1", (well, full), (), 1, "can lose n1 or n2", (), 0)
    (finding,) = database_findings(row)
    assert (finding.about, finding.grave, finding.means) == ("n2", False, "can lose n1 or n2")
    assert "its quota is reached" in finding.problem
    (worse,) = database_findings(msgspec.structs.replace(row, quorum=False))
    assert worse.grave


def with_watchdog(**changes: object) -> ClusterView:
    n2: Session = msgspec.structs.replace(session("n2", watchdog_s=7.0), **changes)
    return view(sessions=[session("n1"), n2, session("n3")])


def test_a_watchdog_that_is_set_and_cannot_be_used_is_told_of_with_the_reason() -> None:
    broken = with_watchdog(watchdog_s=0.0, watchdog=None, watchdog_problem="another program has it open")
    (finding,) = watchdog_findings(broken)
    assert finding.about == "n2"
    assert "another program has it open" in finding.problem


def test_a_watchdog_that_is_only_a_program_is_called_what_it_is() -> None:
    (finding,) = watchdog_findings(with_watchdog(watchdog=Strength.PROCESS))
    assert "no proof of death" in finding.problem
    assert watchdog_findings(with_watchdog()) == ()


def test_a_watchdog_of_a_virtual_machine_is_told_to_stand_still_with_it() -> None:
    (finding,) = watchdog_findings(with_watchdog(watchdog=Strength.VIRTUAL))
    assert "stands still while that is paused, so its time is no proof of death" in finding.problem
    assert "`outlast fence add n2 AGENT ...` with an agent for its hypervisor" in finding.advice
    trusted = msgspec.structs.replace(
        with_watchdog(watchdog=Strength.VIRTUAL), settings=Settings(watchdog_strength=tuple(Strength))
    )
    assert watchdog_findings(trusted) == ()


def test_a_cluster_that_was_restored_and_not_confirmed_is_grave() -> None:
    (finding,) = hold_findings(view(settings=Settings(hold="the database was restored")))
    assert finding.grave
    assert "confirm-ownership" in finding.advice
    assert hold_findings(view()) == ()


def test_a_vm_with_a_storage_lease_is_told_to_wait_for_it() -> None:
    (finding,) = lease_findings(["web"])
    assert (finding.about, finding.grave) == ("web", False)
    assert "68 s" in finding.means


def test_a_cluster_that_is_not_armed_is_grave_and_a_quarantined_node_is_told() -> None:
    barred = msgspec.structs.replace(node("n3"), quarantined="it was lost 3 times within 1 h")
    first, second = restraint_findings(view(nodes=(node("n1"), barred), settings=Settings(armed=False)))
    assert (first.about, first.grave, second.about, second.grave) == ("the cluster", True, "n3", False)
    assert restraint_findings(view()) == ()


def test_a_node_that_can_hand_over_nothing_as_it_runs_is_worth_a_word_where_there_is_another_one() -> None:
    able = msgspec.structs.replace(session("n1"), migration="tls")
    unable = msgspec.structs.replace(session("n2"), migration="")
    (finding,) = migration_findings(view(sessions=[able, unable]))
    assert (finding.about, finding.grave) == ("n2", False)
    assert migration_findings(view(sessions=[unable])) == ()


def test_validate_says_which_network_is_missing_on_which_node() -> None:
    seen = networked(group("a", on="n1"), networks={"n1": UP, "n2": LOST, "n3": MISSING})
    lost, missing = network_findings(seen)
    assert (lost.about, lost.problem) == ("n2", "the bridge br0 is lost there: its uplink eth1 has no carrier")
    assert (missing.about, missing.problem) == ("n3", "it does not have the bridge br0: br0 does not exist")
    assert missing.means == "a could not start there"


def test_what_may_never_come_to_a_node_misses_nothing_there() -> None:
    assert network_findings(networked(group("a", on="n1", possible_owners=("n1",)), lost="n2")) == ()
