"""How do the tests get a systemd that is theirs alone? A real one, in namespaces of its own, with a real bus.

It has nothing in it but the bus and the units that are given. A service of it runs the command; when that has ended,
all of it ends.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from outlast.lab import cgroup

SYSTEMD = "/usr/lib/systemd/systemd"
NEEDED = ("unshare", SYSTEMD, "dbus-daemon")
BUS = {
    "dbus.socket": """\
[Unit]
DefaultDependencies=no
[Socket]
ListenStream=/run/dbus/system_bus_socket
""",
    "dbus.service": """\
[Unit]
DefaultDependencies=no
Requires=dbus.socket
[Service]
ExecStart=/usr/bin/dbus-daemon --system --address=systemd: --nofork --nopidfile --systemd-activation
""",
    "outlast-test.target": """\
[Unit]
Requires=dbus.service outlast-test.service
""",
    "outlast-test.service": """\
[Unit]
DefaultDependencies=no
After=dbus.service
[Service]
Type=oneshot
Environment=PATH={path} PYTHONPATH={pythonpath} PYTHONDONTWRITEBYTECODE=1
WorkingDirectory={directory}
StandardOutput=file:{output}
StandardError=inherit
ExecStart={command}
ExecStopPost=/bin/sh -c 'echo $EXIT_STATUS >{output}.status'
SuccessAction=exit-force
FailureAction=exit-force
""",
}
_INSIDE = """
set -eu
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/lock
mount -t tmpfs tmpfs /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs /etc/systemd/system
cp -r "$1"/* /etc/systemd/system/
for unit in $2; do cp "/usr/lib/systemd/system/$unit" /etc/systemd/system/; done
if [ -n "$2" ]; then export SYSTEMD_UNIT_PATH=/etc/systemd/system; fi
ip link set lo up
container=outlast-test exec /usr/lib/systemd/systemd --system --unit=outlast-test.target --show-status=0
"""
_OUTSIDE = """
set -eu
echo 0 >"$1/cgroup.procs"; shift
spaces="--mount --net --ipc --uts --pid --cgroup --mount-proc --propagation private"
exec unshare $spaces --fork --kill-child=SIGKILL "$@"
"""


def missing() -> str:
    """Why there can be no private systemd here; empty when there can."""
    if os.geteuid() != 0:
        return "needs root"
    absent = [program for program in NEEDED if not shutil.which(program)]
    return f"needs {', '.join(absent)}" if absent else ""


@contextmanager
def running(
    units: Mapping[str, str], directory: Path, *inside: str, stock: Sequence[str] = ()
) -> Iterator["tuple[subprocess.Popen[bytes], Path]"]:
    """Its first process, and where what `inside` says will be found; its exit code is in the file beside it
    (`.status`). `directory`: for that, and for the units' files. `stock`: units of the distribution that are there as
    they are; when any is named, nothing else of the distribution's is."""
    files, output = directory / "units", directory / "output"
    files.mkdir()
    values = {
        "path": os.environ["PATH"],
        "pythonpath": os.pathsep.join(path for path in sys.path if path),
        "directory": os.getcwd(),
        "output": str(output),
        "command": " ".join(inside),
    }
    for name, text in BUS.items():
        filled = text
        for key, value in values.items():
            filled = filled.replace(f"{{{key}}}", value)
        (files / name).write_text(filled)
    for name, text in units.items():
        (files / name).parent.mkdir(exist_ok=True)
        (files / name).write_text(text)
    group = f"outlast-test-systemd-{os.getpid()}"
    arguments = [
        "sh",
        "-c",
        _OUTSIDE,
        "sh",
        str(cgroup.create(group)),
        "sh",
        "-c",
        _INSIDE,
        "sh",
        str(files),
        " ".join(stock),
    ]
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process, output
    finally:
        cgroup.remove(group)
        process.wait()
