"""Live migration with real libvirt and QEMU, and what ends, hangs or loses power in the middle of it (rule 9).

The witnesses are the processes and the beacons' disks: a guest that was handed over is the same run on its disk and a
QEMU that was started to receive; one that was restarted is another run. QEMU's image lock is switched off everywhere.

Each victim at each phase is played here once: the host, the service, the resource host and libvirtd of either side, the
coordinator, the database. Of a beacon too little is to be copied for anything to strike in the middle, so in the
transfer and at the switch a Linux guest goes, and its QEMU is the witness. Not here, but in the simulator's seeds
(`sim/migrations.py`): two faults at once, faults within the database's answers and between the writes, several
guests at once, lost and late reports, a wish that changes on the way, a returning node.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from lab.guarded import Guarded
from outlast.cli.story import blocks
from outlast.client.control import ControlError
from outlast.lab import beacon
from outlast.lab.checker import Writers
from outlast.lab.cluster import LabCluster, up
from outlast.lab.errors import LabError, NotPossibleNow
from outlast.lab.layout import address_of
from outlast.lab.node import processes
from outlast.model.answers import ClusterStatus
from outlast.model.event import Event
from ran_twice import RanTwice

pytestmark = pytest.mark.lab
WITHIN_S = 90.0
SLOWLY_MIB_S = 1


class Migrating:
    """A guest on its way from `source` to `to`; another node coordinates, unless it is the only one left."""

    def __init__(self, cluster: LabCluster) -> None:
        self.cluster, self.lab = cluster, cluster.lab
        self.coordinator = cluster.wait_for_members().coordinator
        self.source, self.to = (name for name in self.lab.state().nodes if name != self.coordinator)
        self.name = ""
        self.pid = 0

    def protect(self, kind: str, name: str) -> None:
        self.name = name
        self.cluster.protect(kind, name, preferred_owners=[self.source], offline_timeout_s=5)
        if kind == "beacon":
            self.lab.wait(lambda: self.runs, WITHIN_S, "it has written to its disk")
        self.pid = self.cluster.qemu_pid(self.source, name)

    def wish(self, to: str = "", node: str = "") -> None:
        self.cluster.call("group.move", node or self.source, name=self.name, to=to or self.to, stop="live")

    def told(self) -> list[Event]:
        """The events of the guest."""
        return [event for event in self.cluster.story() if event.group == self.name]

    def arrived(self, to: str = "") -> None:
        self.settled(lambda owner: owner == (to or self.to), f"{self.name} goes on on {to or self.to}")

    def settled(self, fits: Callable[[str], bool], what: str) -> str:
        """It is called online and runs in one place, the same; where."""

        def is_settled(status: ClusterStatus) -> bool:
            row = next(row for row in status.groups if row.name == self.name)
            there = row.state == "online" and row.settled and not row.move_to and fits(row.owner)
            return there and row.owner in up(status) and self.cluster.running().get(self.name) == [row.owner]

        self.cluster.wait(is_settled, what, WITHIN_S)
        owner = self.cluster.owner(self.name)
        assert self.cluster.running()[self.name] == [owner]
        assert self.lab.virsh(owner, "domstate", self.name).strip() == "running"
        return owner

    @property
    def runs(self) -> tuple[beacon.Run, ...]:
        """Of the beacon, as its disk tells."""
        return beacon.read_disk(self.lab.paths.images / f"{self.name}.img").runs

    def beats_on(self) -> None:
        """The beacon goes on: it is not only called running."""
        before = self.runs[-1]
        self.lab.wait(lambda: self.runs[-1].beats > before.beats, WITHIN_S, "its counter goes on")
        assert self.runs[-1].boot_id == before.boot_id

    def is_the_same_run(self, owner: str) -> bool:
        """Nobody has started it anew: its QEMU is the one from before, or one that has received it."""
        pid = self.cluster.qemu_pid(owner, self.name)
        found = next(one for one in processes(self.lab.node(owner)) if one.pid == pid)
        return pid == self.pid or "-incoming" in found.arguments

    # -- phases ---------------------------------------------------------------------------------------------------

    def in_the_transfer(self) -> None:
        """Some of it is there, and much is missing. (Of a guest that boots more changes than goes over the line.)"""
        self.cluster.call("cluster.set", values={"migration_mib_s": SLOWLY_MIB_S})
        self.protect("linux", "lin")
        self.wish()
        self.lab.wait(lambda: self._copied(), WITHIN_S, "some of it is there")
        self.cluster.call("cluster.set", values={"migration_mib_s": 0})

    def at_the_switch(self) -> None:
        """All of it is there and stands, and libvirt over there has not said so: its daemon is frozen."""
        self.in_the_transfer()
        self.lab.freeze(self.to, "libvirtd")
        self.lab.virsh(self.source, "migrate-setspeed", self.name, "1000")
        self.lab.wait(lambda: self._state(self.source) == "paused (migrating)", WITHIN_S, "the source stands")

    def handed_over(self) -> None:
        """It stands on its destination, complete, and nobody has decided yet that it goes on there: the coordinator's
        service is frozen (and another node takes its place within seconds)."""
        self.protect("beacon", "web")
        while True:
            self.lab.freeze(self.coordinator, "outlastd")
            self.wish()
            self.lab.wait(lambda: self._stands_alone() or self._went_on(), WITHIN_S, "it stands over there")
            if self._stands_alone():
                return
            # On a busy machine another node coordinated before it was there: once more, the other way round.
            self.lab.thaw(self.coordinator, "outlastd")
            self.arrived()
            self.coordinator = self.cluster.wait_for_members().coordinator
            if self.coordinator == self.to:
                self.wish(self.source, self.to)
                self.arrived(self.source)
            else:
                self.source = self.to
            (self.to,) = {*self.lab.state().nodes} - {self.coordinator, self.source}
            self.pid = self.cluster.qemu_pid(self.source, self.name)

    def _went_on(self) -> bool:
        return self.cluster.owner(self.name, self.source) == self.to

    def _copied(self) -> bool:
        words = self._ask(self.source, "domjobinfo", self.name)
        return "Outgoing" in words and "Data processed" in words

    def _state(self, node: str) -> str:
        return self._ask(node, "domstate", self.name, "--reason").strip()

    def _ask(self, node: str, *arguments: str) -> str:
        with suppress(LabError):
            return self.lab.virsh(node, *arguments)
        return ""

    def _stands_alone(self) -> bool:
        said = self.cluster.group(self.name, self.source).state == "offline"
        return said and self.cluster.running() == {self.name: [self.to]} and "paused" in self._state(self.to)


@pytest.fixture
def migrating(guarded: Guarded) -> Iterator[Migrating]:
    """Two runs on one disk would be found by who writes there, too."""
    cluster = guarded("patient", nodes=3)
    thaw_all(cluster)
    with Writers(cluster.lab.paths.images) as writers:
        yield Migrating(cluster)
        thaw_all(cluster)
        on = {row.name for row in cluster.lab.show() if row.power == "on"}
        cluster.wait_for_members(*on)
        for node in on:
            wait_for_libvirt(cluster, node)
        cluster.call("cluster.set", values={"migration_mib_s": 0})
    if writers.findings:
        raise RanTwice(f"two runs wrote to one disk in turn: {writers.findings}")


def thaw_all(cluster: LabCluster) -> None:
    for node in cluster.lab.state().nodes:
        for process in ("outlastd", "libvirtd"):
            with suppress(NotPossibleNow):
                cluster.lab.thaw(node, process)


def wait_for_libvirt(cluster: LabCluster, node: str) -> None:
    cluster.lab.wait(lambda: not cluster.lab.run(node, "virsh", "list").returncode, WITHIN_S, "libvirt answers")


# -- nothing fails ----------------------------------------------------------------------------------------------------


def test_a_guest_goes_on_where_it_was_and_leaves_nothing_behind(migrating: Migrating) -> None:
    migrating.protect("beacon", "web")
    migrating.wish()
    migrating.arrived()
    migrating.beats_on()
    assert len(migrating.runs) == 1
    lab = migrating.lab
    lab.wait(lambda: not lab.virsh(migrating.source, "list", "--all", "--name").split(), WITHIN_S, "nothing is left")
    assert "enable" not in lab.virsh(migrating.to, "dominfo", "web").partition("Autostart:")[2].split("\n")[0]
    assert "yes" in lab.virsh(migrating.to, "dominfo", "web").partition("Persistent:")[2].split("\n")[0]


def test_back_and_forth_it_stays_the_same_run(migrating: Migrating) -> None:
    migrating.protect("beacon", "web")
    for _ in range(5):
        for node in (migrating.to, migrating.source):
            migrating.wish(node)
            migrating.arrived(node)
    migrating.beats_on()
    assert len(migrating.runs) == 1


def test_a_drained_node_hands_over_what_it_runs(migrating: Migrating) -> None:
    migrating.protect("beacon", "web")
    migrating.protect("linux", "lin")
    migrating.cluster.call("node.drain", name=migrating.source)
    try:
        for migrating.name in ("web", "lin"):
            owner = migrating.settled(lambda owner: owner != migrating.source, "it has left")
            assert migrating.is_the_same_run(owner)
    finally:
        migrating.cluster.call("node.resume", name=migrating.source)


def test_who_is_called_back_stays(migrating: Migrating) -> None:
    migrating.in_the_transfer()
    migrating.cluster.call("group.call_back", name="lin")
    owner = migrating.settled(lambda owner: owner == migrating.source, "it stays")
    assert migrating.cluster.qemu_pid(owner, "lin") == migrating.pid
    gone = lambda: not migrating.lab.virsh(migrating.to, "list", "--all", "--name").split()  # noqa: E731
    migrating.lab.wait(gone, WITHIN_S, "no copy is left")
    told = "given up"
    migrating.cluster.wait(
        lambda _: [one for one in migrating.told() if told in one.words], "its end is told", WITHIN_S
    )
    assert [one.words for one in migrating.told() if one.kind in ("stopped", "offline", "failed")] == []
    chapter = blocks(migrating.told())[-1]
    assert chapter.outcome is not None
    assert chapter.outcome.kind == "not-moved"
    assert chapter.took_s is not None
    assert chapter.took_s < WITHIN_S


def test_a_live_move_is_told_as_one_story(migrating: Migrating) -> None:
    migrating.protect("linux", "lin")
    migrating.wish()
    migrating.arrived()
    chapter = blocks(migrating.told())[-1]
    assert [one.kind for one in chapter.told] == ["intent", "handed-over", "decided", "online"]
    assert chapter.left is not None
    assert f"handed over to {migrating.to} as it ran: copied for " in chapter.left.words
    assert "standing still for the last" in chapter.left.words
    assert chapter.between_s is not None
    assert chapter.took_s is not None
    assert chapter.between_s < chapter.took_s < WITHIN_S


def test_where_libvirt_hangs_nothing_is_handed_over_and_the_reason_is_told_soon(migrating: Migrating) -> None:
    migrating.protect("beacon", "web")
    migrating.lab.freeze(migrating.to, "libvirtd")
    try:
        migrating.wish()
        words = f"web is not moved: it could not be handed over to {migrating.to}: libvirt on {migrating.to} hangs"
        told = lambda: words in str(migrating.cluster.call("events", group="web", limit=20))  # noqa: E731
        migrating.lab.wait(told, 20.0, "it is told why")
    finally:
        migrating.lab.thaw(migrating.to, "libvirtd")
    owner = migrating.settled(lambda owner: owner == migrating.source, "it stays")
    assert migrating.cluster.qemu_pid(owner, "web") == migrating.pid


# -- something does ---------------------------------------------------------------------------------------------------

SAME, ANEW = True, False


@pytest.mark.parametrize(
    ("who", "what", "run"),
    [
        ("source", "power", ANEW),
        ("to", "power", SAME),
        ("source", "libvirtd", SAME),
        ("to", "libvirtd", SAME),
        ("source", "outlast-rhs", SAME),
        ("source", "outlastd", SAME),
        ("to", "outlastd", SAME),
        ("to", "outlast-rhs", SAME),
        ("coordinator", "power", SAME),
        ("coordinator", "outlastd", SAME),
    ],
)
def test_cut_in_the_transfer_it_runs_once(migrating: Migrating, who: str, what: str, run: bool) -> None:
    migrating.in_the_transfer()
    fail(migrating, who, what)
    with suppress(LabError):  # what is still on its way goes faster from here
        migrating.lab.virsh(migrating.source, "migrate-setspeed", migrating.name, "1000")
    owner = migrating.settled(bool, "it runs")
    assert migrating.is_the_same_run(owner) is run


@pytest.mark.parametrize(
    ("who", "whats", "run"),
    [
        ("source", ["libvirtd"], SAME),
        # Whoever waited for the end of it is gone, and so is the daemon that would have ended it.
        ("source", ["libvirtd", "outlast-rhs"], SAME),
        ("source", ["outlast-rhs"], SAME),
        ("source", ["outlastd"], SAME),
        ("source", ["power"], ANEW),
        ("to", ["libvirtd"], SAME),
        ("to", ["outlast-rhs"], SAME),
        ("to", ["outlastd"], SAME),
        ("to", ["power"], SAME),
        ("coordinator", ["outlastd"], SAME),
        ("coordinator", ["power"], SAME),
    ],
)
def test_cut_at_the_switch_it_runs_once(migrating: Migrating, who: str, whats: list[str], run: bool) -> None:
    migrating.at_the_switch()
    for what in whats:
        fail(migrating, who, what)
    thaw_all(migrating.cluster)
    owner = migrating.settled(bool, "it runs")
    assert migrating.is_the_same_run(owner) is run


@pytest.mark.parametrize(
    ("who", "what", "runs"),
    [
        ("coordinator", "outlastd", 1),
        ("source", "power", 1),
        ("source", "outlastd", 1),
        ("source", "outlast-rhs", 1),
        ("source", "libvirtd", 1),
        ("to", "power", 2),
        ("to", "libvirtd", 1),
        ("to", "outlast-rhs", 1),
        ("to", "outlastd", 1),
    ],
)
def test_cut_before_anybody_decided_that_it_goes_on_it_runs_once(
    migrating: Migrating, who: str, what: str, runs: int
) -> None:
    migrating.handed_over()
    fail(migrating, who, what)
    if who != "coordinator":
        migrating.lab.thaw(migrating.coordinator, "outlastd")
    migrating.settled(bool, "it runs")
    migrating.beats_on()
    assert len(migrating.runs) == runs


def test_a_transfer_that_ends_without_the_database_waits_for_it_and_goes_on_after_that(migrating: Migrating) -> None:
    migrating.in_the_transfer()
    with no_database(migrating.cluster):
        migrating.lab.virsh(migrating.source, "migrate-setspeed", migrating.name, "1000")
        over_there = lambda: migrating.cluster.running() == {"lin": [migrating.to]}  # noqa: E731
        migrating.lab.wait(over_there, WITHIN_S, "it stands over there")
        assert "paused" in migrating._state(migrating.to)
    assert migrating.is_the_same_run(migrating.settled(bool, "it runs"))


def test_a_switch_without_the_database_is_none_before_it_is_back(migrating: Migrating) -> None:
    migrating.at_the_switch()
    with no_database(migrating.cluster):
        thaw_all(migrating.cluster)
        over_there = lambda: migrating.cluster.running() == {"lin": [migrating.to]}  # noqa: E731
        migrating.lab.wait(over_there, WITHIN_S, "it stands over there")
        assert "paused" in migrating._state(migrating.to)
    assert migrating.is_the_same_run(migrating.settled(bool, "it runs"))


def test_without_the_database_it_waits_and_goes_on_after_that(migrating: Migrating) -> None:
    migrating.handed_over()
    with no_database(migrating.cluster):
        migrating.lab.thaw(migrating.coordinator, "outlastd")
        assert migrating.cluster.running() == {"web": [migrating.to]}
    migrating.settled(bool, "it runs")
    migrating.beats_on()
    assert len(migrating.runs) == 1


def fail(migrating: Migrating, who: str, what: str) -> None:
    node = getattr(migrating, who)
    if what == "power":
        migrating.lab.power_off(node)
    else:
        migrating.lab.kill(node, what)


@contextmanager
def no_database(cluster: LabCluster) -> Iterator[None]:
    """Nobody can write to it."""
    connection = sqlite3.connect(cluster.lab.paths.database, isolation_level=None, timeout=30)
    try:
        connection.execute("BEGIN EXCLUSIVE")
        yield
        with suppress(ControlError):
            cluster.status()
    finally:
        connection.close()


# -- between real machines --------------------------------------------------------------------------------------------


def test_nodes_of_an_etcd_cluster_migrate_over_tls_and_whoever_has_no_certificate_is_refused(guarded: Guarded) -> None:
    migrating = Migrating(guarded("quorum", nodes=3, database="etcd"))
    migrating.protect("beacon", "web")
    migrating.wish()
    migrating.arrived()
    migrating.beats_on()
    assert len(migrating.runs) == 1
    address = address_of(migrating.to)
    known = f"qemu+tls://{address}/system?no_sanity=1&pkipath=/etc/outlast/migration"
    assert "web" in migrating.lab.virsh(migrating.source, "-c", known, "list", "--name")
    stranger = "d=$(mktemp -d) && cp /etc/outlast/pki/authority.crt $d/cacert.pem && "
    stranger += f'virsh -c "qemu+tls://{address}/system?no_sanity=1&pkipath=$d" list'
    refused = migrating.lab.run(migrating.source, "sh", "-c", stranger)
    assert refused.returncode
    assert "TLS" in refused.stderr
