"""What is done in the simulated world: time passes, machines and processes come and go, people do things."""

from outlast.model.group import Group, Wanted
from outlast.model.health import Json
from outlast.sim import calm
from outlast.sim.daemons import SERVICE_RESTART_S
from outlast.sim.vms import Ended, SimVm
from outlast.sim.words import BadCommand, Commands, Words
from outlast.sim.world import World

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
    world.administer(node, verb, {key: _value(text) for key, text in arguments.items()})


def _value(text: str) -> Json:
    """With a comma it is a list: "n1,n2"; "n1," has one item."""
    return [item for item in text.split(",") if item] if "," in text else text


DEEDS: Commands = {
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
    "calm": (_calm, "calm"),
    "settle": (_settle, "settle [until=S]"),
    "show": (_show, "show"),
    "skip": (_skip, "skip"),
}
