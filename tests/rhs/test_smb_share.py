"""The type `file_share` with Debian's samba: runs file_share_in_node.py where no other processes and addresses are."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HANG_S = 500
NEEDED = ("unshare", "tini", "ip", "smbd", "smbclient", "smbpasswd", "strace")
NODE = r"""
mount -t tmpfs tmpfs /run
mkdir /run/upper /run/work
mount -t overlay -o lowerdir=/etc,upperdir=/run/upper,workdir=/run/work overlay /etc
ip link set lo up
ip address add 192.0.2.10/32 dev lo
ip address add 2001:db8::10/128 dev lo
printf '%s\n' anna:x:4001:4001::/nonexistent:/bin/false bert:x:4002:4002::/nonexistent:/bin/false >>/etc/passwd
exec "$@"
"""


def missing() -> str:
    if os.geteuid() != 0:
        return "needs root"
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    absent = [program for program in NEEDED if not shutil.which(program, path=path)]
    return f"needs {', '.join(absent)}" if absent else ""


@pytest.mark.lab
@pytest.mark.skipif(bool(missing()), reason=missing())
def test_the_type_file_share_keeps_its_promises_with_a_real_samba() -> None:
    test = str(Path(__file__).parent / "file_share_in_node.py")
    namespaces = ["--net", "--mount", "--pid", "--fork", "--kill-child=SIGKILL", "--mount-proc"]
    apart = ["unshare", *namespaces, "--propagation", "private", "tini", "-s", "--", "sh", "-euc", NODE, "sh"]
    inside = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", test]
    done = subprocess.run([*apart, *inside], capture_output=True, text=True, timeout=HANG_S, check=False)
    print(done.stdout[-20000:], done.stderr[-5000:])
    assert done.returncode == 0
    assert " passed" in done.stdout
