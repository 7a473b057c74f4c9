"""What is changed of a definition past the cluster, with a real libvirtd. Runs in a private node, by test_vm.py."""

import time
from pathlib import Path

import guest
from vm_node import OtherHost, Running, make_spec, virsh, vm, wait_until

from outlast.plugin import Condition, Redefinition, Spec
from outlast.plugin_contract import HANG_S, RecordingHost
from outlast.resources.vm import VmType

__all__ = ["vm"]


class Redefined:
    """What the type tells of definitions."""

    def __init__(self, vm: Running) -> None:
        self.vm = vm
        self.told = 0

    def next(self) -> Redefinition:
        host = self.vm.host
        with host.news:
            assert host.news.wait_for(lambda: len(host.redefinitions) > self.told, HANG_S)
        self.told += 1
        name, change = host.redefinitions[self.told - 1]
        assert name == self.vm.spec.name
        return change

    def nothing(self) -> bool:
        """Whatever was done until now has been looked at."""
        self.vm.is_alive()
        wait_until(lambda: not self.vm.vm.following.to_be_seen)
        return len(self.vm.host.redefinitions) == self.told


def config(vm: Running, *arguments: str) -> None:
    virsh(arguments[0], vm.name, *arguments[1:], "--config")


def test_what_is_changed_with_virsh_is_told_at_once_and_only_once(vm: Running, tmp_path: Path) -> None:
    told = Redefined(vm)
    assert told.nothing()
    began_s = time.monotonic()
    config(vm, "setmaxmem", "32MiB")  # Of this libvirt sends no event.
    change = told.next()
    assert time.monotonic() - began_s < HANG_S / 20
    assert (change.was.memory_mib, change.now.memory_mib, change.problem) == (16, 32, "")
    disk = tmp_path / "more.img"
    guest.write_disk(disk)
    config(vm, "attach-disk", str(disk), "vdb")
    change = told.next()
    assert (change.was.memory_mib, change.now.disks[1:]) == (32, (str(disk),))
    file = tmp_path / "edited.xml"
    file.write_text(vm.spec.definition)
    virsh("define", str(file))
    change = told.next()
    assert (change.now.memory_mib, len(change.now.disks)) == (16, 1)
    assert told.nothing()
    # What is told is what the cluster keeps: the VM starts from it.
    assert vm.type.control("check", {"definition": change.definition}) == []


def test_what_is_changed_while_no_host_watches_is_told_by_the_next_one(vm: Running) -> None:
    vm.vm.close()
    config(vm, "setmaxmem", "32MiB")
    host = RecordingHost()
    new = VmType(host)
    opened = new.open(vm.spec)
    with host.news:
        assert host.news.wait_for(lambda: host.redefinitions, HANG_S)
    assert host.redefinitions[0][1].now.memory_mib == 32
    # The cluster has it now; and is told nothing again by whoever opens it as it is.
    edited = host.redefinitions[0][1].definition
    host.redefinitions.clear()
    opened.close()
    again = new.open(Spec(vm.spec.name, "vm", definition=edited, identity=vm.spec.identity))
    new.is_alive([vm.spec.name])
    assert not again.following.to_be_seen
    assert host.redefinitions == []
    again.close()
    new.close()


def test_what_the_cluster_itself_defines_and_forgets_is_nobodys_change(vm: Running) -> None:
    told = Redefined(vm)
    for _ in range(2):
        vm.vm.terminate()
        vm.vm.online(lambda _: None)
        assert told.nothing()
    vm.vm.terminate()
    vm.vm.forget()
    assert told.nothing()
    vm.vm.online(lambda _: None)
    assert told.nothing()


def test_a_change_that_cannot_be_followed_says_why(vm: Running) -> None:
    told = Redefined(vm)
    virsh("undefine", vm.name)
    assert "its next start defines it again" in told.next().problem
    vm.vm.terminate()
    vm.vm.online(lambda _: None)
    vm.vm.terminate()
    assert told.nothing()
    virsh("domrename", vm.name, f"{vm.name}-new")
    while 'renamed to "' not in told.next().problem:
        pass
    virsh("domrename", f"{vm.name}-new", vm.name)


def test_the_definition_that_holds_a_start_back_is_nobodys_change(vm: Running, tmp_path: Path) -> None:
    spec = make_spec(tmp_path)
    OtherHost(spec).kill()
    opened = vm.type.open(spec)
    assert vm.type.is_alive([spec.name])[spec.name].condition is Condition.OFFLINE
    vm.type.is_alive([spec.name])
    wait_until(lambda: not opened.following.to_be_seen)
    assert vm.host.redefinitions == []
    opened.forget()
    opened.close()
