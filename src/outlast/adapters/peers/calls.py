"""How does a service ask another one? Connections are kept for the next question, and thrown away at the first trouble.

A question that went out on a kept connection is never sent a second time: perhaps it has been heard.
"""

import asyncio
import ssl
from dataclasses import dataclass

from outlast.adapters.peers.certificates import Certificates
from outlast.adapters.peers.wire import Answer, BadMessage, Question, receive, send, split_address
from outlast.ports.peers import NotAnswered, PeerUnreachable

IDLE_S = 30.0
"""A connection that was not used for so long is not used again."""
_KEPT = 2
"""Connections per node that wait for a next question."""


@dataclass(slots=True)
class Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    used_at: float = 0.0

    async def exchange(self, question: Question) -> Answer:
        await send(self.writer, question)
        return await receive(self.reader, Answer)

    def usable(self, now: float) -> bool:
        return not self.reader.at_eof() and not self.writer.is_closing() and now - self.used_at < IDLE_S

    def drop(self) -> None:
        self.writer.transport.abort()


class Calls:
    def __init__(self, node: str, certificates: Certificates | None) -> None:
        self._node = node
        self._certificates = certificates
        self._kept: dict[tuple[str, str], list[Connection]] = {}

    async def ask(self, node: str, address: str, topic: str, question: bytes, *, timeout_s: float) -> bytes:
        try:
            async with asyncio.timeout(timeout_s):
                connection = self._take(node, address) or await self._connect(node, address)
                try:
                    answer = await connection.exchange(Question(self._node, node, topic, question))
                except BaseException:
                    connection.drop()
                    raise
        except TimeoutError:
            raise PeerUnreachable(f"{node} ({address}) did not answer within {timeout_s:.1f} s") from None
        except (OSError, EOFError, BadMessage) as error:
            raise PeerUnreachable(f"no contact with {node} ({address}): {words_for(error)}") from error
        self._keep(node, address, connection)
        if answer.refusal:
            raise NotAnswered(answer.refusal)
        return answer.body

    async def _connect(self, node: str, address: str) -> Connection:
        # The certificate must bear the node's name, wherever the node is reached.
        context = self._certificates.client() if self._certificates is not None else None
        return await connect(address, context, name=node)

    def _take(self, node: str, address: str) -> Connection | None:
        kept = self._kept.get((node, address), [])
        now = asyncio.get_running_loop().time()
        while kept:
            connection = kept.pop()
            if connection.usable(now):
                return connection
            connection.drop()
        return None

    def _keep(self, node: str, address: str, connection: Connection) -> None:
        kept = self._kept.setdefault((node, address), [])
        if len(kept) < _KEPT:
            connection.used_at = asyncio.get_running_loop().time()
            kept.append(connection)
        else:
            connection.drop()


async def connect(address: str, context: ssl.SSLContext | None, *, name: str) -> Connection:
    host, port = split_address(address)
    server_hostname = name if context is not None else None
    reader, writer = await asyncio.open_connection(host, port, ssl=context, server_hostname=server_hostname)
    return Connection(reader, writer)


def words_for(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted: {error.verify_message}"
    if isinstance(error, EOFError):
        return "it closed the connection"
    if isinstance(error, ConnectionRefusedError):
        return "no cluster service listens there"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
