"""The control socket: one request per connection, JSON lines. Who may open the socket may do everything.

-> {"verb": "vm.list", "arguments": {}}
<- {"item": ...}            any number of times, from verbs that stream
<- {"result": ...}          or  {"error": {"kind": "impossible", "message": "..."}}
"""

import asyncio
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import structlog

from outlast.model.health import Json
from outlast.service.commands.context import CommandError
from outlast.service.node import Node

log = structlog.get_logger()

LONGEST_REQUEST = 8 * 1024 * 1024
REQUEST_TIMEOUT_S = 10.0


class Request(msgspec.Struct, frozen=True):
    verb: str
    arguments: Mapping[str, Json] = msgspec.field(default_factory=dict)


async def serve(node: Node, path: Path) -> None:
    """Answer requests until cancelled."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await _answer(node, reader, writer)
        except (ConnectionError, TimeoutError):
            pass  # who asked has gone
        finally:
            writer.close()

    server = await asyncio.start_unix_server(answer, sock=_listening(path), limit=LONGEST_REQUEST)
    async with server:
        await server.serve_forever()


def _listening(path: Path) -> socket.socket:
    """A socket that only root may open, where there may be one of an earlier service."""
    path.unlink(missing_ok=True)
    before = os.umask(0o177)
    try:
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listening.bind(str(path))
        return listening
    finally:
        os.umask(before)


async def _answer(node: Node, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    async with asyncio.timeout(REQUEST_TIMEOUT_S):
        line = await reader.readline()
    try:
        request = msgspec.json.decode(line, type=Request)
    except msgspec.DecodeError as error:
        await _send(writer, {"error": {"kind": "usage", "message": f"that is no request: {error}"}})
        return
    hung_up = asyncio.create_task(reader.read())
    work = asyncio.create_task(_work(node, request, writer))
    try:
        # A watcher that has gone must not be served for ever.
        await asyncio.wait({hung_up, work}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        hung_up.cancel()
        work.cancel()
        await asyncio.gather(hung_up, work, return_exceptions=True)


async def _work(node: Node, request: Request, writer: asyncio.StreamWriter) -> None:
    try:
        async for kind, value in node.command(request.verb, request.arguments):
            await _send(writer, {kind: value})
    except CommandError as error:
        await _send(writer, {"error": {"kind": error.kind, "message": str(error)}})
    except ConnectionError:
        return
    except Exception as error:
        log.exception("a command failed", verb=request.verb)
        message = f"{request.verb} failed in the cluster service: {error!r}; see its log"
        await _send(writer, {"error": {"kind": "failed", "message": message}})


async def _send(writer: asyncio.StreamWriter, message: dict[str, Any]) -> None:
    writer.write(msgspec.json.encode(message) + b"\n")
    await writer.drain()
