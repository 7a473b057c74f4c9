"""A node's units with a real systemd: runs node_in_systemd.py as a service of it."""

import sys
import time
from pathlib import Path

import pytest

import private_systemd

HANG_S = 300
PRIVATE = """\
set -e
cp -a /etc /run/etc
mount --bind /run/etc /etc
mount -t tmpfs -o mode=755 tmpfs /var/lib
exec {python} -m pytest -q -p no:cacheprovider {tests}
"""
"""Users, units, settings and state are of this world alone."""


@pytest.mark.lab
@pytest.mark.skipif(bool(private_systemd.missing()), reason=private_systemd.missing())
def test_the_units_of_a_node_do_what_they_should_with_a_real_systemd(tmp_path: Path) -> None:
    script = tmp_path / "inside.sh"
    script.write_text(PRIVATE.format(python=sys.executable, tests=Path(__file__).with_name("node_in_systemd.py")))
    with private_systemd.running({}, tmp_path, "/bin/sh", str(script)) as (systemd, output):
        ends_s, status = time.monotonic() + HANG_S, output.with_suffix(".status")
        while not status.exists() and systemd.poll() is None and time.monotonic() < ends_s:
            time.sleep(0.1)
    said = output.read_text() if output.exists() else ""
    print(said[-20000:])
    assert status.read_text().strip() == "0"
    assert " passed" in said
