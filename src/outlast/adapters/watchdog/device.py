"""How is a watchdog device of the kernel armed, fed and stopped? /dev/watchdog, by linux/watchdog.h.

Opening the device starts its countdown, so it is opened for the first start of a VM and not before. What can be told
without opening it stands in /sys/class/watchdog. Drivers count whole seconds, and may round further up: what they say
they took is what counts. Closing it does not stop the countdown, unless it is told to in order ("magic close"); with
`nowayout` nothing stops it, and then it is kept open and must be fed.
"""

import errno
import fcntl
import math
import os
import struct
from contextlib import suppress
from pathlib import Path

from outlast.adapters.watchdog.virtual import PLAYED
from outlast.model.watchdog import Strength

SYSFS = Path("/sys/class/watchdog")
SOFTDOG = "Software Watchdog"
SOFTDOG_PARAMETERS = Path("/sys/module/softdog/parameters")
LEGACY_DEVICE = os.makedev(10, 130)
"""/dev/watchdog: the first of them, under its old number."""

# linux/watchdog.h. The directions are as they stand there, SETOPTIONS included.
_READ, _BOTH = 2, 3
WDIOC_GETSUPPORT = _READ << 30 | 40 << 16 | ord("W") << 8 | 0
WDIOC_SETOPTIONS = _READ << 30 | 4 << 16 | ord("W") << 8 | 4
WDIOC_KEEPALIVE = _READ << 30 | 4 << 16 | ord("W") << 8 | 5
WDIOC_SETTIMEOUT = _BOTH << 30 | 4 << 16 | ord("W") << 8 | 6
WDIOC_GETTIMEOUT = _READ << 30 | 4 << 16 | ord("W") << 8 | 7
WDIOF_SETTIMEOUT = 0x0080
WDIOF_MAGICCLOSE = 0x0100
WDIOF_ALARMONLY = 0x0400
WDIOS_DISABLECARD = 0x0001

_WHY_NOT_OPENED = {
    errno.ENOENT: "there is no such device; load the driver of this machine's watchdog (or softdog), or correct "
    "`watchdog` in outlast.toml",
    errno.EBUSY: "another program has it open (systemd's RuntimeWatchdogSec, watchdogd, sbd, wdmd?); a watchdog can "
    "serve one only",
}


class DeviceWatchdog:
    def __init__(self, path: str, memory: Path, sysfs: Path = SYSFS, *, hypervisor: str = "") -> None:
        """`memory`: a file under /run that tells the next service that this one left the device counting.
        `hypervisor`: who says that this machine is virtual (virtual.py)."""
        self._path = path
        self._memory = memory
        self._sysfs = sysfs
        self._hypervisor = hypervisor
        self._fd = -1
        self._armed = False
        self._identity = ""
        self._options = 0

    @property
    def strength(self) -> Strength:
        if self._hypervisor or self._identity in PLAYED:
            return Strength.VIRTUAL
        return Strength.KERNEL if self._identity == SOFTDOG else Strength.HARDWARE

    @property
    def words(self) -> str:
        return f"{self._path} ({self._identity})" if self._identity else self._path

    @property
    def counts_on(self) -> bool:
        return self._fd >= 0 and not self._armed

    def length_s(self, timeout_s: float) -> float:
        whole_s = math.ceil(timeout_s)
        if self._fd >= 0:
            return float(whole_s)
        known = self._known()
        if known is None:
            # A kernel without these files: it can only be asked by starting it.
            took_s = self.arm(timeout_s)
            self.disarm()
            return took_s
        self._identity = _read(known / "identity")
        self._refuse_softdog_that_does_nothing()
        if _read(known / "state") == "active" and not self._memory.exists():
            raise OSError(errno.EBUSY, self._words_of_failure(errno.EBUSY))
        longest_s = int(_read(known / "max_timeout") or 0)
        if longest_s and longest_s < whole_s:
            raise OSError(errno.EINVAL, self._too_short(timeout_s, longest_s))
        shortest_s = int(_read(known / "min_timeout") or 0)
        return float(max(whole_s, shortest_s))

    def arm(self, timeout_s: float) -> float:
        if self._fd < 0:
            self._open()
        self._armed = True
        try:
            took_s = self._set_length(timeout_s)
            self.feed()
        except OSError:
            self.disarm()
            raise
        return float(took_s)

    def feed(self) -> None:
        if self._fd < 0:
            raise OSError(errno.EBADF, f"cannot feed {self._path}: it is not open")
        try:
            fcntl.ioctl(self._fd, WDIOC_KEEPALIVE, struct.pack("i", 0))
        except OSError as error:
            if error.errno not in (errno.ENOTTY, errno.EOPNOTSUPP):
                raise
            os.write(self._fd, b"\0")  # any byte but V feeds it, with drivers that know no better

    def disarm(self) -> None:
        self._armed = False
        if self._fd < 0 and self._memory.exists():
            with suppress(OSError):  # gone, or not ours any more: then it counts for nobody
                self._open()
        if self._fd >= 0 and self._stopped():
            os.close(self._fd)
            self._fd = -1
            self._memory.unlink(missing_ok=True)

    def _open(self) -> None:
        try:
            self._fd = os.open(self._path, os.O_WRONLY | os.O_CLOEXEC)
        except OSError as error:
            raise OSError(error.errno, self._words_of_failure(error.errno or 0)) from error
        self._memory.write_text(f"{self._path}\n")
        support = fcntl.ioctl(self._fd, WDIOC_GETSUPPORT, bytes(40))
        self._options, _, identity = struct.unpack("II32s", support)
        self._identity = identity.split(b"\0")[0].decode(errors="replace")

    def _set_length(self, timeout_s: float) -> int:
        """Raises OSError when it cannot cut the power, or only earlier than this node needs."""
        self._refuse_softdog_that_does_nothing()
        if self._options & WDIOF_ALARMONLY:
            raise OSError(errno.ENOTSUP, f"{self.words} only raises an alarm and cuts no power")
        whole_s = math.ceil(timeout_s)
        request = WDIOC_SETTIMEOUT if self._options & WDIOF_SETTIMEOUT else WDIOC_GETTIMEOUT
        try:
            (took_s,) = struct.unpack("i", fcntl.ioctl(self._fd, request, struct.pack("i", whole_s)))
        except OSError as error:
            raise OSError(error.errno, self._too_short(timeout_s, 0)) from error
        if took_s < timeout_s:
            raise OSError(errno.EINVAL, self._too_short(timeout_s, took_s))
        return int(took_s)

    def _stopped(self) -> bool:
        """Told to stop, and did it? Only this request is answered: a close says nothing (`nowayout`)."""
        try:
            fcntl.ioctl(self._fd, WDIOC_SETOPTIONS, struct.pack("i", WDIOS_DISABLECARD))
        except OSError as error:
            if error.errno not in (errno.ENOTTY, errno.EOPNOTSUPP) or not self._options & WDIOF_MAGICCLOSE:
                return False
        with suppress(OSError):
            os.write(self._fd, b"V")
        return True

    def _known(self) -> Path | None:
        """Its directory in /sys/class/watchdog."""
        try:
            number = os.stat(self._path).st_rdev
        except OSError as error:
            raise OSError(error.errno, self._words_of_failure(error.errno or 0)) from error
        if number == LEGACY_DEVICE:
            first = self._sysfs / "watchdog0"
            return first if (first / "identity").exists() else None
        wanted = f"{os.major(number)}:{os.minor(number)}"
        return next((one for one in sorted(self._sysfs.glob("watchdog*")) if _read(one / "dev") == wanted), None)

    def _refuse_softdog_that_does_nothing(self) -> None:
        if self._identity == SOFTDOG and _read(SOFTDOG_PARAMETERS / "soft_noboot") == "1":
            raise OSError(
                errno.ENOTSUP, f"{self.words} was loaded with soft_noboot=1 and restarts nothing; load it without"
            )

    def _too_short(self, timeout_s: float, longest_s: int) -> str:
        limit = f"counts at most {longest_s} s" if longest_s else "refuses to count that long"
        return (
            f"{self.words} cannot be used: it {limit}, and this node needs {timeout_s:g} s to stop its VMs in order "
            "first; set a shorter node_timeout_s, or use another watchdog"
        )

    def _words_of_failure(self, number: int) -> str:
        return f"cannot use {self.words}: {_WHY_NOT_OPENED.get(number) or os.strerror(number)}"


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
