"""Whatever people do with virsh on the nodes themselves: the cluster follows within a second, restarts nothing that a
person stopped, and lets nothing run twice that a person brought or started elsewhere."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.conftest import Labs
from outlast.lab.cluster import LabCluster
from outlast.lab.layout import address_of
from outlast.lab.node import processes
from outlast.model.answers import ClusterStatus

pytestmark = pytest.mark.lab

WITHIN_S = 5.0
"""So soon what was done at the console is known, also on a busy machine; bench/console.py measures it."""


def migrate(cluster: LabCluster, guest: str, source: str, to: str, *more: str) -> None:
    """As a person types it."""
    address = address_of(to)
    cluster.lab.virsh(
        source, "migrate", "--live", "--p2p", "--unsafe", *more, guest,
        f"qemu+tcp://{address}/system", "--migrateuri", f"tcp://{address}",
    )  # fmt: skip


def follows(cluster: LabCluster, owner: str, state: str, wanted: str, *, since_s: float) -> ClusterStatus:
    def known(status: ClusterStatus) -> bool:
        row = status.groups[0]
        return (row.owner, row.state, row.wanted) == (owner, state, wanted)

    status = cluster.wait(known, f"{state} on {owner}, wanted {wanted}")
    took_s = time.monotonic() - since_s
    assert took_s < WITHIN_S, f"known after {took_s:.2f} s"
    return status


def told(cluster: LabCluster) -> str:
    return "\n".join(event.words for event in cluster.story())


class Console:
    """Virsh on the node that owns a VM."""

    def __init__(self, cluster: LabCluster, node: str, guest: str) -> None:
        self.cluster, self.node, self.guest = cluster, node, guest
        self.began_s = 0.0

    def __call__(self, verb: str, *arguments: str) -> None:
        self.cluster.lab.virsh(self.node, verb, self.guest, *arguments)
        self.began_s = time.monotonic()

    def shows(self, shown: Callable[[ClusterStatus], bool]) -> None:
        self.cluster.wait(shown, "shown")
        took_s = time.monotonic() - self.began_s
        assert took_s < WITHIN_S, f"shown after {took_s:.2f} s"

    def is_off(self, why: str) -> None:
        self.shows(lambda s: (s.groups[0].state, s.groups[0].wanted) == ("offline", "offline"))
        row = self.cluster.status().groups[0]
        assert (row.owner, row.why) == (self.node, why)
        assert why in row.wanted_by

    def is_on(self) -> None:
        self.shows(lambda s: (s.groups[0].state, s.groups[0].wanted) == ("online", "online"))
        assert self.cluster.owner(self.guest) == self.node

    def disk(self, name: str) -> Path:
        """One more, on the storage that all nodes share."""
        path = self.cluster.lab.paths.images / f"{name}.img"
        path.write_bytes(bytes(512 * 1024))
        return path

    @property
    def domstate(self) -> str:
        return self.cluster.lab.virsh(self.node, "domstate", self.guest).strip()


def test_a_vm_that_was_migrated_with_virsh_is_followed(cluster: LabCluster) -> None:
    cluster.protect("beacon", "web", preferred_owners=["n1"])
    migrate(cluster, "web", "n1", "n3")
    follows(cluster, "n3", "online", "online", since_s=time.monotonic())
    assert cluster.running() == {"web": ["n3"]}
    pid = cluster.qemu_pid("n3", "web")
    assert "-incoming" in next(one for one in processes(cluster.lab.node("n3")) if one.pid == pid).arguments
    assert cluster.lab.virsh("n3", "domstate", "web").strip() == "running"
    assert "migrated there from n1 at the host's console" in told(cluster)
    cluster.lab.wait(lambda: cluster.lab.virsh("n1", "list", "--all", "--name").split() == [], 5, "n1 is clean")
    # It came without --persistent, and is the cluster's all the same: also when it is off.
    assert "web" in cluster.lab.virsh("n3", "list", "--persistent", "--name")
    migrate(cluster, "web", "n3", "n1", "--persistent", "--undefinesource")
    follows(cluster, "n1", "online", "online", since_s=time.monotonic())


def test_what_is_on_its_way_for_long_is_let_arrive(cluster: LabCluster) -> None:
    cluster.protect("linux", "web", preferred_owners=["n1"])
    migrate(cluster, "web", "n1", "n2", "--bandwidth", "10")
    follows(cluster, "n2", "online", "online", since_s=time.monotonic())


def test_a_vm_that_ran_nowhere_becomes_the_nodes_where_it_was_started(cluster: LabCluster) -> None:
    xml = cluster.protect("beacon", "web", preferred_owners=["n1"])
    file = cluster.lab.paths.shared / "web.xml"
    file.write_text(xml)
    cluster.lab.virsh("n1", "destroy", "web")
    cluster.wait(lambda s: s.groups[0].wanted == "offline" and s.groups[0].state == "offline", "off")
    cluster.lab.virsh("n2", "create", str(file))
    follows(cluster, "n2", "online", "online", since_s=time.monotonic())
    assert cluster.running() == {"web": ["n2"]}
    assert cluster.lab.virsh("n2", "domstate", "web").strip() == "running"
    assert "started there at the host's console" in told(cluster)


def test_whatever_is_done_to_a_vm_on_its_owner_is_followed_and_told(cluster: LabCluster) -> None:
    cluster.protect("beacon", "web", preferred_owners=["n1"])
    pid = cluster.qemu_pid("n1", "web")
    console = Console(cluster, "n1", "web")
    console("suspend")
    console.shows(lambda s: s.groups[0].why == "paused from the host's console" and s.groups[0].state == "online")
    console("resume")
    console.shows(lambda s: s.groups[0].why == "" and s.groups[0].state == "online")
    console("reset")
    console("attach-disk", str(console.disk("more")), "hdb", "--config", "--sourcetype", "file")
    console.shows(lambda s: s.groups[0].protection == "at risk")
    console("detach-disk", "hdb", "--config")
    assert cluster.qemu_pid("n1", "web") == pid, "nothing was restarted"
    console("save", "/var/lib/libvirt/web.save")
    console.is_off("saved from the host's console")
    cluster.lab.virsh("n1", "restore", "/var/lib/libvirt/web.save")
    console.began_s = time.monotonic()
    console.is_on()
    console("managedsave")
    console.is_off("saved from the host's console")
    console("start")
    console.is_on()
    console("destroy")
    console.is_off("switched off from the host's console")
    console("start")
    console.is_on()
    console("undefine")
    console("destroy")
    console.is_off("switched off from the host's console")
    cluster.call("group.online", name="web")
    cluster.wait_online("web")
    story = told(cluster)
    for words in (
        "web was paused at the console of n1",
        "web goes on again after it was paused at the console of n1",
        "web was reset from the host's console (n1)",
        "web was changed at the console of n1: a disk added: ",
        "web was changed at the console of n1: a disk removed: ",
        "web is wanted offline: saved from the host's console, on n1",
        "web is wanted online: it was started at the host's console, on n1",
        "web is wanted offline: switched off from the host's console, on n1",
        "it was undefined; its next start defines it again",
    ):
        assert words in story, words
    assert "failed" not in {event.kind for event in cluster.story()}


def test_a_vm_that_was_renamed_by_hand_starts_under_its_own_name(cluster: LabCluster) -> None:
    cluster.protect("beacon", "web", preferred_owners=["n1"])
    console = Console(cluster, "n1", "web")
    console("destroy")
    console.is_off("switched off from the host's console")
    console("domrename", "another")
    cluster.wait(lambda _: 'it was renamed to "another"' in told(cluster), "told")
    cluster.call("group.online", name="web")
    cluster.wait_online("web")
    assert cluster.lab.virsh("n1", "list", "--all", "--name").split() == ["web"]


def test_a_disk_that_was_renamed_and_a_network_adapter_that_was_added_by_hand_are_followed(cluster: LabCluster) -> None:
    cluster.protect("beacon", "web", preferred_owners=["n1"])
    console, lab, mac = Console(cluster, "n1", "web"), cluster.lab, "52:54:00:00:07:07"
    images = lab.paths.images
    for node in lab.state().nodes:
        lab.exec(node, "ip", "link", "add", "br7", "type", "bridge")
    try:
        console("destroy")
        console.is_off("switched off from the host's console")
        (images / "web.img").rename(images / "renamed.img")
        edited = lab.paths.shared / "edited.xml"
        edited.write_text(lab.virsh("n1", "dumpxml", "web", "--inactive").replace("web.img", "renamed.img"))
        lab.virsh("n1", "define", str(edited))
        cluster.wait(lambda _: "renamed.img" in told(cluster), "the other path is known")
        console("attach-interface", "bridge", "br7", "--mac", mac, "--model", "virtio", "--config")
        cluster.wait(lambda _: "br7" in told(cluster), "the adapter is known")
        cluster.call("group.online", name="web")
        cluster.wait_online("web")
        node, pid = cluster.owner("web"), cluster.qemu_pid(cluster.owner("web"), "web")
        started = next(one.arguments for one in processes(lab.node(node)) if one.pid == pid)
        assert [word for word in started if "renamed.img" in word]
        assert [word for word in started if mac in word]
        lab.virsh(node, "detach-interface", "web", "bridge", "--mac", mac, "--config")
        cluster.wait(lambda _: "a network removed: " in told(cluster), "it is known to be gone")
    finally:
        for node in lab.state().nodes:
            lab.exec(node, "ip", "link", "delete", "br7")


def test_snapshots_are_followed(cluster: LabCluster) -> None:
    xml = cluster.lab.create_guest("beacon", "web", image_lock=True)
    image = cluster.lab.paths.images / "web.img"
    qcow = cluster.lab.paths.images / "web.qcow2"
    source = xml.partition("<source file='")[2].partition("'")[0]
    subprocess.run(["qemu-img", "convert", "-O", "qcow2", str(image), str(qcow)], check=True)
    xml = xml.replace(source, source.replace("web.img", "web.qcow2")).replace("type='raw' cache", "type='qcow2' cache")
    cluster.call("vm.protect", definition=xml, preferred_owners=["n1"])
    cluster.wait_online("web")
    console = Console(cluster, "n1", "web")
    console("snapshot-create-as", "running")
    console.is_on()
    console("snapshot-revert", "running")
    console.is_on()
    console("snapshot-delete", "running")
    console("destroy")
    console.is_off("switched off from the host's console")
    console("snapshot-create-as", "off")
    console("start")
    console.is_on()
    console("snapshot-revert", "off")
    console.is_off("reverted to a snapshot of a switched-off VM")
    console("snapshot-delete", "off")
    assert "failed" not in {event.kind for event in cluster.story()}


def test_what_is_done_to_a_guest_as_it_runs_is_told_apart_and_when_it_shuts_down_it_stays_off(
    cluster: LabCluster,
) -> None:
    cluster.protect("linux", "web", preferred_owners=["n1"])
    log = cluster.lab.node("n1").guest_logs / "web.log"

    def ready() -> int:
        return log.read_text(errors="replace").count("READY") if log.exists() else 0

    cluster.lab.wait(lambda: ready() == 1, 120, "the guest is up")
    pid = cluster.qemu_pid("n1", "web")
    console = Console(cluster, "n1", "web")
    console("reset")
    cluster.lab.wait(lambda: ready() == 2, 120, "the guest is up again")
    assert cluster.qemu_pid("n1", "web") == pid
    console("reboot", "--mode", "acpi")
    cluster.lab.wait(lambda: ready() == 3, 120, "the guest is up once more")
    assert cluster.qemu_pid("n1", "web") == pid
    disk = console.disk("more")
    console("attach-disk", str(disk), "vdz", "--live")
    console("detach-disk", "vdz", "--live")
    console("shutdown")
    cluster.lab.wait(lambda: console.domstate == "shut off", 60, "it has shut down")
    console.began_s = time.monotonic()
    console.is_off("the guest shut down")
    by_hand = [event.words for event in cluster.story() if event.kind == "console"]
    assert by_hand == [
        "web was reset from the host's console (n1)",
        "web was rebooted from the host's console (n1)",
        f"web had the disk {disk} (vdz) attached to it as it runs, from the host's console (n1)",
        f"web had the disk {disk} (vdz) detached from it as it runs, from the host's console or by its guest (n1)",
    ]
    assert "rebooted by its guest" not in told(cluster)


def test_what_is_stopped_at_the_console_comes_back_when_it_is_set_so(cluster: LabCluster) -> None:
    cluster.protect("beacon", "web", preferred_owners=["n1"])
    cluster.call("resource.set", name="web", values={"on_console_stop": "restart"})
    pid = cluster.qemu_pid("n1", "web")
    cluster.lab.virsh("n1", "destroy", "web")
    cluster.wait(
        lambda s: s.groups[0].state == "online" and cluster.running() == {"web": ["n1"]}
        and cluster.qemu_pid("n1", "web") != pid,
        "back",
    )  # fmt: skip
    words = "switched off from the host's console (on_console_stop=restart)"
    cluster.wait(lambda _: words in told(cluster), "told")  # n1 knows its state before that stands in the event log
    assert cluster.status().groups[0].wanted == "online"


def test_a_second_copy_that_a_person_starts_is_stopped_and_it_is_said_why(labs: Labs) -> None:
    """Not guarded: for a moment it does run twice, and that is the person's doing."""
    cluster = LabCluster(labs("cluster", nodes=3, node_timeout_s=2.0))
    cluster.clear()
    xml = cluster.protect("linux", "web", preferred_owners=["n1"])
    pid = cluster.qemu_pid("n1", "web")
    file = cluster.lab.paths.shared / "web.xml"
    file.write_text(xml)
    said = cluster.lab.run("n2", "virsh", "create", str(file))  # it may be stopped before virsh is done with it
    words = f"it is stopped there; virsh: {said.stdout}{said.stderr}; {told(cluster)}"
    cluster.wait(lambda _: "stopped there: n1 owns it, where it is online" in told(cluster), words)
    cluster.wait(lambda _: cluster.running() == {"web": ["n1"]}, "only the one is left")
    assert cluster.qemu_pid("n1", "web") == pid
    status = cluster.status().groups[0]
    assert (status.owner, status.state, status.wanted) == ("n1", "online", "online")
