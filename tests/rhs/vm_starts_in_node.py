"""A start that nobody waits for any more, with a real libvirtd. Run inside a private node only, by test_vm.py."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from vm_node import (
    OtherHost,
    Running,
    frozen_libvirtd,
    make_spec,
    no_libvirtd,
    qemu_pid,
    virsh,
    vm,
    wait_until,
)

from outlast.plugin import CannotStart, Condition, Health, Spec
from outlast.plugin_contract import HANG_S, RecordingHost
from outlast.resources.vm import VmType, starts

__all__ = ["vm"]


def workers() -> dict[str, int]:
    done = subprocess.run(
        ["virt-admin", "-q", "srv-threadpool-info", "libvirtd"], capture_output=True, text=True, check=True
    )
    pairs = (line.split(":") for line in done.stdout.splitlines() if ":" in line)
    return {name.strip(): int(value) for name, value in pairs}


@contextlib.contextmanager
def busy_libvirtd(vm: Running) -> Iterator[None]:
    """All its workers wait for a QEMU that hangs: what is asked for waits, but for what is urgent, as a stop is."""
    os.kill(vm.pid, signal.SIGSTOP)
    ask = ["virsh", "qemu-monitor-command", vm.name, "--hmp", "info status"]
    asking = [subprocess.Popen(ask, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(30)]
    try:
        wait_until(lambda: workers()["freeWorkers"] == 0 and workers()["jobQueueDepth"] > 0)
        yield
    finally:
        os.kill(vm.pid, signal.SIGCONT)
        for process in asking:
            process.wait(HANG_S)


def libvirtd_is_idle() -> bool:
    now = workers()
    return now["jobQueueDepth"] == 0 and now["freeWorkers"] == now["nWorkers"]


def notes(spec: Spec) -> list[str]:
    return [path.name for path in starts.NOTES.iterdir() if path.name.startswith(spec.identity)]


def test_what_libvirt_still_holds_of_a_killed_host_is_not_called_off_and_starts_nothing_after_a_stop(
    vm: Running, tmp_path: Path
) -> None:
    spec = make_spec(tmp_path)
    other = OtherHost(spec)
    with busy_libvirtd(vm):
        waiting = workers()["jobQueueDepth"]
        other.ask()
        wait_until(lambda: workers()["jobQueueDepth"] > waiting)
        other.kill()
        opened = vm.type.open(spec)
        assert opened.health().condition is Condition.UNKNOWN
        opened.terminate()
        assert opened.health().condition is Condition.OFFLINE
    wait_until(libvirtd_is_idle)
    assert qemu_pid(spec) == 0
    opened.forget()
    opened.close()


def test_the_start_of_a_killed_host_is_held_back_by_the_poll_so_that_it_can_be_told_what_runs(
    vm: Running, tmp_path: Path
) -> None:
    spec = make_spec(tmp_path)
    other = OtherHost(spec)
    other.kill()  # Between the definition and the start: for who comes after it, that is the same.
    opened = vm.type.open(spec)
    assert opened.health() == Health(Condition.UNKNOWN, opened.health().why, running=True)
    assert vm.type.is_alive([spec.name])[spec.name].condition is Condition.OFFLINE
    # So it is what may still come: it starts nothing.
    with pytest.raises(subprocess.CalledProcessError):
        virsh("start", spec.identity)
    assert qemu_pid(spec) == 0
    # The cluster itself starts it all the same.
    opened.online(lambda _: None)
    assert qemu_pid(spec) != 0
    assert opened.health().condition is Condition.ONLINE
    # And ever after it is stopped as carefully, until the daemon is another one.
    opened.terminate()
    assert opened.health().condition is Condition.OFFLINE
    with no_libvirtd():
        pass
    wait_until(lambda: virsh("domstate", spec.identity) == "shut off")
    opened.online(lambda _: None)
    opened.terminate()
    assert notes(spec) == []
    opened.forget()
    opened.close()


def test_a_start_whose_connection_broke_while_libvirtd_hung_is_not_forgotten(vm: Running, tmp_path: Path) -> None:
    spec = make_spec(tmp_path)
    opened = vm.type.open(spec)
    failed: list[str] = []

    def start() -> None:
        try:
            opened.online(lambda _: None)
        except (CannotStart, RuntimeError) as error:
            failed.append(str(error))

    with frozen_libvirtd():
        starting = threading.Thread(target=start)
        starting.start()
        starting.join(HANG_S)  # The keepalive gives up the connection, and what was asked for is still in the daemon.
        assert failed
        assert opened.health().condition is Condition.UNKNOWN
    opened.terminate()
    wait_until(libvirtd_is_idle)
    assert qemu_pid(spec) == 0
    opened.forget()
    opened.close()


def test_a_start_that_libvirt_has_answered_leaves_no_note(vm: Running) -> None:
    assert notes(vm.spec) == []


def test_notes_of_starts_that_nobody_can_carry_out_any_more_are_cleared_away(vm: Running, tmp_path: Path) -> None:
    spec = make_spec(tmp_path)
    OtherHost(spec).kill()
    assert notes(spec) != []
    with no_libvirtd():
        VmType(RecordingHost()).close()
    assert notes(spec) == []
    wait_until(lambda: vm.is_alive() == Health(Condition.ONLINE, running=True))
    virsh("undefine", spec.identity)


def test_a_poll_calls_nothing_off_while_a_process_has_its_uuid_whatever_libvirt_says(
    vm: Running, tmp_path: Path
) -> None:
    spec = make_spec(tmp_path)
    with frozen_libvirtd():
        opened = vm.type.open(spec)
        assert opened.health().condition is Condition.UNKNOWN
    sleeper = [sys.executable, "-c", "import sys; sys.stdin.read()", "-uuid", spec.identity]
    with subprocess.Popen(sleeper, stdin=subprocess.PIPE) as process:
        health = vm.type.is_alive([spec.name])[spec.name]
        assert (health.condition, health.running) == (Condition.UNKNOWN, True)
        process.kill()
    opened.close()
