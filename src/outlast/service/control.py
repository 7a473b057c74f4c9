"""The sockets of the cluster service: one request per connection, JSON lines. Who may open the control socket may do
everything; on the socket of `outlast-web` each request also says who asks (`access/doors.py`).

-> {"verb": "vm.list", "arguments": {}}
<- {"item": ...}            any number of times, from verbs that stream
<- {"result": ...}          or  {"error": {"kind": "impossible", "message": "..."}}

Beside the result may stand {"notice": "..."}: what everybody who asks for anything must be told.
"""

import asyncio
import grp
import os
import pwd
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import structlog

from outlast.service.access.doors import Answers, Request
from outlast.service.commands.context import CommandError, Missing
from outlast.service.node import Node

log = structlog.get_logger()

LONGEST_REQUEST = 8 * 1024 * 1024
REQUEST_TIMEOUT_S = 10.0
_CREDENTIALS = struct.Struct("3i")
_NO_LOGIN = 2**32 - 1


WEB_GROUP = "outlast-web"
"""Who is in it may open the socket of `outlast-web`. Where there is no such group, only root may."""


async def serve(node: Node, path: Path) -> None:
    """Answer requests on the control socket until cancelled."""

    def answers(request: Request, writer: asyncio.StreamWriter) -> Answers:
        return node.doors.on_the_node(request, _who(writer))

    await _serve(node, _listening(path), answers)


async def serve_web(node: Node, path: Path) -> None:
    """Likewise on the socket of `outlast-web`."""

    def answers(request: Request, writer: asyncio.StreamWriter) -> Answers:
        return node.doors.from_outside(request)

    await _serve(node, _listening(path, WEB_GROUP), answers)


Answering = Callable[[Request, asyncio.StreamWriter], Answers]


async def _serve(node: Node, listening: socket.socket, answers: Answering) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await _answer(node, reader, writer, answers)
        except (ConnectionError, TimeoutError):
            pass  # who asked has gone
        finally:
            writer.close()

    server = await asyncio.start_unix_server(answer, sock=listening, limit=LONGEST_REQUEST)
    async with server:
        await server.serve_forever()


def _listening(path: Path, group: str = "") -> socket.socket:
    """A socket that only root, and that group, may open, where there may be one of an earlier service."""
    path.unlink(missing_ok=True)
    before = os.umask(0o177)
    try:
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listening.bind(str(path))
        with suppress(KeyError):
            if group:
                os.chown(path, -1, grp.getgrnam(group).gr_gid)
                path.chmod(0o660)
        return listening
    finally:
        os.umask(before)


def _who(writer: asyncio.StreamWriter) -> str:
    """Who has logged in on this machine and asks by `outlast`, as far as the kernel knows; else root."""
    peer = writer.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, _ = _CREDENTIALS.unpack(peer)
    try:
        login = int(Path(f"/proc/{pid}/loginuid").read_text())
    except (OSError, ValueError):
        login = _NO_LOGIN
    user = uid if login == _NO_LOGIN else login
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"user {user}"


async def _answer(node: Node, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answers: Answering) -> None:
    async with asyncio.timeout(REQUEST_TIMEOUT_S):
        line = await reader.readline()
    try:
        request = msgspec.json.decode(line, type=Request)
    except msgspec.DecodeError as error:
        await _send(writer, {"error": {"kind": "usage", "message": f"that is no request: {error}"}})
        return
    hung_up = asyncio.create_task(reader.read())
    work = asyncio.create_task(_work(node, request, writer, answers))
    try:
        # A watcher that has gone must not be served for ever.
        await asyncio.wait({hung_up, work}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        hung_up.cancel()
        work.cancel()
        await asyncio.gather(hung_up, work, return_exceptions=True)


async def _work(node: Node, request: Request, writer: asyncio.StreamWriter, answers: Answering) -> None:
    try:
        async for kind, value in answers(request, writer):
            notice = node.notice() if kind == "result" else ""
            await _send(writer, {kind: value, "notice": notice} if notice else {kind: value})
    except CommandError as error:
        cause = {"cause": "missing"} if isinstance(error, Missing) else {}
        await _send(writer, {"error": {"kind": error.kind, "message": str(error), **cause}})
    except ConnectionError:
        return
    except Exception as error:
        log.exception("a command failed", verb=request.verb)
        message = f"{request.verb} failed in the cluster service: {error!r}; see its log"
        await _send(writer, {"error": {"kind": "failed", "message": message, "cause": "bug"}})


async def _send(writer: asyncio.StreamWriter, message: dict[str, Any]) -> None:
    writer.write(msgspec.json.encode(message) + b"\n")
    await writer.drain()
