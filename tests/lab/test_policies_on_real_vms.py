"""What administrators set, with real VMs: restarts in place, the switch for the whole cluster, maintenance, failback,
quarantine, start after a guest's agent has answered, and nodes that do not see a disk."""

import os
import re
import signal

import pytest

from outlast.lab.cluster import LabCluster
from outlast.model.answers import ClusterStatus

pytestmark = pytest.mark.lab

SHUTDOWN_S = 2.0
"""A beacon takes no notice of its power button, so it is turned off after that."""


def kill(cluster: LabCluster, node: str, guest: str) -> int:
    pid = cluster.qemu_pid(node, guest)
    assert pid, f"{guest} does not run on {node}"
    os.kill(pid, signal.SIGKILL)
    return pid


def state(status: ClusterStatus, node: str) -> str:
    return next(row.state for row in status.nodes if row.name == node)


def test_what_fails_is_restarted_where_it_is_as_often_as_was_set_and_then_it_moves(cluster: LabCluster) -> None:
    cluster.protect("beacon", "web", preferred_owners=["n1"])
    cluster.call("resource.set", name="web", values={"restart_threshold": "1"})
    first = kill(cluster, "n1", "web")
    cluster.lab.wait(lambda: cluster.qemu_pid("n1", "web") not in (0, first), 30, "it runs on n1 again")
    status = cluster.wait_online("web")
    assert (status.groups[0].owner, status.groups[0].failures) == ("n1", ())
    kill(cluster, "n1", "web")
    status = cluster.wait(lambda s: s.groups[0].owner != "n1" and s.groups[0].state == "online", "it has moved")
    assert [failure.node for failure in status.groups[0].failures] == ["n1"]
    assert cluster.running() == {"web": [status.groups[0].owner]}


def test_while_the_cluster_is_not_armed_nothing_is_done_and_then_it_is(cluster: LabCluster) -> None:
    cluster.protect("beacon", "web", preferred_owners=["n1"])
    cluster.call("cluster.set", values={"armed": "no"})
    try:
        kill(cluster, "n1", "web")
        status = cluster.wait(lambda s: s.groups[0].state == "failed", "it has failed")
        assert "the cluster to be armed again" in status.groups[0].why
        told = cluster.lab.run("n2", "outlast", "vm", "list", "--json")
        assert told.returncode == 0
        assert "The cluster is not armed" in told.stderr
        assert '"protection": "not protected"' in told.stdout
        # Another node can be asked for anything, and answers from what it knows: nobody has done anything.
        assert {cluster.owner("web", node) for node in ("n1", "n2", "n3")} == {"n1"}
        assert cluster.running() == {}
    finally:
        cluster.call("cluster.set", values={"armed": "yes"})
    status = cluster.wait_online("web")
    assert status.groups[0].owner != "n1"


def test_a_vm_in_maintenance_is_not_healed_and_is_afterwards(cluster: LabCluster) -> None:
    cluster.protect("beacon", "web", preferred_owners=["n1"])
    cluster.call("resource.maintenance", name="web", on=True, why="new disks")
    kill(cluster, "n1", "web")
    status = cluster.wait(lambda s: s.groups[0].state == "failed", "it has failed")
    assert "maintenance: new disks" in status.groups[0].why
    assert cluster.running() == {}
    cluster.call("resource.maintenance", name="web", on=False)
    status = cluster.wait_online("web")
    assert status.groups[0].owner != "n1"


def test_after_a_power_cut_a_vm_returns_by_itself_to_the_node_that_is_back(cluster: LabCluster) -> None:
    cluster.protect("beacon", "web", preferred_owners=["n1"], offline_timeout_s=SHUTDOWN_S)
    cluster.call("group.set", name="web", values={"failback": "now"})
    cluster.lab.power_off("n1")
    status = cluster.wait(lambda s: s.groups[0].owner != "n1" and s.groups[0].state == "online", "it runs elsewhere")
    assert cluster.running() == {"web": [status.groups[0].owner]}
    assert status.groups[0].return_to == "n1"
    if not cluster.lab.is_on("n1"):
        cluster.lab.power_on("n1")
    status = cluster.wait(lambda s: s.groups[0].owner == "n1" and s.groups[0].state == "online", "it is back", 120.0)
    assert status.groups[0].return_to == ""
    assert cluster.running() == {"web": ["n1"]}


def test_a_node_that_is_lost_again_and_again_gets_nothing_until_it_is_released(cluster: LabCluster) -> None:
    cluster.protect("beacon", "web", preferred_owners=["n3"], offline_timeout_s=SHUTDOWN_S)
    losses = {row.name: row.losses for row in cluster.status().nodes}
    # Nodes were lost before, on purpose or because the machine was busy: none but n3 is to have enough of it.
    threshold = max(losses["n3"] + 2, losses["n1"] + 1, losses["n2"] + 1)
    cluster.call("cluster.set", values={"quarantine_threshold": threshold})
    try:
        for _ in range(threshold - losses["n3"]):
            cluster.lab.power_off("n3")
            # Its death is proven only where something waits for it: not before that is over, or it is cut off anew.
            cluster.wait(
                lambda s: state(s, "n3") in ("silent", "dead") and s.groups[0].owner != "n3",
                "n3 is lost, and has nothing",
            )
            if not cluster.lab.is_on("n3"):
                cluster.lab.power_on("n3")
            cluster.wait_for_members()
        status = cluster.wait(lambda s: state(s, "n3") == "quarantined", "n3 is quarantined")
        cluster.wait_online("web")
        owner = cluster.owner("web")
        assert owner != "n3"
        kill(cluster, owner, "web")
        status = cluster.wait(lambda s: s.groups[0].owner != owner and s.groups[0].state == "online", "it failed over")
        assert status.groups[0].owner != "n3", "although it is preferred"
        cluster.call("node.release", name="n3")
        cluster.wait(lambda s: state(s, "n3") == "up", "n3 counts again")
    finally:
        cluster.excuse_losses()


def test_what_starts_after_a_guest_that_answers_waits_for_its_agent(cluster: LabCluster) -> None:
    cluster.protect("linux", "db", preferred_owners=["n1"], start=False, wait=False)
    cluster.protect("beacon", "app", preferred_owners=["n2"], start=False, wait=False)
    cluster.call("group.set", name="app", values={"start_after": "db:answers"})
    cluster.call("group.online", name="app")
    cluster.wait(lambda s: any(row.name == "app" and "db" in row.why for row in s.groups), "app waits for db")
    assert cluster.running() == {}
    cluster.call("group.online", name="db")
    log = cluster.lab.node("n1").guest_logs / "db.log"
    cluster.lab.wait(lambda: "app" in cluster.running(), 90, "app runs")
    assert "READY" in log.read_text(errors="replace"), "it started before the guest that it waits for was up"
    cluster.wait_online("db", "app")


def test_a_vm_whose_disk_no_other_node_sees_waits_and_starts_by_itself_where_it_appears(cluster: LabCluster) -> None:
    xml = cluster.protect("beacon", "web", preferred_owners=["n1"])
    found = re.search(r"<source file=['\"]([^'\"]+)", xml)
    assert found is not None
    disk = found[1]
    hidden = ("n2", "n3")
    cluster.wait(lambda s: s.groups[0].protection == "protected", "all nodes can take it")
    for node in hidden:
        cluster.lab.exec(node, "mount", "-t", "tmpfs", "none", os.path.dirname(disk))
        cluster.lab.exec(node, "truncate", "--size=1M", disk)  # the same path, and another disk
    try:
        cluster.call("vm.check", "n2", name="web")
        status = cluster.wait(lambda s: s.groups[0].protection == "not protected", "it is not protected")
        assert status.groups[0].not_protected_because == (f"disk not shared: n2, n3 do not see {disk}",)
        cluster.lab.power_off("n1")
        cluster.wait(lambda s: "does not see the disk" in s.groups[0].why, "it waits for a node that sees its disk")
        assert cluster.running() == {}
        assert cluster.group("web", "n2").failures == ()
    finally:
        for node in hidden:
            cluster.lab.exec(node, "umount", os.path.dirname(disk))
    status = cluster.wait(lambda s: s.groups[0].owner in hidden and s.groups[0].state == "online", "it runs", 90.0)
    assert cluster.running() == {"web": [status.groups[0].owner]}
