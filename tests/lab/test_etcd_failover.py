"""A node dies that leads the database and coordinates the cluster: real etcd members, a real power cut."""

import pytest

from outlast.lab import engine
from outlast.lab.cluster import LabCluster

pytestmark = pytest.mark.lab


@pytest.fixture
def cluster(etcd_cluster: LabCluster) -> LabCluster:
    return etcd_cluster


def test_what_ran_on_the_node_that_led_the_database_and_coordinated_runs_again(cluster: LabCluster) -> None:
    all_vote(cluster)  # else the loss of one may be more than the database can bear
    victim = cluster.status().coordinator
    engine.lead(cluster, victim)
    cluster.protect("beacon", "web", preferred_owners=[victim])
    cluster.wait(lambda status: status.groups[0].owner == victim, f"web runs on {victim}")
    others = [name for name in cluster.lab.state().nodes if name != victim]
    before = cluster.outputs(["web"], others)
    cluster.lab.power_off(victim)
    cluster.wait_for_output(["web"], others, before, within_s=60.0)
    cluster.wait(lambda status: status.coordinator in others, "somebody else coordinates")
    assert engine.quorum(cluster, others[0]).leader in others
    assert cluster.owner("web", others[0]) in others
    cluster.lab.power_on(victim)
    cluster.wait_for_members()
    all_vote(cluster)


def test_a_frozen_member_of_the_database_costs_no_vm_anything(cluster: LabCluster) -> None:
    cluster.protect("beacon", "web")
    owner = cluster.owner("web")
    pid = cluster.qemu_pid(owner, "web")
    cluster.lab.freeze(owner, "etcd")
    try:
        seen = {event.id for event in cluster.events()}
        cluster.wait(lambda status: status.coordinator, "the cluster is led", within_s=60.0)
        cluster.call("node.pause", name=owner)
        cluster.call("node.resume", name=owner)
    finally:
        cluster.lab.thaw(owner, "etcd")
    cluster.wait_for_members()
    bad = {"node-silent", "node-dead", "stopped", "permit", "failed"}
    assert [event.words for event in cluster.events() if event.id not in seen and event.kind in bad] == []
    assert cluster.qemu_pid(owner, "web") == pid


def test_a_member_of_the_database_that_was_killed_is_started_again_at_once(cluster: LabCluster) -> None:
    before = cluster.pid("n2", "etcd")
    cluster.lab.kill("n2", "etcd")
    cluster.lab.wait(lambda: cluster.pid("n2", "etcd") not in (0, before), 60.0, "etcd runs again")
    all_vote(cluster)


def all_vote(cluster: LabCluster) -> None:
    nodes = set(cluster.lab.state().nodes)
    cluster.wait(lambda _: engine.voters(cluster) == nodes, "all three vote")
