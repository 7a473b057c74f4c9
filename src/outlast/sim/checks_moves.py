"""Is each planned move worth what it costs, and is the most urgent moved first? What invariants 14 and 15 say of moves.

A reason that stands in the records is not enough: the move must do what it is for, as it looks in that moment.

- *balance*: it goes from a node that has clearly more to do to one that has less, and lowers the higher of the two
  loads; what it leaves is no preferred owner, and it breaks no soft rule that is kept;
- *network*: its networks are up there, as that node has said, and have been for a while;
- *rule*: it breaks a hard rule where it is, and nothing else is on its way that mends the same rule;
- *failback*: it goes to where it belongs, at a time that its window allows, unless it was called back;
- *drain*: it is wanted online there, and nothing more urgent, which could go just as well, waits for its turn.

And none goes where it would be refused, or takes the place for which a more urgent one waits that is down. How load is
counted stands in `sim/room.py`; what a move must bring is said in docs/balance.md, and said here once more.
"""

from dataclasses import dataclass, field

from outlast.model.group import AWAY, Group, Wanted
from outlast.model.policy import Failback
from outlast.model.status import State
from outlast.sim.facts import RECENTLY_S
from outlast.sim.room import TRUSTED_AGAIN_S, Room
from outlast.sim.seen import Seen

_GAP, _GAP_GROUPS, _GAP_OF_GROUPS = 0.15, 2.0, 0.2
"""So much more one node must have to do than the other."""
_GAIN, _LEAST = 0.05, 0.005
"""So much the busier one must be relieved (or by all of the group, if that is less), and so much the group weighs."""
_ROUNDING = 1e-6
_TRIED_AGAIN_S = 62.0
"""What could not be handed over is tried again a minute later (docs/migration.md)."""
_UNSETTLED = (State.UNKNOWN, State.FAILED)


@dataclass(slots=True)
class Moving:
    facts: Seen
    room: Room
    planned: dict[str, str] = field(default_factory=dict)
    """Groups that are on their way on purpose, and why."""

    def wrong(self, old: Group, new: Group, why: str) -> tuple[int, str]:
        """The invariant that the move breaks, and how; "" when none. The records are those from before."""
        source, target = old.owner, new.move_to
        if target == AWAY:
            return 0, ""
        refused = self.room.refuses(old, target)
        if why == "force" and self.room.is_only_cut_off(old, target):
            refused = ""
        if refused and not self.room.changed_of_late(old, [target]):
            return 15, f"it cannot run there: {refused}"
        match why:
            case "balance":
                return 15, self._is_not_worth_it(old, source, target)
            case "network":
                return 15, self._is_no_better_there(old, target)
            case "rule":
                return 15, self._is_mended_already(old)
            case "failback":
                return 15, self._is_not_its_hour(old, target)
            case "drain":
                if new.wanted is Wanted.OFFLINE:
                    return 15, "it is wanted offline"
                return 14, self._overtakes(old, target)
        return 0, ""

    # --- balance --------------------------------------------------------------------------------------------------

    def _is_not_worth_it(self, group: Group, source: str, target: str) -> str:
        facts = self.facts
        if group.failures or group.return_to:
            return "it has failed of late" if group.failures else f"it is to return to {group.return_to}"
        status, told_s = facts.statuses.get(group.name), facts.groups[group.name].written_at_s
        runs = status is not None and State.ONLINE in {one.state for one in status.resources.values()}
        if not runs and not facts.recent(told_s):
            return "it is not online"
        order = group.preferred_owners
        less = source in order and (target not in order or order.index(target) > order.index(source))
        if less and not facts.recent(facts.groups[group.name].record_at_s):
            return f"{source} is preferred to {target}"
        if self._loads_changed(source, target):
            return ""
        if not self.room.changed_of_late(group, [source, target]):
            breaks = self.room.broken(group, target, hard=False)
            if len(breaks) > len(self.room.broken(group, source, hard=False)):
                return f"it would break {', '.join(breaks)}"
        return self._gains_nothing(group, source, target)

    def _gains_nothing(self, group: Group, source: str, target: str) -> str:
        coming = {name for name, why in self.planned.items() if why == "balance"}
        has, there = self.room.load(source, coming), self.room.load(target, coming)
        left = self.room.load(source, coming, minus=group.name)
        busier = max(left, self.room.load(target, coming, plus=group))
        weight, gain = has - left, has - busier
        if self.room.is_weighed():
            enough = min(has - there - _GAP, weight - _LEAST, gain - min(_GAIN, weight)) >= -_ROUNDING
            return "" if enough else f"{source} has {has:.1%}, {target} {there:.1%}, and it weighs {weight:.1%}"
        enough = has - there >= max(_GAP_GROUPS, _GAP_OF_GROUPS * has) and gain >= 1.0
        return "" if enough else f"{source} has {has:.0f} of the groups, {target} {there:.0f}"

    def _loads_changed(self, source: str, target: str) -> bool:
        """Of late, and not by balancing itself."""
        facts, there = self.facts, {source, target}
        if facts.recent(facts.resources_changed_at_s) or any(facts.recent(facts.life(n).changed_at_s) for n in there):
            return True
        for name, kept in facts.groups.items():
            if self.planned.get(name) == "balance" or not there & {kept.record.owner, kept.record.move_to}:
                continue
            ends = kept.record.wanted is Wanted.OFFLINE and facts.recent(kept.written_at_s)
            if ends or facts.recent(kept.changed_at_s):
                return True
        return False

    # --- rules, failback ------------------------------------------------------------------------------------------

    def _is_mended_already(self, group: Group) -> str:
        """One after the other: what comes of the first decides about the next."""
        facts = self.facts
        broken = self.room.broken(group, group.owner, hard=True)
        mending = {name: self._on_its_way(facts.rules[name].groups, group.name) for name in broken}
        if all(mending.values()):
            return f"{', '.join(next(iter(mending.values())))} is on its way for the same rule"
        return ""

    def _on_its_way(self, names: tuple[str, ...], but: str) -> list[str]:
        known = {name: self.facts.groups[name] for name in names if name in self.facts.groups and name != but}
        moves = [name for name, kept in known.items() if kept.record.move_to not in ("", kept.record.owner)]
        told = not self.facts.recent(self.facts.coordinator_since_s)  # what it does itself a coordinator knows at once
        ours = [name for name in moves if told and self.planned.get(name) == "rule"]
        return ours or [name for name in moves if not self.facts.recent(known[name].changed_at_s)]

    def _is_no_better_there(self, group: Group, target: str) -> str:
        """Nobody has said that its networks are up there, or they have only just come back."""
        facts, told, life = self.facts, self.room.networks(target), self.facts.life(target)
        unsaid = [one for one in self.room.needs_networks(group) if one not in told]
        if unsaid and not facts.recent(life.changed_at_s):
            return f"{target} has not said how {', '.join(unsaid)} is there"
        for one in self.room.needs_networks(group):
            back_s = life.networks_back_s.get(one, float("-inf"))
            # Who has begun to coordinate since, or whose service has, has not seen it lost; and clocks differ.
            began_s = max(facts.coordinator_since_s, facts.life(facts.coordinator).touched_at_s)
            flaps = self.room.flaps(target, one, began_s + RECENTLY_S)
            if flaps and not facts.disturbed(facts.coordinator) and facts.now() - back_s < 0.99 * TRUSTED_AGAIN_S:
                return f"{one} has only just come back on {target}"
        return ""

    def _is_not_its_hour(self, group: Group, target: str) -> str:
        facts, home = self.facts, self.facts.life(target)
        called = home.record is not None and home.record.calls_back
        lately = max(facts.coordinator_since_s, self.facts.groups[group.name].record_at_s, home.changed_at_s)
        if called or group.failback is not Failback.WINDOW or facts.recent(lately):
            return ""
        begin, end = group.failback_hours
        hours = {facts.hour_of(facts.coordinator, ago_s) for ago_s in (0.0, RECENTLY_S)}
        if any((begin <= hour < end) if begin < end else (hour >= begin or hour < end) for hour in hours):
            return ""
        return f"it is to return from {begin} to {end} o'clock, and it is {max(hours)} o'clock"

    # --- who is first ---------------------------------------------------------------------------------------------

    def _overtakes(self, group: Group, target: str) -> str:
        """Somebody more urgent waits to leave the same node, could go there as well, and nothing keeps him."""
        facts = self.facts
        most = max(1, facts.settings.parallel_moves)
        if facts.recent(facts.settings_changed_at_s) or not self._gives_away(group.owner) or self._room_changed():
            return ""
        for kept in facts.groups.values():
            other = kept.record
            waits = other.owner == group.owner and other.wanted is Wanted.ONLINE and not other.move_to
            if not waits or other.priority.rank >= group.priority.rank or not self._may_go(other):
                continue
            fit = [name for name in self.room.fit(other) if name != other.owner]
            came = any(facts.lately(facts.life(name).changed_at_s) for name in fit)
            if target not in fit or came or self.room.changed_of_late(other, ()) or self._were_busy(fit, most):
                continue
            words = f"{group.priority.value}, and {other.name} ({other.priority.value})"
            return f"it is {words}, which could go there too, waits on {group.owner}"
        return ""

    def _gives_away(self, node: str) -> bool:
        """Still: it may have been resumed a moment ago."""
        record, session = self.facts.life(node).record, self.facts.life(node).session
        leaving = record is not None and session is not None and record.leaving == session.incarnation
        return record is not None and (record.draining or leaving)

    def _room_changed(self) -> bool:
        """What has left a node may have made the room there that somebody fits into."""
        if not self.room.is_weighed():
            return False
        return any(self.facts.lately(kept.given_at_s) for kept in self.facts.groups.values())

    def _may_go(self, group: Group) -> bool:
        """Nothing keeps it where it is, as far as has been known for a moment."""
        kept, facts = self.facts.groups[group.name], self.facts
        if group.locked or group.maintenance or facts.lately(max(kept.written_at_s, kept.record_at_s)):
            return False
        if any(one.maintenance for name in group.resources if (one := facts.resources.get(name)) is not None):
            return False
        status = facts.statuses.get(group.name)
        if status is None or any(one.state in _UNSETTLED for one in status.resources.values()):
            return False
        tried = [one.handover for one in status.resources.values() if one.handover is not None and one.handover.why]
        in_vain = any(said.move == group.moves for said in tried)
        return not (in_vain and facts.now() - kept.written_at_s < _TRIED_AGAIN_S)

    def _were_busy(self, nodes: list[str], most: int) -> bool:
        """Did one of them have its hands full, or may somebody have thought so?"""
        busy = dict.fromkeys(nodes, 0)
        for name, kept in self.facts.groups.items():
            group, status = kept.record, self.facts.statuses.get(name)
            there = group.move_to if group.move_to not in ("", AWAY) else group.owner
            if there not in busy:
                continue
            told = status is not None and (status.node, status.epoch) == (group.owner, group.epoch)
            starting = status is None or any(one.state is State.ONLINE_PENDING for one in status.resources.values())
            coming = group.move_to == there != group.owner
            if coming or not told or starting or self.facts.lately(kept.written_at_s):
                busy[there] += 1
        return any(count >= most for count in busy.values())
