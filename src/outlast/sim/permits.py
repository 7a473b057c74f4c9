"""Does a node whose run permit has passed run nothing soon after? Invariant 7, watched while a world plays."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from outlast.core.membership.timing import timing
from outlast.sim.host import STOP_AGAIN_S
from outlast.sim.process import OUTSIDE

if TYPE_CHECKING:
    from outlast.sim.world import World

OPENED_WITHIN_S = 20.0
"""A new host has everything open that runs, after a call for it to the database and one to the plugin timed out."""


class PermitWatch:
    def __init__(self, world: "World", node: str) -> None:
        self._world = world
        self._node = node
        self._look_in(1.0)

    def _look_in(self, seconds: float) -> None:
        self._world.loop.call_later(max(0.05, seconds), self._look, context=OUTSIDE)

    def _look(self) -> None:
        """At the permit's end, and a guard later."""
        world = self._world
        machine = world.machines[self._node]
        permit = machine.permit
        guard_s = timing(world.setup.node_timeout_s).guard_s
        next_s = 1.0
        if permit is not None:
            over_s = machine.clock.now() - permit.until_s
            next_s = guard_s - over_s if over_s < guard_s else 1.0
            if over_s >= guard_s:
                for vm, since_s in self._stoppable():
                    if world.now - max(since_s, machine.troubled_at_s) > guard_s + STOP_AGAIN_S:
                        world.checks.outlived_permit(self._node, vm)
        self._look_in(next_s)
        world.stop_if_broken()

    def _stoppable(self) -> Iterator[tuple[str, float]]:
        """VMs that this node is able to stop, and since when it has had the time to.

        A host stops at once what it has open; what a host before it had open, the service must make it open first.
        """
        world = self._world
        service = world.services.get(self._node)
        machine = world.machines[self._node]
        troubles = machine.troubles
        if service is None or troubles.any_that_hinders:
            return
        for host in service.hosts.live:
            if not host.process.runs:
                continue
            for vm in sorted(machine.copies):
                began_s = machine.copies[vm].since_s
                guarded_s = host.guards_since_s(vm)
                if world.vms[vm].hung_calls:
                    continue
                if guarded_s is not None:
                    yield vm, max(began_s, guarded_s)
                elif service.process.runs and world.checks.copies.get(vm, {}).get(self._node) == "the cluster":
                    able_s = max(began_s, host.process.since_s, service.process.since_s, machine.troubled_at_s)
                    yield vm, able_s + OPENED_WITHIN_S
