"""What libvirt's events about what happens inside a VM come to. No libvirt is asked here."""

import libvirt
import pytest

from outlast.plugin import Condition, Halt, Health, Incident, Spec
from outlast.plugin_contract import RecordingHost
from outlast.resources.vm import qemu, states
from outlast.resources.vm.attached import Attached, devices
from outlast.resources.vm.connection import Connection
from outlast.resources.vm.resets import ResetBy, Resets
from outlast.resources.vm.sight import Sight

XML = "<domain type='qemu'><name>web</name></domain>"
POWEROFF, RESET = libvirt.VIR_DOMAIN_EVENT_WATCHDOG_POWEROFF, libvirt.VIR_DOMAIN_EVENT_WATCHDOG_RESET


@pytest.fixture
def host() -> RecordingHost:
    return RecordingHost()


@pytest.fixture
def sight(host: RecordingHost) -> Sight:
    return Sight(Spec("web", "vm", definition=XML), "u", Connection(), qemu.Watch(), host)


def shut_down(sight: Sight) -> None:
    sight.on_event(libvirt.VIR_DOMAIN_EVENT_SHUTDOWN, libvirt.VIR_DOMAIN_EVENT_SHUTDOWN_GUEST)
    sight.on_event(libvirt.VIR_DOMAIN_EVENT_STOPPED, libvirt.VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN)


def suspend(sight: Sight, detail: int) -> None:
    sight.on_event(libvirt.VIR_DOMAIN_EVENT_SUSPENDED, detail)


def test_a_guest_that_its_watchdog_device_switches_off_has_failed_and_did_not_shut_down(
    sight: Sight, host: RecordingHost
) -> None:
    sight.on_watchdog(POWEROFF)
    shut_down(sight)
    assert sight.health() == states.WATCHDOG_OFF
    assert host.incidents == [("web", Incident.WATCHDOG, "hung, says its watchdog device: it is switched off")]


def test_one_that_it_resets_may_shut_down_as_any_other_later(sight: Sight) -> None:
    sight.on_watchdog(RESET)
    shut_down(sight)
    assert sight.health() == states.GUEST_SHUT_DOWN


def test_what_a_watchdog_did_to_an_earlier_run_says_nothing_of_the_next(sight: Sight) -> None:
    sight.on_watchdog(POWEROFF)
    sight.a_start_begins()
    shut_down(sight)
    assert sight.health().condition is Condition.OFFLINE


def test_an_io_error_is_told_with_its_disk_and_reason_and_forgotten_when_it_goes_on(
    sight: Sight, host: RecordingHost
) -> None:
    sight.on_io_error("/srv/web.img", "enospc")
    suspend(sight, libvirt.VIR_DOMAIN_EVENT_SUSPENDED_IOERROR)
    health = sight.health()
    assert (health.halt, health.condition, health.running) == (Halt.NO_SPACE, Condition.ONLINE, True)
    assert health.why == "paused by an I/O error of its disk /srv/web.img (no space left)"
    sight.on_event(libvirt.VIR_DOMAIN_EVENT_RESUMED, 0)
    suspend(sight, libvirt.VIR_DOMAIN_EVENT_SUSPENDED_IOERROR)
    assert sight.health().halt is Halt.IO_ERROR
    assert sight.asks_for_io_error


def test_who_did_not_hear_of_it_asks_and_is_told(sight: Sight, host: RecordingHost) -> None:
    suspend(sight, libvirt.VIR_DOMAIN_EVENT_SUSPENDED_IOERROR)
    assert sight.asks_for_io_error
    sight.on_io_error("vda", "enospc")
    assert not sight.asks_for_io_error
    assert host.health[-1][1].halt is Halt.NO_SPACE


@pytest.mark.parametrize(
    ("health", "halt"),
    [
        (states.of_state(libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_USER), Halt.PAUSED),
        (states.of_state(libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_IOERROR), Halt.IO_ERROR),
        (states.of_state(libvirt.VIR_DOMAIN_CRASHED, 0), Halt.PANIC),
        (states.of_state(libvirt.VIR_DOMAIN_SHUTOFF, libvirt.VIR_DOMAIN_SHUTOFF_CRASHED), Halt.PANIC),
        (states.of_state(libvirt.VIR_DOMAIN_RUNNING, 0), Halt.NOTHING),
    ],
)
def test_what_has_stopped_it_is_told_apart(health: Health, halt: Halt) -> None:
    assert health.halt is halt


# -- who had it begin anew -------------------------------------------------------------------------------------------

AGENT = "<devices><channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel></devices>"
LATER_S = 60.0


def resets(more: str = "") -> Resets:
    made = Resets(XML.replace("</domain>", f"{more}</domain>"))
    made.it_starts(0.0)
    return made


def words(made: Resets, by: ResetBy, at_s: float = LATER_S, *, ours: bool = False) -> str:
    found = made.told(by, at_s, ours=ours)
    return found[1] if found else ""


def test_a_reset_from_outside_is_somebodys_at_the_console_if_it_is_not_ours() -> None:
    made = resets()
    assert made.told(ResetBy.HOST, LATER_S, ours=False) == (Incident.RESET, "was reset from the host's console")
    assert words(made, ResetBy.HOST, ours=True) == ""


def test_a_reset_from_outside_after_the_guest_shut_down_is_a_reboot() -> None:
    made = resets()
    made.it_shuts_down()
    assert words(made, ResetBy.HOST) == "was rebooted from the host's console"
    assert words(made, ResetBy.HOST) == "was reset from the host's console", "the next one is another story"


def test_nobody_is_blamed_for_what_libvirt_does_by_itself() -> None:
    made = resets("<on_poweroff>restart</on_poweroff>")
    made.it_shuts_down()
    found = made.told(ResetBy.HOST, LATER_S, ours=False)
    assert found is not None
    assert (found[0], "its definition says so" in found[1]) == (Incident.REBOOTED, True)
    made.libvirt_resets_it()
    assert words(made, ResetBy.HOST) == "", "the panic was told"


def test_a_guest_that_reboots_is_told_with_the_doubt_that_its_agent_leaves() -> None:
    assert resets().told(ResetBy.GUEST, LATER_S, ours=False) == (Incident.REBOOTED, "was rebooted by its guest")
    assert "from the host's console through its guest agent" in words(resets(AGENT), ResetBy.GUEST)


@pytest.mark.parametrize("by", [ResetBy.HOST, ResetBy.GUEST])
def test_what_firmware_does_right_after_a_reset_is_part_of_it(by: ResetBy) -> None:
    made = resets()
    assert words(made, by)
    assert words(made, ResetBy.GUEST, LATER_S + 1) == ""
    assert words(made, ResetBy.GUEST, LATER_S + 30)


def test_so_is_what_it_does_right_after_a_start_or_a_reset_of_ours() -> None:
    made = resets()
    assert words(made, ResetBy.GUEST, 1.0) == ""
    assert words(made, ResetBy.HOST, LATER_S, ours=True) == ""
    assert words(made, ResetBy.GUEST, LATER_S + 1) == ""


def test_a_guest_that_reboots_as_soon_as_it_is_up_is_told_of(host: RecordingHost) -> None:
    sight = Sight(Spec("web", "vm", definition=XML), "u", Connection(), qemu.Watch(), host)
    sight.on_event(libvirt.VIR_DOMAIN_EVENT_STARTED, libvirt.VIR_DOMAIN_EVENT_STARTED_BOOTED)
    sight.on_reset(ResetBy.GUEST, ours=False)
    assert host.incidents == [], "its firmware"
    sight.agent(True)
    sight.on_reset(ResetBy.GUEST, ours=False)
    assert [incident for _, incident, _ in host.incidents] == [Incident.REBOOTED]


def test_one_by_its_watchdog_device_is_not_its_guests_doing() -> None:
    made = resets()
    made.its_watchdog_resets_it()
    assert words(made, ResetBy.GUEST) == "was reset by its watchdog device"


def test_where_qemus_word_is_not_passed_on_nobody_is_named() -> None:
    assert words(resets(), ResetBy.ANYBODY) == "was rebooted, by its guest or at the host's console"
    assert words(resets(), ResetBy.ANYBODY, ours=True) == ""


def test_a_panic_that_libvirt_ends_with_a_reset_is_no_reset_by_hand(host: RecordingHost) -> None:
    xml = XML.replace("</domain>", "<on_crash>restart</on_crash></domain>")
    sight = Sight(Spec("web", "vm", definition=xml), "u", Connection(), qemu.Watch(), host)
    sight.on_event(libvirt.VIR_DOMAIN_EVENT_CRASHED, libvirt.VIR_DOMAIN_EVENT_CRASHED_PANICKED)
    sight.on_reset(ResetBy.HOST, ours=False)
    assert [incident for _, incident, _ in host.incidents] == [Incident.PANICKED]
    sight.on_reset(ResetBy.HOST, ours=False)
    assert host.incidents[-1][1] is Incident.RESET


# -- what is attached to it as it runs -------------------------------------------------------------------------------

DISK = "<disk type='file'><source file='/srv/b.img'/><target dev='sda'/><alias name='usb-disk0'/></disk>"
ADAPTER = """<interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='br0'/>
<alias name='net0'/></interface>"""
STICK = "<hostdev mode='subsystem' type='usb'><alias name='hostdev0'/></hostdev>"


def test_each_device_has_words_of_its_own() -> None:
    xml = f"<domain><devices><emulator/>{DISK}{ADAPTER}{STICK}</devices></domain>"
    assert devices(xml) == {
        "usb-disk0": "the disk /srv/b.img (sda)",
        "net0": "the network adapter 52:54:00:00:00:01 on br0",
        "hostdev0": "the hostdev hostdev0",
    }


def test_what_is_detached_has_the_name_under_which_it_was_seen_or_none() -> None:
    told: list[str] = []
    attached = Attached(lambda: f"<domain><devices>{DISK}</devices></domain>", lambda _, words: told.append(words))
    attached.changed("usb-disk0", attached=True)
    attached.changed("usb-disk0", attached=False)
    attached.changed("net0", attached=False)
    assert [words.partition(" as it runs")[0] for words in told] == [
        "had the disk /srv/b.img (sda) attached to it",
        "had the disk /srv/b.img (sda) detached from it",
        "had the device net0 detached from it",
    ]
    assert told[0].endswith("from the host's console")
    assert told[1].endswith("or by its guest"), "nobody tells which"
