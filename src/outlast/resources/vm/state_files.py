"""The files with states of VMs: are they whole, are the disks still as they were left, what was saved past the cluster?

`virsh managedsave` puts a state where libvirt alone looks for it, and libvirt throws it away with the next start that
does not go on from it, and when the VM is undefined. So it gets a second name here as soon as it is seen, and is a
state like any other from then on: but on this node only.
"""

import contextlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from outlast.plugin import Json, SavedState

MANAGED = Path("/var/lib/libvirt/qemu/save")
"""Where libvirt has what `virsh managedsave` saves."""
MIB = 1024 * 1024
_WHOLE = b"LibvirtQemudSave"
"""The first bytes of a file that libvirt has written to its end; before, they are others."""


def managed(uuid: str, name: str, disks: Iterable[str]) -> SavedState | None:
    """What `virsh managedsave` has left here of that VM; None: nothing that is whole."""
    image = MANAGED / f"{name}.save"
    if not is_whole(image):
        return None
    try:
        id = f"by-hand-{image.stat().st_mtime_ns}"
        path = MANAGED / f"outlast-{uuid}-{id}.state"
        with contextlib.suppress(FileExistsError):
            os.link(image, path)
        size_mib = -(-path.stat().st_size // MIB)
    except OSError:
        return None  # somebody is just throwing it away
    return SavedState(id, str(path), size_mib, witness=stamps([*disks, str(path)]))


def is_whole(path: Path) -> bool:
    try:
        with open(path, "rb") as file:
            return file.read(len(_WHOLE)) == _WHOLE
    except OSError:
        return False


def stamps(paths: Iterable[str]) -> Mapping[str, Json]:
    found: dict[str, Json] = {}
    for path in paths:
        with contextlib.suppress(OSError):
            told = os.stat(path)
            found[path] = [told.st_size, told.st_mtime_ns]
    return found


def write_through(path: Path) -> None:
    """Whoever reads it on another node, or after a loss of power, finds all of it."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
