"""What guests do in the simulated world, and what becomes of their disks."""

from outlast.model.group import Wanted
from outlast.model.guest import OnPanic
from outlast.model.health import Halt
from outlast.model.inside import Incident
from outlast.sim.vms import Ended
from outlast.sim.words import Commands, Words
from outlast.sim.world import World

_DOES = ("shutdown", "reboot", "panic", "hang", "wake", "leave", "ail", "recover")


def _guest(world: World, words: Words) -> None:
    does = words.next(f"of {', '.join(_DOES)}", dict.fromkeys(_DOES))
    vm = words.next("VM", world.vms)
    thing, now_s = world.vms[vm], world.now
    match does:
        case "shutdown":
            world.end_vm(vm, Ended.GUEST)
        case "panic":
            for node in world.where(vm):
                if world.checks.resources[vm].guest.on_panic is OnPanic.KEEP:
                    world.checks.switched_by_hand(node, vm, Wanted.OFFLINE)
                world.machines[node].end_vm(vm, Ended.PANIC)
        case "reboot":
            world.tell(f"the guest of {vm} reboots")
            for node in world.where(vm):
                world.machines[node].begin_anew(vm, (Incident.REBOOTED, "was rebooted by its guest"))
        case "ail" | "recover":
            world.tell(f"what runs in {vm} is {'not well' if does == 'ail' else 'well again'}")
            thing.ails = does == "ail"
            thing.ailed_until_s = now_s
        case _:
            _hang(world, words, does, vm)


def _hang(world: World, words: Words, does: str, vm: str) -> None:
    busy = words.take("busy")
    again = int(words.named.pop("again", 0))
    said = {
        "hang": f"the agent of {vm} does not answer any more, and its guest " + ("works" if busy else "does nothing"),
        "wake": f"the agent of {vm} answers again",
        "leave": f"the agent of {vm} is stopped in order",
    }
    world.tell(said[does])
    if does == "hang":
        world.vms[vm].hangs_again = again
    for node in world.where(vm):
        guest = world.machines[node].copies[vm].guest
        if does == "hang":
            guest.hang(world.now, busy=busy)
        elif does == "wake":
            guest.wake(world.now)
        else:
            guest.away = True


def _storage(world: World, words: Words) -> None:
    how = words.next("of fails, mends", dict.fromkeys(("fails", "mends")))
    vm = words.next("VM", world.vms)
    where = words.next("node, or all", {**world.machines, "all": None}) if words.plain else "all"
    halt = Halt.NO_SPACE if words.take("full") else Halt.IO_ERROR
    nodes = list(world.machines) if where == "all" else [where]
    on = "everywhere" if where == "all" else f"on {where}"
    why = "has no space left" if halt is Halt.NO_SPACE else "fails"
    world.tell(f"the disk of {vm} {why if how == 'fails' else 'answers again'} {on}")
    world.vms[vm].ailed_until_s = world.now
    for node in nodes:
        machine = world.machines[node]
        if how == "fails":
            machine.troubles.failing_disks[vm] = halt
        else:
            machine.troubles.failing_disks.pop(vm, None)
        machine.disk_changed(vm)


GUEST_DEEDS: Commands = {
    "guest": (
        _guest,
        "guest shutdown|reboot|panic|wake|leave|ail|recover VM | guest hang VM [busy] [again=N]",
    ),
    "storage": (_storage, "storage fails VM [NODE|all] [full] | storage mends VM [NODE|all]"),
}
