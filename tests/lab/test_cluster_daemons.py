"""No VM is touched because a daemon restarted, crashed, froze or was damaged (rules 7 and 8)."""

import pytest

from outlast.lab.cluster import LabCluster

pytestmark = pytest.mark.lab

HARMLESS = {"slow", "host-died", "type", "coordinator", "online", "online-pending", "unknown"}


def runs_on(cluster: LabCluster, names: tuple[str, ...]) -> dict[str, int]:
    return {name: cluster.qemu_pid("n1", name) for name in names}


@pytest.fixture
def cluster(patient_cluster: LabCluster) -> LabCluster:
    return patient_cluster


@pytest.fixture
def two_vms(cluster: LabCluster) -> dict[str, int]:
    """Two VMs on n1, and the process of each."""
    for name in ("web", "db"):
        cluster.protect("beacon", name, preferred_owners=["n1"])
    pids = runs_on(cluster, ("web", "db"))
    assert all(pids.values())
    return pids


def untouched(cluster: LabCluster, before: dict[str, int], since: int) -> None:
    """The same processes, still owned and online, and no event says otherwise."""
    status = cluster.wait_online("web", "db")
    assert runs_on(cluster, ("web", "db")) == before
    assert {row.owner for row in status.groups} == {"n1"}
    new = cluster.events("n2")[since:]
    assert {event.kind for event in new} <= HARMLESS, [event.words for event in new]


def test_a_killed_service_comes_back_and_no_vm_notices(cluster: LabCluster, two_vms: dict[str, int]) -> None:
    since = len(cluster.events("n2"))
    incarnation = cluster.status("n2").nodes[0].incarnation
    pid = cluster.pid("n1", "outlastd")
    cluster.lab.kill("n1", "outlastd")
    cluster.lab.wait(lambda: cluster.pid("n1", "outlastd") not in (0, pid), 30, "the service is back")
    status = cluster.wait_for_members()
    assert status.nodes[0].incarnation == incarnation, "a restarted service continues its node's life"
    untouched(cluster, two_vms, since)


def test_a_killed_resource_host_is_replaced_and_no_vm_notices(cluster: LabCluster, two_vms: dict[str, int]) -> None:
    since = len(cluster.events("n2"))
    cluster.lab.kill("n1", "outlast-rhs")
    cluster.wait(lambda _: any(event.kind == "host-died" for event in cluster.events("n2")[since:]), "it is told")
    cluster.lab.wait(lambda: cluster.pid("n1", "outlast-rhs"), 30, "a new one is there")
    untouched(cluster, two_vms, since)


def test_a_frozen_resource_host_is_replaced_and_no_vm_notices(cluster: LabCluster, two_vms: dict[str, int]) -> None:
    since = len(cluster.events("n2"))
    pid = cluster.pid("n1", "outlast-rhs")
    cluster.lab.freeze("n1", "outlast-rhs")
    cluster.wait(lambda _: any(event.kind == "host-died" for event in cluster.events("n2")[since:]), "it is told")
    cluster.lab.wait(lambda: cluster.pid("n1", "outlast-rhs") not in (0, pid), 30, "a new one is there")
    untouched(cluster, two_vms, since)


@pytest.mark.parametrize("fault", ["killed", "frozen"])
def test_libvirtd_gone_or_hanging_is_not_the_end_of_a_vm(
    cluster: LabCluster, two_vms: dict[str, int], fault: str
) -> None:
    for name in two_vms:
        cluster.call("resource.set", name=name, values={"is_alive_interval_s": 0.5})
    since = len(cluster.events("n2"))
    if fault == "killed":
        cluster.lab.kill("n1", "libvirtd")
    else:
        cluster.lab.freeze("n1", "libvirtd")
        # Several polls pass while it hangs.
        cluster.wait(lambda s: any("libvirt" in row.why for row in s.vms), "it is seen that libvirt does not answer")
        cluster.lab.thaw("n1", "libvirtd")
    untouched(cluster, two_vms, since)


def test_a_damaged_plugin_makes_the_vms_not_protected_and_says_why(
    cluster: LabCluster, two_vms: dict[str, int]
) -> None:
    with cluster.damaged_plugin("n1"):
        status = cluster.wait(lambda s: not any(row.protected for row in s.vms), "not protected")
        reasons = " ".join(status.vms[0].not_protected_because)
        assert "n1 cannot watch over it" in reasons
        assert "changed" in reasons
        problems = {offer["node"]: offer["problem"] for offer in cluster.call("type.list") if offer["type"] == "vm"}
        assert problems["n1"]
        assert not problems["n2"]
        assert runs_on(cluster, ("web", "db")) == two_vms, "what runs is not touched"
    cluster.lab.kill("n1", "outlast-rhs")
    cluster.wait(lambda s: all(row.protected for row in s.vms), "protected again")
    assert runs_on(cluster, ("web", "db")) == two_vms
