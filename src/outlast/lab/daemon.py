"""The lab's daemon: what would be on the nodes' mainboards. Who may switch a node off, and who does it unasked?

Outside all nodes, one per lab. For each node it is
  the BMC: /run/outlast-lab/power.sock in each node (and power.sock in the lab's directory on the host). One request
      per connection, "VERB NODE" ("on", "off", "reset", "status") or "list"; the answer is one line ("on", "off",
      names) or "error: ...". "off" is said when not one process of the node is left.
  the watchdog: /run/outlast-lab/watchdog.sock, each node's own. Lines "arm SECONDS", "feed", "disarm", which get
      no answer. Closing the connection does not stop the countdown. Unfed, the node's power is cut at once, and it
      stays off.

Everything that it does to a node, `outlast lab power` can do without it: when it dies, only fencing and watchdogs
are gone. A new one counts on for the watchdogs that were armed, from the moment it starts.
"""

import asyncio
import os
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import msgspec

from outlast.lab import bmc, cgroup, layout, node
from outlast.lab.errors import LabError
from outlast.lab.layout import LabPaths, NodePaths

LONGEST_REQUEST = 1000


class Watchdog:
    """The countdown of one node. What it is armed for is one life of the node: it has no say in the next."""

    def __init__(self, target: NodePaths, bite: Callable[[NodePaths, str], None]) -> None:
        self._target = target
        self._bite = bite
        self._timeout_s = 0.0
        self._life = ""
        self._timer: asyncio.TimerHandle | None = None

    def obey(self, line: str) -> str:
        """Returns what was wrong with it, if anything. The node gets no answer: one that it had not read when it
        closes the connection would make the kernel throw away its last word, and that may be "disarm"."""
        verb, _, argument = line.strip().partition(" ")
        match verb:
            case "arm":
                try:
                    timeout_s = float(argument)
                except ValueError:
                    timeout_s = 0.0
                if not 0.05 <= timeout_s <= 3600:
                    return f"cannot arm {self._target.name}'s: 0.05 to 3600 seconds, not {argument!r}"
                self._life = node.life_of(self._target)
                self._start(timeout_s)
                self._target.armed.write_bytes(msgspec.json.encode((timeout_s, self._life)))
            case "feed" if self._timer:
                self._start(self._timeout_s)
            case "feed":
                return f"{self._target.name} feeds it, but has not armed it"
            case "disarm":
                self._stop()
            case _:
                return f"{self._target.name} says {line.strip()!r}; known are: arm SECONDS, feed, disarm"
        return ""

    def resume(self) -> None:
        """After a restart of the daemon."""
        with suppress(FileNotFoundError, msgspec.DecodeError):
            timeout_s, self._life = msgspec.json.decode(self._target.armed.read_bytes(), type=tuple[float, str])
            self._start(timeout_s)

    def _start(self, timeout_s: float) -> None:
        if self._timer:
            self._timer.cancel()
        self._timeout_s = timeout_s
        self._timer = asyncio.get_running_loop().call_later(timeout_s, self._expire)

    def _stop(self) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = None
        self._target.armed.unlink(missing_ok=True)

    def _expire(self) -> None:
        self._timer = None
        if node.life_of(self._target) != self._life:
            self._stop()
            return
        # What it was armed with is forgotten when the power is off, not before: the daemon may die in between.
        self._bite(self._target, f"its watchdog was not fed for {self._timeout_s:g} s")


class Daemon:
    def __init__(self, lab: LabPaths, nodes: tuple[str, ...]) -> None:
        self._nodes = {name: lab.node(name) for name in nodes}
        self._lab = lab
        self._cuts: set[asyncio.Task[None]] = set()

    async def serve(self) -> None:
        for target in self._nodes.values():
            target.board.mkdir(parents=True, exist_ok=True)
            await _listen(target.board / "power.sock", self._answer_power)
            watchdog = Watchdog(target, self._cut_power)
            watchdog.resume()
            await _listen(target.board / "watchdog.sock", self._watchdog_of(watchdog))
        await _listen(self._lab.power_socket, self._answer_power)  # last: it tells that all are there
        _say("ready")
        await asyncio.Event().wait()

    async def _answer_power(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.LimitOverrunError):
            words = (await reader.readline()).decode(errors="replace").split()
            answer = await self._power(words)
            if answer == HANGING:
                await reader.read()  # until the other side gives up
            elif answer != DEAD:
                writer.write(f"{answer}\n".encode())
                await writer.drain()
        writer.close()

    async def _power(self, words: list[str]) -> str:
        match words:
            case ["list"]:
                return " ".join(self._nodes)
            case [("on" | "off" | "reset" | "status") as verb, name] if name in self._nodes:
                fault = bmc.fault_of(self._lab, name)
                _say(f"{verb} {name}" + (f" (the BMC is set to {fault.value})" if fault is not bmc.Fault.NONE else ""))
                return await self._switch(verb, self._nodes[name], fault)
            case [_, name]:
                return f"error: there is no plug {name} (or no such verb)"
        return "error: VERB NODE, or list"

    async def _switch(self, verb: str, target: NodePaths, fault: bmc.Fault) -> str:
        match fault:
            case bmc.Fault.FAIL:
                return "error: the BMC refuses (as the lab was told to)"
            case bmc.Fault.HANG:
                return HANGING
            case bmc.Fault.DEAD:
                return DEAD
            case bmc.Fault.LIE:
                return "off" if verb in ("off", "status") else "on"
        try:
            if verb in ("off", "reset"):
                await asyncio.to_thread(node.power_off, target, "switched off by its BMC")
            if verb in ("on", "reset"):
                await asyncio.to_thread(node.power_on, target, "switched on by its BMC")
        except LabError as error:
            return f"error: {error}"
        return "on" if node.is_on(target) else "off"

    def _watchdog_of(self, watchdog: Watchdog) -> "Server":
        async def obey(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(ConnectionError, asyncio.LimitOverrunError):
                while line := await reader.readline():
                    if wrong := watchdog.obey(line.decode(errors="replace")):
                        _say(f"watchdog: {wrong}")
            writer.close()

        return obey

    def _cut_power(self, target: NodePaths, why: str) -> None:
        def cut() -> None:
            node.power_off(target, why)
            target.armed.unlink(missing_ok=True)

        _say(f"off {target.name}: {why}")
        task = asyncio.ensure_future(asyncio.to_thread(cut))
        self._cuts.add(task)
        task.add_done_callback(self._cuts.discard)


HANGING = "(hang)"
DEAD = "(dead)"
Server = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def _listen(path: Path, server: Server) -> None:
    listener = socket.socket(socket.AF_UNIX)
    bind(listener, path)
    await asyncio.start_unix_server(server, sock=listener, limit=LONGEST_REQUEST)


def bind(listener: socket.socket, path: Path) -> None:
    """Whoever sees the socket can connect: it gets its name when it listens. A former one loses it."""
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    listener.bind(str(new))
    listener.listen()
    new.rename(path)


def _say(words: str) -> None:
    print(time.strftime("%H:%M:%S"), words, flush=True)


def main(name: str) -> None:
    lab = LabPaths(name)
    # A member of the lab's cgroup before it does anything: `lab down` finds it there. Gone already? Then so are we.
    (cgroup.path_of(f"{lab.cgroup}/daemon") / "cgroup.procs").write_text(str(os.getpid()))
    lives = sorted((lab.root / "nodes").iterdir(), key=lambda path: int(path.name[1:]))
    asyncio.run(Daemon(lab, tuple(path.name for path in lives)).serve())


if __name__ == "__main__":
    main(layout.check_lab_name(sys.argv[1]))
