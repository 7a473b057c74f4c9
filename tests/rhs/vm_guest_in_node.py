"""What lives in a VM, with a real libvirtd and QEMU: reboots, resets, I/O errors, and being asked.

Run inside a private node only, by test_vm.py. An agent that answers is in tests/lab/test_guest_health.py.
"""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from vm_node import Running, virsh, vm, wait_until

from nbd_disk import EIO, FULL, FailingDisk, disk_xml
from outlast.lab import beacon, disk
from outlast.plugin import Answer, Asked, Condition, Halt, Incident, Inquiry, Refusal, Spec
from outlast.plugin_contract import RecordingHost
from outlast.resources.vm import VmType, resets
from outlast.resources.vm.definition import uuid_of

__all__ = ["vm"]

_UUID = "0b8a7a7e-54f1-4b3c-9a43-9d0d5b1c2a11"
_XML = """<domain type='qemu'>
  <name>beacon</name><uuid>{uuid}</uuid><memory unit='KiB'>1024</memory><vcpu>1</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type><loader readonly='yes' type='rom'>{firmware}</loader></os>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    {disk}
    <controller type='usb' model='none'/><memballoon model='none'/><serial type='null'/>
  </devices>
</domain>
"""


class Writing:
    """A beacon, which writes to its disk again and again."""

    def __init__(self, directory: Path) -> None:
        for program in ("beacon", "firmware"):
            beacon.assemble(disk.files() / f"{program}.s", directory / f"{program}.bin")
        code = (directory / "beacon.bin").read_bytes()
        self.disk = FailingDisk(directory / "disk", code + bytes((beacon.DISK_SECTORS - 1) * beacon.SECTOR))
        xml = _XML.format(
            uuid=_UUID,
            firmware=directory / "firmware.bin",
            disk=disk_xml(directory / "disk", target="hda", bus="ide"),
        )
        self.host = RecordingHost()
        self.type = VmType(self.host)
        self.vm = self.type.open(Spec("beacon", "vm", definition=xml, identity=uuid_of(xml)))
        self.vm.online(lambda _: None)
        self.writes_on()

    def halted(self) -> Halt:
        return self.type.is_alive(["beacon"])["beacon"].halt

    def writes_on(self) -> None:
        before = self.disk.writes
        wait_until(lambda: self.disk.writes > before)

    def end(self) -> None:
        self.vm.terminate()
        self.vm.forget()
        self.vm.close()
        self.type.close()
        self.disk.close()


@pytest.fixture
def writing(tmp_path: Path) -> Iterator[Writing]:
    made = Writing(tmp_path)
    yield made
    made.end()


# -- I/O errors ----------------------------------------------------------------------------------------------------


def test_a_disk_that_fails_pauses_it_and_it_goes_on_only_when_it_answers_again(writing: Writing) -> None:
    writing.disk.fail(EIO)
    wait_until(lambda: writing.halted() is Halt.IO_ERROR)
    # libvirt tells that it is paused, and then by which disk.
    wait_until(lambda: writing.vm.health().why.startswith("paused by an I/O error of its disk"))
    assert writing.vm.health().condition is Condition.ONLINE
    reported = len(writing.host.health)
    writing.vm.go_on()
    assert writing.halted() is Halt.IO_ERROR, "it failed again"
    assert {one.halt for _, one in writing.host.health[reported:]} <= {Halt.IO_ERROR}, "nobody was told in between"
    writing.disk.mend()
    writing.vm.go_on()
    assert writing.halted() is Halt.NOTHING
    writing.writes_on()


def test_it_is_told_when_space_is_what_a_disk_lacks_also_by_who_did_not_hear_it(writing: Writing) -> None:
    writing.disk.fail(FULL)
    wait_until(lambda: writing.halted() is Halt.NO_SPACE)
    assert writing.vm.health().why.endswith("(no space left)")
    late = VmType(RecordingHost())
    try:
        again = late.open(writing.vm.spec)
        assert late.is_alive(["beacon"])["beacon"].halt is Halt.NO_SPACE
        again.close()
    finally:
        late.close()


def test_what_was_paused_by_hand_is_not_made_to_go_on(writing: Writing) -> None:
    virsh("suspend", "beacon")
    writing.host.wait_for(Condition.ONLINE)
    writing.vm.go_on()
    assert virsh("domstate", "beacon") == "paused"
    assert writing.halted() is Halt.PAUSED


# -- resets and reboots ----------------------------------------------------------------------------------------------


def ask_until_told(vm: Running, *arguments: str) -> None:
    """A guest that is still booting misses it."""

    def told() -> bool:
        virsh(*arguments)
        with vm.host.news:
            return vm.host.news.wait_for(lambda: bool(vm.host.incidents), 2.0)

    wait_until(told)


def test_a_reset_at_the_console_is_told_and_our_own_is_not(vm: Running) -> None:
    pid = vm.pid
    vm.vm.reset()
    assert vm.pid == pid
    assert vm.host.incidents == []
    vm.vm.guest._reset_at_s = float("-inf")  # long ago
    virsh("reset", vm.name)
    wait_until(lambda: bool(vm.host.incidents))
    assert vm.host.incidents == [(vm.spec.name, Incident.RESET, resets.FROM_CONSOLE)]
    assert vm.pid == pid


def test_a_reboot_by_hand_is_told_when_the_guest_has_shut_down_for_it(vm: Running) -> None:
    pid = vm.pid

    ask_until_told(vm, "reboot", vm.name)
    assert vm.host.incidents[0] == (vm.spec.name, Incident.RESET, resets.REBOOTED_FROM_CONSOLE)
    assert vm.pid == pid
    assert Condition.OFFLINE not in vm.reported()


def test_a_guest_that_reboots_by_itself_is_not_taken_for_somebodys_hand(vm: Running) -> None:
    vm.vm.sight.resets.it_starts(float("-inf"))  # long ago
    ask_until_told(vm, "send-key", vm.name, "KEY_LEFTCTRL", "KEY_LEFTALT", "KEY_DELETE")
    assert vm.host.incidents[0] == (vm.spec.name, Incident.REBOOTED, resets.BY_GUEST)


# -- devices -----------------------------------------------------------------------------------------------------------


def test_what_is_attached_and_detached_as_it_runs_is_told(vm: Running, tmp_path: Path) -> None:
    more = tmp_path / "more.img"
    more.write_bytes(bytes(1 << 20))
    virsh("attach-disk", vm.name, str(more), "sda", "--targetbus", "scsi", "--live")
    wait_until(lambda: len(vm.host.incidents) == 1)
    virsh("detach-disk", vm.name, "sda", "--live")
    wait_until(lambda: len(vm.host.incidents) == 2)
    assert {incident for _, incident, _ in vm.host.incidents} == {Incident.DEVICES}
    words = [words for _, _, words in vm.host.incidents]
    assert words[0] == f"had the disk {more} (sda) attached to it as it runs, from the host's console"
    assert words[1].startswith(f"had the disk {more} (sda) detached")
    assert vm.host.redefinitions == [], "its definition is as it was"


def test_a_poll_looks_what_it_has_so_that_what_goes_has_a_name(vm: Running, tmp_path: Path) -> None:
    more = tmp_path / "more.img"
    more.write_bytes(bytes(1 << 20))
    virsh("attach-disk", vm.name, str(more), "sda", "--targetbus", "scsi", "--live")
    late = VmType(host := RecordingHost())
    again = late.open(vm.spec)
    wait_until(lambda: bool(late.is_alive([vm.spec.name])) and again.sight.attached.seen)
    virsh("detach-disk", vm.name, "sda", "--live")
    wait_until(lambda: bool(host.incidents))
    assert host.incidents[0][2].startswith(f"had the disk {more} (sda) detached")
    again.close()
    late.close()


def test_what_does_not_run_is_not_reset(vm: Running) -> None:
    vm.vm.terminate()
    with pytest.raises(Refusal, match="cannot reset"):
        vm.vm.reset()
    assert vm.pid == 0


# -- being asked -----------------------------------------------------------------------------------------------------


def test_a_vm_without_an_agent_says_so_and_is_counted_all_the_same(vm: Running) -> None:
    found = vm.vm.inquire(Inquiry())
    assert found.answer is Answer.NO_WAY
    assert found.cpu_s is not None
    assert found.io_requests is not None


def test_work_is_counted_from_outside(writing: Writing) -> None:
    before = writing.vm.inquire(Inquiry())
    writing.writes_on()
    after = writing.vm.inquire(Inquiry())
    assert (after.io_requests or 0) > (before.io_requests or 0)
    assert (after.cpu_s or 0) >= (before.cpu_s or 0) > 0


def test_a_paused_vm_is_not_held_to_answer(vm: Running) -> None:
    virsh("suspend", vm.name)
    assert vm.vm.inquire(Inquiry()).stands


def test_a_port_is_asked_from_the_node(vm: Running) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert vm.vm.inquire(Inquiry(Asked.TCP, f"127.0.0.1:{port}", 2.0)).answer is Answer.YES
    found = vm.vm.inquire(Inquiry(Asked.TCP, f"127.0.0.1:{port}", 2.0))
    assert (found.answer, f"127.0.0.1:{port}" in found.why) == (Answer.NO, True)
