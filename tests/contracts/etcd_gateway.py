"""A gateway that says what a test tells it to: for what no real member does when asked to."""

import asyncio
import base64
import json
from collections.abc import Callable, Sequence
from typing import Any

Said = dict[str, Any]
Answer = Callable[[Said], tuple[int, Said]]

CLUSTER_ID = 7


def header(revision: int = 1, cluster_id: int = CLUSTER_ID) -> Said:
    return {"cluster_id": str(cluster_id), "member_id": "1", "revision": str(revision), "raft_term": "2"}


def event(key: str, value: bytes | None, revision: int) -> Said:
    kv = {"key": base64.b64encode(key.encode()).decode(), "mod_revision": str(revision)}
    if value is None:
        return {"type": "DELETE", "kv": kv}
    return {"kv": kv | {"value": base64.b64encode(value).decode()}}


def _unknown(said: Said) -> tuple[int, Said]:
    return 404, {}


class FakeGateway:
    """Answers each path as `answers` says; streams `watched` line by line to every watch, which then stays open."""

    def __init__(self) -> None:
        self.revision = 1
        self.answers: dict[str, Answer] = {
            "/v3/cluster/member/list": lambda said: (200, {"header": header(0)}),
            "/v3/kv/range": lambda said: (200, {"header": header(self.revision)}),
            "/v3/kv/txn": lambda said: (200, {"header": header(self.revision), "succeeded": True}),
        }
        self.watched: list[Said] = []
        self.asked: list[tuple[str, Said]] = []
        self.piece_bytes = 65536
        """How much is sent at once."""
        self._asked_again = asyncio.Event()
        self._streams: list[asyncio.StreamWriter] = []
        self._server: asyncio.Server | None = None

    async def start(self) -> str:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def stop(self) -> None:
        assert self._server
        self._server.close()

    def calls(self, path: str) -> Sequence[Said]:
        return [said for asked, said in self.asked if asked == path]

    def cut(self) -> None:
        """The streams that are open end."""
        for writer in self._streams:
            writer.transport.abort()

    async def asked_for(self, path: str, times: int) -> None:
        while len(self.calls(path)) < times:
            self._asked_again.clear()
            await self._asked_again.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                path = line.split()[1].decode()
                length = 0
                while (field := await reader.readline()) != b"\r\n":
                    if field.lower().startswith(b"content-length:"):
                        length = int(field.split(b":")[1])
                said = json.loads(await reader.readexactly(length) or b"{}")
                self.asked.append((path, said))
                self._asked_again.set()
                if path == "/v3/watch":
                    self._streams.append(writer)
                    await self._stream(writer)
                    await reader.read()
                    return
                status, answer = self.answers.get(path, _unknown)(said)
                body = json.dumps(answer).encode()
                await self._send(writer, b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body))
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the other end has left
        finally:
            writer.close()

    async def _stream(self, writer: asyncio.StreamWriter) -> None:
        await self._send(writer, b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n")
        for said in self.watched:
            line = json.dumps({"result": said}).encode() + b"\n"
            await self._send(writer, b"%x\r\n%s\r\n" % (len(line), line))

    async def _send(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        for start in range(0, len(data), self.piece_bytes):
            writer.write(data[start : start + self.piece_bytes])
            await writer.drain()
            await asyncio.sleep(0)
