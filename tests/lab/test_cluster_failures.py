"""What the cluster does when a VM, a node or a service fails: with real nodes, libvirt and QEMU.

QEMU's image lock is switched off everywhere (rule 5); the fixture's checker proves that no guest ever ran twice.
"""

import os
import signal

import pytest

from outlast.client.control import ControlError
from outlast.lab.bmc import Fault
from outlast.lab.cluster import LabCluster

pytestmark = pytest.mark.lab


def others(cluster: LabCluster, node: str) -> list[str]:
    return [name for name in cluster.lab.state().nodes if name != node]


def test_a_vm_whose_qemu_was_killed_runs_on_another_node(cluster: LabCluster) -> None:
    cluster.protect("beacon", "web")
    first = cluster.owner("web")
    before = cluster.outputs(["web"], others(cluster, first))
    os.kill(cluster.qemu_pid(first, "web"), signal.SIGKILL)
    cluster.wait_for_output(["web"], others(cluster, first), before)
    status = cluster.wait_online("web")
    assert status.groups[0].owner != first
    assert "signal 9" in cluster.group("web").failures[0].why
    cluster.wait(lambda _: not cluster.lab.virsh(first, "list", "--all", "--name").split(), "nothing is left behind")


def test_a_vm_that_keeps_failing_stays_failed_and_says_why_until_an_administrator_starts_it(
    cluster: LabCluster,
) -> None:
    cluster.protect("beacon", "web", failover_threshold=1)
    for _ in range(2):
        os.kill(cluster.qemu_pid(cluster.owner("web"), "web"), signal.SIGKILL)
        cluster.wait(lambda s: s.groups[0].settled and s.groups[0].failures, "failed over or given up")
    status = cluster.wait(lambda s: s.groups[0].state == "failed", "it stays failed")
    assert "which is its limit" in status.groups[0].why
    assert not status.groups[0].protected
    cluster.call("group.online", name="web")
    assert cluster.wait_online("web").groups[0].failures == ()


def test_the_vms_of_a_node_without_power_run_elsewhere_once_its_fence_device_confirmed(cluster: LabCluster) -> None:
    for name in ("web", "db"):
        cluster.protect("beacon", name, preferred_owners=["n1"])
    before = {event.id for event in cluster.story("n2")}  # on a busy machine n1 may have been silent for a moment
    cluster.lab.power_off("n1")
    status = cluster.wait(lambda s: all(g.state == "online" and g.owner != "n1" for g in s.groups), "both elsewhere")
    assert next(row for row in status.nodes if row.name == "n1").state == "dead"
    news = [event.kind for event in cluster.story("n2") if event.id not in before]
    kinds = [kind for kind in news if kind in ("node-silent", "node-dead", "decided")]
    assert kinds == ["node-silent", "node-dead", "decided", "decided"]


def test_a_node_that_comes_back_runs_nothing_and_is_a_member_again(cluster: LabCluster) -> None:
    cluster.protect("beacon", "web", preferred_owners=["n1"])
    cluster.lab.power_off("n1")
    cluster.wait(lambda s: s.groups[0].state == "online" and s.groups[0].owner != "n1", "web elsewhere")
    cluster.lab.power_on("n1")
    status = cluster.wait_for_members()
    assert status.groups[0].owner != "n1", "nothing moves back by itself"
    cluster.wait(lambda _: cluster.lab.virsh("n1", "list", "--all", "--name").split() == [], "n1 is clean")


def test_the_coordinator_may_die_with_the_vms_it_ran(cluster: LabCluster) -> None:
    coordinator = cluster.status().coordinator
    cluster.protect("beacon", "web", preferred_owners=[coordinator])
    cluster.lab.power_off(coordinator)
    status = cluster.wait(lambda s: s.groups[0].state == "online" and s.groups[0].owner != coordinator, "elsewhere")
    assert status.coordinator != coordinator


@pytest.mark.parametrize("fault", [Fault.FAIL, Fault.DEAD, Fault.HANG])
def test_a_fence_device_that_does_not_confirm_is_no_proof_but_the_watchdog_is(
    cluster: LabCluster, fault: Fault
) -> None:
    cluster.protect("beacon", "web", preferred_owners=["n1"])
    cluster.lab.set_bmc_fault("n1", fault)
    cluster.lab.power_off("n1")
    waiting = cluster.wait(lambda s: s.groups[0].owner == "n1" and "proof that n1 is dead" in s.groups[0].why, "waits")
    assert "outlast node confirm-down n1" in waiting.groups[0].why
    cluster.wait(lambda s: s.groups[0].state == "online" and s.groups[0].owner != "n1", "web elsewhere")
    dead = next(event for event in cluster.story("n2") if event.kind == "node-dead")
    assert "watchdog" in dead.words


def test_the_word_of_an_administrator_is_proof_and_is_refused_for_a_node_that_lives(cluster: LabCluster) -> None:
    cluster.protect("beacon", "web", preferred_owners=["n1"])
    with pytest.raises(ControlError, match="n1 is alive"):
        cluster.call("node.confirm_down", "n2", name="n1")
    cluster.lab.set_bmc_fault("n1", Fault.FAIL)
    cluster.lab.power_off("n1")
    cluster.wait(lambda s: "proof that n1 is dead" in s.groups[0].why, "it waits for proof")
    cluster.call("node.confirm_down", "n2", name="n1")
    cluster.wait(lambda s: s.groups[0].state == "online" and s.groups[0].owner != "n1", "web elsewhere")


def test_a_frozen_node_whose_death_nobody_could_prove_has_stopped_everything_when_it_thaws(
    cluster: LabCluster,
) -> None:
    cluster.protect("beacon", "web", preferred_owners=["n1"])
    cluster.lab.set_bmc_fault("n1", Fault.FAIL)
    before = cluster.qemu_pid("n1", "web")
    cluster.lab.freeze("n1")
    cluster.wait(lambda s: any(row.name == "n1" and row.state == "silent" for row in s.nodes), "n1 is silent")
    if cluster.lab.is_on("n1"):  # its watchdog may have been quicker
        cluster.lab.thaw("n1")
    # n1 itself is asked nothing: for a moment it still has the picture from before.
    cluster.lab.wait(lambda: cluster.qemu_pid("n1", "web") != before, 30, "what ran there has ended")
    cluster.wait(lambda s: s.groups[0].state == "online" and any(cluster.running().values()), "web runs again")


def test_a_frozen_service_keeps_no_vm_alive_beyond_its_permit(cluster: LabCluster) -> None:
    cluster.protect("beacon", "web", preferred_owners=["n1"])
    cluster.lab.set_bmc_fault("n1", Fault.FAIL)
    cluster.lab.freeze("n1", "outlastd")
    cluster.lab.wait(lambda: not cluster.qemu_pid("n1", "web"), 30, "its resource host ends it")
    assert cluster.owner("web", "n2") == "n1", "nobody else was given it before"
    cluster.wait(lambda s: s.groups[0].state == "online" and s.groups[0].owner != "n1", "web elsewhere")
