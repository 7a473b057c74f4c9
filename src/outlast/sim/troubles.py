"""What can be broken in the simulated world, and made whole again: the database, fence devices, plugins, ..."""

from outlast.sim.database import Fate
from outlast.sim.fence import FenceMode
from outlast.sim.machine import Machine
from outlast.sim.vms import VM_TYPE
from outlast.sim.words import BadCommand, Commands, Words
from outlast.sim.world import World


def _database(world: World, words: Words) -> None:
    hows = ("cut", "refuse", "slow", "deafen", "mend", "lose", "unhear", "full", "roomy")
    how = words.next(f"of {', '.join(hows)}", dict.fromkeys(hows))
    if how in ("full", "roomy"):
        world.database.full = how == "full"
        world.tell("the database " + ("has no space left: it takes no write" if how == "full" else "has space again"))
        return
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
    power = world.powers[node]
    outlets = [words.plain.pop(0)] if words.plain and words.plain[0] in power.outlets else list(power.outlets)
    how = words.next("of confirms, fails, hangs, lies, slow, shares-power")
    device = (
        f"the fence device {outlets[0]} of {node}"
        if len(outlets) < len(power.outlets)
        else f"the fence device of {node}"
    )
    takes_s = words.seconds("takes", 10.0) if how == "slow" else 0.5
    for outlet in (power.outlets[name] for name in outlets):
        if how == "shares-power":
            outlet.dies_with_node = True
            continue
        try:
            outlet.mode = FenceMode.CONFIRMS if how == "slow" else FenceMode(how)
        except ValueError as error:
            raise BadCommand(f"fence: {how} is not understood; usage: {words.usage}") from error
        outlet.takes_s = takes_s
    match how:
        case "shares-power":
            world.tell(f"{device} hangs on the node's own power")
        case "slow":
            world.tell(f"{device} takes {takes_s:g} s")
        case _:
            world.tell(f"{device} {how}")


def _plugin(world: World, words: Words) -> None:
    hows = ("damage", "repair", "hang", "unhang", "load-dies", "load-hangs", "loads")
    how = words.next(f"of {', '.join(hows)}", dict.fromkeys(hows))
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
        case "load-dies" | "load-hangs" | "loads":
            _loading(world, words, machine, how.partition("-")[2])
        case "unhang":
            machine.troubles.hung_calls.clear()
            world.tell(f"the vm plugin of {node} hangs no more")


def _loading(world: World, words: Words, machine: Machine, how: str) -> None:
    of = words.plain.pop(0) if words.plain else VM_TYPE
    if how:
        machine.troubles.load[of] = how
    else:
        machine.troubles.load.pop(of, None)
    what = {"dies": "takes its host along as it is loaded", "hangs": "hangs as it is loaded"}
    world.tell(f"the {of} plugin of {machine.name} {what.get(how, 'can be loaded again')}")


def _libvirt(world: World, words: Words) -> None:
    how = words.next("of silent, answers", {"silent": None, "answers": None})
    node = words.next("node", world.machines)
    world.troubled(node)
    world.machines[node].troubles.libvirt_silent = how == "silent"
    world.tell(f"libvirt of {node} " + ("does not answer" if how == "silent" else "answers again"))


def _lie(world: World, words: Words) -> None:
    vm = words.next("VM", world.vms)
    how = (
        words.next("of online, failed, stopped", dict.fromkeys(("online", "failed", "stopped"))) if words.plain else ""
    )
    if how in ("failed", "stopped") and world.vms[vm].type == VM_TYPE:
        raise BadCommand("a VM's plugin has two witnesses of its own; have the plugin of another resource lie")
    for node in world.where(vm):
        troubles = world.machines[node].troubles
        plugin = f"the {world.vms[vm].type} plugin of {node}"
        match how:
            case "failed":
                world.troubled(node)
                troubles.said_failed.add(vm)
                world.tell(f"{plugin} calls {vm} failed, whatever is true")
            case "stopped":
                world.troubled(node)
                troubles.said_stopped.add(vm)
                world.tell(f"{plugin} says that it has stopped {vm}, and does not stop it")
            case _:
                world.checks.distrust(vm)
                troubles.said_alive.add(vm)
                world.tell(f"{plugin} calls {vm} online, whatever is true")


def _truth(world: World, words: Words) -> None:
    for name, machine in world.machines.items():
        troubles = machine.troubles
        if troubles.said_failed or troubles.said_stopped:
            world.troubled(name)
        for lies in (troubles.said_alive, troubles.said_failed, troubles.said_stopped):
            lies.clear()
    world.tell("the plugins tell the truth again")


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


def _transfer(world: World, words: Words) -> None:
    vm = world.vms[words.next("VM", world.vms)]
    vm.migration_problem = "its processor is of another kind there" if words.take("fails") else ""
    vm.transfer_s = words.seconds("takes", 1.5)
    vm.switch_s = words.seconds("switch", 0.03)
    if vm.migration_problem:
        world.tell(f"{vm.name} cannot be handed over as it runs")


def _saving(world: World, words: Words) -> None:
    vm = world.vms[words.next("VM", world.vms)]
    vm.save_problem = "no room on its disk" if words.take("fails") else ""
    vm.save_s = words.seconds("takes", 0.8)
    vm.restores_only_on = words.names("restores_only_on")
    if vm.save_problem:
        world.tell(f"the state of {vm.name} cannot be saved: {vm.save_problem}")
    if vm.restores_only_on:
        world.tell(f"{vm.name} goes on from its state only on {', '.join(vm.restores_only_on)}")


def _image(world: World, words: Words) -> None:
    how = words.next("of hide, swap, show", dict.fromkeys(("hide", "swap", "show")))
    vm = words.next("VM", world.vms)
    node = words.next("node", world.machines)
    troubles, path = world.machines[node].troubles, f"/srv/{vm}.img"
    (troubles.hidden.add if how == "hide" else troubles.hidden.discard)(vm)
    (troubles.others_disks.add if how == "swap" else troubles.others_disks.discard)(path)
    sees = {"hide": "does not see the disk", "swap": "has another disk at the place of that", "show": "sees the disk"}
    world.tell(f"{node} {sees[how]} of {vm}")


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


TROUBLES: Commands = {
    "database": (
        _database,
        "database cut|refuse|deafen|mend|lose|unhear NODE|all | database slow NODE|all [way=S] | database full|roomy",
    ),
    "fence": (
        _fence,
        "fence NODE [OUTLET] confirms|fails|hangs|lies|shares-power | fence NODE [OUTLET] slow [takes=S]",
    ),
    "plugin": (
        _plugin,
        "plugin damage|repair|unhang NODE | plugin hang NODE CALL | plugin load-dies|load-hangs|loads NODE [TYPE]",
    ),
    "libvirt": (_libvirt, "libvirt silent|answers NODE"),
    "lie": (_lie, "lie VM [online|failed|stopped]"),
    "truth": (_truth, "truth"),
    "reports": (_reports, "reports lost|heard NODE"),
    "trouble": (_trouble, "trouble VM [failing_starts=N] [starts_only_on=N,...] [hung=CALL,...]"),
    "transfer": (_transfer, "transfer VM [takes=S] [switch=S] [fails]"),
    "saving": (_saving, "saving VM [takes=S] [fails] [restores_only_on=N,...]"),
    "image": (_image, "image hide|swap|show VM NODE"),
    "hosts": (_hosts, "hosts die|hang|start NODE"),
    "clock": (_clock, "clock NODE jump=SECONDS"),
}
