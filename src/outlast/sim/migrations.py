"""How do VMs go from one simulated node to another as they run? As libvirt does it, whoever asked for it.

It goes on without the resource host that began it, and ends badly when one of the two nodes dies, or nothing goes
between them. The moment that matters is played as it is: for an instant the copy on the destination is complete and the
one on the source stands still. If the source hears that all is well, it ends; if it hears nothing any more, it goes on,
and an old copy stands on the destination, which must never run.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from outlast.model.transfer import Transfer
from outlast.ports.hosts import CallFailed
from outlast.sim.links import Links, Plane
from outlast.sim.loop import SimLoop
from outlast.sim.machine import ARRIVES, Machine, Standing
from outlast.sim.process import OUTSIDE
from outlast.sim.vms import Copy

_LOOKS_S = 0.25
_ENDS_WITHIN_S = 10.0
_ASKS_S = 0.05


@dataclass(slots=True, eq=False)
class Migration:
    vm: str
    source: Machine
    target: Machine
    copy: Copy
    standing: Standing
    ends_at_s: float
    waiting: "list[asyncio.Future[None]]" = field(default_factory=list)
    tells: list[Callable[[Transfer], None]] = field(default_factory=list)
    given_up: str = ""
    """Why it is to end; empty while it goes on."""
    by: object = None
    """The host that began it, or joined it last: it waits for its end."""
    by_hand: bool = False
    """Somebody began it past the cluster: it goes on on the destination by itself."""


class Migrations:
    def __init__(self, loop: SimLoop, links: Links, machines: dict[str, Machine], tell: Callable[[str], None]) -> None:
        self._loop = loop
        self._links = links
        self._machines = machines
        self._tell = tell
        self._under_way: dict[str, Migration] = {}
        """By VM."""

    async def hand_over(self, source: Machine, vm: str, to: str, tell: Callable[[Transfer], None], by: object) -> None:
        """`by`: the host. Raises `CallFailed` when it runs on on the source."""
        migration = self._under_way.get(vm)
        if migration is not None and migration.by_hand:  # the cluster's own word comes before that
            if migration.standing.complete:
                raise CallFailed("it is on its way to another node", refusal=True)
            self._fail(migration, "it was called back")
            migration = None
        if migration is None or migration.source is not source:
            migration = self._begin(source, vm, to)
        migration.by = by
        done: asyncio.Future[None] = self._loop.create_future()
        migration.waiting.append(done)
        migration.tells.append(tell)
        try:
            await done
        finally:
            if done in migration.waiting:
                migration.waiting.remove(done)
                migration.tells.remove(tell)

    def by_hand(self, source: Machine, vm: str, to: str) -> str:
        """Somebody types `virsh migrate`. Returns why that was refused; "" when it is under way."""
        if vm in self._under_way:
            return "another migration of it is under way"
        try:
            self._begin(source, vm, to).by_hand = True
        except CallFailed as error:
            return error.why
        return ""

    async def call_back(self, source: Machine, vm: str, by: object) -> None:
        """It is given up, if it is not too late. A host that comes after the one that had begun it waits until it is
        over, well or not; raises `CallFailed` when that takes too long."""
        migration = self._under_way.get(vm)
        if migration is None or migration.source is not source:
            return
        if not migration.standing.complete:
            migration.given_up = "it was called back"
        ends_s = self._loop.time() + _ENDS_WITHIN_S
        while migration.by is not by and self._under_way.get(vm) is migration:
            if self._loop.time() > ends_s:
                raise CallFailed("another migration of it is under way, and libvirt does not end it")
            await asyncio.sleep(_ASKS_S)

    def _begin(self, source: Machine, vm: str, to: str) -> Migration:
        target, copy = self._machines.get(to), source.copies.get(vm)
        problem = source.vms[vm].migration_problem
        if copy is None:
            raise CallFailed(f"{vm} does not run", refusal=True)
        if problem:
            raise CallFailed(problem, refusal=True)
        if target is None or not self._goes(source, target) or target.frozen or target.troubles.libvirt_silent:
            raise CallFailed(f"libvirt on {to} cannot be reached", refusal=True)
        if vm in target.copies or vm in target.standing:
            raise CallFailed(f"{vm} is on {to} already", refusal=True)
        standing = target.standing[vm] = Standing(copy)
        ends_at_s = self._loop.time() + source.vms[vm].transfer_s
        migration = self._under_way[vm] = Migration(vm, source, target, copy, standing, ends_at_s)
        target.defined.add(vm)
        target.tell(vm, ARRIVES)
        self._loop.call_later(_LOOKS_S, self._look, migration, context=OUTSIDE)
        return migration

    def _goes(self, source: Machine, target: Machine) -> bool:
        return source.on and target.on and self._links.connects(source.name, target.name, Plane.SERVICE)

    def _is_there(self, migration: Migration) -> bool:
        """Does what is to be handed over still run, and does what is to take it still stand?"""
        source, target, vm = migration.source, migration.target, migration.vm
        return source.copies.get(vm) is migration.copy and target.standing.get(vm) is migration.standing

    def _look(self, migration: Migration) -> None:
        if self._under_way.get(migration.vm) is not migration:
            return
        if not self._is_there(migration) or not self._goes(migration.source, migration.target) or migration.given_up:
            self._fail(migration, migration.given_up or "the connection broke")
        elif migration.source.frozen or migration.target.frozen:
            migration.ends_at_s += _LOOKS_S
            self._loop.call_later(_LOOKS_S, self._look, migration, context=OUTSIDE)
        elif self._loop.time() < migration.ends_at_s:
            self._progress(migration)
            left_s = migration.ends_at_s - self._loop.time()
            self._loop.call_later(min(_LOOKS_S, left_s), self._look, migration, context=OUTSIDE)
        else:
            migration.standing.complete = True
            migration.standing.as_of_s = self._loop.time()
            migration.source.stands_for_a_migration(migration.vm, stands=True)
            switch_s = migration.source.vms[migration.vm].switch_s
            self._loop.call_later(switch_s, self._switch, migration, context=OUTSIDE)

    def _progress(self, migration: Migration) -> None:
        whole_s = migration.source.vms[migration.vm].transfer_s
        percent = round(100 * (1 - (migration.ends_at_s - self._loop.time()) / whole_s))
        for tell in migration.tells:
            tell(Transfer(max(0, percent)))

    def _switch(self, migration: Migration) -> None:
        """The source hears that all is well; or it does not, and goes on."""
        source, vm = migration.source, migration.vm
        if not self._is_there(migration):
            self._fail(migration, "the connection broke in the last moment")
        elif source.frozen or migration.target.frozen:
            self._loop.call_later(_LOOKS_S, self._switch, migration, context=OUTSIDE)
        elif not self._goes(source, migration.target):
            self._tell(f"{vm} goes on on {source.name}: it did not hear that it stands on {migration.target.name}")
            # By hand, libvirt may let it go on on both: that is beyond what any cluster can mend.
            self._fail(migration, "the connection broke in the last moment", leave=not migration.by_hand)
        else:
            del self._under_way[vm]
            source.handed_over(vm, by_hand=migration.by_hand)
            if migration.by_hand:
                migration.target.goes_on_by_itself(vm)
            for done in migration.waiting:
                if not done.done():
                    done.set_result(None)

    def _fail(self, migration: Migration, why: str, *, leave: bool = False) -> None:
        self._under_way.pop(migration.vm, None)
        if migration.copy.stands and migration.source.copies.get(migration.vm) is migration.copy:
            migration.source.stands_for_a_migration(migration.vm, stands=False)
        if not leave and migration.target.standing.get(migration.vm) is migration.standing:
            migration.target.drop_standing(migration.vm)
        for done in migration.waiting:
            if not done.done():
                done.set_exception(CallFailed(why, refusal=True))
