"""Which groups would be better off on other nodes, so that no node has much more to do than another?

A move has a price, so balancing is slow to begin and quick to stop:

- only while the cluster is calm: nothing else is under way, and for a while nothing has changed hands;
- only from a node that has clearly more to do than the other one, and only if the busier of the two has then clearly
  less to do than now; what brings the most goes first, so few moves do it. Each move lowers the higher of two loads, so
  no sequence of moves leads back to where it began, and what is nearly as good stays as it is;
- only a few at once (`core/coordinator/moves.py`), and then all is looked at again;
- never what an administrator keeps where it is, never to a node that would not be chosen by the rules of placement,
  and never away from a node that is preferred.

What a node has to do is what has been promised of it: memory and processors as far as all nodes say what they have
(`core/placement/capacity.py`), else the number of groups. What guests happen to do in this minute is no reason to move
them.
"""

from collections.abc import Callable

import msgspec

from outlast.core.coordinator import failing, handing_over, intake
from outlast.core.coordinator.round import Round
from outlast.core.group.group_state import reported
from outlast.core.placement import networks, placement
from outlast.core.placement.placed import Placed
from outlast.model.group import Group, Wanted
from outlast.model.policy import Balance, BalanceMode
from outlast.model.status import State
from outlast.model.view import ClusterView

GAP = 0.15
"""So much more (of all that it has) one node must have to do than another before anything is moved between them."""
GAP_GROUPS = 2
GAP_OF_GROUPS = 0.2
"""Where groups are counted: so many more, and so much of what it has."""
GAIN = 0.05
"""By so much (of all that it has) the busier node must be relieved; by all of the group's weight, if that is less."""
LEAST = 0.005
"""What weighs less than this is not worth the move."""
CALM_S = 60.0
"""For so long no group has changed hands, and no node has come or gone."""
SETTLED_S = 60.0
"""For so long a node must have taken groups before it is given any."""
JOINED_S = 1800.0
"""For so long a node counts as one that has joined (or was resumed)."""
ROUNDING = 1e-9
MOST = 8
"""So many moves begin at once in the whole cluster, however large it is."""


class Move(msgspec.Struct, frozen=True):
    group: str
    source: str
    target: str
    why: str


def balance(round: Round) -> None:
    """The next moves, as far as the cluster's settings want any."""
    view = round.view
    mode = view.settings.balance
    if mode is BalanceMode.OFF:
        return
    left_s = CALM_S - view.observed.calm_s
    if left_s > 0:
        round.wake(left_s)
    elif not busy(round):
        _find(round, _targets(round), MOST, lambda group, move: round.wish_move(group, move.target, move.why))


def busy(round: Round) -> str:
    """What is under way and comes first, for people; "" when nothing is."""
    view = round.view
    if round.acts():
        return "a decision is being carried out"
    if view.settings.hold or not view.settings.armed:
        return "nothing is moved now, whatever it is"
    for name in view.nodes:
        if name in view.observed.silent_s or (name in view.silences and view.silences[name].proof is None):
            return f"{name} is silent"
    for group in view.groups.values():
        if group.move_to:
            return f"{group.name} is on its way to another node"
        if group.wanted is Wanted.ONLINE or group.owner:
            words = _on_its_way(group, view)
            if words:
                return words
    return ""


def moves(view: ClusterView) -> list[Move]:
    """All that would have to be moved, one after the other, until nothing is worth it any more."""
    round = Round(arrived(view))
    most = len(view.groups)
    return _find(round, _open_nodes(round), most, lambda group, move: round.placed.put(group, move.target), wait=False)


def arrived(view: ClusterView) -> ClusterView:
    """As it will be when all is where it is to go: what is on its way would count twice, and invite more moves."""
    there = {
        name: msgspec.structs.replace(group, owner=group.move_to, move_to="")
        for name, group in view.groups.items()
        if group.move_to in view.nodes
    }
    return msgspec.structs.replace(view, groups={**view.groups, **there}) if there else view


def next_moves(view: ClusterView) -> list[Move]:
    """Those of them that may begin now, when an administrator asks for it."""
    round = Round(view)
    return _find(round, _open_nodes(round), MOST, lambda group, move: round.wish_move(group, move.target, move.why))


def why_it_stays(group: Group, view: ClusterView) -> str:
    """Why balancing leaves the group where it is, for people; "" when it may move it."""
    if group.balance is Balance.NEVER:
        return "it is not to be moved for that (balance=never)"
    if group.locked:
        return f"it is locked: {group.locked}"
    kept = failing.in_maintenance(group, view.resources)
    if kept:
        return f"it is in maintenance: {kept}"
    if group.return_to:
        return f"it is to return to {group.return_to}"
    if group.failures:
        return "it has failed of late"
    session = view.sessions.get(group.owner)
    status = reported(group, view.statuses.get(group.name), session.incarnation) if session is not None else None
    if status is None or status.state not in (State.ONLINE, State.PARTIAL):
        return "it is not online"
    if group.balance is Balance.ALWAYS:
        return ""
    why = handing_over.never_live(group, view) or handing_over.why_not_on(group, group.owner, view)
    return f"{why} (balance=always moves it all the same)" if why else ""


class Loads:
    """What nodes have to do: shares of what they have, or numbers of groups when one of them does not say."""

    def __init__(self, placed: Placed, nodes: tuple[str, ...]) -> None:
        self._placed = placed
        self.weighed = all(placed.used(name).has_mib or placed.used(name).has_cpus for name in nodes)
        self.of = {name: self._now(name) for name in nodes}

    def weight(self, group: Group, node: str) -> float:
        """What the group adds to the load of that node."""
        if not self.weighed:
            return 1.0
        used = self._placed.used(node)
        return used.load(self._placed.need(group)) - used.load()

    def far_apart(self, source: str, target: str) -> bool:
        """Has the one so much more to do than the other that a move is worth it?"""
        gap = self.of[source] - self.of[target]
        if self.weighed:
            return gap >= GAP
        return gap >= max(GAP_GROUPS, GAP_OF_GROUPS * self.of[source])

    def gain(self, group: Group, source: str, target: str) -> float:
        """By how much the busier of the two would be relieved; 0 when that is not worth the move."""
        gone = self.weight(group, source)
        busier = max(self.of[source] - gone, self.of[target] + self.weight(group, target))
        gain = self.of[source] - busier
        least = LEAST if self.weighed else 1.0
        return gain if gone >= least and gain >= min(GAIN, gone) - ROUNDING else 0.0

    def shift(self, group: Group, source: str, target: str) -> None:
        gone, come = self.weight(group, source), self.weight(group, target)
        self.of[source] -= gone
        self.of[target] += come

    def words(self, node: str) -> str:
        load = self.of[node]
        if self.weighed:
            return f"{load:.0%}"
        return f"{load:.0f} group{'' if load == 1 else 's'}"

    def _now(self, node: str) -> float:
        used = self._placed.used(node)
        return used.load() if self.weighed else float(used.groups)


class _Search:
    """Finds one move after the other, each as if those before it had been made."""

    def __init__(self, round: Round, targets: tuple[str, ...]) -> None:
        self._round = round
        self._view = round.view
        self._targets = targets
        self._sources = tuple(name for name in round.placed.members if not intake.gives_away(name, round.view))
        self.loads = Loads(round.placed, tuple({**dict.fromkeys(self._sources), **dict.fromkeys(targets)}))
        self._owned: dict[str, list[Group]] = {}
        for group in round.view.groups.values():
            if group.wanted is Wanted.ONLINE:
                self._owned.setdefault(group.owner, []).append(group)
        self._movable: dict[str, list[Group]] = {}
        self._hopeless: set[tuple[str, str]] = set()
        """Nothing goes from the one to the other: what is moved between others makes that no better."""

    def next(self, *, wait: bool) -> tuple[Group, str, str] | None:
        """The best move: from whoever has the most to do to whoever has the least. `wait`: of those that need not wait
        until others are done."""
        of = self.loads.of
        targets = sorted(self._targets, key=lambda name: (of[name], name))
        for source in sorted(self._sources, key=lambda name: (-of[name], name)):
            for target in targets:
                if not self.loads.far_apart(source, target):
                    break  # the others have more to do
                if (source, target) in self._hopeless or (wait and self._round.moves.full(source, target)):
                    continue
                group = self._best(source, target)
                if group is not None:
                    self._movable[source].remove(group)
                    return group, source, target
                self._hopeless.add((source, target))
        return None

    def _best(self, source: str, target: str) -> Group | None:
        """What brings the most; of those alike the least urgent."""
        gains = [(self.loads.gain(one, source, target), one) for one in self._of(source)]
        worth = [(gain, one) for gain, one in gains if gain > 0]
        worth.sort(key=lambda found: (-found[0], -found[1].priority.rank, found[1].name))
        return next((one for _, one in worth if self._may_go(one, source, target)), None)

    def _of(self, source: str) -> list[Group]:
        """What may be moved from there at all."""
        found = self._movable.get(source)
        if found is None:
            found = [one for one in self._owned.get(source, ()) if not why_it_stays(one, self._view)]
            self._movable[source] = found
        return found

    def _may_go(self, group: Group, source: str, target: str) -> bool:
        if group.balance is not Balance.ALWAYS and handing_over.why_not_on(group, target, self._view):
            return False
        order = group.preferred_owners
        if source in order and (target not in order or order.index(target) > order.index(source)):
            return False
        placed = self._round.placed
        if placement.why_not(group, target, placed) or networks.shaky(group, target, self._view):
            return False
        judged = placed.judge(group)
        return judged.breaks(target) <= judged.breaks(source)


def _find(
    round: Round, targets: tuple[str, ...], most: int, make: Callable[[Group, Move], None], *, wait: bool = True
) -> list[Move]:
    """One move after the other; `make` counts each in the round before the next one is looked for."""
    search = _Search(round, targets)
    moves: list[Move] = []
    while len(moves) < most and (found := search.next(wait=wait)) is not None:
        group, source, target = found
        has = search.loads.words
        move = Move(
            group.name, source, target, f"to balance the load ({source} has {has(source)}, {target} {has(target)})"
        )
        search.loads.shift(group, source, target)
        make(group, move)
        moves.append(move)
    return moves


def _targets(round: Round) -> tuple[str, ...]:
    """Nodes that may be given something now."""
    view, found = round.view, []
    on_join = view.settings.balance is BalanceMode.ON_JOIN
    for name in _open_nodes(round):
        open_s = view.observed.open_s.get(name, 0.0)
        if open_s < SETTLED_S:
            round.wake(SETTLED_S - open_s)
        elif not on_join or open_s < JOINED_S:
            found.append(name)
    return tuple(found)


def _open_nodes(round: Round) -> tuple[str, ...]:
    view = round.view
    return tuple(
        name for name, session in round.placed.members.items() if not intake.refuses(view.nodes[name], session)
    )


def _on_its_way(group: Group, view: ClusterView) -> str:
    """Something becomes of it just now, or nobody knows what."""
    session = view.sessions.get(group.owner)
    if session is None:
        return ""  # it waits for something that a move of others does not bring
    status = reported(group, view.statuses.get(group.name), session.incarnation)
    if status is None:
        return f"{group.owner} has not said yet what becomes of {group.name}"
    if status.state in (State.ONLINE_PENDING, State.OFFLINE_PENDING, State.UNKNOWN):
        return f"{group.name} is {status.state.value}"
    return ""
