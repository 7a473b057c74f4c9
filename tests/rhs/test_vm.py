"""The vm type with a real libvirtd and real QEMU, in a private node: runs tests/rhs/vm*_in_node.py there."""

import subprocess
import sys
from pathlib import Path

import private_node
import pytest

HANG_S = 600


@pytest.mark.lab
@pytest.mark.skipif(bool(private_node.missing()), reason=private_node.missing())
def test_the_vm_type_keeps_its_promises_with_a_real_libvirt() -> None:
    tests = sorted(str(path) for path in Path(__file__).parent.glob("vm*_in_node.py"))
    inside = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests)
    done = subprocess.run(private_node.command(*inside), capture_output=True, text=True, timeout=HANG_S, check=False)
    print(done.stdout[-20000:], done.stderr[-5000:])
    assert done.returncode == 0
    assert " passed" in done.stdout
