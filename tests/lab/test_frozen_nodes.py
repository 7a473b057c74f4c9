"""A whole node freezes, its VM is started elsewhere, and it thaws: what is left of it then, and what ends that?"""

import time

import pytest

from lab.conftest import Labs
from lab.guarded import WITHIN_S
from outlast.lab.bmc import Fault
from outlast.lab.cluster import LabCluster
from outlast.lab.errors import NotPossibleNow

pytestmark = pytest.mark.lab

OVERLAP_S = 3.0
"""It takes a fraction of a second. A bound for a busy machine."""


def test_nothing_is_left_to_thaw_of_a_node_whose_fence_device_confirmed_while_it_was_frozen(
    cluster: LabCluster,
) -> None:
    """The fixture sees to it that no guest runs twice, not for a moment."""
    cluster.protect("beacon", "web", preferred_owners=["n1"])
    cluster.lab.freeze("n1")
    cluster.wait(lambda s: s.groups[0].state == "online" and s.groups[0].owner != "n1", "web elsewhere")
    with pytest.raises(NotPossibleNow):
        cluster.lab.thaw("n1")
    words = [event.words for event in cluster.story("n2") if event.kind == "node-dead"]
    assert any("confirmed" in one or "watchdog" in one for one in words), words
    cluster.lab.power_on("n1")
    cluster.wait_for_members()
    assert cluster.qemu_pid("n1", "web") == 0


def test_a_frozen_node_that_was_called_dead_ends_its_copy_at_once_when_it_thaws(labs: Labs) -> None:
    """Nothing protects from a word that is not true: from the thaw on two copies run, until the permit is looked at.

    Without a watchdog, which would have cut the power long before anybody could say anything.
    """
    cluster = LabCluster(labs("unwatched", nodes=3, node_timeout_s=2.0, watchdog=False))
    cluster.clear()
    lab = cluster.lab
    cluster.protect("beacon", "web", preferred_owners=["n1"])
    lab.set_bmc_fault("n1", Fault.FAIL)
    lab.freeze("n1")
    try:
        cluster.wait(lambda s: "proof that n1 is dead" in s.groups[0].why, "it waits for proof", WITHIN_S)
        frozen = cluster.qemu_pid("n1", "web")
        cluster.call("node.confirm_down", "n2", name="n1")
        cluster.wait(lambda s: s.groups[0].state == "online" and s.groups[0].owner != "n1", "web elsewhere", WITHIN_S)
        # It stands still, and has not written since: that alone is no second copy yet.
        assert cluster.qemu_pid("n1", "web") == frozen
        assert lab.check_disks() == ()
    finally:
        thawed_s = time.monotonic()
        lab.thaw("n1")
    lab.wait(lambda: cluster.qemu_pid("n1", "web") != frozen, OVERLAP_S, "its resource host ends it")
    print(f"\nthe two ran at once for {time.monotonic() - thawed_s:.3f} s")
    status = cluster.wait_for_members(within_s=WITHIN_S)
    assert status.groups[0].owner != "n1"
    assert cluster.qemu_pid("n1", "web") == 0
    told = [event.kind for event in cluster.events("n2")]
    assert {"node-silent", "node-dead", "node-joined", "permit"} <= set(told), told
