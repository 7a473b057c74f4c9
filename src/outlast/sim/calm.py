"""When all faults have ended, how long may it take until everything is as it is wanted, and is it?

The bound is the sum of the longest that each step may take, one after the other (`bound_s`). Within it everything
wanted must run, once, where the database says, and everything else must be down. A group whose failovers are spent may
stay failed, if that can be seen.
"""

from outlast.core.fence.fencing import LONGEST_PAUSE_S
from outlast.core.owner import hosting
from outlast.model.fence import FENCE_SECONDS
from outlast.sim.setup import Setup
from outlast.sim.violation import Violation
from outlast.sim.world import BOOT_S, World

_LOOK_EVERY_S = 2.0
_STAYS_S = 20.0
"""So long it must then stay as it is."""
_POLL_S = 5.0
_ATTEMPTS = 3


def bound_s(setup: Setup) -> float:
    boot = BOOT_S
    # The observers' timers start again after an outage; then a silence is due; then that of the coordinator.
    silences = 3 * setup.node_timeout_s
    # An attempt that has just begun to hang, the pause after it, and one that confirms.
    proof = FENCE_SECONDS + 5.0 + LONGEST_PAUSE_S + 1.0
    host = hosting.LONGEST_PAUSE_S
    # Each attempt to start: found out, taken down, brought up.
    attempts = _ATTEMPTS * (2 * _POLL_S + setup.offline_timeout_s + setup.online_timeout_s)
    return boot + silences + proof + host + attempts


def end_all_faults(world: World) -> None:
    world.tell("all faults end")
    world.links.heal_all()
    world.engine.end_all_faults()
    for host, member in world.engine.members.items():
        world.everything[host].thaw()
        if not member.machine.on:
            world.power_on(host)
    for name, machine in world.machines.items():
        world.mend_database([name])
        world.powers[name].whole()
        troubles = machine.troubles
        troubles.libvirt_silent = troubles.reports_lost = False
        troubles.hung_calls.clear()
        troubles.load.clear()
        for lies in (troubles.said_alive, troubles.said_failed, troubles.said_stopped):
            lies.clear()
        troubles.hidden.clear()
        troubles.others_disks.clear()
        for volume in troubles.lost_volumes:
            world.checks.volumes.made(name, volume, lost=False)
        troubles.lost_volumes.clear()
        troubles.host_start = ""
        troubles.lost_networks.clear()
        machine.links_change()
        troubles.failing_disks.clear()
        machine.damage("vm", "")
        world.daemons.thaw(name, "service")
        world.daemons.thaw(name, "host")
        machine.thaw()
        world.troubled(name)
        world.checks.disturb(name, bound_s(world.setup))
        if machine.on:
            world.daemons.start_service(name)
        else:
            world.power_on(name)
    world.end_maintenance()
    for vm in world.vms.values():
        vm.failing_starts, vm.starts_only_on = 0, ()
        vm.hangs_again, vm.ails, vm.ailed_until_s = 0, False, world.now
        vm.hung_calls.clear()
    world.checks.whole_since_s = world.now


def settle(world: World, *, at_least_until_s: float = 0.0) -> None:
    """Play until everything is as wanted and stays so; a breach of invariant 8 when that does not come in time."""
    until_s = world.now + bound_s(world.setup)
    good_since_s: float | None = None
    while not world.broken:
        wrong = unfinished(world)
        if wrong:
            good_since_s = None
        elif good_since_s is None:
            good_since_s = world.now
        elif world.now - good_since_s >= _STAYS_S and world.now >= at_least_until_s:
            world.tell("everything is as it is wanted")
            return
        if world.now >= until_s and good_since_s is None:
            words = f"{bound_s(world.setup):.0f} s after all faults had ended: {'; '.join(wrong)}"
            world.checks.violations.append(Violation(world.now, 8, words))
            return
        for name, machine in world.machines.items():
            if not machine.on:  # fenced for something that was before; somebody switches it on again
                world.power_on(name)
        world.end_maintenance()
        world.run(_LOOK_EVERY_S)


def unfinished(world: World) -> list[str]:
    wrong = world.checks.unfinished()
    wrong += [f"{name} has no session" for name in world.machines if not world.checks.is_member(name)]
    wrong += [f"the member of {name} does not vote" for name in world.engine.voteless() if name in world.machines]
    return wrong


def show(world: World) -> None:
    """Who runs what, and what stays down and why."""
    for vm, group in sorted(world.checks.group_of.items()):
        where = ", ".join(world.where(vm))
        record = world.checks.groups[group].record
        excuse = world.checks.excuse(group)
        state = f"runs on {where}" if where else "does not run"
        wanted = "offline in its group" if not world.checks.is_wanted(vm) else record.wanted.value
        owner = f"owner {record.owner or 'nobody'}, epoch {record.epoch}"
        spent = f"; {excuse}" if excuse and not where else ""
        world.tell(f"{vm} {state}, is wanted {wanted} ({owner}){spent}")
