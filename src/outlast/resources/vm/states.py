"""What does libvirt's word, or QEMU's end, mean for the health of a VM?

Tables only, no I/O. "Meant so" is what separates OFFLINE from FAILED: a guest that shut down and an administrator who
switched a VM off are not to be healed; a QEMU that was killed or crashed is.
"""

import os
import signal

import libvirt
import msgspec

from outlast.plugin import Condition, EndedBy, Halt, Health

ONLINE = Health(Condition.ONLINE, running=True)
NOT_LOOKED_AT = Health(Condition.UNKNOWN, "not looked at yet", running=True)
NOT_RUNNING = Health(Condition.OFFLINE, "it is not running", unexplained=True)
NOT_DEFINED = Health(Condition.OFFLINE, "it is not defined on this node", unexplained=True)
STOPPED_BY_US = Health(Condition.OFFLINE, "stopped by the cluster")
GUEST_SHUT_DOWN = Health(Condition.OFFLINE, "the guest shut down", ended_by=EndedBy.GUEST)
VANISHED = Health(Condition.FAILED, "it ended, and libvirt does not know why")
PANICKED = Health(Condition.FAILED, "the guest crashed (panic); QEMU is kept as it is", running=True, halt=Halt.PANIC)
WATCHDOG_OFF = Health(Condition.FAILED, "its watchdog device switched it off: the guest hung")


NO_SPACE = "enospc"
IS_SAVED = (libvirt.VIR_DOMAIN_SHUTOFF, libvirt.VIR_DOMAIN_SHUTOFF_SAVED)
IO_PAUSED = (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_IOERROR)
WATCHDOG_ACTIONS = {
    libvirt.VIR_DOMAIN_EVENT_WATCHDOG_NONE: "nothing is done",
    libvirt.VIR_DOMAIN_EVENT_WATCHDOG_PAUSE: "it is paused",
    libvirt.VIR_DOMAIN_EVENT_WATCHDOG_RESET: "it is reset",
    libvirt.VIR_DOMAIN_EVENT_WATCHDOG_POWEROFF: "it is switched off",
    libvirt.VIR_DOMAIN_EVENT_WATCHDOG_SHUTDOWN: "it is shut down",
    libvirt.VIR_DOMAIN_EVENT_WATCHDOG_DEBUG: "nothing is done",
    libvirt.VIR_DOMAIN_EVENT_WATCHDOG_INJECTNMI: "its guest is sent an NMI",
}
WATCHDOG_ENDS = (libvirt.VIR_DOMAIN_EVENT_WATCHDOG_POWEROFF, libvirt.VIR_DOMAIN_EVENT_WATCHDOG_SHUTDOWN)
STARTS_UP = (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_STARTING_UP)
NO_QEMU = Health(Condition.UNKNOWN, "libvirt says that it runs, but no QEMU was found", running=True)
START_MAY_COME = Health(Condition.UNKNOWN, "libvirt may still carry out a start that it has not answered", running=True)


def _online(why: str) -> Health:
    return Health(Condition.ONLINE, why, running=True)


RECOVERING = _online("the guest crashed (panic) and recovers by itself")
_CONSOLE_OFF = Health(Condition.OFFLINE, "switched off from the host's console", ended_by=EndedBy.CONSOLE)
MIGRATED = Health(Condition.OFFLINE, "migrated away from this node", moved_away=True)
SAVED = Health(Condition.OFFLINE, "saved from the host's console")
_SNAPSHOT = Health(Condition.OFFLINE, "reverted to a snapshot of a switched-off VM")
_CRASHED = Health(Condition.FAILED, "the guest crashed (panic)", halt=Halt.PANIC)
_FAILED = Health(Condition.FAILED, "QEMU ended unexpectedly")

_SHUTOFF = {
    libvirt.VIR_DOMAIN_SHUTOFF_SHUTDOWN: GUEST_SHUT_DOWN,
    libvirt.VIR_DOMAIN_SHUTOFF_DESTROYED: _CONSOLE_OFF,
    libvirt.VIR_DOMAIN_SHUTOFF_CRASHED: _CRASHED,
    libvirt.VIR_DOMAIN_SHUTOFF_MIGRATED: MIGRATED,
    libvirt.VIR_DOMAIN_SHUTOFF_SAVED: SAVED,
    libvirt.VIR_DOMAIN_SHUTOFF_FAILED: _FAILED,
    libvirt.VIR_DOMAIN_SHUTOFF_FROM_SNAPSHOT: _SNAPSHOT,
    libvirt.VIR_DOMAIN_SHUTOFF_DAEMON: VANISHED,
}

_STOPPED = {
    libvirt.VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN: GUEST_SHUT_DOWN,
    libvirt.VIR_DOMAIN_EVENT_STOPPED_DESTROYED: _CONSOLE_OFF,
    libvirt.VIR_DOMAIN_EVENT_STOPPED_CRASHED: _CRASHED,
    libvirt.VIR_DOMAIN_EVENT_STOPPED_MIGRATED: MIGRATED,
    libvirt.VIR_DOMAIN_EVENT_STOPPED_SAVED: SAVED,
    libvirt.VIR_DOMAIN_EVENT_STOPPED_FAILED: _FAILED,
    libvirt.VIR_DOMAIN_EVENT_STOPPED_FROM_SNAPSHOT: _SNAPSHOT,
}


def _standing(why: str, halt: Halt = Halt.PAUSED) -> Health:
    return Health(Condition.ONLINE, why, running=True, stands=True, halt=halt)


def io_error(disk: str = "", reason: str = "") -> Health:
    """`disk`: its place on the node, or what libvirt calls it. `reason`: QEMU's word; only for want of space it has
    one."""
    full = reason == NO_SPACE
    words = f"an I/O error of its disk {disk}" if disk else "an I/O error of one of its disks"
    return _standing(
        f"paused by {words}" + (" (no space left)" if full else ""), Halt.NO_SPACE if full else Halt.IO_ERROR
    )


ARRIVES = msgspec.structs.replace(_standing("another node hands it over"), arrives=True)
HELD = _standing("it stands still until it is known whose it is")

_PAUSED = {
    libvirt.VIR_DOMAIN_PAUSED_USER: msgspec.structs.replace(_standing("paused from the host's console"), paused=True),
    libvirt.VIR_DOMAIN_PAUSED_MIGRATION: _standing("paused by a migration"),
    libvirt.VIR_DOMAIN_PAUSED_SAVE: _standing("paused while its state is saved"),
    libvirt.VIR_DOMAIN_PAUSED_DUMP: _standing("paused while its memory is dumped"),
    libvirt.VIR_DOMAIN_PAUSED_IOERROR: io_error(),
    libvirt.VIR_DOMAIN_PAUSED_WATCHDOG: _standing("paused by its watchdog: the guest hangs"),
    libvirt.VIR_DOMAIN_PAUSED_SNAPSHOT: _standing("paused while a snapshot is taken"),
    libvirt.VIR_DOMAIN_PAUSED_CRASHED: PANICKED,
    # A guest that another node hands over begins like that, too: nothing of it runs yet.
    libvirt.VIR_DOMAIN_PAUSED_STARTING_UP: _standing("it is starting"),
    libvirt.VIR_DOMAIN_PAUSED_POSTCOPY: _standing("paused by a migration"),
    libvirt.VIR_DOMAIN_PAUSED_POSTCOPY_FAILED: Health(
        Condition.FAILED, "its migration broke off half-way; its memory is lost", running=True
    ),
}

_STILL_ARRIVES = msgspec.structs.replace(_PAUSED[libvirt.VIR_DOMAIN_PAUSED_MIGRATION], arrives=True)
_SUSPENDED = {
    libvirt.VIR_DOMAIN_EVENT_SUSPENDED_PAUSED: _PAUSED[libvirt.VIR_DOMAIN_PAUSED_USER],
    libvirt.VIR_DOMAIN_EVENT_SUSPENDED_MIGRATED: _PAUSED[libvirt.VIR_DOMAIN_PAUSED_MIGRATION],
    libvirt.VIR_DOMAIN_EVENT_SUSPENDED_IOERROR: _PAUSED[libvirt.VIR_DOMAIN_PAUSED_IOERROR],
    libvirt.VIR_DOMAIN_EVENT_SUSPENDED_WATCHDOG: _PAUSED[libvirt.VIR_DOMAIN_PAUSED_WATCHDOG],
    libvirt.VIR_DOMAIN_EVENT_SUSPENDED_FROM_SNAPSHOT: _PAUSED[libvirt.VIR_DOMAIN_PAUSED_SNAPSHOT],
    libvirt.VIR_DOMAIN_EVENT_SUSPENDED_POSTCOPY: _PAUSED[libvirt.VIR_DOMAIN_PAUSED_POSTCOPY],
    libvirt.VIR_DOMAIN_EVENT_SUSPENDED_POSTCOPY_FAILED: _PAUSED[libvirt.VIR_DOMAIN_PAUSED_POSTCOPY_FAILED],
}

_MEANT_TO_END = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
"""With these QEMU ends in order, and libvirt's `destroy` begins with one: only libvirt can tell who meant what."""


def is_active(state: int) -> bool:
    """Whether libvirt has a QEMU for it (a crashed guest's QEMU may be kept)."""
    return state not in (libvirt.VIR_DOMAIN_SHUTOFF, libvirt.VIR_DOMAIN_NOSTATE)


def of_state(state: int, reason: int, *, incoming: bool = False) -> Health:
    """What a poll says. `incoming`: its QEMU was started to receive what another node hands over."""
    if incoming and (state, reason) == (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_STARTING_UP):
        return ARRIVES
    match state:
        case libvirt.VIR_DOMAIN_PAUSED if incoming and reason == libvirt.VIR_DOMAIN_PAUSED_MIGRATION:
            return _STILL_ARRIVES  # libvirt (9.0) has it so until it is complete
        case libvirt.VIR_DOMAIN_PAUSED:
            return _PAUSED.get(reason, _standing("paused"))
        case libvirt.VIR_DOMAIN_SHUTDOWN:
            return _online("it is shutting down")
        case libvirt.VIR_DOMAIN_PMSUSPENDED:
            return _online("the guest sleeps")
        case libvirt.VIR_DOMAIN_CRASHED:
            return PANICKED
        case libvirt.VIR_DOMAIN_SHUTOFF:
            return _SHUTOFF.get(reason, NOT_RUNNING)
        case libvirt.VIR_DOMAIN_NOSTATE:
            return Health(Condition.UNKNOWN, "libvirt does not know its state", running=True)
    return ONLINE


def of_stop(detail: int, *, ended_by_host: bool) -> Health:
    """What the event "stopped" says. `ended_by_host`: QEMU had said that the host, not the guest, told it to end."""
    if ended_by_host and detail == libvirt.VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN:
        # Not through libvirt, or the detail were another one: a stray `kill`, a helper against lack of memory.
        return Health(Condition.FAILED, "QEMU was told to end, by a signal or its monitor")
    return _STOPPED.get(detail, _FAILED)


def of_suspension(detail: int) -> Health:
    return _SUSPENDED.get(detail, _standing("paused"))


def of_end(status: int | None, *, guest_shut_down: bool) -> Health | None:
    """What the end of QEMU's process says by itself; None when only libvirt can tell what it means."""
    if status is None:
        return GUEST_SHUT_DOWN if guest_shut_down else None
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number in _MEANT_TO_END:
            return GUEST_SHUT_DOWN if guest_shut_down else None
        name = signal.strsignal(number) or "unknown"
        return Health(Condition.FAILED, f"QEMU was ended by signal {number} ({name})")
    if code := os.WEXITSTATUS(status):
        return Health(Condition.FAILED, f"QEMU ended with exit code {code}")
    return GUEST_SHUT_DOWN if guest_shut_down else None
