"""The type `service` with a real systemd: runs service_in_systemd.py as a service of it."""

import sys
import time
from pathlib import Path

import pytest

import private_systemd

HANG_S = 300
UNITS = {
    "shop.service": "[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=/bin/sleep 600\n",
    "stubborn.service": """\
[Unit]
DefaultDependencies=no
[Service]
ExecStart=/bin/sh -c 'trap "" TERM; while :; do sleep 0.1; done'
TimeoutStopSec=infinity
""",
    "leaves.service": """\
[Unit]
DefaultDependencies=no
[Service]
ExecStart=/bin/sh -c 'setsid sleep 600 & exec sleep 600'
KillMode=process
""",
    "ends.service": """\
[Unit]
DefaultDependencies=no
[Service]
ExecStart=/bin/sh -c 'while [ ! -e /run/end ]; do sleep 0.02; done; exit $(cat /run/end)'
""",
    "broken.service": "[Unit]\nDefaultDependencies=no\n[Service]\nType=notify\nExecStart=/bin/sh -c 'exit 3'\n",
    "once.service": "[Unit]\nDefaultDependencies=no\n[Service]\nType=oneshot\nExecStart=/bin/true\n",
    "slow.service": """\
[Unit]
DefaultDependencies=no
[Service]
Type=notify
ExecStart=/bin/sleep 600
""",
    "again.service": """\
[Unit]
DefaultDependencies=no
[Service]
ExecStart=/bin/sleep 600
Restart=always
RestartSec=600
""",
    "boots.service": """\
[Unit]
DefaultDependencies=no
[Service]
ExecStart=/bin/sleep 600
[Install]
WantedBy=outlast-test.target
""",
}


@pytest.mark.lab
@pytest.mark.skipif(bool(private_systemd.missing()), reason=private_systemd.missing())
def test_the_service_type_keeps_its_promises_with_a_real_systemd(tmp_path: Path) -> None:
    tests = str(Path(__file__).parent / "service_in_systemd.py")
    inside = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", tests)
    with private_systemd.running(UNITS, tmp_path, *inside) as (systemd, output):
        ends_s, status = time.monotonic() + HANG_S, output.with_suffix(".status")
        while not status.exists() and systemd.poll() is None and time.monotonic() < ends_s:
            time.sleep(0.1)
    said = output.read_text() if output.exists() else ""
    print(said[-20000:])
    assert status.read_text().strip() == "0"
    assert " passed" in said
