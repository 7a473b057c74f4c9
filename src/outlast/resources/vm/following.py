"""Was a VM's definition changed on this node, and not by the cluster?

What libvirt has is never the text that it was given: it adds addresses, controllers and defaults. So what it made of a
stored definition is remembered right after we defined it (below /run, as a digest), and what differs from that is
somebody else's change, also one that was made while no resource host watched. What was never defined by us since this
node got its power, counts as it is found.

libvirt (9.0) tells by an event when a VM is defined anew, and by none when `--config` attaches a disk or changes a
size. But it writes each definition to a file of its own, in one directory, whose time of change is looked at.
"""

import contextlib
import hashlib
import threading
from pathlib import Path

import libvirt
import msgspec

from outlast.plugin import Redefinition, Refusal, Spec
from outlast.resources.vm import definition

XML_FLAGS = libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE | libvirt.VIR_DOMAIN_XML_MIGRATABLE
"""As `inspect` gives it: what is kept of a VM, without what only this node has added."""
FILES = Path("/etc/libvirt/qemu")
"""Where libvirt keeps the definitions of `qemu:///system`."""
MADE = Path("/run/outlast-vm-definitions")
GONE = ""
"""In place of an XML: it has no definition on this node."""
UNDEFINED = "it was undefined; its next start defines it again"
_KEPT = 8
_NOT_SEEN = "not seen"


def stamp(path: Path) -> int:
    """Another one when the file was replaced, or something in the directory was."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


class Following:
    """The definition of one open VM."""

    def __init__(self, spec: Spec, uuid: str, name: str) -> None:
        self.lock = threading.Lock()
        """Held while libvirt is asked or told and its answer judged, so that answers are judged in their order."""
        self.to_be_seen = True
        """Something may have changed since it was looked at."""
        self.file = FILES / f"{name}.xml"
        self.seen_stamp = stamp(self.file)
        self._name = name
        self._stored = _digest(spec.definition)
        self._known = _NOT_SEEN
        """The digest of what the cluster has been told, or has defined."""
        self._was = definition.features(spec.definition)
        self._path = MADE / uuid

    def defined(self, xml: str) -> None:
        """We have defined it as it is stored, and libvirt made this of it."""
        self._known = _digest(xml)
        self._was = definition.features(xml)
        self._remember(self._stored, self._known)

    def forgotten(self) -> None:
        self._known = _digest(GONE)
        self._path.unlink(missing_ok=True)

    def found(self, xml: str) -> Redefinition | None:
        """What is to be told of the definition that it has now; None: nothing."""
        self.to_be_seen = False
        digest = _digest(xml)
        if digest == self._known or (xml != GONE and definition.is_inert(xml)):
            return None
        if self._known == _NOT_SEEN:
            made = self._remembered().get(self._stored)
            if made in (None, digest) or xml == GONE:
                self._known = digest
                if xml != GONE:
                    self._remember(self._stored, digest)
                return None
        self._known = digest
        if xml == GONE:
            return Redefinition(GONE, self._was, self._was, UNDEFINED)
        self._remember(digest, digest)
        was, problem = self._was, self._problem(xml)
        if not problem:
            self._was = definition.features(xml)
        return Redefinition(xml, was, definition.features(xml), problem)

    def _problem(self, xml: str) -> str:
        if (name := definition.name_of(xml)) != self._name:
            return f'it was renamed to "{name}"; a VM keeps its name as long as it is protected'
        try:
            definition.parse(xml)
        except Refusal as refusal:
            return str(refusal)
        return ""

    def _remembered(self) -> dict[str, str]:
        with contextlib.suppress(OSError, msgspec.DecodeError):
            return msgspec.json.decode(self._path.read_bytes(), type=dict[str, str])
        return {}

    def _remember(self, stored: str, made: str) -> None:
        known = {key: value for key, value in self._remembered().items() if key != stored}
        known = {**dict(list(known.items())[1 - _KEPT :]), stored: made}
        with contextlib.suppress(OSError):  # Then a change that nobody watches is not found.
            MADE.mkdir(mode=0o700, parents=True, exist_ok=True)
            new = self._path.with_suffix(".new")
            new.write_bytes(msgspec.json.encode(known))
            new.rename(self._path)


def _digest(xml: str) -> str:
    return hashlib.sha256(xml.encode()).hexdigest()
