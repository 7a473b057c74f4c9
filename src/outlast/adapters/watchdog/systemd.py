"""How does systemd serve as a watchdog? It kills a service that does not report for long enough, and then restarts
the machine, if the service's unit says so.

An ordinary unit does not: it starts the service again, and what ran under it runs on. So the unit is looked at before
its watchdog is declared; docs/watchdog.md has the lines that it needs. It survives a service that hangs, and neither
systemd's own end nor a kernel that hangs.
"""

import errno
import socket
import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from outlast.model.watchdog import Strength

KILL_S = 1.0
"""From systemd's word that the time is over until the machine restarts."""
_SYSTEMCTL_S = 10.0
_WANTED: Mapping[str, tuple[str, ...]] = {
    "FailureAction": ("reboot-immediate", "reboot-force"),
    "Restart": ("no", "on-success", "on-abort"),
    "WatchdogSignal": ("9",),
    "NotifyAccess": ("main", "all"),
}


def notify(text: str, address: str) -> None:
    """As sd_notify(3). Raises OSError."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as connection:
        connection.setblocking(False)
        connection.connect("\0" + address[1:] if address.startswith("@") else address)
        connection.sendall(text.encode())


def unit_settings() -> dict[str, str]:
    """What systemd knows of the unit that this process belongs to. Raises OSError with words."""
    unit = Path("/proc/self/cgroup").read_text().strip().rpartition("/")[2]
    command = ["systemctl", "show", f"--property={','.join(_WANTED)}", unit]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=_SYSTEMCTL_S)
    except subprocess.SubprocessError as error:
        raise OSError(errno.EIO, f"systemd does not say how the unit {unit} is set: {error}") from error
    return dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)


class SystemdWatchdog:
    strength = Strength.PROCESS
    words = "systemd's watchdog for this service"
    counts_on = False

    def __init__(self, address: str, settings: Callable[[], dict[str, str]] = unit_settings) -> None:
        """`address`: as systemd told it in NOTIFY_SOCKET; empty when it did not."""
        self._address = address
        self._settings = settings
        self._sound = False

    def length_s(self, timeout_s: float) -> float:
        self._look_at_unit()
        return timeout_s + KILL_S

    def arm(self, timeout_s: float) -> float:
        if not self._sound:
            self._look_at_unit()
        notify(f"WATCHDOG_USEC={int(timeout_s * 1e6)}\nWATCHDOG=1", self._address)
        return timeout_s + KILL_S

    def feed(self) -> None:
        notify("WATCHDOG=1", self._address)

    def disarm(self) -> None:
        with suppress(OSError):  # gone: then it counts for nobody
            notify("WATCHDOG_USEC=0", self._address)

    def _look_at_unit(self) -> None:
        """Raises OSError with words when it would not make of this service's silence the end of the machine."""
        if not self._address:
            raise OSError(
                errno.ENOTCONN,
                "systemd is no watchdog for this service: its unit does not say NotifyAccess=main",
            )
        settings = self._settings()
        wrong = [f"{key}={settings.get(key, '')}" for key, good in _WANTED.items() if settings.get(key) not in good]
        if wrong:
            raise OSError(
                errno.ENOTSUP,
                f"systemd is no watchdog for this service: its unit says {', '.join(wrong)}, and so systemd would not "
                "restart this machine; see docs/watchdog.md for what it must say",
            )
        self._sound = True
