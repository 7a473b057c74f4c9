"""What libvirt's word and QEMU's end mean, by example."""

import libvirt
import pytest

from outlast.plugin import Condition
from outlast.resources.vm import states

KILLED, SEGFAULT, TERMINATED = 9, 11, 15
EXIT_1 = 1 << 8
IN_ORDER = 0


@pytest.mark.parametrize("status", [KILLED, SEGFAULT, EXIT_1])
def test_an_end_that_nobody_can_have_meant_is_failed_at_once(status: int) -> None:
    health = states.of_end(status, guest_shut_down=False)
    assert health is not None
    assert health.condition is Condition.FAILED
    assert not health.running


@pytest.mark.parametrize("status", [IN_ORDER, TERMINATED, None])
def test_an_end_in_order_waits_for_libvirts_word(status: int | None) -> None:
    assert states.of_end(status, guest_shut_down=False) is None


@pytest.mark.parametrize("status", [IN_ORDER, TERMINATED, None])
def test_an_end_in_order_after_the_guest_shut_down_is_told_at_once(status: int | None) -> None:
    assert states.of_end(status, guest_shut_down=True) == states.GUEST_SHUT_DOWN


def test_a_qemu_that_is_killed_while_its_guest_shuts_down_is_failed() -> None:
    health = states.of_end(KILLED, guest_shut_down=True)
    assert health is not None
    assert health.condition is Condition.FAILED


def stop_of(name: str, *, ended_by_host: bool = False) -> Condition:
    detail = getattr(libvirt, f"VIR_DOMAIN_EVENT_STOPPED_{name}")
    return states.of_stop(detail, ended_by_host=ended_by_host).condition


def test_only_what_somebody_meant_is_offline() -> None:
    meant = {"SHUTDOWN", "DESTROYED", "MIGRATED", "SAVED", "FROM_SNAPSHOT"}
    assert {name: stop_of(name) for name in meant} == dict.fromkeys(meant, Condition.OFFLINE)
    assert {stop_of("CRASHED"), stop_of("FAILED")} == {Condition.FAILED}


def test_a_stray_signal_to_qemu_is_no_shutdown_but_virsh_destroy_is_meant_although_it_uses_one() -> None:
    assert stop_of("SHUTDOWN", ended_by_host=True) is Condition.FAILED
    assert stop_of("DESTROYED", ended_by_host=True) is Condition.OFFLINE
    assert stop_of("MIGRATED", ended_by_host=True) is Condition.OFFLINE


def test_a_stop_that_this_version_does_not_know_is_failed_and_not_taken_for_meant() -> None:
    assert states.of_stop(999, ended_by_host=False).condition is Condition.FAILED


def test_every_active_state_says_that_something_runs() -> None:
    names = [name for name in dir(libvirt) if name.startswith("VIR_DOMAIN_PAUSED_") and not name.endswith("_LAST")]
    for name in names:
        health = states.of_state(libvirt.VIR_DOMAIN_PAUSED, getattr(libvirt, name))
        assert health.running, name
        assert health.why, name
    for state in (libvirt.VIR_DOMAIN_RUNNING, libvirt.VIR_DOMAIN_SHUTDOWN, libvirt.VIR_DOMAIN_CRASHED):
        assert states.of_state(state, 0).running


def test_no_switched_off_state_says_that_something_runs() -> None:
    names = [name for name in dir(libvirt) if name.startswith("VIR_DOMAIN_SHUTOFF_") and not name.endswith("_LAST")]
    for name in names:
        assert not states.of_state(libvirt.VIR_DOMAIN_SHUTOFF, getattr(libvirt, name)).running, name


def test_what_libvirt_is_just_starting_stands_still_so_that_what_is_handed_over_is_not_taken_for_running() -> None:
    assert states.of_state(*states.STARTS_UP).stands
    assert states.ARRIVES.stands
    assert not states.of_state(libvirt.VIR_DOMAIN_RUNNING, libvirt.VIR_DOMAIN_RUNNING_MIGRATED).stands
