"""Asks the cluster service of this node, over its socket for us. What it answers is handed on as it came, unread."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

LONGEST_ANSWER = 64 * 1024 * 1024
CONNECT_S = 5.0


class Who(NamedTuple):
    credential: str
    """The word of a session or an API token; empty: nobody."""
    address: str


class Refused(Exception):
    """The service refused or could not do it. `kind` and words are those of the command line."""

    def __init__(self, kind: str, message: str, cause: str = "") -> None:
        super().__init__(message)
        self.kind = kind
        self.cause = cause
        """"missing": there is nothing of that name; "bug": it is our fault; or empty."""


class Answer(NamedTuple):
    result: bytes
    """JSON."""
    revision: int = 0
    """Of the record that is shown; 0: it is not one."""
    notice: str = ""
    """What everybody who asks for anything must be told."""


class _Request(msgspec.Struct, omit_defaults=True):
    verb: str
    arguments: Mapping[str, Any]
    credential: str
    address: str
    as_seen: int = 0


class _Error(msgspec.Struct):
    kind: str
    message: str
    cause: str = ""


class _Message(msgspec.Struct):
    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    item: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: _Error | None = None
    revision: int = 0
    notice: str = ""


class Cluster:
    def __init__(self, socket: Path) -> None:
        self._socket = socket

    async def ask(
        self, verb: str, arguments: Mapping[str, Any], who: Who, *, as_seen: int = 0, timeout_s: float = 60.0
    ) -> Answer:
        """Raises `Refused`."""
        revision = 0
        try:
            async with asyncio.timeout(timeout_s), aclosing(self._exchange(verb, arguments, who, as_seen)) as messages:
                async for message in messages:
                    revision = message.revision or revision
                    if not isinstance(message.result, msgspec.UnsetType):
                        return Answer(bytes(message.result), revision, message.notice)
        except TimeoutError:
            words = f"the cluster service did not answer within {timeout_s:g} s; what you asked for may be done"
            raise Refused("no-contact", words) from None
        raise Refused("no-contact", "the cluster service closed the connection without an answer")

    async def follow(self, verb: str, arguments: Mapping[str, Any], who: Who) -> AsyncIterator[bytes]:
        """The items of a verb that streams, as JSON. Raises `Refused`."""
        async with aclosing(self._exchange(verb, arguments, who, 0)) as messages:
            async for message in messages:
                if not isinstance(message.item, msgspec.UnsetType):
                    yield bytes(message.item)
                elif not isinstance(message.result, msgspec.UnsetType):
                    return
        raise Refused("no-contact", "the cluster service closed the connection before it had told everything")

    async def _exchange(
        self, verb: str, arguments: Mapping[str, Any], who: Who, as_seen: int
    ) -> AsyncGenerator[_Message, None]:
        request = _Request(verb, arguments, who.credential, who.address, as_seen)
        try:
            line = msgspec.json.encode(request) + b"\n"
        except (OverflowError, UnicodeEncodeError, TypeError) as error:
            raise Refused("usage", f"{verb} cannot be asked like that: {error}") from None
        try:
            async with asyncio.timeout(CONNECT_S):
                reader, writer = await asyncio.open_unix_connection(str(self._socket), limit=LONGEST_ANSWER)
        except (OSError, TimeoutError) as error:
            raise Refused("no-contact", f"the cluster service of this node cannot be reached: {error}") from None
        try:
            writer.write(line)
            await writer.drain()
            while line := await reader.readline():
                message = msgspec.json.decode(line, type=_Message)
                if message.error is not None:
                    raise Refused(message.error.kind, message.error.message, message.error.cause)
                yield message
        except (OSError, ValueError, msgspec.DecodeError) as error:
            raise Refused("no-contact", f"the cluster service's answer did not arrive whole: {error}") from None
        finally:
            writer.close()
