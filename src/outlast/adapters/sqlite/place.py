"""Can the file system under this path carry a database that several processes share?

SQLite's WAL needs shared memory and locks that all users of the file see: true on a local file system, and
on no network or user-space one, where two nodes would each believe to be alone.
"""

import os
import re

from outlast.ports.database import Unavailable

_SHARED_BY_MACHINES = frozenset(
    {"9p", "afs", "beegfs", "ceph", "cifs", "coda", "gfs2", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4"}
    | {"ocfs2", "orangefs", "pvfs2", "smb3", "smbfs", "virtiofs", "vboxsf", "vmhgfs"}
)


def require_local(path: str) -> None:
    """Raise `Unavailable` with the reason if the file must not live there."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as mounts:
        kind = file_system_of(os.path.realpath(path), mounts.read())
    if kind in _SHARED_BY_MACHINES or kind.startswith("fuse."):
        raise Unavailable(
            f"cannot use the cluster database {path}: it lies on {kind}, where SQLite's locks do not hold; "
            "put it on a local file system, or use etcd for a cluster of several machines"
        )


def file_system_of(path: str, mountinfo: str) -> str:
    """The type of the file system that holds `path` (absolute, without links), by /proc/self/mountinfo."""
    kind, longest = "", -1
    for line in mountinfo.splitlines():
        left, _, right = line.partition(" - ")
        point = _unescape(left.split(" ")[4])
        # Of two mounts on one point the later hides the earlier.
        if len(point) >= longest and _is_under(path, point):
            kind, longest = right.split(" ")[0], len(point)
    return kind


def _is_under(path: str, point: str) -> bool:
    return point == "/" or path == point or path.startswith(point + "/")


def _unescape(point: str) -> str:
    """Blanks and the like stand there as \\040."""
    return re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal.group(1), 8)), point)
