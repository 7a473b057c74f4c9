"""Which watchdog does this node use? As `watchdog` in outlast.toml says.

device.py   a device of the kernel, /dev/watchdog: hardware, or softdog
virtual.py  is this machine a virtual one? Then the device is one that can be paused with it
line.py     another process, spoken to over a socket: `outlast-watchdog` (process.py), or the lab's
systemd.py  systemd, which kills this service and restarts the machine
"""

import os
from pathlib import Path

from outlast.adapters.watchdog.device import DeviceWatchdog
from outlast.adapters.watchdog.line import LineWatchdog
from outlast.adapters.watchdog.systemd import SystemdWatchdog
from outlast.adapters.watchdog.virtual import hypervisor
from outlast.model.watchdog import Strength
from outlast.ports.watchdog import Watchdog

KNOWN = '"device:/dev/watchdog", "process", "systemd", or left out for none'


def chosen(setting: str, run_dir: Path, root: Path = Path("/")) -> Watchdog | None:
    """Raises ValueError with words for a setting that nobody knows. `root`: where /proc and /sys are."""
    kind, _, where = setting.partition(":")
    match kind:
        case "":
            return None
        case "device" if where.startswith("/"):
            return DeviceWatchdog(where, run_dir / "watchdog.counts", hypervisor=hypervisor(root))
        case "process" if not where:
            return LineWatchdog(str(run_dir / "watchdog.sock"), Strength.PROCESS, "the program outlast-watchdog")
        case "systemd" if not where:
            return SystemdWatchdog(os.environ.get("NOTIFY_SOCKET", ""))
        case "lab" if where.startswith("/"):
            return LineWatchdog(where, Strength.HARDWARE, "the lab's watchdog, outside the node")
    raise ValueError(f'watchdog = "{setting}" is unknown; it must be {KNOWN}')
