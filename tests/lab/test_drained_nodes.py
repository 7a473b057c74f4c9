"""Nodes that get empty, with real VMs: by an administrator's word, and because their machine is shut down."""

import pytest

from outlast.lab.cluster import LabCluster

pytestmark = pytest.mark.lab

SHUTDOWN_S = 2.0
"""A beacon takes no notice of its power button, so it is turned off after that."""


def test_a_drained_node_gives_its_vms_away_and_gets_them_back_when_they_are_called(cluster: LabCluster) -> None:
    names = ("web1", "web2", "web3")
    for name in names:
        cluster.protect("beacon", name, preferred_owners=["n1"], offline_timeout_s=SHUTDOWN_S)
    ended = cluster.lab.run("n2", "outlast", "node", "drain", "n1", timeout_s=120.0)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("n1 is empty after ")
    assert next(row for row in cluster.status("n2").nodes if row.name == "n1").state == "drained"
    cluster.wait_online(*names)
    assert "n1" not in {cluster.owner(name) for name in names}
    back = cluster.lab.run("n2", "outlast", "node", "resume", "n1", "--failback", timeout_s=120.0)
    assert (back.returncode, back.stderr) == (0, "")
    cluster.wait_online(*names)
    assert {cluster.owner(name) for name in names} == {"n1"}


def test_a_machine_that_is_shut_down_is_drained_leaves_in_order_and_is_not_fenced(cluster: LabCluster) -> None:
    cluster.protect("beacon", "web", preferred_owners=["n1"], offline_timeout_s=SHUTDOWN_S)
    said = cluster.lab.shutdown("n1")
    assert "n1 is empty after " in said
    status = cluster.wait(lambda s: s.groups[0].state == "online", "web is online elsewhere")
    assert status.groups[0].owner != "n1"
    assert next(row for row in status.nodes if row.name == "n1").state == "out"
    kinds = [event.kind for event in cluster.story("n2")]
    assert "node-left" in kinds
    assert "node-silent" not in kinds
    cluster.lab.power_on("n1")
    cluster.wait_for_members()
    cluster.call("group.move", "n2", name="web", to="n1", stop="turn_off")
    cluster.wait(lambda s: (s.groups[0].owner, s.groups[0].state) == ("n1", "online"), "n1 takes groups again")
