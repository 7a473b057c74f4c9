"""A machine that goes down is drained first: with a real systemd, and the units as `cluster create` installs them.

Runs drain_in_systemd.py as a service of that systemd. Beside n1, which goes down, there is a second node, n2, which
does not; what runs are dummies. libvirtd and a VM's scope are what they are to systemd: units that it stops.
"""

import sys
import time
from pathlib import Path

import pytest

import private_systemd
from outlast.setup.programs import scope_drop_in, unit

HANG_S = 240
STOCK = ("basic.target", "sysinit.target", "shutdown.target", "poweroff.target")
POWEROFF = """\
[Unit]
DefaultDependencies=no
Requires=shutdown.target
After=shutdown.target
[Service]
Type=oneshot
ExecStart=/bin/touch /run/powered-off
"""
"""As the distribution's, but that the machine is not switched off at the end: nobody could tell any more how it was."""
LIBVIRTD = "[Service]\nExecStart=/bin/sleep infinity\nExecStop=/bin/sh -c 'date +%%s.%%N >/run/libvirtd-stopped'\n"
OTHER_NODE = """\
[Unit]
DefaultDependencies=no
[Service]
ExecStart={programs}/outlastd --config {config}
KillMode=process
TemporaryFileSystem=/run/outlast
"""
"""Another machine as far as it matters: it is not shut down, and does not see what dummies run on n1."""


@pytest.mark.lab
@pytest.mark.skipif(bool(private_systemd.missing()), reason=private_systemd.missing())
@pytest.mark.parametrize("story", ["shut_down", "by_hand", "limit"])
def test_a_machine_that_goes_down_is_drained_first(tmp_path: Path, story: str) -> None:
    tests = str(Path(__file__).parent / "drain_in_systemd.py")
    inside = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", story, tests)
    with private_systemd.running(units(tmp_path), tmp_path, *inside, stock=STOCK) as (systemd, output):
        ends_s, status = time.monotonic() + HANG_S, output.with_suffix(".status")
        while not status.exists() and systemd.poll() is None and time.monotonic() < ends_s:
            time.sleep(0.1)
    said = output.read_text() if output.exists() else ""
    print(said[-20000:])
    assert status.read_text().strip() == "0"
    assert " passed" in said


def units(directory: Path) -> dict[str, str]:
    """The packaged ones are as they are installed, but for where the settings lie."""
    config = {name: directory / f"{name}.toml" for name in ("n1", "n2")}
    for number, name in enumerate(config, 1):
        run_dir = "/run/outlast" if name == "n1" else "/run/outlast-n2"
        config[name].write_text(
            f'node = "{name}"\ndatabase = "sqlite:{directory}/cluster.db"\naddress = "127.0.0.{number}"\n'
            f'run_dir = "{run_dir}"\n'
        )
    packaged = unit("outlastd").replace("/etc/outlast/outlast.toml", str(config["n1"]))
    return {
        "outlastd.service": packaged.replace("StateDirectory=outlast\n", ""),
        "outlast-drain.service": unit("outlast-drain"),
        "machine-.scope.d/50-outlast.conf": scope_drop_in(),
        "systemd-poweroff.service": POWEROFF,
        "libvirtd.service": LIBVIRTD,
        "other-node.service": OTHER_NODE.format(programs=f"{sys.prefix}/bin", config=config["n2"]),
    }
