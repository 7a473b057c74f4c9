"""Who had a VM begin anew: its guest, somebody at the host's console, or the cluster?

libvirt has one event for all of them, which does not say. QEMU says whether the guest asked for the reset or QEMU was
told to, and libvirt passes that on. Seen with libvirt 9.0 and QEMU 7.2:

- `virsh reset`: QEMU was told to.
- `virsh reboot` by ACPI: the guest shuts down, and libvirt resets it then. So libvirt does by itself when the
  definition says `on_poweroff` restart, and, with no shutdown before it, after a panic, with `on_crash` restart.
- `virsh reboot` by the guest agent is the guest's own reboot to everybody else.
- Firmware that begins anew may reset once or twice more by itself, in the guest's name. When the guest's agent
  answers, its firmware is done.
"""

import enum
import math

from outlast.plugin import Incident
from outlast.resources.vm import definition

_ONE_RESET_S = 10.0
"""So long after a reset or a start the firmware may reset it again; normally half a second."""

FROM_CONSOLE = "was reset from the host's console"
REBOOTED_FROM_CONSOLE = "was rebooted from the host's console"
BY_GUEST = "was rebooted by its guest"
BY_GUEST_OR_AGENT = "was rebooted by its guest, or from the host's console through its guest agent"
BY_WATCHDOG = "was reset by its watchdog device"
SHUT_DOWN = (
    "shut down and begins anew: its definition says so (on_poweroff), or it was rebooted from the host's console"
)
BY_ANYBODY = "was rebooted, by its guest or at the host's console"


class ResetBy(enum.Enum):
    GUEST = "guest"
    HOST = "host"
    ANYBODY = "anybody"
    """It is not told."""


class Resets:
    """Of one VM."""

    def __init__(self, xml: str) -> None:
        self._xml = xml
        self._last_s = -math.inf
        self._forget()

    def _forget(self) -> None:
        self._shut_down = self._recovers = self._watchdog = False

    def it_starts(self, now_s: float) -> None:
        self._last_s = now_s
        self._forget()

    def its_guest_is_up(self) -> None:
        """What comes from here on is no firmware's doing."""
        self._last_s = -math.inf

    def it_shuts_down(self) -> None:
        self._shut_down = True

    def libvirt_resets_it(self) -> None:
        """It has panicked."""
        self._recovers = True

    def its_watchdog_resets_it(self) -> None:
        self._watchdog = True

    def told(self, by: ResetBy, now_s: float, *, ours: bool) -> tuple[Incident, str] | None:
        """It is reset: what to tell. None: nothing, it is the cluster's doing, or part of what was told."""
        found = self._told(by, now_s, ours=ours)
        self._last_s = now_s if found or ours or by is ResetBy.HOST else self._last_s
        self._forget()
        return found

    def _told(self, by: ResetBy, now_s: float, *, ours: bool) -> tuple[Incident, str] | None:
        match by:
            case ResetBy.HOST:
                if ours or self._recovers:
                    return None
                if not self._shut_down:
                    return Incident.RESET, FROM_CONSOLE
                if definition.on_poweroff(self._xml) == "restart":
                    return Incident.REBOOTED, SHUT_DOWN
                return Incident.RESET, REBOOTED_FROM_CONSOLE
            case ResetBy.ANYBODY:
                return None if ours else (Incident.REBOOTED, BY_ANYBODY)
        if self._watchdog:
            return Incident.REBOOTED, BY_WATCHDOG
        if now_s - self._last_s < _ONE_RESET_S:
            return None
        return Incident.REBOOTED, BY_GUEST_OR_AGENT if definition.has_agent(self._xml) else BY_GUEST
