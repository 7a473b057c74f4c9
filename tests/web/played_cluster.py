"""A cluster of the simulator, in real time, that real programs can ask: each node has a socket for its `outlast-web`.

`python played_cluster.py DIRECTORY` reads the simulator's commands from stdin, one a line, and answers each with
"done"; the sockets are DIRECTORY/NODE/web.sock. The cluster service behind them is the real one: accounts, roles and
decisions are no table of a test.
"""

import asyncio
import os
import queue
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from outlast.adapters.openid import HttpOpenId
from outlast.adapters.secrets import FileSecrets
from outlast.model.health import Json
from outlast.ports.openid import Client, OpenId
from outlast.service.access.doors import Request
from outlast.service.commands.context import CommandError, Missing
from outlast.sim import commands
from outlast.sim.asking import expect
from outlast.sim.world import World

STEP_S = 0.02
T = TypeVar("T")
Replies = queue.SimpleQueue[bytes | None]


class InThreads:
    """Asks a real provider from within the simulated loop, in which there are no processes."""

    def __init__(self, asked: OpenId) -> None:
        self._asked = asked

    async def endpoint(self, client: Client) -> str:
        return await self._waited_for(self._asked.endpoint(client))

    async def claims(
        self, client: Client, code: str, *, verifier: str, redirect: str, nonce: str, wanted: tuple[str, ...]
    ) -> Mapping[str, Json]:
        asked = self._asked.claims(client, code, verifier=verifier, redirect=redirect, nonce=nonce, wanted=wanted)
        return await self._waited_for(asked)

    async def _waited_for(self, asked: Coroutine[Any, Any, T]) -> T:
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(asyncio.run, asked)
            while not answer.done():  # noqa: ASYNC110 - the simulated loop hears of no other thread
                await asyncio.sleep(STEP_S)
            return answer.result()


class Played:
    """The world, and what is asked of it from other threads. Only `play` touches the world."""

    def __init__(self, first: str, directory: Path) -> None:
        self.world = World(commands.setup_from(commands.parse(first)))
        secrets = FileSecrets(directory)
        secrets.create()
        self.world.daemons.secrets = secrets
        self.world.daemons.openid = InThreads(HttpOpenId())
        self._asked: queue.SimpleQueue[tuple[str, Request, Replies, list[asyncio.Task[None]]]] = queue.SimpleQueue()
        self._commands: queue.SimpleQueue[str] = queue.SimpleQueue()

    def command(self, line: str) -> None:
        self._commands.put(line)

    def ask(self, node: str, request: Request) -> tuple[Replies, list[asyncio.Task[None]]]:
        replies, task = Replies(), list[asyncio.Task[None]]()
        self._asked.put((node, request, replies, task))
        return replies, task

    def play(self) -> None:
        """For ever, as fast as time passes."""
        behind_s = time.monotonic() - self.world.now
        while True:
            with suppress(queue.Empty):
                while True:
                    self._begin(*self._asked.get_nowait())
            with suppress(queue.Empty):
                line = self._commands.get_nowait()
                before = self.world.now
                commands.do(self.world, line)
                behind_s -= self.world.now - before  # `run 30` at the start takes no half minute
                print("done", flush=True)
            self.world.run_until(max(self.world.now, time.monotonic() - behind_s))
            if self.world.broken:
                sys.exit(f"the simulated world broke: {self.world.broken}")
            time.sleep(STEP_S)

    def _begin(self, node: str, request: Request, replies: Replies, task: list[asyncio.Task[None]]) -> None:
        service = self.world.services.get(node)
        if service is None or not service.process.alive:
            replies.put(None)
            return

        async def answer() -> None:
            try:
                async for kind, value in service.node.doors.from_outside(request):
                    replies.put(msgspec.json.encode({kind: value}))
            except CommandError as error:
                cause = {"cause": "missing"} if isinstance(error, Missing) else {}
                told = {"kind": error.kind, "message": str(error), **cause}
                replies.put(msgspec.json.encode({"error": told}))
            replies.put(None)

        expect(self.world, request.verb, dict(request.arguments))
        task.append(service.process.context.run(self.world.loop.create_task, answer()))


def serve(played: Played, node: str, path: Path) -> None:
    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            request = msgspec.json.decode(self.rfile.readline(), type=Request)
            replies, task = played.ask(node, request)
            gone = threading.Thread(target=self._until_gone, args=(replies,), daemon=True)
            gone.start()
            with suppress(OSError):
                while (line := replies.get()) is not None:
                    self.wfile.write(line + b"\n")
            with suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)  # which ends the other thread's reading
            for one in task:
                played.world.loop.call_soon(one.cancel)

        def _until_gone(self, replies: Any) -> None:
            with suppress(OSError):
                self.rfile.read()
            replies.put(None)

    path.parent.mkdir(parents=True, exist_ok=True)
    server = socketserver.ThreadingUnixStreamServer(str(path), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()


def main() -> None:
    directory = Path(sys.argv[1])
    played = Played(sys.stdin.readline().strip(), directory)
    for node in played.world.setup.nodes:
        serve(played, node, directory / node / "web.sock")

    def read() -> None:
        for line in sys.stdin:
            played.command(line.strip())
        os._exit(0)  # whoever started it has gone

    threading.Thread(target=read, daemon=True).start()
    print("done", flush=True)
    played.play()


if __name__ == "__main__":
    main()
