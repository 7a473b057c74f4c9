"""Why a VM cannot go where, told before anything is begun, with real libvirt and QEMU.

The node that cannot has another QEMU in the place of the one that the others have: Debian's own for the machine type
"microvm", which knows no other that is wanted here, and can do nothing at all without KVM.
"""

import re
from collections.abc import Iterator
from contextlib import suppress

import pytest

from lab.guarded import Guarded
from outlast.client.control import ControlError
from outlast.lab.cluster import LabCluster
from outlast.lab.errors import LabError
from outlast.model.answers import VmDetail

pytestmark = pytest.mark.lab
EMULATOR = "/usr/bin/qemu-system-x86_64"
ANOTHER = f"cp {EMULATOR}-microvm /run/microvm && mount --bind /run/microvm {EMULATOR}"
"""A copy, because libvirt looks at the time of its last change to see that it is another one."""


@pytest.fixture
def cluster(guarded: Guarded) -> Iterator[LabCluster]:
    cluster = guarded("three", nodes=3)
    yield cluster
    with suppress(LabError):
        cluster.lab.exec("n3", "umount", EMULATOR)


def detail(cluster: LabCluster) -> VmDetail:
    return cluster.client().call("vm.show", {"name": "web"}, type=VmDetail)


def test_a_vm_shows_which_node_could_not_run_it_and_why_and_is_not_sent_there(cluster: LabCluster) -> None:
    cluster.protect("beacon", "web", preferred_owners=["n1"])
    assert detail(cluster).placement == {"n1": "", "n2": "", "n3": ""}
    assert detail(cluster).live == {"n2": "", "n3": ""}
    pid = cluster.qemu_pid("n1", "web")

    cluster.lab.exec("n3", "sh", "-c", ANOTHER)
    checked = cluster.call("vm.check", name="web")
    assert {node: bool(why) for node, why in checked["nodes"].items()} == {"n1": False, "n2": False, "n3": True}
    why = detail(cluster).placement["n3"]
    assert why.startswith("web: ")
    assert EMULATOR in why
    for stop in ("live", None):
        with pytest.raises(ControlError, match=re.escape(why)):
            cluster.call("group.move", name="web", to="n3", stop=stop)
    assert cluster.qemu_pid("n1", "web") == pid

    cluster.call("group.move", name="web", to="n2", stop="live")
    cluster.wait(lambda _: cluster.owner("web") == "n2", "it goes where it can", 60.0)
    cluster.lab.exec("n3", "umount", EMULATOR)
    cluster.call("vm.check", name="web")
    assert detail(cluster).placement["n3"] == ""


def test_a_machine_type_and_a_cpu_that_no_node_has_are_refused_before_anything_is_made(cluster: LabCluster) -> None:
    xml = cluster.lab.create_guest("beacon", "web", image_lock=False)
    made_up = xml.replace("machine='pc'", "machine='pc-made-up'")
    assert made_up != xml
    with pytest.raises(ControlError, match=r'n1: .* has no machine type "pc-made-up"; n2: .*; n3: '):
        cluster.call("vm.protect", definition=made_up)
    made_up = xml.replace("<devices>", "<cpu mode='custom'><model>Made-Up</model></cpu><devices>")
    with pytest.raises(ControlError, match='n1: libvirt here knows no CPU model "Made-Up"; n2: '):
        cluster.call("vm.protect", definition=made_up)
    assert cluster.status().groups == ()
