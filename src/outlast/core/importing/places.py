"""Where do a source's disks and networks lie here?

A volume's name means something on the machine that it comes from only. Nothing is guessed: what has no place is
missing, and an import that misses something is refused with the list. A VM on the wrong disk or in the wrong network is
worse than none.
"""

import re
from collections.abc import Iterable, Mapping

import msgspec

from outlast.model.imported import Finding, Level

BLOCK = "/dev/"
_FORMATS = {".qcow2": "qcow2", ".vmdk": "vmdk", ".qed": "qed", ".vdi": "vdi", ".vhd": "vpc", ".vhdx": "vhdx"}
"""All but the last are formats that libvirt has a word for."""


class NotImportable(Exception):
    """It cannot be taken in as it is. The text is for people, and says what to do."""


class Places(msgspec.Struct, frozen=True):
    storages: Mapping[str, str] = msgspec.field(default_factory=dict)
    """A storage's name to the directory that it is here."""
    disks: Mapping[str, str] = msgspec.field(default_factory=dict)
    """A volume, a disk's file or a device's name to a path here."""
    bridges: Mapping[str, str] = msgspec.field(default_factory=dict)
    """A bridge or virtual switch, or `BRIDGE.TAG` for one VLAN of it, to a bridge here."""

    def disk(self, *names: str) -> str:
        """The path for whichever of its names was given one; "" for none."""
        return next((self.disks[name] for name in names if name in self.disks), "")


def kept(what: str, words: str) -> Finding:
    return Finding(what, Level.KEPT, words)


def changed(what: str, words: str) -> Finding:
    return Finding(what, Level.CHANGED, words)


def lost(what: str, words: str) -> Finding:
    return Finding(what, Level.LOST, words)


def refuse_missing(name: str, missing: Iterable[str]) -> None:
    """`missing`: each what it is, and the option that says where it lies."""
    if found := list(missing):
        raise NotImportable(f'cannot take in "{name}" before it is said where these lie here: {"; ".join(found)}')


def refuse_bad_name(name: str) -> None:
    if not name:
        raise NotImportable("the file gives the VM no name; say --name NAME")
    if "/" in name or not name.isprintable():
        raise NotImportable(f'libvirt allows no such name for a VM as "{name}"; say --name NAME')


def image_format(path: str) -> str:
    """By the end of the file's name; what says nothing is raw."""
    suffix = path[path.rfind(".") :].lower() if "." in path.rpartition("/")[2] else ""
    return "raw" if path.startswith(BLOCK) else _FORMATS.get(suffix, "raw")


def printable(text: str) -> str:
    """XML has no letters for control characters."""
    return "".join(letter for letter in text if letter.isprintable() or letter in "\n\t")


def mac(text: str) -> str:
    """With colons, as libvirt wants it; "" when it is none, or one for several."""
    digits = re.sub("[:.-]", "", text).lower()
    if not re.fullmatch("[0-9a-f]{12}", digits) or digits == "0" * 12 or int(digits[1], 16) % 2:
        return ""
    return ":".join(digits[place : place + 2] for place in range(0, 12, 2))
