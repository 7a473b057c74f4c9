"""What must hold in every cluster at every moment, whatever happens to it?

The invariants of the design's rules of safety, written once. `Checks` is told facts: commits of the cluster database,
power going on and off, VMs starting and ending, and what people did. It knows nothing of how a world is made, so that
the lab can use it as well as the simulator. A breach is a `Violation`; the list only grows.

1. No VM runs on two nodes at once. A node without power runs nothing; a frozen node's VMs run.
2. The cluster starts a VM only on the node that the database names owner, and whose session is valid.
3. A group changes its owner, or its epoch, only with proof: the owner's death, or its positive word that nothing runs.
   Each such proof, and each "offline" or "failed", must be true when it is written. Nothing is deleted while it runs.
4. Epochs only rise, and every change of owner raises one.
5. What is wanted changes only by an administrator, or by a hand at the console or inside the guest.
6. No VM is stopped for which nothing called.
7. A node whose run permit ran out soon runs nothing (as long as one of its hosts is able to act); and none reaches
   beyond the moment in which its node is called silent.
8. When faults stop: what is wanted runs within a bound, and what is not wanted is down.
9. The database goes on in one place only: nothing is committed by members whose cluster went on without them.
10. What was committed once is never lost.
11. No VM is stopped for want of a permit while nobody can decide anything and everyone is well (rule 11).
12. A node whose session declares a watchdog runs nothing without one that counts.
13. What depends on another thing, or starts after it, does (`checks_order.py`); and on each node the urgent ones start
    first, and not too many at once (`checks_turns.py`).
14. A group is given to a node that may take it, the urgent ones first, and started where there is room for it
    (`checks_placing.py`).
15. Nothing is moved on purpose without a reason, too many at once, or back and forth (`checks_restraint.py`).
16. What is in maintenance, or all while the cluster is not armed, is left alone (there).
17. No more nodes are fenced in a short time than the storm guard lets through (there).
18. What was handed over, or saved, goes on only from the very moment in which it stopped, and once: nothing of it ran
    since.
19. No word is accepted that breaks a promise to survive lost nodes which is to be kept (`checks_promise.py`).
20. What the cluster calls protected runs again when its node alone is lost (`losses.py`).
21. No guest that works is reset, and none too often (`checks_guests.py`).
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import msgspec

from outlast.model import keys
from outlast.model.group import Group, Resource, Wanted
from outlast.model.node import ProofKind, Silence
from outlast.model.status import GroupStatus, State
from outlast.ports.database import Batch, Change
from outlast.sim.checks_guests import Guests
from outlast.sim.checks_order import Order
from outlast.sim.checks_placing import Placing
from outlast.sim.checks_promise import Promise
from outlast.sim.checks_restraint import Restraint
from outlast.sim.checks_turns import Turns
from outlast.sim.checks_volumes import Volumes
from outlast.sim.facts import RECENTLY_S, GroupFacts, Life
from outlast.sim.outages import SAME_S, Outages
from outlast.sim.room import Room
from outlast.sim.seen import Seen, offers_of
from outlast.sim.violation import Violation
from outlast.sim.wishes import Wishes

_GROUP = msgspec.json.Decoder(Group)
_SESSION = msgspec.json.Decoder(Life)
_SILENCE = msgspec.json.Decoder(Silence)
_STATUS = msgspec.json.Decoder(GroupStatus)
_PROOFS = (keys.SESSIONS, keys.SILENCES)
_DOWN = (State.OFFLINE, State.FAILED)


@dataclass(slots=True)
class Checks(Wishes):
    violations: list[Violation] = field(default_factory=list)
    stands_on: Callable[[str], str] | None = None
    """The node where a VM stands still, or to which it came as it ran; "": none. None: nobody can tell."""
    before_a_stop: dict[str, tuple[str, int, State]] = field(default_factory=dict)
    """By resource: who said last how it is, at which epoch, and what; but not that it is being stopped, no ground."""
    watchdog_counts: Callable[[str], bool] = lambda node: True
    """Does the node's watchdog really count?"""
    with_policies: bool = True
    """Whether 13 to 17, 19, 21 and 22 are judged: not by those who cannot say when something happened."""
    outages: Outages = field(init=False)
    placing: Placing = field(init=False)
    restraint: Restraint = field(init=False)
    turns: Turns = field(init=False)
    promise: Promise = field(init=False)
    guests: Guests = field(init=False)
    volumes: Volumes = field(init=False)

    def __post_init__(self) -> None:
        self.outages, room = Outages(self), Room(self)
        self.order, self.restraint, self.turns = Order(self), Restraint(self, room), Turns(self)
        self.promise, self.guests, self.volumes = Promise(self, room), Guests(self), Volumes(self, room)
        self.placing, self.why_nowhere = Placing(self, room), room.why_nowhere
        self.why_cut_off = room.why_cut_off

    # --- facts ----------------------------------------------------------------------------------------------------

    def power(self, node: str, *, on: bool) -> None:
        life = self.life(node)
        life.on = on
        if on:
            life.on_since_s = self.now()
        else:
            self.forget_hands(node)  # nobody else could know

    def vm_started(
        self, node: str, vm: str, *, by_cluster: bool, goes_on: bool = False, old: bool = False, restored: bool = False
    ) -> None:
        """`goes_on`: from what another node has handed over, or, `restored`, from its saved state; `old`: and it ran
        after that."""
        if old:
            self._broken(18, f"{vm} goes on on {node} from a state that is older than what it did since")
        running = self.copies.setdefault(vm, {})
        owner = self.groups[self.group_of[vm]].record.owner if vm in self.group_of else node
        running[node] = "the cluster" if by_cluster else "hand" if node == owner else "stray"
        # What somebody started where it does not belong is a second one until it is seen: no cluster can forbid that.
        if len([by for by in running.values() if by != "stray"]) > 1:
            self._broken(1, f"{vm} runs on {' and '.join(sorted(running))} at once")
        hand = self.switched_off.pop(vm, "")
        kept = self.groups.get(self.group_of.get(vm, ""))
        self._judge(13, self.order.started(node, vm, by_cluster=by_cluster and not goes_on))
        if goes_on:
            self.order.serves(node, vm)
        self._judge(13, self.turns.started(node, vm, by_cluster=by_cluster and not goes_on))
        if kept is None or not by_cluster:
            return
        if (
            not goes_on or restored
        ):  # what stands half-way, or was brought, goes on there all the same (docs/migration.md)
            self._judge(14, self.placing.started(node, vm))
            self._judge(16, self.restraint.started(node, self.resources.get(vm)))
        if hand and not self.disturbed(hand):  # what is broken there may have kept it from being seen in time
            self._broken(5, f"{vm} was switched off by hand on {hand}, and was started again on {node}")
        for rule, words in self.start_problems(node, vm):
            self._broken(rule, words)

    def start_problems(self, node: str, vm: str) -> Iterator[tuple[int, str]]:
        """What speaks against the cluster's starting it there now, by what stands in the database: invariant, words."""
        kept = self.groups.get(self.group_of.get(vm, ""))
        if kept is None:
            return
        if self.settings.hold and self.now() - self.held_at_s > RECENTLY_S:
            yield 2, f"{vm} was started on {node} although nobody has confirmed who owns it"
        if kept.record.owner != node:
            yield 2, f"{vm} was started on {node}, but its owner is {kept.record.owner or 'nobody'}"
        problem = self.session_problem(node)
        # A start that hung may come through late, and is then undone.
        if problem and not self.disturbed(node) and not self._runs_on_rightly(node):
            yield 2, f"{vm} was started on {node}, {problem}"
        wanted_off = kept.record.wanted is Wanted.OFFLINE and not kept.record.move_to
        if wanted_off and self.now() - kept.last_off_s > RECENTLY_S and not self.disturbed(node):
            yield 5, f"{vm} was started on {node} although it is wanted offline"
        resource = self.resources.get(vm)
        if resource is not None and resource.wanted is Wanted.OFFLINE and not self.recent(self.resources_changed_at_s):
            yield 5, f"{vm} was started on {node} although it is wanted offline in its group"

    def _runs_on_rightly(self, node: str) -> bool:
        """It is called silent by one whom it need not ask for a promise (rule 11), because he came back after it had
        lost the database: he must not take its watchdog's word, and nothing else proves its death while it lives."""
        life, silence = self.life(node), self.silences.get(node)
        if life.session is None or silence is None or silence.proof is not None:
            return False
        unasked = self.coordinator not in life.session.peers
        return unasked and self.now() - life.session_at_s <= self.times.permit_s + SAME_S

    def vm_held(self, node: str, vm: str) -> None:
        """It was made to stand still, and nothing of it runs there until it is taken up."""
        by = self.copies.get(vm, {}).pop(node, "")
        self.order.ended(node, vm)
        self.turns.ended(node, vm)
        if by == "the cluster":
            self._broken(6, f"{vm} was made to stand still on {node}, where the cluster runs it")

    def vm_serves(self, node: str, vm: str) -> None:
        """Its start is over."""
        self.order.serves(node, vm)
        self.turns.serves(node, vm)

    def vm_reset(self, node: str, vm: str, lifeless_s: float) -> None:
        """`lifeless_s`: for how long its guest has neither answered nor worked; 0: it does."""
        for words in self.guests.reset(node, vm, lifeless_s):
            self._judge(21, words)

    def vm_asked_off(self, node: str, vm: str) -> None:
        """The cluster has begun to stop it, in order."""
        self._judge(13, self.order.asked_off(node, vm))
        if self.called_for(node, vm):
            self.order.asked_off_rightly(node, vm)
        else:
            self._broken(6, f"{vm} is being stopped on {node}, and nothing called for it")

    def vm_ended(
        self, node: str, vm: str, *, called: bool = False, by_permit: bool = False, permit_passed: bool = False
    ) -> None:
        """`called`: the cluster told its host to stop it. `by_permit`: a host stopped it for want of a permit.
        `permit_passed`: whether the node's run permit had really passed."""
        self.copies.get(vm, {}).pop(node, None)
        self.order.ended(node, vm)
        self.turns.ended(node, vm)
        if by_permit and not permit_passed:
            self._broken(6, f"{vm} was stopped on {node} for want of a permit that had not passed")
        elif by_permit and self.outages.needless(node):
            away_s = self.now() - self.outages.committed_at_s
            self._broken(
                11, f"{vm} was stopped on {node}: nobody has written anything for {away_s:.1f} s, and all are well"
            )
        elif called and not permit_passed and not self.called_for(node, vm):
            self._broken(6, f"{vm} was stopped on {node}, and nothing called for it")

    def fenced(self, node: str) -> None:
        """A fence device has just cut its power."""
        unwritten_s = self.now() - self.outages.committed_at_s
        rule, words = self.restraint.fences(node, nobody_writes=unwritten_s >= self.times.node_timeout_s)
        self._judge(rule, words)

    def permit_counted(self, node: str, from_s: float) -> None:
        """A node extended its run permit, and counts it from that moment on."""
        life = self.life(node)
        if from_s <= life.session_at_s + SAME_S:
            return
        missing = self.outages.may_decide_against(node, from_s)
        if missing:
            words = f"{node} counts its run permit from after its renewal was written, and {missing} could decide"
            self._broken(7, words)
        life.session_at_s = from_s

    def permit_seen(self, node: str, until_s: float) -> None:
        """For those who read a node's run permit from outside, by the same clock."""
        self.life(node).permit_until_s = until_s

    def permit_problem(self, node: str, until_s: float) -> str:
        """What speaks against a run permit until then: the node has been called silent, and could be taken over."""
        silence, life = self.silences.get(node), self.life(node)
        if silence is None or life.session is None or silence.incarnation != life.session.incarnation:
            return ""
        over_s = until_s - life.silent_at_s
        return f"{node} has a run permit until {over_s:.1f} s after it was called silent" if over_s > 0 else ""

    def two_go_on(self, words: str) -> None:
        self._broken(9, words)

    def commits_lost(self, words: str) -> None:
        self._broken(10, words)

    def outlived_permit(self, node: str, vm: str) -> None:
        self._broken(7, f"{vm} still runs on {node}, whose run permit has passed")

    def committed(self, batch: Batch) -> None:
        """A commit, in the moment of it. Judged as a whole: what it writes together counts together."""
        self.outages.written()
        if len(batch.changes) == 1:  # nearly always: a session record
            self._take(batch.changes[0])
            return
        # Sessions and silences first: they are the proof for what the same commit does to groups and statuses.
        for change in sorted(batch.changes, key=self._rank):
            self._take(change)

    def _rank(self, change: Change) -> tuple[int, int, int, int, str]:
        """Groups in the order in which they are placed: the urgent ones first, then those with fewer possible owners,
        then the large ones, then by name."""
        kept = self.groups.get(change.key.removeprefix(keys.GROUPS)) if change.key.startswith(keys.GROUPS) else None
        if kept is None:
            return (0 if change.key.startswith(_PROOFS) else 1), 0, 0, 0, ""
        record = kept.record
        owners = len(record.possible_owners) or len(self.lives)
        return 2, record.priority.rank, owners, -self.placing.room.needs_mib(record), record.name

    def _take(self, change: Change) -> None:
        for prefix, take in _TAKE:
            if change.key.startswith(prefix):
                take(self, change.key[len(prefix) :], change.value)
                return

    # --- commits --------------------------------------------------------------------------------------------------

    def _session(self, node: str, value: bytes | None) -> None:
        self._judge(22, "; ".join(self.volumes.heard(node, value, self.whole_since_s)))
        life = self.life(node)
        if value is None:
            life.session = None
            self.changed(life)
            return
        session = _SESSION.decode(value)
        if offers_of(life.offered) != offers_of(value):
            self.changed(life)
            self.networks_changed(life, life.offered, value)
        life.offered = value
        if life.session is None or life.session.incarnation != session.incarnation:
            self.changed(life)
            life.incarnation_since_s = self.now()
            self._returned(node)
            self.forget_hands(node)
        life.session = session
        life.session_at_s = self.now()
        if session.watchdog_s > 0 and not self.watchdog_counts(node):
            running = sorted(vm for vm, where in self.copies.items() if where.get(node) == "the cluster")
            if running:
                self._broken(12, f"{node} declares a watchdog, runs {', '.join(running)}, and none counts")

    def _returned(self, node: str) -> None:
        for vm, running in self.copies.items():
            group = self.group_of.get(vm)
            if node in running and running[node] == "the cluster" and group is not None:
                self._broken(3, f"{node} opened a new session while it still runs {vm} of its last one")

    def _silence(self, node: str, value: bytes | None) -> None:
        self.changed(self.life(node))
        if value is None:
            self.silences.pop(node, None)
            return
        silence = _SILENCE.decode(value)
        before = self.silences.get(node)
        if before is None:
            self._judge(16, self.restraint.silenced(node))
        self.silences[node] = silence
        life = self.life(node)
        if before is None or before.incarnation != silence.incarnation:
            life.silent_at_s = self.now()
            problem = self.permit_problem(node, life.permit_until_s)
            if problem:
                self._broken(7, problem)
        if silence.proof is None or (before is not None and before.proof is not None):
            return
        self.forget_hands(node)  # what only that node knew is lost with it
        same_life = life.on and life.on_since_s < life.incarnation_since_s
        running = [vm for vm, where in self.copies.items() if where.get(node) == "the cluster"]
        if silence.proof.kind is ProofKind.OPERATOR and node in self.misled:
            for vm in running:
                del self.copies[vm][node]
        elif same_life and (running or silence.proof.kind is ProofKind.FENCE):
            still = f"it runs {', '.join(sorted(running))}" if running else "it has power"
            self._broken(3, f"{node} is called dead ({silence.proof.words}), and {still}")

    def _resource(self, name: str, value: bytes | None) -> None:
        before, resource = self.see_resource(name, value)
        if resource is None and name not in self.let_go and "the cluster" in self.copies.get(name, {}).values():
            self._broken(3, f"{name} was deleted while it runs on {', '.join(sorted(self.copies[name]))}")
        if before is not None and resource is not None and resource.wanted is not before.wanted:
            self._intent_of_resource(resource)

    def _intent_of_resource(self, resource: Resource) -> None:
        wishes = self.wishes_of_resources.get(resource.name, [])
        if resource.wanted in wishes:
            wishes.remove(resource.wanted)
            self.switched_off.pop(resource.name, None)
        elif resource.group not in self.distrusted:
            self._broken(5, f"{resource.name} became wanted {resource.wanted.value}, and nobody asked for it")

    def _status(self, name: str, value: bytes | None) -> None:
        if value is None:
            self.statuses.pop(name, None)
            return
        status = _STATUS.decode(value)
        self.statuses[name] = status
        if name in self.groups:
            self.groups[name].written_at_s = self.now()
        self.note_online(name)
        for vm, one in status.resources.items():
            if one.state is not State.OFFLINE_PENDING:
                self.before_a_stop[vm] = (status.node, status.epoch, one.state)
            by = self.copies.get(vm, {}).get(status.node)
            if (one.state in _DOWN or one.moved_away) and by == "the cluster":
                said = "migrated away" if one.moved_away else one.state.value
                self._broken(3, f"{status.node} reports {vm} {said} while it runs there")

    def _group(self, name: str, value: bytes | None) -> None:
        if value is None:
            self.groups.pop(name, None)
            return
        record = _GROUP.decode(value)
        kept = self.groups.get(name)
        asked = self.promise.is_asked(kept.record if kept is not None else None, record)
        held = asked and not self.promise.changed_of_late() and self.promise.holds(name)
        if kept is None:
            kept = self.groups[name] = GroupFacts(record)
            kept.changed_at_s = kept.record_at_s = kept.given_at_s = self.now()
        else:
            self._compare(kept.record, record, kept.owner_incarnation)
            self._judge_policies(kept, record)
        given = record.owner != kept.record.owner or record.epoch != kept.record.epoch
        if given or not kept.owner_incarnation:
            session = self.life(record.owner).session if record.owner else None
            kept.owner_incarnation = session.incarnation if session else ""
        if given or _unwanted(record) or _unwanted(kept.record):
            kept.last_off_s = self.now()
        kept.record, kept.written_at_s = record, self.now()
        if held and not self.promise.holds(name):
            count, what = self.settings.survive_nodes, f"{name} was brought online, or got something more in it"
            self._judge(19, f"{what}, and by that the promise to survive the loss of {count} nodes is broken")
        self.note_online(name)

    def _judge_policies(self, kept: GroupFacts, new: Group) -> None:
        old = kept.record
        self._judge(14, self.placing.given(old, new))
        if not self.restraint.by_hand(new.name):
            self._judge(14, self.placing.wished(old, new))
        for rule, words in self.restraint.group_changed(old, new):
            self._judge(rule, words)
        if new.intents != old.intents and not any(kept.by_hand_on in self.copies.get(vm, {}) for vm in old.resources):
            kept.by_hand_on = ""
        kept.note(new, self.now())

    def _compare(self, old: Group, new: Group, incarnation: str) -> None:
        if new.epoch < old.epoch:
            self._broken(4, f"the epoch of {new.name} fell from {old.epoch} to {new.epoch}")
        if new.owner != old.owner and new.epoch <= old.epoch:
            self._broken(4, f"{new.name} went from {old.owner or 'nobody'} to {new.owner} without a new epoch")
        if self.settings.hold:
            return  # a backup is written back, or an administrator says who owns what: nothing is started meanwhile
        if old.owner and not self.is_tried_again(old, new) and (new.owner != old.owner or new.epoch != old.epoch):
            problem = self._unproven(old, incarnation, new.owner)
            if problem:
                self._broken(3, f"{new.name} was given to {new.owner} (epoch {new.epoch}) without proof: {problem}")
        if new.wanted is not old.wanted:
            wishes = self.wishes.get(new.name, [])
            if new.wanted in wishes:
                wishes.remove(new.wanted)
                for vm in new.resources:
                    self.switched_off.pop(vm, None)
            elif not self.changes_by_itself(old, new) and new.name not in self.distrusted:
                self._broken(5, f"{new.name} became wanted {new.wanted.value}, and nobody asked for it")

    def _unproven(self, old: Group, incarnation: str, to: str) -> str:
        """Why nothing proves that the owner of the group runs nothing of it; "" when something does. Nothing is taken
        from an owner that is to try again what failed there: the rest of it may run on."""
        owner = old.owner
        silence = self.silences.get(owner)
        session = self.life(owner).session
        if silence is not None:
            if silence.proof is not None:
                return ""
            return f"{owner} is only suspected to be dead"
        if session is None or session.incarnation != incarnation:
            return ""  # it left in order, or came back: both only after it had stopped everything (checked there)
        status = self.statuses.get(old.name)
        if status is None or (status.node, status.epoch) != (owner, old.epoch):
            return f"{owner} has reported nothing at epoch {old.epoch}"
        states = [one.state for one in status.resources.values()]
        if all(state in _DOWN for state in states) or (to == owner and State.FAILED in states):
            return ""
        if all(one.state in _DOWN or one.moved_away for one in status.resources.values()):
            # It went away past the cluster: that is a word for the node only where it is now.
            stands_on = self.stands_on
            # What went there ended with that node: its death is not known yet, and comes before anything else is done.
            there = (to,) if self.life(to).on else (to, "")
            elsewhere = [vm for vm in status.resources if stands_on is not None and stands_on(vm) not in there]
            elsewhere = [vm for vm in elsewhere if not self.order.came_and_ended(vm, owner, to)]
            return f"{', '.join(elsewhere)} went away from {owner}, and not to {to}" if elsewhere else ""
        return f"{owner} reported " + ", ".join(f"{name} {one.state.value}" for name, one in status.resources.items())

    def called_for(self, node: str, vm: str) -> bool:
        """Is there a reason to stop it there now (invariant 6)?"""
        kept = self.groups.get(self.group_of.get(vm, ""))
        if kept is None or kept.record.owner != node or _unwanted(kept.record):
            return True
        if self.before_a_stop.get(vm) != (node, kept.record.epoch, State.ONLINE):
            return True  # its start failed, and what is left of it is cleared away
        if (
            self.order.was_asked_off_rightly(node, vm)
            or self.order.lost_what_it_needs(node, vm, self.restraint.made_to_fail)
            or self.restraint.made_to_fail(vm)
            or self.guests.ails(node, vm)
            or self.volumes.may_fail(node, vm)
            or kept.record.name in self.distrusted  # a lie is found out by what was true a moment ago
            or self.resources[vm].wanted is Wanted.OFFLINE
            or self.off_of_late(vm)
        ):
            return True
        recently = self.now() - kept.last_off_s <= self.stops_within_s.get(vm, 0.0)
        lapsed = self.now() - self.life(node).session_at_s >= self.times.permit_s / 2
        return recently or lapsed or node in self.silences or self.disturbed(node)

    def _judge(self, rule: int, words: str) -> None:
        if words and self.with_policies:
            self._broken(rule, words)

    def _broken(self, rule: int, words: str) -> None:
        self.violations.append(Violation(self.now(), rule, words))


def _unwanted(group: Group) -> bool:
    return group.wanted is Wanted.OFFLINE or group.move_to not in ("", group.owner)


_TAKE: Iterable[tuple[str, Callable[[Checks, str, bytes | None], None]]] = (
    (keys.SESSIONS, Checks._session),
    (keys.STATUS, Checks._status),
    (keys.GROUPS, Checks._group),
    (keys.RESOURCES, Checks._resource),
    (keys.SILENCES, Checks._silence),
    (keys.NODES, Seen.see_node),
    (keys.RULES, Seen.see_rule),
    (keys.CLUSTER, Seen.see_cluster),
    (keys.COORDINATOR, Seen.see_coordinator),
)
