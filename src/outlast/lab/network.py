"""How do the nodes reach each other, and how is that cut?

The switch is a bridge in a network namespace of the lab's own; nothing of the host's network is touched, and
nothing leaves the machine. A cut is made at the switch, where the node cannot undo it: the port's link down
(the whole node), or frames dropped between two ports (pairs, and one way). ARP passes a one-way cut: the
silent direction must lose what is said, not make the other direction deaf.
"""

import subprocess
from collections.abc import Iterable
from pathlib import Path

import msgspec

from outlast.lab.errors import LabError
from outlast.lab.layout import LabPaths

PLANES: dict[str, str] = {"": "", "database": "2379:2380", "service": "7405"}
"""Which TCP ports make a plane; "" is the whole network."""
SLOW_WAIT_MS = 600
"""So long something waits for a slow link, at most. More than etcd's election time-out."""

SWITCH_ADDRESS = "02:00:00:00:00:01"
"""Administered locally. No node's: theirs end as their IP addresses do."""


class Cut(msgspec.Struct, frozen=True, order=True):
    """Frames from `source` do not reach `target`; an empty name means everybody."""

    source: str
    target: str
    plane: str = ""
    """Only the frames of these links, one of `PLANES`."""


def create(lab: LabPaths) -> None:
    """The switch keeps its address: a bridge that has none of its own takes one of its ports', and changes it when a
    node's power goes or comes; what is asked of a board on the switch then goes nowhere until the asker looks anew.
    """
    lab.network.touch()
    add = ["ip", "link", "add", "name", "br0", "address", SWITCH_ADDRESS, "type", "bridge"]
    _run(["unshare", f"--net={lab.network}", "--", *add])
    in_switch(lab, "ip", "link", "set", "br0", "up")


def remove(lab: LabPaths) -> None:
    """The mount may be there more than once, when a command died between two of its steps."""
    while subprocess.run(["umount", str(lab.network)], capture_output=True, check=False).returncode == 0:
        pass


def cuts_between(a: str, b: str = "", *, one_way: bool = False, plane: str = "") -> frozenset[Cut]:
    there, back = Cut(a, b, plane), Cut(b, a, plane)
    return frozenset({there}) if one_way else frozenset({there, back})


def healed(cuts: frozenset[Cut], a: str = "", b: str = "") -> frozenset[Cut]:
    """What is left of `cuts`: with two names their pair is healed, with one name all cuts of it, with none all."""
    if b:
        return frozenset(cut for cut in cuts if {cut.source, cut.target} != {a, b})
    return frozenset(cut for cut in cuts if a and a not in (cut.source, cut.target))


def load_cuts(lab: LabPaths) -> frozenset[Cut]:
    try:
        return frozenset(msgspec.json.decode(_cuts_file(lab).read_bytes(), type=list[Cut]))
    except FileNotFoundError:
        return frozenset()


def apply_cuts(lab: LabPaths, cuts: frozenset[Cut], nodes: Iterable[str]) -> None:
    """Makes the switch be what `cuts` says, and remembers it: a node that is powered on later meets it too."""
    _cuts_file(lab).write_bytes(msgspec.json.encode(sorted(cuts)))
    unplugged = {name for name in nodes if cuts_between(name) <= cuts}
    in_switch(lab, "ebtables", "-F", "FORWARD")
    for cut in sorted(cuts):
        ports = (["-i", cut.source] if cut.source else []) + (["-o", cut.target] if cut.target else [])
        for matching in _matches(cut.plane):
            in_switch(lab, "ebtables", "-A", "FORWARD", *matching, *ports, "-j", "DROP")
    for name in nodes:
        _set_link(lab, name, up=name not in unplugged)


def set_speed(lab: LabPaths, node: str, kbit: int) -> None:
    """Of the link to a node; 0: unlimited. What waits longer is lost, as in a switch whose buffer is full.

    A delay without a limit would take netem, which not every kernel has. A node that is off has no port now.
    """
    limit = ["tbf", "rate", f"{kbit}kbit", "burst", "3000", "latency", f"{SLOW_WAIT_MS}ms"]
    change = ["replace", "dev", node, "root", *limit] if kbit else ["delete", "dev", node, "root"]
    command = ["nsenter", f"--net={lab.network}", "tc", "qdisc", *change]
    subprocess.run(command, capture_output=True, check=False)


def _matches(plane: str) -> list[list[str]]:
    """What ebtables must match: questions of a plane and answers to them."""
    if not plane:
        return [["-p", "!", "ARP"]]
    tcp = ["-p", "IPv4", "--ip-protocol", "tcp"]
    return [[*tcp, end, PLANES[plane]] for end in ("--ip-destination-port", "--ip-source-port")]


def _cuts_file(lab: LabPaths) -> Path:
    return lab.root / "cuts.json"


def _set_link(lab: LabPaths, node: str, *, up: bool) -> None:
    """A node that is off has no port now: the mark tells its next power-on (boot.sh)."""
    mark = lab.node(node).root / "unplugged"
    if up:
        mark.unlink(missing_ok=True)
    else:
        mark.touch()
    command = ["nsenter", f"--net={lab.network}", "ip", "link", "set", node, "up" if up else "down"]
    subprocess.run(command, capture_output=True, check=False)


def in_switch(lab: LabPaths, *command: str) -> str:
    return _run(["nsenter", f"--net={lab.network}", "--", *command])


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"cannot set up the lab's network: {' '.join(command)}: {done.stderr.strip()}")
    return done.stdout
