"""What do random faults find? A seed is a random scenario: faults for half of its time, then calm, then the bound.

`script(seed, ...)` draws the lines of commands, `play_seed` plays them. A seed that fails gives the scenario that
repeats it (`Outcome.scenario`), after `shrink` has left out what the failure does not need.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from outlast.sim import commands
from outlast.sim.bugs import Bug
from outlast.sim.scenario import Played, play, read
from outlast.sim.world import World

_FAULTS_PART = 0.5
_MEAN_PAUSE_S = 12.0
_LONGEST_FAULT_S = 60.0
_SHRINK_PLAYS = 150

Script = tuple[str, ...]
Draw = Callable[[Random, str, str], list[tuple[float, str]]]
"""Lines to play, each after so many seconds, given the dice, a node and a VM."""


@dataclass(frozen=True, slots=True)
class Size:
    nodes: int = 3
    vms: int = 10
    minutes: float = 10.0


@dataclass(frozen=True, slots=True)
class Outcome:
    seed: int
    broken: tuple[str, ...]
    script: Script

    @property
    def scenario(self) -> str:
        """A file for `outlast sim run`, with the log that this code makes of it."""
        prose = "\n".join(f"# {line}" for line in (f"Seed {self.seed}.", *self.broken))
        return play(read("\n".join([prose, *self.script, "----"]))).rewritten()


def play_seed(seed: int, size: Size, bugs: frozenset[Bug] = frozenset()) -> Outcome:
    lines = script(seed, size, bugs)
    return Outcome(seed, play_script(lines), lines)


def play_script(lines: Sequence[str]) -> tuple[str, ...]:
    """What broke; nothing when all went well."""
    world = World(commands.setup_from(commands.parse(lines[0])))
    try:
        for line in lines[1:]:
            commands.do(world, line)
            if world.broken:
                break
        return tuple(world.broken)
    finally:
        world.close()


def show_seed(seed: int, size: Size, *, verbose: bool) -> Played:
    return play(read("\n".join([*script(seed, size), "----"])), verbose=verbose)


def shrink(outcome: Outcome) -> Outcome:
    """Leave out lines as long as the same invariant breaks: halves first, then smaller parts."""
    kind = _kind(outcome.broken)
    lines = list(outcome.script)
    plays = 0
    part = len(lines) // 2
    while part >= 1 and plays < _SHRINK_PLAYS:
        start = 1
        while start < len(lines) and plays < _SHRINK_PLAYS:
            fewer = _without(lines, start, start + part)
            if fewer is None:
                start += part
                continue
            plays += 1
            broken = play_script(fewer)
            if broken and _kind(broken) == kind:
                outcome = Outcome(outcome.seed, broken, tuple(fewer))
                lines = fewer
            else:
                start += part
        part //= 2
    return outcome


def _without(lines: list[str], start: int, end: int) -> list[str] | None:
    """Without the faults of a part; time passes all the same. None when nothing would be left out."""
    kept: list[str] = []
    pause_s = 0.0
    for number, line in enumerate(lines):
        if line.startswith("run "):
            pause_s += float(line.removeprefix("run "))
        elif line.startswith(("world", "vm", "start", "calm", "settle")) or not start <= number < end:
            if pause_s:
                kept.append(f"run {pause_s:.3f}")
                pause_s = 0.0
            kept.append(line)
    if pause_s:
        kept.append(f"run {pause_s:.3f}")
    return kept if len(kept) < len(lines) else None


def _kind(broken: Sequence[str]) -> str:
    """Which invariant: the first words behind the time."""
    return broken[0].partition(" s: ")[2].split(":")[0][:40] if broken else ""


# --- drawing ----------------------------------------------------------------------------------------------------------


def script(seed: int, size: Size, bugs: frozenset[Bug] = frozenset()) -> Script:
    dice = Random(seed)
    flags = "".join(f" {word}" for word, chance in (("watchdogs", 0.5), ("unfenced", 0.15)) if dice.random() < chance)
    planted = f" bugs={','.join(sorted(bug.value for bug in bugs))}" if bugs else ""
    timeout_s = dice.choice((2, 5, 5, 5, 10))
    lines = [f"world nodes={size.nodes} node_timeout={timeout_s} seed={seed} jitter{flags}{planted}"]
    nodes = [f"n{number}" for number in range(1, size.nodes + 1)]
    vms = [f"vm{number}" for number in range(1, size.vms + 1)]
    lines += [_vm(dice, name, nodes) for name in vms]
    lines.append("start")
    total_s = size.minutes * 60.0
    faults_s = total_s * _FAULTS_PART
    lines += _timed(_faults(dice, nodes, vms, faults_s, fenced=" unfenced" not in flags), faults_s)
    return (*lines, "calm", f"settle until={total_s:g}", "show")


def _vm(dice: Random, name: str, nodes: list[str]) -> str:
    words = [f"vm {name} boot={dice.uniform(0.3, 4.0):.1f} shutdown={dice.uniform(0.5, 6.0):.1f}"]
    if dice.random() < 0.2:
        words.append(f"preferred={dice.choice(nodes)}")
    if dice.random() < 0.1 and len(nodes) > 2:
        words.append(f"possible={','.join(sorted(dice.sample(nodes, 2)))}")
    if dice.random() < 0.7:
        words.append("threshold=50")  # else most seeds would soon have spent their failovers
    words += [word for word in ("offline", "deaf") if dice.random() < 0.08]
    return " ".join(words)


def _faults(
    dice: Random, nodes: list[str], vms: list[str], until_s: float, *, fenced: bool
) -> list[tuple[float, int, str]]:
    """Lines with their times, and a number that keeps the order of those at the same time."""
    # Seeds differ in temper: some have few faults, some a storm; some only of a few kinds.
    pause_s = _MEAN_PAUSE_S * dice.choice((0.3, 1.0, 1.0, 2.5))
    kinds = [draw for draw, _ in FAULTS]
    weights = [weight * (dice.random() < 0.6) for _, weight in FAULTS]
    if not any(weights):
        weights = [weight for _, weight in FAULTS]
    found: list[tuple[float, int, str]] = []
    at_s = dice.uniform(5.0, 15.0)
    while at_s < until_s:
        (draw,) = dice.choices(kinds, weights)
        for after_s, line in draw(dice, dice.choice(nodes), dice.choice(vms)):
            found.append((at_s + after_s, len(found), line))
        # Faults come in bursts: what happens within a second of another fault finds the most.
        at_s += dice.uniform(0.0, 1.0) if dice.random() < 0.4 else dice.expovariate(1 / pause_s)
    return sorted(found)


def _timed(faults: list[tuple[float, int, str]], until_s: float) -> list[str]:
    lines = []
    now_s = 0.0
    for at_s, _, line in faults:
        if at_s > until_s:
            break
        if at_s - now_s >= 0.001:
            lines.append(f"run {at_s - now_s:.3f}")
            now_s = at_s
        lines.append(line)
    return [*lines, f"run {max(0.001, until_s - now_s):.3f}"]


def _some_s(dice: Random) -> float:
    """Mostly around the time-outs, where the interesting things are; sometimes long."""
    return dice.choice((dice.uniform(0.01, 2.0), dice.uniform(2.0, 8.0), dice.uniform(5.0, _LONGEST_FAULT_S)))


def _pair(on: str, off: str) -> Draw:
    """A fault that begins and ends."""

    def draw(dice: Random, node: str, vm: str) -> list[tuple[float, str]]:
        begin = on.format(node=node, vm=vm, call=dice.choice(("is_alive", "online", "offline", "open", "discover")))
        return [(0.0, begin), (_some_s(dice), off.format(node=node, vm=vm))]

    return draw


def _one(line: str) -> Draw:
    return lambda dice, node, vm: [(0.0, line.format(node=node, vm=vm))]


def _power(dice: Random, node: str, vm: str) -> list[tuple[float, str]]:
    return [(0.0, f"power off {node}"), (_some_s(dice), f"power on {node}")]


def _service_killed(dice: Random, node: str, vm: str) -> list[tuple[float, str]]:
    return [(0.0, f"kill service {node} restart={_some_s(dice):.2f}")]


def _abandoned(dice: Random, node: str, vm: str) -> list[tuple[float, str]]:
    """Nobody is left on the node to guard what runs."""
    return [(0.0, f"kill service {node} restart={dice.uniform(1.0, 40.0):.2f}"), (0.05, f"kill host {node}")]


def _fence_fails(dice: Random, node: str, vm: str) -> list[tuple[float, str]]:
    """A fence device that does not work matters when it is needed: so the node dies too."""
    how = dice.choice(("fails", "hangs", "shares-power"))
    lines = [(0.0, f"fence {node} {how}"), (_some_s(dice), f"fence {node} confirms")]
    if dice.random() < 0.7:
        lines += [(dice.uniform(0.0, 3.0), f"power off {node}"), (_some_s(dice), f"power on {node}")]
    return lines


def _database_down(dice: Random, node: str, vm: str) -> list[tuple[float, str]]:
    how = dice.choice(("cut", "refuse"))
    return [(0.0, f"database {how} all"), (_some_s(dice), "database mend all")]


def _database_slow(dice: Random, node: str, vm: str) -> list[tuple[float, str]]:
    who = dice.choice((node, "all"))
    way_s = dice.choice((0.05, 0.3, 0.6, 1.2))
    return [(0.0, f"database slow {who} way={way_s}"), (_some_s(dice), f"database mend {who}")]


def _uncertain(dice: Random, node: str, vm: str) -> list[tuple[float, str]]:
    return [(0.0, f"database {dice.choice(('lose', 'unhear'))} {node}") for _ in range(dice.randint(1, 3))]


def _bad_starts(dice: Random, node: str, vm: str) -> list[tuple[float, str]]:
    kind = dice.choice(
        (f"failing_starts={dice.randint(1, 4)}", f"starts_only_on={node}", "hung=online", "hung=offline")
    )
    return [(0.0, f"trouble {vm} {kind}"), (_some_s(dice), f"trouble {vm}"), (0.0, f"kill vm {vm}")]


def _lies(dice: Random, node: str, vm: str) -> list[tuple[float, str]]:
    return [(0.0, f"lie {vm}"), (0.0, f"kill vm {vm}"), (_some_s(dice), "truth")]


def _asks(dice: Random, node: str, vm: str) -> list[tuple[float, str]]:
    verb = dice.choice(("group.offline", "group.online", "group.online", "group.move", "group.move"))
    stop = " stop=turn_off" if verb == "group.offline" and dice.random() < 0.3 else ""
    lines = [(0.0, f"admin {node} {verb} name={vm}{stop}")]
    if verb == "group.offline" and dice.random() < 0.7:
        lines.append((_some_s(dice), f"admin {node} group.online name={vm}"))
    return lines


def _pauses(dice: Random, node: str, vm: str) -> list[tuple[float, str]]:
    return [(0.0, f"admin {node} node.pause name={node}"), (_some_s(dice), f"admin {node} node.resume name={node}")]


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
    (_pair("guest shutdown {vm}", "console start {vm}"), 1.0),
    (_pair("console stop {vm}", "console start {vm}"), 1.0),
    (_one("console stop {vm}"), 0.5),
    (_one("clock {node} jump=3600"), 0.5),
]
