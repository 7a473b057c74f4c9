"""What can be done to the simulated world, one line each?

Scenario files and seeds are made of these lines, so whatever a seed finds is a scenario already. `COMMANDS` is the
list, with its usage; `docs/simulator.md` explains them in the same words.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from outlast.model.fence import FenceAction
from outlast.model.group import Group, Wanted
from outlast.sim import calm
from outlast.sim.bugs import Bug
from outlast.sim.daemons import SERVICE_RESTART_S
from outlast.sim.database import Fate
from outlast.sim.fence import FenceMode
from outlast.sim.setup import Setup
from outlast.sim.vms import Ended, SimVm
from outlast.sim.world import World


class BadCommand(ValueError):
    """A line that is no command. The text says how it should be."""


@dataclass(slots=True)
class Words:
    """The words of a command behind its verb: plain ones in order, and `name=value`."""

    verb: str
    plain: list[str]
    named: dict[str, str]

    def next(self, what: str, among: Mapping[str, object] | None = None) -> str:
        if not self.plain:
            raise BadCommand(f"{self.verb}: say which {what}; usage: {usage(self.verb)}")
        word = self.plain.pop(0)
        if among is not None and word not in among:
            raise BadCommand(f"{self.verb}: there is no {what} {word}; there are: {', '.join(among)}")
        return word

    def seconds(self, name: str, default: float) -> float:
        try:
            return float(self.named.pop(name, default))
        except ValueError as error:
            raise BadCommand(f"{self.verb}: {name} must be a number of seconds") from error

    def names(self, name: str) -> tuple[str, ...]:
        return tuple(part for part in self.named.pop(name, "").split(",") if part)

    def end(self) -> None:
        left = [*self.plain, *self.named]
        if left:
            raise BadCommand(f"{self.verb}: {' '.join(left)} is not understood; usage: {usage(self.verb)}")


def usage(verb: str) -> str:
    return COMMANDS[verb][1] if verb in COMMANDS else ", ".join(COMMANDS)


def parse(line: str) -> Words:
    verb, *rest = line.split()
    if verb not in COMMANDS:
        raise BadCommand(f"there is no command {verb}; there are: {', '.join(COMMANDS)}")
    plain = [word for word in rest if "=" not in word]
    named = dict(word.split("=", 1) for word in rest if "=" in word)
    return Words(verb, plain, named)


def setup_from(words: Words) -> Setup:
    """The line `world ...`, which may only be the first."""
    count = int(words.named.pop("nodes", 3))
    flags = {word: word in words.plain for word in ("watchdogs", "unfenced", "reboot", "jitter")}
    words.plain = [word for word in words.plain if word not in flags]
    setup = Setup(
        seed=int(words.named.pop("seed", 0)),
        nodes=tuple(f"n{number}" for number in range(1, count + 1)),
        node_timeout_s=words.seconds("node_timeout", 5.0),
        fenced=not flags["unfenced"],
        fence_action=FenceAction.REBOOT if flags["reboot"] else FenceAction.OFF,
        watchdogs=flags["watchdogs"],
        jitter=flags["jitter"],
        bugs=frozenset(Bug(name) for name in words.names("bugs")),
    )
    words.end()
    return setup


def do(world: World, line: str) -> None:
    """Carry one command out. Raises `BadCommand`."""
    words = parse(line)
    COMMANDS[words.verb][0](world, words)
    words.end()


# --- time -------------------------------------------------------------------------------------------------------------


def _run(world: World, words: Words) -> None:
    try:
        seconds = float(words.next("number of seconds"))
    except ValueError as error:
        raise BadCommand("run: how many seconds? usage: run SECONDS") from error
    world.run(seconds)


def _calm(world: World, words: Words) -> None:
    calm.end_all_faults(world)


def _settle(world: World, words: Words) -> None:
    calm.settle(world, at_least_until_s=words.seconds("until", 0.0))


def _skip(world: World, words: Words) -> None:
    world.story.take()


def _show(world: World, words: Words) -> None:
    calm.show(world)


# --- what there is ----------------------------------------------------------------------------------------------------


def _vm(world: World, words: Words) -> None:
    name = words.next("name")
    vm = SimVm(
        name,
        world.identity(name),
        boot_s=words.seconds("boot", 1.0),
        shutdown_s=words.seconds("shutdown", 2.0),
        ignores_shutdown="deaf" in words.plain,
    )
    wanted = Wanted.OFFLINE if "offline" in words.plain else Wanted.ONLINE
    words.plain = [word for word in words.plain if word not in ("deaf", "offline")]
    threshold = words.named.pop("threshold", None)
    group = Group(
        name,
        (name,),
        wanted=wanted,
        wanted_by="administrator",
        preferred_owners=words.names("preferred"),
        possible_owners=words.names("possible"),
        failover_threshold=None if threshold is None else int(threshold),
    )
    world.add_vm(vm, group)


def _start(world: World, words: Words) -> None:
    names = list(words.plain) or list(world.machines)
    words.plain = []
    for name in names:
        if name not in world.machines:
            raise BadCommand(f"start: there is no node {name}")
        world.power_on(name, boot_s=0.0)


# --- power, processes -------------------------------------------------------------------------------------------------


def _power(world: World, words: Words) -> None:
    how = words.next("of off, on, reset", dict.fromkeys(("off", "on", "reset")))
    node = words.next("node", world.machines)
    if how in ("off", "reset"):
        world.power_off(node)
    if how in ("on", "reset"):
        world.power_on(node)


def _freeze(world: World, words: Words) -> None:
    what, node = _process(world, words)
    if not world.machines[node].on:
        return
    world.tell(f"{what}{node} freeze{'' if 'hosts' in what else 's'}")
    world.troubled(node)
    if not what:
        world.machines[node].freeze()
    else:
        world.daemons.freeze(node, "service" if what.startswith("the service") else "host")


def _thaw(world: World, words: Words) -> None:
    what, node = _process(world, words)
    if not world.machines[node].on:
        return
    world.tell(f"{what}{node} go{'' if 'hosts' in what else 'es'} on")
    world.troubled(node)
    if not what:
        world.machines[node].thaw()
    else:
        world.daemons.thaw(node, "service" if what.startswith("the service") else "host")


def _process(world: World, words: Words) -> tuple[str, str]:
    what = words.plain[0] if words.plain else ""
    if what not in ("service", "host"):
        return "", words.next("node", world.machines)
    words.plain.pop(0)
    named = {"service": "the service of ", "host": "the resource hosts of "}[what]
    return named, words.next("node", world.machines)


def _kill(world: World, words: Words) -> None:
    match words.next("of vm, service, host", dict.fromkeys(("vm", "service", "host"))):
        case "vm":
            vm = words.next("VM", world.vms)
            world.end_vm(vm, Ended.KILLED)
        case "service":
            node = words.next("node", world.machines)
            restart = words.named.pop("restart", "")
            restart_s = None if restart == "never" else float(restart) if restart else SERVICE_RESTART_S
            world.tell(f"the service of {node} is killed")
            world.daemons.kill_service(node, restart_s=restart_s)
        case "host":
            node = words.next("node", world.machines)
            world.tell(f"the resource hosts of {node} are killed")
            world.troubled(node)
            world.daemons.kill_hosts(node)


def _service(world: World, words: Words) -> None:
    words.next("of start", {"start": None})
    world.daemons.start_service(words.next("node", world.machines))


# --- hands ------------------------------------------------------------------------------------------------------------


def _guest(world: World, words: Words) -> None:
    words.next("of shutdown", {"shutdown": None})
    world.end_vm(words.next("VM", world.vms), Ended.GUEST)


def _console(world: World, words: Words) -> None:
    how = words.next("of stop, start", {"stop": None, "start": None})
    vm = words.next("VM", world.vms)
    if how == "stop":
        world.end_vm(vm, Ended.CONSOLE)
    else:
        node = words.next("node", world.machines) if words.plain else world.owner(vm)
        if node:
            world.console_start(vm, node)


def _admin(world: World, words: Words) -> None:
    node = words.next("node", world.machines)
    verb = words.next("verb")
    arguments, words.named = dict(words.named), {}
    asked = " ".join([verb, *(f"{key}={value}" for key, value in arguments.items())])
    world.tell(f"administrator on {node}: {asked}")
    world.administer(node, verb, arguments)


# --- troubles ---------------------------------------------------------------------------------------------------------


def _database(world: World, words: Words) -> None:
    hows = ("cut", "refuse", "slow", "deafen", "mend", "lose", "unhear")
    how = words.next(f"of {', '.join(hows)}", dict.fromkeys(hows))
    node = words.next("node, or all", {**world.machines, "all": None})
    nodes = list(world.machines) if node == "all" else [node]
    who = "every node" if node == "all" else node
    match how:
        case "lose" | "unhear":
            for name in nodes:
                world.database.next_write(name, Fate.LOST if how == "lose" else Fate.UNHEARD)
        case "mend":
            world.tell(f"{who} reaches the database again")
            world.mend_database(nodes)
        case "slow":
            way_s = words.seconds("way", 0.5)
            world.tell(f"each way between {who} and the database takes {way_s:g} s longer")
            world.slow_database(nodes, way_s)
        case "deafen":
            world.tell(f"{who} hears no answer of the database to what it writes")
            world.deafen(nodes)
        case _:
            world.tell(f"{who} cannot reach the database")
            world.cut_database(nodes, refused=how == "refuse")


def _fence(world: World, words: Words) -> None:
    node = words.next("node", world.machines)
    how = words.next("of confirms, fails, hangs, lies, shares-power")
    power = world.powers[node]
    if how == "shares-power":
        power.dies_with_node = True
        world.tell(f"the fence device of {node} hangs on the node's own power")
        return
    try:
        power.mode = FenceMode(how)
    except ValueError as error:
        raise BadCommand(f"fence: {how} is not understood; usage: {usage('fence')}") from error
    world.tell(f"the fence device of {node} {power.mode.value}")


def _plugin(world: World, words: Words) -> None:
    how = words.next("of damage, repair, hang, unhang", dict.fromkeys(("damage", "repair", "hang", "unhang")))
    node = words.next("node", world.machines)
    machine = world.machines[node]
    world.troubled(node)
    match how:
        case "damage":
            machine.damage("vm", "type.py does not compile")
            world.tell(f"the vm plugin of {node} is damaged")
        case "repair":
            machine.damage("vm", "")
            world.tell(f"the vm plugin of {node} is whole again")
        case "hang":
            call = words.next("call")
            machine.troubles.hung_calls.add(call)
            world.tell(f"the vm plugin of {node} hangs in {call}")
        case "unhang":
            machine.troubles.hung_calls.clear()
            world.tell(f"the vm plugin of {node} hangs no more")


def _libvirt(world: World, words: Words) -> None:
    how = words.next("of silent, answers", {"silent": None, "answers": None})
    node = words.next("node", world.machines)
    world.troubled(node)
    world.machines[node].troubles.libvirt_silent = how == "silent"
    world.tell(f"libvirt of {node} " + ("does not answer" if how == "silent" else "answers again"))


def _lie(world: World, words: Words) -> None:
    vm = words.next("VM", world.vms)
    for node in world.where(vm):
        world.checks.distrust(vm)
        world.machines[node].troubles.said_alive.add(vm)
        world.tell(f"the vm plugin of {node} calls {vm} online, whatever is true")


def _truth(world: World, words: Words) -> None:
    for machine in world.machines.values():
        machine.troubles.said_alive.clear()
    world.tell("the vm plugins tell the truth again")


def _reports(world: World, words: Words) -> None:
    how = words.next("of lost, heard", {"lost": None, "heard": None})
    node = words.next("node", world.machines)
    world.machines[node].troubles.reports_lost = how == "lost"
    world.tell(f"libvirt's events on {node} are {how}")


def _trouble(world: World, words: Words) -> None:
    vm = world.vms[words.next("VM", world.vms)]
    vm.failing_starts = int(words.named.pop("failing_starts", 0))
    vm.starts_only_on = words.names("starts_only_on")
    vm.hung_calls = set(words.names("hung"))
    for node in world.machines:
        world.troubled(node)
    what = [f"its next {vm.failing_starts} starts fail"] if vm.failing_starts else []
    what += [f"it starts only on {', '.join(vm.starts_only_on)}"] if vm.starts_only_on else []
    what += [f"calls of it hang: {', '.join(sorted(vm.hung_calls))}"] if vm.hung_calls else []
    world.tell(f"{vm.name}: {'; '.join(what) if what else 'nothing is wrong with it any more'}")


def _clock(world: World, words: Words) -> None:
    node = words.next("node", world.machines)
    by_s = words.seconds("jump", 0.0)
    world.machines[node].clock.wall_error_s += by_s
    world.tell(f"the wall clock of {node} jumps by {by_s:g} s")


def _hosts(world: World, words: Words) -> None:
    how = words.next("of die, hang, start", dict.fromkeys(("die", "hang", "start")))
    node = words.next("node", world.machines)
    world.troubled(node)
    world.machines[node].troubles.host_start = {"die": "dies", "hang": "hangs", "start": ""}[how]
    verb = {"die": "die as they start", "hang": "hang as they start", "start": "start again"}[how]
    world.tell(f"new resource hosts of {node} {verb}")


def _world(world: World, words: Words) -> None:
    raise BadCommand("world: it must be the first command")


COMMANDS: dict[str, tuple[Callable[[World, Words], None], str]] = {
    "world": (
        _world,
        "world [nodes=3] [node_timeout=5] [seed=N] [jitter] [watchdogs] [unfenced] [reboot] [bugs=NAME,...]",
    ),
    "vm": (_vm, "vm NAME [boot=S] [shutdown=S] [preferred=N,...] [possible=N,...] [threshold=N] [offline] [deaf]"),
    "start": (_start, "start [NODE ...]"),
    "run": (_run, "run SECONDS"),
    "power": (_power, "power off|on|reset NODE"),
    "freeze": (_freeze, "freeze [service|host] NODE"),
    "thaw": (_thaw, "thaw [service|host] NODE"),
    "kill": (_kill, "kill vm VM | kill host NODE | kill service NODE [restart=S|never]"),
    "service": (_service, "service start NODE"),
    "guest": (_guest, "guest shutdown VM"),
    "console": (_console, "console stop VM | console start VM [NODE]"),
    "admin": (_admin, "admin NODE VERB [KEY=VALUE ...]"),
    "database": (_database, "database cut|refuse|deafen|mend|lose|unhear NODE|all | database slow NODE|all [way=S]"),
    "fence": (_fence, "fence NODE confirms|fails|hangs|lies|shares-power"),
    "plugin": (_plugin, "plugin damage|repair|unhang NODE | plugin hang NODE CALL"),
    "libvirt": (_libvirt, "libvirt silent|answers NODE"),
    "lie": (_lie, "lie VM"),
    "truth": (_truth, "truth"),
    "reports": (_reports, "reports lost|heard NODE"),
    "trouble": (_trouble, "trouble VM [failing_starts=N] [starts_only_on=N,...] [hung=CALL,...]"),
    "hosts": (_hosts, "hosts die|hang|start NODE"),
    "clock": (_clock, "clock NODE jump=SECONDS"),
    "calm": (_calm, "calm"),
    "settle": (_settle, "settle [until=S]"),
    "show": (_show, "show"),
    "skip": (_skip, "skip"),
}
