"""Can this machine run a lab? If not: what is missing, and which command brings it?"""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from outlast.lab import cgroup
from outlast.lab.errors import NotPossibleNow

# Program (or file) to Debian package.
TO_RUN = {
    "libvirtd": "libvirt-daemon-system",
    "virsh": "libvirt-clients",
    "qemu-system-x86_64": "qemu-system-x86",
    "ip": "iproute2",
    "ebtables": "iptables",
    "nsenter": "util-linux",
    "s6-svscan": "s6",
    "as": "binutils",
}
FOR_ETCD = {"etcd": "etcd-server"}
FOR_THE_LINUX_GUEST = {
    "/usr/bin/busybox": "busybox-static",
    "/usr/sbin/qemu-ga": "qemu-guest-agent",
    "cpio": "cpio",
    "gzip": "gzip",
}


def check_root(purpose: str) -> None:
    if os.geteuid() != 0:
        raise NotPossibleNow(
            f"cannot {purpose}: a lab is made of Linux namespaces, which takes root; try: sudo outlast lab ..."
        )


def check_machine(*, etcd: bool = False) -> None:
    check_root("run a lab")
    refuse_missing({**TO_RUN, **FOR_ETCD} if etcd else TO_RUN, "run a lab")
    if not (cgroup.mount_point() / "cgroup.procs").exists():
        raise NotPossibleNow(f"cannot run a lab: {cgroup.mount_point()} is no usable cgroup2 file system")


def refuse_missing(needed: Mapping[str, str], purpose: str) -> None:
    missing = missing_packages(needed)
    if missing:
        raise NotPossibleNow(
            f"cannot {purpose}: packages are missing; install them with: "
            f"apt install --no-install-recommends {' '.join(missing)}"
        )


def missing_packages(needed: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(sorted({package for program, package in needed.items() if not _is_there(program)}))


def _is_there(program: str) -> bool:
    if program.startswith("/"):
        return Path(program).exists()
    return shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin") is not None
