"""What can happen to the links between simulated machines, and to the members of their database?"""

from collections.abc import Callable, Iterable
from dataclasses import replace

from outlast.sim.forks import Member
from outlast.sim.links import BOTH_PLANES, Plane
from outlast.sim.words import BadCommand, Commands, Words
from outlast.sim.world import World


def _cut(world: World, words: Words) -> None:
    one, other, planes, on = _link(world, words)
    oneway = words.take("oneway")
    world.links.cut(one, other, planes)
    if not oneway:
        world.links.cut(other, one, planes)
    world.tell(f"{other} no longer hears {one}{on}" if oneway else f"{one} and {other} do not hear each other{on}")


def _heal(world: World, words: Words) -> None:
    if words.take("all"):
        world.links.heal_all()
        world.tell("all links are whole")
        return
    one, other, planes, on = _link(world, words)
    world.links.heal(one, other, planes)
    world.links.heal(other, one, planes)
    world.tell(f"{one} and {other} hear each other again{on}")


def _split(world: World, words: Words) -> None:
    """Two sides, with commas between the names of one. Who is on neither side hears both."""
    sides = [words.next("side").split(","), words.next("other side").split(",")]
    for name in [*sides[0], *sides[1]]:
        if name not in world.everything:
            raise BadCommand(f"split: there is no machine {name}; usage: {words.usage}")
    planes, on = _planes(words)
    for one in sides[0]:
        for other in sides[1]:
            world.links.cut(one, other, planes)
            world.links.cut(other, one, planes)
    world.tell(f"{' and '.join(sides[0])} and {' and '.join(sides[1])} do not hear each other{on}")


def _flap(world: World, words: Words) -> None:
    one, other, planes, on = _link(world, words)
    period_s = words.seconds("period", 4.0)
    world.links.flap(one, other, period_s, planes)
    world.links.flap(other, one, period_s, planes)
    world.tell(f"the link between {one} and {other} comes and goes every {period_s:g} s{on}")


def _slow(world: World, words: Words) -> None:
    one, other, planes, on = _link(world, words)
    by_s = words.seconds("by", 0.3)
    world.links.slow(one, other, by_s, planes)
    world.links.slow(other, one, by_s, planes)
    world.tell(f"each way between {one} and {other} takes {by_s:g} s longer{on}")


def _link(world: World, words: Words) -> tuple[str, str, tuple[Plane, ...], str]:
    one = words.next("machine", world.everything)
    other = words.next("other machine", world.everything)
    return one, other, *_planes(words)


def _planes(words: Words) -> tuple[tuple[Plane, ...], str]:
    named = tuple(plane for plane in Plane if words.take(plane.value))
    if len(named) != 1:
        return BOTH_PLANES, ""
    return named, ", for the database" if named[0] is Plane.DATABASE else ", service to service"


# --- members ----------------------------------------------------------------------------------------------------------


def _member(world: World, words: Words) -> None:
    how = words.next(f"of {', '.join(_MEMBER)}", _MEMBER)
    member = world.engine.members[words.next("machine with a member", world.engine.members)]
    told = _MEMBER[how](world, words, member)
    world.tell(f"the member of {member.host} {told}")
    world.engine.consensus.changed()


_SPARED = "is spared: what the others have on their disks would not be enough"


def _kill(world: World, words: Words, member: Member) -> str:
    world.engine.consensus.end(member)
    return "is killed"


def _freeze(world: World, words: Words, member: Member) -> str:
    if member.process is not None and member.process not in world.engine.frozen:
        member.process.freeze()
        world.engine.frozen.append(member.process)
    return "stands still"


def _thaw(world: World, words: Words, member: Member) -> str:
    world.engine.thaw(member.host)
    return "goes on"


def _wipe(world: World, words: Words, member: Member) -> str:
    if not world.engine.can_spare(member):
        return _SPARED
    world.engine.consensus.wipe(member)
    return "has lost its data"


def _corrupt(world: World, words: Words, member: Member) -> str:
    if not world.engine.can_spare(member):
        return _SPARED
    member.trouble = "corrupt"
    world.engine.consensus.end(member)
    return "ends: its data is corrupt"


def _readonly(world: World, words: Words, member: Member) -> str:
    member.trouble = "read-only"
    world.engine.consensus.end(member)
    return "ends: its disk has become read-only"


def _fsync(world: World, words: Words, member: Member) -> str:
    member.fsync_s = words.seconds("takes", 1.0)
    return f"needs {member.fsync_s:g} s for each write to its disk"


def _mend(world: World, words: Words, member: Member) -> str:
    member.trouble, member.fsync_s = "", 0.0
    return "has a healthy disk again"


def _lead(world: World, words: Words, member: Member) -> str:
    if member.fork is None or not member.up:
        return "cannot lead"
    try:
        world.engine.consensus.move_leader(member.fork, member.disk.id)
    except ValueError:
        return "cannot lead"
    return "leads"


_MEMBER: dict[str, Callable[[World, Words, Member], str]] = {
    "kill": _kill,
    "freeze": _freeze,
    "thaw": _thaw,
    "wipe": _wipe,
    "corrupt": _corrupt,
    "readonly": _readonly,
    "fsync": _fsync,
    "mend": _mend,
    "lead": _lead,
}


def _disk(world: World, words: Words) -> None:
    """A snapshot of a machine's disk is taken, or put back while it has no power."""
    how = words.next("of save, restore", {"save": None, "restore": None})
    member = world.engine.members[words.next("machine with a member", world.engine.members)]
    if how == "save":
        world.engine.saved[member.host] = replace(member.disk)
        world.tell(f"a snapshot of the disk of {member.host} is taken")
        return
    saved = world.engine.saved.get(member.host)
    if saved is None or member.machine.on:
        world.tell(f"the disk of {member.host} stays as it is: it has power, or there is no snapshot")
        return
    if not world.engine.can_spare(member) or not world.engine.is_remembered(member, saved):
        world.tell(f"the disk of {member.host} {_SPARED}")
        return
    now = member.disk
    older = now.set_back or (saved.id, saved.index, saved.marks) != (now.id, now.index, now.marks)
    member.disk = replace(saved, set_back=older)
    world.engine.consensus.changed()
    world.tell(f"the disk of {member.host} is what it was when the snapshot was taken")


def _members(hows: Iterable[str]) -> str:
    return "|".join(how for how in hows if how != "fsync")


NETWORKS: Commands = {
    "cut": (_cut, "cut A B [oneway] [database|service]"),
    "heal": (_heal, "heal A B [database|service] | heal all"),
    "split": (_split, "split A,... B,... [database|service]"),
    "flap": (_flap, "flap A B [period=S] [database|service]"),
    "slow": (_slow, "slow A B [by=S] [database|service]"),
    "member": (_member, f"member {_members(_MEMBER)} MACHINE | member fsync MACHINE [takes=S]"),
    "disk": (_disk, "disk save|restore MACHINE"),
}
