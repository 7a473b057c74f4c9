"""What must hold in every cluster at every moment, whatever happens to it?

The invariants of the design's rules of safety, written once. `Checks` is told facts: commits of the cluster database,
power going on and off, VMs starting and ending, and what people did. It knows nothing of how a world is made, so that
the lab can use it as well as the simulator. A breach is a `Violation`; the list only grows.

1. No VM runs on two nodes at once. A node without power runs nothing; a frozen node's VMs run.
2. The cluster starts a VM only on the node that the database names owner, and whose session is valid.
3. A group changes its owner, or its epoch, only with proof: the owner's death, or its positive word that nothing runs.
   Each such proof, and each "offline" or "failed", must be true when it is written.
4. Epochs only rise, and every change of owner raises one.
5. What is wanted changes only by an administrator, or by a hand at the console or inside the guest.
6. No VM is stopped for which nothing called.
7. A node whose run permit ran out soon runs nothing (as long as one of its hosts is able to act).
8. When faults stop: what is wanted runs within a bound, and what is not wanted is down.
9. The database goes on in one place only: nothing is committed by members whose cluster went on without them.
10. What was committed once is never lost.
11. No VM is stopped for want of a permit while nobody can decide anything and everyone is well (rule 11).
12. A node whose session declares a watchdog runs nothing without one that counts.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import msgspec

from outlast.model import keys
from outlast.model.group import Group, Resource, Wanted
from outlast.model.node import ProofKind, Silence
from outlast.model.settings import Settings
from outlast.model.status import GroupStatus, State
from outlast.ports.database import Batch, Change
from outlast.sim.facts import Facts, GroupFacts, Life
from outlast.sim.outages import SAME_S, Outages

_GROUP = msgspec.json.Decoder(Group)
_RESOURCE = msgspec.json.Decoder(Resource)
_SESSION = msgspec.json.Decoder(Life)
_SILENCE = msgspec.json.Decoder(Silence)
_STATUS = msgspec.json.Decoder(GroupStatus)
_PROOFS = (keys.SESSIONS, keys.SILENCES)
_DOWN = (State.OFFLINE, State.FAILED)

_RECENTLY_S = 10.0
"""What a node does may still rest on what the database said so long ago: it acts on an old picture for less."""


@dataclass(frozen=True, slots=True)
class Violation:
    at_s: float
    rule: int
    words: str

    def __str__(self) -> str:
        return f"{self.at_s:.3f} s: invariant {self.rule}: {self.words}"


@dataclass(slots=True)
class Checks(Facts):
    violations: list[Violation] = field(default_factory=list)
    wishes: dict[str, list[Wanted]] = field(default_factory=dict)
    """What people have done that may change what is wanted of a group."""

    switched_off: dict[str, str] = field(default_factory=dict)
    """VM, and the node where somebody switched it off by hand, as long as the cluster has not written that down."""

    distrusted: set[str] = field(default_factory=set)
    watchdog_counts: Callable[[str], bool] = lambda node: True
    """Does the node's watchdog really count?"""
    outages: Outages = field(init=False)

    def __post_init__(self) -> None:
        self.outages = Outages(self)

    # --- facts ----------------------------------------------------------------------------------------------------

    def power(self, node: str, *, on: bool) -> None:
        life = self.life(node)
        life.on = on
        if on:
            life.on_since_s = self.now()
        else:
            self._forget_hands(node)  # nobody else could know

    def wish(self, group: str, wanted: Wanted) -> None:
        """Somebody who may has asked for this, or did it by hand."""
        self.wishes.setdefault(group, []).append(wanted)
        if wanted is Wanted.ONLINE:  # the last word counts
            for vm in [vm for vm in self.switched_off if self.group_of.get(vm) == group]:
                del self.switched_off[vm]

    def switched_by_hand(self, node: str, vm: str, wanted: Wanted) -> None:
        """Somebody switched it at the console, or inside the guest: the cluster has to make that its intent."""
        group = self.group_of.get(vm)
        if group is None:
            return
        self.wish(group, wanted)
        record = self.groups[group].record
        if wanted is Wanted.OFFLINE and record.wanted is Wanted.ONLINE and self.said_online(record):
            self.switched_off[vm] = node
        else:
            self.switched_off.pop(vm, None)

    def distrust(self, vm: str) -> None:
        """Its plugin has lied about it: what the cluster concludes is not the cluster's fault."""
        self.distrusted.add(self.group_of.get(vm, ""))

    def disturb(self, node: str, for_s: float) -> None:
        """Something on this node is broken on purpose: stopping a VM there may be called for."""
        life = self.life(node)
        life.disturbed_until_s = max(life.disturbed_until_s, self.now() + for_s)

    def touch(self, node: str) -> None:
        """Something is done to it that may keep it from telling others how it is, or from hearing of them."""
        self.life(node).touched_at_s = self.now()

    def vm_started(self, node: str, vm: str, *, by_cluster: bool) -> None:
        running = self.copies.setdefault(vm, {})
        running[node] = "the cluster" if by_cluster else "hand"
        if len(running) > 1:
            self._broken(1, f"{vm} runs on {' and '.join(sorted(running))} at once")
        hand = self.switched_off.pop(vm, "")
        kept = self.groups.get(self.group_of.get(vm, ""))
        if kept is None or not by_cluster:
            return
        if hand and not self.disturbed(hand):  # what is broken there may have kept it from being seen in time
            self._broken(5, f"{vm} was switched off by hand on {hand}, and was started again on {node}")
        if self.settings.hold and self.now() - self.held_at_s > _RECENTLY_S:
            self._broken(2, f"{vm} was started on {node} although nobody has confirmed who owns it")
        if kept.record.owner != node:
            self._broken(2, f"{vm} was started on {node}, but its owner is {kept.record.owner or 'nobody'}")
        problem = self.session_problem(node)
        if problem and not self.disturbed(node):  # a start that hung may come through late, and is then undone
            self._broken(2, f"{vm} was started on {node}, {problem}")
        wanted_off = kept.record.wanted is Wanted.OFFLINE and not kept.record.move_to
        if wanted_off and self.now() - kept.last_off_s > _RECENTLY_S and not self.disturbed(node):
            self._broken(5, f"{vm} was started on {node} although it is wanted offline")

    def vm_ended(
        self, node: str, vm: str, *, called: bool = False, by_permit: bool = False, permit_passed: bool = False
    ) -> None:
        """`called`: the cluster told its host to stop it. `by_permit`: a host stopped it for want of a permit.
        `permit_passed`: whether the node's run permit had really passed."""
        self.copies.get(vm, {}).pop(node, None)
        if by_permit and not permit_passed:
            self._broken(6, f"{vm} was stopped on {node} for want of a permit that had not passed")
        elif by_permit and self.outages.needless(node):
            away_s = self.now() - self.outages.committed_at_s
            self._broken(
                11, f"{vm} was stopped on {node}: nobody has written anything for {away_s:.1f} s, and all are well"
            )
        elif called and not permit_passed and not self._called_for(node, vm):
            self._broken(6, f"{vm} was stopped on {node}, and nothing called for it")

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
        for change in sorted(batch.changes, key=lambda change: not change.key.startswith(_PROOFS)):
            self._take(change)

    def _take(self, change: Change) -> None:
        for prefix, take in _TAKE:
            if change.key.startswith(prefix):
                take(self, change.key[len(prefix) :], change.value)
                return

    # --- commits --------------------------------------------------------------------------------------------------

    def _session(self, node: str, value: bytes | None) -> None:
        life = self.life(node)
        if value is None:
            life.session = None
            return
        session = _SESSION.decode(value)
        if life.session is None or life.session.incarnation != session.incarnation:
            life.incarnation_since_s = self.now()
            self._returned(node)
            self._forget_hands(node)
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
        if value is None:
            self.silences.pop(node, None)
            return
        silence = _SILENCE.decode(value)
        before = self.silences.get(node)
        self.silences[node] = silence
        life = self.life(node)
        if silence.proof is None or (before is not None and before.proof is not None):
            return
        self._forget_hands(node)  # what only that node knew is lost with it
        same_life = life.on and life.on_since_s < life.incarnation_since_s
        running = [vm for vm, where in self.copies.items() if where.get(node) == "the cluster"]
        if same_life and (running or silence.proof.kind is ProofKind.FENCE):
            still = f"it runs {', '.join(sorted(running))}" if running else "it has power"
            self._broken(3, f"{node} is called dead ({silence.proof.words}), and {still}")

    def _cluster(self, name: str, value: bytes | None) -> None:
        if value is not None and not name:
            before, self.settings = self.settings, msgspec.json.decode(value, type=Settings)
            self.held_at_s = self.held_at_s if before.hold else self.now()

    def _resource(self, name: str, value: bytes | None) -> None:
        if value is not None:
            resource = _RESOURCE.decode(value)
            self.group_of[name] = resource.group
            self.stops_within_s[name] = resource.offline_timeout_s + _RECENTLY_S
        else:
            self.group_of.pop(name, None)

    def _status(self, name: str, value: bytes | None) -> None:
        if value is None:
            self.statuses.pop(name, None)
            return
        status = _STATUS.decode(value)
        self.statuses[name] = status
        for vm, one in status.resources.items():
            by = self.copies.get(vm, {}).get(status.node)
            if one.state in _DOWN and by == "the cluster":
                self._broken(3, f"{status.node} reports {vm} {one.state.value} while it runs there")

    def _group(self, name: str, value: bytes | None) -> None:
        if value is None:
            self.groups.pop(name, None)
            return
        record = _GROUP.decode(value)
        kept = self.groups.get(name)
        if kept is None:
            kept = self.groups[name] = GroupFacts(record)
        else:
            self._compare(kept.record, record, kept.owner_incarnation)
        given = record.owner != kept.record.owner or record.epoch != kept.record.epoch
        if given or not kept.owner_incarnation:
            session = self.life(record.owner).session if record.owner else None
            kept.owner_incarnation = session.incarnation if session else ""
        if given or _unwanted(record) or _unwanted(kept.record):
            kept.last_off_s = self.now()
        kept.record = record

    def _compare(self, old: Group, new: Group, incarnation: str) -> None:
        if new.epoch < old.epoch:
            self._broken(4, f"the epoch of {new.name} fell from {old.epoch} to {new.epoch}")
        if new.owner != old.owner and new.epoch <= old.epoch:
            self._broken(4, f"{new.name} went from {old.owner or 'nobody'} to {new.owner} without a new epoch")
        if self.settings.hold:
            return  # a backup is written back, or an administrator says who owns what: nothing is started meanwhile
        if old.owner and (new.owner != old.owner or new.epoch != old.epoch):
            problem = self._unproven(old, incarnation)
            if problem:
                self._broken(3, f"{new.name} was given to {new.owner} (epoch {new.epoch}) without proof: {problem}")
        if new.wanted is not old.wanted:
            wishes = self.wishes.get(new.name, [])
            if new.wanted in wishes:
                wishes.remove(new.wanted)
                for vm in new.resources:
                    self.switched_off.pop(vm, None)
            elif new.name not in self.distrusted:
                self._broken(5, f"{new.name} became wanted {new.wanted.value}, and nobody asked for it")

    def _unproven(self, old: Group, incarnation: str) -> str:
        """Why nothing proves that the owner of the group runs nothing of it; "" when something does."""
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
        if all(one.state in _DOWN for one in status.resources.values()):
            return ""
        return f"{owner} reported " + ", ".join(f"{name} {one.state.value}" for name, one in status.resources.items())

    def _forget_hands(self, node: str) -> None:
        for vm in [vm for vm, where in self.switched_off.items() if where == node]:
            del self.switched_off[vm]

    def _called_for(self, node: str, vm: str) -> bool:
        kept = self.groups.get(self.group_of.get(vm, ""))
        if kept is None or kept.record.owner != node or _unwanted(kept.record):
            return True
        if not self.said_online(kept.record):
            return True  # its start failed, and what is left of it is cleared away
        recently = self.now() - kept.last_off_s <= self.stops_within_s.get(vm, 0.0)
        lapsed = self.now() - self.life(node).session_at_s >= self.times.permit_s / 2
        return recently or lapsed or node in self.silences or self.disturbed(node)

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
    (keys.CLUSTER, Checks._cluster),
)
