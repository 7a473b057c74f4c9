"""The type `ocf` with real agents: runs ocf_in_node.py in namespaces of its own (mounts, network, processes)."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HANG_S = 600
MISSING = [
    file
    for file in ("/usr/lib/ocf/resource.d/heartbeat/IPaddr2", "/usr/sbin/apache2")
    if not Path(file).exists()
]  # fmt: skip
_SCRIPT = """
ip link set lo up
ip link add eth9 type veth peer name eth10
ip address add 10.99.0.1/24 dev eth9
ip link set eth9 up
ip link set eth10 up
mount -t tmpfs tmpfs /run
exec "$@"
"""


@pytest.mark.lab
@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("tini"), reason="needs root and tini")
@pytest.mark.skipif(bool(MISSING), reason=f"Debian's resource-agents or apache2-bin is not installed: {MISSING}")
def test_real_agents_keep_the_contract_of_resource_types() -> None:
    spaces = [
        "unshare",
        "--mount",
        "--net",
        "--ipc",
        "--uts",
        "--pid",
        "--fork",
        "--kill-child=SIGKILL",
        "--mount-proc",
    ]
    pytest_here = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    inside = [
        "tini",
        "-s",
        "--",
        "sh",
        "-euc",
        _SCRIPT,
        "sh",
        *pytest_here,
        str(Path(__file__).parent / "ocf_in_node.py"),
    ]
    done = subprocess.run(
        [*spaces, "--propagation", "private", *inside], capture_output=True, text=True, timeout=HANG_S, check=False
    )
    print(done.stdout[-20000:], done.stderr[-5000:])
    assert done.returncode == 0
    assert " passed" in done.stdout
