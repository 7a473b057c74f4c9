"""What is done in the simulated world: time passes, machines and processes come and go, people do things."""

from collections.abc import Mapping
from functools import partial

from outlast.model.health import Json
from outlast.model.inside import Incident
from outlast.sim import calm
from outlast.sim.daemons import SERVICE_RESTART_S
from outlast.sim.guest_deeds import GUEST_DEEDS
from outlast.sim.vms import Ended
from outlast.sim.words import BadCommand, Commands, Words
from outlast.sim.world import World

ANY = "any"
"""The first node that listens: where somebody would ask who wants it done."""

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


def _start(world: World, words: Words) -> None:
    names = list(words.plain) or list(world.everything)
    words.plain = []
    for name in names:
        if name not in world.everything:
            raise BadCommand(f"start: there is no node {name}")
        world.power_on(name, boot_s=0.0)


# --- power, processes -------------------------------------------------------------------------------------------------


def _power(world: World, words: Words) -> None:
    how = words.next("of off, on, reset", dict.fromkeys(("off", "on", "reset")))
    node = words.next("node", world.everything)
    if how in ("off", "reset"):
        world.power_off(node)
    if how in ("on", "reset"):
        world.power_on(node)


def _freeze(world: World, words: Words) -> None:
    what, node = _process(world, words)
    if not world.everything[node].on:
        return
    world.tell(f"{what}{node} freeze{'' if 'hosts' in what else 's'}")
    world.troubled(node)
    if not what:
        world.everything[node].freeze()
    else:
        world.daemons.freeze(node, "service" if what.startswith("the service") else "host")


def _thaw(world: World, words: Words) -> None:
    what, node = _process(world, words)
    if not world.everything[node].on:
        return
    world.tell(f"{what}{node} go{'' if 'hosts' in what else 'es'} on")
    world.troubled(node)
    if not what:
        world.everything[node].thaw()
    else:
        world.daemons.thaw(node, "service" if what.startswith("the service") else "host")


def _process(world: World, words: Words) -> tuple[str, str]:
    what = words.plain[0] if words.plain else ""
    if what not in ("service", "host"):
        return "", words.next("node", world.everything)
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


def _console(world: World, words: Words) -> None:
    hows = ("stop", "start", "reset", "attach", "edit", "migrate")
    how = words.next(f"of {', '.join(hows)}", dict.fromkeys(hows))
    vm = words.next("VM", world.vms)
    if how == "stop":
        world.end_vm(vm, Ended.CONSOLE)
    elif how == "reset":
        world.tell(f"{vm} is reset by hand")
        for node in world.where(vm):
            world.machines[node].begin_anew(vm, (Incident.RESET, "was reset from the host's console"))
    elif how == "attach":
        device = words.next("device")
        world.tell(f"{device} is attached to {vm} by hand")
        told = f"had {device} attached to it as it runs, from the host's console"
        for node in world.where(vm):
            world.machines[node].tell_incident(vm, Incident.DEVICES, told)
    elif how == "edit":
        memory_mib = int(words.named.pop("memory", 0))
        node = words.next("node", world.machines) if words.plain else world.owner(vm)
        if node and world.machines[node].on:
            world.tell(f"{vm} is edited at the console of {node}: memory {memory_mib} MiB")
            world.machines[node].edit(vm, memory_mib)
    elif how == "migrate":  # to a machine that is no node, unless one is named
        world.console_migrate(vm, words.next("node", world.machines) if words.plain else "")
    else:
        node = words.next("node", world.machines) if words.plain else world.owner(vm)
        if node:
            world.console_start(vm, node)


def _admin(world: World, words: Words) -> None:
    node = words.next("node", {**world.machines, ANY: None})
    who_listens = partial(_who_listens, world) if node == ANY else None
    node = node if who_listens is None else who_listens()
    verb = words.next("verb")
    arguments, words.named = dict(words.named), {}
    asked = " ".join([verb, *(f"{key}={value}" for key, value in arguments.items())])
    world.tell(f"administrator on {node}: {asked}")
    world.administer(node, verb, _told(arguments), who_listens)


def _who_listens(world: World) -> str:
    running = [name for name in world.machines if name in world.services and world.services[name].process.runs]
    members = [name for name in running if world.checks.is_member(name)]
    return [*members, *running, *world.machines][0]


def _mislead(world: World, words: Words) -> None:
    node = words.next("node", world.machines)
    world.tell(f"administrators take {node} for off, whatever is true")
    world.checks.misled.add(node)


def _told(arguments: Mapping[str, str]) -> Mapping[str, Json]:
    """`values.armed=no` is a value inside of another one."""
    found: dict[str, Json] = {}
    for key, text in arguments.items():
        outer, _, inner = key.partition(".")
        if inner:
            found.setdefault(outer, {})[inner] = text
        else:
            found[outer] = _value(text)
    return found


def _value(text: str) -> Json:
    """With a comma it is a list: "n1,n2"; "n1," has one item."""
    if text in ("true", "false"):
        return text == "true"
    return [item for item in text.split(",") if item] if "," in text else text


DEEDS: Commands = {
    "start": (_start, "start [NODE ...]"),
    "run": (_run, "run SECONDS"),
    "power": (_power, "power off|on|reset NODE"),
    "freeze": (_freeze, "freeze [service|host] NODE"),
    "thaw": (_thaw, "thaw [service|host] NODE"),
    "kill": (_kill, "kill vm VM | kill host NODE | kill service NODE [restart=S|never]"),
    "service": (_service, "service start NODE"),
    **GUEST_DEEDS,
    "console": (
        _console,
        "console stop|reset VM | console start VM [NODE] | console attach VM DEVICE | console edit VM [NODE] memory=MIB"
        " | console migrate VM [NODE]",
    ),
    "admin": (_admin, "admin NODE|any VERB [KEY=VALUE ...]"),
    "mislead": (_mislead, "mislead NODE"),
    "calm": (_calm, "calm"),
    "settle": (_settle, "settle [until=S]"),
    "show": (_show, "show"),
    "skip": (_skip, "skip"),
}
