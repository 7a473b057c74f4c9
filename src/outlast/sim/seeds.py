"""What do random faults find? A seed is a random scenario: faults for half of its time, then calm, then the bound; then
a node is drained, or lost, and nothing else happens.

`script(seed, ...)` draws the lines of commands, `play_seed` plays them. A seed that fails gives the scenario that
repeats it (`Outcome.scenario`), after `shrink` has left out what the failure does not need.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from outlast.sim import (
    ailing,
    commands,
    decrees,
    guest_networks,
    migrating,
    past_cluster,
    putting_away,
    stretches,
    volume_draws,
)
from outlast.sim.bugs import Bug
from outlast.sim.draws import FAULTS, MEMBER_FAULTS, Lot
from outlast.sim.engine import WITNESS
from outlast.sim.fence import OUTLETS, Style
from outlast.sim.scenario import Played, play, read
from outlast.sim.world import World

_FAULTS_PART = 0.5
_MEAN_PAUSE_S = 12.0
_SHRINK_PLAYS = 150
_WITHOUT_MEMBERS = 0.35
_KEPT = ("world", "volume add", "vm", "group", "resource", "start", "calm", "admin any", "settle")
"""What a failure is not shrunk by. `admin any` is what has to be said at the end: without it other things stay down."""

Script = tuple[str, ...]


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
    """What broke; nothing when all went well. A line that cannot be played is broken too: other seeds go on."""
    world = World(commands.setup_from(commands.parse(lines[0])))
    try:
        for line in lines[1:]:
            commands.do(world, line)
            if world.broken:
                break
        return tuple(world.broken)
    except Exception as error:  # noqa: BLE001  what breaks the simulator is found like what breaks Outlast
        return (f"{world.now:.3f} s: cannot play {line!r}: {type(error).__name__}: {error}",)
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
        elif line.startswith(_KEPT) or not start <= number < end:
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
    flags = dice.choices(("", " watchdogs", " softdogs"), (4, 5, 1))[0] + dice.choices(("", " reboot"), (7, 3))[0]
    flags += dice.choices(("", " unfenced", " ladder", " supplies"), (4, 1, 1, 1))[0]
    planted = f" bugs={','.join(sorted(bug.value for bug in bugs))}" if bugs else ""
    timeout_s = dice.choice((2, 5, 5, 5, 10))
    count, carriers, engine = _engine(dice, size)
    nodes = [f"n{number}" for number in range(1, count + 1)]
    witness = [WITNESS] if "witness" in engine else []
    machines, hosts = [*nodes, *witness], [*nodes[:carriers], *witness]
    vms = [f"vm{number}" for number in range(1, size.vms + 1)]
    total_s = size.minutes * 60.0
    faults_s = total_s * _FAULTS_PART
    others = Random(f"decrees of {seed}")  # of its own, so that the faults are the same with and without decrees
    decreed = decrees.draw(others, nodes, vms, total_s)
    moving = Random(f"migrations of {seed}")
    live = " live" if moving.random() < migrating.MIGRATING else ""
    lines = [
        f"world nodes={count} node_timeout={timeout_s} seed={seed} jitter{flags}{engine}{live}{decreed.world}{planted}"
    ]
    joining = Random(f"networks of {seed}")
    joined = guest_networks.of_vms(joining, vms)
    inside = Random(f"guests of {seed}")
    ails = inside.random() < ailing.AILING
    volumes = volume_draws.draw(Random(f"volumes of {seed}"), nodes, vms, faults_s)
    lines += volumes.before
    described = zip(vms, decreed.of_vms or ("",) * len(vms), joined, volumes.of_vms, strict=True)
    lines += [
        _vm(dice, name, nodes) + words + networks + (ailing.of_vm(inside, words) if ails else "") + volume
        for name, words, networks, volume in described
    ]
    lines += [*decreed.before, *decrees.rules(others, decreed, nodes), "start"]
    outlets = tuple(outlet for style in Style if f" {style.value}" in flags for outlet in OUTLETS[style])
    faults = _faults(dice, nodes, machines, hosts, vms, outlets, faults_s)
    done = decrees.deeds(others, decreed, nodes, vms, faults_s)
    done += migrating.deeds(moving, nodes, vms, faults_s) if live else []
    done += guest_networks.deeds(joining, joined, nodes, faults_s)
    done += ailing.deeds(inside, nodes, vms, faults_s) if ails else []
    people = Random(f"hands of {seed}")
    by_hand = people.random() < past_cluster.HANDS
    past = past_cluster.deeds(people, nodes, vms, faults_s, live=bool(live)) if by_hand else []
    done += past
    away = Random(f"saves of {seed}")
    done += putting_away.deeds(away, nodes, vms, faults_s) if away.random() < putting_away.SAVING else []
    done += volumes.deeds
    faults += [(at_s, len(faults) + number, line) for number, (at_s, line) in enumerate(done)]
    lines += _timed(sorted(faults), faults_s)
    until = f" until={decreed.settles_until_s:g}" if decreed.settles_until_s else ""
    after = stretches.draw(Random(f"calm of {seed}"), nodes)
    left = guest_networks.stays_lost(joining, joined, nodes)
    return (*lines, "calm", *past_cluster.words(past), *left, f"settle{until}", *after, "show")


def _engine(dice: Random, size: Size) -> tuple[int, int, str]:
    """How many nodes, how many of them carry the database, and how that is said. Small ones are the most delicate."""
    if dice.random() < _WITHOUT_MEMBERS:
        return size.nodes, 0, ""
    count = dice.choices((size.nodes, min(2, size.nodes), size.nodes + 2), (65, 28, 7))[0]
    carriers = count - (1 if count > 2 and dice.random() < 0.15 else 0)
    return (
        count,
        carriers,
        f" members={carriers}" + (" witness" if dice.random() < (0.6 if count == 2 else 0.2) else ""),
    )


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
    dice: Random,
    nodes: list[str],
    machines: list[str],
    hosts: list[str],
    vms: list[str],
    outlets: tuple[str, ...],
    until_s: float,
) -> list[tuple[float, int, str]]:
    """Lines with their times, and a number that keeps the order of those at the same time."""
    # Seeds differ in temper: some have few faults, some a storm; some only of a few kinds.
    pause_s = _MEAN_PAUSE_S * dice.choice((0.3, 1.0, 1.0, 2.5))
    known = [*FAULTS, *(MEMBER_FAULTS if hosts else [])]
    kinds = [draw for draw, _ in known]
    weights = [weight * (dice.random() < 0.6) for _, weight in known]
    if not any(weights):
        weights = [weight for _, weight in known]
    found: list[tuple[float, int, str]] = []
    at_s = dice.uniform(5.0, 15.0)
    while at_s < until_s:
        (draw,) = dice.choices(kinds, weights)
        host = dice.choice(hosts) if hosts else ""
        node, vm = dice.choice(nodes), dice.choice(vms)
        for after_s, line in draw(Lot(dice, node, vm, host, tuple(nodes), tuple(machines), outlets)):
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
