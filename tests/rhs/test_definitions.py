"""Definitions that were imported or created, before a real libvirtd: runs tests/rhs/definitions_in_node.py there."""

import shutil
import subprocess
import sys
from pathlib import Path

import private_node
import pytest

HANG_S = 300


def missing() -> str:
    return private_node.missing() or ("" if shutil.which("virt-install") else "needs virt-install")


@pytest.mark.lab
@pytest.mark.skipif(bool(missing()), reason=missing())
def test_libvirt_takes_what_is_imported_or_created_and_starts_it() -> None:
    tests = Path(__file__).with_name("definitions_in_node.py")
    inside = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tests))
    done = subprocess.run(private_node.command(*inside), capture_output=True, text=True, timeout=HANG_S, check=False)
    print(done.stdout[-20000:], done.stderr[-5000:])
    assert done.returncode == 0
    assert " passed" in done.stdout
