"""Which disk is this block device? The same path may be another disk on another node: /dev/sdb is whatever came second.

What identifies it wherever it is attached: the World Wide Identifier that the disk itself tells, the UUID of the
device mapper (LVM, multipath) or of an array, else the serial number. Of a partition also its number. A device that
tells none of these cannot be compared.
"""

import errno
import mmap
import os
import stat
from collections.abc import Iterator
from pathlib import Path

Identity = dict[str, str]
"""Kind of identifier to its value; `core/placement/same_disk.py` knows which kind counts first."""

_UDEV = {"ID_WWN_WITH_EXTENSION": "wwn", "ID_SERIAL": "serial", "MD_UUID": "md"}
_BLOCK_BYTES = 4096
_MULTIPATH = "mpath-"


def is_block(path: str) -> bool:
    try:
        return stat.S_ISBLK(os.stat(path).st_mode)
    except OSError:
        return False


def read_first_block(path: str) -> None:
    """From the device itself, not from what this node remembers of it. Raises OSError."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECT)
    except OSError as error:
        if error.errno != errno.EINVAL:  # file systems in memory know no such thing
            raise
        fd = os.open(path, os.O_RDONLY)
    try:
        with mmap.mmap(-1, _BLOCK_BYTES) as block:  # aligned, as it must be
            os.preadv(fd, [block], 0)
    finally:
        os.close(fd)


def identity(path: str) -> Identity:
    """Raises OSError."""
    number = os.stat(path).st_rdev
    return of_number(os.major(number), os.minor(number), Path("/"))


def of_number(major: int, minor: int, root: Path) -> Identity:
    """`root`: of the tree in which /sys and /run lie."""
    number = f"{major}:{minor}"
    here = (root / "sys/dev/block" / number).resolve()
    part = _read(here / "partition")
    if part:
        parent = _read(here.parent / "dev").partition(":")
        whole = of_number(int(parent[0]), int(parent[2]), root) if parent[1] else {}
        return {kind: f"{value}-part{part}" for kind, value in whole.items()}
    return dict(_told(here, root / "run/udev/data" / f"b{number}"))


def _told(device: Path, udev: Path) -> Iterator[tuple[str, str]]:
    for line in _read(udev).splitlines():
        key, _, value = line.removeprefix("E:").partition("=")
        if line.startswith("E:") and key in _UDEV and value:
            yield _UDEV[key], value
    attributes = {"wwid": ("wwid", "device/wwid"), "serial": ("serial", "device/serial"), "md": ("md/uuid",)}
    for kind, files in attributes.items():
        value = next(filter(None, (_read(device / file) for file in files)), "")
        if value:
            yield kind, value
    mapped = _read(device / "dm/uuid")
    if mapped.startswith(_MULTIPATH):
        yield "serial", mapped.removeprefix(_MULTIPATH)  # as each of its paths has it
    elif mapped:
        yield "dm", mapped


def _read(file: Path) -> str:
    try:
        return file.read_text(errors="replace").strip()
    except OSError:
        return ""
