"""A file system that hands everything on to another directory, and hangs when it is told to: storage that does not
answer any more, on one node of the lab.

    python fuse_passthrough.py SOURCE POINT PID LOG

It mounts itself at POINT in the mount namespace of PID, and does its work outside of it. SIGUSR1: from now on nothing
is answered; the kernel has handed the requests over, so whoever waits for one hangs in it (state D) and cannot be
killed. SIGUSR2: all of them are answered, and what comes after. When it ends, what waits fails. Nothing is cached.
"""

import ctypes
import errno
import os
import select
import signal
import stat
import struct
import sys
from collections.abc import Callable
from pathlib import Path

from lab.fuse_watchdog import IN_HEADER, OUT_HEADER, enter

ROOT = 1
DIRECT_IO = 1
FORGET, INIT, INTERRUPT, BATCH_FORGET = 2, 26, 36, 42
SETATTR = struct.Struct("<IIQQQQQQIIIIIIII")
MODE, UID, GID, SIZE = 1, 2, 4, 8
READ = struct.Struct("<QQIIQII")


class Passthrough:
    def __init__(self, source: str) -> None:
        self._paths = {ROOT: source}
        self._ids = {source: ROOT}
        self._listings: dict[int, list[tuple[str, int]]] = {}
        self._answers: dict[int, Callable[[int, bytes], bytes]] = {
            1: self._lookup,
            3: lambda node, body: self._attributes(os.lstat(self._paths[node])),
            4: self._set,
            9: self._make_directory,
            10: lambda node, body: self._remove(os.unlink, node, body),
            11: lambda node, body: self._remove(os.rmdir, node, body),
            12: lambda node, body: self._rename(node, body, 8),
            13: self._link,
            14: self._open,
            15: self._read,
            16: self._write,
            17: self._space,
            18: lambda node, body: self._close(body),
            20: self._sync,
            25: lambda node, body: b"",
            27: self._open_directory,
            28: self._list,
            29: lambda node, body: b"",
            30: lambda node, body: b"",
            34: lambda node, body: b"",
            35: self._create,
            45: lambda node, body: self._rename(node, body, 16),
        }

    def answer(self, opcode: int, node: int, body: bytes) -> bytes:
        """Raises OSError."""
        if opcode == INIT:
            _, minor, readahead, _ = struct.unpack_from("<IIII", body)
            return struct.pack("<IIIIHHII", 7, min(minor, 31), readahead, 0, 12, 10, 1 << 17, 1).ljust(64, b"\0")
        found = self._answers.get(opcode)
        if found is None:
            raise OSError(errno.ENOSYS, "")
        return found(node, body)

    # --- names --------------------------------------------------------------------------------------------------------

    def _below(self, node: int, name: bytes) -> str:
        return os.path.join(self._paths[node], os.fsdecode(name.split(b"\0")[0]))

    def _entry(self, path: str) -> bytes:
        found = os.lstat(path)
        node = self._ids.setdefault(path, len(self._ids) + 1)
        self._paths[node] = path
        return struct.pack("<QQQQII", node, 0, 0, 0, 0, 0) + _attr(found)

    def _lookup(self, node: int, body: bytes) -> bytes:
        return self._entry(self._below(node, body))

    def _make_directory(self, node: int, body: bytes) -> bytes:
        mode, _ = struct.unpack_from("<II", body)
        path = self._below(node, body[8:])
        os.mkdir(path, mode)
        return self._entry(path)

    def _remove(self, how: Callable[[str], None], node: int, body: bytes) -> bytes:
        path = self._below(node, body)
        how(path)
        self._ids.pop(path, None)
        return b""

    def _rename(self, node: int, body: bytes, header: int) -> bytes:
        to = struct.unpack_from("<Q", body)[0]
        old, new = body[header:].split(b"\0")[:2]
        before, after = self._below(node, old), self._below(to, new)
        os.rename(before, after)
        id = self._ids.pop(before, None)
        if id is not None:
            self._ids[after], self._paths[id] = id, after
        return b""

    def _link(self, node: int, body: bytes) -> bytes:
        path = self._below(node, body[8:])
        os.link(self._paths[struct.unpack_from("<Q", body)[0]], path)
        return self._entry(path)

    # --- what they are ------------------------------------------------------------------------------------------------

    def _attributes(self, found: os.stat_result) -> bytes:
        return struct.pack("<QII", 0, 0, 0) + _attr(found)

    def _set(self, node: int, body: bytes) -> bytes:
        valid, _, _, size, *_, mode, _, uid, gid, _ = SETATTR.unpack_from(body)
        path = self._paths[node]
        if valid & SIZE:
            os.truncate(path, size)
        if valid & MODE:
            os.chmod(path, stat.S_IMODE(mode))
        if valid & (UID | GID):
            os.chown(path, uid if valid & UID else -1, gid if valid & GID else -1)
        return self._attributes(os.lstat(path))

    def _space(self, node: int, body: bytes) -> bytes:
        found = os.statvfs(self._paths[ROOT])
        sizes = (found.f_blocks, found.f_bfree, found.f_bavail, found.f_files, found.f_ffree)
        return struct.pack("<QQQQQIIII", *sizes, found.f_bsize, found.f_namemax, found.f_frsize, 0).ljust(80, b"\0")

    # --- what is in them ----------------------------------------------------------------------------------------------

    def _open(self, node: int, body: bytes) -> bytes:
        flags = struct.unpack_from("<I", body)[0] & ~(os.O_DIRECT | os.O_CREAT | os.O_EXCL)
        return struct.pack("<QII", os.open(self._paths[node], flags), DIRECT_IO, 0)

    def _create(self, node: int, body: bytes) -> bytes:
        flags, mode = struct.unpack_from("<II", body)
        path = self._below(node, body[16:])
        fd = os.open(path, (flags & ~os.O_DIRECT) | os.O_CREAT, mode)
        return self._entry(path) + struct.pack("<QII", fd, DIRECT_IO, 0)

    def _read(self, node: int, body: bytes) -> bytes:
        fd, offset, size, *_ = READ.unpack_from(body)
        return os.pread(fd, size, offset)

    def _write(self, node: int, body: bytes) -> bytes:
        fd, offset, size, *_ = READ.unpack_from(body)
        return struct.pack("<II", os.pwrite(fd, body[40 : 40 + size], offset), 0)

    def _sync(self, node: int, body: bytes) -> bytes:
        os.fsync(struct.unpack_from("<Q", body)[0])
        return b""

    def _close(self, body: bytes) -> bytes:
        os.close(struct.unpack_from("<Q", body)[0])
        return b""

    def _open_directory(self, node: int, body: bytes) -> bytes:
        names = [".", "..", *sorted(os.listdir(self._paths[node]))]
        self._listings[node] = [(name, _kind(os.path.join(self._paths[node], name))) for name in names]
        return struct.pack("<QII", node, 0, 0)

    def _list(self, node: int, body: bytes) -> bytes:
        _, offset, size, *_ = READ.unpack_from(body)
        out = b""
        for number, (name, kind) in enumerate(self._listings.get(node, [])[offset:], offset + 1):
            raw = os.fsencode(name)
            one = struct.pack("<QQII", number + 100, number, len(raw), kind) + raw
            one = one.ljust((len(one) + 7) // 8 * 8, b"\0")
            if len(out) + len(one) > size:
                break
            out += one
        return out


def _kind(path: str) -> int:
    return stat.S_IFMT(os.lstat(path).st_mode) >> 12


def _attr(found: os.stat_result) -> bytes:
    times = [int(found.st_atime), int(found.st_mtime), int(found.st_ctime)]
    owner = (found.st_mode, found.st_nlink, found.st_uid, found.st_gid)
    return struct.pack("<QQQQQQ", found.st_ino, found.st_size, found.st_blocks, *times) + struct.pack(
        "<IIIIIIIIII", 0, 0, 0, *owner, 0, 4096, 0
    )


class Server:
    def __init__(self, source: str) -> None:
        self.fd = os.open("/dev/fuse", os.O_RDWR)
        self._files = Passthrough(source)
        self._hangs = False
        self._waiting: list[bytes] = []

    def mount(self, point: str, pid: int) -> None:
        outside = os.open("/proc/self/ns/mnt", os.O_RDONLY)
        enter(os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY))
        options = f"fd={self.fd},rootmode={stat.S_IFDIR | 0o755:o},user_id=0,group_id=0,allow_other"
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.mount(b"outlast-storage", point.encode(), b"fuse", 0, options.encode()) != 0:
            raise OSError(ctypes.get_errno(), f"cannot mount {point}: {os.strerror(ctypes.get_errno())}")
        enter(outside)

    def hang(self, hangs: bool) -> None:
        self._hangs = hangs
        while self._waiting and not hangs:
            self._answer(self._waiting.pop(0))

    def serve(self) -> None:
        """Until it is unmounted."""
        while True:
            if not select.select([self.fd], [], [], 0.2)[0]:
                continue
            try:
                request = os.read(self.fd, 1 << 20)
            except OSError as error:
                if error.errno == errno.ENODEV:
                    return
                if error.errno in (errno.EINTR, errno.EAGAIN, errno.ENOENT):
                    continue
                raise
            if self._hangs:
                self._waiting.append(request)
            else:
                self._answer(request)

    def _answer(self, request: bytes) -> None:
        _, opcode, unique, node, *_ = IN_HEADER.unpack_from(request)
        if opcode in (FORGET, INTERRUPT, BATCH_FORGET):
            return
        try:
            body, error = self._files.answer(opcode, node, request[IN_HEADER.size :]), 0
        except OSError as problem:
            body, error = b"", -(problem.errno or errno.EIO)
        try:
            os.write(self.fd, OUT_HEADER.pack(OUT_HEADER.size + len(body), error, unique) + body)
        except OSError as problem:
            if problem.errno != errno.ENOENT:  # nobody waits for it any more
                raise


def main() -> None:
    source, point, pid, log = sys.argv[1:5]
    server = Server(source)
    signal.signal(signal.SIGUSR1, lambda *_: server.hang(True))
    signal.signal(signal.SIGUSR2, lambda *_: server.hang(False))
    server.mount(point, int(pid))
    Path(log).write_text("ready\n")
    server.serve()


if __name__ == "__main__":
    main()
