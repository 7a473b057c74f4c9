"""Whose turn is it to start on this node? The more urgent first, and so many at once as its processors can do.

After a node's loss, or when all machines boot at once, a node has many groups to start. All of them together would take
as long as one after the other, and the urgent ones would be among the last. So a group begins when nobody more urgent
here is still to begin or has just begun, and when fewer than `most` have. Who is not done `PATIENCE_S` after its turn
has come holds nobody up any more: one start that hangs is no reason for others to stay down.

This is policy and not safety: nothing rests on it, and it knows nothing of other nodes. One group alone is not held up.
"""

import enum

import msgspec

PATIENCE_S = 30.0
"""So long a group that is to start, or has begun, holds others up."""
LEAST_AT_ONCE = 8
PER_CPU = 2
TOLD = 3
"""So many groups are told by name."""


class Stage(enum.Enum):
    EXPECTED = "expected"
    """It is to run here, and it is not known yet whether it does."""
    WAITING = "waiting"
    BEGUN = "begun"


class Entry(msgspec.Struct):
    rank: int
    """Of its priority; 0 is first."""
    order: int
    """Who came first."""
    stage: Stage
    since_s: float
    """When it came into that stage, by the node's own clock."""
    words: str = ""
    """What it waits for, as it was when it began to wait: told once, and not anew with each start of another one."""


def at_once(setting: int, cpus: int) -> int:
    """How many groups may be on their way online. `setting`: 0, as many as its processors can do at once; a start waits
    for more than processors, so a few even where there is one."""
    return setting or max(LEAST_AT_ONCE, PER_CPU * cpus)


class Turns:
    """Fed with what is to start here, what begins and what is done with it; `now` by the node's own clock."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._count = 0

    def clear(self) -> None:
        self._entries.clear()

    def expect(self, group: str, rank: int, now: float) -> None:
        """It is to run here and may have to be started: nobody less urgent begins before that is known."""
        entry = self._entries.get(group)
        if entry is None:
            self._enter(group, rank, Stage.EXPECTED, now)
        else:
            entry.rank = rank

    def ask(self, group: str, rank: int, now: float, most: int) -> str:
        """It can start. What it waits for, for people; "": it begins now, or has begun."""
        entry = self._entries.get(group) or self._enter(group, rank, Stage.EXPECTED, now)
        entry.rank = rank
        if entry.stage is Stage.BEGUN:
            return ""
        words = self._why_not(group, rank, now, most)
        if not words:
            entry.stage, entry.since_s, entry.words = Stage.BEGUN, now, ""
        elif entry.stage is Stage.EXPECTED:
            entry.stage, entry.since_s, entry.words = Stage.WAITING, now, words
        return entry.words

    def done(self, group: str) -> bool:
        """It is online, has failed, or is not to run here any more. True when others may have waited for that."""
        return self._entries.pop(group, None) is not None and bool(self._entries)

    def waiting(self) -> list[str]:
        """Who waits, in the order in which they are to begin."""
        found = [(entry.rank, entry.order, name) for name, entry in self._entries.items() if self.waits(name)]
        return [name for _, _, name in sorted(found)]

    def waits(self, group: str) -> bool:
        entry = self._entries.get(group)
        return entry is not None and entry.stage is Stage.WAITING

    def again_at_s(self, now: float) -> float | None:
        """When time alone lets somebody begin."""
        ends = [at_s for entry in self._entries.values() if (at_s := entry.since_s + PATIENCE_S) > now]
        return min(ends, default=None) if any(map(self.waits, self._entries)) else None

    def _enter(self, group: str, rank: int, stage: Stage, now: float) -> Entry:
        self._count += 1
        entry = self._entries[group] = Entry(rank, self._count, stage, now)
        return entry

    def _why_not(self, group: str, rank: int, now: float, most: int) -> str:
        first, begun = [], 0
        for name, entry in self._entries.items():
            if name == group or (entry.stage is not Stage.WAITING and now - entry.since_s >= PATIENCE_S):
                continue
            begun += entry.stage is Stage.BEGUN
            if entry.rank < rank:
                first.append((entry.rank, entry.order, name))
        if first:
            names = [name for _, _, name in sorted(first)[:TOLD]]
            more = f" and {len(first) - TOLD} more" if len(first) > TOLD else ""
            verb = "starts" if len(first) == 1 else "start"
            return f"{', '.join(names)}{more} {verb} first, with a higher priority"
        if begun >= most:
            return f"{begun} others are being started here, and no more at once (parallel_starts)"
        return ""
