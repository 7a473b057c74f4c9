"""How do the VM tests get a libvirt that is theirs alone?

`command(...)` runs a command in namespaces of its own (mount, pid, network, ipc, uts) with a fresh libvirtd. When the
command ends, the first process of the namespace ends, and with it everything that ran inside.
"""

import os
import shutil

NEEDED = ("unshare", "tini", "libvirtd", "virsh", "qemu-system-x86_64", "ip")

_SCRIPT = r"""
ip link set lo up
for directory in /run /var/lib/libvirt /var/log/libvirt /var/cache/libvirt /etc/libvirt; do
    mount -t tmpfs tmpfs $directory
done
mkdir -p /run/lock /etc/libvirt/qemu
printf '%s\n' 'stdio_handler="file"' 'security_driver="none"' 'cgroup_controllers=[]' 'remember_owner=0' \
    'user="root"' 'group="root"' >/etc/libvirt/qemu.conf
printf '%s\n' 'auth_unix_rw="none"' 'auth_unix_ro="none"' "host_uuid=\"$(cat /proc/sys/kernel/random/uuid)\"" \
    >/etc/libvirt/libvirtd.conf
libvirtd -d -p /run/libvirtd.pid
tries=0
until virsh -c qemu:///system version >/dev/null 2>&1; do
    tries=$((tries + 1)); [ $tries -lt 400 ] || { echo "libvirtd does not answer" >&2; exit 1; }
    sleep 0.05
done
"$@"
"""


def missing() -> str:
    """Why there can be no private node here; empty when there can."""
    if os.geteuid() != 0:
        return "needs root"
    absent = [program for program in NEEDED if not shutil.which(program)]
    return f"needs {', '.join(absent)}" if absent else ""


def command(*inside: str) -> list[str]:
    namespaces = ["--mount", "--pid", "--net", "--ipc", "--uts", "--fork", "--kill-child=SIGKILL", "--mount-proc"]
    # tini reaps: a killed QEMU that nobody waits for keeps libvirt waiting for 40 s.
    return [
        "unshare",
        *namespaces,
        "--propagation",
        "private",
        "tini",
        "-s",
        "--",
        "sh",
        "-euc",
        _SCRIPT,
        "sh",
        *inside,
    ]
