"""A VM is saved and goes on from its state, with a real libvirtd and QEMU. Run in a private node only (test_vm.py)."""

import os
import threading
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from vm_node import Running, frozen_libvirtd, qemu_pid, virsh, vm, wait_until

from outlast.plugin import CannotStart, Condition, Refusal, SavedState
from outlast.plugin_contract import RecordingHost
from outlast.resources.vm import VmType

__all__ = ["vm"]

STOP = "3-1-0"


def saved(vm: Running, words: list[str] | None = None) -> SavedState:
    return vm.vm.save(STOP, "", (words if words is not None else []).append)


def disk(vm: Running) -> Path:
    (path,) = saved_paths(vm.spec.definition)
    return Path(path)


def saved_paths(definition: str) -> Sequence[str]:
    return [part.split("'")[1] for part in definition.split("<source file=")[1:]]


def test_what_was_saved_runs_no_more_and_goes_on_from_its_state_which_is_used_up(vm: Running) -> None:
    before = vm.pid
    state = saved(vm)
    assert (vm.pid, vm.is_alive().condition) == (0, Condition.OFFLINE)
    assert Path(state.path).parent == disk(vm).parent
    assert state.size_mib > 0
    vm.vm.restore(state, lambda _: None)
    assert vm.pid not in (0, before)
    assert vm.is_alive() == vm.vm.health()
    assert virsh("domstate", vm.name) == "running"
    assert not Path(state.path).exists()
    assert vm.reported() == []
    assert "yes" in virsh("dominfo", vm.name).partition("Persistent:")[2].split("\n")[0]
    vm.vm.terminate()
    with pytest.raises(CannotStart, match="is not there"):
        vm.vm.restore(state, lambda _: None)
    assert vm.pid == 0


def test_from_what_somebody_saved_by_hand_it_goes_on_too_once_and_libvirt_has_it_no_more(vm: Running) -> None:
    virsh("managedsave", vm.name)
    told = vm.host.wait_for(Condition.OFFLINE)
    state = told.saved
    assert state is not None
    assert vm.is_alive().saved == state == vm.vm.health().saved
    again = VmType(RecordingHost())
    assert again.open(vm.spec).health() == again.is_alive([vm.spec.name])[vm.spec.name]
    assert again.is_alive([vm.spec.name])[vm.spec.name].saved == state, "the next host tells the same"
    again.close()
    vm.vm.restore(state, lambda _: None)
    assert "-incoming" in Path(f"/proc/{vm.pid}/cmdline").read_text().split("\0")
    assert virsh("domstate", vm.name) == "running"
    assert vm.vm.health().saved is None
    assert vm.saved_by_hand == []
    vm.vm.terminate()
    with pytest.raises(CannotStart, match="is not there"):
        vm.vm.restore(state, lambda _: None)


def test_what_was_saved_by_hand_is_of_the_past_when_its_disk_was_written_to_since(vm: Running) -> None:
    virsh("managedsave", vm.name)
    state = vm.host.wait_for(Condition.OFFLINE).saved
    assert state is not None
    os.utime(disk(vm))
    with pytest.raises(CannotStart, match="was written to since"):
        vm.vm.restore(state, lambda _: None)
    assert Path(state.path).exists()
    vm.vm.online(lambda _: None)
    assert vm.saved_by_hand == [], "a start from its disks throws it away"


def test_what_was_saved_by_hand_is_there_also_after_the_vm_was_moved_away_and_came_back(vm: Running) -> None:
    virsh("managedsave", vm.name)
    state = vm.host.wait_for(Condition.OFFLINE).saved
    assert state is not None
    vm.vm.forget()
    vm.vm.restore(state, lambda _: None)
    assert virsh("domstate", vm.name) == "running"


def test_who_asks_again_for_the_same_stop_gets_the_state_that_lies_there(vm: Running) -> None:
    state = saved(vm)
    other = VmType(RecordingHost())
    assert other.open(vm.spec).save(STOP, "", lambda _: None) == state
    with pytest.raises(Refusal, match="no state of it was saved"):
        other.open(vm.spec).save("3-2-0", "", lambda _: None)
    other.close()


def test_a_disk_that_was_written_to_since_fits_no_state(vm: Running) -> None:
    state = saved(vm)
    virsh("start", vm.name)
    virsh("destroy", vm.name)
    os.utime(disk(vm))  # as a guest does that writes
    with pytest.raises(CannotStart, match="was written to since"):
        vm.vm.restore(state, lambda _: None)
    assert vm.pid == 0


def test_a_start_from_its_disks_leaves_no_state_behind(vm: Running) -> None:
    state = saved(vm)
    vm.vm.online(lambda _: None)
    assert not Path(state.path).exists()
    assert vm.is_alive().condition is Condition.ONLINE


def test_half_a_file_is_no_state(vm: Running) -> None:
    state = saved(vm)
    with open(state.path, "r+b") as file:
        file.write(b"LibvirtQemudPart")
    with pytest.raises(CannotStart, match="is not whole"):
        vm.vm.restore(state, lambda _: None)
    assert vm.pid == 0


def test_what_cannot_be_loaded_runs_nothing_and_keeps_its_state(vm: Running) -> None:
    state = saved(vm)
    os.truncate(state.path, os.path.getsize(state.path) // 2)
    with pytest.raises(CannotStart, match="was written to since"):
        vm.vm.restore(state, lambda _: None)
    with pytest.raises(CannotStart, match="cannot start"):
        vm.vm.restore(msgspec.structs.replace(state, witness={}), lambda _: None)
    assert vm.pid == 0
    assert Path(state.path).exists()
    vm.vm.online(lambda _: None)
    assert vm.is_alive().condition is Condition.ONLINE


def test_without_room_it_runs_on(vm: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    before = vm.pid
    with pytest.raises(Refusal, match="is no directory"):
        vm.vm.save(STOP, "/nowhere", lambda _: None)
    nearly_full = os.statvfs(disk(vm).parent)
    scarce = os.statvfs_result(
        (nearly_full.f_bsize, nearly_full.f_frsize, nearly_full.f_blocks, 10, 10, 0, 0, 0, 0, 255)
    )
    monkeypatch.setattr(os, "statvfs", lambda _: scarce)
    with pytest.raises(Refusal, match="has room for 0 MiB"):
        saved(vm)
    assert vm.pid == before
    assert virsh("domstate", vm.name) == "running"


def test_who_is_terminated_while_it_is_saved_is_off(vm: Running) -> None:
    ended: list[str] = []

    def save() -> None:
        try:
            saved(vm)
        except (Refusal, RuntimeError) as error:
            ended.append(str(error))

    saving = threading.Thread(target=save)
    with frozen_libvirtd():
        saving.start()
        wait_until(lambda: vm.vm.sight.busy)
        vm.vm.terminate()
        assert qemu_pid(vm.spec) == 0
    saving.join()
    assert ended
    assert vm.is_alive().condition is Condition.OFFLINE
