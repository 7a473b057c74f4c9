"""What was begun and takes its time: followed until it is done, listed, waited for, taken back.

The change itself is one write of an intent; the cluster goes on with it by itself, whether anybody follows it or not.
So an operation is only this process's view of it: it is known on the node that was asked, and forgotten when this
process ends.
"""

import asyncio
import time
import uuid
from collections.abc import Mapping
from typing import Any

import msgspec

from outlast.core.access.auditing import told
from outlast.web.cluster import Cluster, Refused, Who
from outlast.web.routes import Route

MOST_KEPT, MOST_RUNNING = 1000, 200
ROUND_S = 300.0
LONGEST_S = 6 * 3600.0


class Operation(msgspec.Struct):
    id: str
    verb: str
    arguments: dict[str, Any]
    by: str
    state: str
    """running | done | failed | cancelled."""
    began_at_s: float
    ended_at_s: float = 0.0
    """0: it has not."""
    cancellable: bool = True
    """False: to cancel it ends the following only, and what was begun goes on."""
    result: msgspec.Raw | None = None
    """What was answered when it began."""
    progress: msgspec.Raw | None = None
    """The last that was told of it: a row of the group, the node or the change."""
    why: str = ""
    """Why it failed."""


class _Row(msgspec.Struct):
    """Of a group or a resource, a node, or a change of an image: whatever says how far it is."""

    name: str = ""
    state: str = ""
    why: str = ""
    settled: bool | None = None
    done: bool | None = None
    stage: str = ""
    words: str = ""
    members: tuple["_Row", ...] = ()


class Operations:
    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._known: dict[str, Operation] = {}
        self._undo: dict[str, tuple[str, str]] = {}
        """The verb that takes it back, and the name of what."""
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def need_room(self) -> None:
        """Raises `Refused`: before anything is begun."""
        if len(self._tasks) >= MOST_RUNNING:
            raise Refused("impossible", f"{MOST_RUNNING} operations are followed here already: wait for one of them")

    def begin(self, route: Route, arguments: Mapping[str, Any], who: Who, by: str, result: bytes | None) -> Operation:
        """`result`: of the verb; None: the verb itself is the one that is followed."""
        operation = Operation(
            id=uuid.uuid4().hex,
            verb=route.verb,
            arguments=told(route.verb, arguments),
            by=by,
            state="running",
            began_at_s=time.time(),
            cancellable=bool(route.undo) or route.verb == "balance.run",
            result=None if result is None else msgspec.Raw(result),
        )
        while len(self._known) >= MOST_KEPT:
            self._forget_one()
        self._known[operation.id] = operation
        self._undo[operation.id] = (route.undo, str(arguments.get("name", "")))
        task = asyncio.create_task(self._follow(operation, route, arguments, who))
        self._tasks[operation.id] = task
        task.add_done_callback(lambda _: self._tasks.pop(operation.id, None))
        return operation

    def all(self) -> list[Operation]:
        """The newest first."""
        return list(reversed(self._known.values()))

    def named(self, id: str) -> Operation:
        """Raises `Refused`."""
        if id not in self._known:
            raise Refused("usage", f'this node follows no operation "{id}" (any more)', "missing")
        return self._known[id]

    async def wait(self, id: str, timeout_s: float) -> Operation:
        """As it is when it has ended or the time is up."""
        operation, task = self.named(id), self._tasks.get(id)
        if task is not None and timeout_s > 0:
            await asyncio.wait({task}, timeout=timeout_s)
        return operation

    async def cancel(self, id: str, who: Who, *, may_end: bool) -> Operation:
        """Take back what was begun, where that is possible; and follow it no longer. Raises `Refused`."""
        operation = self.named(id)
        if operation.state != "running":
            raise Refused("impossible", f"it is {operation.state} already: there is nothing to cancel")
        undo, name = self._undo[id]
        if undo:
            # The service decides whether who asks may, and whether it is too late.
            await self._cluster.ask(undo, {"name": name}, who)
        elif not may_end:
            raise Refused("denied", f"{operation.by} began it: only they and administrators may end it")
        if operation.state == "running":
            self._end(operation, "cancelled")
        if task := self._tasks.get(id):
            task.cancel()
        return operation

    async def close(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _follow(self, operation: Operation, route: Route, arguments: Mapping[str, Any], who: Who) -> None:
        verb = route.then or route.verb
        question = _question(verb, arguments, operation) if route.then else dict(arguments)
        try:
            async with asyncio.timeout(LONGEST_S):
                while True:
                    async for item in self._cluster.follow(verb, question, who):
                        operation.progress = msgspec.Raw(item)
                    why = _why_open(operation, str(arguments.get("name", "")), resource=verb == "resource.wait")
                    if not route.then or why is None:
                        return self._end(operation, "done")
                    if why:
                        return self._end(operation, "failed", why)
        except Refused as refused:
            self._end(operation, "failed", str(refused))
        except TimeoutError:
            self._end(operation, "failed", f"not done within {LONGEST_S / 3600:g} h; the cluster goes on with it")

    def _end(self, operation: Operation, state: str, why: str = "") -> None:
        if operation.state == "running":
            operation.state, operation.why, operation.ended_at_s = state, why, time.time()

    def _forget_one(self) -> None:
        """The oldest that has ended; there is one, for fewer run than are kept."""
        oldest = next(one for one in self._known.values() if one.state != "running")
        del self._known[oldest.id], self._undo[oldest.id]


def _question(verb: str, arguments: Mapping[str, Any], operation: Operation) -> dict[str, Any]:
    if verb != "volume.wait":
        return {"name": arguments["name"], "timeout_s": ROUND_S}
    assert operation.result is not None
    change = msgspec.json.decode(operation.result, type=dict[str, Any])
    return {"volume": arguments["volume"], "id": change["id"], "timeout_s": ROUND_S}


def _why_open(operation: Operation, name: str, *, resource: bool) -> str | None:
    """None: it is done. Empty: it is under way. Else why it failed."""
    if operation.progress is None:
        return ""
    row = msgspec.json.decode(operation.progress, type=_Row)
    if resource:
        row = next((member for member in row.members if member.name == name), row)
    if row.stage:
        over = {"done": None, "refused": row.words, "cut short": row.words}
        return over.get(row.stage, "")
    if row.done is not None:
        return None if row.done else ""
    if row.state == "failed" and row.settled:
        return row.why or "it has failed"
    return None if row.settled else ""
