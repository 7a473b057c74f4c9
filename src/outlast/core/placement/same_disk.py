"""Is what a node sees at a path the disk that another node has there? For disks that are files, a probe tells
(`service/hosting/looking.py`); block devices are told apart by what identifies them on every node."""

from collections.abc import Mapping

import msgspec

from outlast.model.group import Blind

KINDS = ("dm", "md", "wwid", "wwn", "serial")
"""Identifiers of a block device, the surest first; the first that both nodes know decides."""


class Disk(msgspec.Struct, frozen=True):
    """One disk of a definition, as one node sees it (the plugin's verb `disks`)."""

    source: str
    """As the definition names it: a path, or pool/volume."""
    path: str = ""
    """Where it is on that node."""
    there: bool = True
    block: bool = False
    ids: Mapping[str, str] = msgspec.field(default_factory=dict)
    written: bool = True
    """The VM writes to it: then the same path must be the same disk. What is only read need only be there."""


def judge(mine: Disk, other: Disk, home: str) -> Blind | None:
    """Why the disk of the node `home` is not seen where it looks like `other`; None: nothing speaks against it."""
    disk = mine.source
    if not other.there:
        return Blind(f"it does not see the disk {disk}: nothing is there", disk)
    if not mine.written or not mine.there:
        return None
    if mine.block is not other.block:
        kinds = ("a block device", "a file") if mine.block else ("a file", "a block device")
        return Blind(f"it does not see the disk {disk} of {home}, which is {kinds[0]}: there it is {kinds[1]}", disk)
    if not mine.block:
        return None
    kind = next((kind for kind in KINDS if kind in mine.ids and kind in other.ids), "")
    if not kind:
        words = (
            f"the block device {disk} cannot be compared with that of {home}: they tell no identifier that both know"
        )
        return Blind(words, disk, doubt=True)
    if mine.ids[kind] == other.ids[kind]:
        return None
    told = f"its {kind} is {other.ids[kind]}, and {mine.ids[kind]} on {home}"
    return Blind(f"it does not see the disk {disk} of {home}: another one is there ({told})", disk)
