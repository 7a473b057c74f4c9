"""One member of etcd as we reach it: its connections, and whether it has failed us lately."""

import ssl
from collections.abc import Callable
from urllib.parse import urlsplit

from outlast.adapters.etcd.connection import Connection

IDLE_AT_MOST = 4
_DEFAULT_PORT = 2379

Context = Callable[[], ssl.SSLContext]


class Endpoint:
    def __init__(self, url: str, context: Context) -> None:
        """Raises ValueError for something that is no address."""
        self.url = url
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f'"{url}" is no address of etcd; it must be like "https://10.0.0.1:{_DEFAULT_PORT}"')
        self._host, self._port = parts.hostname, parts.port or _DEFAULT_PORT
        self._context = context if parts.scheme == "https" else None
        self._idle: list[Connection] = []
        self._in_use: set[Connection] = set()
        self.failures = 0
        """In a row; 0 for one that works."""
        self.trouble = ""
        """The last failure, in words."""
        self.diagnosis = ""
        """What it says itself of why it cannot serve."""

    @property
    def name(self) -> str:
        return f"{self._host}:{self._port}"

    def worked(self) -> None:
        self.failures, self.trouble, self.diagnosis = 0, "", ""

    def failed(self, trouble: str) -> None:
        self.failures += 1
        self.trouble = trouble
        while self._idle:
            self._idle.pop().abort()

    async def connection(self, *, fresh: bool) -> Connection:
        """One to be given back. Raises OSError, `Unavailable`; nothing was sent then."""
        while self._idle and not fresh:
            connection = self._idle.pop()
            if connection.usable:
                self._in_use.add(connection)
                return connection
        connection = await Connection.open(self._host, self._port, self._context() if self._context else None)
        self._in_use.add(connection)
        return connection

    async def call(self, connection: Connection, path: str, body: bytes, token: str) -> tuple[int, bytes]:
        """Status and body. Raises `ConnectionLost`. The connection is given back."""
        try:
            return await connection.exchange(path, body, token)
        finally:
            self.give_back(connection)

    def give_back(self, connection: Connection) -> None:
        self._in_use.discard(connection)
        if connection.usable and len(self._idle) < IDLE_AT_MOST:
            self._idle.append(connection)
        else:
            connection.abort()

    def close(self) -> None:
        for connection in (*self._idle, *self._in_use):
            connection.abort()
        self._idle.clear()
