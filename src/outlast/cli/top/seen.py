"""What does the screen know of the cluster at one moment, and what of it does each line say?"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from outlast.cli import rows
from outlast.model.answers import MEMBERS, ClusterStatus, GroupRow, NodeRow, QuorumRow, VmRow
from outlast.model.event import Event

RUNNING = ("online", "partially online")
PENDING = ("online pending", "offline pending")


@dataclass(frozen=True, slots=True)
class Seen:
    status: ClusterStatus
    quorum: QuorumRow | None = None
    """None: the database has no members that vote, or nobody has said yet."""
    events: tuple[Event, ...] = ()
    at_s: float = 0.0
    """When the status came, by the clock of who looks."""
    lost: str = ""
    """Why nobody answers now; empty while somebody does."""

    def document(self) -> Mapping[str, Any]:
        """For scripts."""
        return {
            "status": self.status,
            "quorum": self.quorum,
            "operations": [{"about": one.about, "words": one.words} for one in operations(self.status)],
            "events": self.events,
        }


@dataclass(frozen=True, slots=True)
class Line:
    """A VM, or a group of something else."""

    name: str
    state: str
    owner: str
    protection: str
    memory_mib: int
    why: str
    rank: int
    """0 is worst."""


@dataclass(frozen=True, slots=True)
class Operation:
    about: str
    words: str
    percent: int = -1
    """-1: nobody can say."""


def lines(status: ClusterStatus) -> list[Line]:
    groups = {row.name: row for row in status.groups}
    found = [_line(row, groups.get(row.group), rows.vm_why(row), row.memory_mib) for row in status.vms]
    of_vms = {row.group for row in status.vms}
    others = (row for row in status.groups if row.name not in of_vms)
    return found + [_line(row, row, rows.group_why(row), 0) for row in others]


def _line(row: VmRow | GroupRow, group: GroupRow | None, why: str, memory_mib: int) -> Line:
    locked = f"locked: {group.locked}" if group is not None and group.locked else ""
    told = "; ".join(filter(None, (why, locked if locked not in why else "")))
    return Line(row.name, row.state, row.owner, rows.protected(row).text, memory_mib, told, _rank(row, group))


def _rank(row: VmRow | GroupRow, group: GroupRow | None) -> int:
    if row.state in ("failed", "unknown"):
        return 0
    if row.state in PENDING or (group is not None and group.move_to):
        return 2
    if row.state != row.wanted and not (group is not None and group.settled):
        return 1
    if row.wanted == "online" and not row.protected:
        return 3
    if row.wanted == "online" and row.at_risk_because:
        return 4
    if row.state == "offline":
        return 6
    return 5


WELL_FROM = 5
"""Lines of this rank and above are as they shall be."""


def node_rank(row: NodeRow) -> int:
    if row.state not in MEMBERS:
        return 0
    return 1 if row.state != "up" or rows.node_why(row) else 2


def operations(status: ClusterStatus) -> list[Operation]:
    """What is under way."""
    found = [_draining(row) for row in status.nodes if row.state == "draining"]
    for row in status.groups:
        if row.transfer is not None:
            found.append(Operation(row.name, f"{_way(row)}, live: {row.transfer.words}", row.transfer.percent))
        elif row.move_to:
            found.append(Operation(row.name, f"{_way(row)}{_because(row.why)}"))
        elif row.state in PENDING:
            doing = "is being brought online" if row.state == "online pending" else "is being stopped"
            found.append(Operation(row.name, f"{doing} on {row.owner}{_because(row.why)}"))
    return found


def _draining(row: NodeRow) -> Operation:
    left = f"{row.groups} group{'s' if row.groups != 1 else ''} left"
    return Operation(row.name, f"is being drained: {left}{_because(row.why)}")


def _way(row: GroupRow) -> str:
    return f"moves from {row.owner or 'nowhere'} to {row.move_to or '?'}"


def _because(why: str) -> str:
    return f": {why}" if why else ""
