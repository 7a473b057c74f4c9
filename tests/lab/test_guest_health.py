"""Guests that hang, panic, reboot and ail, with real QEMU and the real guest agent.

The guest is the lab's Linux. It is made to hang from inside: it stops doing anything (`/run/still`), and its agent is
stopped by a signal. What its agent is then asked is not answered, while the VM's port to it is open as before: just as
when the whole guest hangs.
"""

import json
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.guarded import Guarded
from nbd_disk import EIO, FailingDisk, disk_xml
from outlast.lab.cluster import LabCluster
from outlast.lab.layout import address_of
from outlast.model.answers import ClusterStatus, VmDetail
from outlast.model.event import Event
from outlast.model.guest import GuestStatus

pytestmark = pytest.mark.lab
WITHIN_S = 120.0
QUICKLY = {"heartbeat_interval_s": 1, "heartbeat_timeout_s": 1, "heartbeat_threshold": 4}
HANG = "touch /run/still; sleep 2; kill -STOP $(pidof qemu-ga)"
BUSY = "(while :; do :; done) & sleep 1; kill -STOP $(pidof qemu-ga)"


class Guest:
    """A Linux guest under protection, whose agent has answered."""

    def __init__(self, cluster: LabCluster, name: str, **settings: object) -> None:
        self.cluster, self.lab, self.name = cluster, cluster.lab, name
        cluster.protect("linux", name)
        self.set(**QUICKLY, **settings)
        self.node = cluster.owner(name)
        self.wait(lambda guest: guest.heartbeat == "answers", "its agent answers")
        self.pid = cluster.qemu_pid(self.node, name)

    def set(self, **values: object) -> None:
        self.cluster.call("resource.set", name=self.name, values=values)

    def run(self, script: str) -> None:
        """In the guest, by its agent; nobody waits for its end."""
        command = {"execute": "guest-exec", "arguments": {"path": "/bin/sh", "arg": ["-c", script]}}
        self.lab.virsh(self.node, "qemu-agent-command", self.name, json.dumps(command))

    def detail(self) -> VmDetail:
        return self.cluster.client().call("vm.show", {"name": self.name}, type=VmDetail)

    @property
    def status(self) -> GuestStatus:
        return self.detail().resource.guest_status or GuestStatus("")

    def wait(self, fits: Callable[[GuestStatus], bool], what: str) -> None:
        self.lab.wait(lambda: fits(self.status), WITHIN_S, f"{what}; it is {self.status}")

    def told(self, kind: str, words: str) -> list[Event]:
        return [event for event in self.cluster.story() if event.kind == kind and words in event.words]

    def wait_told(self, kind: str, words: str) -> None:
        self.lab.wait(lambda: self.told(kind, words), WITHIN_S, f"{kind}: {words}")

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100


@pytest.fixture
def cluster(guarded: Guarded) -> LabCluster:
    return guarded("health", nodes=2)


def test_a_guest_that_hangs_is_reset_so_often_and_then_it_goes_elsewhere(cluster: LabCluster) -> None:
    guest = Guest(cluster, "lin1", on_hang="reset", resets=1)
    assert guest.detail().resource.guest_status == GuestStatus("answers", came=True)
    guest.run(HANG)
    guest.wait_told("guest-reset", "lin1 is reset (1 of 1")
    assert cluster.qemu_pid(guest.node, "lin1") == guest.pid, "a reset is no stop"
    guest.wait(lambda status: status.heartbeat == "answers" and status.resets == 1, "it is back")
    assert not guest.told("guest", "rebooted"), "the cluster's own reset is nobody's reboot"
    guest.run(HANG)
    other = next(node for node in cluster.lab.state().nodes if node != guest.node)
    cluster.wait(lambda _: cluster.owner("lin1") == other, f"it goes to {other}", WITHIN_S)
    cluster.wait_online("lin1", within_s=WITHIN_S)
    (failure,) = cluster.group("lin1").failures
    assert failure.why == "its guest hangs, and 1 resets within 3600 s did not help"
    assert cluster.running()["lin1"] == [other]
    assert len(guest.told("guest-reset", "lin1")) == 1


def test_a_guest_that_works_is_not_reset_however_deaf_its_agent_is(cluster: LabCluster) -> None:
    guest = Guest(cluster, "lin2", on_hang="reset")
    began_s, cpu_s = time.monotonic(), guest.cpu_s()
    idle = Guest(cluster, "idle")
    idle_cpu_s, idle_s = idle.cpu_s(), time.monotonic()
    guest.run(f"touch /run/still; {BUSY}")
    guest.wait(lambda status: status.heartbeat == "does not answer, but works", "it is seen to work")
    time.sleep(3 * QUICKLY["heartbeat_interval_s"] * QUICKLY["heartbeat_threshold"])  # the cluster's time, not ours
    assert guest.status.heartbeat == "does not answer, but works"
    assert guest.status.last_beat_at_s > 0
    assert not guest.told("guest-reset", "lin2")
    # What the threshold rests on: who computes uses much more of a processor than who has nothing to do.
    busy = (guest.cpu_s() - cpu_s) / (time.monotonic() - began_s)
    idles = (idle.cpu_s() - idle_cpu_s) / (time.monotonic() - idle_s)
    print(f"of one processor: busy {busy:.3f}, idle {idles:.3f}")
    assert idles < busy


def test_what_is_only_to_be_reported_is_reported_and_seen_by_everybody(cluster: LabCluster) -> None:
    guest = Guest(cluster, "lin3")
    guest.run(HANG)
    guest.wait(lambda status: status.heartbeat == "hangs", "it is called hung")
    assert any("lin3 hangs" in alarm for alarm in cluster.status().alarms)
    assert guest.told("guest", "nothing is done about it: on_hang is report")
    assert not guest.told("guest-reset", "lin3")
    # Who is paused, and whose agent is stopped in order, cannot answer: that is no hang.
    cluster.lab.virsh(guest.node, "suspend", "lin3")
    cluster.wait(lambda status: "paused" in next(row.why for row in status.vms if row.name == "lin3"), "it is paused")
    cluster.lab.virsh(guest.node, "resume", "lin3")
    cluster.lab.virsh(guest.node, "reset", "lin3")
    guest.wait_told("console", "lin3 was reset from the host's console")
    guest.wait(lambda status: status.heartbeat == "answers", "it is back")
    guest.run("touch /run/still; sleep 1; kill $(pidof qemu-ga)")
    guest.wait(lambda status: status.heartbeat == "its agent is away", "its agent is away")


def test_others_are_asked_whether_they_are_alive_while_a_guest_does_not_answer(cluster: LabCluster) -> None:
    """An agent that does not answer holds up its own next question, and nothing else."""
    guest = Guest(cluster, "lin4")
    guest.set(heartbeat_interval_s=10, heartbeat_timeout_s=10)
    cluster.protect("beacon", "near", preferred_owners=[guest.node])
    guest.run(HANG)
    guest.wait(lambda status: status.heartbeat == "does not answer", "its agent does not answer")
    node = cluster.owner("near")
    pid = cluster.qemu_pid(node, "near")
    began_s = time.monotonic()
    cluster.lab.exec(node, "true")
    cluster.lab.virsh(node, "destroy", "near")
    cluster.wait(lambda status: _state(status, "near") == "offline", "the console is heard", 5.0)
    assert time.monotonic() - began_s < 5.0
    assert pid


def test_a_panic_is_a_failure_or_is_kept(cluster: LabCluster) -> None:
    guest, kept = Guest(cluster, "lin5"), Guest(cluster, "lin6", on_panic="keep")
    for one in (guest, kept):
        one.run("sleep 1; echo c >/proc/sysrq-trigger")
    cluster.wait(lambda _: cluster.group("lin5").failures, "the panic is a failure", WITHIN_S)
    assert cluster.group("lin5").failures[0].why == "the guest crashed (panic)"
    cluster.wait_online("lin5", within_s=WITHIN_S)
    cluster.wait(lambda status: _state(status, "lin6") == "offline", "the other stays off", WITHIN_S)
    assert cluster.group("lin6").wanted == "offline"
    assert "on_panic is keep" in cluster.group("lin6").wanted_by


def test_a_reboot_from_inside_is_told_and_nothing_is_done(cluster: LabCluster) -> None:
    guest = Guest(cluster, "lin7", on_hang="reset")
    guest.run("sleep 1; reboot -f")
    guest.wait_told("guest", "lin7 was rebooted")
    guest.wait(lambda status: status.heartbeat == "answers" and status.resets == 0, "it is back")
    assert cluster.qemu_pid(guest.node, "lin7") == guest.pid
    assert cluster.group("lin7").failures == ()


def test_probes_ask_inside_and_from_the_node(cluster: LabCluster) -> None:
    """The lab's guest has no network: the port that is asked is that of a process on the node, libvirt's own."""
    guest = Guest(cluster, "lin8")
    port = f"{address_of(guest.node)}:16509"
    for name, asks, what in (
        ("well", "command", "test ! -e /run/ill"),
        ("port", "tcp", port),
        ("closed", "tcp", f"{address_of(guest.node)}:1"),
        ("unit", "unit", "nginx.service"),
    ):
        values = {"interval_s": 1, "timeout_s": 1, "threshold": 2, "on_red": "restart"}
        cluster.call("vm.probe_add", name="lin8", probe=name, asks=asks, what=what, values=values)
    guest.wait(
        lambda status: [one.state for one in status.probes.values()] == ["green", "green", "red", "red"],
        "two are green, two are red",
    )
    status = guest.status
    assert "does not accept" in status.probes["closed"].why
    assert "systemctl" in status.probes["unit"].why  # the lab's guest has no systemd: so it says
    assert cluster.group("lin8").failures == (), "what was never green restarts nothing"
    for name in ("closed", "unit"):
        cluster.call("vm.probe_delete", name="lin8", probe=name)
    guest.wait(lambda status: status.green, "all are green")
    guest.run("touch /run/ill")
    cluster.wait(lambda _: cluster.group("lin8").failures, "the probe is red: it is restarted", WITHIN_S)
    assert cluster.group("lin8").failures[0].why == "the probe well is red: test ended with status 1"
    cluster.wait_online("lin8", within_s=WITHIN_S)


def test_a_disk_that_fails_stops_it_until_it_answers_again_or_it_goes_where_it_answers(
    cluster: LabCluster, tmp_path: Path
) -> None:
    xml = cluster.lab.create_guest("beacon", "b1", image_lock=False)
    disk = FailingDisk(tmp_path / "disk", (cluster.lab.paths.images / "b1.img").read_bytes())
    xml = re.sub("<disk .*</disk>", disk_xml(tmp_path / "disk", target="hda", bus="ide"), xml, flags=re.DOTALL)
    cluster.call("vm.protect", definition=xml)
    cluster.wait_online("b1")
    node = cluster.owner("b1")
    pid = cluster.qemu_pid(node, "b1")

    def writes_on() -> None:
        before = disk.writes
        cluster.lab.wait(lambda: disk.writes > before, WITHIN_S, "it writes to its disk")

    def told(words: str) -> bool:
        return any(event.kind == "guest" and words in event.words for event in cluster.story())

    writes_on()
    disk.fail(EIO)
    cluster.lab.wait(lambda: told(f"b1 stands still on {node}: paused by an I/O error"), WITHIN_S, "it stands still")
    disk.mend()
    cluster.lab.wait(lambda: told(f"b1 goes on on {node}"), WITHIN_S, "it goes on by itself")
    writes_on()
    assert cluster.qemu_pid(node, "b1") == pid
    assert cluster.group("b1").failures == ()
    cluster.call("resource.set", name="b1", values={"io_error_limit_s": 5})
    disk.fail(EIO, for_new=False)  # for who has it open now; not for who opens it on another node
    other = next(name for name in cluster.lab.state().nodes if name != node)
    cluster.wait(lambda _: cluster.owner("b1") == other, f"it goes to {other}", WITHIN_S)
    cluster.wait_online("b1", within_s=WITHIN_S)
    assert f"its disks answer on {other}" in cluster.group("b1").failures[0].why
    writes_on()
    disk.close()


def _state(status: ClusterStatus, name: str) -> str:
    return next(row.state for row in status.groups if row.name == name)
