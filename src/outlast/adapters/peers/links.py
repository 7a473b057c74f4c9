"""How do the services of a cluster ask each other? One TCP port per node, TLS 1.3 with the cluster's own authority.

`TcpPeers` is both ends. Without certificates (the lab's SQLite cluster) names are believed as they are said.

Strangers (machines that want to join, and whoever else can reach the port) get little: one handshake, one small
question and its answer, within `STRANGER_S` in all; and when too many of them are there at once, the oldest is dropped
for the newest, so that a node of the cluster, which is done with its handshake within milliseconds, always gets in.
"""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import structlog

from outlast.adapters.peers.calls import IDLE_S, Calls
from outlast.adapters.peers.certificates import Certificates, name_of
from outlast.adapters.peers.wire import AUTHORITY, DEFAULT_PORT, MOST_BYTES, Answer, BadMessage, Question, receive, send
from outlast.ports.peers import Handler, NotAnswered

log = structlog.get_logger()

STRANGER_S = 10.0
MOST_STRANGERS = 64
MOST_STRANGER_BYTES = 16 * 1024
LISTEN_AGAIN_S = 1.0
ANSWER_SENT_WITHIN_S = 10.0
_BACKLOG = 128
_TLS_TIMES: dict[str, Any] = {"ssl_handshake_timeout": STRANGER_S, "ssl_shutdown_timeout": STRANGER_S}


class TcpPeers:
    """The port. `node` is this node's name; `certificates` None: neither encrypted nor proven."""

    def __init__(
        self, node: str, *, certificates: Certificates | None = None, port: int = DEFAULT_PORT, host: str = ""
    ) -> None:
        self.port = port
        """Where it listens; 0 is replaced by the port that was found."""
        self.listening = asyncio.Event()
        self._node = node
        self._host = host
        self._certificates = certificates
        self._handlers: dict[str, Handler] = {}
        self._for_strangers: set[str] = set()
        self._strangers: dict[asyncio.Task[None], None] = {}
        """Connections of which nobody knows yet whose they are, oldest first."""
        self._calls = Calls(node, certificates)
        if certificates is not None:
            self.answer(AUTHORITY, self._tell_authority, strangers=True)

    async def ask(self, node: str, address: str, topic: str, question: bytes, *, timeout_s: float) -> bytes:
        return await self._calls.ask(node, address, topic, question, timeout_s=timeout_s)

    def answer(self, topic: str, handler: Handler, *, strangers: bool = False) -> None:
        self._handlers[topic] = handler
        (self._for_strangers.add if strangers else self._for_strangers.discard)(topic)

    async def serve(self) -> None:
        """A port that cannot be had is tried again: without its links a node is poorer, and still a node."""
        while True:
            try:
                listener = _listen(self._host, self.port)
            except OSError as error:
                log.warning("cannot listen for other nodes", port=self.port, why=error.strerror)
                await asyncio.sleep(LISTEN_AGAIN_S)
                continue
            with listener:
                self.port = listener.getsockname()[1]
                self.listening.set()
                await self._accept(listener)

    # --- those who ask --------------------------------------------------------------------------------------------

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as tasks:
            while True:
                try:
                    sock, _ = await loop.sock_accept(listener)
                except OSError as error:  # no file descriptors left, or the caller is gone already
                    log.warning("cannot take a connection of another node", why=error.strerror)
                    await asyncio.sleep(LISTEN_AGAIN_S)
                    continue
                if len(self._strangers) >= MOST_STRANGERS:
                    oldest = next(iter(self._strangers))
                    del self._strangers[oldest]
                    oldest.cancel()
                task = tasks.create_task(self._converse(sock))
                self._strangers[task] = None
                task.add_done_callback(lambda done: self._strangers.pop(done, None))

    async def _converse(self, sock: socket.socket) -> None:
        """One connection, to its end."""
        # However a connection ends, it is up to who made it to say something: this port is open to everybody.
        with suppress(OSError, EOFError, BadMessage):  # a TimeoutError is an OSError
            async with asyncio.timeout(STRANGER_S) as limit, self._opened(sock) as (reader, writer):
                asker = name_of(writer.get_extra_info("ssl_object"))
                while True:
                    if asker:
                        self._strangers.pop(_this_task(), None)
                        limit.reschedule(asyncio.get_running_loop().time() + 2 * IDLE_S)
                    proven = asker or self._certificates is None
                    most_bytes = MOST_BYTES if proven else MOST_STRANGER_BYTES
                    question = await receive(reader, Question, most_bytes=most_bytes)
                    if self._certificates is None:
                        asker = question.asker
                    if asker:
                        limit.reschedule(None)  # how long it waits for the answer is up to the asker
                    answer = await self._answer(asker, question)
                    async with asyncio.timeout(ANSWER_SENT_WITHIN_S):
                        await send(writer, answer)
                    if not asker:
                        return

    @asynccontextmanager
    async def _opened(self, sock: socket.socket) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        try:
            tls = {"ssl": self._certificates.server(), **_TLS_TIMES} if self._certificates is not None else {}
            transport, _ = await loop.connect_accepted_socket(lambda: protocol, sock, **tls)
        except BaseException:
            sock.close()
            raise
        try:
            yield reader, asyncio.StreamWriter(transport, protocol, reader, loop)
            transport.close()
        except BaseException:
            transport.abort()
            raise

    async def _answer(self, asker: str, question: Question) -> Answer:
        try:
            body = await self._handle(asker, question)
            if len(body) > MOST_BYTES // 2:
                raise ValueError(f"an answer of {len(body)} bytes is too long")
        except NotAnswered as refusal:
            return Answer(refusal=str(refusal))
        except Exception:  # whatever comes from outside must not end the service
            log.exception("a question could not be answered", topic=question.topic, asker=asker or "a stranger")
            return Answer(refusal=f"{self._node} could not answer: the question led to an error there, see its log")
        return Answer(body)

    async def _handle(self, asker: str, question: Question) -> bytes:
        if question.node not in ("", self._node):
            raise NotAnswered(f"this is {self._node}, not {question.node}: its address stands for another node")
        handler = self._handlers.get(question.topic)
        if not asker and question.topic not in self._for_strangers:
            raise NotAnswered(f"{self._node} answers this to members of the cluster only")
        if handler is None:
            raise NotAnswered(f'{self._node} does not know the topic "{question.topic}"')
        return await handler(asker, question.body)

    async def _tell_authority(self, asker: str, question: bytes) -> bytes:
        assert self._certificates is not None
        return self._certificates.authority().encode()


def _listen(host: str, port: int) -> socket.socket:
    if host or not socket.has_dualstack_ipv6():
        listener = socket.create_server((host, port), backlog=_BACKLOG)
    else:
        listener = socket.create_server(("", port), family=socket.AF_INET6, backlog=_BACKLOG, dualstack_ipv6=True)
    listener.setblocking(False)
    return listener


def _this_task() -> "asyncio.Task[None]":
    task = asyncio.current_task()
    assert task is not None
    return task
