"""What goes over a link between two services? One question, one answer, and so on in turn.

Each is a length (four bytes, big-endian) and as many bytes of MessagePack. Who has several questions at once opens
several connections: a slow answer holds up nothing else, and a connection on which an answer failed to come is thrown
away with whatever may still come.
"""

import asyncio
from typing import TypeVar

import msgspec

DEFAULT_PORT = 7405
MOST_BYTES = 1024 * 1024
AUTHORITY = "authority"
"""The topic that every listener with certificates answers to everyone: the certificate of the cluster's authority."""

M = TypeVar("M", bound=msgspec.Struct)


class Question(msgspec.Struct, frozen=True, array_like=True):
    asker: str
    """Believed only where there are no certificates; empty for a stranger."""
    node: str
    """Who is meant: behind the address may be another one by now. Empty: whoever listens."""
    topic: str
    body: bytes


class Answer(msgspec.Struct, frozen=True, array_like=True):
    body: bytes = b""
    refusal: str = ""


class BadMessage(Exception):
    """What came is no message of this protocol; nothing that follows on this connection can be trusted."""


async def send(writer: asyncio.StreamWriter, message: msgspec.Struct) -> None:
    """Raises ValueError for a message that nobody would take."""
    data = msgspec.msgpack.encode(message)
    if len(data) > MOST_BYTES:
        raise ValueError(f"cannot send {len(data)} bytes to another node at once: at most {MOST_BYTES}")
    writer.write(len(data).to_bytes(4, "big") + data)
    await writer.drain()


async def receive(reader: asyncio.StreamReader, kind: type[M], *, most_bytes: int = MOST_BYTES) -> M:
    """Raises `BadMessage`, or EOFError when the other side has closed."""
    length = int.from_bytes(await reader.readexactly(4), "big")
    if length > most_bytes:
        raise BadMessage(f"{length} bytes at once; at most {most_bytes} are read")
    data = await reader.readexactly(length)
    try:
        return msgspec.msgpack.decode(data, type=kind)
    except msgspec.MsgspecError as error:
        raise BadMessage(str(error)) from error


def split_address(address: str) -> tuple[str, int]:
    """ "host", "host:port", "[v6]:port" or a bare IPv6 address."""
    if address.startswith("["):
        host, _, rest = address[1:].partition("]")
        return host, int(rest[1:]) if rest else DEFAULT_PORT
    host, colon, port = address.partition(":")
    if not colon or ":" in port:
        return address, DEFAULT_PORT
    return host, int(port)
