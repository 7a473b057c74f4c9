"""What the vm type promises, with a real libvirtd and QEMU. Run inside a private node only, by test_vm.py."""

import contextlib
import os
import shutil
import signal
import tempfile
import threading
import time
import uuid
from pathlib import Path

import guest
import pytest
from vm_node import (
    Running,
    frozen_libvirtd,
    make_spec,
    no_libvirtd,
    qemu_pid,
    virsh,
    vm,
    wait_until,
)

from outlast.plugin import CannotStart, Condition, EndedBy, Health, Refusal, ResourceType, Spec, TypeHost
from outlast.plugin_contract import HANG_S, InhabitedContract, RecordingHost
from outlast.plugin_contract_saving import SavableContract
from outlast.resources.vm import VmType
from outlast.resources.vm.definition import uuid_of

__all__ = ["vm"]

KEPT_ALIVE_S = 15.0
"""Longer than a connection waits for a sign of a daemon that hangs (12 s)."""


class TestContract(InhabitedContract, SavableContract):
    def setup_method(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="outlast-vm-"))

    def teardown_method(self) -> None:
        shutil.rmtree(self.directory)

    def make_type(self, host: TypeHost) -> ResourceType:
        return VmType(host)

    def make_spec(self) -> Spec:
        return make_spec(self.directory)

    def runs(self, spec: Spec) -> bool:
        return qemu_pid(spec) != 0

    def kill_from_outside(self, spec: Spec) -> bool:
        os.kill(qemu_pid(spec), signal.SIGKILL)
        return True


# -- who ended it -------------------------------------------------------------------------------------------------


def test_a_killed_qemu_is_failed_and_the_signal_is_named(vm: Running) -> None:
    os.kill(vm.pid, signal.SIGKILL)
    health = vm.host.wait_for(Condition.FAILED)
    assert health == Health(Condition.FAILED, "QEMU was ended by signal 9 (Killed)", running=False)
    assert vm.pid == 0


def test_a_failure_is_reported_once_also_when_libvirt_and_the_poll_see_it_too(vm: Running) -> None:
    os.kill(vm.pid, signal.SIGKILL)
    vm.host.wait_for(Condition.FAILED)
    wait_until(lambda: virsh("domstate", vm.name) == "shut off")
    assert vm.is_alive().condition is Condition.FAILED
    assert vm.reported() == [Condition.FAILED]


def test_a_qemu_that_a_stray_signal_told_to_end_is_failed_although_it_ended_in_order(vm: Running) -> None:
    os.kill(vm.pid, signal.SIGTERM)
    assert "signal or its monitor" in vm.host.wait_for(Condition.FAILED).why


def test_a_vm_that_was_switched_off_with_virsh_is_offline_and_not_failed(vm: Running) -> None:
    virsh("destroy", vm.name)
    assert vm.host.wait_for(Condition.OFFLINE).why == "switched off from the host's console"
    assert vm.reported() == [Condition.OFFLINE]


def test_a_guest_that_shut_down_is_offline_and_not_failed(vm: Running) -> None:
    while vm.pid:  # The guest listens only once it has booted.
        virsh("shutdown", vm.name)
        with contextlib.suppress(AssertionError):
            vm.host.wait_for(Condition.OFFLINE, within_s=0.5)
    assert vm.host.wait_for(Condition.OFFLINE).why == "the guest shut down"
    assert vm.reported() == [Condition.OFFLINE]


def test_a_saved_vm_is_offline(vm: Running) -> None:
    virsh("managedsave", vm.name)
    told = vm.host.wait_for(Condition.OFFLINE)
    assert told.why == "saved from the host's console"
    assert vm.is_alive() == told
    assert vm.reported().count(Condition.OFFLINE) == 1


def test_a_paused_vm_is_online_and_says_so(vm: Running) -> None:
    virsh("suspend", vm.name)
    assert vm.host.wait_for(Condition.ONLINE).why == "paused from the host's console"
    assert vm.is_alive().why == "paused from the host's console"
    virsh("resume", vm.name)
    wait_until(lambda: vm.is_alive().why == "")


def test_who_ended_it_is_told_where_a_start_loses_nothing(vm: Running) -> None:
    virsh("destroy", vm.name)
    assert vm.host.wait_for(Condition.OFFLINE).ended_by is EndedBy.CONSOLE


def test_that_somebody_has_paused_it_is_told(vm: Running) -> None:
    virsh("suspend", vm.name)
    assert vm.host.wait_for(Condition.ONLINE).paused
    virsh("resume", vm.name)
    wait_until(lambda: not vm.is_alive().paused)


def test_what_is_made_to_stand_still_stands_also_for_the_next_host_until_it_is_taken_up(vm: Running) -> None:
    pid = vm.pid
    vm.vm.control("stand_still", {})
    assert virsh("domstate", vm.name) == "paused"
    assert vm.is_alive().held
    again = VmType(RecordingHost())
    other = again.open(vm.spec)
    try:
        assert other.health().held
        other.take_up(lambda word: None)
        assert virsh("domstate", vm.name) == "running"
        assert not other.health().stands
        virsh("suspend", vm.name)
        wait_until(lambda: again.is_alive([vm.spec.name])[vm.spec.name].paused)
        assert not again.is_alive([vm.spec.name])[vm.spec.name].stands, "that is somebody's own pause"
        virsh("resume", vm.name)
        assert vm.pid == pid
    finally:
        other.close()
        again.close()


def test_a_vm_that_was_renamed_starts_under_its_own_name(vm: Running) -> None:
    virsh("destroy", vm.name)
    vm.host.wait_for(Condition.OFFLINE)
    virsh("domrename", vm.name, "another")
    vm.vm.online(lambda word: None)
    assert virsh("domstate", vm.name) == "running"
    assert "another" not in virsh("list", "--all", "--name")


def test_a_vm_that_was_started_with_virsh_is_reported_online(vm: Running) -> None:
    vm.vm.terminate()
    virsh("start", vm.name)
    assert vm.host.wait_for(Condition.ONLINE).running


def test_offline_lets_the_guest_shut_down_by_itself(vm: Running) -> None:
    words: list[str] = []
    vm.vm.offline(words.append, HANG_S)
    assert words[-1] == "the guest has shut down"
    assert vm.pid == 0
    assert vm.reported() == []


def test_offline_switches_off_what_does_not_shut_down_in_time(vm: Running) -> None:
    virsh("suspend", vm.name)  # A paused guest does not hear the power button.
    words: list[str] = []
    vm.vm.offline(words.append, 0.2)
    assert "switching it off" in words[-1]
    assert vm.pid == 0


# -- libvirtd hangs, is gone, comes back --------------------------------------------------------------------------


def test_while_libvirtd_hangs_a_running_vm_stays_online_and_the_answer_comes_soon(vm: Running) -> None:
    def says_so() -> bool:
        began_s = time.monotonic()
        health = vm.is_alive()
        assert time.monotonic() - began_s < HANG_S / 10
        assert health.condition is Condition.ONLINE
        return "libvirt does not answer" in health.why

    with frozen_libvirtd():
        wait_until(says_so)  # Not the first time, if a word from before came late.


def test_a_daemon_that_hangs_until_it_is_given_up_ends_no_host(vm: Running) -> None:
    """Calls that wait in the connection have it until they have returned; closed before, it would end this process."""
    with frozen_libvirtd():
        ends_s = time.monotonic() + KEPT_ALIVE_S
        while time.monotonic() < ends_s:
            assert vm.is_alive().condition is Condition.ONLINE
    wait_until(lambda: vm.is_alive() == Health(Condition.ONLINE, running=True))


def test_a_vm_whose_qemu_is_killed_while_libvirtd_hangs_is_failed(vm: Running) -> None:
    with frozen_libvirtd():
        os.kill(vm.pid, signal.SIGKILL)
        assert vm.host.wait_for(Condition.FAILED).running is False
        assert vm.is_alive().condition is Condition.FAILED


def test_terminate_works_while_libvirtd_hangs_because_qemu_itself_is_killed(vm: Running) -> None:
    with frozen_libvirtd():
        vm.vm.terminate()
        assert vm.pid == 0
        vm.vm.terminate()
    assert Condition.FAILED not in vm.reported()
    assert vm.is_alive().condition is Condition.OFFLINE


def test_a_start_that_libvirt_holds_while_it_hangs_is_not_called_stopped(vm: Running, tmp_path: Path) -> None:
    spec = make_spec(tmp_path)
    opened = vm.type.open(spec)
    refused: list[str] = []

    def start() -> None:
        try:
            opened.online(lambda _: None)
        except (CannotStart, RuntimeError) as error:
            refused.append(str(error))

    with frozen_libvirtd():
        starting = threading.Thread(target=start)
        starting.start()
        wait_until(lambda: opened.sight.may_run())
        with pytest.raises(RuntimeError, match=r"could still start it|does not end the start"):
            opened.terminate()
    starting.join(HANG_S)
    opened.terminate()
    assert qemu_pid(spec) == 0
    opened.forget()
    opened.close()


def test_a_stop_that_libvirt_has_not_answered_does_not_hit_the_next_run(vm: Running) -> None:
    with frozen_libvirtd():
        vm.vm.terminate()
    vm.vm.online(lambda _: None)
    wait_until(lambda: virsh("domstate", vm.name) == "running")
    assert vm.is_alive() == Health(Condition.ONLINE, running=True)


def test_while_libvirtd_hangs_a_new_host_cannot_tell_whether_a_vm_without_qemu_is_off(vm: Running) -> None:
    vm.vm.terminate()
    with frozen_libvirtd():
        new = VmType(RecordingHost())
        opened = new.open(vm.spec)
        assert opened.health().condition is Condition.UNKNOWN
        with pytest.raises(RuntimeError, match="could still start it"):
            opened.terminate()
        opened.close()
        new.close()


def test_a_restart_of_libvirtd_touches_nothing_and_reports_nothing(vm: Running) -> None:
    pid = vm.pid
    with no_libvirtd():
        assert vm.is_alive().condition is Condition.ONLINE
    wait_until(lambda: vm.is_alive() == Health(Condition.ONLINE, running=True))
    assert vm.pid == pid
    os.kill(pid, signal.SIGKILL)
    vm.host.wait_for(Condition.FAILED)
    assert set(vm.reported()) <= {Condition.ONLINE, Condition.FAILED}


def test_restarts_of_libvirtd_leave_no_dead_connections_behind(vm: Running) -> None:
    def sockets() -> int:
        return len(os.listdir("/proc/self/fd"))

    def restart() -> None:
        with no_libvirtd():
            pass
        wait_until(lambda: vm.is_alive() == Health(Condition.ONLINE, running=True))
        # The other connections of the type, and those that are about to be dropped.
        vm.vm.online(lambda _: None)

    restart()
    before = sockets()
    for _ in range(10):
        restart()
    assert sockets() < before + 5


def test_without_libvirtd_and_without_qemu_a_vm_that_ran_is_failed(vm: Running) -> None:
    with no_libvirtd():
        os.kill(vm.pid, signal.SIGKILL)
        assert vm.host.wait_for(Condition.FAILED).running is False
    wait_until(lambda: virsh("list", "--all", "--name") != "")


def test_what_happened_while_there_was_no_libvirtd_is_seen_when_it_is_back(vm: Running) -> None:
    """Events were missed: the look after reconnecting tells."""
    virsh("suspend", vm.name)
    vm.host.wait_for(Condition.ONLINE)
    with frozen_libvirtd():
        assert "does not answer" in vm.is_alive().why
    wait_until(lambda: "paused" in vm.is_alive().why)


def test_a_qemu_that_libvirt_does_not_know_any_more_is_not_started_a_second_time(vm: Running) -> None:
    pid = vm.pid
    with no_libvirtd():
        for file in Path("/run/libvirt/qemu").glob(f"{vm.name}.*"):
            file.unlink()
    wait_until(lambda: "off" in vm.is_alive().why)
    assert vm.is_alive().condition is Condition.UNKNOWN
    new = VmType(RecordingHost())
    opened = new.open(vm.spec)
    assert opened.health().condition is Condition.UNKNOWN
    opened.online(lambda _: None)
    assert vm.pid == pid
    opened.terminate()
    assert vm.pid == 0
    opened.close()
    new.close()


# -- starting, and leaving no traces ------------------------------------------------------------------------------


def test_online_right_after_a_crash_waits_until_libvirt_has_cleared_the_last_run_away(vm: Running) -> None:
    for _ in range(3):
        old = vm.pid
        os.kill(old, signal.SIGKILL)
        wait_until(lambda: not Path(f"/proc/{old}").exists())  # noqa: B023  # called within this round only
        vm.vm.online(lambda _: None)
        assert vm.pid not in (0, old)
        assert vm.is_alive().condition is Condition.ONLINE


def test_a_vm_that_cannot_start_says_why_and_leaves_nothing_running(vm: Running, tmp_path: Path) -> None:
    spec = make_spec(tmp_path)
    for disk in tmp_path.glob("*.img"):
        disk.unlink()
    opened = vm.type.open(spec)
    with pytest.raises(CannotStart, match=r"\.img"):
        opened.online(lambda _: None)
    assert qemu_pid(spec) == 0
    opened.forget()
    opened.close()


def test_a_name_that_another_vm_has_is_an_error_in_words(vm: Running, tmp_path: Path) -> None:
    disk = tmp_path / "other.img"
    guest.write_disk(disk)
    xml = guest.definition(vm.name, disk)
    opened = vm.type.open(Spec("other", "vm", definition=xml, identity=uuid_of(xml)))
    with pytest.raises(CannotStart, match="already"):
        opened.online(lambda _: None)
    assert any("has the name" in problem for problem in vm.type.control("check", {"definition": xml}))
    opened.close()


def test_libvirts_own_autostart_is_switched_off_because_it_asks_no_cluster(vm: Running) -> None:
    virsh("autostart", vm.name)
    vm.vm.online(lambda _: None)
    assert "disable" in virsh("dominfo", vm.name).split("Autostart:")[1].split("\n")[0]


def test_forget_removes_what_libvirt_would_go_on_from_and_keeps_what_the_cluster_may(vm: Running) -> None:
    virsh("managedsave", vm.name)
    state = vm.host.wait_for(Condition.OFFLINE).saved
    assert state is not None
    vm.vm.forget()
    assert vm.name not in virsh("list", "--all", "--name")
    assert vm.saved_by_hand == [state.path]


def test_online_boots_and_does_not_restore_a_saved_state(vm: Running) -> None:
    virsh("managedsave", vm.name)
    vm.host.wait_for(Condition.OFFLINE)
    vm.vm.online(lambda _: None)
    assert vm.saved_by_hand == []
    assert vm.is_alive().condition is Condition.ONLINE


def test_a_running_vm_is_not_forgotten(vm: Running) -> None:
    with pytest.raises(RuntimeError, match="it runs"):
        vm.vm.forget()
    assert vm.pid != 0


def test_a_vm_that_appears_on_the_node_is_reported(vm: Running, tmp_path: Path) -> None:
    spec = make_spec(tmp_path)
    file = tmp_path / "new.xml"
    file.write_text(spec.definition)
    virsh("define", str(file))
    with vm.host.news:
        assert vm.host.news.wait_for(lambda: spec.identity in {found.identity for found in vm.host.found}, HANG_S)
    virsh("undefine", spec.identity)


# -- verbs --------------------------------------------------------------------------------------------------------


def test_inspect_gives_what_is_needed_to_run_it_elsewhere(vm: Running) -> None:
    found = vm.type.control("inspect", {"name": vm.name})
    assert (found["name"], found["identity"], found["running"]) == (vm.name, vm.spec.identity, True)
    assert (found["memory_mib"], found["vcpus"], found["type"]) == (16, 1, "qemu")
    assert [disk["path"].endswith(".img") for disk in found["disks"]] == [True]
    assert vm.type.control("check", {"definition": found["definition"]}) == []
    with pytest.raises(Refusal, match="no VM"):
        vm.type.control("inspect", {"name": "nobody"})


def test_list_shows_every_vm_of_the_node(vm: Running) -> None:
    shown = {one["uuid"]: one for one in vm.type.control("list", {})}
    assert shown[vm.spec.identity] == {
        "name": vm.name,
        "uuid": vm.spec.identity,
        "state": "running",
        "running": True,
        "persistent": True,
    }


def test_check_names_everything_that_is_missing(vm: Running) -> None:
    xml = vm.spec.definition.replace(".img", ".gone").replace("/usr/bin/qemu", "/usr/bin/no-qemu")
    xml = xml.replace("</devices>", "<interface type='bridge'><source bridge='br77'/></interface></devices>")
    xml = xml.replace("</devices>", "<interface type='network'><source network='net77'/></interface></devices>")
    problems = " | ".join(vm.type.control("check", {"definition": xml}))
    for word in (".gone", "no-qemu", "br77", "net77"):
        assert word in problems


def test_console_says_how_to_reach_the_guest(vm: Running) -> None:
    serial = vm.vm.control("console", {})["serial"]
    assert serial[0]["path"].startswith("/dev/pts/")


def test_the_disks_of_a_definition_are_told_with_what_is_there(vm: Running) -> None:
    definition = vm.type.control("inspect", {"name": vm.name})["definition"]
    (disk,) = vm.type.control("disks", {"definition": definition})
    assert disk == {"source": disk["path"], "path": disk["path"], "written": True} | {
        "there": True,
        "block": False,
        "ids": {},
    }
    (gone,) = vm.type.control("disks", {"definition": definition.replace(disk["path"], "/nowhere/web.img")})
    assert not gone["there"]


def test_a_probe_beside_a_disk_is_seen_where_the_directory_is_the_same(vm: Running, tmp_path: Path) -> None:
    token = uuid.uuid4().hex
    here, elsewhere = str(tmp_path / "disk.img"), str(tmp_path / "other" / "disk.img")
    (tmp_path / "other").mkdir()
    vm.type.control("probe_write", {"path": here, "token": token})
    assert vm.type.control("probe_read", {"path": here, "token": token}) is True
    assert vm.type.control("probe_read", {"path": elsewhere, "token": token}) is False
    vm.type.control("probe_clear", {"path": here, "token": token})
    assert vm.type.control("probe_read", {"path": here, "token": token}) is False
    assert [file.name for file in tmp_path.iterdir() if "probe" in file.name] == []
