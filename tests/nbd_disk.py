"""A disk that fails when it is told to. QEMU reaches it over a socket, by the NBD protocol (fixed newstyle)."""

import contextlib
import errno
import socket
import struct
import threading
from pathlib import Path

_MAGIC, _OPTION_MAGIC, _REPLY_MAGIC = b"NBDMAGIC", b"IHAVEOPT", 0x3E889045565A9
_REQUEST_MAGIC, _ANSWER_MAGIC = 0x25609513, 0x67446698
_EXPORT_NAME, _ABORT, _GO = 1, 2, 7
_ACK, _INFO, _UNSUPPORTED = 1, 3, 2**31 + 1
_HAS_FLAGS_AND_FLUSH = 1 | 4

EIO, FULL = errno.EIO, errno.ENOSPC


class FailingDisk:
    """`fail(EIO)` or `fail(FULL)`: every write fails from then on; those of new connections only if `for_new`."""

    def __init__(self, path: Path, content: bytes) -> None:
        self.content = bytearray(content)
        self.writes = 0
        self._error = 0
        self._fails_up_to = 0
        """Connections up to that number fail."""
        self._connections = 0
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def fail(self, error: int, *, for_new: bool = True) -> None:
        self._error, self._fails_up_to = error, 2**31 if for_new else self._connections

    def mend(self) -> None:
        self._error = 0

    def close(self) -> None:
        self._server.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._server.accept()
                self._connections += 1
                threading.Thread(target=self._serve, args=(connection, self._connections), daemon=True).start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        with connection, contextlib.suppress(OSError, EOFError):
            connection.sendall(_MAGIC + _OPTION_MAGIC + struct.pack(">H", 1))
            _take(connection, 4)
            if self._negotiate(connection):
                while self._answer(connection, number):
                    pass

    def _negotiate(self, connection: socket.socket) -> bool:
        while True:
            _, option, length = struct.unpack(">8sII", _take(connection, 16))
            _take(connection, length)
            size = struct.pack(">QH", len(self.content), _HAS_FLAGS_AND_FLUSH)
            if option == _EXPORT_NAME:
                connection.sendall(size + bytes(124))
                return True
            if option == _GO:
                _reply(connection, option, _INFO, struct.pack(">H", 0) + size)
                _reply(connection, option, _ACK)
                return True
            _reply(connection, option, _ACK if option == _ABORT else _UNSUPPORTED)
            if option == _ABORT:
                return False

    def _answer(self, connection: socket.socket, number: int) -> bool:
        magic, _, kind, handle, offset, length = struct.unpack(">IHHQQI", _take(connection, 28))
        assert magic == _REQUEST_MAGIC
        data, error = b"", 0
        match kind:
            case 0:  # read
                data = bytes(self.content[offset : offset + length])
            case 1:  # write
                written = _take(connection, length)
                error = self._error if number <= self._fails_up_to else 0
                if not error:
                    self.content[offset : offset + length] = written
                    self.writes += 1
            case 2:  # disconnect
                return False
        connection.sendall(struct.pack(">IIQ", _ANSWER_MAGIC, error, handle) + data)
        return True


def _take(connection: socket.socket, length: int) -> bytes:
    found = bytearray()
    while len(found) < length:
        more = connection.recv(length - len(found))
        if not more:
            raise EOFError
        found += more
    return bytes(found)


def _reply(connection: socket.socket, option: int, kind: int, data: bytes = b"") -> None:
    connection.sendall(struct.pack(">QIII", _REPLY_MAGIC, option, kind, len(data)) + data)


def disk_xml(path: Path, *, target: str, bus: str) -> str:
    """What stands in a VM's definition; an error of it pauses the VM."""
    return f"""<disk type='network' device='disk'>
      <driver name='qemu' type='raw' cache='writeback' error_policy='stop'/>
      <source protocol='nbd'><host transport='unix' socket='{path}'/></source>
      <target dev='{target}' bus='{bus}'/>
    </disk>"""
