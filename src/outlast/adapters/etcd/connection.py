"""One HTTP/1.1 connection to a member of etcd: one exchange at a time, or one stream of lines until it ends.

The grammar of HTTP is h11's. What matters to us is decided here: whoever has written a request to the socket must
take it for sent, and a connection whose exchange was broken off is never used again.
"""

import asyncio
import select
import ssl
from collections import deque

import h11

STREAM_BYTES_AT_MOST = 32 * 1024 * 1024
"""What a stream holds for a slow reader. Beyond it the connection is given up; the reader gets what is here."""


class ConnectionLost(Exception):
    """It ended in the middle. What was asked may have been done."""


class Connection(asyncio.Protocol):
    """Made by `open`. `usable` while another exchange can begin."""

    def __init__(self, host: str) -> None:
        self.cluster_id = 0
        """Of the member at its other end, once that is known."""
        self._host = host.encode()
        self._http = h11.Connection(h11.CLIENT)
        self._transport: asyncio.Transport | None = None
        self._readable = select.poll()
        self._lost = ""
        self._status = 0
        self._parts: list[bytes] = []
        self._held = 0
        self._ended = False
        """The answer is complete."""
        self._streams = False
        self._lines: deque[bytes] = deque()
        self._news: asyncio.Future[None] | None = None

    @classmethod
    async def open(cls, host: str, port: int, tls: ssl.SSLContext | None) -> "Connection":
        """Raises OSError (of which `ssl.SSLError` is one)."""
        name = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(
            lambda: cls(name), host, port, ssl=tls, server_hostname=host if tls else None
        )
        return connection

    @property
    def usable(self) -> bool:
        """Nothing can be there to be read but the end of the connection, of which the event loop has not told yet."""
        return not self._lost and self._http.our_state is h11.IDLE and not self._readable.poll(0)

    async def exchange(self, path: str, body: bytes, token: str) -> tuple[int, bytes]:
        """Status and body. Raises `ConnectionLost`. Ends the connection when it is cancelled."""
        try:
            self._send(path, body, token)
            while not self._ended:
                await self._something_new()
        except BaseException:
            self.abort()
            raise
        status, answer = self._status, b"".join(self._parts)
        self._begin_anew()
        return status, answer

    async def begin_stream(self, path: str, body: bytes, token: str) -> int:
        """The status. Then `line` gives what comes."""
        self._streams = True
        self._send(path, body, token)
        while not self._status:
            await self._something_new()
        return self._status

    async def line(self) -> bytes:
        """The next whole line. Raises `ConnectionLost` when there will be none."""
        while not self._lines:
            if self._ended:
                raise ConnectionLost("it ended the stream")
            await self._something_new()
        line = self._lines.popleft()
        self._held -= len(line)
        return line

    def rest(self) -> bytes:
        """What came after the last whole line: all of the body, if it was an error."""
        return b"".join(self._parts)

    def abort(self) -> None:
        """End it now. Whoever waits for something is told."""
        if self._transport:
            self._transport.abort()
        self._lose("it was closed here")

    # Called by the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._readable.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    def data_received(self, data: bytes) -> None:
        self._http.receive_data(data)
        self._take()

    def eof_received(self) -> bool:
        self._lose("it closed the connection")
        return False

    def connection_lost(self, exception: Exception | None) -> None:
        self._lose(str(exception) if exception else "it closed the connection")

    # The rest

    def _send(self, path: str, body: bytes, token: str) -> None:
        if self._lost or self._transport is None:
            raise ConnectionLost(self._lost)
        headers = [(b"host", self._host), (b"content-length", b"%d" % len(body))]
        if token:
            headers.append((b"authorization", token.encode()))
        head = self._http.send(h11.Request(method=b"POST", target=path.encode(), headers=headers))
        data = self._http.send(h11.Data(data=body))
        self._http.send(h11.EndOfMessage())
        self._transport.write(b"".join((head or b"", data or b"")))

    async def _something_new(self) -> None:
        if self._lost:
            raise ConnectionLost(self._lost)
        self._news = asyncio.get_running_loop().create_future()
        try:
            await self._news
        finally:
            self._news = None

    def _take(self) -> None:
        try:
            while True:
                event = self._http.next_event()
                if event is h11.NEED_DATA or event is h11.PAUSED:
                    break
                if isinstance(event, h11.Response):
                    self._status = event.status_code
                elif isinstance(event, h11.Data):
                    self._hold(bytes(event.data))
                elif isinstance(event, h11.EndOfMessage):
                    self._ended = True
                    break
        except h11.RemoteProtocolError as error:
            self._lose(f"it does not speak HTTP as etcd does: {error}")
        self._wake()

    def _hold(self, data: bytes) -> None:
        if not self._streams or b"\n" not in data:
            self._parts.append(data)
            return
        *lines, rest = b"".join((*self._parts, data)).split(b"\n")
        self._parts = [rest]
        self._lines.extend(lines)
        self._held += sum(map(len, lines))
        if self._held > STREAM_BYTES_AT_MOST and self._transport:
            self._transport.abort()

    def _begin_anew(self) -> None:
        self._status, self._parts, self._ended = 0, [], False
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
        else:
            self.abort()

    def _lose(self, why: str) -> None:
        self._lost = self._lost or why
        self._wake()

    def _wake(self) -> None:
        if self._news and not self._news.done():
            self._news.set_result(None)
