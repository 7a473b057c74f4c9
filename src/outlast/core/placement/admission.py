"""Could so many nodes be lost, as was promised, and all that should run still find room on the others?

The promise is the cluster's `survive_nodes`. It is about memory: whatever set of so many nodes is lost at once, each of
their groups is placed on those that are left, in the order and by the rules of `core/placement/placement.py`, and
counts where it was placed. What could go nowhere else however much memory there was is no matter of room and breaks no
promise (`core/foresight/protection.py` says what it is); nor does what starts by an administrator's word only.

Every set of nodes is tried as long as there are few; of many, those whose loss is hardest: the largest, the fullest,
and those with the largest groups.
"""

import heapq
from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations
from math import comb, inf

import msgspec

from outlast.core.placement.capacity import need
from outlast.core.placement.placed import Placed
from outlast.core.placement.placement import candidates, eligible, in_order
from outlast.model.group import Group, Resource, Wanted
from outlast.model.policy import Priority, Reserve
from outlast.model.view import ClusterView

MOST_SETS = 200
"""So many sets of nodes are tried; of more, the hardest."""
AMONG = 4
"""Of many sets, those of the first so many nodes (and as many as may be lost) by each measure are tried."""
TOLD = 3
"""So many groups are named."""


class Shortfall(msgspec.Struct, frozen=True):
    """What would stay down."""

    lost: tuple[str, ...]
    """Empty: it is down already."""
    left_out: tuple[str, ...]
    """Groups that would find no room, in the order in which they would be placed."""

    def words(self) -> str:
        named = ", ".join(self.left_out[:TOLD])
        more = f" and {len(self.left_out) - TOLD} more" if len(self.left_out) > TOLD else ""
        if not self.lost:
            return f"there is no room for {named}{more} even now"
        was = "was" if len(self.lost) == 1 else "were"
        return f"if {_listed(self.lost)} {was} lost, no room is left for {named}{more}"


class Admission(msgspec.Struct, frozen=True):
    """May something new run?"""

    refused: str = ""
    warning: str = ""


def shortfall(placed: Placed, count: int | None = None) -> Shortfall | None:
    """The first set of nodes whose loss would leave something without room; None: the promise is kept. `count`: so many
    nodes instead of what was promised. `placed` is used, and left as it was."""
    survive = placed.view.settings.survive_nodes if count is None else count
    if survive <= 0:
        return None
    groups = _by_node(placed)
    waiting = _without_room(placed, groups.pop("", []), frozenset())
    if waiting:
        return Shortfall((), waiting)
    for lost in _sets(placed, groups, min(survive, len(placed.members))):
        fleeing = [group for name in lost for group in groups.get(name, ())]
        left_out = _without_room(placed, fleeing, frozenset(lost))
        if left_out:
            return Shortfall(tuple(sorted(lost)), left_out)
    return None


def admit(view: ClusterView, group: Group, resources: Iterable[Resource] = ()) -> Admission:
    """May this group run, as far as the promise goes? `resources`: those of it as they are to be. What was to run
    before, and needs no more now, is not asked again: trying it anew breaks nothing."""
    if view.settings.survive_nodes <= 0:
        return Admission()
    wanted = msgspec.structs.replace(group, wanted=Wanted.ONLINE)
    known = {**view.resources, **{resource.name: resource for resource in resources}}
    before = view.groups.get(group.name)
    ran = need(before, view.resources).memory_mib if before is not None and before.wanted is Wanted.ONLINE else -1
    if need(wanted, known).memory_mib <= ran:
        return Admission()
    groups = {**view.groups, group.name: wanted}
    placed = Placed(msgspec.structs.replace(view, groups=groups, resources=known))
    if not placed.nodes(group.name):
        found = candidates(wanted, placed)
        if found.nodes:
            placed.put(wanted, found.nodes[0])
    return _judged(placed)


def judge_change(now: ClusterView, then: ClusterView) -> Admission:
    """May it be changed so, as far as the promise goes? A rule, where a group may run, whether it starts by itself.
    What was broken before is not broken by this."""
    if then.settings.survive_nodes <= 0:
        return Admission()
    found = _judged(Placed(then))
    return found if found == Admission() or shortfall(Placed(now)) is None else Admission()


def _judged(placed: Placed) -> Admission:
    broken, settings = shortfall(placed), placed.view.settings
    if broken is None:
        return Admission()
    promise = f"{_promise(settings.survive_nodes)} would be broken: {broken.words()}"
    if settings.reserve is Reserve.WARN:
        return Admission(warning=promise)
    return Admission(refused=f"{promise}. Make room, or `outlast cluster set reserve=warn`")


def broken_promise(placed: Placed) -> str:
    """What to tell everybody when the promise does not hold now; "" when it does."""
    broken = shortfall(placed)
    return f"{_promise(placed.view.settings.survive_nodes)} is broken: {broken.words()}" if broken else ""


def _promise(count: int) -> str:
    return f"the promise to survive the loss of {'1 node' if count == 1 else f'{count} nodes'}"


def _by_node(placed: Placed) -> dict[str, list[Group]]:
    """What should run, by the node whose loss would end it; under "" what is nowhere."""
    found: dict[str, list[Group]] = {}
    for group in placed.view.groups.values():
        if group.wanted is Wanted.ONLINE and group.priority is not Priority.NO_AUTO_START:
            nodes = placed.nodes(group.name)
            found.setdefault(nodes[0] if nodes else "", []).append(group)
    return found


def _sets(placed: Placed, groups: Mapping[str, list[Group]], count: int) -> Iterator[tuple[str, ...]]:
    """Sets of nodes that could be lost, the hardest first."""
    names = sorted(placed.members)
    if comb(len(names), count) <= MOST_SETS:
        yield from combinations(names, count)
        return
    measures = (
        {name: placed.used(name).memory_mib for name in names},
        {name: placed.used(name).has_mib for name in names},
        {name: max((placed.need(group).memory_mib for group in groups.get(name, ())), default=0) for name in names},
    )
    tried: set[tuple[str, ...]] = set()
    for measure in measures:
        hardest = sorted(names, key=lambda name: (-measure[name], name))[: count + AMONG]
        for lost in combinations(sorted(hardest), count):
            if lost not in tried and len(tried) < MOST_SETS:
                tried.add(lost)
                yield lost


def _without_room(placed: Placed, fleeing: list[Group], lost: frozenset[str]) -> tuple[str, ...]:
    """Which of these would find no room without these nodes, and would if memory were no matter."""
    if not fleeing:
        return ()
    ordered = in_order(placed.view, fleeing)
    before = {group.name: placed.nodes(group.name) for group in ordered}
    for group in ordered:
        placed.take(group)
    left_out = () if _fit_quickly(placed, ordered, lost) else _left_out(placed, ordered, lost)
    for group in ordered:
        placed.restore(group, before[group.name])
    return left_out


def _left_out(placed: Placed, ordered: list[Group], lost: frozenset[str]) -> tuple[str, ...]:
    for group in ordered:
        placed.take(group)  # what was tried before
    left_out, none_left = [], bool(lost) and lost >= placed.members.keys()
    for group in ordered:
        if _put(placed, group, lost):
            continue
        if none_left or any(placed.lacks(group, name) for name in eligible(group, placed)[0] if name not in lost):
            left_out.append(group.name)
    return tuple(left_out)


def _fit_quickly(placed: Placed, ordered: list[Group], lost: frozenset[str]) -> bool:
    """Do all fit when the special ones are placed first, and each of the others goes to the node with the most room?
    That some order fits is all that was promised; False: look closely."""
    usual = max((eligible(group, placed)[0] for group in ordered), key=len)
    plain = []
    for group in ordered:
        if not placed.affinity.ruled(group) and eligible(group, placed)[0] == usual:
            plain.append(group)
        elif not _put(placed, group, lost):
            return False
    rooms = [-_free_mib(placed, name) for name in usual if name not in lost]
    heapq.heapify(rooms)
    for group in plain:
        memory_mib = placed.need(group).memory_mib
        if not rooms or -rooms[0] < memory_mib:
            return False
        heapq.heapreplace(rooms, rooms[0] + memory_mib)
    return True


def _put(placed: Placed, group: Group, lost: frozenset[str]) -> bool:
    node = next((name for name in candidates(group, placed).nodes if name not in lost), "")
    if node:
        placed.put(group, node)
    return bool(node)


def _free_mib(placed: Placed, node: str) -> float:
    free_mib = placed.used(node).free_mib
    return inf if free_mib is None else free_mib


def _listed(names: Iterable[str]) -> str:
    *most, last = sorted(names)
    return f"{', '.join(most)} and {last}" if most else last
