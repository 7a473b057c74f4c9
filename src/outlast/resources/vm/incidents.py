"""What does libvirt tell of what happens to VMs as they run, beside their coming and going? Passes it on to the VM."""

import json
import threading
from collections.abc import Callable

import libvirt

from outlast.resources.vm.connection import RESET
from outlast.resources.vm.domain import VmDomain
from outlast.resources.vm.resets import ResetBy


class Incidents:
    """In libvirt's event thread; must not call libvirt."""

    def __init__(self, domain_of: Callable[[str], VmDomain | None]) -> None:
        self._domain_of = domain_of

    def told_by_qemu(self, uuid: str, event: str, details: str) -> None:
        domain = self._domain_of(uuid)
        if domain is None:
            return
        if event == RESET:
            domain.sight.on_reset(_reset_by(details), ours=domain.guest.was_just_reset)
        else:
            domain.sight.resets.it_shuts_down()

    def rebooted(self, uuid: str) -> None:
        domain = self._domain_of(uuid)
        if domain is not None:
            domain.sight.on_reset(ResetBy.ANYBODY, ours=domain.guest.was_just_reset)

    def watchdog(self, uuid: str, action: int) -> None:
        domain = self._domain_of(uuid)
        if domain is not None:
            domain.sight.on_watchdog(action)

    def io_error(self, uuid: str, disk: str, action: int, reason: str) -> None:
        domain = self._domain_of(uuid)
        if domain is not None and action == libvirt.VIR_DOMAIN_EVENT_IO_ERROR_PAUSE:
            domain.sight.on_io_error(disk, reason)

    def device(self, uuid: str, alias: str, *, attached: bool) -> None:
        domain = self._domain_of(uuid)
        if domain is not None:
            tell = threading.Thread(
                target=domain.sight.attached.changed,
                args=(alias,),
                kwargs={"attached": attached},
                name=f"{domain.libvirt_name} {alias}",
                daemon=True,
            )
            tell.start()


def _reset_by(details: str) -> ResetBy:
    by_guest = json.loads(details or "{}").get("guest")
    if by_guest is None:
        return ResetBy.ANYBODY
    return ResetBy.GUEST if by_guest else ResetBy.HOST
