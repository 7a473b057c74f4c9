"""What keeps the disks of the cluster database from filling up? One step at a time; after each one looks again.

History is forgotten all the time, but its space stays with the member until it is *reclaimed*, and a member that does
so answers nobody for a moment. So it is done only where it pays, one member at a time, the leader last, and not while
another member is away. When the limit was reached, nobody can write any more: then nothing is too dear.
"""

from collections.abc import Sequence

import msgspec

from outlast.model.upkeep import Size

WORTHWHILE_BYTES = 64 * 1024 * 1024
"""Less is not given back: it will be used again."""
WORTHWHILE_SHARE = 0.5


class Forget(msgspec.Struct, frozen=True):
    """All history, up to now."""

    words: str


class Reclaim(msgspec.Struct, frozen=True):
    url: str
    words: str


class CallOff(msgspec.Struct, frozen=True):
    words: str


Step = Forget | Reclaim | CallOff


def next_step(sizes: Sequence[Size], *, done: Sequence[Step]) -> Step | None:
    """`done` are the steps of this round: none is repeated."""
    followers_first = sorted(sizes, key=lambda size: size.leads)
    waiting = [size for size in followers_first if size.url not in _reclaimed(done)]
    if any(size.full for size in sizes):
        return _make_room(waiting, done)
    if not all(size.reachable for size in sizes):
        return None
    for size in waiting:
        free_bytes = size.total_bytes - size.used_bytes
        if free_bytes >= WORTHWHILE_BYTES and free_bytes >= WORTHWHILE_SHARE * size.total_bytes:
            return Reclaim(size.url, f"{size.name} gives {_mib(free_bytes)} that are free back to its disk")
    return None


def _make_room(waiting: Sequence[Size], done: Sequence[Step]) -> Step | None:
    if not any(isinstance(step, Forget) for step in done):
        return Forget("the database is full: all its history is forgotten to make room")
    for size in waiting:
        if size.reachable:  # however little seems to be free: what was forgotten a moment ago may not be counted yet
            return Reclaim(size.url, f"the database is full: {size.name} gives what is free back to its disk")
    if not any(isinstance(step, CallOff) for step in done):
        return CallOff("the database was full; room was made, and it may be written to again")
    return None


def _reclaimed(done: Sequence[Step]) -> set[str]:
    return {step.url for step in done if isinstance(step, Reclaim)}


def _mib(size_bytes: int) -> str:
    return f"{size_bytes / 1024 / 1024:.0f} MiB"
