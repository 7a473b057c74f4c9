"""What administrators do with VMs: protect, start, stop, move, let go; at the cluster's command line or the host's."""

import re
import time

import pytest

from outlast.client.control import ControlError
from outlast.lab.cluster import LabCluster

pytestmark = pytest.mark.lab


def define(cluster: LabCluster, node: str, name: str, *, start: bool = True, local: bool = False) -> None:
    """A VM of that node's libvirt that the cluster does not know."""
    xml = cluster.lab.create_guest("beacon", name, image_lock=False, on_node=node if local else "")
    file = cluster.lab.paths.shared / f"{name}.xml"
    file.write_text(xml)
    cluster.lab.virsh(node, "define", str(file))
    if start:
        cluster.lab.virsh(node, "start", name)


def test_a_running_vm_is_protected_and_let_go_without_touching_it(cluster: LabCluster) -> None:
    define(cluster, "n2", "web")
    pid = cluster.qemu_pid("n2", "web")
    cluster.call("vm.protect", "n2", name="web")
    status = cluster.wait_online("web")
    assert (status.vms[0].owner, status.vms[0].protected) == ("n2", True)
    cluster.call("vm.unprotect", "n3", name="web")
    assert cluster.status().groups == ()
    assert cluster.qemu_pid("n2", "web") == pid
    unmanaged = cluster.call("vm.list", all=True)
    assert [(row["name"], row["owner"], row["protected"]) for row in unmanaged] == [("web", "n2", False)]


def test_what_if_changes_nothing(cluster: LabCluster) -> None:
    define(cluster, "n1", "web")
    report = cluster.call("vm.protect", "n1", name="web", what_if=True)
    assert report["nodes"] == {"n1": [], "n2": [], "n3": []}
    assert not report["done"]
    assert cluster.status().groups == ()


def test_a_disk_that_other_nodes_cannot_see_is_refused_before_anything_changes(cluster: LabCluster) -> None:
    define(cluster, "n1", "web", local=True)
    with pytest.raises(ControlError, match=r"n2: .*(disk|exist)") as refusal:
        cluster.call("vm.protect", "n1", name="web")
    assert refusal.value.kind == "impossible"
    assert "--possible-owners n1" in str(refusal.value)
    assert cluster.status().groups == ()


def test_duplicates_and_broken_definitions_are_refused(cluster: LabCluster) -> None:
    xml = cluster.protect("beacon", "web")
    for definition, words in (
        (xml, "protected already"),
        (xml.replace("<name>web<", "<name>web2<"), "UUID"),
        (re.sub("<uuid>.*</uuid>|<shareable/>", "", xml).replace("<name>web<", "<name>web2<"), "also that of"),
        (xml[:200], "XML"),
        ("", "definition"),
    ):
        with pytest.raises(ControlError, match=words):
            cluster.call("vm.protect", definition=definition)
    with pytest.raises(ControlError, match='no node "n9"'):
        cluster.call("vm.protect", definition=xml, preferred_owners=["n9"])
    with pytest.raises(ControlError, match="no VM"):
        cluster.call("vm.protect", name="nobody")


def test_a_vm_is_turned_off_and_started_again(cluster: LabCluster) -> None:
    cluster.protect("beacon", "web")
    cluster.call("group.offline", name="web", stop="turn_off")
    cluster.wait(lambda s: s.groups[0].state == "offline" and s.groups[0].settled, "off")
    assert cluster.running() == {}
    cluster.call("group.online", name="web")
    cluster.wait_online("web")


def test_a_vm_moves_where_it_is_asked_to_and_leaves_nothing_behind(cluster: LabCluster) -> None:
    cluster.protect("beacon", "web", preferred_owners=["n1"])
    cluster.call("group.move", name="web", to="n3", stop="turn_off")
    cluster.wait(lambda s: s.groups[0].owner == "n3" and s.groups[0].state == "online", "on n3")
    assert cluster.running() == {"web": ["n3"]}
    cluster.wait(lambda _: cluster.lab.virsh("n1", "list", "--all", "--name").split() == [], "n1 is clean")
    cluster.call("node.pause", name="n2")
    try:
        with pytest.raises(ControlError, match="n2: it is paused"):
            cluster.call("group.move", name="web", to="n2")
    finally:
        cluster.call("node.resume", name="n2")


def test_a_guest_is_shut_down_in_order_and_its_own_shutdown_is_respected(cluster: LabCluster) -> None:
    cluster.protect("linux", "web", preferred_owners=["n1"])
    cluster.lab.wait(lambda: "READY" in _serial(cluster, "n1"), 60, "the guest is up")
    cluster.call("group.offline", name="web", stop="shutdown")
    cluster.wait(lambda s: s.groups[0].state == "offline" and s.groups[0].settled, "shut down in order")
    cluster.call("group.online", name="web")
    cluster.wait_online("web")
    cluster.lab.wait(lambda: _serial(cluster, "n1").count("READY") == 2, 60, "the guest is up again")
    cluster.lab.virsh("n1", "shutdown", "web")
    status = cluster.wait(lambda s: s.groups[0].wanted == "offline" and s.groups[0].state == "offline", "respected")
    assert "the guest shut down" in status.groups[0].wanted_by


def test_what_an_administrator_does_at_the_hosts_console_is_followed(cluster: LabCluster) -> None:
    cluster.protect("beacon", "web", preferred_owners=["n1"])
    cluster.lab.virsh("n1", "destroy", "web")
    status = cluster.wait(lambda s: s.groups[0].wanted == "offline", "the stop is respected")
    assert "console" in status.groups[0].wanted_by
    cluster.lab.virsh("n1", "start", "web")
    cluster.wait(lambda s: s.groups[0].wanted == "online" and s.groups[0].state == "online", "the start is followed")


def test_a_definition_that_is_changed_with_virsh_is_the_clusters_within_a_second_and_runs_elsewhere(
    cluster: LabCluster,
) -> None:
    cluster.protect("beacon", "web", preferred_owners=["n1"])
    before = cluster.call("vm.show", "n2", name="web")["vm"]["memory_mib"]
    # As an editor does it: by hand, in the XML.
    edit = f"EDITOR='sed -i s/{before * 1024}/{2 * before * 1024}/' virsh edit web"
    cluster.lab.exec("n1", "sh", "-c", edit)
    edited_s = time.monotonic()
    cluster.wait(lambda s: s.vms[0].memory_mib == 2 * before, "followed")
    assert time.monotonic() - edited_s < 1.0
    cluster.lab.virsh("n1", "setvcpus", "web", "2", "--config", "--maximum")
    cluster.wait(lambda s: s.vms[0].vcpus == 2, "followed, without an event of libvirt")
    cluster.call("group.move", name="web", to="n3", stop="turn_off")
    cluster.wait(lambda s: s.groups[0].owner == "n3" and s.groups[0].state == "online", "on n3")
    there = cluster.lab.virsh("n3", "dumpxml", "web")
    assert f"<memory unit='KiB'>{2 * before * 1024}<" in there
    assert ">2</vcpu>" in there
    told = [event.words for event in cluster.story() if event.kind == "definition"]
    assert told[0].endswith(f"n1: memory {before} -> {2 * before} MiB")
    assert len(told) == 2


def _serial(cluster: LabCluster, node: str) -> str:
    return (cluster.lab.node(node).guest_logs / "web.log").read_text(errors="replace")
