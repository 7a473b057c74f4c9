"""What changes, told as it happens: server-sent events.

`snapshot`: the status of the whole cluster, first of all. `change`: what of it is different now: whole rows of nodes,
groups and VMs, names of those that are gone, and the rest of the status. `event`: a line of the event log, with its id:
a browser that comes again sends the last one that it has (`Last-Event-ID`), also to another node, and is told what it
has missed; or `reset`, when that is too long ago. `end`: why it ends.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec

from outlast.web.cluster import Cluster, Refused, Who

ALIVE_S = 15.0
"""So often something is sent, so that whoever is between does not take the connection for dead."""
LISTS = ("nodes", "groups", "vms")
_PASSING = ("revision", "age_s")
_PASSING_OF_NODES = ("last_record_s",)
"""What is another at every look and no change."""
_BEHIND = 100
"""So many messages wait for a slow reader before the cluster's are not read any further."""


def message(event: str, data: bytes, id: str = "") -> bytes:
    """In JSON there is no line break."""
    head = f"id: {id}\n".encode() if id and id.isprintable() else b""
    return head + b"event: " + event.encode() + b"\ndata: " + data + b"\n\n"


def difference(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """What of the status is different; empty when nothing is."""
    found: dict[str, Any] = {}
    rest = {name: value for name, value in now.items() if name not in (*LISTS, *_PASSING)}
    changed = {name: value for name, value in rest.items() if before.get(name) != value}
    if changed:
        found["cluster"] = changed
    for name in LISTS:
        then = {row["name"]: row for row in before[name]}
        rows = [row for row in now[name] if _lasting(then.pop(row["name"], {})) != _lasting(row)]
        if rows:
            found[name] = rows
        if then:
            found.setdefault("gone", {})[name] = list(then)
    return found


def _lasting(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in _PASSING_OF_NODES}


async def stream(
    cluster: Cluster, who: Who, last_event: str, *, state: bool, alive_s: float = ALIVE_S
) -> AsyncIterator[bytes]:
    """Until who asks has gone, or may not look any more. `state`: with snapshot and changes. `alive_s`: so often
    something is sent."""
    queue: asyncio.Queue[bytes | None] = asyncio.Queue(_BEHIND)
    sources = [_log(cluster, who, last_event, queue)]
    if state:
        sources.append(_status(cluster, who, queue))
    tasks = [asyncio.create_task(_told(source, queue)) for source in sources]
    try:
        yield b": Outlast\n\n"
        while True:
            try:
                async with asyncio.timeout(alive_s):
                    found = await queue.get()
            except TimeoutError:
                yield b": alive\n\n"
                continue
            if found is None:
                return
            yield found
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _told(source: Any, queue: "asyncio.Queue[bytes | None]") -> None:
    """None of the sources ends by itself but by a refusal."""
    try:
        await source
    except Refused as refused:
        await queue.put(message("end", msgspec.json.encode({"kind": refused.kind, "message": str(refused)})))
    await queue.put(None)


async def _log(cluster: Cluster, who: Who, last: str, queue: "asyncio.Queue[bytes | None]") -> None:
    while True:
        try:
            async for item in cluster.follow("events.follow", {"after": last} if last else {}, who):
                last = msgspec.json.decode(item, type=_Identified).id
                await queue.put(message("event", item, last))
            return
        except Refused as refused:
            if refused.cause != "missing" or not last:
                raise
            await queue.put(message("reset", b"{}"))
            last = ""


class _Identified(msgspec.Struct):
    id: str


async def _status(cluster: Cluster, who: Who, queue: "asyncio.Queue[bytes | None]") -> None:
    before: dict[str, Any] | None = None
    async for item in cluster.follow("follow", {}, who):
        now = msgspec.json.decode(item, type=dict[str, Any])
        if before is None:
            await queue.put(message("snapshot", item))
        elif changed := difference(before, now):
            await queue.put(message("change", msgspec.json.encode(changed)))
        before = now
