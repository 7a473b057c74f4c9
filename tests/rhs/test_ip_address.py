"""The type `ip_address` on a real link: runs ip_address_in_node.py where nobody else's addresses are."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HANG_S = 300
NEEDED = ("unshare", "ip", "ping")
LINK = r"""
mount -t tmpfs tmpfs /run
ip link set lo up
ip netns add other
ip link add name eth0 address 02:00:00:00:00:01 type veth peer name eth0 address 02:00:00:00:00:02 netns other
ip address add 192.0.2.1/24 dev eth0
ip address add 2001:db8::1/64 dev eth0 nodad
ip link set eth0 up
ip -n other address add 192.0.2.2/24 dev eth0
ip -n other address add 2001:db8::2/64 dev eth0 nodad
ip -n other link set eth0 up
exec "$@"
"""


def missing() -> str:
    if os.geteuid() != 0:
        return "needs root"
    absent = [program for program in NEEDED if not shutil.which(program)]
    return f"needs {', '.join(absent)}" if absent else ""


@pytest.mark.lab
@pytest.mark.skipif(bool(missing()), reason=missing())
def test_the_type_ip_address_keeps_its_promises_on_a_real_link() -> None:
    test = str(Path(__file__).parent / "ip_address_in_node.py")
    apart = ["unshare", "--net", "--mount", "--propagation", "private", "sh", "-euc", LINK, "sh"]
    inside = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", test]
    done = subprocess.run([*apart, *inside], capture_output=True, text=True, timeout=HANG_S, check=False)
    print(done.stdout[-20000:], done.stderr[-5000:])
    assert done.returncode == 0
    assert " passed" in done.stdout
