"""When did which guest run on which node, when had that node power, and until when might it run anything?

Seen from outside, in the processes of all nodes: QEMU's and the node's own. Outlast is not asked; but each node's run
permit is read where its resource hosts read it. When a process began is the kernel's word (to a hundredth of a second);
when it ended lies between two looks.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from outlast.core.membership import permit
from outlast.lab import cgroup, node
from outlast.lab.checker import Copy, Finding, Relay, Vigil, find_doubles
from outlast.lab.history import now_s
from outlast.lab.layout import NodePaths

OUTLIVED_S = 3.0
"""So much longer than its permit a guest may be seen. A node that keeps the rule has done it within its guard (0.75 s
with the default time-out); the rest is for a machine that is busier than any host ought to be."""
OPENED_WITHIN_S = 20.0
"""A new resource host has everything open that runs. As in the simulator (`sim/permits.py`)."""
BECOMES_S = 5.0
"""So long after its fork a process may become another program. As long as a look is late here, at worst."""
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_NEVER_S = float("inf")


@dataclass(slots=True)
class Span:
    """A guest's process on a node, with its `guest`; or without one, the node's power: what was there for a time."""

    node: str
    guest: str
    pid: int
    from_s: float
    until_s: float
    """When it was seen last."""
    gone_s: float = _NEVER_S
    """When it was seen to be gone."""

    def throughout(self, from_s: float, until_s: float) -> bool:
        return self.from_s <= from_s and until_s <= self.until_s


def resets(relays: Iterable[Relay], guests: Sequence[Span]) -> Iterable[Finding]:
    """Two runs in one process: the guest was reset, and here nothing ever asks for that (invariant 21). The first still
    wrote when the process was there, which was there without a gap until the other had written."""
    for relay in relays:
        for span in guests:
            if span.guest == relay.guest and span.throughout(relay.from_s, relay.until_s):
                words = f"run {relay.after} began in the process of run {relay.before} ({span.pid} on {span.node})"
                yield Finding(relay.guest, f"invariant 21: {words}: it was reset")


@dataclass(frozen=True, slots=True)
class PermitSeen:
    """A run permit that was not there at the look before."""

    node: str
    after_s: float
    at_s: float
    until_s: float


class Sightings(Vigil):
    def __init__(self, nodes: Sequence[NodePaths], *, every_s: float = 0.02) -> None:
        super().__init__(every_s)
        self._nodes = nodes
        self._looked_s = dict.fromkeys((target.name for target in nodes), 0.0)
        self._known: dict[str, dict[int, Span | None]] = {target.name: {} for target in nodes}
        self._strangers: dict[int, float] = {}
        """What is no guest, and since when it has been known: a process may still become one."""
        self._on: dict[str, Span] = {}
        self._unarmed: dict[str, Span] = {}
        self._able_s: dict[str, float] = {}
        self._permits: dict[str, float] = {}
        self.guests: list[Span] = []
        self.powers: list[Span] = []
        self.unarmed: list[Span] = []
        """While no watchdog counted for a node."""
        self.permits: list[PermitSeen] = []

    def look(self) -> Iterable[Finding]:
        for target in self._nodes:
            yield from self._look_at(target)
        spans = [span for known in self._known.values() for span in known.values() if span is not None]
        yield from find_doubles(Copy(span.guest, span.node, span.pid, incoming=False) for span in spans)

    def _look_at(self, target: NodePaths) -> Iterable[Finding]:
        name, began_s = target.name, now_s()
        pids = cgroup.members(target.cgroup)
        before = self._known[name]
        known = {pid: before.get(pid) or self._met(target, pid, began_s) for pid in pids}
        ended_s = now_s()
        for pid, span in before.items():
            if pid not in known:
                self._strangers.pop(pid, None)
                if span is not None:
                    span.gone_s = ended_s
        for span in known.values():
            if span is not None:
                span.until_s = began_s
        self._see_power(name, pids, before, began_s, ended_s)
        self._known[name] = known
        self._see_watchdog(target, began_s, ended_s)
        self._see_permit(target, ended_s)
        running = [span for span in known.values() if span is not None]
        yield from self._outlived(target, running, began_s)
        self._looked_s[name] = began_s

    def _met(self, target: NodePaths, pid: int, at_s: float) -> Span | None:
        if at_s - self._strangers.setdefault(pid, at_s) > BECOMES_S:
            return None
        process = node.process(pid)
        guest = node.guest_of(process) if process else ""
        if not guest:
            return None
        span = Span(target.name, guest, pid, _began_s(pid) or at_s, at_s)
        self.guests.append(span)
        return span

    def _see_power(self, name: str, pids: Sequence[int], before: Iterable[int], began_s: float, ended_s: float) -> None:
        on = self._on.get(name)
        if on is not None and not set(pids) & set(before):  # off, or already the next life
            on.gone_s = ended_s
            del self._on[name]
            self._permits.pop(name, None)
            on = None
        if on is None and pids:
            from_s = min((found for pid in pids if (found := _began_s(pid))), default=began_s)
            on = self._on[name] = Span(name, "", pids[0], from_s, began_s)
            self.powers.append(on)
        if on is not None:
            on.until_s = began_s

    def _see_watchdog(self, target: NodePaths, began_s: float, ended_s: float) -> None:
        span = self._unarmed.get(target.name)
        if target.armed.exists():
            if span is not None:
                span.gone_s = ended_s
                del self._unarmed[target.name]
            return
        if span is None:
            span = self._unarmed[target.name] = Span(target.name, "", 0, ended_s, began_s)
            self.unarmed.append(span)
        span.until_s = began_s

    def _see_permit(self, target: NodePaths, at_s: float) -> None:
        try:
            init = int(target.init.read_text())
            record = permit.from_bytes(Path(f"/proc/{init}/root/run/outlast/permit").read_bytes())
        except (OSError, ValueError):
            return
        if record is not None and target.name in self._on and record.until_s != self._permits.get(target.name):
            self._permits[target.name] = record.until_s
            self.permits.append(PermitSeen(target.name, self._looked_s[target.name], at_s, record.until_s))

    def _outlived(self, target: NodePaths, running: Sequence[Span], at_s: float) -> Iterable[Finding]:
        """What runs although the permit has passed, and somebody has been able to stop it for long enough."""
        until_s = self._permits.get(target.name)
        if until_s is None or not running or at_s <= until_s + OUTLIVED_S or not _able(target, at_s):
            self._able_s.pop(target.name, None)
            return
        able_s = self._able_s.setdefault(target.name, at_s)
        for span in running:
            if at_s - max(able_s, span.from_s) > OUTLIVED_S:
                words = f"invariant 7: it still runs on {span.node} (process {span.pid}), whose run permit has passed"
                yield Finding(span.guest, words)


def _able(target: NodePaths, at_s: float) -> bool:
    """Does a resource host stand there that neither is frozen nor has just begun?"""
    if cgroup.is_frozen(target.cgroup):
        return False
    hosts = [found.pid for found in node.processes(target) if node.is_service(found, "outlast-rhs")]
    return any(
        not _stands_still(pid) and (began_s := _began_s(pid)) and at_s - began_s > OPENED_WITHIN_S for pid in hosts
    ) and not any(_stands_still(pid) for pid in hosts)


def _began_s(pid: int) -> float:
    """0: it is gone."""
    words = _stat(pid)
    return int(words[19]) / _TICKS_PER_S if words else 0.0


def _stands_still(pid: int) -> bool:
    words = _stat(pid)
    return bool(words) and words[0] in ("T", "t")


def _stat(pid: int) -> list[str]:
    """From its state on."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []
