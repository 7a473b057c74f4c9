"""Is a group protected: would it run again by itself if its node died now? If not, why not?

*Not protected*: it would not. *At risk*: it would, but something is weaker than it should be. *Protected*: neither.

Whether there is room is tried, not guessed: for each node all that it owns is taken off it and put onto the others, in
the order in which it would be placed, so what comes late finds what the earlier ones have left. Where there is so much
room that each finds a place wherever the others went, one place is enough, so 8,000 groups are looked at in one go.
Where there is not, each is put where it would go: else one that comes late is called protected, and stays down.
"""

import enum
import math
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from outlast.core.coordinator import failing, restarts, storm
from outlast.core.fence.agents import proving
from outlast.core.group.group_state import reported
from outlast.core.membership.watchdog import proving_s
from outlast.core.placement import placement, sight
from outlast.core.placement.placed import Placed
from outlast.model.group import Group, Wanted
from outlast.model.node import Silence
from outlast.model.policy import Priority
from outlast.model.status import State
from outlast.model.view import ClusterView

MOST_ALARMS = 3
MOST_NAMED = 5


class Level(enum.Enum):
    PROTECTED = "protected"
    AT_RISK = "at risk"
    NOT_PROTECTED = "not protected"


class Protection(msgspec.Struct, frozen=True):
    level: Level
    reasons: tuple[str, ...] = ()
    """Why it would not run again by itself, for people; empty when it would."""
    risks: tuple[str, ...] = ()
    """What is weaker than it should be, for people."""
    notes: tuple[str, ...] = ()
    """What makes it no weaker, and is to be known, for people."""

    @property
    def protected(self) -> bool:
        """It would run again by itself, if nothing else happened."""
        return self.level is not Level.NOT_PROTECTED


SAFE = Protection(Level.PROTECTED)


def protection(group: Group, view: ClusterView, placed: Placed | None = None) -> Protection:
    """Of one group. `placed`: made from that view before."""
    return Protections(view, placed).of(group)


class Protections:
    """Of all groups of one view. What groups have in common is found once, and only for nodes that are asked about."""

    def __init__(self, view: ClusterView, placed: Placed | None = None, promise: str = "") -> None:
        """`placed`: made from that view before; it is used, and left as it was. `promise`: why the loss of as many
        nodes as the cluster should survive would not be survived, for people; "" when it would."""
        self._view = view
        self._placed = Placed(view) if placed is None else placed
        self._found: dict[str, Protection] = {}
        self._owned: dict[str, list[Group]] = {}
        for group in view.groups.values():
            self._owned.setdefault(group.owner, []).append(group)
        self._reasons = _of_cluster(view)
        self._risks = (*_of_database(view), *([promise] if promise else []))
        self._damaged: dict[str, dict[str, str]] = {}

    def of(self, group: Group) -> Protection:
        found = self._found.get(group.name)
        if found is None:
            self._look_at(group.owner)
            found = self._found[group.name]
        return found

    def _look_at(self, owner: str) -> None:
        """All groups of one owner: if it died, they would have to find room together."""
        placed, groups = self._placed, placement.in_order(self._view, self._owned[owner])
        before = {group.name: placed.nodes(group.name) for group in groups}
        for group in groups:
            placed.take(group)
        reasons = (*self._reasons, *_of_owner(owner, self._view))
        room = _Room(owner, placed, plenty=_is_plenty(owner, groups, placed))
        for group in groups:
            found = _Found(list(reasons), list(self._risks))
            self._judge(group, room, found)
            self._found[group.name] = found.protection()
        for group in groups:
            placed.take(group)
        for group in groups:
            placed.restore(group, before[group.name])

    def _judge(self, group: Group, room: "_Room", found: "_Found") -> None:
        view, owner = self._view, group.owner
        for type_name in _types(group, view):
            damaged = self._problems(type_name)
            if owner in damaged:
                found.reasons.append(f"{owner} cannot watch over it: {damaged[owner]}")
                found.cannot_watch = True
            elsewhere = {name: why for name, why in damaged.items() if name != owner and _may_own(group, name)}
            if elsewhere:
                found.risks.append(f"could not go everywhere: {_by_reason(elsewhere)}")
        if not found.cannot_watch:
            found.reasons += _of_report(group, view)
        if group.priority is Priority.NO_AUTO_START and group.wanted is Wanted.ONLINE:
            found.reasons.append("its priority is no auto start: after its node's death it stays off")
        kept = failing.in_maintenance(group, view.resources)
        if kept:
            found.risks.append(f"nobody looks whether it lives, and nothing heals it ({kept})")
        spent = restarts.exhausted(group, view)
        if spent:
            report = view.statuses.get(group.name)
            if report is not None and report.epoch == group.epoch and failing.failed(group, report):
                found.reasons.append(f"it stays failed: {spent}")
            else:
                found.risks.append(f"at its next failure it would stay failed: {spent}")
        no_room = room.find(group)
        if no_room:
            found.reasons.append(no_room)
            return
        self._judge_sight(group, room.last_able, found)

    def _judge_sight(self, group: Group, able: Sequence[str], found: "_Found") -> None:
        view, owner = self._view, group.owner
        unseen = _unseen(group, able, view)
        if unseen:
            found.risks.append(unseen)
        blind = {node: sight.words(*seen) for node, seen in sight.blind(group, view, self._placed.lost_volumes).items()}
        if owner in blind:
            found.risks.append(f"{owner} could not start it again: {blind[owner]}")
        others = {node: why for node, why in blind.items() if node in view.nodes and _may_own(group, node)}
        others.pop(owner, None)
        if others:
            found.notes.append(f"could not go to {_by_reason(others)}")

    def _problems(self, type_name: str) -> Mapping[str, str]:
        """Members that cannot run what is of this type, and why not."""
        found = self._damaged.get(type_name)
        if found is None:
            problems = {
                name: placement.type_problem(session, type_name) for name, session in self._placed.members.items()
            }
            found = self._damaged[type_name] = {name: problem for name, problem in problems.items() if problem}
        return found

    def alarms(self) -> tuple[str, ...]:
        """What runs and would stay down if its node died now: what that has to do with the whole cluster is told by
        others, and what is so on purpose, or cannot be otherwise, is no alarm."""
        view = self._view
        if self._reasons or len(view.nodes) < 2:
            return ()
        by_reason: dict[str, list[str]] = {}
        for name in sorted(view.groups):
            group = view.groups[name]
            if group.wanted is Wanted.OFFLINE or group.priority is Priority.NO_AUTO_START:
                continue
            found = self.of(group) if group.owner in self._placed.members else SAFE
            for reason in found.reasons[:1]:
                by_reason.setdefault(reason, []).append(name)
        return tuple(
            f"{_named(names)} would stay down if {'its' if len(names) == 1 else 'their'} node died now: {reason}"
            for reason, names in by_reason.items()
        )[:MOST_ALARMS]


class _Found:
    def __init__(self, reasons: list[str], risks: list[str]) -> None:
        self.reasons = reasons
        self.risks = risks
        self.notes: list[str] = []
        self.cannot_watch = False

    def protection(self) -> Protection:
        if self.reasons:
            return Protection(Level.NOT_PROTECTED, tuple(self.reasons), tuple(self.risks))
        if not self.risks and not self.notes:
            return SAFE
        return Protection(Level.AT_RISK if self.risks else Level.PROTECTED, (), tuple(self.risks), tuple(self.notes))


def _is_plenty(owner: str, groups: Sequence[Group], placed: Placed) -> bool:
    """Would each of them find room, wherever those before it went? Not when two of them share a hard rule; and not
    when those before it, together, could leave on no node that may take it what it needs."""
    names = {group.name for group in groups}
    rules = placed.view.rules.values()
    if any(rule.hard and rule.enabled and len(names.intersection(rule.groups)) > 1 for rule in rules):
        return False
    gone_mib = 0
    known: dict[tuple[str, ...], tuple[float, int]] = {}
    for group in groups:
        needs_mib = placed.need(group).memory_mib
        able = placement.eligible(group, placed)[0]
        if placed.affinity.ruled(group):
            judged = placed.judge(group)
            able = tuple(name for name in able if not judged.forbids(name))
        if able not in known:
            others = [name for name in able if name != owner]
            known[able] = sum(_free_mib(name, placed) for name in others), len(others)
        free_mib, count = known[able]
        if needs_mib and count and free_mib - gone_mib <= count * (needs_mib - 1):
            return False
        gone_mib += needs_mib if group.wanted is Wanted.ONLINE else 0
    return True


def _free_mib(node: str, placed: Placed) -> float:
    free_mib = placed.used(node).free_mib
    return math.inf if free_mib is None else max(0, free_mib)


class _Room:
    """Puts the groups of one owner onto the other nodes, one after the other, each where there is room."""

    def __init__(self, owner: str, placed: Placed, *, plenty: bool) -> None:
        """`plenty`: it does not matter which goes where."""
        self.last_able: tuple[str, ...] = ()
        """Nodes that could take the group that was asked about last, room or not."""
        self._owner = owner
        self._placed = placed
        self._plenty = plenty
        self._turn = 0
        self._put = 0

    def find(self, group: Group) -> str:
        """Why no other node could take it, for people; "" when one could, and then it is put there."""
        owner, placed = self._owner, self._placed
        able, unfit = placement.eligible(group, placed)
        self.last_able = able
        if not self._plenty:
            found = placement.candidates(group, placed)
            nodes = [name for name in found.nodes if name != owner]
            # Without its network it would be there all the same, and in the way of who comes after it.
            goes_to = nodes or [name for name in found.cut_off if name != owner]
            if goes_to:
                self._put_on(_first_choice(group, goes_to), group)
            if nodes:
                return ""
            return self._nowhere(group, {name: why for name, why in found.refused.items() if name != owner}, unfit)
        judged = placed.judge(group)
        refused: dict[str, str] = {}
        count = len(able)
        for step in range(count):
            name = able[(self._turn + step) % count]
            if name == owner:
                continue
            why = placed.lacks(group, name) or judged.forbids(name)
            if not why:
                self._turn += step + 1
                self._put_on(name, group)
                return ""
            refused[name] = why
        refused.update((name, why) for name, why in unfit.items() if name != owner)
        return self._nowhere(group, refused, unfit)

    def _put_on(self, node: str, group: Group) -> None:
        if group.wanted is Wanted.ONLINE:
            self._placed.put(group, node)
            self._put += 1

    def _nowhere(self, group: Group, refused: Mapping[str, str], unfit: Mapping[str, str]) -> str:
        if not refused:
            return "there is no other node"
        unseen = sight.blind(group, self._placed.view, self._placed.lost_volumes)
        if all(name in unseen and unseen[name][1].disk for name in refused):
            return f"disk not shared: {sight.not_shared((name, unseen[name][1]) for name in refused)}"
        beside = f", beside what else would leave {self._owner}" if self._put and len(refused) > len(unfit) else ""
        return f"no other node could take it{beside}: {_by_reason(refused)}"


def _first_choice(group: Group, nodes: Sequence[str]) -> str:
    """Where it would go: as an administrator asked, or to the best one where it has not failed (failover.py)."""
    if group.move_to in nodes:
        return group.move_to
    failed_on = {failure.node for failure in group.failures}
    return next((name for name in nodes if name not in failed_on), nodes[0])


def provable(node: str, view: ClusterView) -> bool:
    """Could this node's death be proven without an administrator?"""
    session = view.sessions.get(node)
    return bool(proving(view.nodes[node].fence)) or (session is not None and proving_s(session, view.settings) > 0)


def _of_cluster(view: ClusterView) -> tuple[str, ...]:
    """Why nothing at all is started by itself."""
    found = []
    if view.settings.hold:
        found.append("nothing is started anywhere before `outlast cluster confirm-ownership`")
    if not view.settings.armed:
        found.append(
            "the cluster is not armed: nothing is fenced, moved or restarted (`outlast cluster set armed=yes`)"
        )
    if view.observed.runs_on or view.observed.unread_s:
        found.append("the cluster database does not answer, and nobody decides anything before it does")
    return tuple(found)


def _of_database(view: ClusterView) -> tuple[str, ...]:
    vital = view.observed.vital
    return (f"the cluster database would stop without {' or '.join(vital)}",) if vital else ()


def _of_owner(owner: str, view: ClusterView) -> list[str]:
    if not owner:
        return []
    found = []
    if owner in view.silences and view.silences[owner].proof is None:
        found.append(f"{owner} is silent and not proven dead: nobody may start it elsewhere yet")
    if owner in view.observed.vital:
        found.append(f"the cluster database would stop with {owner}, and nobody could decide anything")
    if owner in view.nodes and not provable(owner, view):
        found.append(
            f"the death of {owner} could not be proven: it has neither a fence device nor a watchdog that counts as "
            "proof"
        )
    spared = _spared(owner, view)
    if spared:
        found.append(f"{owner} would not be fenced now: {spared}")
    return found


def _of_report(group: Group, view: ClusterView) -> list[str]:
    """Of what its owner cannot tell whether it runs, nobody would notice the end."""
    session = view.sessions.get(group.owner)
    status = reported(group, view.statuses.get(group.name), session.incarnation) if session is not None else None
    if status is None or status.state is not State.UNKNOWN or group.owner in view.silences:
        return []
    return [f"{group.owner} cannot tell whether it runs{f': {status.why}' if status.why else ''}"]


def _spared(owner: str, view: ClusterView) -> str:
    """Why the storm guard would stand between it and the only proof of its death, for people."""
    session = view.sessions.get(owner)
    if session is None or owner in view.silences or proving_s(session, view.settings) > 0:
        return ""
    return storm.Guard(view).spares(Silence(owner, session.incarnation, ""))


def _unseen(group: Group, able: Sequence[str], view: ClusterView) -> str:
    """Why nobody knows whether its disks are where it would go, for people; "" when somebody does."""
    for name in group.resources:
        resource = view.resources.get(name)
        if resource is None or not (resource.seen_by or resource.blind_on):
            continue
        others = [node for node in able if node != group.owner]
        if set(others) & set(resource.seen_by):
            continue
        asked = [node for node in others if node in resource.blind_on]
        if asked:
            return f"nobody can tell whether {_named(asked)} could run it: {resource.blind_on[asked[0]].why}"
        who = _named(sorted(others))
        return f"nobody has asked {who} whether it sees the disks of {name}; `outlast vm check {name}` does"
    return ""


def _may_own(group: Group, node: str) -> bool:
    return not group.possible_owners or node in group.possible_owners


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


def _by_reason(nodes: Mapping[str, str]) -> str:
    """Nodes with the same reason together, so that what all have in common is read once; and no more than is read."""
    by_reason: dict[str, list[str]] = {}
    for name, why in sorted(nodes.items()):
        by_reason.setdefault(why, []).append(name)
    told = list(by_reason.items())
    if len(told) > MOST_NAMED:
        told = sorted(told, key=lambda one: -len(one[1]))[:MOST_NAMED]
    left = len(nodes) - sum(len(names) for _, names in told)
    words = "; ".join(f"{_named(names)}: {why}" for why, names in told)
    return f"{words}; and likewise {left} more" if left else words


def _types(group: Group, view: ClusterView) -> Iterable[str]:
    known = view.resources
    if len(group.resources) == 1:  # the usual one, and there are thousands of them
        only = known.get(group.resources[0])
        return (only.type,) if only is not None else ()
    return sorted({known[name].type for name in group.resources if name in known})
