"""What was attached to a VM, or detached from it, as it runs?

libvirt's events name a device by its alias only. What it is stands in the definition of what runs, and no more there
once it is detached: so that is looked at once for each start, and again when something is attached.
"""

import contextlib
import threading
from collections.abc import Callable
from xml.etree import ElementTree

import libvirt

from outlast.plugin import Incident, Refusal
from outlast.resources.vm import definition
from outlast.resources.vm.connection import NoAnswer


class Attached:
    """Of one VM. `ask` gives its XML as it runs, and may raise what libvirt does; `tell` tells the cluster."""

    def __init__(self, ask: Callable[[], str], tell: Callable[[Incident, str], None]) -> None:
        self._ask = ask
        self._tell = tell
        self._lock = threading.Lock()
        self._names: dict[str, str] = {}
        self.seen = False

    def it_starts(self) -> None:
        self.seen = False

    def look(self, xml: str) -> None:
        self._names, self.seen = devices(xml), True

    def changed(self, alias: str, *, attached: bool) -> None:
        """libvirt is asked: not to be called in its event thread."""
        with self._lock:
            if attached:
                with contextlib.suppress(libvirt.libvirtError, NoAnswer, Refusal):
                    self.look(self._ask())
                words = "had {} attached to it as it runs, from the host's console"
                name = self._names.get(alias)
            else:
                # Its guest can give a device back as well, and nobody tells who it was.
                words = "had {} detached from it as it runs, from the host's console or by its guest"
                name = self._names.pop(alias, None)
        self._tell(Incident.DEVICES, words.format(name or f"the device {alias}"))


def devices(xml: str) -> dict[str, str]:
    """Of what runs: by libvirt's alias what each is, for people."""
    found: dict[str, str] = {}
    for device in definition.root_of(xml).iterfind("devices/*"):
        alias = device.find("alias")
        if alias is not None:
            found[alias.get("name", "")] = _words(device, alias.get("name", ""))
    return found


def _words(device: ElementTree.Element, alias: str) -> str:
    match device.tag:
        case "disk":
            disk = definition.disk(device)
            return f"the {disk['device']} {disk['path'] or 'without a medium'} ({disk['target']})"
        case "interface":
            mac = device.find("mac")
            joined = definition.joined_to(device)
            to = f" on {joined[1]}" if joined else ""
            return f"the network adapter {mac.get('address', '') if mac is not None else alias}{to}"
    return f"the {device.tag} {alias}"
