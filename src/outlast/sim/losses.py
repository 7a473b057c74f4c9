"""What becomes of VMs that the cluster calls protected when their node is lost, and nothing else happens? Invariant 20.

`lose NODE` asks another node what is protected, as everybody may, and in that moment cuts the power of that node. What
ran there and was called protected must run again within the bound. It is for times when all is well; what was not well
before stands in the answer, as a reason why something is not protected.
"""

from collections.abc import Mapping

import msgspec

from outlast.model.answers import GroupRow
from outlast.sim import calm
from outlast.sim.violation import Violation
from outlast.sim.words import Commands, Words
from outlast.sim.world import World

_ANSWERS_S = 5.0
_LOOK_EVERY_S = 0.5


def _lose(world: World, words: Words) -> None:
    node = words.next("node", world.machines)
    said = _said(world, node)
    online = [row for row in said if row.owner == node and row.wanted == row.state == "online" and not row.move_to]
    trusted = {row.name: row.protection for row in online if row.protected}
    world.tell(f"{node} is lost; called protected: {', '.join(sorted(trusted)) or 'nothing that runs there'}")
    world.checks.whole_since_s = world.now
    world.power_off(node)
    limits_s = [kept.record.start_limit_s for kept in world.checks.groups.values() if kept.record.start_after]
    until_s = world.now + calm.bound_s(world.setup) + sum(limits_s)
    elsewhere = {name: kept.record.owner for name, kept in world.checks.groups.items() if kept.record.owner != node}
    while not world.broken and (down := _down(world, trusted)):
        if world.now >= until_s:
            down = [name for name in down if not _crowded_out(world, name, elsewhere)]
            if not down:
                return
            told = ", ".join(f"{name} ({trusted[name]})" for name in down)
            rule_words = f"{told} ran on {node}, which was lost, and does not run again"
            world.checks.violations.append(Violation(world.now, 20, rule_words))
            return
        world.run(_LOOK_EVERY_S)


def _said(world: World, lost: str) -> list[GroupRow]:
    """What another node says of all groups; nothing when none can be asked."""
    others = [name for name in world.machines if name != lost and world.checks.is_member(name)]
    service = next((world.services[name] for name in others if name in world.services), None)
    rows: list[GroupRow] = []
    if service is None:
        return rows

    async def ask() -> None:
        async for kind, value in service.node.command("group.list", {}):
            if kind == "result":
                rows.extend(msgspec.convert(value, list[GroupRow]))

    task = service.process.context.run(world.loop.create_task, ask())
    until_s = world.now + _ANSWERS_S
    while not task.done() and world.now < until_s and not world.broken:
        world.run(0.01)
    return rows


def _down(world: World, groups: dict[str, str]) -> list[str]:
    """Those of which something does not run that is to."""
    checks = world.checks
    known = [checks.groups[name].record for name in sorted(groups) if name in checks.groups]
    return [one.name for one in known if not all(checks.copies.get(name) for name in checks.meant_to_run(one))]


def _crowded_out(world: World, name: str, elsewhere: Mapping[str, str]) -> bool:
    """Did a planned move that was just due as the node was lost (a failback, say) take its place, on a node that could
    have had it? `elsewhere`: what was on other nodes then, and where."""
    group, room = world.checks.groups[name].record, world.checks.placing.room
    now = {moved: world.checks.groups[moved].record.owner for moved in elsewhere if moved in world.checks.groups}
    came_to = {owner for moved, owner in now.items() if owner not in ("", elsewhere[moved])}
    return any(room.refuses(group, node) for node in room.able(group, came_to))


LOSSES: Commands = {"lose": (_lose, "lose NODE")}
