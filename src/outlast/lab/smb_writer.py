"""A client of an SMB share that writes one record after the other, and keeps account of what was acknowledged when.

`python -m outlast.lab.smb_writer ADDRESS SHARE FILE USER PASSWORD`, by Samba's own client library. A record is 16 bytes
at its place in the file: its number. Whatever goes wrong, the connection is thrown away and the same record is tried
again on a new one: what is acknowledged counts, nothing else. It ends with its input, and tells the `Account` as JSON.
"""

import ctypes
import os
import select
import socket
import sys
import time

import msgspec

RECORD_BYTES = 16
PORT = 445
ANSWER_WITHIN_S = 1.0
"""A client that waits longer for the answer to a write has a longer gap, whatever the cluster does."""
PAUSE_S = 0.05
BETWEEN_WRITES_S = 0.005

_AUTH = ctypes.CFUNCTYPE(
    None, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p, ctypes.c_int,
    ctypes.c_void_p, ctypes.c_int,
)  # fmt: skip


class Account(msgspec.Struct, frozen=True):
    acknowledged: int
    """Records, from number 0 on."""
    longest_gap_s: float
    """Between two acknowledgements; the last one may be that until the end."""
    connections: int


def record(number: int) -> bytes:
    return f"{number:015d}\n".encode()


class Connection:
    """To one file of the share; good until the first error."""

    def __init__(self, url: str, user: str, password: str) -> None:
        self._library = library = ctypes.CDLL("libsmbclient.so.0", use_errno=True)
        for name in ("smbc_new_context", "smbc_init_context", "smbc_set_context"):
            getattr(library, name).restype = ctypes.c_void_p
        library.smbc_lseek.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int)
        library.smbc_lseek.restype = ctypes.c_int64
        library.smbc_write.restype = ctypes.c_ssize_t

        def tell(
            _server: bytes, _share: bytes, _group: int, _size: int, name: int, name_size: int, word: int, word_size: int
        ) -> None:
            ctypes.memmove(name, user.encode() + b"\0", min(len(user) + 1, name_size))
            ctypes.memmove(word, password.encode() + b"\0", min(len(password) + 1, word_size))

        self._auth = _AUTH(tell)  # Kept, as long as the library may call it.
        self._context = ctypes.c_void_p(library.smbc_new_context())
        library.smbc_setFunctionAuthData(self._context, self._auth)
        library.smbc_setTimeout(self._context, int(ANSWER_WITHIN_S * 1000))
        if not library.smbc_init_context(self._context):
            raise OSError(ctypes.get_errno(), "smbc_init_context")
        library.smbc_set_context(self._context)
        self._file = library.smbc_open(url.encode(), os.O_CREAT | os.O_WRONLY, 0o600)
        if self._file < 0:
            self.drop()
            raise OSError(ctypes.get_errno(), "smbc_open")

    def write(self, number: int) -> None:
        """Returns when it is acknowledged."""
        wanted = number * RECORD_BYTES
        if self._library.smbc_lseek(self._file, wanted, os.SEEK_SET) != wanted:
            raise OSError(ctypes.get_errno(), "smbc_lseek")
        if self._library.smbc_write(self._file, record(number), RECORD_BYTES) != RECORD_BYTES:
            raise OSError(ctypes.get_errno(), "smbc_write")

    def drop(self) -> None:
        self._library.smbc_free_context(self._context, 1)


def connect(address: str, url: str, user: str, password: str) -> Connection:
    """Is anybody there? Asked first, because the library waits long for nobody."""
    with socket.create_connection((address, PORT), ANSWER_WITHIN_S):
        pass
    return Connection(url, user, password)


def main(address: str, share: str, file: str, user: str, password: str) -> None:
    url = f"smb://{address}/{share}/{file}"
    connection: Connection | None = None
    number = connections = 0
    longest_s, last_s = 0.0, time.monotonic()
    while not select.select([sys.stdin], [], [], BETWEEN_WRITES_S)[0]:
        try:
            if connection is None:
                connection = connect(address, url, user, password)
                connections += 1
            connection.write(number)
        except OSError:
            if connection is not None:
                connection.drop()
            connection = None
            time.sleep(PAUSE_S)
            continue
        longest_s, last_s = max(longest_s, time.monotonic() - last_s), time.monotonic()
        number += 1
    longest_s = max(longest_s, time.monotonic() - last_s)
    print(msgspec.json.encode(Account(number, round(longest_s, 3), connections)).decode(), flush=True)


def lost(written: bytes, acknowledged: int) -> list[int]:
    """The numbers of acknowledged records that are not in what was written."""
    return [
        number for number in range(acknowledged) if written[number * RECORD_BYTES :][:RECORD_BYTES] != record(number)
    ]


if __name__ == "__main__":
    main(*sys.argv[1:])
