"""What can go wrong in a lab, and what does a random round of it look like? Drawn from a seed, to be repeatable.

A fault is done to the lab from outside: Outlast is not asked. Each lasts for a while and is then undone, as far as
anybody could undo it: power comes back, cables are plugged in again, whoever was frozen goes on.

Not drawn: a fence device that lies. Nothing protects from one whose node cannot be asked (docs/safety.md).
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from random import Random

from outlast.lab.bmc import Fault as BmcFault
from outlast.lab.errors import NotPossibleNow
from outlast.lab.lab import Lab

Deed = Callable[[Lab], None]

SHORTEST_S, LONGEST_S = 0.5, 25.0
MOST_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Fault:
    words: str
    """What is done, as it could be typed behind `outlast lab`."""
    do: Deed
    undo: Deed | None
    touches_vms: bool
    """Else nothing that happens by it is a reason to stop a VM anywhere (rules 7 and 11)."""
    parts: bool = False
    """It parts somebody from the database or from the other services: a second one of this kind may be one too many."""
    kills: str = ""
    """A guest that ends by it."""
    hinders: str = ""
    """A node whose resource hosts or whose libvirtd it keeps from working."""
    period_s: float = 0.0
    """Done and undone again and again, so long for both together."""


@dataclass(frozen=True, slots=True)
class Timed:
    fault: Fault
    at_s: float
    lasts_s: float

    def deeds(self) -> Iterator[tuple[float, str, Deed]]:
        """When, in words (of what is done again: none), and what."""
        fault, until_s = self.fault, self.at_s + self.lasts_s
        yield self.at_s, f"{fault.words}{f', for {self.lasts_s:g} s' if fault.undo else ''}", fault.do
        if fault.undo is None:
            return
        if fault.period_s:
            at_s = self.at_s + fault.period_s
            while at_s < until_s:
                yield at_s - fault.period_s / 2, "", fault.undo
                yield at_s, "", fault.do
                at_s += fault.period_s
        yield until_s, f"no more: {fault.words}", fault.undo


def harmless(drawn: Sequence[Fault]) -> bool:
    """Is none of them, nor all of them together, a reason to stop a VM?"""
    return not any(fault.touches_vms for fault in drawn) and sum(fault.parts for fault in drawn) <= 1


def draw_round(
    random: Random, nodes: Sequence[str], witnesses: Sequence[str], guests: Sequence[str], *, etcd: bool
) -> list[Timed]:
    """Some faults, most of them at nearly the same time: it is the second one that hurts."""
    kinds = [*_KINDS, *(_ETCD_KINDS if etcd else ())]
    found = []
    at_s = 0.0
    for _ in range(random.choice((1, 1, 2, 2, 3, MOST_AT_ONCE))):
        machines = [*nodes, *witnesses] if random.random() < 0.2 else list(nodes)
        fault = random.choice(kinds)(random, machines, guests)
        lasts_s = round(SHORTEST_S * (LONGEST_S / SHORTEST_S) ** random.random(), 1)
        found.append(Timed(fault, round(at_s, 1), lasts_s))
        at_s += random.choice((0.0, 0.3, 1.0, 4.0, 9.0)) * random.random()
    return found


Kind = Callable[[Random, Sequence[str], Sequence[str]], Fault]


def _power_cut(random: Random, machines: Sequence[str], guests: Sequence[str]) -> Fault:
    node = random.choice(machines)
    return Fault(f"power off {node}", lambda lab: lab.power_off(node), lambda lab: _power_on(lab, node), True)


def _reset(random: Random, machines: Sequence[str], guests: Sequence[str]) -> Fault:
    node = random.choice(machines)
    return Fault(f"power reset {node}", lambda lab: lab.reset(node, wait=False), None, True)


def _freeze(random: Random, machines: Sequence[str], guests: Sequence[str]) -> Fault:
    node = random.choice(machines)
    return Fault(f"freeze {node}", lambda lab: lab.freeze(node), lambda lab: lab.thaw(node), True, hinders=node)


def _freeze_process(random: Random, machines: Sequence[str], guests: Sequence[str]) -> Fault:
    node, process = random.choice(machines), random.choice(("outlastd", "outlast-rhs", "libvirtd"))
    return _frozen(node, process, process != "libvirtd", hinders=node if process != "outlastd" else "")


def _kill_process(random: Random, machines: Sequence[str], guests: Sequence[str]) -> Fault:
    node, process = random.choice(machines), random.choice(("outlastd", "outlast-rhs", "libvirtd"))
    # A service that is not back before its permit ends begins another life.
    touches = process == "outlastd"
    return Fault(
        f"kill {node} --process {process}",
        lambda lab: lab.kill(node, process),
        None,
        touches,
        hinders=node if process != "outlastd" else "",
    )


def _kill_guest(random: Random, machines: Sequence[str], guests: Sequence[str]) -> Fault:
    guest = random.choice(guests)

    def kill(lab: Lab) -> None:
        for node in lab.state().nodes:
            with suppress(NotPossibleNow):
                lab.kill(node, f"qemu:{guest}")

    return Fault(f"kill --process qemu:{guest}, wherever it runs", kill, None, True, kills=guest)


def _bmc(random: Random, machines: Sequence[str], guests: Sequence[str]) -> Fault:
    node, how = random.choice(machines), random.choice((BmcFault.FAIL, BmcFault.HANG, BmcFault.DEAD))
    return Fault(
        f"bmc {node} --{how.value}",
        lambda lab: lab.set_bmc_fault(node, how),
        lambda lab: lab.set_bmc_fault(node, BmcFault.NONE),
        False,
    )


def _cut_off(random: Random, machines: Sequence[str], guests: Sequence[str]) -> Fault:
    return _cut(random.choice(machines), "", one_way=random.random() < 0.3, plane=random.choice(_PLANES))


def _cut_pair(random: Random, machines: Sequence[str], guests: Sequence[str]) -> Fault:
    """With three nodes a bridge: the third one hears both."""
    a, b = random.sample(list(machines), 2) if len(machines) > 1 else (machines[0], "")
    return _cut(a, b, one_way=random.random() < 0.3, plane=random.choice(_PLANES))


def _flap(random: Random, machines: Sequence[str], guests: Sequence[str]) -> Fault:
    """A link that comes and goes, or all links of one: with each coming a little is got through, and counted on."""
    a, b = random.sample(list(machines), 2) if len(machines) > 1 else (machines[0], "")
    period_s = random.choice((0.6, 1.5, 4.0))
    return _cut(a, random.choice((b, "")), one_way=False, plane=random.choice(_PLANES), period_s=period_s)


def _split(random: Random, machines: Sequence[str], guests: Sequence[str]) -> Fault:
    """Nobody of one side hears anybody of the other. Who is on neither side, a witness, hears both."""
    mixed = random.sample(list(machines), len(machines))
    border = random.randint(1, max(1, len(mixed) - 1))
    one, other, plane = sorted(mixed[:border]), sorted(mixed[border:]), random.choice(_PLANES)
    return Fault(
        f"split {','.join(one)} from {','.join(other)}{plane and f' --plane {plane}'}",
        lambda lab: lab.split(one, other, plane=plane),
        lambda lab: lab.unite(one, other),
        plane != "service",
        parts=True,
    )


def _slow(random: Random, machines: Sequence[str], guests: Sequence[str]) -> Fault:
    node, kbit = random.choice(machines), random.choice((48, 96, 192))
    return Fault(f"slow {node} --kbit {kbit}", lambda lab: lab.slow(node, kbit), lambda lab: lab.slow(node, 0), True)


def _freeze_etcd(random: Random, machines: Sequence[str], guests: Sequence[str]) -> Fault:
    return _frozen(random.choice(machines), "etcd", len(machines) < 3, parts=True)


def _kill_etcd(random: Random, machines: Sequence[str], guests: Sequence[str]) -> Fault:
    node = random.choice(machines)
    return Fault(f"kill {node} --process etcd", lambda lab: lab.kill(node, "etcd"), None, len(machines) < 3, parts=True)


def _freeze_database(random: Random, machines: Sequence[str], guests: Sequence[str]) -> Fault:
    """All members at once: nobody can decide anything, so nobody need stop anything (rule 11)."""

    def on_all(lab: Lab, deed: Callable[[str, str], None]) -> None:
        for machine in lab.state().machines:
            with suppress(NotPossibleNow):
                deed(machine, "etcd")

    return Fault(
        "freeze every etcd",
        lambda lab: on_all(lab, lab.freeze),
        lambda lab: on_all(lab, lab.thaw),
        False,
        parts=True,
    )


_PLANES = ("", "", "database", "service")
_KINDS: tuple[Kind, ...] = (
    *(_power_cut, _power_cut, _reset, _freeze, _freeze),
    *(_freeze_process, _kill_process, _kill_process, _kill_guest, _bmc, _bmc),
)
_ETCD_KINDS: tuple[Kind, ...] = (
    *(_cut_off, _cut_off, _cut_pair, _cut_pair, _split, _flap, _flap, _slow),
    *(_freeze_etcd, _kill_etcd, _freeze_database),
)


def _frozen(node: str, process: str, touches_vms: bool, *, parts: bool = False, hinders: str = "") -> Fault:
    return Fault(
        f"freeze {node} --process {process}",
        lambda lab: lab.freeze(node, process),
        lambda lab: lab.thaw(node, process),
        touches_vms,
        parts,
        hinders=hinders,
    )


def _cut(a: str, b: str, *, one_way: bool, plane: str, period_s: float = 0.0) -> Fault:
    flaps = f"(it comes and goes, every {period_s:g} s)" if period_s else ""
    words = " ".join(word for word in ("cut", a, b, one_way * "--one-way", plane and f"--plane {plane}", flaps) if word)
    return Fault(
        words,
        lambda lab: lab.cut(a, b, one_way=one_way, plane=plane),
        lambda lab: lab.heal(a, b),
        plane != "service",
        parts=True,
        period_s=period_s,
    )


def _power_on(lab: Lab, node: str) -> None:
    if not lab.is_on(node):
        lab.power_on(node, wait=False)
