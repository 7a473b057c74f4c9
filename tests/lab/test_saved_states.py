"""Saved states with real libvirt and QEMU: a VM is saved on one node and goes on on another, the same run on its disk.

The beacon's disk is the witness: a guest that goes on from its state is the same run and counts on, one that was
started anew is another run. QEMU's image lock is switched off everywhere.
"""

from collections.abc import Iterator
from contextlib import suppress

import pytest

from lab.guarded import Guarded
from outlast.client.control import ControlError
from outlast.lab import beacon
from outlast.lab.checker import Writers
from outlast.lab.cluster import LabCluster, up
from outlast.lab.errors import LabError, NotPossibleNow
from outlast.lab.node import processes
from outlast.model.answers import ClusterStatus, GroupRow
from ran_twice import RanTwice

pytestmark = pytest.mark.lab
WITHIN_S = 90.0


class Saving:
    """A guest on `first`, its best node; `other` is to take it."""

    def __init__(self, cluster: LabCluster) -> None:
        self.cluster, self.lab = cluster, cluster.lab
        self.coordinator = cluster.wait_for_members().coordinator
        self.first, self.other = (name for name in self.lab.state().nodes if name != self.coordinator)
        self.name = ""

    def protect(self, kind: str, name: str) -> None:
        self.name = name
        self.cluster.protect(kind, name, preferred_owners=[self.first, self.other], offline_timeout_s=5)
        if kind == "beacon":
            self.lab.wait(lambda: self.runs, WITHIN_S, "it has written to its disk")

    def save(self) -> None:
        self.cluster.call("group.offline", name=self.name, stop="save")

    def saved(self) -> None:
        self.save()
        self.is_off()
        assert self.lab.run(self.first, "sh", "-c", f"ls {self.lab.paths.images}/outlast-*.state").returncode == 0

    def is_off(self) -> None:
        self.cluster.wait(lambda status: self.row(status).state == "offline", "it is off", WITHIN_S)
        assert self.cluster.running().get(self.name, []) == []

    def start(self) -> None:
        self.cluster.call("group.online", name=self.name)

    def goes_to(self, node: str) -> None:
        """While it is off."""
        self.cluster.call("group.move", name=self.name, to=node)

    def online(self, node: str = "") -> str:
        def is_there(status: ClusterStatus) -> bool:
            row = self.row(status)
            there = row.state == "online" and row.settled and row.owner in up(status) and node in ("", row.owner)
            return there and self.cluster.running().get(self.name) == [row.owner]

        try:
            self.cluster.wait(is_there, f"it is online on {node or 'some node'}", WITHIN_S)
        except LabError:
            print(*(event.words for event in self.cluster.story()), sep="\n")
            raise
        owner = self.cluster.owner(self.name)
        assert self.lab.virsh(owner, "domstate", self.name).strip() == "running"
        return owner

    def went_on_from_its_state(self, owner: str) -> bool:
        pid = self.cluster.qemu_pid(owner, self.name)
        return "-incoming" in next(one for one in processes(self.lab.node(owner)) if one.pid == pid).arguments

    @property
    def runs(self) -> tuple[beacon.Run, ...]:
        return beacon.read_disk(self.lab.paths.images / f"{self.name}.img").runs

    def beats_on(self, run: beacon.Run) -> None:
        """The same run, and more of it."""
        self.lab.wait(lambda: self.runs[-1].beats > run.beats, WITHIN_S, "its counter goes on")
        assert self.runs[-1].boot_id == run.boot_id

    def states(self) -> list[str]:
        return sorted(path.name for path in self.lab.paths.images.glob("outlast-*.state"))

    def row(self, status: ClusterStatus) -> GroupRow:
        return next(row for row in status.groups if row.name == self.name)


@pytest.fixture
def saving(guarded: Guarded) -> Iterator[Saving]:
    """Two runs on one disk would be found by who writes there, too."""
    cluster = guarded("patient", nodes=3)
    with Writers(cluster.lab.paths.images) as writers:
        yield Saving(cluster)
        for node in cluster.lab.state().nodes:
            for process in ("outlastd", "libvirtd"):
                with suppress(NotPossibleNow, LabError):
                    cluster.lab.thaw(node, process)
    if writers.findings:
        raise RanTwice(f"two runs wrote to one disk in turn: {writers.findings}")


def test_what_is_saved_on_one_node_goes_on_on_another_as_the_same_run(saving: Saving) -> None:
    saving.protect("beacon", "web")
    saving.saved()
    before = saving.runs[-1]
    saving.goes_to(saving.other)
    saving.start()
    saving.online(saving.other)
    saving.beats_on(before)
    assert len(saving.runs) == 1
    assert saving.states() == []


def test_a_move_by_saving_keeps_the_guest_as_it_is(saving: Saving) -> None:
    saving.protect("linux", "lin")
    saving.cluster.call("group.move", name="lin", to=saving.other, stop="save")
    saving.online(saving.other)
    assert saving.went_on_from_its_state(saving.other)
    assert saving.states() == []


def test_who_was_started_past_the_cluster_meanwhile_starts_anew(saving: Saving) -> None:
    saving.protect("beacon", "web")
    saving.saved()
    saving.lab.virsh(saving.first, "start", "web")
    saving.online(saving.first)
    saving.lab.wait(lambda: len(saving.runs) == 2, WITHIN_S, "another run has written")
    saving.cluster.call("group.offline", name="web", stop="turn_off")
    saving.is_off()
    saving.start()
    saving.online()
    saving.lab.wait(lambda: len(saving.runs) == 3, WITHIN_S, "a third run has written")


@pytest.mark.parametrize("what", ["outlastd", "outlast-rhs", "libvirtd", "power"])
def test_cut_while_it_is_saved_it_runs_once(saving: Saving, what: str) -> None:
    saving.protect("linux", "lin")
    saving.save()
    lab = saving.lab
    lab.wait(lambda: saving.states(), WITHIN_S, "its state is written")
    if what == "power":
        lab.power_off(saving.first)
    else:
        lab.kill(saving.first, what)
    settled = lambda status: saving.row(status).settled or what == "power"  # noqa: E731
    saving.cluster.wait(settled, "that has ended", WITHIN_S)
    with suppress(ControlError):
        saving.cluster.call("group.online", saving.coordinator, name="lin")
    owner = saving.online()
    if what in ("outlastd", "outlast-rhs"):  # libvirt goes on with it
        assert saving.went_on_from_its_state(owner)
    elif what == "power":
        assert not saving.went_on_from_its_state(owner)


def test_what_somebody_saved_with_virsh_goes_on_from_there_when_the_cluster_starts_it(saving: Saving) -> None:
    saving.protect("beacon", "web")
    saving.lab.virsh(saving.first, "managedsave", "web")
    saving.is_off()
    saving.cluster.wait(lambda status: saving.row(status).wanted == "offline", "that was meant so", WITHIN_S)
    before = saving.runs[-1]
    saving.start()
    saving.online(saving.first)
    assert saving.went_on_from_its_state(saving.first)
    saving.beats_on(before)
    assert len(saving.runs) == 1


def test_and_is_not_started_anew_where_its_state_is_not_but_goes_on_where_it_is(saving: Saving) -> None:
    saving.protect("beacon", "web")
    saving.lab.virsh(saving.first, "managedsave", "web")
    saving.is_off()
    saving.cluster.wait(lambda status: saving.row(status).wanted == "offline", "that was meant so", WITHIN_S)
    saving.cluster.call("group.set", name="web", values={"possible_owners": [saving.other]})
    saving.goes_to(saving.other)
    saving.start()
    failed = saving.cluster.wait(lambda status: saving.row(status).state == "failed", "it cannot go on there", WITHIN_S)
    assert f"saved on {saving.first}" in saving.row(failed).why
    assert "is not there" in saving.row(failed).why
    assert len(saving.runs) == 1
    saving.cluster.call("group.set", name="web", values={"possible_owners": []})
    saving.online(saving.first)
    assert saving.went_on_from_its_state(saving.first)
    assert len(saving.runs) == 1
