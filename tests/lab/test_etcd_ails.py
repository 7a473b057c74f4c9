"""A database that is full, slow, read-only or damaged, in a whole cluster: what is said, and that no VM notices.

With real etcd: the disks that ail are those of its members.
"""

import functools
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from lab.guarded import ALL, WITHIN_S, Guarded, ThreeGuests
from outlast.client.control import ControlError
from outlast.lab import engine
from outlast.lab.cluster import LabCluster
from outlast.lab.layout import address_of
from outlast.model.answers import Finding, QuorumRow

pytestmark = pytest.mark.lab
QUOTA_MIB = 8
STATE = "/var/lib/outlast"
BAD = {"node-silent", "node-dead", "node-joined", "stopped", "permit", "failed"}
"""Kinds of events of which none must be told."""


class Ailing(ThreeGuests):
    """Their database is soon full."""

    def __init__(self, cluster: LabCluster) -> None:
        super().__init__(cluster)
        self.before: dict[str, Any] = {}
        self.told: set[str] = set()

    def prepare(self) -> None:
        for name in ALL:
            self._limit(name)
        super().prepare()
        self.wait_until_all_vote()
        self.told = {event.id for event in self.cluster.events()}

    def remember(self) -> None:
        super().remember()
        self.before = self.lives()

    def lives(self) -> dict[str, Any]:
        """Of the nodes and of the guests: what must not change."""
        status = self.cluster.status()
        nodes = {row.name: row.incarnation for row in status.nodes}
        return nodes | {row.name: (row.owner, self.cluster.qemu_pid(row.owner, row.name)) for row in status.groups}

    def check_that_nobody_noticed(self) -> None:
        self.wait_for_a_while_of_output()
        assert [event.words for event in self.news() if event.kind in BAD] == []
        assert self.lives() == self.before

    def wait_until_all_vote(self) -> None:
        """Each one's member runs and says so itself: to the others it may not have been away yet."""
        self.lab.wait(lambda: all(self.votes_with_all(name) for name in ALL), WITHIN_S, "all three vote")

    def votes_with_all(self, name: str) -> bool:
        try:
            row = self.quorum(name)
        except (ControlError, OSError):
            return False
        return self.cluster.pid(name, "etcd") != 0 and not row.waits and engine.voters_of(row) == set(ALL)

    def news(self) -> list[Any]:
        return [event for event in self.cluster.events() if event.id not in self.told]

    def wait_for_alarms(self, *parts: str) -> None:
        """On every node."""
        for name in ALL:
            happened = functools.partial(lambda at: all(part in self.alarm(at) for part in parts), name)
            self.lab.wait(happened, WITHIN_S, f"{name} says: {', '.join(parts)}")

    def quorum(self, node: str) -> QuorumRow:
        return engine.quorum(self.cluster, node)

    def says(self, node: str, words: str) -> bool:
        """Of what its member of the database waits for."""
        return any(words in waits for waits in self.quorum(node).waits)

    def findings(self, node: str) -> str:
        found = self.cluster.client(node).call("validate", {}, type=list[Finding], timeout_s=WITHIN_S)
        return "; ".join(f"{finding.about}: {finding.problem}" for finding in found)

    def shell(self, node: str, script: str) -> str:
        return self.lab.exec(node, "sh", "-c", script, timeout_s=WITHIN_S)

    def _limit(self, name: str) -> None:
        """As an administrator changes it: the file, the service, the member; one machine after the other."""
        config = self.lab.node(name).etc / "outlast/outlast.toml"
        if "quota_mib" in config.read_text():
            return
        config.write_text(config.read_text().replace("[member]\n", f"[member]\nquota_mib = {QUOTA_MIB}\n"))
        for process in ("outlastd", "etcd"):
            with self.another(name, process):
                self.lab.kill(name, process)
            self.lab.wait(lambda: self.is_back(name), WITHIN_S, f"{process} of {name} is back")
        self.wait_until_all_vote()

    @contextmanager
    def another(self, name: str, process: str) -> Iterator[None]:
        """Waits at its end until another one runs."""
        before = self.cluster.pid(name, process)
        yield
        self.lab.wait(lambda: self.cluster.pid(name, process) not in (0, before), WITHIN_S, f"another {process}")

    def is_back(self, name: str) -> bool:
        try:
            return not self.cluster.status(name).session
        except (ControlError, OSError):
            return False


@pytest.fixture
def ailing(guarded: Guarded) -> Ailing:
    ready = Ailing(guarded("ails", clear=False, nodes=3, database="etcd"))
    ready.prepare()
    return ready


def test_a_full_database_is_told_as_such_and_stops_nothing_and_has_room_again_by_itself(ailing: Ailing) -> None:
    etcdctl = " ".join(
        ["ETCDCTL_API=3 etcdctl --endpoints", f"https://{address_of('n1')}:2379", *engine.ACCESS, "2>/dev/null"]
    )
    ailing.shell("n1", "head -c 50000 /dev/zero | tr '\\0' x >/run/filler; rm -f /run/enough")
    greedy = (
        f"for n in $(seq 1000); do {etcdctl} put filler$n </run/filler || sleep 0.2; "
        "test -e /run/enough && exit 0; done"
    )
    ailing.shell("n1", f"({greedy}) >/dev/null 2>&1 &")
    try:
        ailing.wait_for_alarms("it is full", "promised to decide nothing meanwhile")
        # Room is made again and again, so it is not full in every moment.
        ailing.lab.wait(lambda: "its quota is reached" in ailing.findings("n2"), WITHIN_S, "validate tells it")
    finally:
        ailing.shell("n1", f"touch /run/enough; sleep 1; {etcdctl} del --prefix filler")
    ailing.cluster.wait(lambda status: not status.alarms, "there is room again", WITHIN_S)
    ailing.lab.wait(
        lambda: any(event.kind == "upkeep" for event in ailing.news()), WITHIN_S, "it is told who made room"
    )
    ailing.check_that_nobody_noticed()


def test_a_leader_whose_disk_takes_a_second_for_each_write_leads_no_more_and_costs_nobody_anything(
    ailing: Ailing,
) -> None:
    slow = ailing.quorum("n1").leader
    with slow_disks(ailing, [slow], delay_s=1.0):
        others = [name for name in ALL if name != slow]
        ailing.cluster.wait(lambda _: ailing.quorum(others[0]).leader in others, "another one leads", WITHIN_S)
        ailing.check_that_nobody_noticed()
    ailing.wait_until_all_vote()


def test_slow_disks_are_told_of_by_those_who_ask_for_the_quorum(ailing: Ailing) -> None:
    with slow_disks(ailing, ALL, delay_s=0.2):
        ailing.lab.wait(
            lambda: all("its disk takes 0." in row.why for row in ailing.quorum("n2").voters), WITHIN_S, "slow disks"
        )
        ailing.check_that_nobody_noticed()
    ailing.wait_until_all_vote()


def test_a_disk_that_can_only_be_read_stops_its_member_alone_also_when_the_service_there_starts_again(
    ailing: Ailing,
) -> None:
    victim = ailing.quorum("n1").leader
    other = next(name for name in ALL if name != victim)
    with disk_of_its_own(ailing, victim):
        ailing.remember()
        ailing.shell(
            victim,
            f"until mount -o remount,ro {STATE} 2>/dev/null; do kill -9 $(pidof etcd) 2>/dev/null; sleep 0.01; done",
        )
        ailing.cluster.wait(lambda _: ailing.says(victim, "Read-only file system"), "it says why")
        words = f"{victim}: its member of the cluster database is not in order"
        ailing.lab.wait(lambda: words in ailing.findings(other), WITHIN_S, "validate tells it elsewhere")
        ailing.check_that_nobody_noticed()
        with ailing.another(victim, "outlastd"):
            ailing.lab.kill(victim, "outlastd")
        ailing.cluster.wait(lambda _: ailing.is_back(victim), "its service finds the others", WITHIN_S)
        assert ailing.says(victim, "Read-only file system")
    ailing.wait_until_all_vote()


def test_a_member_whose_data_are_damaged_puts_them_aside_and_joins_again(ailing: Ailing) -> None:
    victim = next(name for name in ALL if name != ailing.quorum("n1").leader)
    file = ailing.lab.node(victim).var / "lib/outlast/etcd/member/snap/db"
    content = file.read_bytes()
    ailing.lab.kill(victim, "etcd")
    file.write_bytes(content[:20] + b"\xff" * 8000 + content[8020:])
    ailing.lab.wait(lambda: any("were put aside" in event.words for event in ailing.news()), WITHIN_S, "it is told")
    ailing.wait_until_all_vote()
    assert (file.parents[2].with_name("etcd.old")).is_dir()
    ailing.check_that_nobody_noticed()


@contextmanager
def slow_disks(ailing: Ailing, names: Any, *, delay_s: float) -> Iterator[None]:
    if shutil.which("strace") is None:
        pytest.skip("to slow a disk down takes strace")
    delay = [
        word for call in ("fsync", "fdatasync") for word in ("-e", f"inject={call}:delay_enter={delay_s * 1e6:.0f}")
    ]
    tracers = [
        subprocess.Popen(
            ["strace", "-f", "-q", "-o", os.devnull, "-p", str(ailing.cluster.pid(name, "etcd")), *delay],
            stderr=subprocess.DEVNULL,
        )
        for name in names
    ]
    try:
        yield
        assert all(tracer.poll() is None for tracer in tracers), "strace ended: no disk was slow"
    finally:
        for tracer in tracers:
            tracer.send_signal(signal.SIGINT)
        for tracer in tracers:
            tracer.wait(WITHIN_S)


@contextmanager
def disk_of_its_own(ailing: Ailing, name: str) -> Iterator[None]:
    """For what Outlast keeps on that node; with all that is there now."""
    with ailing.another(name, "etcd"):
        ailing.shell(
            name,
            "mkdir -p /run/disk && mount -t tmpfs none /run/disk && kill -STOP $(pidof etcd) "
            f"&& cp -a {STATE}/. /run/disk/ && mount --move /run/disk {STATE} && kill -9 $(pidof etcd)",
        )
    ailing.wait_until_all_vote()
    try:
        yield
    finally:
        ailing.shell(name, f"mount -o remount,rw {STATE}")
        ailing.wait_until_all_vote()
        # What was written since is not on the disk below: it would be from the past, and join again.
        with ailing.another(name, "etcd"):
            ailing.shell(
                name,
                f"mkdir -p /run/below && mount --bind / /run/below && kill -STOP $(pidof etcd) "
                f"&& cp -a {STATE}/. /run/below{STATE}/; umount /run/below; umount -l {STATE}; kill -9 $(pidof etcd)",
            )
