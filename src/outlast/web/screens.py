"""The screen of a VM in a browser: what QEMU's VNC server says, carried over a web socket by the node that it runs on.

The cluster service says whether who asks may operate the VM, and where its screen is. A browser can send no header with
a web socket: on the node of its page the cookie tells who asks, and the page must be of a node of the cluster; on the
others the page sends the word of its session as one of the protocols that it offers.
"""

import asyncio
from contextlib import suppress

import msgspec
import structlog
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from outlast.model.answers import Screen
from outlast.web import identity
from outlast.web.cluster import Cluster, Refused, Who
from outlast.web.elsewhere import Neighbours
from outlast.web.routes import PREFIX

log = structlog.get_logger()

PROTOCOL, BEARER = "binary", "outlast.word."
CONNECT_S, AGAIN_S = 5.0, 10.0
MOST_OPEN = 50
PART = 65536
REFUSED, ELSEWHERE, ENDED = 4400, 4421, 4410
"""Why a web socket was closed; the words stand beside it. `ELSEWHERE`: they name the node."""
LONGEST_REASON = 120


class Screens:
    def __init__(self, cluster: Cluster, neighbours: Neighbours, again_s: float = AGAIN_S) -> None:
        """`again_s`: so often it is asked whether who looks still may."""
        self._cluster = cluster
        self._neighbours = neighbours
        self._again_s = again_s
        self._open = 0

    def route(self) -> WebSocketRoute:
        return WebSocketRoute(f"{PREFIX}/vms/{{name}}/screen", self.serve)

    async def serve(self, socket: WebSocket) -> None:
        who = await self._who(socket)
        if who is None:
            await socket.close()  # before it is accepted: a browser tells no page why
            return
        await socket.accept(PROTOCOL)
        if self._open >= MOST_OPEN:
            await _close(socket, REFUSED, f"{MOST_OPEN} screens are shown by this node already")
            return
        self._open += 1
        try:
            await self._show(socket, who, socket.path_params["name"])
        except Refused as refused:
            await _close(socket, REFUSED, str(refused))
        finally:
            self._open -= 1

    async def _who(self, socket: WebSocket) -> Who | None:
        """None: a page of somebody else."""
        offered = [one.strip() for one in socket.scope.get("subprotocols", ())]
        origin, host = socket.headers.get("origin", ""), socket.headers.get("host", "")
        if PROTOCOL not in offered or origin not in (f"https://{host}", *await self._neighbours.origins()):
            return None
        address = socket.client.host if socket.client is not None else ""
        word = next((one.removeprefix(BEARER) for one in offered if one.startswith(BEARER)), "")
        return Who(word or socket.cookies.get(identity.COOKIE, ""), address)

    async def _show(self, socket: WebSocket, who: Who, name: str) -> None:
        answer = await self._cluster.ask("vm.screen", {"name": name}, who)
        screen = msgspec.json.decode(answer.result, type=Screen)
        if not screen.port:
            await _close(socket, ELSEWHERE, screen.node)
            return
        try:
            async with asyncio.timeout(CONNECT_S):
                reader, writer = await asyncio.open_connection(screen.host, screen.port)
        except (OSError, TimeoutError) as error:
            raise Refused("impossible", f"the screen of {name} does not answer: {error}") from None
        log.info("a screen is shown", vm=name, address=who.address)
        carrying = [
            asyncio.create_task(_to_browser(reader, socket)),
            asyncio.create_task(_to_screen(socket, writer)),
            asyncio.create_task(self._while_allowed(who)),
        ]
        try:
            await asyncio.wait(carrying, return_when=asyncio.FIRST_COMPLETED)
        finally:
            writer.close()
            for task in carrying:
                task.cancel()
            await asyncio.wait(carrying)
            await _close(socket, ENDED, f"the screen of {name} is not shown any more")

    async def _while_allowed(self, who: Who) -> None:
        """Until who looks is signed out, or is somebody else than before."""
        before = b""
        while True:
            try:
                now = (await self._cluster.ask("session.show", {}, who)).result
            except Refused as refused:
                if refused.kind in ("sign-in", "denied"):
                    return
                now = before  # the cluster service is restarted: the VM runs on, and so does its screen
            if before and now != before:
                return
            before = now
            await asyncio.sleep(self._again_s)


async def _to_browser(reader: asyncio.StreamReader, socket: WebSocket) -> None:
    with suppress(OSError, WebSocketDisconnect):
        while part := await reader.read(PART):
            await socket.send_bytes(part)


async def _to_screen(socket: WebSocket, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError, WebSocketDisconnect, KeyError):
        while True:
            writer.write(await socket.receive_bytes())
            await writer.drain()


async def _close(socket: WebSocket, code: int, words: str) -> None:
    with suppress(RuntimeError, WebSocketDisconnect, OSError):  # the browser was quicker
        await socket.close(code, words.encode()[:LONGEST_REASON].decode(errors="ignore"))
