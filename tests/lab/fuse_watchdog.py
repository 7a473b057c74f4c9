"""A watchdog device that is none: a file served by FUSE, which answers a watchdog's requests as the kernel's own do.

A real /dev/watchdog is reached by ioctl(2) on a file; so is this one, through the kernel (FUSE passes requests on whose
direction and size their numbers tell). It counts whole seconds, is opened by one program at a time, goes on counting
when it is closed without the magic letter, and runs a command when it was not fed: in the lab, one that cuts a node's
power. It runs outside of the node, in whose mount namespace it mounts itself.

    python fuse_watchdog.py MOUNT_POINT LOG COMMAND... [settings as key=value before the command]

Each thing that happens is a line in LOG. It ends when it is unmounted.
"""

import ctypes
import errno
import os
import select
import stat
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

IN_HEADER = struct.Struct("<IIQQIIII")
OUT_HEADER = struct.Struct("<IiQ")
GETATTR, SETATTR, OPEN, WRITE, RELEASE, FLUSH, INIT, ACCESS, DESTROY, IOCTL = 3, 4, 14, 16, 18, 25, 26, 34, 38, 39
FORGET, INTERRUPT, BATCH_FORGET = 2, 36, 42
DIRECT_IO = 1
CLONE_NEWNS = 0x00020000
WDIOF_MAGICCLOSE, WDIOF_SETTIMEOUT, WDIOF_KEEPALIVEPING, WDIOF_ALARMONLY = 0x100, 0x80, 0x8000, 0x400


@dataclass
class Setup:
    identity: str = "A watchdog of the test"
    longest_s: int = 600
    step_s: int = 1
    """It rounds up to these."""
    nowayout: bool = False
    alarm_only: bool = False
    pid: int = 0
    """In whose mount namespace."""
    waits: bool = False
    """The command is started at once, and is given a line when the device bites: nothing has to be loaded then."""


class Refusal(Exception):
    def __init__(self, number: int) -> None:
        super().__init__(os.strerror(number))
        self.number = number


class Device:
    """What the driver does."""

    def __init__(self, setup: Setup, log: Callable[[str], None]) -> None:
        self.due_s: float | None = None
        self._setup = setup
        self._log = log
        self._timeout_s = 60
        self._opened = False
        self._may_stop = False

    def open(self) -> None:
        if self._opened:
            raise Refusal(errno.EBUSY)
        self._opened, self._may_stop = True, False
        self._log("open")
        self._start()

    def write(self, data: bytes) -> None:
        self._may_stop = b"V" in data
        self._log("magic" if self._may_stop else "fed by a byte")
        self._feed()

    def release(self) -> None:
        self._opened = False
        if self._may_stop and not self._setup.nowayout:
            self._stop()
        self._log("closed, counts on" if self.due_s is not None else "closed")

    def ioctl(self, number: int, argument: bytes) -> bytes:
        match number:
            case 0:
                flags = WDIOF_SETTIMEOUT | WDIOF_MAGICCLOSE | WDIOF_KEEPALIVEPING
                flags |= WDIOF_ALARMONLY if self._setup.alarm_only else 0
                return struct.pack("II32s", flags, 1, self._setup.identity.encode())
            case 4:  # its argument does not come through FUSE: whoever asks asks for a stop
                if self._setup.nowayout:
                    raise Refusal(errno.EBUSY)
                self._stop()
                return b""
            case 5:
                self._log("fed")
                self._feed()
                return b""
            case 6:
                (asked_s,) = struct.unpack("i", argument)
                if not 0 < asked_s <= self._setup.longest_s:
                    raise Refusal(errno.EINVAL)
                self._timeout_s = -(-asked_s // self._setup.step_s) * self._setup.step_s
                self._log(f"timeout {self._timeout_s}")
                self._feed()
                return struct.pack("i", self._timeout_s)
            case 7:
                return struct.pack("i", self._timeout_s)
        raise Refusal(errno.ENOTTY)

    def _start(self) -> None:
        self.due_s = time.monotonic() + self._timeout_s

    def _feed(self) -> None:
        """Feeding starts nothing that was stopped."""
        if self.due_s is not None:
            self._start()

    def _stop(self) -> None:
        self.due_s = None
        self._log("stopped")


class Fuse:
    """One file, the root of its file system: no directories, no names."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self.fd = os.open("/dev/fuse", os.O_RDWR)

    def mount(self, point: Path) -> None:
        options = f"fd={self.fd},rootmode={stat.S_IFREG | 0o600:o},user_id=0,group_id=0"
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.mount(b"outlast-test", str(point).encode(), b"fuse", 0, options.encode()) != 0:
            raise OSError(ctypes.get_errno(), f"cannot mount {point}: {os.strerror(ctypes.get_errno())}")

    def answer_one(self) -> None:
        """Raises OSError with ENODEV when it was unmounted."""
        request = os.read(self.fd, 1 << 18)
        _, opcode, unique, *_ = IN_HEADER.unpack_from(request)
        if opcode in (FORGET, INTERRUPT, BATCH_FORGET):
            return
        try:
            body, error = self._answer(opcode, request[IN_HEADER.size :]), 0
        except Refusal as refusal:
            body, error = b"", -refusal.number
        os.write(self.fd, OUT_HEADER.pack(OUT_HEADER.size + len(body), error, unique) + body)

    def _answer(self, opcode: int, body: bytes) -> bytes:
        if opcode == INIT:
            _, minor, readahead, _ = struct.unpack_from("<IIII", body)
            return struct.pack("<IIIIHHII", 7, min(minor, 31), readahead, 0, 12, 10, 1 << 16, 1).ljust(64, b"\0")
        if opcode in (GETATTR, SETATTR):
            times = struct.pack("<QQQQQQIII", 1, 0, 0, 0, 0, 0, 0, 0, 0)
            return struct.pack("<QII", 1, 0, 0) + times + struct.pack("<IIIIIII", 0o100600, 1, 0, 0, 0, 512, 0)
        if opcode == OPEN:
            self._device.open()
            return struct.pack("<QII", 1, DIRECT_IO, 0)
        if opcode == WRITE:
            size = struct.unpack_from("<QQI", body)[2]
            self._device.write(body[40 : 40 + size])
            return struct.pack("<II", size, 0)
        if opcode == RELEASE:
            self._device.release()
            return b""
        if opcode == IOCTL:
            _, _, command, _, in_size, out_size = struct.unpack_from("<QIIQII", body)
            answer = self._device.ioctl(command & 0xFF, body[32 : 32 + in_size])
            return struct.pack("<iIII", 0, 0, 0, 0) + answer.ljust(out_size, b"\0")
        if opcode in (FLUSH, ACCESS, DESTROY):
            return b""
        raise Refusal(errno.ENOSYS)


def enter(namespace: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace, CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), f"cannot enter a mount namespace: {os.strerror(ctypes.get_errno())}")


def serve(setup: Setup, point: Path, log_path: Path, bite: list[str]) -> None:
    log_file = log_path.open("a", buffering=1)

    def log(words: str) -> None:
        log_file.write(f"{time.monotonic():.3f} {words}\n")

    waiting = subprocess.Popen(bite, stdin=subprocess.PIPE) if setup.waits else None
    device = Device(setup, log)
    fuse = Fuse(device)  # opened before the namespace is entered: there may be no /dev/fuse there
    outside = os.open("/proc/self/ns/mnt", os.O_RDONLY)
    if setup.pid:
        enter(os.open(f"/proc/{setup.pid}/ns/mnt", os.O_RDONLY))
    point.parent.mkdir(parents=True, exist_ok=True)
    point.touch()
    fuse.mount(point)
    log("ready")
    while True:
        left_s = None if device.due_s is None else max(0.0, device.due_s - time.monotonic())
        if left_s == 0.0:
            log("bite")
            device.due_s = None
            if waiting is not None and waiting.stdin is not None:
                waiting.stdin.write(b"bite\n")
                waiting.stdin.flush()
                continue  # who is killed by it closes the device, and is not dead before that is answered
            enter(outside)
            subprocess.run(bite, check=True)
        elif select.select([fuse.fd], [], [], left_s)[0]:
            try:
                fuse.answer_one()
            except OSError as error:
                if error.errno == errno.ENODEV:
                    return
                raise


def main() -> None:
    point, log, *rest = sys.argv[1:]
    settings: dict[str, str] = {}
    while rest and "=" in rest[0]:
        key, _, settings[key] = rest.pop(0).partition("=")
    kinds: dict[str, Callable[[str], object]] = {"identity": str}
    wanted = {key: kinds.get(key, int)(value) for key, value in settings.items()}
    serve(Setup(**wanted), Path(point), Path(log), rest)  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
