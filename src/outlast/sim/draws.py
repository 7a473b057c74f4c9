"""Which faults do random seeds draw, and how often? Each draw gives lines of commands, after so many seconds each."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from outlast.service.quorum.member_keeper import NOTE_S

LONGEST_FAULT_S = 60.0


@dataclass(frozen=True, slots=True)
class Lot:
    """What a draw is made from: the dice, and whom they have hit."""

    dice: Random
    node: str
    vm: str
    host: str
    """A machine with a member of the database; "" where there are none."""
    nodes: tuple[str, ...]
    machines: tuple[str, ...]
    """The nodes, and the witness if there is one."""
    outlets: tuple[str, ...] = ()
    """Of each node, where it has several."""

    def some_s(self) -> float:
        """Mostly around the time-outs, where the interesting things are; sometimes long."""
        dice = self.dice
        return dice.choice((dice.uniform(0.01, 2.0), dice.uniform(2.0, 8.0), dice.uniform(5.0, LONGEST_FAULT_S)))


Lines = list[tuple[float, str]]
Draw = Callable[[Lot], Lines]


def _pair(on: str, off: str) -> Draw:
    """A fault that begins and ends."""

    def draw(lot: Lot) -> Lines:
        call = lot.dice.choice(("is_alive", "online", "offline", "open", "discover"))
        begin = on.format(node=lot.node, vm=lot.vm, host=lot.host, call=call)
        return [(0.0, begin), (lot.some_s(), off.format(node=lot.node, vm=lot.vm, host=lot.host))]

    return draw


def _one(line: str) -> Draw:
    return lambda lot: [(0.0, line.format(node=lot.node, vm=lot.vm, host=lot.host))]


def _power(lot: Lot) -> Lines:
    return [(0.0, f"power off {lot.node}"), (lot.some_s(), f"power on {lot.node}")]


def _service_killed(lot: Lot) -> Lines:
    return [(0.0, f"kill service {lot.node} restart={lot.some_s():.2f}")]


def _abandoned(lot: Lot) -> Lines:
    """Nobody is left on the node to guard what runs."""
    return [
        (0.0, f"kill service {lot.node} restart={lot.dice.uniform(1.0, 40.0):.2f}"),
        (0.05, f"kill host {lot.node}"),
    ]


def _fence_fails(lot: Lot) -> Lines:
    """A fence device that does not work matters when it is needed: so the node dies too."""
    node = lot.node + lot.dice.choice((*(f" {outlet}" for outlet in lot.outlets), ""))
    how = lot.dice.choice(("fails", "hangs", "shares-power", f"slow takes={lot.dice.uniform(1.0, 25.0):.1f}"))
    lines = [(0.0, f"fence {node} {how}"), (lot.some_s(), f"fence {lot.node} confirms")]
    if lot.dice.random() < 0.7:
        lines += [(lot.dice.uniform(0.0, 3.0), f"power off {lot.node}"), (lot.some_s(), f"power on {lot.node}")]
    return lines


def _database_down(lot: Lot) -> Lines:
    how = lot.dice.choice(("cut", "refuse"))
    return [(0.0, f"database {how} all"), (lot.some_s(), "database mend all")]


def _database_slow(lot: Lot) -> Lines:
    who = lot.dice.choice((lot.node, "all"))
    way_s = lot.dice.choice((0.05, 0.3, 0.6, 1.2))
    return [(0.0, f"database slow {who} way={way_s}"), (lot.some_s(), f"database mend {who}")]


def _uncertain(lot: Lot) -> Lines:
    return [(0.0, f"database {lot.dice.choice(('lose', 'unhear'))} {lot.node}") for _ in range(lot.dice.randint(1, 3))]


def _bad_starts(lot: Lot) -> Lines:
    kind = lot.dice.choice(
        (f"failing_starts={lot.dice.randint(1, 4)}", f"starts_only_on={lot.node}", "hung=online", "hung=offline")
    )
    return [(0.0, f"trouble {lot.vm} {kind}"), (lot.some_s(), f"trouble {lot.vm}"), (0.0, f"kill vm {lot.vm}")]


def _lies(lot: Lot) -> Lines:
    return [(0.0, f"lie {lot.vm}"), (0.0, f"kill vm {lot.vm}"), (lot.some_s(), "truth")]


def _asks(lot: Lot) -> Lines:
    verb = lot.dice.choice(("group.offline", "group.online", "group.online", "group.move", "group.move"))
    stop = " stop=turn_off" if verb == "group.offline" and lot.dice.random() < 0.3 else ""
    lines = [(0.0, f"admin {lot.node} {verb} name={lot.vm}{stop}")]
    if verb == "group.offline" and lot.dice.random() < 0.7:
        lines.append((lot.some_s(), f"admin {lot.node} group.online name={lot.vm}"))
    return lines


def _pauses(lot: Lot) -> Lines:
    return [
        (0.0, f"admin {lot.node} node.pause name={lot.node}"),
        (lot.some_s(), f"admin {lot.node} node.resume name={lot.node}"),
    ]


def _link_cut(lot: Lot) -> Lines:
    one, other = lot.dice.sample(lot.machines, 2)
    words = lot.dice.choice(("", " oneway")) + _plane(lot)
    return [(0.0, f"cut {one} {other}{words}"), (lot.some_s(), f"heal {one} {other}")]


def _split(lot: Lot) -> Lines:
    """Two sides, or one machine alone."""
    machines = lot.dice.sample(lot.machines, len(lot.machines))
    place = lot.dice.randint(1, len(machines) - 1)
    line = f"split {','.join(machines[:place])} {','.join(machines[place:])}{_plane(lot)}"
    return [(0.0, line), (lot.some_s(), "heal all")]


def _flap(lot: Lot) -> Lines:
    one, other = lot.dice.sample(lot.machines, 2)
    line = f"flap {one} {other} period={lot.dice.uniform(0.2, 12.0):.2f}{_plane(lot)}"
    return [(0.0, line), (lot.some_s(), f"heal {one} {other}")]


def _slow_link(lot: Lot) -> Lines:
    one, other = lot.dice.sample(lot.machines, 2)
    line = f"slow {one} {other} by={lot.dice.choice((0.05, 0.3, 0.6, 1.2))}{_plane(lot)}"
    return [(0.0, line), (lot.some_s(), f"heal {one} {other}")]


def _plane(lot: Lot) -> str:
    return lot.dice.choice(("", " database", " service"))


def _slow_disk(lot: Lot) -> Lines:
    takes_s = lot.dice.choice((0.1, 0.5, 1.0, 2.0))
    return [(0.0, f"member fsync {lot.host} takes={takes_s}"), (lot.some_s(), f"member mend {lot.host}")]


def _leads_and_dies(lot: Lot) -> Lines:
    """The database's leader on the dead node."""
    return [(0.0, f"member lead {lot.host}"), (0.1, f"power off {lot.host}"), (lot.some_s(), f"power on {lot.host}")]


def _back_from_the_past(lot: Lot) -> Lines:
    """The disk of a machine is set back while it has no power; by more than what is ever noted of it at a time."""
    saved_s, off_s = 2 * NOTE_S + lot.some_s(), lot.some_s()
    host = lot.host
    return [
        (0.0, f"disk save {host}"),
        (saved_s, f"power off {host}"),
        (saved_s + off_s / 2, f"disk restore {host}"),
        (saved_s + off_s, f"power on {host}"),
    ]


def _several_die(lot: Lot) -> Lines:
    """At once, or nearly so."""
    hit = lot.dice.sample(lot.machines, lot.dice.randint(2, len(lot.machines)))
    lines = [(lot.dice.choice((0.0, lot.dice.uniform(0.0, 10.0))), f"power off {name}") for name in hit]
    return [*lines, *((10.0 + lot.some_s(), f"power on {name}") for name in hit)]


FAULTS: list[tuple[Draw, float]] = [
    (_power, 3.0),
    (_one("kill vm {vm}"), 4.0),
    (_pair("freeze {node}", "thaw {node}"), 2.0),
    (_pair("freeze service {node}", "thaw service {node}"), 2.0),
    (_pair("freeze host {node}", "thaw host {node}"), 2.0),
    (_service_killed, 2.0),
    (_one("kill host {node}"), 2.0),
    (_abandoned, 1.0),
    (_pair("plugin hang {node} {call}", "plugin unhang {node}"), 1.5),
    (_pair("plugin damage {node}", "plugin repair {node}"), 1.0),
    (_pair("hosts die {node}", "hosts start {node}"), 0.7),
    (_pair("hosts hang {node}", "hosts start {node}"), 0.7),
    (_pair("libvirt silent {node}", "libvirt answers {node}"), 1.5),
    (_pair("reports lost {node}", "reports heard {node}"), 1.0),
    (_pair("database cut {node}", "database mend {node}"), 2.0),
    (_pair("database refuse {node}", "database mend {node}"), 1.0),
    (_pair("database deafen {node}", "database mend {node}"), 1.0),
    (_database_down, 1.0),
    (_database_slow, 1.0),
    (_uncertain, 2.0),
    (_fence_fails, 1.5),
    (_bad_starts, 1.5),
    (_lies, 0.7),
    (_asks, 3.0),
    (_pauses, 0.5),
    (_link_cut, 2.0),
    (_split, 1.5),
    (_flap, 0.7),
    (_slow_link, 0.7),
    (_several_die, 0.7),
    (_pair("database full", "database roomy"), 0.7),
    (_pair("guest shutdown {vm}", "console start {vm}"), 1.0),
    (_pair("console stop {vm}", "console start {vm}"), 1.0),
    (_one("console stop {vm}"), 0.5),
    (_one("clock {node} jump=3600"), 0.5),
]

MEMBER_FAULTS: list[tuple[Draw, float]] = [
    (_one("member kill {host}"), 2.0),
    (_pair("member readonly {host}", "member mend {host}"), 0.5),
    (_pair("member corrupt {host}", "member mend {host}"), 0.5),
    (_one("member wipe {host}"), 0.3),
    (_back_from_the_past, 1.0),
    (_pair("member freeze {host}", "member thaw {host}"), 2.0),
    (_slow_disk, 1.0),
    (_leads_and_dies, 2.0),
    (_one("member lead {host}"), 1.0),
    (_pair("freeze {host}", "thaw {host}"), 1.0),
    (_pair("power off {host}", "power on {host}"), 1.0),
]
"""Only where members carry the database."""
