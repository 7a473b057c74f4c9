"""What can be done to the simulated world, one line each?

Scenario files and seeds are made of these lines, so whatever a seed finds is a scenario already. `COMMANDS` is the
list, with its usage; `docs/simulator.md` explains them in the same words.
"""

from outlast.model.fence import FenceAction
from outlast.model.watchdog import Strength
from outlast.sim.bugs import Bug
from outlast.sim.deeds import DEEDS
from outlast.sim.fence import Style
from outlast.sim.guest_networks import GUEST_NETWORKS
from outlast.sim.links import Plane
from outlast.sim.losses import LOSSES
from outlast.sim.networks import NETWORKS
from outlast.sim.policies import POLICIES
from outlast.sim.setup import Setup
from outlast.sim.troubles import TROUBLES
from outlast.sim.volumes import VOLUMES
from outlast.sim.words import BadCommand, Commands, Words
from outlast.sim.world import World

_FLAGS = ("watchdogs", "softdogs", "reboot", "jitter", "witness", "live")
_STYLES = {style.value: style for style in Style if style is not Style.ONE}

__all__ = ["COMMANDS", "BadCommand", "do", "parse", "setup_from"]


def parse(line: str) -> Words:
    verb, *rest = line.split()
    if verb not in COMMANDS:
        raise BadCommand(f"there is no command {verb}; there are: {', '.join(COMMANDS)}")
    plain = [word for word in rest if "=" not in word]
    named = dict(word.split("=", 1) for word in rest if "=" in word)
    return Words(verb, COMMANDS[verb][1], plain, named)


def setup_from(words: Words) -> Setup:
    """The line `world ...`, which may only be the first."""
    count = int(words.named.pop("nodes", 3))
    flags = {word: word in words.plain for word in (*_FLAGS, *_STYLES)}
    words.plain = [word for word in words.plain if word not in flags]
    setup = Setup(
        seed=int(words.named.pop("seed", 0)),
        nodes=tuple(f"n{number}" for number in range(1, count + 1)),
        node_timeout_s=words.seconds("node_timeout", 5.0),
        fencing=next((style for word, style in _STYLES.items() if flags[word]), Style.ONE),
        fence_action=FenceAction.REBOOT if flags["reboot"] else FenceAction.OFF,
        watchdogs=Strength.HARDWARE if flags["watchdogs"] else Strength.PROCESS if flags["softdogs"] else None,
        members=int(words.named.pop("members", 0)),
        witness=flags["witness"],
        memory_mib=int(words.named.pop("memory", 0)),
        cpus=int(words.named.pop("cpus", 0)),
        live=flags["live"],
        jitter=flags["jitter"],
        bugs=frozenset(Bug(name) for name in words.names("bugs")),
    )
    words.end()
    return setup


def do(world: World, line: str) -> None:
    """Carry one command out. Raises `BadCommand`."""
    words = parse(line)
    if words.verb in _TOUCHING and not line.endswith(f" {Plane.DATABASE.value}"):
        named = {name for word in words.plain for name in word.split(",")}
        for node in world.machines:
            if node in named or ("all" in named and words.verb != "database"):
                world.checks.touch(node)
    if words.verb in _BREAKING and words.plain[:1] != ["vm"]:
        world.checks.whole_since_s = float("inf")
    COMMANDS[words.verb][0](world, words)
    words.end()


def _world(world: World, words: Words) -> None:
    raise BadCommand("world: it must be the first command")


_TOUCHING = frozenset(
    ("power", "freeze", "thaw", "kill", "service", "database", "cut", "heal", "split", "flap", "slow", "fence")
)
"""What may keep the nodes it names from saying how they are. What is done to the database alone, for all, does not."""

_BREAKING = frozenset((*TROUBLES, *NETWORKS, "power", "freeze", "thaw", "kill", "service"))
"""After what nobody says that all is whole again, before `calm`."""

COMMANDS: Commands = {
    "world": (
        _world,
        "world [nodes=3] [node_timeout=5] [seed=N] [jitter] [watchdogs|softdogs] [unfenced|ladder|supplies] [reboot]"
        " [members=N] [witness] [live] [memory=MIB] [cpus=N] [bugs=NAME,...]",
    ),
    **POLICIES,
    **DEEDS,
    **TROUBLES,
    **NETWORKS,
    **GUEST_NETWORKS,
    **LOSSES,
    **VOLUMES,
}
